"""Which brands a watcher evaluates: all of them, or its share while others watch beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import sqlalchemy as sa

from pipeline.clock import Clock
from pipeline.state import leases
from pipeline.state.database import State

LEASE = timedelta(minutes=2)
LEASE_REAL = 60.0
"""Seconds of the wall clock that a lease lasts at least, however fast the clock runs."""
BRAND = "brand"


class Turns(Protocol):
    """What the watcher asks before and after it evaluates a brand."""

    def take(self, brands: Sequence[str]) -> Sequence[str]:
        """Those to be evaluated now."""
        ...

    def keep(self, brand: str) -> bool:
        """Begin with a brand; False where another watcher has it by now."""
        ...

    def holds(self, conn: sa.Connection, brand: str) -> bool:
        """Whether what was found may be written, asked within the writing transaction."""
        ...


class Alone:
    """No other watcher is reckoned with."""

    def take(self, brands: Sequence[str]) -> Sequence[str]:
        return brands

    def keep(self, brand: str) -> bool:
        return True

    def holds(self, conn: sa.Connection, brand: str) -> bool:
        return True


class Share:
    """The brands are shared by leases among all watchers of a state database, one evaluator each.

    A share is renewed at each look, and a brand once more when its turn comes late: with thousands of brands a write
    for each would be much of the work. A watcher that hangs for longer than a lease may find that another has its
    brand: it writes nothing then.
    """

    def __init__(self, state: State, clock: Clock, worker: str, span: timedelta | None = None) -> None:
        self._state, self._clock, self._worker = state, clock, worker
        self._span = span or max(LEASE, timedelta(seconds=LEASE_REAL / clock.real(1)))
        self._fresh: tuple[frozenset[str], datetime] | None = None
        """What was taken last, and until when most of its lease is left."""

    def take(self, brands: Sequence[str]) -> Sequence[str]:
        with self._state.begin() as conn:
            now = self._clock.now()
            mine = leases.share(conn, BRAND, brands, self._worker, now, now + self._span)
        self._fresh = frozenset(mine), now + self._span / 4
        return mine

    def keep(self, brand: str) -> bool:
        if self._fresh is not None and brand in self._fresh[0] and self._clock.now() < self._fresh[1]:
            return True
        with self._state.begin() as conn:
            now = self._clock.now()
            return leases.take(conn, BRAND, brand, self._worker, now, now + self._span)

    def holds(self, conn: sa.Connection, brand: str) -> bool:
        return leases.holds(conn, BRAND, brand, self._worker)

    def duty(self, name: str, work: Callable[[], None]) -> None:
        """Do what only one watcher does; nothing while another has that duty."""
        with self._state.begin() as conn:
            now = self._clock.now()
            mine = leases.take(conn, "duty", name, self._worker, now, now + self._span)
        if mine:
            work()

    def leave(self) -> None:
        """Give everything back, so that the others need not wait for the lease to end."""
        with self._state.begin() as conn:
            leases.leave(conn, self._worker)
