"""One visit to one source: what it starts from, what it may read, what it found out. No network, no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel

from crawlers.following import Followed, Revisit
from pipeline.configuration import Brand
from pipeline.words import Answer, Channel


@dataclass(frozen=True, slots=True)
class ThreadMark:
    """How far a thread has been read: id and time of its newest known item, and how many there are."""

    last_item: str | None = None
    last_time: datetime | None = None
    count: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Spider's own plain data, such as hashes of the items on the last page (to notice edits)."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a spider is given: the source, its options, and what the last visit remembered."""

    source: str
    url: str
    channel: Channel
    options: BaseModel
    zone: ZoneInfo
    started: datetime
    first_contact: bool
    backfill_from: datetime
    """On first contact nothing older than this is read."""
    watermark: datetime | None
    cursor: Mapping[str, Any]
    thread_mark: Callable[[str], ThreadMark | None]
    """Looks a thread up by its id."""
    thread_known: Callable[[str, str], bool]
    """(origin, native thread id) → whether title and opening post are known."""
    max_pages: int
    now: Callable[[], datetime]
    quota_used: Callable[[str, datetime], int] = lambda _name, _start: 0
    """(quota, start of its period) → units spent so far."""
    look_ahead: Callable[[Sequence[str]], None] = lambda _names: None
    """Looks several threads up at once, so that each of them need not be asked for."""
    js: bool = False
    """Whether pages are run in a browser before they are read."""
    brands: Mapping[str, Brand] = field(default_factory=dict)
    """What is watched, for spiders that are shown more than can be kept."""
    revisits: tuple[Revisit, ...] = ()
    """Pages that carried mentions and are due to be looked at again."""
    articles: Callable[[str], Mapping[str, str]] = lambda _origin: {}
    """Origin → recent articles from there that other sources brought: folded title → address."""
    items_seen: int = 0
    """How many items the source ever gave; a page without any is suspicious where this is above 0."""


@dataclass(slots=True)
class Visit:
    """What a visit found out. Applied to the state database only after every item is durable."""

    complete: bool = False
    """Every list page down to the cursor and every changed thread was read."""
    reason: str = ""
    behind: bool = False
    complete_from: datetime | None = None
    """First contact: last-post time of the oldest list row read, or the oldest feed entry."""
    cursor: dict[str, Any] = field(default_factory=dict)
    """Replaces the source's cursor, if the visit is complete or the spider says so with ``keep_cursor``."""
    keep_cursor: bool = False
    reached: datetime | None = None
    """Event time up to which a stream was read without a gap, also where it is still behind; else the visit's start."""
    has_watermark: bool = True
    """False for ranked result lists and the like: exposure unknown, no baseline."""
    threads: dict[str, ThreadMark] = field(default_factory=dict)
    """Marks of the threads that were read to the end."""
    holes: list[tuple[datetime, datetime, str]] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    items: int = 0
    times: list[datetime] = field(default_factory=list)
    """When what it gave was said."""
    entries: int = 0
    worded: int = 0
    timed: int = 0
    """Entries seen on pages, and how many of them had words and a time."""
    pages: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """(origin, native id) of what it gave → page that shows it, and its id there; only what can be followed."""
    gave: dict[str, tuple[str, Followed]] = field(default_factory=dict)
    """uid → that page, and what is remembered of the thing."""
    looked: dict[str, Revisit] = field(default_factory=dict)
    """Pages that were looked at again."""
    unreadable: set[str] = field(default_factory=set)
    """Pages that were to be looked at again and said nothing."""
    vanished: dict[str, Followed] = field(default_factory=dict)
    """uid → what is no longer there."""
    refused: Counter[str] = field(default_factory=Counter)
    """Rule → how many links it refused, of those that were never asked for (``crawlers.traps``)."""
    spent: int = 0
    """Units of an interface's quota that this visit cost."""
    quota: tuple[str, datetime, int] | None = None
    """(quota, start of its period, limit) that they count against."""
    notice: str = ""
    """What people should know although the visit went well, such as a quota that is nearly spent."""
