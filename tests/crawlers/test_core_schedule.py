"""Sources in the table: following the configuration, states, leases, and who is visited when."""

from __future__ import annotations

import random
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from crawlers import scheduling
from crawlers.workers import take_back
from pipeline.configuration import Configuration, StateTable
from pipeline.state import sources
from pipeline.state.database import State
from pipeline.state.opening import open_state
from pipeline.state.sources import Outcome, get_source, list_sources, make_due, mark_late, next_state, set_paused, sync
from pipeline.state.tables import host, source
from pipeline.state.workers import is_dead, worker_name
from pipeline.words import Answer, Channel, SourceState

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DEFAULTS = {"threads": (Channel.FORUM, timedelta(minutes=5)), "list": (Channel.REVIEW, timedelta(hours=1))}


def configured(contact: str = "a@example.org", **entries: dict[str, Any]) -> Configuration:
    filled = {name: {"spider": "threads", "url": f"http://{name}.example/"} | entry for name, entry in entries.items()}
    return Configuration.model_validate({"contact": contact, "sources": filled})


@pytest.fixture
def state(tmp_path: Path, state_table: StateTable | None) -> Any:
    opened = open_state(tmp_path, state_table)
    yield opened
    opened.close()


def synced(state: State, configuration: Configuration, now: datetime = NOW) -> dict[str, sources.SourceRow]:
    with state.begin() as connection:
        sync(connection, configuration, DEFAULTS, now)
        return {row.id: row for row in list_sources(connection)}


def test_new_sources_are_due_at_once(state: State) -> None:
    rows = synced(state, configured(a={}, b={"spider": "list", "interval": "10m", "channel": "blog", "about": "x"}))
    assert (rows["a"].channel, rows["a"].interval) == (Channel.FORUM, timedelta(minutes=5))
    assert (rows["b"].channel, rows["b"].interval, rows["b"].about) == (Channel.BLOG, timedelta(minutes=10), "x")
    assert {(row.state, row.next_due) for row in rows.values()} == {(SourceState.LEARNING, NOW)}


def test_syncing_again_changes_nothing(state: State) -> None:
    first = synced(state, configured(a={}))
    assert synced(state, configured(a={}), NOW + timedelta(hours=1)) == first


def test_syncing_again_asks_little_however_many_there_are(state: State) -> None:
    many = configured(**{f"s{number:03}": {} for number in range(300)})
    synced(state, many)
    asked: list[str] = []

    @sa.event.listens_for(state.engine, "before_cursor_execute")
    def noted(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        asked.append(statement)

    with state.begin() as connection:
        sync(connection, many, DEFAULTS, NOW + timedelta(hours=1))
    assert len(asked) < 10


def test_a_removed_source_retires_and_keeps_its_books(state: State) -> None:
    synced(state, configured(a={}))
    with state.begin() as connection:
        connection.execute(sa.update(source).values(watermark=NOW, cursor={"x": 1}, complete_from=NOW))
    later = NOW + timedelta(days=1)
    gone = synced(state, configured(), later)["a"]
    assert (gone.state, gone.watermark, gone.cursor) == (SourceState.RETIRED, NOW, {"x": 1})
    back = synced(state, configured(a={}), later)["a"]
    assert (back.state, back.next_due, back.cursor) == (SourceState.LEARNING, later, {"x": 1})


def test_a_moved_source_starts_anew_and_keeps_its_watermark(state: State) -> None:
    synced(state, configured(a={}))
    with state.begin() as connection:
        fields = {"watermark": NOW, "cursor": {"x": 1}, "first_contact_at": NOW, "items_seen": 9, "failures": 2}
        connection.execute(sa.update(source).values(**fields))
    moved = synced(state, configured(a={"url": "http://elsewhere.example/"}))["a"]
    assert (moved.watermark, moved.cursor, moved.first_contact_at, moved.items_seen) == (NOW, {}, None, 0)


def test_a_shorter_interval_takes_effect_at_once(state: State) -> None:
    synced(state, configured(a={"interval": "4h"}))
    with state.begin() as connection:
        make_due(connection, "a", NOW + timedelta(hours=4))
    assert synced(state, configured(a={"interval": "5m"}))["a"].next_due == NOW + timedelta(minutes=5)


def test_pausing_by_configuration_by_hand_and_for_want_of_a_contact(state: State) -> None:
    assert synced(state, configured(a={"paused": True}))["a"].state is SourceState.PAUSED
    assert synced(state, configured(a={}))["a"].state is SourceState.LEARNING
    row = synced(state, configured("", a={}))["a"]
    assert (row.state, row.reason) == (SourceState.PAUSED, sources.NO_CONTACT)
    assert synced(state, configured(a={}))["a"].state is SourceState.LEARNING
    with state.begin() as connection:
        assert set_paused(connection, "a", True, NOW, by="Erika")
        assert not set_paused(connection, "nobody", True, NOW)
    assert synced(state, configured(a={}))["a"].reason == "paused by Erika"
    with state.begin() as connection:
        assert set_paused(connection, "a", False, NOW)
        row = get_source(connection, "a")
    assert row is not None and (row.state, row.reason) == (SourceState.LEARNING, "")


def test_retired_by_configuration_is_never_resumed_by_hand(state: State) -> None:
    synced(state, configured(a={"retired": True}))
    with state.begin() as connection:
        assert not set_paused(connection, "a", False, NOW)


def test_late_after_two_intervals_without_a_good_visit(state: State) -> None:
    synced(state, configured(a={}, b={"interval": "1h"}, c={"paused": True}))
    with state.begin() as connection:
        assert mark_late(connection, NOW + timedelta(minutes=12)) == []
        assert mark_late(connection, NOW + timedelta(minutes=13)) == ["a"]
        assert mark_late(connection, NOW + timedelta(minutes=14)) == []
        row = get_source(connection, "a")
    assert row is not None and row.state is SourceState.LATE and row.state_since == NOW + timedelta(minutes=13)


# --- states ---------------------------------------------------------------------------------------------------

WEEK = timedelta(days=7)


def after(
    outcome: Outcome,
    current: SourceState = SourceState.HEALTHY,
    failures: int = 0,
    span: timedelta | None = WEEK,
    has_watermark: bool = True,
) -> SourceState:
    state, _ = next_state(
        current,
        "",
        outcome,
        failures=failures,
        complete_from=NOW - span if span is not None else None,
        watermark=NOW,
        has_watermark=has_watermark,
    )
    return state


def test_states_after_a_visit() -> None:
    good, partly = Outcome(complete=True), Outcome(complete=False, answer=Answer.ERROR)
    nothing = Outcome(complete=False, answer=Answer.ERROR, lists_read=False)
    assert after(good) is SourceState.HEALTHY
    assert after(good, SourceState.BLIND) is SourceState.HEALTHY
    assert after(good, span=WEEK - timedelta(seconds=1)) is SourceState.LEARNING
    assert after(good, span=None) is SourceState.LEARNING
    assert after(good, span=None, has_watermark=False) is SourceState.HEALTHY
    assert after(partly) is SourceState.BEHIND
    assert after(Outcome(complete=False, behind=True)) is SourceState.BEHIND
    assert [after(nothing, failures=n) for n in (1, 2, 3)] == [SourceState.HEALTHY] * 2 + [SourceState.BLIND]
    for answer in (Answer.GATED, Answer.CHALLENGE, Answer.LAYOUT_CHANGED):
        lasting = Outcome(complete=False, answer=answer, lists_read=False)
        assert after(lasting, SourceState.LEARNING, failures=1) is SourceState.BLIND


@given(
    st.sampled_from(SourceState),
    st.builds(
        Outcome,
        complete=st.booleans(),
        behind=st.booleans(),
        answer=st.sampled_from(Answer),
        lists_read=st.booleans(),
    ),
    st.integers(0, 9),
)
def test_resting_sources_rest_and_no_failure_makes_healthy(
    current: SourceState, outcome: Outcome, failures: int
) -> None:
    following = after(outcome, current, failures)
    if current in (SourceState.PAUSED, SourceState.RETIRED):
        assert following is current
    elif not outcome.complete or outcome.behind:
        assert following is not SourceState.HEALTHY or current is SourceState.HEALTHY
    else:
        assert following is SourceState.HEALTHY


# --- leases ---------------------------------------------------------------------------------------------------

LEASE = timedelta(minutes=2)


def claimed(state: State, worker: str, now: datetime = NOW, limit: int = 9, only: Any = None) -> list[str]:
    with state.begin() as connection:
        return [row.id for row in scheduling.claim(connection, worker, now, LEASE, limit=limit, only=only)]


def test_only_due_sources_are_claimed_longest_due_first_and_only_once(state: State) -> None:
    synced(state, configured(a={}, b={}, c={}, d={"paused": True}))
    with state.begin() as connection:
        make_due(connection, "b", NOW - timedelta(minutes=1))
        make_due(connection, "c", NOW + timedelta(minutes=1))
    assert claimed(state, "one", limit=1) == ["b"]
    assert claimed(state, "two") == ["a"]
    assert claimed(state, "two") == []
    assert claimed(state, "two", only=["a", "c", "d"]) == ["c"]


def test_what_a_worker_has_in_hand_is_not_claimed_again(state: State) -> None:
    synced(state, configured(a={}, b={}))
    with state.begin() as connection:
        rows = scheduling.claim(connection, "one", NOW, LEASE, limit=9, without=["a"])
        assert [row.id for row in rows] == ["b"]
    assert claimed(state, "two") == ["a"]


def test_a_lease_ends_unless_renewed(state: State) -> None:
    synced(state, configured(a={}, b={}))
    assert claimed(state, "one") == ["a", "b"]
    with state.begin() as connection:
        assert scheduling.renew(connection, "one", ["b"], NOW + 2 * LEASE) == {"b"}
        assert scheduling.renew(connection, "other", ["a"], NOW + 2 * LEASE) == set()
    assert claimed(state, "two", NOW + LEASE) == ["a"]
    assert claimed(state, "two", NOW + 2 * LEASE, only=["b"]) == ["b"]
    with state.begin() as connection:
        assert scheduling.renew(connection, "one", ["a", "b"], NOW + 9 * LEASE) == set()
        scheduling.release(connection, "one", "a")
    assert claimed(state, "three", NOW + LEASE) == []


def test_workers_at_the_same_time_never_share_a_source(state: State) -> None:
    synced(state, configured(**{f"s{n}": {} for n in range(40)}))
    taken: dict[str, list[str]] = {name: [] for name in ("one", "two", "three", "four")}
    gate = threading.Barrier(len(taken))

    def work(worker: str) -> None:
        gate.wait()
        while names := claimed(state, worker, limit=3):
            taken[worker] += names

    threads = [threading.Thread(target=work, args=(worker,)) for worker in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(name for names in taken.values() for name in names) == sorted(f"s{n}" for n in range(40))


def test_what_dead_workers_hold_is_taken_back(state: State) -> None:
    synced(state, configured(a={}, b={}, c={}))
    living = worker_name()
    machine, process, _ = living.split(":")
    dead, elsewhere = f"{machine}:{process}:00000000", "elsewhere:1:abcd"
    for worker, name in ((dead, "a"), (living, "b"), (elsewhere, "c")):
        claimed(state, worker, only=[name])
    with state.begin() as connection:
        held = {"leased_until": NOW + LEASE, "next_at": NOW + LEASE + timedelta(seconds=7)}
        connection.execute(sa.insert(host).values(host="x:80", lease=f"{dead}/7", **held))
        assert take_back(connection, living, NOW) == 2
        left = connection.execute(sa.select(host.c.lease, host.c.next_at)).one()
        assert tuple(left) == (None, NOW + timedelta(seconds=7))
        assert {row.id: row.worker for row in list_sources(connection)} == {"a": None, "b": living, "c": elsewhere}
    assert is_dead(f"{machine}:999999999:x", living) and not is_dead(f"{machine}:1:x", living)
    assert not is_dead(living, living) and not is_dead("odd", living)


@given(st.integers(60, 86_400), st.integers(0, 40), st.booleans(), st.integers(0, 7200), st.integers())
def test_the_next_visit(interval: int, failures: int, behind: bool, took: int, seed: int) -> None:
    span, end = timedelta(seconds=interval), NOW + timedelta(seconds=took)
    due = scheduling.next_visit(NOW, end, span, random.Random(seed), failures=failures, behind=behind)
    assert due >= end
    assert due <= max(end, NOW + max(span, scheduling.LONGEST_RETREAT) * 1.1) or behind
    if behind:
        assert due - end <= timedelta(minutes=1)
    elif end < NOW + span * 0.9:
        assert due >= NOW + span * 0.9


def test_what_is_retired_stays_what_it_was_when_its_spider_is_gone(state: State) -> None:
    """A network that closed: neither its channel nor its interval change with the list of spiders, nor is it late."""
    plus = {"spider": "plus", "url": "http://plus.example/"}
    with state.begin() as connection:
        known = DEFAULTS | {"plus": (Channel.SOCIAL, timedelta(minutes=15))}
        sync(connection, configured(a=plus), known, NOW)
        connection.execute(sa.update(source).values(watermark=NOW, cursor={"at": 1}, items_seen=9))
    row = synced(state, configured(a=plus | {"retired": True}), NOW + timedelta(days=400))["a"]
    assert (row.state, row.channel, row.interval) == (SourceState.RETIRED, Channel.SOCIAL, timedelta(minutes=15))
    assert (row.watermark, row.cursor, row.items_seen) == (NOW, {"at": 1}, 9)
    with state.begin() as connection:
        assert mark_late(connection, NOW + timedelta(days=800)) == []
        assert scheduling.claim(connection, "w", NOW + timedelta(days=800), timedelta(minutes=2), limit=5) == []
