"""Times as people read them: relative below an hour, the clock today, else with the day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from dashboards.reader import Reader


def local_time(reader: Reader) -> Callable[[datetime | None], str]:
    """A function that writes a time as near as it is: ``09:20`` today, else with the day; a dash for none."""

    def written(at: datetime | None) -> str:
        if at is None:
            return "–"
        if is_today(reader, at):
            return reader.speech.say("pages.time.today", time=reader.speech.clock_time(at))
        return reader.speech.day_time(at)

    return written


def since(reader: Reader, at: datetime) -> str:
    """``seit 35 min`` below an hour, else ``seit 09:20 Uhr``."""
    passed = reader.now - at
    if timedelta(0) <= passed < timedelta(hours=1):
        return reader.speech.say("pages.time.since_span", span=passed)
    return reader.speech.say("pages.time.since_time", at=local_time(reader)(at))


def is_today(reader: Reader, at: datetime) -> bool:
    """Whether a time is of the reader's present day."""
    zone = reader.speech.zone
    return at.astimezone(zone).date() == reader.now.astimezone(zone).date()
