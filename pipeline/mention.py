"""A mention: an item that is about a brand, cleaned, matched, scored. ``merge`` is the only way two readings meet."""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec

from pipeline.item import Published
from pipeline.words import Channel, Kind, Reading, ToneLabel, Via, Voice


class Tone(msgspec.Struct, frozen=True, kw_only=True):
    """The score of one text. Probabilities sum to 1; compound is -1..1."""

    label: ToneLabel
    p_negative: float
    p_neutral: float
    p_positive: float
    compound: float
    words: tuple[tuple[str, float], ...] = ()
    """The words that weighed most, with their weights, heaviest first."""


class Opinion(msgspec.Struct, frozen=True, kw_only=True):
    """What a mention says about one brand. ``tone`` is None where the text is not scored."""

    brand: str
    via: Via
    voice: Voice
    counted: bool = True
    """Earned, no copy, and not a mere search result: what shares, series and levels count."""
    tone: ToneLabel | None = None
    p_negative: float | None = None
    p_neutral: float | None = None
    p_positive: float | None = None


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """What the steps made of one text. Counts for the text with this hash only."""

    text_hash: str
    analyser: str
    """Name of what scored the tone, such as ``rules-de``; ``none`` where the language is not scored."""
    version: int
    """Of the whole analysis; the newer wins for the same text."""
    lang: str | None = None
    """ISO 639-1, or None where unknown."""
    tone: Tone | None = None
    opinions: tuple[Opinion, ...] = ()


class Crawled(msgspec.Struct, frozen=True, kw_only=True):
    """One reading of the thing itself. The greatest by (reading, source, fetched) is what a mention shows."""

    source: str
    reading: Reading
    fetched: datetime
    platform: str
    channel: Channel
    kind: Kind
    url: str | None = None
    title: str = ""
    text: str = ""
    author: str | None = None
    """Pseudonym, 32 hex; None for guests and where no author is known."""
    thread: str | None = None
    """``origin + " " + native id`` of the thread."""
    thread_title: str = ""
    parent: str | None = None
    """uid of what this answers."""
    rating: float | None = None
    rating_raw: str | None = None
    rating_scale: str | None = None
    votes: int | None = None
    images: int = 0
    raw_sha256: str | None = None


class Correction(msgspec.Struct, frozen=True, kw_only=True):
    """A person's word on the tone towards one brand (None: every brand); wins over any scorer."""

    tone: ToneLabel
    at: datetime
    by: str
    brand: str | None = None


class Mention(msgspec.Struct, frozen=True, kw_only=True):
    """All that the store keeps of one thing said in one place."""

    uid: str
    origin: str
    crawled: Crawled
    published: Published
    seen: datetime
    """When we fetched it first."""
    event_time: datetime
    """Orders, draws and partitions; fixed by the first store unless a more precise time comes."""
    fed_bin: datetime
    """Start of the 5-minute bin in which series, rules and levels count it; fixed by the first store."""
    analysis: Analysis
    sources: tuple[str, ...]
    """Sorted ids of all sources that found it."""
    first_source: str
    """The source that stored it first; its series count it."""
    story: str | None = None
    """uid of the story's first stored member."""
    is_copy: bool = False
    historic: bool = False
    """Brought by first contact or older than 48 h when seen: searchable, raises nothing."""
    late: bool = False
    clamped: bool = False
    """The page's time lay in the future and was replaced by ``seen``."""
    corrections: tuple[Correction, ...] = ()
    deleted_at: datetime | None = None
    """When the source was found to have deleted it; text and title are gone then."""
    revision: int = 0
    """Given by the store inside the write; 1 is the first."""
    known_from: datetime | None = None
    """Clock read inside the write of this revision."""


def text_hash(title: str, text: str) -> str:
    """32 hex of what an analysis is valid for."""
    return hashlib.blake2b(f"{title}\n\n{text}".encode(), digest_size=16).hexdigest()


def person_of(mention: Mention) -> str:
    """The person who counts: the account, or one nameless person per story."""
    return mention.crawled.author or f"story:{mention.story or mention.uid}"
