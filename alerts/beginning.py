"""When criticism began: the first voice of the unusual half hours that led up to an alert. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts.detection import usual_range
from alerts.evidence import RECENT, expected_posts
from alerts.rule import SourceView, Usual

STEP = timedelta(minutes=30)
GAP = 1
"""So many ordinary half hours do not end the run."""


def began(
    voices: Sequence[datetime], usual: Usual | None, views: Sequence[SourceView], start: datetime, end: datetime
) -> datetime | None:
    """The earliest of ``voices`` (times of critical mentions) in the run of half hours above the usual range.

    The run ends inside the alert's window ``[start, end)`` and reaches back at most ``RECENT``. None where none of
    the window's half hours is unusual.
    """
    first, gap, stop = None, 0, end
    while stop > end - RECENT and (stop > start or first is not None) and gap <= GAP:
        inside = [at for at in voices if stop - STEP <= at < stop]
        if len(inside) > _high(usual, views, stop - STEP, stop):
            first, gap = min(inside), 0
        elif first is not None:
            gap += 1
        stop -= STEP
    return first


def _high(usual: Usual | None, views: Sequence[SourceView], start: datetime, end: datetime) -> int:
    """The most that is usual in a span."""
    mean = expected_posts(usual, views, start, end)
    return usual_range(mean, usual.dispersion)[1] if usual is not None and mean is not None else 0
