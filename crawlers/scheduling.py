"""Which source is visited by whom: due sources are claimed by a lease, which a living worker renews."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta

import sqlalchemy as sa

from crawlers.urls import host_key
from pipeline.state.sources import SourceRow, list_sources
from pipeline.state.tables import source
from pipeline.words import SourceState

LEASE = timedelta(minutes=2)
LONGEST_RETREAT = timedelta(hours=2)
_JITTER = 0.1
_LOOK = 8
"""Due sources looked at for one that is taken, so that those of one host do not hide the others."""
_AWAKE = tuple(state.value for state in SourceState if state not in (SourceState.PAUSED, SourceState.RETIRED))


def claim(
    conn: sa.Connection,
    worker: str,
    now: datetime,
    lease: timedelta,
    *,
    limit: int,
    only: Collection[str] | None = None,
    without: Collection[str] = (),
    busy: Collection[str] = (),
    per_host: int | None = None,
) -> list[SourceRow]:
    """Take up to ``limit`` sources nobody else holds: the due ones, longest due first, or ``only`` those, due or not.

    Within a writing transaction. Paused and retired sources are never taken, nor those in ``without``: what the
    caller has in hand itself. ``busy``: the hosts of these, one entry for each; of due sources no more than
    ``per_host`` of one host are in hand at once, for they would only wait for each other and keep all others waiting.
    """
    hosts = Counter(busy)
    full = [name for name, count in hosts.items() if per_host is not None and count >= per_host]
    free = sa.or_(source.c.leased_until.is_(None), source.c.leased_until <= now)
    wanted = source.c.next_due <= now if only is None else source.c.id.in_(only)
    capped = only is None and per_host is not None
    chosen = (
        sa.select(source.c.id, source.c.url)
        .where(free, wanted, source.c.state.in_(_AWAKE), source.c.id.not_in(list(without)))
        .order_by(source.c.next_due, sa.func.coalesce(source.c.last_ok, 0), source.c.id)
        .limit(max(limit, 0) * (_LOOK if capped else 1))
        .with_for_update(skip_locked=True)
    )
    for name in full if capped else ():
        place = name.removesuffix(":80").removesuffix(":443")
        chosen = chosen.where(~source.c.url.contains(f"://{place}/", autoescape=True))
    taken: list[str] = []
    for row in conn.execute(chosen):
        place = host_of(row.url)
        if len(taken) < limit and not (capped and hosts[place] >= (per_host or 0)):
            taken.append(row.id)
            hosts[place] += 1
    if not taken:
        return []
    conn.execute(sa.update(source).where(source.c.id.in_(taken)).values(worker=worker, leased_until=now + lease))
    rows = {row.id: row for row in list_sources(conn, taken)}
    return [rows[name] for name in taken]


def host_of(url: str) -> str:
    """The host that a source's requests wait at; the address itself where it has none."""
    try:
        return host_key(url)
    except ValueError:
        return url


def renew(conn: sa.Connection, worker: str, names: Collection[str], until: datetime) -> set[str]:
    """Extend the leases a worker still holds; returns which those are."""
    held = sa.and_(source.c.worker == worker, source.c.id.in_(names))
    mine = list(conn.scalars(sa.select(source.c.id).where(held).order_by(source.c.id).with_for_update()))
    conn.execute(sa.update(source).where(source.c.id.in_(mine)).values(leased_until=until))
    return set(mine)


def release(conn: sa.Connection, worker: str, name: str) -> None:
    """Give a source back without having visited it."""
    held = sa.and_(source.c.worker == worker, source.c.id == name)
    conn.execute(sa.update(source).where(held).values(worker=None, leased_until=None))


def next_visit(
    start: datetime,
    end: datetime,
    interval: timedelta,
    chance: random.Random,
    *,
    failures: int = 0,
    behind: bool = False,
) -> datetime:
    """When a source is due again: an interval after the visit's start, with jitter; soon when it is behind.

    After failures the interval doubles each time, up to two hours (or the interval itself, if that is longer).
    """
    if behind:
        return end + min(interval, timedelta(minutes=1))
    retreat = max(interval, LONGEST_RETREAT)
    span = min(interval * 2 ** min(failures, 16), retreat)
    due: datetime = start + span * (1 + chance.uniform(-_JITTER, _JITTER))
    return max(end, due)


def postpone(conn: sa.Connection, name: str, until: datetime) -> None:
    """Have a source wait at least until then."""
    later = sa.and_(source.c.id == name, source.c.next_due < until)
    conn.execute(sa.update(source).where(later).values(next_due=until))
