"""Event time: from what a page says of its date to the moment a mention counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from pipeline.item import Published
from pipeline.words import Precision

LATE_AFTER = timedelta(hours=48)
"""Older than this when first seen is historic: searchable, raises nothing."""
FUTURE_TOLERANCE = timedelta(minutes=15)
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
"""A date before the web is a broken clock, not a date."""
_BIN_SECONDS = 300
_SPANS = {
    Precision.HOUR: timedelta(hours=1),
    Precision.DAY: timedelta(days=1),
    Precision.MONTH: timedelta(days=31),
}


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """Where a mention lies in time (all aware UTC)."""

    published: Published
    event_time: datetime
    fed_bin: datetime
    historic: bool
    late: bool
    clamped: bool


def bin_of(at: datetime) -> datetime:
    """Start of the 5-minute bin that holds ``at``."""
    seconds = int(at.timestamp())
    return datetime.fromtimestamp(seconds - seconds % _BIN_SECONDS, UTC)


def place(
    uid: str, published: Published, seen: datetime, *, watermark: datetime | None, first_contact: bool = False
) -> Placed:
    """Event time, fed bin and flags of a mention first read at ``seen`` from a source complete up to ``watermark``.

    A vague date is spread evenly over the span it can lie in, by the uid, so that day-only dates make no surge
    at midnight. A time over 15 minutes ahead of ``seen``, or before 1990, is replaced and flagged ``clamped``.
    """
    believable, clamped = _believable(published, seen)
    lower, upper = bounds(believable, seen, watermark)
    if believable.at is not None and believable.precision.exact:
        event_time = min(believable.at, seen)
    else:
        low = lower if watermark is None or watermark > upper else max(lower, watermark)
        event_time = _spread(uid, min(low, upper), upper)
    event_time = event_time.astimezone(UTC)
    late = watermark is not None and event_time < watermark
    historic = first_contact or event_time < seen - LATE_AFTER
    counted_from = event_time if historic or watermark is None else max(event_time, watermark)
    return Placed(
        published=believable,
        event_time=event_time,
        fed_bin=bin_of(counted_from),
        historic=historic,
        late=late and not historic,
        clamped=clamped,
    )


def bounds(published: Published, seen: datetime, watermark: datetime | None) -> tuple[datetime, datetime]:
    """Earliest and latest moment at which this can have been published, never after ``seen``.

    What has no date at all came after the last complete crawl, if there was one; else its time is unknown
    and ``seen`` stands for it.
    """
    lower, upper = published.lower, published.upper
    span = _SPANS.get(published.precision)
    if published.at is not None and span is not None:
        lower = lower or published.at
        upper = upper or published.at + span
    upper = min(upper or seen, seen)
    if lower is None:
        lower = watermark if watermark is not None and watermark < upper else upper
    return min(lower, upper), upper


def _believable(published: Published, seen: datetime) -> tuple[Published, bool]:
    if published.at is None:
        return published, False
    if published.at > seen + FUTURE_TOLERANCE:
        return Published(lower=seen, upper=seen), True  # vaguer than any date that is found later
    if published.at < EARLIEST:
        return Published(), True
    return published, False


def _spread(uid: str, low: datetime, high: datetime) -> datetime:
    return low + (high - low) * (int(uid[:8], 16) / 2**32)
