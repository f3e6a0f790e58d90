"""What a spider yields: the raw facts of one post, review, article, comment or result, and where they were found."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from pipeline.words import Channel, Kind, Precision, Reading


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """When something was published, as far as the page says. ``at`` is aware; bounds hold where ``at`` is vague."""

    at: datetime | None = None
    precision: Precision = Precision.UNKNOWN
    lower: datetime | None = None
    upper: datetime | None = None


class Media(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A picture or film within an item, in words."""

    kind: Literal["image", "video"]
    url: str = ""
    text: str = ""
    """Its alt text or caption."""


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Raw facts of one thing a spider read. Holds the author in clear: it never leaves the crawl process so."""

    source: str
    platform: str
    channel: Channel
    kind: Kind
    reading: Reading
    origin: str
    """Lower-case host[:port] without ``www.``."""
    native_id: str
    """Stable id within the origin (``/forum/ p453``); see ``pipeline.identity``."""
    fetched: datetime
    url: str | None = None
    title: str = ""
    """Its own heading. For a post whose heading is only the thread's (Re: …), leave it as found."""
    text: str = ""
    """Blocks separated by a blank line, white space collapsed, quotes of others and signatures removed."""
    author: str | None = None
    author_id: str | None = None
    published: Published = Published()
    thread: str | None = None
    """Native id of the thread within the origin (``/forum/ t99``)."""
    thread_title: str = ""
    opens_thread: bool = False
    parent: str | None = None
    """Native id of what this answers, within the origin."""
    parent_author: str | None = None
    """Name of the account this answers (quoted or replied to), where the page tells it."""
    position: int | None = None
    rating: float | None = None
    """0..1, (raw - worst) / (best - worst)."""
    rating_raw: str | None = None
    rating_scale: str | None = None
    votes: int | None = None
    quotes_removed: int = 0
    images: int = 0
    media: tuple[Media, ...] = ()
    views: int | None = None
    """How often it was seen, where the source says so."""
    verified: bool | None = None
    """Whether the portal says that its author was a customer."""
    accepted: bool | None = None
    """Whether it is marked as the answer that solved the thread's question."""
    staff: bool | None = None
    """Whether the source marks its author as one of its staff."""
    lang: str | None = None
    """Language the page declares, if any."""
    raw_sha256: str | None = None
    deleted: bool = False
    """The source says that this no longer exists."""
    watermark: datetime | None = None
    """The source's watermark before this crawl; None before the first complete crawl."""
    first_contact: bool = False
    """Brought by the back-fill of a new source: searchable, raises nothing."""


class RankedResult(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a result list."""

    position: int
    url: str
    title: str
    snippet: str = ""
    engines: tuple[str, ...] = ()
    uid: str = ""
    """uid of the mention this URL is, or would be."""


class ResultList(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one query at one search instance: the ranks as they stood."""

    source: str
    query: str
    at: datetime
    results: tuple[RankedResult, ...]
    unresponsive: tuple[tuple[str, str], ...] = ()
    """(engine, reason) of engines that did not answer."""
