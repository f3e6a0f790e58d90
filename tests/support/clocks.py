"""A clock for tests that crawl: it runs like the machine's, from a moment of our own, and can be put forward."""

from __future__ import annotations

import time
from datetime import datetime, timedelta


class RunningClock:
    """Pacing waits for time to pass, so this clock does not stand still."""

    def __init__(self, start: datetime, factor: float = 1.0) -> None:
        self._start, self._anchor, self._factor = start, time.monotonic(), factor

    def now(self) -> datetime:
        return self._start + timedelta(seconds=(time.monotonic() - self._anchor) * self._factor)

    def real(self, seconds: float) -> float:
        return seconds / self._factor

    def advance(self, **parts: float) -> None:
        """Move on by ``timedelta(**parts)``."""
        self._start += timedelta(**parts)
