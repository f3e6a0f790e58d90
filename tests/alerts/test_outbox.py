"""The outbox: each message once, in order, by lease, and nothing forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from alerts import outbox
from alerts.message import MessageKind, Occasion, subject_of
from pipeline.configuration import StateTable
from pipeline.state.database import State
from pipeline.state.opening import open_state
from pipeline.state.tables import journal

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def state(tmp_path: Path, state_table: StateTable | None) -> Iterator[State]:
    state = open_state(tmp_path, state_table)
    yield state
    state.close()


def occasion(number: int = 1, incident: int = 127) -> Occasion:
    return Occasion(subject=subject_of(incident=incident), number=number, kind=MessageKind.NEW, at=NOW)


def put(state: State, number: int = 1, receiver: str = "pr", *, incident: int = 127, held: bool = False) -> bool:
    told = occasion(number, incident)
    fixed = outbox.message_id(told, receiver, "email", "https://watch.example.org")
    with state.begin() as conn:
        return outbox.put(conn, told, receiver, "email", f"bytes {number}".encode(), fixed, NOW, held=held)


def claim(state: State, now: datetime = NOW, worker: str = "a", limit: int = 20) -> list[outbox.Letter]:
    with state.begin() as conn:
        return outbox.claim(conn, now, worker, limit)


def journal_kinds(state: State) -> list[str]:
    with state.read() as conn:
        return list(conn.execute(sa.select(journal.c.kind).order_by(journal.c.id)).scalars())


def test_second_put_of_the_same_key_is_nothing(state: State) -> None:
    assert put(state)
    assert not put(state)
    assert put(state, receiver="boss")
    assert journal_kinds(state) == ["composed", "composed"]


def test_message_id_is_fixed_by_the_transition_and_differs_by_receiver() -> None:
    ids = [
        outbox.message_id(occasion(number), receiver, "email", "https://watch.example.org:8640/x")
        for number in (1, 2)
        for receiver in ("pr", "boss")
    ]
    assert len(set(ids)) == 4
    assert ids[0] == outbox.message_id(occasion(1), "pr", "email", "https://watch.example.org")
    assert all(one.startswith("<") and one.endswith("@watch.example.org>") for one in ids)
    assert outbox.message_id(occasion(), "pr", "email", "http://127.0.0.1:8640").endswith("@sturmwarte>")
    assert outbox.message_id(occasion(), "pr", "email", "http://[::1]:8640").endswith("@sturmwarte>")


def test_a_new_data_folder_repeats_no_message_id() -> None:
    later = Occasion(subject="incident:127", number=1, kind=MessageKind.NEW, at=NOW + MINUTE)
    assert outbox.message_id(later, "pr", "email", "") != outbox.message_id(occasion(), "pr", "email", "")


def test_a_claimed_message_is_nobody_elses_until_the_lease_ends(state: State) -> None:
    put(state)
    assert [letter.payload for letter in claim(state)] == [b"bytes 1"]
    assert claim(state, NOW + outbox.LEASE - MINUTE, "b") == []
    again = claim(state, NOW + outbox.LEASE, "b")
    assert [(letter.attempts, letter.worker) for letter in again] == [(1, "b")]


def test_a_worker_that_comes_back_under_its_name_continues_at_once(state: State) -> None:
    put(state)
    claim(state, worker="run")
    with state.begin() as conn:
        assert outbox.reclaim(conn, "other") == 0
        assert outbox.reclaim(conn, "run") == 1
    assert len(claim(state, worker="run")) == 1


def test_the_next_of_a_subject_waits_until_the_one_before_is_done(state: State) -> None:
    put(state, 2)
    put(state, 1)
    put(state, 2, incident=128)
    first = claim(state)
    assert sorted((letter.subject, letter.number) for letter in first) == [("incident:127", 1), ("incident:128", 2)]
    assert claim(state) == []
    with state.begin() as conn:
        outbox.mark_failed(conn, next(one for one in first if one.number == 1), NOW, "421 later", temporary=True)
    assert claim(state, NOW + MINUTE / 2) == []
    (again,) = claim(state, NOW + MINUTE)
    assert again.number == 1
    with state.begin() as conn:
        outbox.mark_sent(conn, again, NOW)
    assert [letter.number for letter in claim(state)] == [2]


def test_one_that_is_given_up_does_not_block_the_next(state: State) -> None:
    put(state, 1)
    put(state, 2)
    with state.begin() as conn:
        (first,) = outbox.claim(conn, NOW, "a")
        outbox.mark_failed(conn, first, NOW, "550 no such user", temporary=False)
    assert [letter.number for letter in claim(state)] == [2]
    assert journal_kinds(state) == ["composed", "composed", "trying", "failed", "trying"]
    with state.read() as conn:
        assert outbox.counts(conn) == {"held": 0, "ready": 1, "sent": 0, "failed": 1}


def test_waits_double_up_to_an_hour() -> None:
    minutes = [outbox.back_off(attempts) / MINUTE for attempts in range(8)]
    assert minutes == [1, 2, 4, 8, 16, 32, 60, 60]
    assert outbox.back_off(10_000) == timedelta(hours=1)


def test_who_lost_the_lease_cannot_put_it_back(state: State) -> None:
    put(state)
    (slow,) = claim(state, worker="slow")
    (fast,) = claim(state, NOW + outbox.LEASE, "fast")
    with state.begin() as conn:
        outbox.mark_sent(conn, fast, NOW)
        outbox.mark_failed(conn, slow, NOW, "timeout", temporary=True)
    assert claim(state, NOW + timedelta(days=1)) == []
    assert journal_kinds(state)[-1] == "sent"


def test_held_messages_wait_for_release(state: State) -> None:
    put(state, 1)
    put(state, 2, held=True)
    with state.begin() as conn:
        assert outbox.hold(conn, NOW) == 1
    assert claim(state, NOW + timedelta(days=1)) == []
    with state.begin() as conn:
        assert outbox.release(conn, NOW + MINUTE) == 2
    assert [letter.number for letter in claim(state, NOW + MINUTE)] == [1]
    assert journal_kinds(state) == ["composed", "held", "held", "released", "released", "trying"]


def test_references_name_the_first_message_of_all_and_the_receivers_own(state: State) -> None:
    put(state, 3)
    put(state, 5)
    put(state, 4, "boss")
    with state.read() as conn:
        found = {who: outbox.references(conn, "incident:127", who, "email") for who in ("pr", "boss", "new")}
    by_hand = {
        who: outbox.message_id(occasion(number), who, "email", "https://watch.example.org")
        for who, number in (("pr", 3), ("boss", 4))
    }
    assert found == {"pr": (by_hand["pr"],), "boss": (by_hand["pr"], by_hand["boss"]), "new": ()}


def test_notifiers_that_are_down_are_left_alone(state: State) -> None:
    put(state)
    with state.begin() as conn:
        assert outbox.claim(conn, NOW, "a", without={"email"}) == []
        assert len(outbox.claim(conn, NOW, "a", without={"sms"})) == 1
