"""Waiting for one's turn at a host: one request at a time, with a delay, in every process of the house."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import count

import structlog

from crawlers import hosts
from crawlers.fetches import NotRead
from crawlers.settings import clock_seconds
from pipeline.absence import absences
from pipeline.clock import Clock
from pipeline.state.database import State
from pipeline.words import Answer

log = structlog.get_logger()
PATIENCE = timedelta(seconds=30)
"""A visit waits this long for a host that asked to be left alone; then it goes on without it."""
STAY, TURNS = 10.0, 10
"""A process keeps a host for so many seconds, and turns, at most: then others have their chance."""
LINGER = 0.1
"""So many seconds at least a host is kept after a turn, in case the visit goes on."""
_JITTER = 0.5
_FIRST_POLL, _POLL = 0.005, 0.25
_MARGIN = 15.0


@dataclass(slots=True)
class _Stay:
    """A host held by this process. The lease outlasts ``until`` by the longest that a turn may take."""

    lease: str
    since: datetime
    until: datetime
    gap: timedelta
    """The rest that others keep to if we die."""
    left: int
    """Turns that may still begin, until then."""


@dataclass(slots=True)
class _Door:
    """A host as the visits of one process see it."""

    queue: asyncio.Lock = field(default_factory=asyncio.Lock)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    turn: str = ""
    """Who is at the host; over when given back, and lost at ``ends`` by the loop's clock."""
    ends: float = 0.0
    gap: timedelta = timedelta(0)
    next_at: datetime | None = None
    stay: _Stay | None = None
    leaving: asyncio.TimerHandle | None = None


class Pacer:
    """Hands out turns. One for all visits of a process; several processes meet in the table ``host``.

    Whoever takes a host there keeps it for a short stay. Its turns are handed out from memory, so that a request
    does not cost two durable writes; between them nobody else may ask, because the host rests.
    """

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
        self._budget, self._delay, self._longest = budget, delay, timeout + _MARGIN
        self._stay, self._hold = (timedelta(seconds=clock_seconds(clock, one)) for one in (STAY, self._longest))
        self._doors: dict[str, _Door] = {}
        self._departing: set[asyncio.Task[None]] = set()
        self._numbers = count(1)
        self._closing = False

    async def enter(self, name: str, crawl_delay: float | None = None) -> str:
        """Wait for the turn at a host; returns what to give back.

        Raises NotRead where the host asked to be left alone for longer than our patience, OverBudget where it has had
        what it gets within an hour, and NotRead when closing.
        """
        door, held = self._doors.setdefault(name, _Door()), 0
        async with door.queue:
            await self._over(door)
            while not self._closing:
                wait = timedelta(0) if door.next_at is None else door.next_at - self._clock.now()
                if wait > timedelta(0):
                    held = 0
                elif await self._held(name, door, crawl_delay):
                    return self._begun(door, crawl_delay)
                else:
                    held += 1
                await asyncio.sleep(self._pause(wait, held))
        raise NotRead(Answer.ERROR, "the crawl is closing")

    async def leave(self, name: str, turn: str, took: float, *, well: bool) -> None:
        """Give a turn back. The host rests for the delay, a slow one for as long as it worked.

        ``took`` is seconds of the wall clock. The rest begins now: until its answer has come nobody knows when a
        request came to the server.
        """
        door = self._doors[name]
        if door.turn != turn:
            return
        rest = max(door.gap, timedelta(seconds=clock_seconds(self._clock, min(took, 60.0))))
        door.next_at, stay = self._clock.now() + rest, door.stay
        try:
            if stay is not None and (not well or stay.left == 0 or door.next_at >= stay.until):
                await self._give_back(name, door, well=well)
        finally:
            door.turn = ""
            door.over.set()
        if door.stay is not None:
            pause = max(self._clock.real(rest.total_seconds()), LINGER)
            door.leaving = asyncio.get_running_loop().call_later(pause, self._depart, name, door)

    async def back_off(self, name: str, retry_after: str | None) -> datetime:
        """The host answered 429 or 503; ``retry_after`` is its header. Returns until when it is left alone."""
        span = parse_retry_after(retry_after, self._clock.now())
        return await asyncio.to_thread(self._back_off, name, span)

    def close(self) -> None:
        """Nobody waits any longer."""
        self._closing = True
        for door in self._doors.values():
            door.over.set()

    async def depart(self) -> None:
        """Give back every host that nobody is at or waits for."""
        for name, door in self._doors.items():
            if not door.queue.locked():
                self._depart(name, door)
        await asyncio.gather(*self._departing)

    async def _over(self, door: _Door) -> None:
        """Wait for the end of the turn before. One that is lost leaves the host to the end of its lease."""
        while door.turn and not self._closing:
            try:
                async with asyncio.timeout_at(door.ends):
                    await door.over.wait()
            except TimeoutError:
                door.turn, door.stay = "", None

    def _pause(self, wait: timedelta, held: int) -> float:
        """``held``: how often in a row another process was at it, for nobody knows how long; each look is a write."""
        known = self._clock.real(wait.total_seconds())
        return min(max(known, _FIRST_POLL * (1 << min(held, 10))), _POLL)

    async def _held(self, name: str, door: _Door, crawl_delay: float | None) -> bool:
        """Whether the host is ours for one more turn; else it may have said from when on it can be."""
        promise, stay = timedelta(seconds=max(self._delay * (1 + _JITTER), crawl_delay or 0.0)), door.stay
        if stay is not None and stay.left and promise <= stay.gap and self._clock.now() < stay.until:
            return True
        if stay is not None:
            await self._give_back(name, door, well=True)
        turn, door.stay = await asyncio.to_thread(self._claim, name, self._name(), promise)
        if turn.asked_by_host and turn.wait > PATIENCE:
            until = (self._clock.now() + turn.wait).isoformat(timespec="seconds")
            raise NotRead(Answer.RATE_LIMITED, f"{name} asked to be left alone until {until}")
        door.next_at = self._clock.now() + turn.wait
        return turn.granted

    def _begun(self, door: _Door, crawl_delay: float | None) -> str:
        assert door.stay is not None
        if door.leaving is not None:
            door.leaving.cancel()
        door.stay.left -= 1
        door.turn, door.ends = self._name(), asyncio.get_running_loop().time() + self._longest
        door.gap = timedelta(seconds=max(self._delay * (1 + _JITTER * self._chance.random()), crawl_delay or 0.0))
        door.over.clear()
        return door.turn

    def _name(self) -> str:
        return f"{self._worker}/{next(self._numbers)}"

    def _depart(self, name: str, door: _Door) -> None:
        task = asyncio.create_task(self._departed(name, door))
        self._departing.add(task)
        task.add_done_callback(self._departing.discard)

    async def _departed(self, name: str, door: _Door) -> None:
        """Never raises: a lease that could not be given back ends by itself."""
        async with door.queue:
            if door.stay is not None and not door.turn:
                try:
                    await self._give_back(name, door, well=True)
                except Exception as error:
                    if not absences.noticed(error, "crawl"):
                        log.exception("a host could not be given back", host=name)

    async def _give_back(self, name: str, door: _Door, *, well: bool) -> None:
        stay, door.stay = door.stay, None
        assert stay is not None and door.next_at is not None
        await asyncio.to_thread(self._end, name, stay, door.next_at, well)

    # --- in the table ---------------------------------------------------------------------------------------------

    def _claim(self, name: str, lease: str, gap: timedelta) -> tuple[hosts.Turn, _Stay | None]:
        with self.state.begin(by_rows=True) as connection:
            now = self._clock.now()
            until = min(now + self._stay, hosts.hour(now) + timedelta(hours=1))
            turn = hosts.claim(connection, name, lease, now, until + self._hold, until + self._hold + gap)
            if not turn.granted:
                return turn, None
            left = TURNS if self._budget is None else hosts.spend(connection, name, now, self._budget, TURNS)
            return turn, _Stay(lease, now, until, gap, left)

    def _end(self, name: str, stay: _Stay, not_before: datetime, well: bool) -> None:
        with self.state.begin(by_rows=True) as connection:
            hosts.give_back(connection, name, stay.lease, not_before, well=well)
            if self._budget is not None and stay.left:
                hosts.unspend(connection, name, stay.since, stay.left)

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
