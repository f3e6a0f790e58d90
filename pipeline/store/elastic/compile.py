"""From the tree of a search to the query language of the server: filters only, nothing is scored.

No text of a user reaches a query parser: words are tokens of ``pipeline.analysis``, compared as they are.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import product
from typing import Any

import msgspec

from pipeline.query.tree import (
    All,
    Everything,
    Field,
    Node,
    Not,
    OneOpinion,
    Range,
    Some,
    ThreadWords,
    Uids,
    Words,
)
from pipeline.store.elastic.documents import NONE
from pipeline.store.measures import micros
from pipeline.words import ToneLabel

Clause = dict[str, Any]
Conditions = tuple[tuple[str, tuple[str, ...]], ...]
Stories = Callable[[str], list[str]]

NOTHING: Clause = {"match_none": {}}
TONES = (*(str(tone) for tone in ToneLabel), NONE)
MOST_TERMS = 50_000
"""Of one ``terms`` query; the server takes 65,536."""
LEVELS = 6
"""Levels of the tree that stand in one piece. The server reads 30 levels; a sealed piece begins anew."""
PLAIN = ("source", "platform", "channel", "kind", "lang", "domain", "author", "story", "is", "has")
LABELS = ("severity", "purpose", "topic")
FIELDS = {**{name: name for name in (*PLAIN, *LABELS)}, "thread_id": "thread_id.folded", "aspect": "aspects"}
"""Field of the language → field of the index whose values are lower case."""
_RANGES = {"rating": "rating", "seen": "seen_us", "published": "published_us"}
_FLAT = ("brand", "via", "voice")


def compile_query(root: Node, stories: Stories) -> list[Clause]:
    """Clauses that all must hold; none for a search for everything.

    ``stories`` gives all ids of the story that an id belongs to.
    """
    clause = _Compiler(stories).clause(root, 0)
    return [] if clause == everything() else [clause]


def within(start: datetime | None, end: datetime | None) -> list[Clause]:
    """``start <= event_time < end``: exact by microseconds, and by date, by which the server leaves out months."""
    if start is None and end is None:
        return []
    exact: dict[str, int] = {}
    coarse: dict[str, Any] = {"format": "epoch_millis"}
    if start is not None:
        exact["gte"], coarse["gte"] = micros(start), micros(start) // 1000
    if end is not None:
        exact["lt"], coarse["lte"] = micros(end), micros(end) // 1000
    return [{"range": {"event_us": exact}}, {"range": {"event_time": coarse}}]


def everything() -> Clause:
    """Matches all documents."""
    return {"match_all": {}}


def all_of(clauses: Sequence[Clause]) -> Clause:
    """One clause for several that all must hold."""
    if not clauses:
        return everything()
    return clauses[0] if len(clauses) == 1 else {"bool": {"filter": list(clauses)}}


def any_of(clauses: Sequence[Clause]) -> Clause:
    """One clause for several of which one must hold."""
    if not clauses:
        return NOTHING
    return clauses[0] if len(clauses) == 1 else {"bool": {"should": list(clauses), "minimum_should_match": 1}}


def without(clauses: Sequence[Clause]) -> Clause:
    """None of these may hold."""
    return {"bool": {"must_not": list(clauses)}}


def one_of(field: str, values: Iterable[Any]) -> Clause:
    """The field has one of these values."""
    wanted = list(dict.fromkeys(values))
    if not wanted:
        return NOTHING
    if len(wanted) == 1:
        return {"term": {field: wanted[0]}}
    pieces = [wanted[at : at + MOST_TERMS] for at in range(0, len(wanted), MOST_TERMS)]
    return any_of([{"terms": {field: piece}} for piece in pieces])


def counted_on(brand: str, tone: str | None = None) -> Clause:
    """Has a counted opinion on the brand, of that tone where one is given."""
    return one_of("counted_tone", [f"{brand}:{label}" for label in ((tone,) if tone else TONES)])


class _Compiler:
    def __init__(self, stories: Stories) -> None:
        self._stories = stories

    def clause(self, node: Node, level: int) -> Clause:
        """The clause of a part that stands ``level`` levels deep."""
        clause = self._clause(node, level)
        return _sealed(clause) if level and level % LEVELS == 0 and "bool" in clause else clause

    def _clause(self, node: Node, level: int) -> Clause:
        match node:
            case Everything():
                return everything()
            case Words():
                return _words(node)
            case ThreadWords(tokens):
                return _sequence("thread_words", tokens)
            case Field(name, values):
                return self._field(name, values)
            case Range():
                return _range(node)
            case OneOpinion():
                return _opinion(node)
            case Uids(uids):
                return one_of("uid", sorted(uids))
            case All(parts):
                return self._all(parts, level)
            case Some(parts):
                return any_of([self.clause(part, level + 1) for part in parts])
            case Not(part):
                return without([self.clause(part, level + 1)])
        raise ValueError(f"this store cannot search for {node!r}")

    def _all(self, parts: Sequence[Node], level: int) -> Clause:
        wanted = [self.clause(part, level + 1) for part in parts if not isinstance(part, Not)]
        unwanted = [self.clause(part.part, level + 1) for part in parts if isinstance(part, Not)]
        if not unwanted:
            return all_of(wanted)
        return {"bool": {"filter": wanted, "must_not": unwanted}}

    def _field(self, name: str, values: tuple[str, ...]) -> Clause:
        if name == "story":
            return one_of("story", (i for value in values for i in (value, *self._stories(value))))
        if name == "tone":
            return _opinion(OneOpinion(((name, values),)))
        if name in _FLAT:
            return one_of(name, values)
        if name not in FIELDS:
            raise ValueError(f"this store cannot search for the field {name!r}")
        return one_of(FIELDS[name], values)


def _sealed(clause: Clause) -> Clause:
    """The same clause, of which the server sees one level until it opens it."""
    return {"wrapper": {"query": base64.b64encode(msgspec.json.encode(clause)).decode()}}


def _words(node: Words) -> Clause:
    if node.prefix:
        return any_of([_beginning(node.index, variant) for variant in node.variants])
    return any_of([_sequence(node.index, variant) for variant in node.variants])


def _sequence(field: str, tokens: Sequence[str]) -> Clause:
    """These tokens one behind the other."""
    return {"match_phrase": {field: {"query": " ".join(tokens)}}} if tokens else NOTHING


def _beginning(field: str, tokens: Sequence[str]) -> Clause:
    """Tokens of which the last is a beginning. Never a few of the words it stands for: all, or an error."""
    if not tokens:
        return NOTHING
    if len(tokens) == 1:
        return {"prefix": {field: {"value": tokens[0]}}}
    words = [{"match": {"query": token}} for token in tokens[:-1]]
    beginning = {"prefix": {"prefix": tokens[-1]}}
    return {"intervals": {field: {"all_of": {"ordered": True, "max_gaps": 0, "intervals": [*words, beginning]}}}}


def _range(node: Range) -> Clause:
    bounds = [
        ("gte" if node.include_low else "gt", node.low),
        ("lte" if node.include_high else "lt", node.high),
    ]
    given = {
        sign: micros(bound) if isinstance(bound, datetime) else bound for sign, bound in bounds if bound is not None
    }
    field = _RANGES[node.name]
    return {"range": {field: given}} if given else {"exists": {"field": field}}


# --- opinions -----------------------------------------------------------------------------------------------------


def _opinion(node: OneOpinion) -> Clause:
    """Some opinion fulfils all conditions, and none that does has an excluded property."""
    some = _some_opinion(node.conditions)
    if not node.excluded:
        return some
    unwanted = [_some_opinion((*node.conditions, entry)) for entry in node.excluded]
    return {"bool": {"filter": [some], "must_not": unwanted}}


def _some_opinion(conditions: Conditions) -> Clause:
    """One opinion with all of these: by a flat field where one says it, which is much cheaper than ``nested``."""
    if (flat := _flat(conditions)) is not None:
        return flat
    return {"nested": {"path": "opinions", "query": all_of([_property(*condition) for condition in conditions])}}


def _flat(conditions: Conditions) -> Clause | None:
    asked = dict(conditions)
    if len(asked) != len(conditions):
        return None
    if len(asked) == 1:
        ((name, values),) = conditions
        if name in _FLAT:
            return one_of(name, values)
        return {"term": {"counted": True}} if (name, values) == ("counted", ("true",)) else None
    if "brand" not in asked or not set(asked) <= {"brand", "tone", "counted"}:
        return None
    pairs = [f"{brand}:{tone}" for brand, tone in product(asked["brand"], asked.get("tone", TONES))]
    if "counted" not in asked:
        return one_of("brand_tone", pairs)
    return one_of("counted_tone", pairs) if asked["counted"] == ("true",) else None


def _property(name: str, values: tuple[str, ...]) -> Clause:
    field = f"opinions.{name}"
    return one_of(field, [value == "true" for value in values] if name == "counted" else values)
