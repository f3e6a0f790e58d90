"""Events: alerts, what happened to incidents, silences, holes, outages, another way of scoring."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from alerts.chronicle.places import EVERYTHING, Place, Stay, before, read, remember
from alerts.incidents import incident_name
from alerts.situation import UNWELL
from pipeline.i18n import Speech, UnknownPhrase
from pipeline.reasons import in_words
from pipeline.state import tables as t
from pipeline.state.database import State
from pipeline.store.side import Event, EventKind, Side
from pipeline.tone import ANALYSIS_VERSION
from pipeline.words import SourceState

OVERLAP = timedelta(minutes=30)
"""So late may a transaction come that bears an earlier time; what lies within is looked at again."""
HOLES = 200
"""Holes looked at again."""
LEVEL = frozenset({"opened", "up", "down", "all_clear"})
ACTION = frozenset({"acknowledged", "resolved", "false_alarm", "silenced"})


def write_events(state: State, side: Side, speech: Speech, now: datetime) -> int:
    """Write what is new or may have changed; returns how many rows were sent."""
    with state.read() as conn:
        place = read(conn, EVERYTHING, Place)
        since = before(place.events, OVERLAP)
        stays = _stays(conn)
        holes = conn.execute(sa.select(t.hole).where(t.hole.c.id > place.hole - HOLES).order_by(t.hole.c.id)).all()
        found = [
            *_alerts(conn, since, speech),
            *_histories(conn, since, speech),
            *_silences(conn, since),
            *(_hole(row, speech) for row in holes),
            *_source_events(place.stays, stays, now, speech),
            *([_model(now, speech)] if place.model != ANALYSIS_VERSION else []),
        ]
    sent = side.put(found, now)
    hole = max((row.id for row in holes), default=place.hole)
    remember(state, events=now, hole=hole, stays=stays, model=ANALYSIS_VERSION)
    return sent


def _alerts(conn: sa.Connection, since: datetime, speech: Speech) -> Iterator[Event]:
    for row in conn.execute(sa.select(t.alert).where(t.alert.c.at >= since).order_by(t.alert.c.at)):
        facts: Mapping[str, Any] = row.facts
        yield Event(
            at=row.at,
            kind=EventKind.ALERT,
            what="raised",
            text=_first_reason(facts.get("reasons", ()), speech),
            brand=row.brand,
            rule=row.rule,
            rule_version=row.version,
            incident=None if row.incident is None else incident_name(row.incident),
            window_start=_time(facts.get("window_start")),
            window_end=_time(facts.get("window_end")),
            observed=facts.get("observed"),
            expected=facts.get("expected"),
            low=facts.get("low"),
            high=facts.get("high"),
            return_period_days=facts.get("return_period_days"),
            identity=f"{row.rule} {row.stream} {row.key}",
        )


def _first_reason(reasons: Sequence[Sequence[Any]], speech: Speech) -> str:
    """In words; nothing where a rule that is no longer installed gave it."""
    for key, numbers in reasons:
        return _phrase(str(key), numbers, speech)
    return ""


def _histories(conn: sa.Connection, since: datetime, speech: Speech) -> Iterator[Event]:
    """What happened to incidents."""
    table = t.incident_event
    query = (
        sa.select(table, t.incident.c.brand)
        .join(t.incident, t.incident.c.id == table.c.incident)
        .where(table.c.at >= since)
        .order_by(table.c.at, table.c.id)
    )
    for row in conn.execute(query):
        ended = row.kind in ("resolved", "false_alarm")
        yield Event(
            at=row.at,
            kind=_kind(row.kind),
            what=row.kind,
            text=row.text or _phrase(f"rules.event.{row.kind}", row.details, speech),
            brand=row.brand,
            incident=incident_name(row.incident),
            level=0 if ended else row.details.get("level"),
            previous=row.details.get("previous"),
            persons=row.details.get("persons"),
            by=row.by,
            identity=f"{row.incident} {row.kind} {row.at.isoformat()} {row.by}",
        )


def _kind(kind: str) -> EventKind:
    if kind in LEVEL:
        return EventKind.LEVEL
    if kind in ACTION:
        return EventKind.ACTION
    return EventKind.NOTE if kind == "note" else EventKind.INCIDENT


def _silences(conn: sa.Connection, since: datetime) -> Iterator[Event]:
    """Those begun or ended since; the end of one in force may still change."""
    table = t.silence
    query = sa.select(table).where(sa.or_(table.c.created >= since, table.c.ends >= since)).order_by(table.c.id)
    for row in conn.execute(query):
        yield Event(
            at=row.created,
            end=row.ends,
            kind=EventKind.SILENCE,
            what="silenced",
            text=row.reason,
            brand=row.brand,
            rule=row.rule,
            incident=None if row.incident is None else incident_name(row.incident),
            by=row.by,
            identity=f"{row.id} {row.created.isoformat()}",
        )


def _hole(row: sa.Row[Any], speech: Speech) -> Event:
    return Event(
        at=row.start,
        end=row.end,
        kind=EventKind.HOLE,
        what="hole",
        text=in_words(row.reason, speech),
        source=row.source,
        identity=f"{row.source} {row.start.isoformat()} {row.end.isoformat()}",
    )


def _model(now: datetime, speech: Speech) -> Event:
    return Event(
        at=now,
        kind=EventKind.MODEL,
        what=f"version {ANALYSIS_VERSION}",
        text=speech.say("events.model", version=ANALYSIS_VERSION),
        identity=f"tone {ANALYSIS_VERSION}",
    )


def _stays(conn: sa.Connection) -> dict[str, Stay]:
    """Sources that are not as they should be, or still learn."""
    told = [*UNWELL, SourceState.LEARNING]
    rows = conn.execute(sa.select(t.source).where(t.source.c.state.in_([str(state) for state in told])))
    return {row.id: Stay(state=SourceState(row.state), since=row.state_since, reason=row.reason) for row in rows}


def _source_events(
    before: Mapping[str, Stay], present: Mapping[str, Stay], now: datetime, speech: Speech
) -> Iterator[Event]:
    """Those that last, and the end of those that no longer do: the begin of what came after, where that is told."""
    for source, stay in present.items():
        yield _stay(source, stay, None, speech)
    for source, stay in before.items():
        follower = present.get(source)
        if follower is None:
            yield _stay(source, stay, now, speech)
        elif follower.since != stay.since:
            yield _stay(source, stay, follower.since, speech)


def _stay(source: str, stay: Stay, end: datetime | None, speech: Speech) -> Event:
    reason = in_words(stay.reason, speech)
    return Event(
        at=stay.since,
        end=end,
        kind=EventKind.LEARNING if stay.state is SourceState.LEARNING else EventKind.OUTAGE,
        what=str(stay.state),
        text=": ".join(part for part in (speech.say(f"state.{stay.state}"), reason) if part),
        source=source,
        identity=f"{source} {stay.since.isoformat()}",
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _phrase(key: str, values: Mapping[str, Any], speech: Speech) -> str:
    try:
        return speech.say(key, **values)
    except (UnknownPhrase, KeyError):
        return ""
