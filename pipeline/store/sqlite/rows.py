"""A mention as rows: what each table keeps of it, and what it adds to the rollups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from pipeline.mention import Mention, Opinion
from pipeline.store.measures import DAY_US, HOUR_US, bin_number, is_copied, micros, millionths, one_per_brand
from pipeline.store.sqlite.functions import tokens
from pipeline.words import ToneLabel

LAST_SECOND = 4_294_967_295
UID_BITS = 30
_encoder = msgspec.json.Encoder()


def id_base(mention: Mention) -> int:
    """The row id a mention wants: ascending is newest first, then by uid."""
    second = min(max(micros(mention.event_time) // 1_000_000, 0), LAST_SECOND)
    return (LAST_SECOND - second) << UID_BITS | int(mention.uid[:8], 16) >> 2


@dataclass(slots=True)
class Row:
    """One mention, ready to be stored under ``id``."""

    id: int
    uid: bytes
    mention: Mention
    first_known: int
    doc: str = ""
    text: tuple[str, str, str] = ("", "", "")

    def __post_init__(self) -> None:
        if not self.doc:
            self.doc = _encoder.encode(self.mention).decode()
        self.text = tokens(self.mention)

    def columns(self) -> tuple[Any, ...]:
        """In the order of table ``mention``."""
        mention, crawled = self.mention, self.mention.crawled
        assert mention.known_from is not None
        published = mention.published.at
        return (
            self.id,
            self.uid,
            mention.revision,
            micros(mention.known_from),
            self.first_known,
            micros(mention.event_time),
            bin_number(mention.fed_bin),
            micros(mention.seen),
            None if published is None else micros(published),
            crawled.rating,
            crawled.author,
            nameless_story(mention),
            self.doc,
        )

    def opinions(self) -> list[tuple[Any, ...]]:
        """In the order of table ``mention_brand``."""
        return [_opinion_columns(self.id, self.mention, opinion) for opinion in one_per_brand(self.mention)]


def nameless_story(mention: Mention) -> str | None:
    """The story that stands for a missing author, where one is missing."""
    return None if mention.crawled.author else mention.story or mention.uid


def _opinion_columns(row_id: int, mention: Mention, opinion: Opinion) -> tuple[Any, ...]:
    return (
        opinion.brand,
        bin_number(mention.fed_bin),
        row_id,
        mention.first_source,
        opinion.tone,
        millionths(opinion),
        opinion.counted,
        is_copied(mention, opinion),
        mention.historic,
        opinion.voice,
        opinion.via,
        mention.crawled.channel,
        mention.crawled.author,
        nameless_story(mention),
    )


MEASURES = ("posts", "negative", "neutral", "positive", "p_negative", "copies")


Cell = tuple[str, int, str]
"""Brand, number of the hour or day, source (empty where all are together)."""


@dataclass(slots=True)
class Deltas:
    """What a transaction changes in the rollups: for each cell one amount per measure."""

    hours: dict[Cell, list[int]] = field(default_factory=dict)
    days: dict[Cell, list[int]] = field(default_factory=dict)

    def add(self, mention: Mention, sign: int) -> None:
        """Count a mention in (1) or out (-1)."""
        event = micros(mention.event_time)
        for opinion in one_per_brand(mention):
            amounts = _measures(mention, opinion)
            hour = self.hours.setdefault((opinion.brand, event // HOUR_US, ""), [0] * len(MEASURES))
            day = self.days.setdefault((opinion.brand, event // DAY_US, mention.first_source), [0] * len(MEASURES))
            for at, amount in enumerate(amounts):
                if amount:
                    hour[at] += sign * amount
                    day[at] += sign * amount


def _measures(mention: Mention, opinion: Opinion) -> tuple[int, ...]:
    """One amount per measure."""
    copies = int(is_copied(mention, opinion))
    if not opinion.counted:
        return 0, 0, 0, 0, 0, copies
    tone = opinion.tone
    return (
        1,
        int(tone is ToneLabel.NEGATIVE),
        int(tone is ToneLabel.NEUTRAL),
        int(tone is ToneLabel.POSITIVE),
        millionths(opinion),
        copies,
    )
