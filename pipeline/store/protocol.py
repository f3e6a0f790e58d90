"""What any mention store must do. ``tests/contract`` holds every engine to it, in one body."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from pipeline.mention import Mention
from pipeline.query.tree import Query
from pipeline.store.significance import Term
from pipeline.words import ToneLabel

if TYPE_CHECKING:
    from pipeline.store.transfer import Transfer

BIN = timedelta(minutes=5)
"""Width of a series cell."""

TERM_DAYS = 28
"""How far back a term is no news."""

REJECTED = "rejected: "
"""Begins the reason of a mention that is refused for what it is, not for when or whose it is."""


class StoreError(Exception):
    """The store cannot answer now; the message says why and what to do."""


class StoreAway(StoreError):
    """The store does not answer just now, or is too busy to: the same may be done later, nothing has to be changed."""


class QueryTimeout(StoreError):
    """A search took longer than its limit; nothing is silently cut."""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What one write did, as uids. Their sum is the distinct uids given."""

    created: tuple[str, ...] = ()
    revised: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    """(uid, reason): erased, older than the retention, or ``REJECTED`` and why the engine cannot hold it."""

    @property
    def rejected(self) -> dict[str, str]:
        """uid → reason of those that the engine cannot hold: somebody has to look at them."""
        return {uid: reason for uid, reason in self.refused if reason.startswith(REJECTED)}


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One state of a mention and when it was the known one (``known_to`` None: still is)."""

    mention: Mention
    known_from: datetime
    known_to: datetime | None


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Hits in order: event second descending, then uid ascending. ``after`` continues; None at the end."""

    mentions: tuple[Mention, ...]
    after: str | None = None


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one brand, source and 5-minute ``fed_bin`` (or of a wider bin, summed)."""

    brand: str
    source: str
    start: datetime
    posts: int
    """Counted opinions."""
    negative: int = 0
    neutral: int = 0
    positive: int = 0
    """Counted opinions with that tone; posts minus these three are not scored."""
    p_negative: float = 0.0
    """Sum of P(negative) over counted opinions."""
    copies: int = 0
    """Earned opinions that are copies and therefore not counted."""


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """Half-open span ``[start, end)`` of ``fed_bin`` (bin-aligned), for one brand."""

    brand: str
    start: datetime
    end: datetime
    tone: ToneLabel | None = None
    """Only counted opinions of this tone; None: all counted ones."""
    sources: tuple[str, ...] | None = None


class Persons(msgspec.Struct, frozen=True, kw_only=True):
    """Distinct persons over exactly one window."""

    persons: int
    without_author: int
    """How many of them are nameless ones (one per story), shown as "ohne Autor"."""
    posts: int
    first_time: int
    """Persons with no counted opinion on the brand in the 28 days before the window's start."""
    top3_posts: int
    """Posts of the three most active persons."""


class Facet(msgspec.Struct, frozen=True, kw_only=True):
    """One value of a field among the hits of a search."""

    value: str
    posts: int
    persons: int


class Store(Protocol):
    """The mention store. All times are aware UTC. Engines are safe to use from several processes."""

    def write(self, mentions: Sequence[Mention]) -> Written:
        """Merge a batch of up to 1,000 into the store, durably, in one transaction; ``merge`` decides per uid.

        Order and repetition do not matter. Sets revision and known_from (clock read inside the write),
        and on first store keeps the given event_time, fed_bin and story. Raises StoreError where it cannot.
        """
        ...

    def refresh(self) -> None:
        """Let what other processes have written be found from now on; whoever counts by watermarks calls it before."""
        ...

    def get(self, uids: Sequence[str], *, as_of: datetime | None = None) -> dict[str, Mention]:
        """The mentions with these uids that exist (at that moment)."""
        ...

    def history(self, uid: str) -> list[Revision]:
        """All revisions, oldest first."""
        ...

    def search(
        self,
        query: Query,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 50,
        after: str | None = None,
        as_of: datetime | None = None,
    ) -> Page:
        """Hits with ``start <= event_time < end``, newest first. Raises QueryTimeout."""
        ...

    def count(
        self,
        query: Query,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        as_of: datetime | None = None,
    ) -> tuple[int, int]:
        """(posts, persons) of a search, exact. ``posts`` counts hits."""
        ...

    def scan(self, query: Query, *, start: datetime | None = None, end: datetime | None = None) -> Iterator[Mention]:
        """Every hit, newest first, in constant memory."""
        ...

    def facets(
        self,
        query: Query,
        field: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 20,
    ) -> list[Facet]:
        """The most frequent values of a field, most posts first, then by value."""
        ...

    def terms(
        self,
        query: Query,
        background: Query,
        *,
        start: datetime,
        end: datetime | None = None,
        days: int = TERM_DAYS,
        limit: int = 20,
    ) -> list[Term]:
        """Topic terms of the hits with ``start <= event_time < end`` that stand out, by persons.

        They are held against the hits of ``background`` in the days before ``start``; see
        ``pipeline.store.significance``.
        """
        ...

    def series(self, brand: str, start: datetime, end: datetime, *, width: timedelta = BIN) -> list[Cell]:
        """Cells with anything in them, by ``fed_bin``, historic mentions included, ordered by (start, source)."""
        ...

    def persons(self, window: Window) -> Persons:
        """Distinct persons of a window; historic mentions do not count."""
        ...

    def persons_by_bin(self, window: Window, *, width: timedelta) -> dict[datetime, int]:
        """Distinct persons per bin of ``width``, historic ones included; for drawing, never to be added up."""
        ...

    def in_window(self, window: Window, *, limit: int = 1000) -> list[Mention]:
        """The counted, not historic mentions of a window, oldest first."""
        ...

    def first_stored_since(self, known_from: datetime, *, brand: str | None = None, limit: int = 1000) -> list[Mention]:
        """Current mentions (of a brand) whose first revision was written at or after that moment, oldest first."""
        ...

    def written_since(self, known_from: datetime, *, limit: int = 1000) -> list[Mention]:
        """Current mentions of which a revision, the first or a later one, was written since; in no order."""
        ...

    def story_members(self, story: str) -> list[Mention]:
        """All members of a story, aliases included, oldest first."""
        ...

    def story_of(self, signatures: Mapping[str, Sequence[int]], week: int) -> dict[str, list[str]]:
        """For each key, uids of mentions of this and the previous week that share a band with it."""
        ...

    def stories(self, uids: Sequence[str]) -> dict[str, str]:
        """uid → story id, aliases followed."""
        ...

    def note_signatures(self, signatures: Mapping[str, Sequence[int]], week: int) -> None:
        """Remember the bands of stored mentions."""
        ...

    def join_stories(self, older: str, newer: str) -> None:
        """Declare that ``newer`` is the same story as ``older``."""
        ...

    def delete_at_source(self, uid: str, at: datetime) -> bool:
        """Take away text and title, in history too; counts stay. False where the uid is unknown."""
        ...

    def written_by(self, author: str) -> list[str]:
        """uids of all that a pseudonym wrote, in any revision, sorted."""
        ...

    def erase_author(self, author: str, reason: str) -> list[str]:
        """Remove everything by one pseudonym, in history too; returns the uids. They can never be written again."""
        ...

    def erase(self, uids: Sequence[str], reason: str) -> list[str]:
        """Remove these mentions for ever, in history too; returns those that existed."""
        ...

    def purge(self, before: datetime) -> int:
        """Remove mentions with an event_time before the retention limit; returns how many."""
        ...

    def backup(self, target: Path) -> None:
        """Write a consistent copy while others read and write."""
        ...

    def transfer(self) -> Transfer:
        """Everything in and out, as ``store copy`` moves it between engines; see ``pipeline.store.transfer``."""
        ...

    def check(self) -> list[str]:
        """Findings of a consistency check; empty when all is well."""
        ...

    def reindex(self) -> int:
        """Make all tokens anew by the present analysis; returns how many mentions there are. Nobody else may write."""
        ...

    def statistics(self) -> dict[str, int | str]:
        """engine, version, mentions, revisions, bytes, first and last event time."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...
