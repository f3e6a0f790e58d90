"""How many customers called or wrote on a day: what mentions are to be seen against. Days are those of the zone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.state.tables import contact
from pipeline.store.protocol import Store

KINDS = ("phone", "mail", "chat", "letter", "visit", "other")


class Contacts(msgspec.Struct, frozen=True, kw_only=True):
    """Contacts of one brand, day and kind."""

    brand: str
    day: date
    kind: str
    count: int


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """One day of one brand: what was said in public beside what was said to the company."""

    brand: str
    day: date
    contacts: dict[str, int]
    total: int
    posts: int
    negative: int
    per_thousand: float | None
    """Negative opinions on each 1,000 contacts; None without contacts."""


def record(conn: sa.Connection, rows: Iterable[Contacts], by: str, now: datetime) -> int:
    """Write counts down; a later count of the same brand, day and kind takes the place of the earlier."""
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    written = 0
    for row in rows:
        values = {"count": row.count, "by": by, "at": now}
        key = {"brand": row.brand, "day": row.day.isoformat(), "kind": row.kind}
        statement = dialect.insert(contact).values(**key, **values)
        conn.execute(statement.on_conflict_do_update(index_elements=list(key), set_=values))
        written += 1
    return written


def days(conn: sa.Connection, store: Store, zone: ZoneInfo, *, brand: str | None = None, limit: int = 60) -> list[Day]:
    """The newest days that have counts, newest first, with the opinions counted in them."""
    wanted = sa.select(contact).order_by(contact.c.day.desc(), contact.c.brand, contact.c.kind)
    rows = conn.execute(wanted if brand is None else wanted.where(contact.c.brand == brand)).all()
    counts: dict[tuple[str, str], dict[str, int]] = {}
    for row in rows:
        counts.setdefault((row.day, row.brand), {})[row.kind] = row._mapping["count"]
    return [
        _day(store, zone, name, date.fromisoformat(day), kinds) for (day, name), kinds in list(counts.items())[:limit]
    ]


def _day(store: Store, zone: ZoneInfo, brand: str, day: date, kinds: dict[str, int]) -> Day:
    start, end = (datetime.combine(day + timedelta(days=n), time(), zone).astimezone(UTC) for n in (0, 1))
    cells = store.series(brand, start, end, width=timedelta(hours=1))
    negative, total = sum(cell.negative for cell in cells), sum(kinds.values())
    return Day(
        brand=brand,
        day=day,
        contacts=kinds,
        total=total,
        posts=sum(cell.posts for cell in cells),
        negative=negative,
        per_thousand=per_thousand(negative, total),
    )


def per_thousand(negative: int, contacts: int) -> float | None:
    """Negative opinions on each 1,000 contacts."""
    return round(1000 * negative / contacts, 2) if contacts else None


def parse_contacts(fields: dict[str, str], brands: Iterable[str]) -> Contacts:
    """One row of brand, day, kind, count. Raises ValueError with field, value and remedy."""
    brand, kind = fields.get("brand", "").strip(), (fields.get("kind", "") or "phone").strip().lower()
    if brand not in brands:
        raise ValueError(f"brand: {brand[:40]!r} is none of {', '.join(brands)}")
    if kind not in KINDS:
        raise ValueError(f"kind: {kind[:40]!r} is none of {', '.join(KINDS)}")
    try:
        day = date.fromisoformat(fields.get("day", "").strip())
    except ValueError:
        raise ValueError(f"day: {fields.get('day', '')[:40]!r} is no day; write 2026-11-20") from None
    count = fields.get("count", "").strip()
    if not (count.isascii() and count.isdigit() and len(count) < 10):
        raise ValueError(f"count: {count[:40]!r} is no whole number from 0 on")
    return Contacts(brand=brand, day=day, kind=kind, count=int(count))
