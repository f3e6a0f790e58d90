"""Silences: who is not to be told for a while, why, and until when. They hold messages back, never evaluations."""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa

from alerts.message import Occasion
from pipeline.state import tables as t
from pipeline.state.database import State

BREAKS_AT = 5
"""From this level on no silence holds."""


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table ``silence``. What is None matches everything."""

    id: int
    brand: str | None
    rule: str | None
    incident: int | None
    by: str
    reason: str
    created: datetime
    ends: datetime

    def covers(self, occasion: Occasion) -> bool:
        """Whether it holds this occasion back. Word of a blind source is never silenced."""
        if occasion.brand is None or (occasion.level or 0) >= BREAKS_AT:
            return False
        wanted = ((self.brand, occasion.brand), (self.rule, occasion.rule), (self.incident, occasion.incident))
        return all(want is None or want == have for want, have in wanted)


def add(
    state: State,
    *,
    by: str,
    reason: str,
    ends: datetime,
    now: datetime,
    brand: str | None = None,
    rule: str | None = None,
    incident: int | None = None,
) -> int:
    """Begin a silence; returns its id. Raises ValueError without a person, a reason or an end that lies ahead."""
    if not by.strip() or not reason.strip():
        raise ValueError("a silence needs a person and a reason")
    if ends <= now:
        raise ValueError("a silence must end in the future")
    with state.begin() as conn:
        row = {"brand": brand, "rule": rule, "incident": incident, "by": by, "reason": reason}
        made = conn.execute(t.silence.insert().values(**row, created=now, ends=ends))
        number: int = made.inserted_primary_key[0]  # type: ignore[index]
        if incident is not None:
            event = {"incident": incident, "at": now, "kind": "silenced", "by": by, "text": reason}
            conn.execute(t.incident_event.insert().values(**event, details={"ends": ends.isoformat()}))
        _audit(conn, by, "silence.add", {"silence": number, "reason": reason, "ends": ends.isoformat()}, now)
        return number


def active(conn: sa.Connection, now: datetime) -> list[Silence]:
    """Those in force, the one that ends last first."""
    query = sa.select(t.silence).where(t.silence.c.created <= now, t.silence.c.ends > now)
    return [Silence(**row._mapping) for row in conn.execute(query.order_by(t.silence.c.ends.desc(), t.silence.c.id))]


def end(state: State, number: int, by: str, now: datetime) -> bool:
    """End a silence now. False where there is none in force of that number."""
    with state.begin() as conn:
        query = t.silence.update().where(t.silence.c.id == number, t.silence.c.ends > now).values(ends=now)
        if conn.execute(query).rowcount == 0:
            return False
        _audit(conn, by, "silence.end", {"silence": number}, now)
        return True


def _audit(conn: sa.Connection, by: str, what: str, details: dict[str, object], now: datetime) -> None:
    conn.execute(t.audit.insert().values(at=now, who=by, what=what, details=details))
