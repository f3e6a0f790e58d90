"""The search language: Lucene's syntax, parsed by luqum, turned into the tree of ``pipeline.query.tree``.

Words without an operator between them must all occur; OR binds closer than that, AND closer still.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from luqum import tree as lucene
from luqum.exceptions import ParseError
from luqum.thread import parse as lucene_parse

from pipeline.analysis import exact_tokens, stem_variants
from pipeline.query.combining import all_of, negated, some_of
from pipeline.query.errors import QueryError, unknown
from pipeline.query.fields import CHOICES, SHAPES, WITHOUT_DATA, Known, Shape
from pipeline.query.rewriting import MAX_LEVELS, Rewritten, rewrite
from pipeline.query.times import span_of
from pipeline.query.tree import Everything, Field, Node, OneOpinion, Query, Range, ThreadWords, Uids, Words

__all__ = ["Known", "QueryError", "Resolver", "parse"]

Resolver = Callable[[str], frozenset[str]]
"""Gives the uids that a value of a field stands for; raises LookupError where it stands for nothing."""

_ESCAPE = re.compile(r"\\(.)")
_CLOCK = re.compile(r"\d{1,2}")
_REFUSED: tuple[tuple[type[lucene.Item], str], ...] = (
    (lucene.Regex, "regex"),
    (lucene.Fuzzy, "fuzzy"),
    (lucene.Proximity, "fuzzy"),
    (lucene.Boost, "boost"),
)
_STAR_EDGE = 1e-6
"""Half the width of what counts as one rating, for ratings kept as fractions."""


def parse(
    text: str,
    *,
    now: datetime,
    zone: ZoneInfo,
    resolvers: Mapping[str, Resolver] | None = None,
    known: Known | None = None,
) -> Query:
    """The search that a text means. ``resolvers`` give the mentions of fields kept elsewhere. Raises QueryError."""
    if not text.strip():
        return Query(Everything(), text)
    rewritten = rewrite(text)
    reader = _Reader(rewritten, now, zone, resolvers or {}, known or Known())
    return reader.query(_lucene_tree(rewritten), text)


def _lucene_tree(rewritten: Rewritten) -> lucene.Item:
    try:
        return lucene_parse(rewritten.text)
    except ParseError as error:
        found = re.search(r"at position (\d+)", str(error))
        if found is None:
            raise QueryError("incomplete", rewritten.end) from None
        raise QueryError("syntax", rewritten.place(int(found[1]))) from None
    except RecursionError:
        raise QueryError("too_deep", 0, limit=MAX_LEVELS) from None


class _Reader:
    """Walks luqum's tree. ``field`` below is the field whose group we are in, or empty for text."""

    def __init__(
        self, rewritten: Rewritten, now: datetime, zone: ZoneInfo, resolvers: Mapping[str, Resolver], known: Known
    ) -> None:
        self._rewritten, self._now, self._zone = rewritten, now, zone
        self._resolvers, self._known = resolvers, known

    def query(self, item: lucene.Item, text: str) -> Query:
        """The whole search; ``as_of`` is taken out of its outermost conditions."""
        members = _members(item)
        moments = [member for member in members if _is_as_of(member)]
        rest = [member for member in members if not _is_as_of(member)]
        if len(moments) > 1:
            raise QueryError("nested_as_of", self._place(moments[1]))
        as_of = self._as_of(moments[0]) if moments else None
        if len(rest) == 1:
            return Query(self._node(rest[0], "", 0), text, as_of)
        return Query(self._all(rest, "", 0), text, as_of)

    def _place(self, item: lucene.Item) -> int:
        return self._rewritten.place(item.pos)

    def _node(self, item: lucene.Item, field: str, level: int) -> Node:
        if level > MAX_LEVELS:
            raise QueryError("too_deep", self._place(item), limit=MAX_LEVELS)
        self._refuse(item)
        if _is_and(item):
            return self._all(_members(item), field, level)
        if isinstance(item, lucene.OrOperation):
            return some_of([self._node(child, field, level) for child in item.children])
        if isinstance(item, lucene.Not | lucene.Prohibit):
            return negated(self._node(item.a, field, level + 1))
        if isinstance(item, lucene.Plus):
            return self._node(item.a, field, level + 1)
        if isinstance(item, lucene.Group | lucene.FieldGroup):
            return self._node(item.expr, field, level + 1)
        if isinstance(item, lucene.SearchField):
            return self._field(item, level)
        return self._leaf(item, field)

    def _all(self, items: Iterable[lucene.Item], field: str, level: int) -> Node:
        return all_of([self._node(item, field, level) for item in items])

    def _refuse(self, item: lucene.Item) -> None:
        for kind, what in _REFUSED:
            if isinstance(item, kind):
                raise QueryError("not_supported", self._place(item), what=what)
        if isinstance(item, lucene.Word) and re.fullmatch(r"NEAR(/\d+)?", item.value):
            raise QueryError("not_supported", self._place(item), what="near")

    # --- fields ---------------------------------------------------------------------------------------------------

    def _field(self, item: lucene.SearchField, level: int) -> Node:
        name, place = item.name.lower(), self._place(item)
        if name not in SHAPES:
            raise self._no_field(item, place)
        if SHAPES[name] is Shape.AS_OF:
            raise QueryError("nested_as_of", place)
        return self._node(item.expr, name, level)

    def _no_field(self, item: lucene.SearchField, place: int) -> QueryError:
        """URLs and times of day look like fields to the grammar."""
        if isinstance(item.expr, lucene.Regex) or str(item.expr).startswith("//"):
            return QueryError("quote_url", place, text=_run(self._rewritten.text, item.pos))
        if _CLOCK.fullmatch(item.name):
            return QueryError("quote_time", place, text=_run(self._rewritten.text, item.pos))
        return unknown("unknown_field", place, item.name.lower(), SHAPES, field=item.name)

    def _leaf(self, item: lucene.Item, field: str) -> Node:
        if isinstance(item, lucene.Range | lucene.From | lucene.To):
            return self._range(item, field)
        if not isinstance(item, lucene.Word | lucene.Phrase):
            raise QueryError("syntax", self._place(item))
        if not field:
            return self._text(item)
        return self._value(item, field, SHAPES[field])

    def _value(self, item: lucene.Term, field: str, shape: Shape) -> Node:
        text, place = _plain(item).removeprefix("="), self._place(item)
        if not text.strip():
            raise QueryError("needs_value", place, field=field)
        match shape:
            case Shape.TIME:
                low, high = self._span(text, place)
                return Range(field, low, high, True, low == high)
            case Shape.NUMBER:
                value = self._number(text, place, field)
                return Range("rating", value - _STAR_EDGE, value + _STAR_EDGE)
            case Shape.TITLE:
                return ThreadWords(tuple(self._tokens(text, place)))
            case Shape.TOPIC:
                return all_of([Field(field, _terms(word)) for word in self._tokens(text, place)])
            case Shape.RESOLVED:
                return self._resolved(field, text, place)
        value_text = self._checked(field, text.strip().lower(), place)
        if shape is Shape.OPINION:
            return OneOpinion(((field, (value_text,)),))
        if (field, value_text) == ("is", "counted"):
            return OneOpinion((("counted", ("true",)),))
        return Field(field, (value_text,))

    def _checked(self, field: str, value: str, place: int) -> str:
        choices = CHOICES.get(field) or self._known.of(field)
        if choices is not None and value not in choices:
            raise unknown("unknown_value", place, value, choices, field=field, value=value)
        if (field, value) in WITHOUT_DATA:
            raise QueryError("no_data", place, field=f"{field}:{value}")
        return value

    def _resolved(self, field: str, value: str, place: int) -> Node:
        resolver = self._resolvers.get(field)
        if resolver is None:
            raise QueryError("no_data", place, field=field)
        try:
            return Uids(resolver(value))
        except LookupError:
            raise QueryError("unknown_value_plain", place, field=field, value=value, known="…") from None

    # --- ranges ---------------------------------------------------------------------------------------------------

    def _range(self, item: lucene.Range | lucene.From | lucene.To, field: str) -> Node:
        place = self._place(item)
        if not field:
            raise QueryError("syntax", place)
        if SHAPES[field] not in (Shape.TIME, Shape.NUMBER):
            raise QueryError("no_range", place, field=field)
        low, low_in, high, high_in = _ends(item)
        if SHAPES[field] is Shape.NUMBER:
            return self._numbers(field, low, low_in, high, high_in, place)
        return self._times(field, low, low_in, high, high_in, place)

    def _numbers(self, field: str, low: str, low_in: bool, high: str, high_in: bool, place: int) -> Range:
        bounds = [self._number(bound, place, field) if bound else None for bound in (low, high)]
        edges = (-_STAR_EDGE if low_in else _STAR_EDGE, _STAR_EDGE if high_in else -_STAR_EDGE)
        first, last = (b + edge if b is not None else None for b, edge in zip(bounds, edges, strict=True))
        return Range("rating", first, last)

    def _times(self, field: str, low: str, low_in: bool, high: str, high_in: bool, place: int) -> Range:
        """A day as a bound is a whole day: ``> day`` begins after it, ``<= day`` ends with it."""
        first = last = None
        include_low, include_high = True, False
        if low:
            span = self._span(low, place)
            first, include_low = (span[0], True) if low_in else (span[1], span[0] < span[1])
        if high:
            span = self._span(high, place)
            last, include_high = (span[1], span[0] == span[1]) if high_in else (span[0], False)
        return Range(field, first, last, include_low, include_high)

    def _span(self, text: str, place: int) -> tuple[datetime, datetime]:
        try:
            return span_of(text, self._now, self._zone)
        except ValueError:
            raise QueryError("no_time", place, value=text) from None

    def _number(self, text: str, place: int, field: str) -> float:
        """A rating from 0 to 1; stars are turned into it."""
        try:
            value = float(text.replace(",", "."))
        except ValueError:
            raise QueryError("no_number", place, value=text) from None
        return (value - 1) / 4 if field == "stars" else value

    def _as_of(self, item: lucene.SearchField) -> datetime:
        """The last moment of what is given: the past as it was known when that span ended."""
        if not isinstance(item.expr, lucene.Word | lucene.Phrase):
            raise QueryError("no_range", self._place(item), field="as_of")
        return self._span(_plain(item.expr), self._place(item.expr))[1]

    # --- text -----------------------------------------------------------------------------------------------------

    def _text(self, item: lucene.Term) -> Node:
        """A word, a beginning (``wort*``), an exact word (``=wort``) or a phrase."""
        text, place = _plain(item), self._place(item)
        if text == "*":
            return Everything()
        exact, text = text.startswith("="), text.removeprefix("=")
        prefix, text = _unstarred(item, text), text.rstrip("*")
        if _has_star(item, text) or (prefix and not text):
            raise QueryError("wildcard" if isinstance(item, lucene.Word) else "wildcard_phrase", place)
        tokens = self._tokens(text, place)
        if prefix:
            return Words((tuple(tokens),), "exact", True)
        if exact:
            return Words((tuple(tokens),), "exact")
        return Words(stem_variants(text))

    def _tokens(self, text: str, place: int) -> list[str]:
        tokens = exact_tokens(text)
        if not tokens:
            raise QueryError("no_word", place, text=text)
        return tokens


def _is_and(item: lucene.Item) -> bool:
    return isinstance(item, lucene.AndOperation | lucene.UnknownOperation)


def _members(item: lucene.Item) -> list[lucene.Item]:
    """What stands side by side: ``a AND b c`` has three members, brackets keep theirs together."""
    if not _is_and(item):
        return [item]
    return [member for child in item.children for member in _members(child)]


def _is_as_of(item: lucene.Item) -> bool:
    return isinstance(item, lucene.SearchField) and item.name.lower() == "as_of"


def _plain(item: lucene.Term) -> str:
    """The text meant: without quotes and escapes."""
    value = str(item.value)
    if isinstance(item, lucene.Phrase):
        value = value[1:-1]
    return _ESCAPE.sub(r"\1", value)


def _unstarred(item: lucene.Term, text: str) -> bool:
    """Whether the text ends in an asterisk that was not escaped."""
    raw = str(item.value).removesuffix('"')
    return text.endswith("*") and not raw.endswith("\\*")


def _has_star(item: lucene.Term, text: str) -> bool:
    """Whether a word has a wildcard elsewhere; escaped ones and question marks behind a word are plain text."""
    if isinstance(item, lucene.Phrase):
        return "*" in text
    return bool(re.search(r"(?<!\\)(\*|\?(?=\w))", str(item.value).rstrip("*")))


def _ends(item: lucene.Range | lucene.From | lucene.To) -> tuple[str, bool, str, bool]:
    """(low, included, high, included); an open end is empty."""
    if isinstance(item, lucene.From):
        return _bound(item.a), item.include, "", True
    if isinstance(item, lucene.To):
        return "", True, _bound(item.a), item.include
    return _bound(item.low), item.include_low, _bound(item.high), item.include_high


def _bound(item: lucene.Item) -> str:
    text = _plain(item) if isinstance(item, lucene.Term) else str(item).strip()
    return "" if text == "*" else text


def _terms(word: str) -> tuple[str, ...]:
    """What a word may be called as a topic, by language."""
    return tuple(dict.fromkeys(variant[0] for variant in stem_variants(word)))


def _run(text: str, position: int) -> str:
    """The text from a place to the next white space or bracket."""
    found = re.match(r"[^\s)]*", text[position:])
    return found[0] if found else ""
