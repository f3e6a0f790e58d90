"""Domains that are not read at the wish of those who run them, and what was refused by which rule."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from pipeline.state.tables import blocked_domain, refused


class Blocked(msgspec.Struct, frozen=True, kw_only=True):
    """A domain that is not read, nor any below it."""

    domain: str
    by: str
    reason: str
    at: datetime


def block(conn: sa.Connection, domain: str, reason: str, by: str, now: datetime) -> None:
    """Read nothing of a domain and of all below it from now on. Raises ValueError where that is no domain."""
    values = {"by": by, "reason": reason, "at": now}
    statement = _dialect(conn).insert(blocked_domain).values(domain=plain(domain), **values)
    conn.execute(statement.on_conflict_do_update(index_elements=["domain"], set_=values))


def unblock(conn: sa.Connection, domain: str) -> bool:
    """Read a domain again; False where it was not blocked."""
    return bool(conn.execute(sa.delete(blocked_domain).where(blocked_domain.c.domain == plain(domain))).rowcount)


def blocked(conn: sa.Connection) -> list[Blocked]:
    """All blocked domains."""
    rows = conn.execute(sa.select(blocked_domain).order_by(blocked_domain.c.domain))
    return [Blocked(**row._mapping) for row in rows]


def covering(domains: Mapping[str, str], host: str) -> str | None:
    """The blocked domain that a host is or lies below."""
    labels = host.lower().rstrip(".").split(".")
    return next((name for n in range(len(labels)) if (name := ".".join(labels[n:])) in domains), None)


def plain(domain: str) -> str:
    """A domain as it is kept: without scheme, path, port, ``www.``. Raises ValueError where nothing is left."""
    name = domain.strip().lower().rpartition("://")[2].split("/")[0].partition(":")[0].strip(".").removeprefix("www.")
    try:
        name = name.encode("idna").decode()
    except UnicodeError:
        raise ValueError(f"{domain!r} is no domain") from None
    if not name or " " in name:
        raise ValueError(f"{domain!r} is no domain")
    return name


def count(conn: sa.Connection, rules: Mapping[str, int], now: datetime) -> None:
    """Add what was refused today."""
    for rule, number in sorted(rules.items()):
        row = _dialect(conn).insert(refused).values(rule=rule, day=now.date().isoformat(), count=number)
        more = {"count": refused.c["count"] + number}
        conn.execute(row.on_conflict_do_update(index_elements=["rule", "day"], set_=more))


def counted(conn: sa.Connection, since: datetime | None = None) -> dict[str, int]:
    """Rule → how often it refused something, since a day or ever."""
    total = sa.select(refused.c.rule, sa.func.sum(refused.c["count"])).group_by(refused.c.rule)
    if since is not None:
        total = total.where(refused.c.day >= since.date().isoformat())
    return {rule: int(number) for rule, number in conn.execute(total.order_by(refused.c.rule))}


WEEK = timedelta(days=7)


def _dialect(conn: sa.Connection) -> Any:
    return postgresql if conn.dialect.name == "postgresql" else sqlite
