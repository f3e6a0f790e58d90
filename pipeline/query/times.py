"""Times as people write them in a search: days, minutes, ``now-3h``, ``today``. Each stands for a span."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pipeline.duration import parse_duration

Span = tuple[datetime, datetime]
"""First moment, and the first moment after; both the same for an instant."""

_RELATIVE = re.compile(r"now(?:([+-])(\d+[a-z]+))?", re.IGNORECASE)
_YEAR_MONTH = re.compile(r"(\d{4})(?:-(\d{1,2}))?")
_DAY = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})|(\d{1,2})\.(\d{1,2})\.(\d{4})")
_DAYS = {"today": 0, "heute": 0, "yesterday": -1, "gestern": -1}


def span_of(text: str, now: datetime, zone: ZoneInfo) -> Span:
    """The span a text stands for. Raises ValueError where it is no time."""
    text = text.strip()
    try:
        return _relative(text, now) or _days(text, now, zone) or _moment(text, zone)
    except OverflowError:
        raise ValueError(f"{text!r} lies beyond all calendars") from None


def _relative(text: str, now: datetime) -> Span | None:
    match = _RELATIVE.fullmatch(text)
    if match is None:
        return None
    distance = parse_duration(match[2].lower()) if match[2] else timedelta()
    at = now - distance if match[1] == "-" else now + distance
    return at, at


def _days(text: str, now: datetime, zone: ZoneInfo) -> Span | None:
    """Whole days, months and years of the reader's zone."""
    if (shift := _DAYS.get(text.lower())) is not None:
        first = now.astimezone(zone).date() + timedelta(days=shift)
        return _midnight(first, zone), _midnight(first + timedelta(days=1), zone)
    if match := _DAY.fullmatch(text):
        year, month, day = (match[1], match[2], match[3]) if match[1] else (match[6], match[5], match[4])
        first = date(int(year), int(month), int(day))
        return _midnight(first, zone), _midnight(first + timedelta(days=1), zone)
    if match := _YEAR_MONTH.fullmatch(text):
        year, month = int(match[1]), int(match[2] or 1)
        following = date(year + month // 12, month % 12 + 1, 1) if match[2] else date(year + 1, 1, 1)
        return _midnight(date(year, month, 1), zone), _midnight(following, zone)
    return None


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _moment(text: str, zone: ZoneInfo) -> Span:
    """A minute, or a second where seconds are given."""
    at = datetime.fromisoformat(text)
    at = at if at.tzinfo else at.replace(tzinfo=zone)
    at = at.astimezone(UTC)
    exact = text.count(":") - text.count("+") > 1 or at.second or at.microsecond
    return at, at + (timedelta(seconds=1) if exact else timedelta(minutes=1))
