"""The books of the crawl: what a visit starts from, and what of it is written down when its findings are durable.

Order of writes: mention, then cursor, then watermark. A death in between repeats reading and loses nothing.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.dialects import postgresql, sqlite

from crawlers import following, hosts, raw
from crawlers.fetches import Fetch, Lost
from crawlers.following import Followed, Revisit
from crawlers.scheduling import host_of, next_visit
from crawlers.validators import Validators
from crawlers.visit import Job, ThreadMark, Visit
from pipeline import pace
from pipeline.clock import Clock
from pipeline.configuration import Configuration
from pipeline.state import blocking
from pipeline.state.database import State
from pipeline.state.sources import Outcome, SourceRow, get_source, next_state
from pipeline.state.tables import fetch, hole, quota, source, thread, thread_cursor
from pipeline.words import Answer, SourceState

_SOON = timedelta(minutes=1)
"""Doubled with each failure: when a source is read again whose findings we could not keep."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the pace of a source depends on besides what it gives."""

    zone: ZoneInfo
    neighbours: int = 1
    """How many sources are read at its host, itself included."""
    budget: int | None = None
    """Requests the host gets within an hour."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A visit that has ended, for whatever reason."""

    row: SourceRow
    """The source as it stood when it was claimed."""
    started: datetime
    visit: Visit
    lost: Sequence[Lost] = ()
    unfed: str = ""
    """Why findings are not durable; nothing is applied then."""
    stopped: bool = False
    """Ended because the service stops: no failure of the source."""
    fetches: Sequence[Fetch] = ()
    pages: Mapping[str, tuple[str, int]] | None = None
    """Raw pages kept: SHA-256 → (URL, bytes)."""
    validators: Validators | None = None
    not_before: datetime | None = None
    """Until when the host asked to be left alone."""
    mentions: Mapping[str, bool] | None = None
    """uid → by an own account, of what became mentions; None where the store cannot say: all may be."""
    terms: Terms | None = None
    """What its pace is made from; None: it does not adapt."""

    @property
    def waits(self) -> bool:
        """Nothing failed: what is left waits for the host's next hour."""
        return bool(self.lost) and all(lost.waits for lost in self.lost)

    @property
    def complete(self) -> bool:
        """Everything was read and is durable."""
        return self.visit.complete and not self.visit.behind and not (self.lost or self.unfed or self.stopped)

    @property
    def reached(self) -> datetime | None:
        """The event time up to which the source is complete now; None where this visit does not tell."""
        if not self.visit.has_watermark or self.lost or self.unfed or self.stopped:
            return None
        if self.complete:
            return self.visit.reached or self.started
        return self.visit.reached if self.visit.behind else None

    @property
    def outcome(self) -> Outcome:
        """What the state of the source depends on."""
        first = self.lost[0] if self.lost else None
        reason = self.unfed or (f"{first.reason} ({first.url})" if first else self.visit.reason)
        if len(self.lost) > 1:
            reason += f" and {len(self.lost) - 1} more"
        answer = first.answer if first else Answer.OK if not self.unfed else Answer.ERROR
        behind = self.visit.behind and not self.unfed
        partly = self._partly_read
        silent = silence(self.row, self.started) if self.complete and not self.visit.times else ""
        return Outcome(
            complete=self.complete, behind=behind, answer=answer, reason=reason, lists_read=partly, silent=silent
        )

    @property
    def _partly_read(self) -> bool:
        """The lists were read and something beyond them, too: what is missing is single pages."""
        list_lost = any(lost.url == self.row.url for lost in self.lost)
        return self.visit.complete and not (self.unfed or list_lost) and bool(self.visit.threads or self.visit.items)


class VisitReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a visit ended."""

    source: str
    state: SourceState
    complete: bool
    items: int
    fetches: int
    answer: Answer
    reason: str = ""
    watermark: datetime | None = None
    """The event time the source is complete to after this visit, once all of it is in the store."""
    applied: bool = True
    """False where the findings were not durable or somebody else has the source now."""
    seconds: float = 0.0


_TOGETHER = 500


class Marks:
    """How far the threads of a source had been read when a visit began."""

    def __init__(self, state: State, source_id: str) -> None:
        self._state, self._source = state, source_id
        self._known: dict[str, ThreadMark | None] = {}

    def of(self, name: str) -> ThreadMark | None:
        """Of one thread; None where it has not been read."""
        if name not in self._known:
            self.look_ahead([name])
        return self._known[name]

    def look_ahead(self, names: Sequence[str]) -> None:
        """Look these up together."""
        self._known |= dict.fromkeys(names)
        with self._state.read() as connection:
            for first in range(0, len(names), _TOGETHER):
                some = thread_cursor.c.thread.in_(names[first : first + _TOGETHER])
                wanted = sa.select(thread_cursor).where(thread_cursor.c.source == self._source, some)
                for row in connection.execute(wanted).mappings():
                    mark = ThreadMark(row["last_item"], row["last_time"], row["count"], row["extra"])
                    self._known[row["thread"]] = mark


class Ledger:
    """The books in the state database."""

    def __init__(self, state: State, clock: Clock, chance: random.Random) -> None:
        self._state, self._clock, self._chance = state, clock, chance

    def job(self, row: SourceRow, configuration: Configuration, options: BaseModel) -> Job:
        """What a visit to a source starts from."""
        entry, now = configuration.sources[row.id], self._clock.now()
        zone = entry.zone or configuration.zone
        first_contact, marks = row.first_contact_at is None, Marks(self._state, row.id)
        return Job(
            source=row.id,
            url=row.url,
            channel=row.channel,
            options=options,
            zone=configuration.model_copy(update={"zone": zone}).timezone,
            started=now,
            first_contact=first_contact,
            backfill_from=now - entry.backfill,
            watermark=None if first_contact else row.watermark,
            cursor=row.cursor,
            thread_mark=marks.of,
            look_ahead=marks.look_ahead,
            thread_known=self.thread_known,
            max_pages=configuration.crawl.max_pages,
            now=self._clock.now,
            quota_used=self.quota_used,
            js=entry.js,
            brands=configuration.brands,
            items_seen=row.items_seen,
            revisits=() if first_contact else self._revisits(row, configuration.crawl.hourly, now),
        )

    def _revisits(self, row: SourceRow, budget: int | None, now: datetime) -> tuple[Revisit, ...]:
        """The pages to look at again, as long as their host has more than half of its budget left for what is new."""
        with self._state.read() as connection:
            if budget is not None and 2 * hosts.spent(connection, host_of(row.url), now) > budget:
                return ()
            return following.due(connection, row.id, now)

    def quota_used(self, name: str, start: datetime) -> int:
        """Units of a quota that were spent since the start of its period."""
        wanted = sa.and_(quota.c.name == name, quota.c.start == start)
        with self._state.read() as connection:
            return int(connection.scalar(sa.select(quota.c.used).where(wanted)) or 0)

    def thread_known(self, origin: str, native: str) -> bool:
        """Whether title and opening post of a thread have been read."""
        wanted = sa.and_(thread.c.origin == origin, thread.c.thread == native)
        with self._state.read() as connection:
            return bool(connection.scalar(sa.select(thread.c.opening_read).where(wanted)))

    def apply(self, finished: Finished, worker: str) -> tuple[SourceRow, bool]:
        """Write a visit down, in one transaction: all but the watermark. Returns the row and whether it was ours.

        Where the findings are not durable, only the failure is written; thread marks, cursor, validators and
        ``complete_from`` stay as they were. Where somebody else has the source by now, nothing is written.
        """
        with self._state.begin(by_rows=True) as connection:
            row = get_source(connection, finished.row.id, lock=True)
            assert row is not None
            if row.worker != worker:
                return row, False
            now = self._clock.now()
            self._write_log(connection, finished, now)
            _spend(connection, finished.visit)
            values = self._values(finished, row, now)
            if not finished.unfed and _same_place(row, finished.row):
                self._write_marks(connection, finished, now)
                self._write_follow_ups(connection, finished, now)
                values |= _progress(finished, row)
            connection.execute(sa.update(source).where(source.c.id == row.id).values(**values))
            changed = get_source(connection, row.id)
            assert changed is not None
            return changed, True

    def _values(self, finished: Finished, row: SourceRow, now: datetime) -> dict[str, Any]:
        """Schedule, state and health."""
        values: dict[str, Any] = {"worker": None, "leased_until": None}
        if finished.stopped or not _same_place(row, finished.row):
            return values
        outcome = finished.outcome
        failures = 0 if finished.complete or outcome.behind else row.failures + (not finished.waits)
        values |= _paced(finished, row, now)
        every = msgspec.structs.replace(row, pace=_span(values.get("pace_s", row.pace))).every(now)
        interval = min(every, _SOON) if finished.unfed else every  # no fault of the source
        due = next_visit(finished.started, now, interval, self._chance, failures=failures, behind=outcome.behind)
        if finished.waits:
            due = hosts.hour(now) + timedelta(hours=1)
        state, reason = self._next_state(finished, row, failures)
        reason = (outcome.reason if finished.waits else reason) or finished.visit.notice
        values |= {
            "state": state.value,
            "reason": reason,
            "state_since": row.state_since if state is row.state else now,
            "failures": failures,
            "last_start": finished.started,
            "last_end": now,
            "last_answer": _last_answer(finished).value,
            "next_due": max(due, finished.not_before or due),
        }
        if finished.complete:
            values["last_ok"] = now
        return values

    @staticmethod
    def _next_state(finished: Finished, row: SourceRow, failures: int) -> tuple[SourceState, str]:
        return next_state(
            row.state,
            row.reason,
            finished.outcome,
            failures=failures,
            complete_from=_complete_from(finished, row),
            watermark=finished.reached or row.watermark,
            has_watermark=finished.visit.has_watermark,
        )

    def _write_follow_ups(self, connection: sa.Connection, finished: Finished, now: datetime) -> None:
        """Which pages are looked at again: those with mentions, for they alone are kept."""
        visit, name = finished.visit, finished.row.id
        fresh: dict[str, dict[str, Followed]] = {}
        for uid, (page, thing) in visit.gave.items():
            if finished.mentions is None or uid in finished.mentions:
                own = bool(finished.mentions and finished.mentions[uid])
                fresh.setdefault(page, {})[uid] = msgspec.structs.replace(thing, own=own)
        for url, seen in visit.looked.items():
            left = {item.uid: item for item in seen.items if item.uid not in visit.vanished}
            following.advance(connection, name, seen, left | fresh.pop(url, {}), now)
        for url in visit.unreadable:
            following.later(connection, name, url, now)
        for url, things in fresh.items():
            following.note(connection, name, url, things, now, self._chance)
        for thing in visit.vanished.values():
            if thing.own:
                following.removed(connection, name, thing, now)

    @staticmethod
    def _write_log(connection: sa.Connection, finished: Finished, now: datetime) -> None:
        rows = [
            {
                "source": finished.row.id,
                "at": one.at,
                "url": one.url,
                "answer": one.answer.value,
                "status": one.status,
                "bytes": one.bytes,
                "ms": one.ms,
                "items": one.items,
                "reason": one.reason,
                "sha256": one.sha256,
            }
            for one in finished.fetches
        ]
        if rows:
            connection.execute(sa.insert(fetch), rows)
        refused = Counter(one.rule for one in finished.fetches if one.rule) + finished.visit.refused
        blocking.count(connection, refused, now)
        raw.note(connection, finished.row.id, finished.pages or {}, now)

    @staticmethod
    def _write_marks(connection: sa.Connection, finished: Finished, now: datetime) -> None:
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        for name, mark in finished.visit.threads.items():
            values: dict[str, Any] = {"last_item": mark.last_item, "last_time": mark.last_time, "count": mark.count}
            values |= {"seen": now, "extra": dict(mark.extra)}
            statement = dialect.insert(thread_cursor).values(source=finished.row.id, thread=name, **values)
            connection.execute(statement.on_conflict_do_update(index_elements=["source", "thread"], set_=values))
        for start, end, reason in finished.visit.holes:
            _note_hole(connection, finished.row.id, start, end, reason)
        if finished.validators is not None and finished.complete:
            finished.validators.remember(connection, now)


def _span(value: float | timedelta | None) -> timedelta | None:
    return timedelta(seconds=value) if isinstance(value, int | float) else value


def _paced(finished: Finished, row: SourceRow, now: datetime) -> dict[str, Any]:
    """How often it gives something, and the pace that follows. Only what was read to its end tells."""
    visit = finished.visit
    if not finished.complete:
        return {}
    gap = pace.smoothed(row.gap, row.newest_at, visit.times)
    newest = max([at for at in (row.newest_at, *visit.times) if at is not None], default=None)
    values: dict[str, Any] = {"gap_s": None if gap is None else gap.total_seconds(), "newest_at": newest}
    terms = finished.terms
    if terms is not None and row.interval >= pace.SHORTEST:  # what listens comes back at once, whatever is said
        floor = pace.floor_of(len(finished.fetches), terms.neighbours, terms.budget)
        if visit.quota is not None or not visit.has_watermark:  # what is asked for costs, or is no stream of posts
            floor = max(floor, row.interval)
        quiet, night = now - (newest or now), pace.is_night(now, terms.zone)
        every = pace.pace(gap, row.interval, quiet=max(quiet, timedelta(0)), night=night, floor=floor)
        values["pace_s"] = every.total_seconds()
    return values


def silence(row: SourceRow, now: datetime) -> str:
    """Why a source that can be read must be looked at all the same; empty where nothing is odd."""
    usual = pace.expected(row.gap, row.complete_from, row.newest_at, row.items_seen)
    if usual is None or row.newest_at is None or not pace.is_silent(usual, now - row.newest_at):
        return ""
    quiet = pace.roughly(now - row.newest_at)
    return f"nothing new for {quiet} where something comes every {pace.roughly(usual)}: is it still alive?"


def _same_place(row: SourceRow, claimed: SourceRow) -> bool:
    """Whether the source is still what was visited: the configuration may have moved it meanwhile."""
    return (row.spider, row.url) == (claimed.spider, claimed.url)


def _progress(finished: Finished, row: SourceRow) -> dict[str, Any]:
    """Cursor and first contact. The cursor moves when everything was read, or when the spider says it may."""
    visit = finished.visit
    values: dict[str, Any] = {"items_seen": row.items_seen + visit.items}
    if finished.complete or visit.keep_cursor:
        values["cursor"] = visit.cursor
    if row.first_contact_at is None:
        values["complete_from"] = _complete_from(finished, row)
        if finished.complete:
            values["first_contact_at"] = finished.started
    return values


def _complete_from(finished: Finished, row: SourceRow) -> datetime | None:
    """Set at first contact, however many visits that takes: the earliest time any of them reached."""
    if row.first_contact_at is not None or not finished.visit.has_watermark:
        return row.complete_from
    reached = [at for at in (row.complete_from, finished.visit.complete_from) if at is not None]
    return min(reached) if reached else finished.started if finished.complete else None


def _spend(connection: sa.Connection, visit: Visit) -> None:
    """Add what a visit cost to its quota, whatever became of the visit."""
    if visit.quota is None or not visit.spent:
        return
    name, start, limit = visit.quota
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    spent = dialect.insert(quota).values(name=name, start=start, used=visit.spent, limit=limit)
    added = {"used": quota.c.used + visit.spent, "limit": limit}
    connection.execute(spent.on_conflict_do_update(index_elements=["name", "start"], set_=added))


def _last_answer(finished: Finished) -> Answer:
    if finished.lost:
        return finished.lost[0].answer
    return finished.visit.answers[-1] if finished.visit.answers else Answer.ERROR


def _note_hole(connection: sa.Connection, name: str, start: datetime, end: datetime, reason: str) -> None:
    """Holes that touch are one."""
    if end <= start:
        return
    touching = sa.and_(hole.c.source == name, hole.c.start <= end, hole.c.end >= start, hole.c.reason == reason)
    for old in connection.execute(sa.select(hole).where(touching)).all():
        start, end = min(start, old.start), max(end, old.end)
    connection.execute(sa.delete(hole).where(touching))
    connection.execute(sa.insert(hole).values(source=name, start=start, end=end, reason=reason))
