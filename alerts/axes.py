"""Where a chart has its ticks and what they are called: local hours, weekday at midnight, whole persons from zero."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from babel.dates import format_date

from pipeline.i18n import Speech

_STEPS = (1, 2, 3, 6, 12, 24, 48, 168)
_PIXELS = 72
"""Room one label of the time axis wants."""


def time_ticks(start: datetime, end: datetime, width: int, speech: Speech) -> list[tuple[datetime, str]]:
    """Instants and their labels, as many as fit into that many pixels."""
    hours = (end - start) / timedelta(hours=1)
    fitting = max(2, width // _PIXELS)
    step = next((step for step in _STEPS if hours / step <= fitting), _STEPS[-1])
    inside = [at for at in _local_hours(start, end, step, speech) if start <= at <= end]
    return [(at, _label(at, step, first=at == inside[0], speech=speech)) for at in inside]


def _local_hours(start: datetime, end: datetime, step: int, speech: Speech) -> Iterator[datetime]:
    """Every ``step`` hours of the local clock, counted from local midnight of the first day, also across a change."""
    wall = start.astimezone(speech.zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    while (at := wall.replace(tzinfo=speech.zone)).timestamp() <= end.timestamp():
        yield at
        wall += timedelta(hours=step)


def _label(at: datetime, step: int, *, first: bool, speech: Speech) -> str:
    local = at.astimezone(speech.zone)
    if step >= 48:
        return str(format_date(local.date(), "d.M." if speech.language == "de" else "d MMM", locale=speech.locale))
    hour = f"{local.hour} Uhr" if speech.language == "de" else f"{local.hour:02}:00"
    return f"{weekday(local, speech)} {hour}" if local.hour == 0 or first else hour


def weekday(at: datetime, speech: Speech) -> str:
    """Fr or Fri, in the person's zone."""
    return str(format_date(at.astimezone(speech.zone).date(), "EEE", locale=speech.locale)).rstrip(".")


def count_ticks(most: float) -> list[int]:
    """From zero in whole, round steps, three or four of them, up to or beyond ``most``."""
    size = 1
    while True:
        for step in (size, 2 * size, 5 * size):
            if step * 3 >= most:
                return list(range(0, step * (2 if step * 2 >= most else 3) + 1, step))
        size *= 10
