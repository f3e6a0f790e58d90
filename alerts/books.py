"""What the watcher has written down about a brand: fed rows, blobs, its own memory, the open incident.

Read before anything is counted, and compared again inside the writing transaction: whoever comes second writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from alerts.evidence import SPAN
from alerts.incidents import Incident, of_row
from alerts.rule import Rule
from alerts.windforce import Calm
from pipeline.state import tables as t
from pipeline.words import IncidentState

MEMORY, MEMORY_VERSION = "watcher", 1
"""The watcher's own row in ``rule_state``; the stream is the brand."""


class Memory(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the watcher remembers of a brand beside the incident's row."""

    evaluated: datetime | None = None
    pending: datetime | None = None
    """A surge seen once that waits for its confirmation."""
    calm: Calm = Calm()
    calm_since: datetime | None = None
    floor: int = 0
    """Lowest level a keyword asks for …"""
    floor_until: datetime | None = None
    """… and until when."""
    told_at: datetime | None = None
    told_persons: int = 0
    told_keyword: datetime | None = None
    span: timedelta = SPAN
    """Width of the window whose numbers are shown."""
    last_end: datetime | None = None
    rarest_days: float | None = None


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides whether an evaluation may still be written."""

    fed: Mapping[str, Mapping[str, datetime]]
    """Rule entry → source → until."""
    blobs: Mapping[str, bytes]
    memory: bytes | None
    incident: Incident | None
    owed: tuple[Incident, ...]
    """Resolved by a person, and nobody has been told yet."""
    closed: datetime | None
    """When a person last resolved an incident of this brand."""

    @property
    def remembered(self) -> Memory:
        return msgspec.json.decode(self.memory, type=Memory) if self.memory else Memory()


def read(conn: sa.Connection, brand: str, rules: Mapping[str, Rule], *, lock: bool = False) -> Books:
    """The books of a brand; with ``lock`` nobody else may change them before the transaction ends."""
    versions = {name: rule.version for name, rule in rules.items()}
    blobs = _blobs(conn, {**versions, MEMORY: MEMORY_VERSION}, brand, lock=lock)
    incident, resolved = _incidents(conn, brand)
    return Books(
        fed=_fed(conn, versions, brand),
        blobs={name: blob for name, blob in blobs.items() if name != MEMORY},
        memory=blobs.get(MEMORY),
        incident=incident,
        owed=tuple(one for one in resolved if one.all_clear_owed),
        closed=max((one.resolved for one in resolved if one.resolved), default=None),
    )


def _blobs(conn: sa.Connection, versions: Mapping[str, int], brand: str, *, lock: bool) -> dict[str, bytes]:
    query = sa.select(t.rule_state).where(*_of(t.rule_state, versions), t.rule_state.c.stream == brand)
    rows = conn.execute(query.with_for_update() if lock else query)
    return {row.rule: row.blob for row in rows if versions[row.rule] == row.version}


def _fed(conn: sa.Connection, versions: Mapping[str, int], brand: str) -> dict[str, dict[str, datetime]]:
    found: dict[str, dict[str, datetime]] = {name: {} for name in versions}
    for row in conn.execute(sa.select(t.fed).where(*_of(t.fed, versions), t.fed.c.shard == brand)):
        if versions[row.rule] == row.version:
            found[row.rule][row.source] = row.until
    return found


def _of(table: sa.Table, versions: Mapping[str, int]) -> Sequence[sa.ColumnElement[bool]]:
    """The first two columns of the key, so that rows are found by it; which belongs to which is left to the caller."""
    return table.c.rule.in_(list(versions)), table.c.version.in_(sorted({*versions.values()}))


def _incidents(conn: sa.Connection, brand: str) -> tuple[Incident | None, list[Incident]]:
    """The open one, and the last few that a person resolved. While one is open none is opened after it."""
    by_people = sa.or_(t.incident.c.state != IncidentState.RESOLVED, t.incident.c.resolved_by.is_not(None))
    query = sa.select(t.incident).where(t.incident.c.brand == brand, by_people).order_by(t.incident.c.id.desc())
    found = [of_row(row) for row in conn.execute(query.limit(10))]
    going_on = [incident for incident in found if incident.is_open]
    return (going_on[-1] if going_on else None), [incident for incident in found if not incident.is_open]


def busy(conn: sa.Connection) -> frozenset[str]:
    """Brands with an incident that is open, or whose all clear is owed."""
    table = t.incident
    going_on = sa.or_(table.c.state != IncidentState.RESOLVED, table.c.all_clear_owed)
    return frozenset(conn.execute(sa.select(table.c.brand).where(going_on)).scalars())


def known_alerts(conn: sa.Connection, rule: str, brand: str, keys: Iterable[str]) -> frozenset[str]:
    """Which of these keys have been raised before."""
    query = sa.select(t.alert.c.key).where(
        t.alert.c.rule == rule, t.alert.c.stream == brand, t.alert.c.key.in_(list(keys))
    )
    return frozenset(conn.execute(query).scalars())


def write_fed(
    conn: sa.Connection, rule: str, version: int, brand: str, until: Mapping[str, datetime], known: Iterable[str]
) -> None:
    """Advance the rows of a rule."""
    table, before = t.fed, set(known)
    key = {"rule": rule, "version": version, "shard": brand}
    new = [{**key, "source": source, "until": end} for source, end in until.items() if source not in before]
    if new:
        conn.execute(table.insert(), new)
    moved = [{"of": source, "end": end} for source, end in until.items() if source in before]
    if moved:  # all in one go: there may be hundreds of sources
        mine = [table.c[name] == value for name, value in key.items()]
        advance = table.update().where(*mine, table.c.source == sa.bindparam("of")).values(until=sa.bindparam("end"))
        conn.execute(advance, moved)


def write_blob(
    conn: sa.Connection, rule: str, version: int, brand: str, blob: bytes, now: datetime, *, new: bool
) -> None:
    """Store a blob."""
    table, key = t.rule_state, {"rule": rule, "version": version, "stream": brand}
    if new:
        conn.execute(table.insert().values(**key, blob=blob, updated=now))
    else:
        mine = [table.c[name] == value for name, value in key.items()]
        conn.execute(table.update().where(*mine).values(blob=blob, updated=now))
