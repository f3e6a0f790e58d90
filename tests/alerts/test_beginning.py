"""When criticism began, from voices and what is usual."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.beginning import began
from alerts.evidence import RECENT

END = datetime(2026, 11, 16, 12, tzinfo=UTC)
START = END - timedelta(hours=1)


def before(*minutes: int) -> list[datetime]:
    return [END - timedelta(minutes=m) for m in minutes]


def test_the_run_reaches_back_beyond_the_window_over_one_quiet_half_hour() -> None:
    assert began(before(300, 130, 85, 20, 10), None, (), START, END) == before(130)[0]
    assert began(before(300, 160, 85, 20, 10), None, (), START, END) == before(85)[0]


def test_a_quiet_end_of_the_window_does_not_hide_it() -> None:
    assert began(before(55, 50), None, (), START, END) == before(55)[0]


def test_without_anything_unusual_there_is_no_beginning() -> None:
    assert began([], None, (), START, END) is None
    assert began(before(90), None, (), START, END) is None


@given(st.lists(st.integers(1, 2000), max_size=60))
def test_it_is_a_voice_of_the_last_hours(minutes: list[int]) -> None:
    found = began(before(*minutes), None, (), START, END)
    assert (found is None) == (not any(m <= 60 for m in minutes))
    assert found is None or (found in before(*minutes) and found >= END - RECENT)
