"""Starting while a server is away: tried again with growing pauses until it answers."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import TypeVar

from pipeline.absence import Absences, absences, is_away

FIRST, LONGEST = 1.0, 30.0
"""Seconds before the second try, and the most between two."""
R = TypeVar("R")


def when_there(
    work: Callable[[], R],
    stop: Event,
    *,
    told: Absences = absences,
    wait: Callable[[float], object] | None = None,
) -> R | None:
    """What ``work`` gives, tried until no server that it needs is away; None when told to stop before.

    Raises at once whatever else goes wrong: that would go wrong again. ``wait`` stands in for waiting, in tests.
    """
    pause = FIRST
    while not stop.is_set():
        try:
            result = work()
        except Exception as error:
            if not is_away(error):
                raise
            told.noticed(error, "start")
            (wait or stop.wait)(pause)
            pause = min(pause * 2, LONGEST)
        else:
            told.over("start")
            return result
    return None
