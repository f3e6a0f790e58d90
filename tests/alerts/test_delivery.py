"""Delivery with crashes at every point: one Message-ID per message, order kept, only the one window may repeat."""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Self

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from pydantic import BaseModel

from alerts import outbox
from alerts.delivery import Delivery
from alerts.message import MessageKind, Occasion, subject_of
from alerts.notifiers import PermanentFailure, TemporaryFailure
from pipeline.clock import ManualClock, ScaledClock
from pipeline.configuration import Configuration, Receiver
from pipeline.state.database import State, sqlite_url
from pipeline.state.tables import metadata
from pipeline.state.tables import outbox as table

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
RECEIVERS = ("pr", "boss")
CONFIGURATION = Configuration.model_validate(
    {"receivers": {name: {"address": f"{name}@example.org"} for name in RECEIVERS}}
)


class Crash(BaseException):
    """The process dies here."""


class Inbox:
    """A notifier that accepts, refuses or is down, as told; it keeps what it accepted."""

    name: ClassVar[str] = "email"
    description: ClassVar[str] = ""
    example: ClassVar[str] = ""
    Options: ClassVar[type[BaseModel]] = BaseModel

    def __init__(self) -> None:
        self.accepted: list[tuple[str, bytes]] = []
        self.mood = "well"

    @classmethod
    def of(cls, configuration: Configuration) -> Self:
        return cls()

    def problem(self) -> None:
        return None

    def send(self, payload: bytes, receiver: Receiver) -> None:
        if self.mood == "down":
            raise TemporaryFailure("connection refused", everyone=True)
        if self.mood == "busy":
            raise TemporaryFailure("421 later")
        if self.mood == "unknown":
            raise PermanentFailure("550 no such user")
        self.accepted.append((receiver.address, payload))


class Deliveries(RuleBasedStateMachine):
    """Messages come, time passes, the server has moods, the process dies and comes back."""

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.state = State(sqlite_url(Path(self.folder.name)))
        metadata.create_all(self.state.engine)
        self.clock, self.inbox = ManualClock(NOW), Inbox()
        self.numbers: Counter[int] = Counter()
        self.windows = 0
        self.point = ""

    @rule(incident=st.sampled_from([1, 1, 1, 2]), twice=st.booleans())
    def happen(self, incident: int, twice: bool) -> None:
        """A transition is told to everybody; a watcher that dies and looks again tells it twice."""
        self.numbers[incident] += 1
        for _ in range(1 + twice):
            with self.state.begin() as conn:
                for receiver in RECEIVERS:
                    self.put(conn, incident, receiver)

    def put(self, conn: Any, incident: int, receiver: str) -> None:
        number = self.numbers[incident]
        told = Occasion(subject=subject_of(incident=incident), number=number, kind=MessageKind.UPDATE, at=NOW)
        fixed = outbox.message_id(told, receiver, "email", "")
        payload = f"{told.subject} {number} {receiver} {fixed}".encode()
        outbox.put(conn, told, receiver, "email", payload, fixed, self.clock.now())

    @rule(minutes=st.sampled_from([1, 70]))
    def wait(self, minutes: float) -> None:
        self.clock.advance(minutes=minutes)

    @rule(
        mood=st.sampled_from(["well", "well", "busy", "down", "unknown"]),
        point=st.sampled_from(["", "", "claimed", "before_send", "after_send", "after_mark"]),
        named=st.booleans(),
    )
    def deliver(self, mood: str, point: str, named: bool) -> None:
        self.inbox.mood, self.point = mood, point
        try:
            self.worker("run" if named else None).tick()
        except Crash:
            self.windows += point == "after_send"

    def worker(self, name: str | None) -> Delivery:
        return Delivery(CONFIGURATION, self.state, self.clock, {"email": self.inbox}, self.fail, worker=name)

    def fail(self, point: str) -> None:
        if point == self.point:
            raise Crash(point)

    @invariant()
    def repeats_only_the_same_bytes_after_a_death_in_the_window(self) -> None:
        if not hasattr(self, "inbox"):
            return
        seen = Counter(payload for _, payload in self.inbox.accepted)
        keys = {payload.rsplit(b" ", 1)[0] for payload in seen}
        assert len(keys) == len(seen), "one message under two Message-IDs"
        assert sum(seen.values()) - len(seen) <= self.windows

    @invariant()
    def order_is_kept(self) -> None:
        if not hasattr(self, "inbox"):
            return
        last: dict[tuple[str, str], int] = {}
        for address, payload in self.inbox.accepted:
            subject, number = payload.decode().split(" ")[:2]
            assert int(number) >= last.get((address, subject), 0)
            last[address, subject] = int(number)

    def teardown(self) -> None:
        """In the end everything that was not given up has arrived."""
        if not hasattr(self, "inbox"):
            return
        self.inbox.mood, self.point = "well", ""
        for _ in range(sum(self.numbers.values()) + 2):
            self.clock.advance(minutes=70)
            self.worker(None).tick()
        with self.state.read() as conn:
            rows = conn.execute(table.select()).all()
        assert len(rows) == 2 * sum(self.numbers.values())
        assert {row.state for row in rows} <= {"sent", "failed"}
        arrived = {payload for _, payload in self.inbox.accepted}
        assert {row.payload for row in rows if row.state == "sent"} <= arrived
        self.order_is_kept()
        self.repeats_only_the_same_bytes_after_a_death_in_the_window()
        self.state.close()
        self.folder.cleanup()


TestDeliveries = Deliveries.TestCase
TestDeliveries.settings = settings(
    max_examples=30, stateful_step_count=24, deadline=None, suppress_health_check=list(HealthCheck)
)


def make(tmp_path: Path, inbox: Inbox, clock: Any) -> tuple[State, Delivery]:
    state = State(sqlite_url(tmp_path))
    metadata.create_all(state.engine)
    return state, Delivery(CONFIGURATION, state, clock, {"email": inbox})


def put(state: State, receiver: str, number: int = 1) -> None:
    told = Occasion(subject="test", number=number, kind=MessageKind.TEST, at=NOW)
    with state.begin() as conn:
        outbox.put(
            conn, told, receiver, "email", receiver.encode(), outbox.message_id(told, receiver, "email", ""), NOW
        )


def test_a_server_that_is_down_is_asked_once_per_tick(tmp_path: Path) -> None:
    inbox = Inbox()
    inbox.mood = "down"
    state, delivery = make(tmp_path, inbox, ManualClock(NOW))
    put(state, "pr")
    put(state, "boss")
    assert delivery.tick() == 0
    with state.read() as conn:
        assert sorted(row.attempts for row in conn.execute(table.select())) == [0, 1]
    inbox.mood = "well"
    assert delivery.tick() == 1


def test_a_receiver_who_is_gone_is_named(tmp_path: Path) -> None:
    state, delivery = make(tmp_path, Inbox(), ManualClock(NOW))
    put(state, "gone")
    assert delivery.tick() == 0
    with state.read() as conn:
        (row,) = conn.execute(table.select()).all()
    assert (row.state, row.last_error) == ("failed", "receiver 'gone' is no longer in the configuration")


def test_the_lease_lasts_in_real_time_however_fast_the_clock_runs(tmp_path: Path) -> None:
    wall = [0.0]
    clock = ScaledClock(NOW, 0.0, 600, lambda: wall[0])
    state, delivery = make(tmp_path, Inbox(), clock)
    put(state, "pr")
    letter = delivery._claim(set())
    assert letter is not None
    wall[0] = 299.0
    assert delivery._claim(set()) is None
    wall[0] = 301.0
    assert delivery._claim(set()) is not None
    assert clock.now() - NOW == timedelta(seconds=301 * 600)
