"""Time as an argument: the real clock, a scaled one for the demonstration, a hand-set one for tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What every part that needs the time is given."""

    def now(self) -> datetime:
        """The present, aware, in UTC."""
        ...

    def real(self, seconds: float) -> float:
        """How many seconds of the wall clock pass while this clock advances by ``seconds``."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def real(self, seconds: float) -> float:
        return seconds


class ScaledClock:
    """A clock that shows ``start`` at wall time ``anchor`` and runs ``factor`` times as fast.

    ``anchor`` is a wall time in seconds since 1970, so that several processes share one scaled clock.
    """

    def __init__(self, start: datetime, anchor: float, factor: float, wall: Callable[[], float] = time.time) -> None:
        if factor <= 0:
            raise ValueError(f"factor must be above 0, not {factor}")
        self.start, self.anchor, self.factor, self._wall = start, anchor, factor, wall

    def now(self) -> datetime:
        return self.start + timedelta(seconds=(self._wall() - self.anchor) * self.factor)

    def real(self, seconds: float) -> float:
        return seconds / self.factor

    def __str__(self) -> str:
        return f"{self.start.isoformat()},{self.anchor!r},{self.factor!r}"

    @classmethod
    def parse(cls, text: str) -> ScaledClock:
        """The inverse of ``str()``: ``START,ANCHOR,FACTOR``. Raises ValueError where it is not of that form."""
        start, anchor, factor = text.split(",")
        return cls(datetime.fromisoformat(start), float(anchor), float(factor))


class ManualClock:
    """A clock that stands still until told otherwise."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def real(self, seconds: float) -> float:
        return seconds

    def set(self, now: datetime) -> None:
        self._now = now

    def advance(self, **parts: float) -> None:
        """Move on by ``timedelta(**parts)``."""
        self._now += timedelta(**parts)
