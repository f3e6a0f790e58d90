"""How stores put times and opinions into numbers, so that every engine counts the same."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pipeline.mention import Mention, Opinion, effective_opinions
from pipeline.store.protocol import BIN
from pipeline.words import Kind, Voice

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
BIN_US = BIN // MICROSECOND
HOUR_US, DAY_US = 3_600_000_000, 86_400_000_000
P_UNIT = 1_000_000
"""Probabilities are kept as whole millionths, so that sums are exact in any order."""


def micros(at: datetime) -> int:
    """Microseconds since 1970 of an aware time."""
    return (at - EPOCH) // MICROSECOND


def moment(value: int) -> datetime:
    """The inverse of ``micros``."""
    return EPOCH + timedelta(microseconds=value)


def bin_number(at: datetime) -> int:
    """Number of the 5-minute bin that a time lies in."""
    return micros(at) // BIN_US


def millionths(opinion: Opinion) -> int:
    """P(negative) of an opinion in whole millionths; 0 where it is not scored."""
    return round((opinion.p_negative or 0.0) * P_UNIT)


def one_per_brand(mention: Mention) -> Iterator[Opinion]:
    """The opinions after corrections; of several on one brand the first."""
    seen: set[str] = set()
    for opinion in effective_opinions(mention):
        if opinion.brand not in seen:
            seen.add(opinion.brand)
            yield opinion


def is_copied(mention: Mention, opinion: Opinion) -> bool:
    """Earned, and not counted because it repeats another mention."""
    return mention.is_copy and opinion.voice is Voice.EARNED and mention.crawled.kind is not Kind.RESULT
