"""Series and persons: counts of opinions by the bin that fed them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta

from pipeline.mention import Mention
from pipeline.store.measures import BIN_US, DAY_US, HOUR_US, P_UNIT, bin_number, micros, moment
from pipeline.store.protocol import Cell, Persons, Window
from pipeline.store.sqlite.functions import decode

FIRST_TIME_DAYS = 28
NAMELESS = "'story:' || COALESCE((SELECT older FROM story_alias WHERE newer = o.story), o.story)"
PERSON = f"COALESCE(o.author, {NAMELESS})"
_SUMS = """
    SUM(o.counted), SUM(o.counted AND o.tone = 'negative'), SUM(o.counted AND o.tone = 'neutral'),
    SUM(o.counted AND o.tone = 'positive'), SUM(o.counted * o.p_negative), SUM(o.copied)
"""


def series(connection: sqlite3.Connection, brand: str, start: datetime, end: datetime, width: timedelta) -> list[Cell]:
    """Cells with anything in them; wider bins begin at ``start``."""
    first, last = bin_number(start), _last_bin(end)
    bins = max(1, micros_of(width) // BIN_US)
    rows = connection.execute(
        f"SELECT (o.fed_bin - ?) / ? slot, o.source, {_SUMS} FROM mention_brand o"
        " WHERE o.brand = ? AND o.fed_bin >= ? AND o.fed_bin < ? GROUP BY slot, o.source"
        " HAVING SUM(o.counted) > 0 OR SUM(o.copied) > 0 ORDER BY slot, o.source",
        (first, bins, brand, first, last),
    )
    return [_cell(brand, source, moment((first + slot * bins) * BIN_US), sums) for slot, source, *sums in rows]


def hours(connection: sqlite3.Connection, brand: str, start: datetime, end: datetime) -> list[Cell]:
    """Whole hours by event time, all sources together, from the rollup."""
    rows = connection.execute(
        "SELECT hour, posts, negative, neutral, positive, p_negative, copies FROM mention_hour"
        " WHERE brand = ? AND hour >= ? AND hour < ? ORDER BY hour",
        (brand, micros(start) // HOUR_US, -(-micros(end) // HOUR_US)),
    )
    return [_cell(brand, "", moment(hour * HOUR_US), sums) for hour, *sums in rows]


def days(connection: sqlite3.Connection, brand: str, start: datetime, end: datetime) -> list[Cell]:
    """Whole days (UTC) by event time and source, from the rollup."""
    rows = connection.execute(
        "SELECT day, source, posts, negative, neutral, positive, p_negative, copies FROM mention_day_source"
        " WHERE brand = ? AND day >= ? AND day < ? ORDER BY day, source",
        (brand, micros(start) // DAY_US, -(-micros(end) // DAY_US)),
    )
    return [_cell(brand, source, moment(day * DAY_US), sums) for day, source, *sums in rows]


def _cell(brand: str, source: str, start: datetime, sums: list[int]) -> Cell:
    posts, negative, neutral, positive, p_negative, copies = (value or 0 for value in sums)
    return Cell(
        brand=brand,
        source=source,
        start=start,
        posts=posts,
        negative=negative,
        neutral=neutral,
        positive=positive,
        p_negative=p_negative / P_UNIT,
        copies=copies,
    )


def _within(window: Window, *, historic: bool) -> tuple[str, list[object]]:
    """FROM and WHERE of the counted opinions of a window."""
    sql = "FROM mention_brand o WHERE o.brand = ? AND o.fed_bin >= ? AND o.fed_bin < ? AND o.counted"
    values: list[object] = [window.brand, bin_number(window.start), _last_bin(window.end)]
    if not historic:
        sql += " AND NOT o.historic"
    if window.tone is not None:
        sql += " AND o.tone = ?"
        values.append(window.tone.value)
    if window.sources is not None:
        sql += f" AND o.source IN ({', '.join('?' * len(window.sources))})"
        values += window.sources
    return sql, values


def persons(connection: sqlite3.Connection, window: Window) -> Persons:
    """Distinct persons of exactly this window."""
    frame, values = _within(window, historic=False)
    rows = connection.execute(
        f"SELECT {PERSON} person, MAX(o.author IS NULL), COUNT(*) {frame} GROUP BY person", values
    ).fetchall()
    before = _before(connection, window, [person for person, _, _ in rows]) if rows else set()
    return Persons(
        persons=len(rows),
        without_author=sum(nameless for _, nameless, _ in rows),
        posts=sum(posts for _, _, posts in rows),
        first_time=sum(person not in before for person, _, _ in rows),
        top3_posts=sum(sorted((posts for _, _, posts in rows), reverse=True)[:3]),
    )


def _before(connection: sqlite3.Connection, window: Window, persons: Sequence[str]) -> set[str]:
    """Which of these had a counted opinion on the brand in the weeks before, of any tone and at any source."""
    earlier = Window(brand=window.brand, start=window.start - timedelta(days=FIRST_TIME_DAYS), end=window.start)
    frame, values = _within(earlier, historic=True)
    among = json.dumps(persons)  # one look into this list costs less than to tell all persons of the weeks apart
    rows = connection.execute(
        f"SELECT {PERSON} {frame} AND (o.author IN (SELECT value FROM json_each(?))"
        f" OR o.author IS NULL AND {NAMELESS} IN (SELECT value FROM json_each(?)))",
        [*values, among, among],
    )
    return {person for (person,) in rows}


def persons_by_bin(connection: sqlite3.Connection, window: Window, width: timedelta) -> dict[datetime, int]:
    """Distinct persons of each bin that has any; bins begin at the window's start."""
    frame, values = _within(window, historic=True)
    first, bins = bin_number(window.start), max(1, micros_of(width) // BIN_US)
    rows = connection.execute(
        f"SELECT (o.fed_bin - ?) / ? slot, COUNT(DISTINCT {PERSON}) {frame} GROUP BY slot ORDER BY slot",
        [first, bins, *values],
    )
    return {moment((first + slot * bins) * BIN_US): count for slot, count in rows}


def in_window(connection: sqlite3.Connection, window: Window, limit: int) -> list[Mention]:
    """Counted, not historic mentions, oldest first."""
    frame, values = _within(window, historic=False)
    rows = connection.execute(
        f"SELECT doc FROM mention WHERE id IN (SELECT o.id {frame} ORDER BY o.id DESC LIMIT ?) ORDER BY id DESC",
        [*values, limit],
    )
    return [decode(doc) for (doc,) in rows]


def micros_of(span: timedelta) -> int:
    """Microseconds of a span."""
    return span // timedelta(microseconds=1)


def _last_bin(end: datetime) -> int:
    """First bin that begins at or after the end."""
    return -(-micros(end) // BIN_US)
