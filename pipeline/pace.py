"""How often a source is visited: learnt from how often it gives something new. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(hours=24)
NIGHT = range(6)
"""Hours of a source's own zone in which people sleep."""
SLOWER_AT_NIGHT = 2
_WEIGHT = 0.1
_FAR = 8
"""A gap counts as so many usual ones at most: one quiet week makes no quiet source."""
SILENT_GAPS, SILENT_AT_LEAST = 20, timedelta(days=3)
OFTEN, ENOUGH = timedelta(days=1), 20
"""A source is missed when it gives something at least once a day, and has given this much."""


def pace(
    gap: timedelta | None,
    usual: timedelta,
    *,
    quiet: timedelta = timedelta(0),
    night: bool = False,
    floor: timedelta = SHORTEST,
) -> timedelta:
    """Time between two visits: half the usual time between two things, slower while it is quiet and at night.

    ``usual`` holds as long as no gap is known; ``quiet``: for how long nothing has come; ``floor``: the shortest that
    its host can bear, which wins over everything.
    """
    wanted = usual if gap is None else max(gap, quiet / 4) / 2
    if night:
        wanted *= SLOWER_AT_NIGHT
    return max(min(max(wanted, SHORTEST), LONGEST), floor)


def smoothed(gap: timedelta | None, newest: datetime | None, times: Iterable[datetime]) -> timedelta | None:
    """The usual time between two things after these have come; what is not newer than ``newest`` is known."""
    for at in sorted(times):
        if newest is None:
            newest = at
        elif at > newest:
            span, newest = at - newest, at
            gap = span if gap is None else gap + _WEIGHT * (min(span, max(_FAR * gap, SHORTEST)) - gap)
    return gap


def is_night(now: datetime, zone: ZoneInfo) -> bool:
    """Whether people at the source sleep."""
    return now.astimezone(zone).hour in NIGHT


def expected(gap: timedelta | None, first: datetime | None, newest: datetime | None, given: int) -> timedelta | None:
    """How often something comes in the long run; None where that is seldom, or not known yet.

    The smoothed gap alone would be that of the last storm; the mean since first contact alone, that of the back-fill.
    """
    if gap is None or first is None or newest is None or given < ENOUGH:
        return None
    usual = max(gap, (newest - first) / given)
    return usual if usual <= OFTEN else None


def is_silent(usual: timedelta | None, quiet: timedelta) -> bool:
    """Whether nothing has come for so long that the source itself must be looked at."""
    return usual is not None and quiet > max(SILENT_GAPS * usual, SILENT_AT_LEAST)


def floor_of(requests: int, neighbours: int, budget: int | None) -> timedelta:
    """The shortest pace at which all sources of a host stay within its hourly budget, at so many requests a visit."""
    return SHORTEST if budget is None else timedelta(hours=1) * max(requests, 1) * max(neighbours, 1) / budget


def roughly(span: timedelta) -> str:
    """A span in English words: ``9 days``, ``4 hours``."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count = round(span.total_seconds() / size)
        if count >= 2 or (unit == "minute"):
            return f"{max(count, 1)} {unit}{'s' if count > 1 else ''}"
    raise AssertionError
