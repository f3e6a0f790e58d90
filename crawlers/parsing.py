"""What a platform parser is: a pure function from a fetched page to items and links."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from pipeline.item import Media, Published, RankedResult
from pipeline.words import Answer, Kind

if TYPE_CHECKING:
    from crawlers.dates import Order


class PageFile(msgspec.Struct, frozen=True, kw_only=True):
    """One fetched page or API answer, as a parser gets it."""

    url: str
    body: bytes
    now: datetime
    """Aware time of the fetch; relative dates count from it."""
    zone: ZoneInfo
    """Zone of times printed without one."""
    headers: Mapping[str, str] = {}
    """Lower-case names."""
    status: int = 200
    order: Order | None = None
    """Order of day and month that other pages of the place showed, where one of them did."""


class ParsedItem(msgspec.Struct, frozen=True, kw_only=True):
    """One post, review, reply, article, comment or result of a page. Author in clear."""

    kind: Kind
    id: str
    """As the page names it: ``p1234``."""
    url: str | None = None
    author: str | None = None
    author_id: str | None = None
    title: str = ""
    text: str = ""
    published: Published = Published()
    rating: float | None = None
    rating_raw: str | None = None
    rating_scale: str | None = None
    votes: int | None = None
    parent: str | None = None
    """``id`` of what it answers."""
    parent_author: str | None = None
    thread: str | None = None
    thread_title: str = ""
    """Where it differs from item to item, as in feeds."""
    position: int | None = None
    quotes_removed: int = 0
    images: int = 0
    media: tuple[Media, ...] = ()
    views: int | None = None
    """How often it was seen, where the page says so."""
    verified: bool | None = None
    """Whether the portal says that its author was a customer."""
    accepted: bool | None = None
    """Whether it is marked as the answer that solved the thread's question."""
    staff: bool | None = None
    """Whether the page marks its author as one of the place's staff."""
    lang: str | None = None
    """Where it differs from item to item."""
    deleted: bool = False
    teaser: bool = False
    """Only the beginning stands here; the full text is at ``url``."""


class ThreadRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a list of threads."""

    id: str
    url: str
    title: str
    last_item: str | None = None
    """Id of the newest post (``p1234``)."""
    last_url: str | None = None
    """Address that shows the newest post."""
    last_time: datetime | None = None
    replies: int | None = None
    sticky: bool = False


class Links(msgspec.Struct, frozen=True, kw_only=True):
    """Where to go on from a page."""

    next: tuple[str, ...] = ()
    """Following pages (older entries for lists)."""
    previous: tuple[str, ...] = ()
    threads: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    """What one page gave."""

    state: Answer
    reason: str = ""
    items: tuple[ParsedItem, ...] = ()
    threads: tuple[ThreadRow, ...] = ()
    boards: tuple[ThreadRow, ...] = ()
    """Lists of threads this page leads to, with their newest post."""
    links: Links = Links()
    thread: str | None = None
    """Id of the thread this page belongs to."""
    thread_title: str = ""
    lang: str | None = None
    results: tuple[RankedResult, ...] = ()
    unresponsive: tuple[tuple[str, str], ...] = ()
    solved: bool | None = None
    """Whether the page says that the thread's question was solved; None where it says nothing."""
    first_page: bool | None = None
    """Whether the thread's opening post is on this page; None where unknown."""
    order: Order | None = None
    """Order of day and month that the dates of this page show beyond doubt (``crawlers.order``)."""
