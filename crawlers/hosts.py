"""The row of a host: whose turn it is, when the next request may go, how long to stay away, what robots.txt says."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from crawlers.fetches import OverBudget
from pipeline.state.tables import host, quota
from pipeline.words import Answer

FIRST_BACKOFF = timedelta(minutes=1)
LONGEST_BACKOFF = timedelta(hours=6)
LONGEST_RETRY_AFTER = timedelta(days=1)
BUDGET = "host"
"""What the rows of hosts in the table of quotas begin with."""


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to "may I?": granted, or how long to wait and whether the host itself asked for that."""

    granted: bool
    wait: timedelta = timedelta(0)
    asked_by_host: bool = False


class Robots(msgspec.Struct, frozen=True, kw_only=True):
    """A host's robots.txt: its text, None where it could not be had, and when it was asked for."""

    text: str | None
    at: datetime


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """A host's tdmrep.json: its rules, None where it could not be had, and when it was asked for."""

    rules: list[list[Any]] | None
    at: datetime


def turn(
    now: datetime,
    *,
    next_at: datetime | None,
    leased_until: datetime | None,
    backoff_until: datetime | None,
) -> Turn:
    """Whether a host may be asked now."""
    if backoff_until is not None and backoff_until > now:
        return Turn(granted=False, wait=backoff_until - now, asked_by_host=True)
    if leased_until is not None and leased_until > now:
        return Turn(granted=False)
    if next_at is not None and next_at > now:
        return Turn(granted=False, wait=next_at - now)
    return Turn(granted=True)


def longer(previous: timedelta, retry_after: timedelta | None) -> timedelta:
    """How long to stay away after one more 429 or 503: doubled each time, at least what the host asked for."""
    doubled = min(max(FIRST_BACKOFF, previous * 2), LONGEST_BACKOFF)
    return max(doubled, min(retry_after or timedelta(0), LONGEST_RETRY_AFTER))


def claim(conn: sa.Connection, name: str, lease: str, now: datetime, until: datetime, next_at: datetime) -> Turn:
    """Take a host until it is given back or ``until``; within a writing transaction.

    Nobody else comes before ``next_at`` if it is never given back: ``until`` and the rest that the host is owed.
    """
    row = _locked(conn, name)
    if row is None:
        conn.execute(_insert(conn).values(host=name).on_conflict_do_nothing())
        row = _locked(conn, name)
    assert row is not None
    decision = turn(now, next_at=row.next_at, leased_until=row.leased_until, backoff_until=row.backoff_until)
    if decision.granted:
        _update(conn, name, lease=lease, leased_until=until, next_at=next_at)
    return decision


def give_back(conn: sa.Connection, name: str, lease: str, next_at: datetime, *, well: bool) -> None:
    """Leave a host, which rests until ``next_at``. A good answer (``well``) ends the back-off."""
    row = _locked(conn, name)
    if row is None or row.lease != lease:
        return
    values: dict[str, Any] = {"lease": None, "leased_until": None, "next_at": next_at}
    if well:
        values |= {"backoff_s": 0.0, "backoff_until": None}
    _update(conn, name, **values)


def take_back(conn: sa.Connection, gone: Callable[[str], bool], now: datetime) -> int:
    """End the leases of those who are gone; returns how many. The host gets the rest they owed it from now on."""
    held = conn.execute(sa.select(host).where(host.c.lease.is_not(None)).with_for_update()).all()
    left = [row for row in held if gone(row.lease)]
    for row in left:
        owed = max(row.next_at - row.leased_until, timedelta(0)) if row.next_at and row.leased_until else timedelta(0)
        _update(conn, row.host, lease=None, leased_until=None, next_at=now + owed)
    return len(left)


def back_off(conn: sa.Connection, name: str, now: datetime, retry_after: timedelta | None) -> datetime:
    """Stay away from a host that asked for it; returns until when."""
    conn.execute(_insert(conn).values(host=name).on_conflict_do_nothing())
    row = _locked(conn, name)
    assert row is not None
    previous = timedelta(seconds=row.backoff_s)
    until = max(now + longer(previous, retry_after), row.backoff_until or now)
    doubled = min(max(FIRST_BACKOFF, previous * 2), LONGEST_BACKOFF)
    _update(conn, name, backoff_until=until, backoff_s=doubled.total_seconds())
    return until


def spent(conn: sa.Connection, name: str, now: datetime) -> int:
    """Requests a host has had within this hour."""
    wanted = sa.and_(quota.c.name == _budget(name), quota.c.start == hour(now))
    return int(conn.scalar(sa.select(quota.c.used).where(wanted)) or 0)


def spend(conn: sa.Connection, name: str, now: datetime, budget: int, wanted: int = 1) -> int:
    """Count so many requests, or those that are left; returns how many. Only for who has claimed the host.

    Raises OverBudget where it has had all of this hour; then nothing may be committed.
    """
    granted = min(wanted, budget - spent(conn, name, now))
    if granted <= 0:
        until = (hour(now) + timedelta(hours=1)).isoformat(timespec="seconds")
        reason = f"{name} gets {budget} requests an hour: it has had them, what is left waits until {until}"
        raise OverBudget(Answer.RATE_LIMITED, reason)
    values = {"name": _budget(name), "start": hour(now), "used": granted, "limit": budget}
    keys, more = ["name", "start"], {"used": quota.c.used + granted, "limit": budget}
    conn.execute(_insert(conn, quota).values(**values).on_conflict_do_update(index_elements=keys, set_=more))
    return granted


def unspend(conn: sa.Connection, name: str, at: datetime, unused: int) -> None:
    """Take back what was counted ``at`` some time and never asked."""
    counted = sa.and_(quota.c.name == _budget(name), quota.c.start == hour(at))
    conn.execute(sa.update(quota).where(counted).values(used=quota.c.used - unused))


def hour(now: datetime) -> datetime:
    """Start of the hour that budgets count in."""
    return now.replace(minute=0, second=0, microsecond=0)


def _budget(name: str) -> str:
    return f"{BUDGET} {name}"


def robots_of(conn: sa.Connection, name: str) -> Robots | None:
    """What is known about a host's robots.txt."""
    row = _row(conn, name)
    return None if row is None or row.robots_at is None else Robots(text=row.robots, at=row.robots_at)


def set_robots(conn: sa.Connection, name: str, robots: Robots) -> None:
    """Remember a host's robots.txt."""
    conn.execute(_insert(conn).values(host=name).on_conflict_do_nothing())
    _update(conn, name, robots=robots.text, robots_at=robots.at)


def reservation_of(conn: sa.Connection, name: str) -> Reservation | None:
    """What is known about a host's tdmrep.json."""
    row = _row(conn, name)
    return None if row is None or row.tdm_at is None else Reservation(rules=row.tdm, at=row.tdm_at)


def set_reservation(conn: sa.Connection, name: str, found: Reservation) -> None:
    """Remember a host's tdmrep.json."""
    conn.execute(_insert(conn).values(host=name).on_conflict_do_nothing())
    _update(conn, name, tdm=found.rules, tdm_at=found.at)


def backoff_until(conn: sa.Connection, name: str) -> datetime | None:
    """Until when a host asked us to stay away."""
    row = _row(conn, name)
    return None if row is None else row.backoff_until


def _row(conn: sa.Connection, name: str) -> sa.Row[Any] | None:
    return conn.execute(sa.select(host).where(host.c.host == name)).one_or_none()


def _locked(conn: sa.Connection, name: str) -> sa.Row[Any] | None:
    """The row, which nobody else may change before the transaction ends."""
    return conn.execute(sa.select(host).where(host.c.host == name).with_for_update()).one_or_none()


def _update(conn: sa.Connection, name: str, **values: Any) -> None:
    conn.execute(sa.update(host).where(host.c.host == name).values(**values))


def _insert(conn: sa.Connection, table: sa.Table = host) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if conn.dialect.name == "postgresql" else sqlite.insert(table)
