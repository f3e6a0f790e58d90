"""How we deal with one source, for people: what its site allows, how often we come and why, what is to be minded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from protego import Protego

from crawlers import hosts, tdm
from crawlers.scheduling import host_of
from crawlers.settings import ROBOTS_NAME
from pipeline.configuration import Source
from pipeline.pace import roughly
from pipeline.state.blocking import blocked, covering
from pipeline.state.sources import SourceRow
from pipeline.state.tables import quota, removal

REMOVALS = 20


def facts(conn: sa.Connection, row: SourceRow, entry: Source | None, now: datetime) -> dict[str, Any]:
    """Plain data; times are aware."""
    name = host_of(row.url)
    domains = {one.domain: one.reason for one in blocked(conn)}
    domain = covering(domains, urlsplit(row.url).hostname or "")
    return {
        "robots": _robots(conn, name, row.url),
        "tdm": _reservation(conn, name, row.url),
        "blocked": None if domain is None else {"domain": domain, "reason": domains[domain]},
        "requests_this_hour": hosts.spent(conn, name, now),
        "quota": _quota(conn, row.spider, entry.options if entry else {}),
        "removals": _removals(conn, row.id),
    } | manners(row, entry, now)


def manners(row: SourceRow, entry: Source | None, now: datetime) -> dict[str, Any]:
    """What is known without a look at the database."""
    return {
        "every": row.every(now).total_seconds(),
        "pace_reason": pace_reason(row, now),
        "may_answer": entry.may_answer if entry else "ask",
        "disclosure": entry.disclosure if entry else "",
        "etiquette": entry.etiquette if entry else "",
    }


def pace_reason(row: SourceRow, now: datetime) -> str:
    """Why it is visited as often as it is."""
    if row.hot is not None and row.hot_until is not None and now < row.hot_until:
        return f"watched closely until {row.hot_until.isoformat(timespec='minutes')}"
    if row.pace is None:
        return "as configured, or as is usual for its kind"
    if row.gap is None:
        return "as is usual for its kind: how often something comes is not known yet"
    return f"something comes every {roughly(row.gap)}"


def _robots(conn: sa.Connection, name: str, url: str) -> dict[str, Any]:
    known = hosts.robots_of(conn, name)
    if known is None:
        return {"decision": "not asked yet", "at": None}
    if known.text is None:
        return {"decision": "cannot be had", "at": known.at}
    allowed = Protego.parse(known.text).can_fetch(url, ROBOTS_NAME)
    return {"decision": "allowed" if allowed else "forbidden", "at": known.at}


def _reservation(conn: sa.Connection, name: str, url: str) -> dict[str, Any]:
    known = hosts.reservation_of(conn, name)
    if known is None:
        return {"decision": "not asked yet", "at": None}
    if known.rules is None:
        return {"decision": "cannot be had", "at": known.at}
    return {"decision": "reserved" if tdm.reserves(known.rules, url) else "not reserved", "at": known.at}


def _quota(conn: sa.Connection, spider: str, options: Mapping[str, Any]) -> dict[str, Any] | None:
    """What its key has cost. Where ``key_env`` only repeats the spider's own name for it, it is counted by kind."""
    names = [spider]
    if place := options.get("key_file") or options.get("key_env"):
        names = [f"{spider} {place}"] + ([] if options.get("key_file") else names)
    newest = sa.select(quota).where(quota.c.name.in_(names)).order_by(quota.c.start.desc(), quota.c.name.desc())
    row = conn.execute(newest.limit(1)).one_or_none()
    return None if row is None else {"start": row.start, "used": row.used, "limit": row.limit}


def _removals(conn: sa.Connection, source: str) -> list[dict[str, Any]]:
    wanted = sa.select(removal).where(removal.c.source == source).order_by(removal.c.at.desc(), removal.c.id.desc())
    rows = conn.execute(wanted.limit(REMOVALS))
    return [{"at": row.at, "url": row.url, "uid": row.uid, "note": row.note} for row in rows]
