"""The pace of a source: bounds, direction, night, and when silence is odd."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import pace

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
SPANS = st.timedeltas(timedelta(0), timedelta(days=90))
USUAL = timedelta(minutes=10)


@given(st.none() | SPANS, SPANS, SPANS, st.booleans(), st.timedeltas(timedelta(0), timedelta(hours=30)))
def test_pace_stays_within_its_bounds(
    gap: timedelta | None, usual: timedelta, quiet: timedelta, night: bool, floor: timedelta
) -> None:
    every = pace.pace(gap, usual, quiet=quiet, night=night, floor=floor)
    assert max(pace.SHORTEST, floor) <= every <= max(pace.LONGEST, floor)


@given(SPANS, SPANS, SPANS)
def test_rarer_quieter_and_night_are_never_faster(gap: timedelta, more: timedelta, quiet: timedelta) -> None:
    every = pace.pace(gap, USUAL, quiet=quiet)
    assert pace.pace(gap + more, USUAL, quiet=quiet) >= every
    assert pace.pace(gap, USUAL, quiet=quiet + more) >= every
    assert pace.pace(gap, USUAL, quiet=quiet, night=True) >= every


def test_half_the_gap_and_the_usual_at_first() -> None:
    assert pace.pace(None, USUAL) == USUAL
    assert pace.pace(timedelta(hours=4), USUAL) == timedelta(hours=2)
    assert pace.pace(timedelta(hours=4), USUAL, night=True) == timedelta(hours=4)
    assert pace.pace(timedelta(hours=4), USUAL, quiet=timedelta(hours=32)) == timedelta(hours=4)
    assert pace.pace(timedelta(seconds=3), USUAL, floor=timedelta(minutes=7)) == timedelta(minutes=7)


@given(st.lists(st.integers(0, 10_000), max_size=40), st.integers(1, 10_000))
def test_smoothing_knows_no_order_and_stays_among_what_was_seen(minutes: list[int], known: int) -> None:
    times = [NOW + timedelta(minutes=minute) for minute in minutes]
    gap = pace.smoothed(timedelta(minutes=known), NOW, times)
    assert gap == pace.smoothed(timedelta(minutes=known), NOW, reversed(times))
    assert gap is not None and timedelta(0) <= gap <= max(timedelta(minutes=known), timedelta(minutes=10_000))


def test_smoothing_follows_a_storm_and_forgets_it() -> None:
    hourly = pace.smoothed(None, None, [NOW + timedelta(hours=n) for n in range(50)])
    assert hourly == timedelta(hours=1)
    storm = pace.smoothed(hourly, NOW, [NOW + timedelta(seconds=10 * n) for n in range(1, 60)])
    assert storm is not None and storm < timedelta(minutes=1)
    assert pace.smoothed(hourly, NOW, [NOW, NOW - timedelta(days=1)]) == hourly
    one_quiet_week = pace.smoothed(hourly, NOW, [NOW + timedelta(days=7)])
    assert one_quiet_week is not None and one_quiet_week < timedelta(hours=2)


@pytest.mark.parametrize(("hour", "night"), [(22, False), (23, True), (3, True), (5, False)])
def test_night_is_that_of_the_source(hour: int, night: bool) -> None:
    assert pace.is_night(NOW.replace(hour=hour), ZoneInfo("Europe/Berlin")) is night


def test_silence_is_far_beyond_what_is_usual_and_never_of_what_is_seldom() -> None:
    start, gap = NOW - timedelta(days=50), timedelta(hours=4)
    usual = pace.expected(gap, start, NOW, 300)
    assert usual == gap and pace.is_silent(usual, timedelta(days=9))
    assert not pace.is_silent(usual, timedelta(days=2, hours=23))
    assert pace.expected(timedelta(minutes=1), start, NOW, 300) == gap  # a storm is not what is usual
    assert pace.expected(timedelta(days=2), start, NOW, 300) is None
    assert pace.expected(gap, start, NOW, 19) is None
    assert pace.expected(gap, None, NOW, 300) is None
    assert not pace.is_silent(None, timedelta(days=900))


def test_a_floor_lets_all_sources_of_a_host_stay_within_its_budget() -> None:
    assert pace.floor_of(6, 10, 1200) == timedelta(minutes=3)
    assert pace.floor_of(0, 0, None) == pace.SHORTEST


def test_spans_in_words() -> None:
    said = [pace.roughly(timedelta(hours=hours)) for hours in (216, 4, 1, 1 / 60, 0)]
    assert said == ["9 days", "4 hours", "60 minutes", "1 minute", "1 minute"]
