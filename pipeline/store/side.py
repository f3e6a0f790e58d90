"""What stands beside mentions for Kibana and Grafana: events, result lists, series. Rows with stable ids.

Only engines that others read have such a place (``side_of``); the embedded one has none, for its readers are ours.
Every row can be made again from the state database and the store: nothing here is a source of truth.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Protocol

import msgspec
from msgspec import Meta


class SideIndex(StrEnum):
    """The indices beside mentions, by the end of their names."""

    EVENTS = "events"
    RESULTS = "results"
    SERIES = "series"


class EventKind(StrEnum):
    """What sort of thing happened."""

    ALERT = "alert"
    LEVEL = "level"
    """An incident was opened, rose, fell or ended."""
    INCIDENT = "incident"
    """Something else was recorded about one: an update, a keyword."""
    ACTION = "action"
    """A person took over, closed or silenced."""
    NOTE = "note"
    SILENCE = "silence"
    OUTAGE = "outage"
    """A source that brings nothing, too little or too late."""
    HOLE = "hole"
    """A span of a source that was never read and cannot be."""
    LEARNING = "learning"
    """A rule began to learn what is usual for a brand, or has learned it; a source that is still learned."""
    STATEMENT = "statement"
    """The brand's own word."""
    MODEL = "model"
    """Texts are scored another way from now on."""


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    """One document; ``key`` parts make its id, so that writing it again changes nothing."""

    INDEX: ClassVar[SideIndex]
    at: Annotated[datetime, Meta(description="When it happened or began: the time field.")]

    @property
    def id(self) -> str:
        """32 hex, the same for the same thing wherever and whenever it is written."""
        return hashlib.blake2b("\n".join(self.key).encode(), digest_size=16).hexdigest()

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from all others of its index."""
        raise NotImplementedError

    @property
    def once(self) -> bool:
        """Whether what was written first stays, because ``at`` is the clock of whoever noticed it."""
        return False


class Event(_Row, frozen=True, kw_only=True):
    """Something that charts mark: an alert, a change of level, an outage, a silence."""

    INDEX = SideIndex.EVENTS
    kind: Annotated[
        EventKind,
        Meta(description="alert, level, incident, action, note, silence, outage, hole, learning, statement or model."),
    ]
    what: Annotated[str, Meta(description="What happened to it: opened, up, down, all_clear, blind, begun, …")]
    text: Annotated[str, Meta(description="A sentence for people, in the language of the pages.")] = ""
    end: Annotated[datetime | None, Meta(description="When it ended or is to end; missing while it lasts.")] = None
    brand: Annotated[str | None, Meta(description="Brand it concerns; missing: all.")] = None
    source: Annotated[str | None, Meta(description="Source it concerns.")] = None
    rule: Annotated[str | None, Meta(description="Rule, by its id in the configuration.")] = None
    rule_version: Annotated[int | None, Meta(description="Version of the rule's kind.")] = None
    incident: Annotated[str | None, Meta(description="Incident it belongs to, such as R-0001.")] = None
    level: Annotated[int | None, Meta(description="Wind force after it, 0 to 6.")] = None
    previous: Annotated[int | None, Meta(description="Wind force before it.")] = None
    by: Annotated[str | None, Meta(description="Who did it; sturmwarte for what no person did.")] = None
    persons: Annotated[int | None, Meta(description="Critical persons in the window that was counted.")] = None
    window_start: Annotated[datetime | None, Meta(description="Begin of the window an alert counted.")] = None
    window_end: Annotated[datetime | None, Meta(description="End of the window an alert counted.")] = None
    observed: Annotated[int | None, Meta(description="Critical posts in that window.")] = None
    expected: Annotated[float | None, Meta(description="Critical posts usual in such a window.")] = None
    low: Annotated[float | None, Meta(description="Lower end of what is usual.")] = None
    high: Annotated[float | None, Meta(description="Upper end of what is usual.")] = None
    return_period_days: Annotated[float | None, Meta(description="So many days lie between two such alerts.")] = None
    uid: Annotated[str | None, Meta(description="The mention it is, of a statement.")] = None
    identity: Annotated[str, Meta(description="What makes it one and the same event wherever it is written.")]

    @property
    def key(self) -> tuple[str, ...]:
        return (self.kind, self.identity)

    @property
    def once(self) -> bool:
        """What a rule learns of a brand and how texts are scored have no time of their own; a source's learning has."""
        return self.kind in (EventKind.LEARNING, EventKind.MODEL) and self.source is None


class Result(_Row, frozen=True, kw_only=True):
    """One place in the ranked list that a search engine gave for a query."""

    INDEX = SideIndex.RESULTS
    source: Annotated[str, Meta(description="Source that asked: one query at one engine.")]
    query: Annotated[str, Meta(description="The words that were asked for.")]
    position: Annotated[int, Meta(description="Rank, 1 is the first.")]
    uid: Annotated[str, Meta(description="The mention the result became: uid in the index of mentions.")]
    url: Annotated[str, Meta(description="Address of the page.")]
    title: Annotated[str, Meta(description="Title as the list showed it.")]
    snippet: Annotated[str, Meta(description="Excerpt as the list showed it.")]
    engines: Annotated[tuple[str, ...], Meta(description="Engines that had it, where several were asked at once.")]
    domain: Annotated[str, Meta(description="Host name of the page.")]

    @property
    def key(self) -> tuple[str, ...]:
        return (self.source, self.query, self.at.isoformat(), str(self.position))


class Hour(_Row, frozen=True, kw_only=True):
    """One hour of one brand, by the time opinions were counted (``fed_bin``), with what was usual."""

    INDEX = SideIndex.SERIES
    brand: Annotated[str, Meta(description="The brand.")]
    posts: Annotated[int, Meta(description="Counted opinions.")] = 0
    negative: Annotated[int, Meta(description="Counted opinions that are negative.")] = 0
    neutral: Annotated[int, Meta(description="Counted opinions that are neutral.")] = 0
    positive: Annotated[int, Meta(description="Counted opinions that are positive.")] = 0
    copies: Annotated[int, Meta(description="Copies, which are not counted.")] = 0
    p_negative: Annotated[float, Meta(description="Sum of P(negative) over the counted opinions.")] = 0.0
    persons: Annotated[int, Meta(description="Critical persons in this hour; never to be added up.")] = 0
    expected: Annotated[
        float | None, Meta(description="Critical persons usual in this hour; missing while nothing is learned.")
    ] = None
    low: Annotated[float | None, Meta(description="Lower end of the usual range of critical persons.")] = None
    high: Annotated[float | None, Meta(description="Upper end of the usual range of critical persons.")] = None
    level: Annotated[int, Meta(description="Highest wind force recorded in this hour, 0 to 6.")] = 0
    exposure: Annotated[float, Meta(description="Share of this hour that has been crawled, 0 to 1.")] = 0.0

    @property
    def key(self) -> tuple[str, ...]:
        return (self.brand, self.at.isoformat())


Row = Event | Result | Hour
ROWS: dict[SideIndex, type[Row]] = {row.INDEX: row for row in (Event, Result, Hour)}


class Side(Protocol):
    """The place beside mentions. Every method raises StoreError where it cannot be reached."""

    def put(self, rows: Sequence[Row], at: datetime) -> int:
        """Write rows durably, each under its id, as they were known ``at`` that time.

        What is there already is replaced, unless it is of a later time; ``once``: it stays.

        Returns how many were sent: rows that this process is known to have written as they are, are not sent again.
        """
        ...

    def remove(self, rows: Iterable[Row]) -> None:
        """Take rows away again."""
        ...

    def forget(self, uids: Sequence[str]) -> int:
        """Remove every row that names one of these mentions; returns how many."""
        ...

    def purge(self, before: datetime) -> int:
        """Remove rows of a time before that; returns how many."""
        ...


def side_of(store: object) -> Side | None:
    """The place beside mentions that an engine has as ``side``; None where it has none."""
    side: Side | None = getattr(store, "side", None)
    return side


def fields_of(row: Row) -> dict[str, Any]:
    """The document of a row: times as ISO 8601, and no field where there is no value. A zero is a value."""
    return {name: value for name, value in msgspec.to_builtins(row).items() if value is not None}


def meanings(index: SideIndex) -> dict[str, str]:
    """Field → what it is, for the reference page."""
    found = {}
    for field in msgspec.inspect.type_info(ROWS[index]).fields:  # type: ignore[attr-defined]
        said = getattr(field.type, "extra_json_schema", None) or {}
        found[field.encode_name] = str(said.get("description", ""))
    return found
