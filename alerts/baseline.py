"""What is usual for a brand: level per source and season per hour, learned from final cells. Pure; kept as a blob.

Level: a decayed mean per crawled hour of each source (half-life 7 days), each hour cut off where a storm begins. While
a storm lasts nothing is taught; what has lasted three days is no storm but the new usual, and is taught as it is.
Season: 24 hours × weekday or weekend, one profile per brand, learned from all counted posts, shrunk towards flat.
A source's level depends on that source alone, so the order in which sources are fed changes nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from math import ceil, sqrt
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from alerts.detection import nb_tail
from alerts.rule import SourceView
from pipeline.store.protocol import Cell

Floats = NDArray[np.float64]

STEP = 300
"""Seconds of a bin."""
HOUR = 12
"""Bins of an hour."""
KEPT = 12 * HOUR
"""Bins of recent counts that the blob keeps."""
LEARNT_HOURS = 168.0
"""A source watched for less is still being learned."""
LEVEL_HALF_LIFE = 7 * 24.0
SEASON_HALF_LIFE = 25 * 24.0
SEASON_ANCHOR = 490_000
"""Hour (since 1970) at which a contribution to the season weighs 1; any fixed hour would do."""
SETTLED_HOURS = 24.0
"""From so many crawled hours on a source's own mean is good enough to cut storms off and to teach the season."""
PRIOR_POSTS, PRIOR_HOURS = 0.5, 24.0
PRIOR_SHARE, PRIOR_SHARE_N = 0.25, 8.0
PEAK = 2.0
"""How much busier than its mean the busiest usual hour may be."""
DISPERSION = 0.25
STORM_HALF_LIFE = 3.0
"""Criticism of the last few hours together is what tells a storm from a busy hour."""
STORM_TAIL = 0.02
"""So improbable are these hours even at the busiest usual time."""
STORM_KNOWN_HOURS = 72.0
"""A source watched for less has no usual that a storm could stand out from."""
STORM_PAUSE = 12
"""Hours without a sign of it after which a storm is over; a night is no end."""
STORM_LASTS = 72
"""Hours after which it is the new usual."""
NEWCOMER = timedelta(days=1)
"""A source first read longer ago than this, and a brand new to it: the brand was added to the configuration later."""


class SourceLevel(msgspec.Struct, array_like=True):
    """What has been learned of one source. ``until`` is a bin, ``at`` an hour, both counted from 1970."""

    until: int
    armed: int
    """Cells before this bin came by first contact: they teach, and join no test."""
    at: int = 0
    ever: float = 0.0
    """Crawled hours, undecayed."""
    hours: float = 0.0
    negative: float = 0.0
    scored: float = 0.0
    posts: float = 0.0
    recent: list[tuple[int, int, int, int]] = []
    """(bin, negative, scored, posts) of what was fed lately."""
    hot: float = 0.0
    """Critical posts of the last hours, decayed, …"""
    hot_usual: float = 0.0
    """… and what the busiest usual hours would have brought."""
    storm_from: int = 0
    """First and last hour in which the present storm was seen; 0 where there is none."""
    storm_last: int = 0

    @property
    def learnt(self) -> bool:
        """Whether it has been watched long enough for a statistical test."""
        return self.ever >= LEARNT_HOURS

    def rate(self, count: float) -> float:
        """Posts per crawled hour, from one of the decayed sums."""
        return (count + PRIOR_POSTS) / (self.hours + PRIOR_HOURS)


class Baseline(msgspec.Struct):
    """Everything the surge rule remembers of one brand."""

    version: int = 1
    sources: dict[str, SourceLevel] = {}
    season_seen: list[float] = msgspec.field(default_factory=lambda: [0.0] * 48)
    season_expected: list[float] = msgspec.field(default_factory=lambda: [0.0] * 48)


_decoder = msgspec.msgpack.Decoder(Baseline)


def load(blob: bytes | None) -> Baseline:
    """The baseline of a blob; an empty one of None."""
    return _decoder.decode(zlib.decompress(blob)) if blob else Baseline()


def save(baseline: Baseline) -> bytes:
    """The blob of a baseline: same content, same bytes."""
    baseline.sources = dict(sorted(baseline.sources.items()))
    return zlib.compress(msgspec.msgpack.encode(baseline), 6)


def copy(baseline: Baseline) -> Baseline:
    """One of its own, to be kept while the other learns."""
    return _decoder.decode(msgspec.msgpack.encode(baseline))


def bin_of(moment: datetime) -> int:
    """The bin a moment lies in."""
    return int(moment.timestamp()) // STEP


def bin_start(number: int) -> datetime:
    """When a bin begins."""
    return datetime.fromtimestamp(number * STEP, UTC)


@lru_cache(maxsize=65_536)
def slot_of(hour: int, zone: str) -> int:
    """Local hour of the day, plus 24 on Saturdays and Sundays."""
    local = datetime.fromtimestamp(hour * 3600, ZoneInfo(zone))
    return local.hour + (24 if local.weekday() >= 5 else 0)


def exposure(view: SourceView, first: int, last: int, until: int) -> Floats:
    """1 for each bin of ``[first, last)`` that has been crawled completely, else 0."""
    seen = np.zeros(max(0, last - first))
    if view.complete_from is None:
        return seen
    begin = max(first, ceil(view.complete_from.timestamp() / STEP))
    seen[max(0, begin - first) : max(0, until - first)] = 1.0
    for start, end in view.holes:
        low, high = bin_of(start), ceil(end.timestamp() / STEP)
        seen[max(0, low - first) : max(0, high - first)] = 0.0
    return seen


def feed(baseline: Baseline, view: SourceView, until: datetime, cells: Iterable[Cell], zone: str) -> bool:
    """Feed one source's cells up to ``until``; each cell once. False where that source is already fed so far."""
    last = bin_of(until)
    level = baseline.sources.get(view.id)
    fresh = level is None
    cells = list(cells)
    if level is None:
        begin = _begin(view, until, cells)
        level = SourceLevel(until=begin, armed=last, at=begin // HOUR)
    elif last <= level.until:
        return False
    before, level.until = level.until, last
    level.recent = level.recent + [
        (start, cell.negative, cell.negative + cell.neutral + cell.positive, cell.posts)
        for cell in cells
        if (start := bin_of(cell.start)) < last and (fresh or start >= before)
    ]
    _learn(baseline, level, view, before, zone)
    baseline.sources[view.id] = level
    return True


def _begin(view: SourceView, until: datetime, cells: Sequence[Cell]) -> int:
    """From when on a source's silence about the brand means something.

    On a source that has been read for long, a brand seen for the first time was most likely not looked for before.
    """
    last = bin_of(until)
    if view.complete_from is None:
        return last
    begin = min(last, ceil(view.complete_from.timestamp() / STEP))
    if view.first_contact is None or until - view.first_contact < NEWCOMER:
        return begin
    return max(begin, min((bin_of(cell.start) for cell in cells), default=last))


def _learn(baseline: Baseline, level: SourceLevel, view: SourceView, before: int, zone: str) -> None:
    """Teach the hours that are now complete."""
    hours: dict[int, list[int]] = {}
    for start, *counts in level.recent:
        total = hours.setdefault(start // HOUR, [0, 0, 0])
        hours[start // HOUR] = [a + b for a, b in zip(total, counts, strict=True)]
    first, last = before // HOUR, level.until // HOUR
    seen = exposure(view, first * HOUR, last * HOUR, level.until).reshape(-1, HOUR).mean(axis=1)
    for hour in range(first, last):
        if seen[hour - first] > 0:
            _learn_hour(baseline, level, hour, float(seen[hour - first]), hours.get(hour, [0, 0, 0]), zone)


def _learn_hour(
    baseline: Baseline, level: SourceLevel, hour: int, seen: float, counts: Sequence[int], zone: str
) -> None:
    decay = 0.5 ** ((hour - level.at) / LEVEL_HALF_LIFE)
    level.at = hour
    level.hours, level.negative, level.scored, level.posts = (
        value * decay for value in (level.hours, level.negative, level.scored, level.posts)
    )
    negative, scored, posts = counts
    storm = _storm(level, hour, seen, negative, decay)
    if storm and storm < STORM_LASTS:
        level.ever += seen
        return
    if level.ever >= SETTLED_HOURS and not storm:
        kept = _cut(negative, level.rate(level.negative) * seen)
        # Only the surplus of negative ones is taken away, from the wider counts as well.
        scored, posts = scored - (negative - kept), posts - (negative - kept)
        negative = kept
        _learn_season(baseline, hour, posts, level.rate(level.posts) * seen, zone)
    level.hours += seen
    level.ever += seen
    level.negative += negative
    level.scored += scored
    level.posts += posts


def _storm(level: SourceLevel, hour: int, seen: float, negative: int, decay: float) -> int:
    """How many hours a storm has lasted with this one; 0 where none is."""
    fade = decay ** (LEVEL_HALF_LIFE / STORM_HALF_LIFE)
    level.hot = level.hot * fade + negative
    level.hot_usual = level.hot_usual * fade + level.rate(level.negative) * PEAK * seen
    spread = DISPERSION + 1 / (level.negative + 1)
    if level.ever >= STORM_KNOWN_HOURS and nb_tail(int(level.hot), level.hot_usual, spread) < STORM_TAIL:
        level.storm_from, level.storm_last = level.storm_from or hour, hour
    elif hour - level.storm_last >= STORM_PAUSE:
        level.storm_from = level.storm_last = 0
    return hour - level.storm_from + 1 if level.storm_from else 0


def _cut(count: int, mean: float) -> int:
    """At most what the busiest usual hour may bring: a storm cannot become the baseline."""
    busy = mean * PEAK
    return min(count, int(busy + 4 * sqrt(busy + DISPERSION * busy * busy) + 1))


def _learn_season(baseline: Baseline, hour: int, posts: int, mean: float, zone: str) -> None:
    slot, weight = slot_of(hour, zone), 2.0 ** ((hour - SEASON_ANCHOR) / SEASON_HALF_LIFE)
    baseline.season_seen[slot] += weight * _cut(posts, mean)
    baseline.season_expected[slot] += weight * mean


def trim(baseline: Baseline) -> None:
    """Forget recent counts that no window and no unfinished hour needs."""
    if not baseline.sources:
        return
    horizon = max(level.until for level in baseline.sources.values()) - KEPT
    for level in baseline.sources.values():
        keep = min(horizon, level.until // HOUR * HOUR)
        level.recent = sorted(row for row in level.recent if row[0] >= keep)


def season(baseline: Baseline, now: int) -> Floats:
    """48 factors with mean 1 over a week: neighbours weigh .5, the other kind of day .25, shrunk to flat."""
    weight = 2.0 ** ((now // HOUR - SEASON_ANCHOR) / SEASON_HALF_LIFE)
    seen, expected = np.array(baseline.season_seen) / weight, np.array(baseline.season_expected) / weight
    per_hour = sum(level.rate(level.posts) for level in baseline.sources.values())
    shrink = 6 * per_hour + 3
    factors = (_smooth(seen) + shrink) / (_smooth(expected) + shrink)
    mean = (factors[:24].mean() * 5 + factors[24:].mean() * 2) / 7
    return np.asarray(factors / mean)


def _smooth(values: Floats) -> Floats:
    days = values.reshape(2, 24)
    near = days + 0.5 * (np.roll(days, 1, axis=1) + np.roll(days, -1, axis=1))
    return np.asarray((near + 0.25 * days[::-1]).reshape(48))


class Usual:
    """What is usual for a brand, read from its blob."""

    def __init__(self, baseline: Baseline, zone: str, dispersion: float = DISPERSION) -> None:
        self.baseline, self.zone = baseline, zone
        self.now = max((level.until for level in baseline.sources.values()), default=0)
        self._season = season(baseline, self.now) if baseline.sources else np.ones(48)
        self.dispersion = dispersion + 1 / (sum(x.negative for x in baseline.sources.values()) + 4)
        """What is not yet known of the level adds to the spread."""

    @property
    def share(self) -> float:
        """Usual share of negative opinions among scored ones."""
        levels = self.baseline.sources.values()
        negative = sum(level.negative for level in levels) + PRIOR_SHARE * PRIOR_SHARE_N
        return negative / (sum(level.scored for level in levels) + PRIOR_SHARE_N)

    @property
    def watched_days(self) -> float:
        """Days that the longest-watched source has been read completely."""
        return max((level.ever for level in self.baseline.sources.values()), default=0.0) / 24

    def learning(self) -> bool:
        """Whether no source has been watched for seven days."""
        return not any(level.learnt for level in self.baseline.sources.values())

    def expected(self, source: str, first: int, last: int) -> Floats:
        """Negative posts usual in each bin of ``[first, last)`` at full exposure."""
        level = self.baseline.sources.get(source)
        if level is None:
            return np.zeros(max(0, last - first))
        hours = range(first // HOUR, (last - 1) // HOUR + 1)
        factors = np.repeat([self._season[slot_of(hour, self.zone)] for hour in hours], HOUR)
        start = first - hours[0] * HOUR
        return np.asarray(factors[start : start + last - first] * (level.rate(level.negative) / HOUR))

    def negative(self, view: SourceView, start: datetime, end: datetime) -> float:
        """Negative counted posts expected of a source in that span, over the crawled part."""
        first, last = bin_of(start), bin_of(end)
        if last <= first:
            return 0.0
        return float((self.expected(view.id, first, last) * exposure(view, first, last, _until(view))).sum())

    def exposure(self, view: SourceView, start: datetime, end: datetime) -> float:
        """Share of that span that has been crawled."""
        return exposed_share(view, start, end)


def exposed_share(view: SourceView, start: datetime, end: datetime) -> float:
    """Share of a span that has been crawled, 0..1."""
    seen = exposure(view, bin_of(start), bin_of(end), _until(view))
    return float(seen.mean()) if len(seen) else 0.0


def _until(view: SourceView) -> int:
    return bin_of(view.watermark) if view.watermark else 0


def read(blob: bytes | None, zone: str, dispersion: float = DISPERSION) -> Usual:
    """What is usual, from a blob."""
    return Usual(load(blob), zone, dispersion)


def views(sources: Iterable[SourceView]) -> Mapping[str, SourceView]:
    """By id."""
    return {view.id: view for view in sources}
