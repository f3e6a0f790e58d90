"""Ranked result lists, place by place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from alerts.chronicle.places import EVERYTHING, Place, before, read, remember
from pipeline.identity import origin_of
from pipeline.state import tables as t
from pipeline.state.database import State
from pipeline.store.side import Result, Side

LONG_VISIT = timedelta(hours=6)
"""So long ago may a list have begun that comes in now: it bears the time at which the visit began."""
LISTS = 200
"""Most lists at a time."""


def write_results(state: State, side: Side, now: datetime) -> int:
    """All lists since the last pass, a few at a time."""
    with state.read() as conn:
        since = before(read(conn, EVERYTHING, Place).results, LONG_VISIT)
    sent, last = 0, (since, -1)
    while True:
        with state.read() as conn:
            lists = _lists(conn, last)
            rows = _results(conn, lists)
        if not lists:
            break
        sent += side.put([row for row in rows if row.url], now)
        with state.read() as conn:  # who is erased meanwhile must not come back by this door
            side.remove([row for row in _results(conn, lists) if not row.url])
        last = (lists[-1].at, lists[-1].id)
    remember(state, results=now)
    return sent


def _lists(conn: sa.Connection, after: tuple[datetime, int]) -> Sequence[sa.Row[Any]]:
    table, (at, number) = t.result_list, after
    later = sa.or_(table.c.at > at, sa.and_(table.c.at == at, table.c.id > number))
    return conn.execute(sa.select(table).where(later).order_by(table.c.at, table.c.id).limit(LISTS)).all()


def _results(conn: sa.Connection, lists: Sequence[sa.Row[Any]]) -> list[Result]:
    """What stands in these lists; where a mention was erased, there is a place without an address."""
    heads = {row.id: row for row in lists}
    query = sa.select(t.result).where(t.result.c.list.in_(heads))
    return [
        Result(
            at=heads[row.list].at,
            source=heads[row.list].source,
            query=heads[row.list].query,
            position=row.position,
            uid=row.uid,
            url=row.url,
            title=row.title,
            snippet=row.snippet,
            engines=tuple(row.engines),
            domain=_domain(row.url),
        )
        for row in conn.execute(query.order_by(t.result.c.list, t.result.c.position))
    ]


def _domain(url: str) -> str:
    try:
        return origin_of(url)
    except ValueError:  # engines give odd addresses now and then
        return ""
