"""Series and persons: counts of opinions by the bin that fed them, aggregated when they are asked for."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice

from pipeline.mention import Mention
from pipeline.store.elastic.access import Access
from pipeline.store.elastic.asking import EXACT_PERSONS, Limit, ask, composite, estimate, part
from pipeline.store.elastic.compile import Clause, all_of, any_of, counted_on, one_of, without
from pipeline.store.elastic.reading import OLDEST_FIRST, PAGE, once, stream
from pipeline.store.measures import BIN_US, DAY_US, HOUR_US, MICROSECOND, P_UNIT, bin_number, micros, moment
from pipeline.store.protocol import Cell, Persons, Window
from pipeline.words import ToneLabel

FIRST_TIME_DAYS = 28
NAMELESS = "story:"
"""How the person begins that stands for a missing author."""
EXACT_ROWS = 50_000
"""Persons of bins are counted one by one while all bins together hold so many posts."""
_SUM = "p_millionths"
_SUMS = {_SUM: {"sum": {"field": f"opinions.{_SUM}"}}}
_COUNTS = any_of([{"term": {"opinions.counted": True}}, {"term": {"opinions.copied": True}}])


# --- series -------------------------------------------------------------------------------------------------------


def series(access: Access, brand: str, start: datetime, end: datetime, width: timedelta) -> list[Cell]:
    """Cells with anything in them, by ``fed_bin``; wider bins begin at ``start``."""
    first, last = bin_number(start), _last_bin(end)
    fed = {"gte": first, "lt": last}
    clauses = [one_of("brand", [brand]), {"range": {"fed": fed}}, _dates("fed_bin", first * BIN_US, last * BIN_US)]
    meant = [one_of("opinions.brand", [brand]), _COUNTS]
    slot = _slots("opinions.fed_bin", _bins(width) * BIN_US, first * BIN_US)
    return _cells(access, brand, clauses, meant, slot, by_source=True)


def hours(access: Access, brand: str, start: datetime, end: datetime) -> list[Cell]:
    """Whole hours by event time, all sources together."""
    return _by_event_time(access, brand, start, end, HOUR_US, by_source=False)


def days(access: Access, brand: str, start: datetime, end: datetime) -> list[Cell]:
    """Whole days (UTC) by event time and source."""
    return _by_event_time(access, brand, start, end, DAY_US, by_source=True)


def _by_event_time(
    access: Access, brand: str, start: datetime, end: datetime, width: int, *, by_source: bool
) -> list[Cell]:
    first, last = micros(start) // width * width, -(-micros(end) // width) * width
    exact = {"range": {"event_us": {"gte": first, "lt": last}}}
    clauses = [one_of("brand", [brand]), exact, _dates("event_time", first, last)]
    meant = [one_of("opinions.brand", [brand]), _COUNTS]
    return _cells(access, brand, clauses, meant, _slots("opinions.event_time", width, 0), by_source=by_source)


def _cells(
    access: Access, brand: str, clauses: Sequence[Clause], meant: Sequence[Clause], slot: Clause, *, by_source: bool
) -> list[Cell]:
    sources = [{"slot": {"date_histogram": slot}}]
    if by_source:
        sources.append({"source": {"terms": {"field": "opinions.source"}}})
    sources += [{name: {"terms": {"field": f"opinions.{name}"}}} for name in ("counted", "tone")]
    cells: defaultdict[tuple[int, str], Counter[str]] = defaultdict(Counter)
    for bucket in composite(access, clauses, sources, nested=all_of(meant), aggs=_SUMS):
        key, number = bucket["key"], bucket["doc_count"]
        cell = cells[key["slot"], key.get("source", "")]
        if key["counted"]:
            cell["posts"] += number
            cell[key["tone"]] += number
            cell[_SUM] += int(bucket[_SUM]["value"])
        else:
            cell["copies"] += number
    return [_cell(brand, source, moment(at * 1000), cell) for (at, source), cell in sorted(cells.items())]


def _cell(brand: str, source: str, start: datetime, counts: Counter[str]) -> Cell:
    return Cell(
        brand=brand,
        source=source,
        start=start,
        posts=counts["posts"],
        negative=counts[ToneLabel.NEGATIVE],
        neutral=counts[ToneLabel.NEUTRAL],
        positive=counts[ToneLabel.POSITIVE],
        p_negative=counts[_SUM] / P_UNIT,
        copies=counts["copies"],
    )


def _slots(field: str, width: int, start: int) -> Clause:
    """Bins of a date field, ``width`` microseconds wide, one of them beginning at ``start``."""
    offset = start % width // 1000
    return {"field": field, "fixed_interval": f"{width // 1000}ms", "offset": f"+{offset}ms"}


def _dates(field: str, start: int, end: int) -> Clause:
    """A span once more as dates, by which the server leaves out whole months; looser than microseconds."""
    return {"range": {field: {"gte": start // 1000, "lte": end // 1000, "format": "epoch_millis"}}}


# --- persons ------------------------------------------------------------------------------------------------------


def _within(window: Window, *, historic: bool) -> list[Clause]:
    """Mentions with a counted opinion of a window."""
    first, last = bin_number(window.start), _last_bin(window.end)
    clauses = [
        counted_on(window.brand, None if window.tone is None else window.tone.value),
        {"range": {"fed": {"gte": first, "lt": last}}},
        _dates("fed_bin", first * BIN_US, last * BIN_US),
    ]
    if not historic:
        clauses.append(without([{"term": {"historic": True}}]))
    if window.sources is not None:
        clauses.append(one_of("first_source", window.sources))
    return clauses


def persons(access: Access, window: Window) -> Persons:
    """Distinct persons of exactly this window, however many: every one is looked at."""
    limit = Limit(access)
    found = {
        bucket["key"]["person"]: bucket["doc_count"]
        for bucket in composite(access, _within(window, historic=False), _PERSON, limit=limit)
    }
    before = _before(access, window, sorted(found), limit)
    return Persons(
        persons=len(found),
        without_author=sum(person.startswith(NAMELESS) for person in found),
        posts=sum(found.values()),
        first_time=len(found) - len(before),
        top3_posts=sum(heapq.nlargest(3, found.values())),
    )


_PERSON: list[Clause] = [{"person": {"terms": {"field": "person"}}}]


def _before(access: Access, window: Window, among: Sequence[str], limit: Limit) -> set[str]:
    """Which of these had a counted opinion on the brand in the weeks before, of any tone and at any source."""
    earlier = Window(brand=window.brand, start=window.start - timedelta(days=FIRST_TIME_DAYS), end=window.start)
    clauses = _within(earlier, historic=True)
    before: set[str] = set()
    for at in range(0, len(among), EXACT_PERSONS):
        asked = [*clauses, one_of("person", among[at : at + EXACT_PERSONS])]
        before |= {bucket["key"]["person"] for bucket in composite(access, asked, _PERSON, limit=limit)}
    return before


def persons_by_bin(access: Access, window: Window, width: timedelta) -> dict[datetime, int]:
    """Distinct persons of each bin that has any; bins begin at the window's start.

    Exact while all bins together hold up to ``EXACT_ROWS`` posts; beyond that each bin's number is the server's
    estimate, as in ``reading.count``.
    """
    limit, clauses = Limit(access), _within(window, historic=True)
    slot = {"slot": {"date_histogram": _slots("fed_bin", _bins(width) * BIN_US, bin_number(window.start) * BIN_US)}}
    if _posts(access, clauses, limit) <= EXACT_ROWS:
        rows = composite(access, clauses, [slot, *_PERSON], limit=limit)
        counts = Counter(row["key"]["slot"] for row in rows)
    else:
        rows = composite(access, clauses, [slot], aggs={"n": estimate("person")}, limit=limit)
        counts = Counter({row["key"]["slot"]: row["n"]["value"] for row in rows})
    return {moment(at * 1000): number for at, number in sorted(counts.items())}


def _posts(access: Access, clauses: Sequence[Clause], limit: Limit) -> int:
    want = ["hits.total.value"]
    answer = ask(
        access, access.names.mentions, clauses, limit=limit, want=want, size=0, track_total_hits=EXACT_ROWS + 1
    )
    return int(part(answer, "hits.total").get("value", 0))


def in_window(access: Access, window: Window, limit: int) -> list[Mention]:
    """Counted, not historic mentions, oldest first."""
    found = stream(access, _within(window, historic=False), OLDEST_FIRST, min(limit, PAGE))
    return list(islice(once(found), limit))


def _bins(width: timedelta) -> int:
    """Whole 5-minute bins of a width, at least one."""
    return max(1, width // MICROSECOND // BIN_US)


def _last_bin(end: datetime) -> int:
    """First bin that begins at or after the end."""
    return -(-micros(end) // BIN_US)
