"""The parsed form of a search: what stores compile. Made by ``pipeline.query.parse`` only."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Node(msgspec.Struct, frozen=True):
    """Any part of a search."""


class Everything(Node, frozen=True):
    """Matches all mentions."""


class Words(Node, frozen=True):
    """Tokens in sequence over text and own title. One token: a word; several: a phrase.

    ``variants`` are alternatives; each is one sequence of tokens of the index named by ``index``
    (``exact`` or ``stem``). With ``prefix`` the last token is a beginning.
    """

    variants: tuple[tuple[str, ...], ...]
    index: str = "stem"
    prefix: bool = False


class ThreadWords(Node, frozen=True):
    """Folded tokens that the thread's title contains in sequence."""

    tokens: tuple[str, ...]


class Field(Node, frozen=True):
    """A field equals one of these values (lower case); ``source:a`` and the like."""

    name: str
    values: tuple[str, ...]


class Range(Node, frozen=True):
    """A numeric or time field lies within bounds; None is open."""

    name: str
    low: float | datetime | None
    high: float | datetime | None
    include_low: bool = True
    include_high: bool = True


class OneOpinion(Node, frozen=True):
    """All of these hold of one and the same opinion. Keys: brand, tone, via, voice, counted."""

    conditions: tuple[tuple[str, tuple[str, ...]], ...]
    excluded: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Uids(Node, frozen=True):
    """A resolved set of mentions (incident members and the like)."""

    uids: frozenset[str]


class All(Node, frozen=True):
    """Every part matches."""

    parts: tuple[Node, ...]


class Some(Node, frozen=True):
    """At least one part matches."""

    parts: tuple[Node, ...]


class Not(Node, frozen=True):
    """The part does not match."""

    part: Node


class Query(msgspec.Struct, frozen=True):
    """A parsed search: its tree and the text it was made from. ``as_of`` comes from the query text, if given."""

    root: Node
    text: str = ""
    as_of: datetime | None = None


EVERYTHING = Query(Everything())
