"""Waiting for one's turn at a host: one request at a time, with a delay, in every process of the house."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

from crawlers import hosts
from crawlers.fetches import NotRead
from crawlers.settings import clock_seconds
from pipeline.clock import Clock
from pipeline.state.database import State
from pipeline.words import Answer

PATIENCE = timedelta(seconds=30)
"""A visit waits this long for a host that asked to be left alone; then it goes on without it."""
_JITTER = 0.5
_FIRST_POLL, _POLL = 0.005, 0.25
_MARGIN = 15.0


class Pacer:
    """Hands out turns. One for all visits of a process; several processes meet in the table ``host``."""

    def __init__(
        self,
        state: State,
        clock: Clock,
        *,
        delay: float,
        timeout: float,
        worker: str,
        chance: random.Random,
        budget: int | None = None,
    ) -> None:
        self.state, self._clock, self._worker, self._chance = state, clock, worker, chance
        self._budget = budget
        self._delay, self._hold = delay, timedelta(seconds=clock_seconds(clock, timeout + _MARGIN))
        self._doors: dict[str, asyncio.Lock] = {}
        self._turns = 0
        self._closing = False

    async def enter(self, name: str, crawl_delay: float | None = None) -> str:
        """Wait for the turn at a host; returns the lease to give back.

        Raises NotRead where the host asked to be left alone for longer than our patience, OverBudget where it has had
        what it gets within an hour, and NotRead when closing.
        """
        self._turns += 1
        lease = f"{self._worker}/{self._turns}"
        async with self._doors.setdefault(name, asyncio.Lock()):
            held = 0
            while not self._closing:
                turn = await asyncio.to_thread(self._claim, name, lease, crawl_delay)
                if turn.granted:
                    return lease
                if turn.asked_by_host and turn.wait > PATIENCE:
                    until = (self._clock.now() + turn.wait).isoformat(timespec="seconds")
                    raise NotRead(Answer.RATE_LIMITED, f"{name} asked to be left alone until {until}")
                held = 0 if turn.wait else held + 1
                await asyncio.sleep(self._pause(turn.wait, held))
        raise NotRead(Answer.ERROR, "the crawl is closing")

    async def leave(self, name: str, lease: str, took: float, *, well: bool) -> None:
        """Give a turn back. A slow host rests for as long as it worked (``took``, seconds of the wall clock)."""
        rest = timedelta(seconds=clock_seconds(self._clock, min(took, 60.0)))
        await asyncio.to_thread(self._give_back, name, lease, rest, well)

    async def back_off(self, name: str, retry_after: str | None) -> datetime:
        """The host answered 429 or 503; ``retry_after`` is its header. Returns until when it is left alone."""
        span = parse_retry_after(retry_after, self._clock.now())
        return await asyncio.to_thread(self._back_off, name, span)

    def close(self) -> None:
        """Nobody waits any longer."""
        self._closing = True

    def _pause(self, wait: timedelta, held: int) -> float:
        """``held``: how often in a row another process was at it, for nobody knows how long; each look is a write."""
        known = self._clock.real(wait.total_seconds())
        return min(max(known, _FIRST_POLL * (1 << min(held, 10))), _POLL)

    def _claim(self, name: str, lease: str, crawl_delay: float | None) -> hosts.Turn:
        gap = max(self._delay * (1 + _JITTER * self._chance.random()), crawl_delay or 0.0)
        with self.state.begin(by_rows=True) as connection:
            now = self._clock.now()
            turn = hosts.claim(connection, name, lease, now, now + self._hold, now + timedelta(seconds=gap))
            if turn.granted and self._budget is not None:
                hosts.spend(connection, name, now, self._budget)
            return turn

    def _give_back(self, name: str, lease: str, rest: timedelta, well: bool) -> None:
        with self.state.begin(by_rows=True) as connection:
            hosts.give_back(connection, name, lease, self._clock.now() + rest, well=well)

    def _back_off(self, name: str, span: timedelta | None) -> datetime:
        with self.state.begin(by_rows=True) as connection:
            return hosts.back_off(connection, name, self._clock.now(), span)


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """The span a Retry-After header asks for, as seconds or as a date; None where it says nothing sensible."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:12]), 10**9))
    try:
        at = parsedate_to_datetime(text)
        return max(at - now, timedelta(0))
    except (TypeError, ValueError, OverflowError):
        return None
