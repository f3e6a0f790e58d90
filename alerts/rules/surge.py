"""Rule ``surge``: more critical posts than this brand sees at these hours, by too many persons to be chance.

A first simple form of the detector: expected counts from ``alerts.baseline`` (level per source × season), tail of a
negative binomial over windows of 15 min, 1 h and 3 h that end at each newly fed bin, a test of the negative share so
that friendly volume is no surge, and a return period.

Return period in days: ``1 / (p · looks)`` with ``looks = 3 windows × 2 · 24 h / window``. Overlapping windows are
counted as if two in each window's length were independent, and the three lengths as if they were independent of one
another: that errs on the side of a shorter period, so of fewer alerts. What is said of it is at most ten times the span
that the longest-watched source was read.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from alerts.baseline import (
    HOUR,
    KEPT,
    Baseline,
    SourceLevel,
    Usual,
    bin_of,
    bin_start,
    copy,
    exposure,
    feed,
    load,
    read,
    save,
    trim,
    views,
)
from alerts.detection import beta_binomial_tail, nb_tail, usual_range
from alerts.rule import Alert, Cell, Critic, Evidence, Needs, SourceView

WINDOWS = (3, HOUR, 3 * HOUR)
"""In bins: 15 minutes, one hour, three hours."""
SHARE_CONCENTRATION = 20.0
"""How much the share wanders by itself: Beta with the weight of so many opinions."""
SHARE_LEVEL = 0.01
RAREST_DAYS = 3650.0
"""Beyond ten years the model says no more than "practically never"; of such windows the most concentrated speaks."""
CARRIES = 10.0
"""A return period is said up to so many times what has been watched: two weeks carry no word about decades."""
LOWER_BOUND_STATES = frozenset({"late", "behind", "blind"})
Ints = NDArray[np.int64]


class SurgeOptions(BaseModel):
    """Options of ``surge``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_posts: int = Field(5, ge=1, description="Fewer critical posts in a window are no surge.")
    min_persons: int = Field(5, ge=1, description="Fewer critical persons in a window are no surge.")
    return_period_days: float = Field(30.0, gt=0, description="How rare it must be: once in so many days, or rarer.")
    dispersion: float = Field(0.25, ge=0, description="How unsteady ordinary traffic is: variance = m + dispersion·m².")
    learning_posts: int = Field(15, ge=1, description="Critical posts in a window that count as surge while learning.")
    learning_persons: int = Field(10, ge=1, description="Critical persons that count as surge while learning.")


class _Window:
    """One tested window and what came of it."""

    def __init__(
        self, end: int, width: int, observed: int, scored: int, expected: float, persons: int, period: float | None
    ) -> None:
        self.end, self.width, self.observed, self.scored = end, width, observed, scored
        self.expected, self.persons, self.period = expected, persons, period

    @property
    def rank(self) -> tuple[float, float, int]:
        """Rarest first; of equals the greater ratio, then the shorter window."""
        return min(self.period or 0.0, RAREST_DAYS), self.observed / max(self.expected, 0.1), -self.width


class _Series:
    """Aligned counts of a set of sources over the bins ``[first, last)``."""

    def __init__(self, first: int, last: int) -> None:
        self.first, self.last = first, last
        self.negative = np.zeros(last - first, np.int64)
        self.scored = np.zeros(last - first, np.int64)
        self.expected = np.zeros(last - first)
        self.counted: dict[str, int] = {}
        """source → bin before which its critics count."""
        self.armed: dict[str, int] = {}

    def add(self, source: str, armed: int, until: int, rows: Iterable[tuple[int, int, int, int]], mean: Any) -> None:
        """Join one source: its counts in ``[armed, until)`` and what is expected of it."""
        self.counted[source], self.armed[source] = until, armed
        self.expected += mean
        for start, negative, scored, _ in rows:
            if max(self.first, armed) <= start < min(self.last, until):
                self.negative[start - self.first] += negative
                self.scored[start - self.first] += scored

    def sums(self, end: int, width: int) -> tuple[int, int, float]:
        """(negative, scored, expected) over ``width`` bins before ``end``."""
        span = slice(end - width - self.first, end - self.first)
        return int(self.negative[span].sum()), int(self.scored[span].sum()), float(self.expected[span].sum())

    def persons(self, critics: Sequence[Critic], end: int, width: int) -> int:
        """Distinct critical persons of exactly that window, of the sources that were counted."""
        return len(
            {
                critic.person
                for critic in critics
                if critic.source in self.counted
                and end - width <= (at := bin_of(critic.start)) < min(end, self.counted[critic.source])
                and at >= self.armed[critic.source]
            }
        )


class Surge:
    """See the module."""

    name: ClassVar[str] = "surge"
    version: ClassVar[int] = 1
    description: ClassVar[str] = "Clearly more critical posts, by more persons, than usual at these hours."
    example: ClassVar[str] = '[rules.surge]\nrule = "surge"\nmin_persons = 5\nreturn_period_days = 30\n'
    Options: ClassVar[type[BaseModel]] = SurgeOptions

    def __init__(self, options: SurgeOptions | None = None) -> None:
        self.options = options or SurgeOptions()

    @property
    def needs(self) -> Needs:
        return Needs(cells=True)

    def usual(self, state: bytes | None, zone: str) -> Usual:
        """What is usual for the brand, for level, mail and pages."""
        return read(state, zone, self.options.dispersion)

    def slack(self, state: bytes | None, evidence: Evidence) -> int:
        """What a window must hold at least, less all that could still lie in one."""
        unfed = sum(cell.negative for cell in evidence.open)
        return max(0, self._least - _critical(load(state)) - unfed)

    @property
    def _least(self) -> int:
        """Critical posts without which no window fires, learned or not."""
        return max(self.options.min_posts, self.options.min_persons)

    def evaluate(self, state: bytes | None, evidence: Evidence, now: datetime) -> tuple[bytes | None, list[Alert]]:
        baseline, known = load(state), views(evidence.sources)
        fed = self._learn_quiet(baseline, known, evidence)
        before = {source: level.until for source, level in baseline.sources.items()}
        usual = Usual(copy(baseline), evidence.zone, self.options.dispersion)
        fed = _feed_all(baseline, known, evidence) or fed
        trim(baseline)
        last = _last_bin(baseline, known, evidence, now)
        alerts = []
        if last and before:
            alerts = self._look(baseline, usual, known, evidence, before, last)
        return (save(baseline) if fed else state), alerts

    def _learn_quiet(self, baseline: Baseline, known: Mapping[str, SourceView], evidence: Evidence) -> bool:
        """Feed hours on which no window can fire before the rest is tested: it must not matter how seldom one looks."""
        until = {
            source: hour
            for source, end in evidence.final_until.items()
            if (level := baseline.sources.get(source)) and bin_of(hour := _hour_before(end)) > level.until
        }
        cells = [cell for cell in evidence.final if cell.source in until and cell.start < until[cell.source]]
        found = sum(cell.negative for cell in (*cells, *evidence.open))
        if not until or _critical(baseline) + found >= self._least:
            return False
        return _feed_all(baseline, known, msgspec.structs.replace(evidence, final=cells, final_until=until))

    def _look(
        self,
        baseline: Baseline,
        usual: Usual,
        known: Mapping[str, SourceView],
        evidence: Evidence,
        before: Mapping[str, int],
        last: int,
    ) -> list[Alert]:
        """Test every window that ends in what is new; at most one alert, the rarest of the newest end that fires."""
        learnt, young = _series(baseline, usual, known, evidence, last)
        for end in range(last, _oldest_end(baseline, before, last) - 1, -1):
            firing = self._firing(learnt, evidence, usual, end, self._rare)
            learning = not firing
            if learning:
                firing = self._firing(young, evidence, usual, end, self._loud)
            if firing:
                return [self._alert(max(firing, key=lambda x: x.rank), usual, evidence.brand, learning)]
        return []

    def _firing(self, series: _Series, evidence: Evidence, usual: Usual, end: int, test: Any) -> list[_Window]:
        found = []
        for width in WINDOWS:
            if end - width < series.first:
                continue
            observed, scored, expected = series.sums(end, width)
            if observed < self.options.min_posts:
                continue
            persons = series.persons(evidence.critics, end, width)
            window = _Window(end, width, observed, scored, expected, persons, None)
            if persons >= self.options.min_persons and test(window, usual) and _more_negative(window, usual):
                found.append(window)
        return found

    def _rare(self, window: _Window, usual: Usual) -> bool:
        """Whether so many come up by chance only once in the configured number of days."""
        window.period = return_period(window.observed, window.expected, usual.dispersion, window.width)
        return self._is_rare(window.observed, window, usual)

    def _loud(self, window: _Window, usual: Usual) -> bool:
        """Without a baseline: an absolute threshold, and three times what little is known."""
        enough = max(self.options.learning_posts, 3 * window.expected)
        return window.observed >= enough and window.persons >= self.options.learning_persons

    def _alert(self, window: _Window, usual: Usual, brand: str, learning: bool) -> Alert:
        low, high = usual_range(window.expected, usual.dispersion)
        start, end = bin_start(window.end - window.width), bin_start(window.end)
        numbers = {
            "observed": window.observed,
            "persons": window.persons,
            "expected": round(window.expected, 1),
            "low": low,
            "high": high,
            "minutes": window.width * 5,
        }
        period = None if window.period is None else min(window.period, CARRIES * usual.watched_days)
        reasons: list[tuple[str, Mapping[str, Any]]] = [
            ("rules.surge.learning" if learning else "rules.surge.volume", numbers)
        ]
        if period is not None:
            reasons.append(_rarity(period))
        share = {"n": window.scored, "observed": window.observed, "usual": round(100 * usual.share)}
        reasons.append(("rules.surge.part", share))
        reasons.append(("rules.surge.silent", self._silent(window, usual, learning)))
        return Alert(
            rule=self.name,
            version=self.version,
            stream=brand,
            key=end.isoformat(),
            brand=brand,
            at=end,
            window_start=start,
            window_end=end,
            observed=window.observed,
            expected=window.expected,
            low=low,
            high=high,
            return_period_days=period,
            reasons=tuple(reasons),
        )

    def _silent(self, window: _Window, usual: Usual, learning: bool) -> Mapping[str, Any]:
        """With fewer posts or fewer persons than these, the rule would not have fired for that window."""
        options = self.options
        if learning:
            posts = max(options.min_posts, options.learning_posts, ceil(3 * window.expected))
            return {"n": posts, "persons": max(options.min_persons, options.learning_persons)}
        counts = range(options.min_posts, window.observed)
        rare = bisect_left(counts, True, key=lambda posts: self._is_rare(posts, window, usual))
        return {"n": options.min_posts + rare, "persons": options.min_persons}

    def _is_rare(self, posts: int, window: _Window, usual: Usual) -> bool:
        period = return_period(posts, window.expected, usual.dispersion, window.width)
        return period >= self.options.return_period_days


def return_period(observed: int, expected: float, dispersion: float, width: int) -> float:
    """Days between two such windows by chance alone; see the module."""
    tail = max(nb_tail(observed, expected, dispersion), 1e-12)
    looks = len(WINDOWS) * 2 * 24 * HOUR / width
    return 1 / (tail * looks)


def _rarity(days: float) -> tuple[str, Mapping[str, Any]]:
    if days >= RAREST_DAYS:
        return "rules.surge.never", {"years": round(RAREST_DAYS / 365)}
    return "rules.surge.period", {"days": round(days), "n": round(days)}


def _more_negative(window: _Window, usual: Usual) -> bool:
    """Whether the share is raised too; more of everything is attention, not a surge of criticism."""
    if usual.share > 0.5:
        return True
    return beta_binomial_tail(window.observed, window.scored, usual.share, SHARE_CONCENTRATION) < SHARE_LEVEL


def _feed_all(baseline: Baseline, known: Mapping[str, SourceView], evidence: Evidence) -> bool:
    by_source: dict[str, list[Cell]] = {}
    for cell in evidence.final:
        by_source.setdefault(cell.source, []).append(cell)
    fed = [
        feed(baseline, known[source], until, by_source.get(source, ()), evidence.zone)
        for source, until in sorted(evidence.final_until.items())
        if source in known
    ]
    return any(fed)


def _last_bin(baseline: Baseline, known: Mapping[str, SourceView], evidence: Evidence, now: datetime) -> int:
    """End of what is known: fed cells, and unfed ones of sources that are not well."""
    ends = [level.until for level in baseline.sources.values()]
    ends += [bin_of(cell.start) + 1 for cell in evidence.open if _lower_bound(known.get(cell.source))]
    return min(max(ends, default=0), bin_of(now) + 1)


def _lower_bound(view: SourceView | None) -> bool:
    return view is not None and view.state in LOWER_BOUND_STATES


def _oldest_end(baseline: Baseline, before: Mapping[str, int], last: int) -> int:
    """The first window end that may have changed; a new source's first contact changes none."""
    moved = [before[s] for s, level in baseline.sources.items() if s in before and level.until > before[s]]
    return max(min(moved, default=last) + 1, last - KEPT + WINDOWS[0]) if moved else last


def _series(
    baseline: Baseline, usual: Usual, known: Mapping[str, SourceView], evidence: Evidence, last: int
) -> tuple[_Series, _Series]:
    """Counts and expectation over the last 12 h: of learned sources, and of those still being learned."""
    learnt, young = _Series(last - KEPT, last), _Series(last - KEPT, last)
    for source, level in baseline.sources.items():
        view = known.get(source)
        if view is None or view.complete_from is None:
            continue
        series = learnt if level.learnt else young
        rows, until = list(level.recent), level.until
        if _lower_bound(view):
            rows += [_row(cell) for cell in evidence.open if cell.source == source and bin_of(cell.start) >= until]
            until = last
        series.add(source, level.armed, until, rows, _mean(series, level, view, usual, rows, until))
    return learnt, young


def _mean(
    series: _Series,
    level: SourceLevel,
    view: SourceView,
    usual: Usual,
    rows: Sequence[tuple[int, int, int, int]],
    until: int,
) -> NDArray[np.float64]:
    """Expectation per bin: nothing before the source was armed; in full where a hole shows posts all the same."""
    seen = exposure(view, series.first, series.last, until)
    for start, *_ in rows:
        if series.first <= start < min(series.last, until):
            seen[start - series.first] = 1.0
    seen[: max(0, level.armed - series.first)] = 0.0
    return np.asarray(usual.expected(view.id, series.first, series.last) * seen)


def _critical(baseline: Baseline) -> int:
    """Critical posts that a window may still hold."""
    levels = baseline.sources.values()
    return sum(row[1] for level in levels for row in level.recent if row[0] >= level.armed)


def _hour_before(end: datetime) -> datetime:
    """Start of the hour that the last bin before this lies in."""
    return bin_start((bin_of(end) - 1) // HOUR * HOUR)


def _row(cell: Cell) -> tuple[int, int, int, int]:
    return bin_of(cell.start), cell.negative, cell.negative + cell.neutral + cell.positive, cell.posts


WINDOW_LENGTHS = tuple(timedelta(minutes=5 * width) for width in WINDOWS)
