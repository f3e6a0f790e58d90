"""Which parts run, on whatever machine: every process of the service says so in the state database, as a lease."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from threading import Event, Thread

import sqlalchemy as sa

from pipeline.clock import Clock
from pipeline.state import leases
from pipeline.state.database import State
from pipeline.state.tables import lease
from pipeline.state.workers import is_dead, worker_name
from sturmwarte.jobs import guarded

PATIENCE = 5.0
"""Seconds that ending waits for a word under way."""
EVERY, SPAN = 20.0, 90.0
"""Seconds of the wall clock between two words, and how long one is believed."""


class Presence:
    """One process that runs a part."""

    def __init__(self, part: str, state: State, clock: Clock) -> None:
        self._kind, self._state, self._clock, self._worker = _kind(part), state, clock, worker_name()
        self._span = timedelta(seconds=SPAN / clock.real(1))

    def tell(self) -> None:
        """This process is there; of others of its part that are gone nothing is kept."""
        with self._state.begin() as connection:
            now = self._clock.now()
            for row in connection.execute(sa.select(lease).where(lease.c.kind == self._kind)).all():
                if row.until <= now or is_dead(row.worker, self._worker):
                    leases.leave(connection, row.worker)
            leases.take(connection, self._kind, self._worker, self._worker, now, now + self._span)

    def leave(self) -> None:
        """It ends."""
        with self._state.begin() as connection:
            leases.leave(connection, self._worker)


@contextmanager
def present(part: str, state: State, clock: Clock) -> Iterator[None]:
    """As long as the block lasts, the state database says that this process runs the part."""
    one, ended = Presence(part, state, clock), Event()
    tell = guarded("presence", one.tell)

    def go_on() -> None:
        while not ended.wait(EVERY):
            tell()

    tell()
    thread = Thread(target=go_on, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(PATIENCE)  # a word under way must not be the last one
        guarded("presence", one.leave)()


def present_of(connection: sa.Connection, part: str, now: datetime) -> list[str]:
    """The processes that run a part now; those of this machine that have died are none."""
    here = worker_name()
    return [worker for worker in leases.holders(connection, _kind(part), now) if not is_dead(worker, here)]


def _kind(part: str) -> str:
    return f"{part} process"
