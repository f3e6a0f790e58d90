"""Points, necessary conditions, hysteresis."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.windforce import CALM_HOURS, CUTS, Calm, Force, Signs, by_points, force, held, missing, points, settle
from pipeline.i18n import Speech

NOW = datetime(2026, 11, 20, 9, 20, tzinfo=UTC)


def signs(**over: Any) -> Signs:
    """Thirty persons in two channels within three hours, 1.5 usual."""
    return Signs(
        **{
            "observed": 30,
            "expected": 1.5,
            "persons": 30,
            "new_persons": 30,
            "persons_day": 30,
            "channels": 2,
            "outlets": 0,
            "share": 0.71,
            "share_persons": 0.7,
            "usual_share": 0.18,
            "previous": 2,
            "return_period_days": 94.0,
            **over,
        }
    )


def test_points_by_hand() -> None:
    assert points(signs()) == {
        "intensity": 23.1,
        "width": 6.8,
        "spread": 5.0,
        "media": 0.0,
        "majority": 8.0,
        "growth": 5.0,
    }
    assert force(signs()).points == 47.9
    assert force(signs()).level == 3


def test_calm_is_zero() -> None:
    quiet = signs(observed=1, persons=1, new_persons=1, persons_day=2, channels=0, share=None, return_period_days=None)
    assert force(quiet).level == 0
    assert by_points(5.9) == 0 and by_points(6) == 1 and by_points(80) == 6


@pytest.mark.parametrize(
    ("over", "level", "missing"),
    [
        ({"new_persons": 2}, 1, "rules.next.persons"),
        ({"return_period_days": None}, 2, "rules.next.surge"),
        ({"return_period_days": 12.0}, 2, "rules.next.surge"),
        ({"persons_day": 80, "learning": True, "loud": True}, 3, "rules.next.known"),
        ({"persons_day": 80, "share": 0.19}, 3, "rules.next.share"),
        ({"persons_day": 200, "channels": 1}, 3, "rules.next.wide"),
        ({"persons_day": 80}, 4, "rules.next.points"),
        ({"persons_day": 900, "outlets": 8, "channels": 4, "share_persons": 0.4}, 4, "rules.next.majority"),
        ({"persons_day": 900, "outlets": 8, "channels": 4}, 4, "rules.next.lasting"),
        ({"persons_day": 900, "outlets": 8, "channels": 4, "lasting": timedelta(hours=4)}, 5, "rules.next.aggression"),
    ],
)
def test_each_necessary_condition_holds_the_level(over: dict[str, Any], level: int, missing: str) -> None:
    found = force(signs(**over))
    assert found.level == level
    assert missing in [key for key, _ in found.next_level]


@given(
    observed=st.integers(0, 500),
    expected=st.floats(0, 50),
    persons=st.integers(0, 500),
    more=st.integers(0, 200),
    channels=st.integers(0, 6),
)
def test_more_persons_never_lower_the_level(
    observed: int, expected: float, persons: int, more: int, channels: int
) -> None:
    small = signs(observed=observed, expected=expected, persons_day=persons, new_persons=persons, channels=channels)
    large = signs(
        observed=observed, expected=expected, persons_day=persons + more, new_persons=persons + more, channels=channels
    )
    assert 0 <= force(small).level <= force(large).level <= 5
    assert force(small).points <= 110


def earned(level: int, total: float | None = None) -> Force:
    cut = CUTS[level - 1] if level else 0.0
    return Force(level=level, points=cut if total is None else total, reasons=(), next_level=())


def test_up_needs_two_looks_or_two_steps() -> None:
    level, calm = settle(2, earned(3), Calm(), NOW, blind=False)
    assert (level, calm.higher) == (2, 3)
    assert settle(2, earned(3), calm, NOW, blind=False)[0] == 3
    assert settle(1, earned(4), Calm(), NOW, blind=False)[0] == 2
    assert settle(2, earned(4), Calm(higher=3), NOW, blind=False)[0] == 3
    assert settle(2, earned(2), Calm(higher=3), NOW, blind=False) == (2, Calm())


@pytest.mark.parametrize("level", [1, 2, 3, 4, 5, 6])
def test_down_takes_the_hours_of_the_level_and_four_points(level: int) -> None:
    low = earned(0, CUTS[level - 1] - 4)
    hours = timedelta(hours=CALM_HOURS[level - 1])
    first, calm = settle(level, low, Calm(), NOW, blind=False)
    assert (first, calm.below_since) == (level, NOW)
    assert settle(level, low, calm, NOW + hours - timedelta(minutes=1), blind=False)[0] == level
    assert settle(level, low, calm, NOW + hours, blind=False)[0] == level - 1
    assert settle(level, low, calm, NOW + hours, blind=True) == (level, Calm())
    near = earned(0, CUTS[level - 1] - 3.9)
    assert settle(level, near, calm, NOW + hours, blind=False) == (level, Calm())


def test_a_blind_source_never_holds_back_a_rise() -> None:
    assert settle(2, earned(3), Calm(higher=3), NOW, blind=True)[0] == 3


@pytest.mark.parametrize("language", ["de", "en"])
def test_every_reason_can_be_said(language: str) -> None:
    speech = Speech(language, ZoneInfo("Europe/Berlin"))
    wild = signs(outlets=1, new_persons=1, learning=True, persons_day=900, channels=3, share=0.9)
    found = [*force(wild).reasons, *force(wild).next_level, *force(signs(share=None, share_persons=None)).next_level]
    for reason, numbers in found:
        assert "{" not in speech.say(reason, **numbers)
    assert len({reason for reason, _ in found}) >= 10


def test_both_languages_have_the_same_keys() -> None:
    folder = Path(__file__).parents[2] / "pipeline" / "i18n"
    german, english = (tomllib.loads((folder / lang / "rules.toml").read_text()) for lang in ("de", "en"))
    assert {t: set(german["rules"][t]) for t in german["rules"]} == {
        t: set(english["rules"][t]) for t in english["rules"]
    }


def test_a_level_that_is_held_says_so_and_what_lacks_for_one_more() -> None:
    few = signs(observed=8, persons=8, new_persons=8, persons_day=8, previous=8, channels=1)
    level = force(few).level
    assert missing(few, level) == force(few).next_level
    above = missing(few, 4)
    assert {numbers["level"] for _, numbers in above} == {5}
    assert above[0][1]["points"] == pytest.approx(CUTS[4] - force(few).points, abs=0.11)
    assert held(4, level) == (("rules.level.held", {"earned": level, "level": 4, "hours": 6}),)
    assert held(3, 3) == held(2, 4) == held(0, 0) == ()
