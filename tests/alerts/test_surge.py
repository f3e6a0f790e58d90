"""The surge rule on simulated weeks: quiet stays quiet, a surge is found, order and repetition change nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts import baseline
from alerts.detection import nb_tail
from alerts.rule import Alert, Critic, Evidence, SourceView
from alerts.rules.surge import Surge, SurgeOptions, _Window, return_period
from pipeline.store.protocol import BIN, Cell

START = datetime(2026, 9, 7, tzinfo=UTC)
DAY = 288
BACK = 14 * DAY


class Traffic:
    """Weeks of seasonal, over-dispersed traffic of two sources in 5-minute cells."""

    def __init__(self, per_hour: float, days: int, seed: int) -> None:
        self.draw = np.random.default_rng(seed)
        bins = days * DAY
        hours, weekday = np.arange(bins) // 12 % 24, np.arange(bins) // DAY % 7
        shape = (1 + 0.7 * np.sin((hours - 9) / 12 * np.pi)) * np.where(weekday >= 5, 0.6, 1)
        self.shape = shape / shape.mean()
        unsteady = np.repeat(self.draw.gamma(6, 1 / 6, bins // 12), 12)
        self.negative = self.draw.poisson(per_hour / 12 * self.shape * unsteady)
        self.other = self.draw.poisson(3 * per_hour / 12 * self.shape * unsteady)
        self.per_hour = per_hour

    def surge(self, at: int, factor: float, hours: int = 3) -> None:
        span = slice(at, at + 12 * hours)
        self.negative[span] = self.draw.poisson(self.per_hour / 12 * self.shape[span] * factor)

    def friendly(self, at: int, factor: float) -> None:
        span = slice(at, at + 36)
        self.other[span] = self.draw.poisson(3 * self.per_hour / 12 * self.shape[span] * factor)

    def cell(self, number: int) -> Cell:
        negative, other = int(self.negative[number]), int(self.other[number])
        source = ("forum", "portal")[number % 2]
        start = START + BIN * number
        return Cell(brand="x", source=source, start=start, posts=negative + other, negative=negative, neutral=other)

    def watch(self, step: int = 6, rule: Surge | None = None) -> list[Alert]:
        """Back-fill two weeks, then live, looking every ``step`` bins."""
        rule, state, found, fed = rule or Surge(), None, [], 0
        for end in range(BACK, len(self.negative) + 1, step):
            cells = [self.cell(number) for number in range(fed, end)]
            cells = [cell for cell in cells if cell.posts]
            state, alerts = rule.evaluate(state, evidence(cells, at(end), critics=self.critics(end)), at(end))
            found, fed = found + alerts, end
        assert state is not None and len(state) <= 8192
        return found

    def critics(self, end: int) -> list[Critic]:
        return [critic for number in range(end - 36, end) for critic in critics_of(self.cell(number))]


def at(number: int) -> datetime:
    return START + BIN * number


def critics_of(cell: Cell, persons: int = 10_000) -> list[Critic]:
    return [
        Critic(start=cell.start, source=cell.source, person=f"{cell.start} {number % persons}")
        for number in range(cell.negative)
    ]


def view(source: str, until: datetime, state: str = "healthy", begin: datetime = START) -> SourceView:
    return SourceView(id=source, state=state, channel="forum", complete_from=begin, watermark=until)


def evidence(
    cells: Sequence[Cell],
    until: datetime,
    *,
    critics: Sequence[Critic] | None = None,
    ends: Mapping[str, datetime] | None = None,
    states: Mapping[str, str] | None = None,
    opened: Sequence[Cell] = (),
) -> Evidence:
    ends = ends if ends is not None else {"forum": until, "portal": until}
    views = [view(s, ends.get(s, START), (states or {}).get(s, "healthy")) for s in ("forum", "portal")]
    voices = critics if critics is not None else [c for cell in (*cells, *opened) for c in critics_of(cell)]
    return Evidence(brand="x", final=cells, final_until=ends, sources=views, critics=voices, open=opened)


def episodes(alerts: Sequence[Alert]) -> int:
    return sum(i == 0 or a.at - alerts[i - 1].at > timedelta(hours=6) for i, a in enumerate(alerts))


@pytest.mark.parametrize("per_hour", [0.5, 2.0, 5.0])
def test_weeks_of_quiet_give_almost_no_alert(per_hour: float) -> None:
    found = episodes(Traffic(per_hour, days=14 + 30, seed=11).watch())
    assert found <= 1


@pytest.mark.parametrize("per_hour", [1.0, 5.0])
def test_a_fivefold_surge_by_day_is_found(per_hour: float) -> None:
    traffic, begin = Traffic(per_hour, days=19, seed=5), 17 * DAY + 12 * 12
    traffic.surge(begin, 5)
    hits = [alert for alert in traffic.watch(step=3) if alert.at > at(begin)]
    assert hits
    assert hits[0].at <= at(begin) + timedelta(hours=3)
    assert hits[0].observed > hits[0].high
    assert (hits[0].return_period_days or 0) >= 30
    assert hits[0].key == hits[0].window_end.isoformat()


def test_what_is_said_of_rarity_is_at_most_ten_times_what_was_watched() -> None:
    traffic, begin = Traffic(1.0, days=15, seed=5), 14 * DAY + 12 * 12
    traffic.surge(begin, 40)
    hits = [alert for alert in traffic.watch(step=3) if alert.at > at(begin)]
    rarest = max(alert.return_period_days or 0.0 for alert in hits)
    assert 139 < rarest <= 10 * 15
    assert all(dict(alert.reasons)["rules.surge.period"]["days"] <= 150 for alert in hits)


def test_more_of_everything_is_attention_and_no_surge() -> None:
    traffic, begin = Traffic(2.0, days=19, seed=5), 17 * DAY + 12 * 12
    traffic.friendly(begin, 9)
    traffic.surge(begin, 6)
    assert [alert for alert in traffic.watch(step=3) if alert.at > at(begin)] == []


def learnt() -> tuple[bytes, datetime]:
    """The state after two steady weeks, one critical and two other posts every two hours."""
    cells = [
        Cell(brand="x", source=("forum", "portal")[n % 2], start=at(n), posts=3, negative=1, neutral=2)
        for n in range(0, BACK, 23)
    ]
    state, alerts = Surge().evaluate(None, evidence(cells, at(BACK)), at(BACK))
    assert alerts == [] and state is not None
    return state, at(BACK)


def burst(start: datetime, posts: int = 12, source: str = "forum") -> list[Cell]:
    return [Cell(brand="x", source=source, start=start + BIN * n, posts=2, negative=2) for n in range(posts // 2)]


def test_too_few_persons_raise_nothing() -> None:
    state, now = learnt()
    cells, end = burst(now), now + timedelta(hours=1)
    two = [Critic(start=c.start, source=c.source, person=f"p{n % 2}") for c in cells for n in range(c.negative)]
    assert Surge().evaluate(state, evidence(cells, end, critics=two), end)[1] == []
    (alert,) = Surge().evaluate(state, evidence(cells, end), end)[1]
    assert (alert.observed, alert.window_end) == (12, end)


def test_the_same_evidence_gives_the_same_bytes_and_cells_are_fed_once() -> None:
    state, now = learnt()
    end = now + timedelta(hours=1)
    given = evidence(burst(now), end)
    once, first = Surge().evaluate(state, given, end)
    again, second = Surge().evaluate(state, given, end)
    assert (once, first) == (again, second)
    twice, _ = Surge().evaluate(once, given, end)
    assert twice == once


@given(
    counts=st.lists(st.integers(0, 6), min_size=12, max_size=36),
    cut=st.integers(1, 11),
    forum_first=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_the_order_of_sources_and_of_ticks_is_irrelevant(counts: list[int], cut: int, forum_first: bool) -> None:
    state, now = learnt()
    cells = [
        Cell(brand="x", source=("forum", "portal")[n % 2], start=now + BIN * n, posts=k, negative=k)
        for n, k in enumerate(counts)
        if k
    ]
    end, middle = now + BIN * len(counts), now + BIN * cut
    rule = Surge()
    together, _ = rule.evaluate(state, evidence(cells, end), end)
    apart: bytes | None = state
    for source in ("forum", "portal") if forum_first else ("portal", "forum"):
        mine = [cell for cell in cells if cell.source == source]
        early = [cell for cell in mine if cell.start < middle]
        late = [cell for cell in mine if cell.start >= middle]
        apart, _ = rule.evaluate(apart, evidence(early, middle, ends={source: middle}), end)
        apart, _ = rule.evaluate(apart, evidence(late, end, ends={source: end}), end)
    a, b = baseline.load(together), baseline.load(apart)
    assert a.sources == b.sources
    assert np.allclose(a.season_seen, b.season_seen) and np.allclose(a.season_expected, b.season_expected)


def test_unfed_cells_of_a_blind_source_raise_and_do_not_teach() -> None:
    state, now = learnt()
    end = now + timedelta(hours=1)
    unfed = burst(now, source="portal")
    blind = evidence([], end, ends={"forum": end}, states={"portal": "blind"}, opened=unfed)
    after, (alert,) = Surge().evaluate(state, blind, end)
    assert alert.observed == 12
    old, new = baseline.load(state).sources["portal"], baseline.load(after).sources["portal"]
    assert (old.until, old.negative, old.hours) == (new.until, new.negative, new.hours)
    healthy = evidence([], end, ends={"forum": end}, opened=unfed)
    assert Surge().evaluate(state, healthy, end)[1] == []


def test_a_storm_does_not_become_the_baseline() -> None:
    state, now = learnt()
    before = baseline.read(state, "Europe/Berlin").expected("forum", 0, 12).sum()
    end = now + timedelta(hours=10)
    storm = [Cell(brand="x", source="forum", start=now + BIN * n, posts=20, negative=20) for n in range(120)]
    after, alerts = Surge().evaluate(state, evidence(storm, end), end)
    level = baseline.load(after).sources["forum"]
    assert alerts
    assert level.negative < baseline.load(state).sources["forum"].negative + 50  # of 2,400
    assert baseline.read(after, "Europe/Berlin").expected("forum", 0, 12).sum() < before + 0.3


def level_after(per_hour: float, storm: float, days: int) -> tuple[float, float, float]:
    """Critical posts per hour held usual before that many days of storm, after 71 hours of it, and at the end."""
    draw, state, rates = np.random.default_rng(1), None, []
    counts = [*draw.poisson(per_hour / 12, BACK).tolist(), *draw.poisson(storm / 12, days * DAY).tolist()]
    cells = [
        Cell(brand="x", source="forum", start=at(n), posts=2 * k, negative=k, neutral=k)
        for n, k in enumerate(counts)
        if k
    ]
    fed = 0
    for end in (BACK, min(BACK + 71 * 12, len(counts)), len(counts)):
        new = [cell for cell in cells if at(fed) <= cell.start < at(end)]
        state, _ = Surge().evaluate(state, evidence(new, at(end), critics=[], ends={"forum": at(end)}), at(end))
        level = baseline.load(state).sources["forum"]
        rates.append(level.rate(level.negative))
        fed = end
    return rates[0], rates[1], rates[2]


@pytest.mark.parametrize(("per_hour", "storm"), [(0.1, 2.0), (0.2, 3.0), (0.5, 4.0), (2.0, 12.0)])
def test_the_storm_of_a_small_brand_teaches_next_to_nothing(per_hour: float, storm: float) -> None:
    before, _, after = level_after(per_hour, storm, days=2)
    assert per_hour / 2 < before < after + 0.05
    assert after < 1.3 * before + 0.05


def test_what_lasts_for_three_days_is_the_new_usual() -> None:
    before, nearly, after = level_after(0.2, 10.0, days=10)
    assert nearly < before + 0.05
    assert after > 4


def test_an_ordinary_busy_day_does_not_stop_the_learning() -> None:
    traffic = Traffic(2.0, days=28, seed=9)
    cells = [cell for number in range(28 * DAY) if (cell := traffic.cell(number)).posts]
    state, _ = Surge().evaluate(None, evidence(cells, at(28 * DAY), critics=[]), at(28 * DAY))
    learned = baseline.load(state).sources.values()
    assert sum(level.rate(level.negative) for level in learned) == pytest.approx(traffic.negative.mean() * 12, rel=0.2)
    assert all(level.hours > 0.9 * 168 for level in learned)


def test_a_hole_counts_for_nothing_where_nothing_was_seen() -> None:
    state, now = learnt()
    end = now + timedelta(hours=3)
    full, holed = view("forum", end), view("forum", end)
    holed = SourceView(**{**{f: getattr(holed, f) for f in holed.__struct_fields__}, "holes": ((now, end),)})
    usual = Surge().usual(state, "Europe/Berlin")
    assert usual.negative(full, now, end) > 0.4
    assert usual.negative(holed, now, end) == 0
    assert (usual.exposure(full, now, end), usual.exposure(holed, now, end)) == (1, 0)


def test_while_learning_only_absolute_numbers_count() -> None:
    rule, begin = Surge(), START
    views = [view("forum", begin + timedelta(days=1), begin=begin)]
    first = Evidence(brand="x", final_until={"forum": begin + timedelta(days=1)}, sources=views)
    state, _ = rule.evaluate(None, first, begin + timedelta(days=1))
    now = begin + timedelta(days=1)
    for posts, fires in ((12, False), (24, True)):
        end = now + timedelta(hours=1)
        cells = [Cell(brand="x", source="forum", start=now + BIN * n, posts=2, negative=2) for n in range(posts // 2)]
        given = Evidence(
            brand="x",
            final=cells,
            final_until={"forum": end},
            sources=[view("forum", end, begin=begin)],
            critics=[c for cell in cells for c in critics_of(cell)],
        )
        alerts = rule.evaluate(state, given, end)[1]
        assert bool(alerts) is fires
        assert all(alert.return_period_days is None for alert in alerts)


def test_fifteen_dense_sources_fit_into_the_blob() -> None:
    draw = np.random.default_rng(3)
    names = [f"source-number-{n}" for n in range(15)]
    end = at(BACK)
    cells = [
        Cell(brand="x", source=name, start=at(n), posts=int(k) + 2, negative=int(k), neutral=1)
        for name in names
        for n, k in zip(range(BACK - 200, BACK), draw.poisson(3, 200), strict=True)
    ]
    views = [view(name, end) for name in names]
    state, _ = Surge().evaluate(
        None, Evidence(brand="x", final=cells, final_until=dict.fromkeys(names, end), sources=views), end
    )
    assert state is not None and len(state) <= 8192


def test_return_period_is_the_documented_formula() -> None:
    looks = 3 * 2 * 24
    assert return_period(20, 4.0, 0.25, 12) == pytest.approx(1 / (nb_tail(20, 4.0, 0.25) * looks))
    assert return_period(20, 4.0, 0.25, 36) == pytest.approx(3 / (nb_tail(20, 4.0, 0.25) * looks))


def test_options_are_checked() -> None:
    with pytest.raises(ValueError):
        SurgeOptions.model_validate({"min_person": 3})


def test_a_brand_added_later_is_learned_from_its_first_mention() -> None:
    """Silence before the brand was in the configuration teaches nothing; at a new source it does."""
    end = at(BACK)
    found = {}
    for age in (60, 0.1):
        contact = end - timedelta(days=age)
        views = [
            SourceView(
                id="forum", state="healthy", channel="forum", complete_from=START, watermark=end, first_contact=contact
            )
        ]
        state, _ = Surge().evaluate(None, Evidence(brand="x", final_until={"forum": end}, sources=views), end)
        found[age] = Surge().usual(state, "Europe/Berlin").learning()
    assert found == {60: True, 0.1: False}


def test_it_says_below_what_it_would_have_stayed_silent() -> None:
    traffic = Traffic(2.0, 16, seed=4)
    traffic.surge(BACK + 60, 12)
    rule = Surge()
    alerts = traffic.watch(rule=rule)
    assert alerts
    for alert in alerts:
        said = dict(alert.reasons)
        numbers, silent = said["rules.surge.volume"], said["rules.surge.silent"]
        assert rule.options.min_posts <= silent["n"] <= numbers["observed"]
        assert silent["persons"] == rule.options.min_persons
        assert said["rules.surge.part"]["observed"] == numbers["observed"] <= said["rules.surge.part"]["n"]
    options = SurgeOptions(min_posts=2)
    for width, expected, dispersion in ((3, 0.2, 0.3), (36, 4.0, 0.25)):
        window = _Window(400, width, 60, 60, expected, 50, None)
        usual = type("Known", (), {"dispersion": dispersion})()
        least = Surge(options)._silent(window, usual, learning=False)["n"]
        assert return_period(least, expected, dispersion, width) >= options.return_period_days
        assert least == 2 or return_period(least - 1, expected, dispersion, width) < options.return_period_days
