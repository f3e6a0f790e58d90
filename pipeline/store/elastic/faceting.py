"""The most frequent values of a field, exactly: a value that is rare in one month must not be lost to the sum."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.store.elastic.access import Access
from pipeline.store.elastic.asking import (
    EXACT_PERSONS,
    Answer,
    Limit,
    ask,
    distinct,
    distinct_of,
    estimate,
    part,
)
from pipeline.store.elastic.compile import Clause, all_of, one_of
from pipeline.store.protocol import Facet, StoreError

_PLAIN = {
    **{name: name for name in ("platform", "channel", "kind", "author", "domain", "lang", "story", "source")},
    **{name: name for name in ("severity", "purpose", "topic")},
    "thread": "thread_id",
    "aspect": "aspects",
}
_OPINIONS = ("brand", "tone", "via", "voice")
FACET_FIELDS = (*_PLAIN, *_OPINIONS)

SHARD_SIZES = (1_000, 30_000, 500_000)
"""How many values each month is asked for, one after the other, until no value can have been left out."""
_TOGETHER = 50_000
"""Persons counted in one request, at most: the server refuses answers of more than 65,536 rows."""


def facets(
    access: Access, clauses: Sequence[Clause], brands: Sequence[tuple[str, ...]], field: str, size: int
) -> list[Facet]:
    """The most frequent values of a field among the hits, most posts first, then by value.

    Posts are exact. Persons are exact for values that up to ``EXACT_PERSONS`` persons share, else estimated.
    ``brands``: fields of an opinion speak of those on all of these. Raises ValueError for a field without facets.
    """
    if field not in FACET_FIELDS:
        raise ValueError(f"no facets of {field!r}; known: {', '.join(FACET_FIELDS)}")
    limit = Limit(access)
    values = _Values.of(field, brands)
    posts = dict(_ranked(access, clauses, values, size, limit))
    persons: dict[str, int] = {}
    for group in _groups(posts):
        persons |= _persons(access, clauses, values, group, limit)
    return [Facet(value=value, posts=number, persons=persons[value]) for value, number in posts.items()]


def persons_of(access: Access, clauses: Sequence[Clause], field: str, values: Sequence[str]) -> dict[str, int]:
    """Persons among the hits per value of a field of the mention; exact as above."""
    limit, where, found = Limit(access), _Values.of(field, ()), {}
    size = _TOGETHER // (EXACT_PERSONS + 2)
    for at in range(0, len(values), size):
        found.update(_persons(access, clauses, where, values[at : at + size], limit))
    return found


@dataclass(frozen=True, slots=True)
class _Values:
    """Where the values of a field stand: in the mention, or in those of its opinions that fulfil ``meant``."""

    field: str
    person: str = "person"
    meant: Clause | None = None
    several: bool = False
    """Several opinions of one mention may have the same value."""

    @staticmethod
    def of(field: str, brands: Sequence[tuple[str, ...]]) -> _Values:
        if field in _PLAIN:
            return _Values(_PLAIN[field])
        meant = all_of([one_of("opinions.brand", values) for values in brands])
        return _Values(f"opinions.{field}", "opinions.person", meant, several=field != "brand")

    @property
    def path(self) -> str:
        """Where the answer has the values."""
        return "aggregations.v" if self.meant is None else "aggregations.o.m.v"

    def wrapped(self, aggregation: Answer) -> Answer:
        """The request's aggregations, with this one over the values."""
        if self.meant is None:
            return {"v": aggregation}
        meant = {"m": {"filter": self.meant, "aggs": {"v": aggregation}}}
        return {"o": {"nested": {"path": "opinions"}, "aggs": meant}}


def _ranked(
    access: Access, clauses: Sequence[Clause], values: _Values, size: int, limit: Limit
) -> list[tuple[str, int]]:
    """(value, posts), the most frequent first."""
    if values.several:
        return _few(access, clauses, values, limit)[:size]
    for shard_size in SHARD_SIZES:
        order = [{"_count": "desc"}, {"_key": "asc"}]
        terms = {"field": values.field, "size": size, "shard_size": max(shard_size, size), "order": order}
        want = [f"{values.path}.buckets", f"{values.path}.doc_count_error_upper_bound"]
        aggs = values.wrapped({"terms": terms})
        answer = ask(access, access.names.mentions, clauses, limit=limit, want=want, size=0, aggs=aggs)
        found = part(answer, values.path)
        if not found.get("doc_count_error_upper_bound"):
            return [(bucket["key"], bucket["doc_count"]) for bucket in found.get("buckets", ())]
    raise StoreError("there are too many different values to rank them exactly: narrow the time range")


def _few(access: Access, clauses: Sequence[Clause], values: _Values, limit: Limit) -> list[tuple[str, int]]:
    """Fields with a handful of values, which several opinions of one mention may share: mentions are counted."""
    aggregation = {"terms": {"field": values.field, "size": 1_000}, "aggs": {"posts": {"reverse_nested": {}}}}
    want = [f"{values.path}.buckets"]
    aggs = values.wrapped(aggregation)
    answer = ask(access, access.names.mentions, clauses, limit=limit, want=want, size=0, aggs=aggs)
    found = [(bucket["key"], bucket["posts"]["doc_count"]) for bucket in part(answer, values.path).get("buckets", ())]
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))


def _groups(posts: dict[str, int]) -> Iterator[list[str]]:
    """Values whose persons fit into one answer."""
    group: list[str] = []
    rows = 0
    for value, number in posts.items():
        most = min(number, EXACT_PERSONS + 1) + 1
        if group and rows + most > _TOGETHER:
            yield group
            group, rows = [], 0
        group.append(value)
        rows += most
    if group:
        yield group


def _persons(
    access: Access, clauses: Sequence[Clause], values: _Values, group: Sequence[str], limit: Limit
) -> dict[str, int]:
    counted: dict[str, int] = {}
    many: list[str] = []
    for bucket in _per_value(access, clauses, values, group, distinct(values.person), limit):
        number = distinct_of(bucket)
        if number is None:
            many.append(bucket["key"])
        else:
            counted[bucket["key"]] = number
    for bucket in _per_value(access, clauses, values, many, {"n": estimate(values.person)}, limit) if many else ():
        counted[bucket["key"]] = max(int(bucket["n"]["value"]), EXACT_PERSONS + 1)
    return {value: counted.get(value, 0) for value in group}


def _per_value(
    access: Access,
    clauses: Sequence[Clause],
    values: _Values,
    group: Sequence[str],
    aggs: Answer,
    limit: Limit,
) -> list[Answer]:
    terms = {"field": values.field, "size": len(group), "include": list(group)}
    asked = [*clauses, one_of(values.field, group)] if values.meant is None else clauses
    keys = ("key", "n", "p.sum_other_doc_count")
    answer = ask(
        access,
        access.names.mentions,
        asked,
        limit=limit,
        want=[f"{values.path}.buckets.{key}" for key in keys],
        size=0,
        aggs=values.wrapped({"terms": terms, "aggs": aggs}),
    )
    buckets: list[Answer] = part(answer, values.path).get("buckets", [])
    return buckets
