"""Incidents as people see and change them: list, look, acknowledge, resolve, note. Each change leaves its trace."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from pipeline.state import tables as t
from pipeline.state.database import State
from pipeline.words import IncidentState

WHO = "sturmwarte"
"""Who did what no person did."""


class UnknownIncident(LookupError):
    """There is no incident of that number."""


class IncidentClosed(ValueError):
    """The incident is resolved already; nothing can be done to it."""


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table ``incident``."""

    id: int
    brand: str
    topic: str
    state: IncidentState
    level: int
    peak: int
    trend: str
    started: datetime
    """First voice of the unusual criticism that led to the first alert."""
    opened: datetime
    """When it was detected."""
    updated: datetime
    below_since: datetime | None
    acknowledged: datetime | None
    acknowledged_by: str | None
    resolved: datetime | None
    resolved_by: str | None
    false_alarm: bool
    all_clear_owed: bool
    """Resolved by a person, and the receivers have not been told yet."""
    first_message_id: str | None
    """Message-ID of the first message about it to anybody: every later one refers to it."""
    transitions: int
    facts: Mapping[str, Any]

    @property
    def name(self) -> str:
        return incident_name(self.id)

    @property
    def is_open(self) -> bool:
        return self.state is not IncidentState.RESOLVED


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an incident's history."""

    id: int
    incident: int
    at: datetime
    kind: str
    """opened, up, down, update, keyword, all_clear, acknowledged, resolved, false_alarm, note, …"""
    by: str
    """Who; ``sturmwarte`` for what the watcher did."""
    text: str
    details: Mapping[str, Any]


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded evaluation: what was observed and expected, and why this level."""

    rule: str
    version: int
    brand: str
    at: datetime
    incident: int | None
    level: int
    facts: Mapping[str, Any]


def incident_name(number: int) -> str:
    """``R-0127``."""
    return f"R-{number:04d}"


def incident_number(name: str) -> int:
    """The number of ``R-0127``, ``r-127`` or ``127``. Raises UnknownIncident on anything else."""
    digits = name.strip().upper().removeprefix("R-")
    if not digits.isdecimal():
        raise UnknownIncident(name)
    return int(digits)


def of_row(row: sa.Row[Any]) -> Incident:
    """The struct of a table row."""
    return Incident(**{**row._mapping, "state": IncidentState(row.state)})


def list_incidents(conn: sa.Connection, *, open_only: bool = False, brand: str | None = None) -> list[Incident]:
    """Newest first."""
    query = sa.select(t.incident).order_by(t.incident.c.id.desc())
    if open_only:
        query = query.where(t.incident.c.state != IncidentState.RESOLVED)
    if brand is not None:
        query = query.where(t.incident.c.brand == brand)
    return [of_row(row) for row in conn.execute(query)]


def get_incident(conn: sa.Connection, number: int) -> Incident:
    """Raises UnknownIncident."""
    row = conn.execute(sa.select(t.incident).where(t.incident.c.id == number)).one_or_none()
    if row is None:
        raise UnknownIncident(incident_name(number))
    return of_row(row)


def open_incident(conn: sa.Connection, brand: str) -> Incident | None:
    """The oldest open one of a brand: an alert joins it while the brand alone is the key."""
    query = (
        sa.select(t.incident)
        .where(t.incident.c.brand == brand, t.incident.c.state != IncidentState.RESOLVED)
        .order_by(t.incident.c.id)
        .limit(1)
    )
    row = conn.execute(query).one_or_none()
    return None if row is None else of_row(row)


def events(conn: sa.Connection, number: int) -> list[Event]:
    """Oldest first."""
    query = sa.select(t.incident_event).where(t.incident_event.c.incident == number)
    return [Event(**row._mapping) for row in conn.execute(query.order_by(t.incident_event.c.at, t.incident_event.c.id))]


def members(conn: sa.Connection, number: int) -> frozenset[str]:
    """uids of the mentions that belong to it."""
    query = sa.select(t.incident_member.c.uid).where(t.incident_member.c.incident == number)
    return frozenset(conn.execute(query).scalars())


def incidents_of(conn: sa.Connection, uid: str) -> list[int]:
    """Numbers of the incidents a mention belongs to."""
    query = sa.select(t.incident_member.c.incident).where(t.incident_member.c.uid == uid)
    return sorted(conn.execute(query).scalars())


def evaluations(conn: sa.Connection, number: int, *, limit: int = 500) -> list[Evaluation]:
    """The recorded evaluations of an incident, newest first."""
    columns = [column for column in t.evaluation.c if column.name != "id"]
    query = sa.select(*columns).where(t.evaluation.c.incident == number)
    found = conn.execute(query.order_by(t.evaluation.c.at.desc(), t.evaluation.c.id.desc()).limit(limit))
    return [Evaluation(**row._mapping) for row in found]


def record(conn: sa.Connection, number: int, kind: str, by: str, text: str, now: datetime, **details: Any) -> None:
    """Write one line of history."""
    conn.execute(
        t.incident_event.insert().values(incident=number, at=now, kind=kind, by=by, text=text, details=details)
    )


def acknowledge(state: State, number: int, by: str, now: datetime) -> Incident:
    """Somebody takes it over. A second acknowledgement changes nothing. Raises UnknownIncident, IncidentClosed."""
    with state.begin() as conn:
        incident = _still_open(conn, number)
        if incident.acknowledged is None:
            changes = {"state": IncidentState.ACKNOWLEDGED, "acknowledged": now, "acknowledged_by": by}
            _change(conn, number, changes, "acknowledged", by, now)
        return get_incident(conn, number)


def resolve(state: State, number: int, by: str, now: datetime, false_alarm: bool = False) -> Incident:
    """Somebody declares it over. The watcher then tells those who had been told. Raises as ``acknowledge``."""
    with state.begin() as conn:
        _still_open(conn, number)
        changes = {
            "state": IncidentState.RESOLVED,
            "resolved": now,
            "resolved_by": by,
            "false_alarm": false_alarm,
            "all_clear_owed": True,
        }
        _change(conn, number, changes, "false_alarm" if false_alarm else "resolved", by, now)
        return get_incident(conn, number)


def note(state: State, number: int, by: str, text: str, now: datetime) -> None:
    """Add a person's words to the history, resolved or not. Raises UnknownIncident, ValueError for an empty note."""
    if not text.strip():
        raise ValueError("a note needs words")
    with state.begin() as conn:
        get_incident(conn, number)
        record(conn, number, "note", by, text.strip(), now)
        _audit(conn, number, "note", by, now)


def _still_open(conn: sa.Connection, number: int) -> Incident:
    incident = get_incident(conn, number)
    if not incident.is_open:
        raise IncidentClosed(f"{incident.name} is resolved")
    return incident


def _change(conn: sa.Connection, number: int, changes: Mapping[str, Any], kind: str, by: str, now: datetime) -> None:
    conn.execute(t.incident.update().where(t.incident.c.id == number).values(updated=now, **changes))
    record(conn, number, kind, by, "", now)
    _audit(conn, number, kind, by, now)


def _audit(conn: sa.Connection, number: int, kind: str, by: str, now: datetime) -> None:
    details = {"incident": incident_name(number)}
    conn.execute(t.audit.insert().values(at=now, who=by, what=f"incident.{kind}", details=details))
