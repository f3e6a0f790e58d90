"""The sources: what the configuration asks for, how each stands, and how that changes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from pipeline.configuration import Configuration, Source
from pipeline.state.tables import fetch, hole, revisit, source, thread_cursor
from pipeline.words import Answer, Channel, SourceState

LEARNING = timedelta(days=7)
"""A source whose complete span is shorter than this is still learning."""
PATIENCE = 3
"""Visits in a row that may fail for a passing reason before a source counts as blind."""
PAUSED_BY_CONFIGURATION = "paused in the configuration"
NO_CONTACT = "no contact address in the configuration: nothing is crawled"
_LASTING = frozenset({Answer.GATED, Answer.CHALLENGE, Answer.LAYOUT_CHANGED})
_RESTING = (SourceState.PAUSED, SourceState.RETIRED)

Defaults = Mapping[str, tuple[Channel, timedelta]]
"""Spider name → its channel and interval."""


class Hole(msgspec.Struct, frozen=True, kw_only=True):
    """A span of event time that was never read and cannot be."""

    start: datetime
    end: datetime
    reason: str


class SourceRow(msgspec.Struct, frozen=True, kw_only=True):
    """One source as the state database knows it."""

    id: str
    spider: str
    url: str
    channel: Channel
    about: str | None
    state: SourceState
    reason: str
    state_since: datetime
    complete_from: datetime | None
    watermark: datetime | None
    first_contact_at: datetime | None
    last_start: datetime | None
    last_end: datetime | None
    last_ok: datetime | None
    last_answer: Answer | None
    next_due: datetime
    interval: timedelta
    failures: int
    items_seen: int
    cursor: dict[str, Any]
    worker: str | None
    leased_until: datetime | None
    pace: timedelta | None = None
    """The interval as adapted to how much is posted; None: not adapted."""
    hot_until: datetime | None = None
    """Event mode: until then it is visited every ``hot``."""
    hot: timedelta | None = None
    newest_at: datetime | None = None
    """Event time of the newest thing it ever gave."""
    gap: timedelta | None = None
    """Usual time between two things it gives, smoothed."""
    holes: tuple[Hole, ...] = ()

    @property
    def resting(self) -> bool:
        """Whether it is not visited on purpose."""
        return self.state in _RESTING

    @property
    def overdue_after(self) -> datetime:
        """When a source that has not ended a visit well counts as late."""
        return (self.last_ok or self.state_since) + grace(self.in_force)

    @property
    def in_force(self) -> timedelta:
        """The interval that holds; event mode apart, for that is a wish for a while, not a promise."""
        return self.pace or self.interval

    def every(self, now: datetime) -> timedelta:
        """How often it is visited at this time."""
        hot = self.hot if self.hot_until is not None and now < self.hot_until else None
        return min(hot, self.in_force) if hot else self.in_force


class FetchRow(msgspec.Struct, frozen=True, kw_only=True):
    """One request of the past."""

    source: str
    at: datetime
    url: str
    answer: Answer
    status: int | None
    bytes: int | None
    ms: int | None
    items: int | None
    reason: str
    sha256: str | None


def grace(interval: timedelta) -> timedelta:
    """How long after its last good visit a source is late: two intervals and a little."""
    return 2 * interval + timedelta(minutes=2)


# --- reading --------------------------------------------------------------------------------------------------


def list_sources(conn: sa.Connection, names: Collection[str] | None = None, *, lock: bool = False) -> list[SourceRow]:
    """All sources, retired ones included, or those of these names; by id. ``lock``: nobody else may change them."""
    every, spans = sa.select(source).order_by(source.c.id), sa.select(hole).order_by(hole.c.start)
    if names is not None:
        every, spans = every.where(source.c.id.in_(names)), spans.where(hole.c.source.in_(names))
    rows = conn.execute(every.with_for_update() if lock else every).all()
    holes: dict[str, list[Hole]] = {}
    for row in conn.execute(spans):
        holes.setdefault(row.source, []).append(Hole(start=row.start, end=row.end, reason=row.reason))
    return [_source_row(row, holes.get(row.id, [])) for row in rows]


def get_source(conn: sa.Connection, source_id: str, *, lock: bool = False) -> SourceRow | None:
    """One source, or None. With ``lock`` nobody else may change it before the transaction ends."""
    wanted = sa.select(source).where(source.c.id == source_id)
    row = conn.execute(wanted.with_for_update() if lock else wanted).one_or_none()
    if row is None:
        return None
    holes = conn.execute(sa.select(hole).where(hole.c.source == source_id).order_by(hole.c.start))
    return _source_row(row, [Hole(start=h.start, end=h.end, reason=h.reason) for h in holes])


def _source_row(row: sa.Row[Any], holes: list[Hole]) -> SourceRow:
    values = dict(row._mapping)
    values["interval"] = timedelta(seconds=values.pop("interval_s"))
    for name in ("pace", "hot", "gap"):
        seconds = values.pop(f"{name}_s")
        values[name] = None if seconds is None else timedelta(seconds=seconds)
    values["channel"], values["state"] = Channel(values["channel"]), SourceState(values["state"])
    values["last_answer"] = Answer(values["last_answer"]) if values["last_answer"] else None
    return SourceRow(**values, holes=tuple(holes))


def recent_fetches(conn: sa.Connection, source_id: str, limit: int = 50) -> list[FetchRow]:
    """The newest requests of a source, newest first."""
    wanted = sa.select(fetch).where(fetch.c.source == source_id).order_by(fetch.c.at.desc(), fetch.c.id.desc())
    rows = [dict(row._mapping) for row in conn.execute(wanted.limit(limit))]
    return [_fetch_row(row) for row in rows]


def _fetch_row(row: dict[str, Any]) -> FetchRow:
    del row["id"]
    return FetchRow(**row | {"answer": Answer(row["answer"])})


# --- following the configuration ------------------------------------------------------------------------------


def sync(conn: sa.Connection, configuration: Configuration, defaults: Defaults, now: datetime) -> None:
    """Bring the table in line with the configuration: new sources are due at once, removed ones retire.

    A source that moved to another address or spider starts anew; its watermark and holes stay. Nothing is written of
    one that stays as it is: each crawler does this when it starts, and the others' visits wait for it.
    """
    known = {row.id: row for row in list_sources(conn, lock=True)}
    wanted = {
        source_id: _wanted(entry, defaults, known.get(source_id)) for source_id, entry in configuration.sources.items()
    }
    fresh = [
        {"id": source_id, **_fresh(now), **values} for source_id, values in wanted.items() if source_id not in known
    ]
    if fresh:
        conn.execute(sa.insert(source), fresh)
    for source_id, entry in configuration.sources.items():
        row = known.get(source_id)
        if row is not None and _differs(row, wanted[source_id]):
            _change(conn, row, wanted[source_id], now)
        rest = _rest(entry, bool(configuration.contact))
        if _is_to_rest_or_resume(row, rest):
            _rest_or_resume(conn, source_id, rest, now)
    for row in known.values():
        removed = (SourceState.RETIRED, "removed from the configuration")
        if row.id not in configuration.sources and (row.state, row.reason) != removed:
            _set_state(conn, row, *removed, now)


def _wanted(entry: Source, defaults: Defaults, row: SourceRow | None) -> dict[str, Any]:
    """What its row is to say. Channel and interval of a kind that is gone stay as they were."""
    gone = (row.channel, row.interval) if row is not None else (Channel.FORUM, timedelta(minutes=10))
    channel, interval = defaults.get(entry.spider, gone)
    return {
        "spider": entry.spider,
        "url": entry.url,
        "channel": (entry.channel or channel).value,
        "about": entry.about,
        "interval_s": (entry.interval or interval).total_seconds(),
    } | ({"pace_s": None} if entry.interval else {})


def _fresh(now: datetime) -> dict[str, Any]:
    begun = {"state": SourceState.LEARNING.value, "state_since": now, "next_due": now, "cursor": {}}
    return begun | {"pace_s": None}  # rows of one statement have the same columns


def _differs(row: SourceRow, wanted: dict[str, Any]) -> bool:
    present = (row.spider, row.url, row.channel.value, row.about, row.interval.total_seconds())
    moved = present != tuple(wanted[name] for name in ("spider", "url", "channel", "about", "interval_s"))
    return moved or ("pace_s" in wanted and row.pace is not None)


def _is_to_rest_or_resume(row: SourceRow | None, rest: tuple[SourceState, str] | None) -> bool:
    if rest is not None:
        return row is None or (row.state, row.reason) != rest
    return row is not None and _resumes(row)


def _resumes(row: SourceRow) -> bool:
    """Whether it rests for a reason that the configuration no longer gives."""
    return row.state is SourceState.RETIRED or row.reason in (PAUSED_BY_CONFIGURATION, NO_CONTACT)


def _change(conn: sa.Connection, row: SourceRow, wanted: dict[str, Any], now: datetime) -> None:
    values = dict(wanted)
    if (row.spider, row.url) != (wanted["spider"], wanted["url"]):
        values |= {"cursor": {}, "first_contact_at": None, "complete_from": None, "items_seen": 0}
        values |= {"failures": 0, "next_due": now, "pace_s": None, "gap_s": None, "newest_at": None}
        for table in (thread_cursor, revisit):
            conn.execute(sa.delete(table).where(table.c.source == row.id))
    elif row.in_force.total_seconds() > wanted["interval_s"]:
        values["next_due"] = min(row.next_due, now + timedelta(seconds=wanted["interval_s"]))
    conn.execute(sa.update(source).where(source.c.id == row.id).values(**values))


def _rest(entry: Source, contact: bool) -> tuple[SourceState, str] | None:
    if entry.retired:
        return SourceState.RETIRED, "retired in the configuration"
    if entry.paused:
        return SourceState.PAUSED, PAUSED_BY_CONFIGURATION
    return None if contact else (SourceState.PAUSED, NO_CONTACT)


def _rest_or_resume(conn: sa.Connection, source_id: str, rest: tuple[SourceState, str] | None, now: datetime) -> None:
    row = get_source(conn, source_id)
    assert row is not None
    if rest is not None:
        _set_state(conn, row, *rest, now)
    elif _resumes(row):
        _resume(conn, row, now)


def _resume(conn: sa.Connection, row: SourceRow, now: datetime) -> None:
    _set_state(conn, row, awake(row.complete_from, row.watermark), "", now)
    make_due(conn, row.id, now)


def _set_state(conn: sa.Connection, row: SourceRow, state: SourceState, reason: str, now: datetime) -> None:
    since = row.state_since if row.state is state else now
    changed = sa.update(source).where(source.c.id == row.id)
    conn.execute(changed.values(state=state.value, reason=reason, state_since=since))


# --- what people do -------------------------------------------------------------------------------------------


def set_paused(conn: sa.Connection, source_id: str, paused: bool, now: datetime, *, by: str = "a person") -> bool:
    """Pause or resume by hand; False where there is no such source or it is retired."""
    row = get_source(conn, source_id, lock=True)
    if row is None or row.state is SourceState.RETIRED:
        return False
    if paused:
        _set_state(conn, row, SourceState.PAUSED, f"paused by {by}", now)
    elif row.state is SourceState.PAUSED:
        _resume(conn, row, now)
    return True


def make_due(conn: sa.Connection, source_id: str, now: datetime) -> bool:
    """Have a source visited next; False where there is no such source."""
    done = conn.execute(sa.update(source).where(source.c.id == source_id).values(next_due=now))
    return bool(done.rowcount)


def set_hot(conn: sa.Connection, source_id: str, every: timedelta | None, until: datetime | None) -> bool:
    """Event mode: visit a source so often until then, beginning at once; None ends it. False: no such source."""
    soon = sa.func.coalesce(source.c.last_end, source.c.state_since)
    values: dict[str, Any] = {"hot_s": every.total_seconds() if every else None, "hot_until": until}
    if every is not None:
        values["next_due"] = sa.case((source.c.next_due < soon, source.c.next_due), else_=soon)
    return bool(conn.execute(sa.update(source).where(source.c.id == source_id).values(**values)).rowcount)


# --- states ---------------------------------------------------------------------------------------------------


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a visit ended, as far as the state depends on it."""

    complete: bool
    behind: bool = False
    answer: Answer = Answer.OK
    """The answer that kept it from being complete."""
    reason: str = ""
    lists_read: bool = True
    """False where nothing beyond the lists, or not even these, could be read."""
    silent: str = ""
    """Everything was read, and yet nothing has come for so long that this is why it is looked at."""


def awake(complete_from: datetime | None, watermark: datetime | None) -> SourceState:
    """Healthy where the complete span is long enough to know what is usual, else learning."""
    if complete_from is None or watermark is None:
        return SourceState.LEARNING
    return SourceState.HEALTHY if watermark - complete_from >= LEARNING else SourceState.LEARNING


def next_state(
    current: SourceState,
    reason: str,
    outcome: Outcome,
    *,
    failures: int,
    complete_from: datetime | None,
    watermark: datetime | None,
    has_watermark: bool = True,
) -> tuple[SourceState, str]:
    """State and reason after a visit. ``failures`` counts this visit; a paused or retired source stays so.

    A wall, a challenge or a changed layout blinds at once; what may pass (errors, being asked to slow down) blinds
    at the third time in a row, and leaves the state as it is until then.
    """
    if current in _RESTING:
        return current, reason
    if outcome.behind:
        return SourceState.BEHIND, outcome.reason or "more new entries than one visit may read"
    if outcome.complete and outcome.silent:
        return SourceState.LATE, outcome.silent
    if outcome.complete:
        return (awake(complete_from, watermark) if has_watermark else SourceState.HEALTHY), ""
    if outcome.lists_read:
        return SourceState.BEHIND, outcome.reason
    if outcome.answer in _LASTING or failures >= PATIENCE:
        return SourceState.BLIND, outcome.reason
    return current, reason or outcome.reason


def note_trouble(conn: sa.Connection, source_id: str, reason: str) -> SourceState:
    """Write down why a visit came to nothing, where it was no fault of the source; returns its state, unchanged."""
    conn.execute(
        sa.update(source).where(source.c.id == source_id).values(reason=reason, last_answer=Answer.ERROR.value)
    )
    return SourceState(conn.execute(sa.select(source.c.state).where(source.c.id == source_id)).scalar_one())


def mark_late(conn: sa.Connection, now: datetime) -> list[str]:
    """Learning and healthy sources without a good visit for two intervals are late; returns which became so."""
    # the same as ``overdue_after``, asked of the database: ten thousand sources are looked at every second
    spent = sa.type_coerce(sa.func.coalesce(source.c.last_ok, source.c.state_since), sa.BigInteger)
    interval = sa.func.coalesce(source.c.pace_s, source.c.interval_s)
    patience = 2_000_000 * interval + grace(timedelta(0)) / timedelta(microseconds=1)
    overdue = sa.type_coerce(spent + patience, sa.Float) < round(now.timestamp() * 1_000_000)
    suspects = sa.select(source.c.id).where(source.c.state.in_([SourceState.LEARNING, SourceState.HEALTHY]), overdue)
    late = []
    names = conn.scalars(suspects.order_by(source.c.id).with_for_update(skip_locked=True)).all()
    for row in list_sources(conn, names):
        if row.overdue_after < now:
            _set_state(conn, row, SourceState.LATE, row.reason or "no complete visit for two intervals", now)
            late.append(row.id)
    return late
