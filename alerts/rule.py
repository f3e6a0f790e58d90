"""What a rule is: a pure function of its state and the evidence, ``evaluate(state, evidence, now)``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol, runtime_checkable

import msgspec
from pydantic import BaseModel

from pipeline.mention import Mention
from pipeline.store.protocol import Cell as Cell


class SourceView(msgspec.Struct, frozen=True, kw_only=True):
    """How one source stands, as a rule may know it."""

    id: str
    state: str
    channel: str
    complete_from: datetime | None
    watermark: datetime | None
    """Cells that end at or before it are final."""
    holes: tuple[tuple[datetime, datetime], ...] = ()
    first_contact: datetime | None = None
    """When it was read for the first time; a brand that came later was not looked for before."""


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What the watcher must fetch for a rule."""

    cells: bool = False
    """Final cells since the last evaluation, and the unfed ones as lower bounds."""
    query: str = ""
    """Mentions first stored since the last look that match this search, at most 48 h old.

    A rule that needs nothing else is asked when there are new mentions of the brand, and may be asked at no other time.
    """


class Critic(msgspec.Struct, frozen=True, kw_only=True):
    """One counted, not historic, negative opinion, as far as rules may know it."""

    start: datetime
    """Its ``fed_bin``."""
    source: str
    person: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Frozen evidence about one stream (one brand), fetched by the watcher."""

    brand: str
    final: Sequence[Cell] = ()
    """Cells newly final, historic ones at first contact included; ordered by start."""
    final_until: Mapping[str, datetime] = {}
    """source → end of what is now fed."""
    open: Sequence[Cell] = ()
    """Cells not final yet: lower bounds that may raise and hold, never lower or teach."""
    sources: Sequence[SourceView] = ()
    mentions: Sequence[Mention] = ()
    window_persons: int = 0
    """Distinct critical persons in the rule's own window that ends now."""
    critics: Sequence[Critic] = ()
    """Critical opinions of the last 12 h, so that persons can be counted over exactly any window within."""
    zone: str = "Europe/Berlin"
    """In which the hours of the day are counted."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A rule's word that something is the matter. Key: (rule, stream, key)."""

    rule: str
    version: int
    stream: str
    key: str
    """End of the bin (ISO) or the uid of the mention."""
    brand: str
    at: datetime
    window_start: datetime
    window_end: datetime
    observed: int
    """Negative counted opinions in the window (posts)."""
    expected: float
    low: float
    high: float
    """Usual range of the same quantity."""
    return_period_days: float | None = None
    uids: tuple[str, ...] = ()
    level_hint: int = 0
    reasons: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    """(message key of the i18n catalogue, its numbers)."""


class Usual(Protocol):
    """What a rule has learned of a brand: its word on what is usual, for level, mail and pages."""

    dispersion: float
    """Variance = mean + dispersion * mean²."""
    share: float
    """Usual share of negative opinions."""

    def negative(self, view: SourceView, start: datetime, end: datetime) -> float:
        """Negative counted posts expected of a source in that span, over the part of it that has been crawled."""
        ...

    def exposure(self, view: SourceView, start: datetime, end: datetime) -> float:
        """Share of that span that has been crawled, 0..1."""
        ...

    def learning(self) -> bool:
        """Whether no source has been watched long enough yet."""
        ...


@runtime_checkable
class Learns(Protocol):
    """A rule that can tell what is usual from its state."""

    def usual(self, state: bytes | None, zone: str) -> Usual:
        """What is usual, read from a state blob."""
        ...


@runtime_checkable
class Rests(Protocol):
    """A rule that can tell how much criticism is missing before it could raise anything."""

    def slack(self, state: bytes | None, evidence: Evidence) -> int:
        """So many more critical posts must be stored first; 0 where it must be asked again in any case.

        ``state`` is the one after ``evidence`` was evaluated. It holds however time goes on and sources are read on,
        as long as no source is read for the first time.
        """
        ...


class Rule(Protocol):
    """A kind of rule with its options set."""

    name: ClassVar[str]
    version: ClassVar[int]
    description: ClassVar[str]
    example: ClassVar[str]
    Options: ClassVar[type[BaseModel]]

    @property
    def needs(self) -> Needs:
        """What evidence it wants."""
        ...

    def evaluate(self, state: bytes | None, evidence: Evidence, now: datetime) -> tuple[bytes | None, list[Alert]]:
        """The next state (at most 8 kB) and alerts. Never queries, mails or sleeps."""
        ...
