"""From the tree of a search to SQL: what the text index can answer becomes one MATCH, the rest conditions on rows.

No text of a user ever reaches MATCH unquoted: tokens are made by ``pipeline.analysis`` and stand in double quotes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

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
from pipeline.store.measures import micros
from pipeline.store.sqlite.functions import FACETS, facet

OPINION_FIELDS = ("tone", "via", "voice")
_IN_TEXT = "m.id IN (SELECT rowid FROM mention_text WHERE mention_text MATCH ?)"
_FIRST_OF_STORY = (
    "m.uid IN (SELECT sw_unhex(value) FROM json_each(?))"
    " AND COALESCE(json_extract(m.doc, '$.story'), lower(hex(m.uid))) = lower(hex(m.uid))"
)
"""The first one of a story carries no story: its own uid is its story."""
SAME_MENTION = "o.fed_bin = m.fed_bin AND o.id = m.id"


@dataclass(slots=True)
class Compiled:
    """``match`` drives the search where it is not empty; ``where`` are further conditions on rows ``m``."""

    match: str = ""
    where: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)


def compile_query(root: Node, stories: Callable[[str], list[str]]) -> Compiled:
    """The SQL of a search. ``stories`` gives all ids of the story that an id belongs to."""
    root = resolved(root, stories)
    parts = root.parts if isinstance(root, All) else (root,)
    compiled = Compiled()
    wanted, unwanted = [], []
    for part in parts:
        if isinstance(part, Not) and (text := _text(part.part)):
            unwanted.append(text)
        elif text := _text(part):
            wanted.append(text)
        elif not isinstance(part, Everything):
            wanted += _implied(part)
            _add(compiled, part)
    compiled.match = " AND ".join(wanted)
    if unwanted and wanted:
        compiled.match = f"({compiled.match}) NOT ({' OR '.join(unwanted)})"
    elif unwanted:
        compiled.where.append(f"NOT {_IN_TEXT}")
        compiled.values.append(" OR ".join(unwanted))
    return compiled


def resolved(node: Node, stories: Callable[[str], list[str]]) -> Node:
    """With stories replaced by all their ids: members carry one of these, or are the first one."""
    match node:
        case Field("story", values):
            return Field("story", tuple(dict.fromkeys(i for value in values for i in (value, *stories(value)))))
        case All(parts):
            return All(tuple(resolved(part, stories) for part in parts))
        case Some(parts):
            return Some(tuple(resolved(part, stories) for part in parts))
        case Not(part):
            return Not(resolved(part, stories))
    return node


def _is_uid(text: str) -> bool:
    return len(text) == 32 and all(c in "0123456789abcdef" for c in text)


def _text(node: Node) -> str:
    """The part as an expression of the text index, or nothing where the index cannot answer it alone."""
    match node:
        case Words(variants, index, prefix):
            star = " *" if prefix else ""
            return _any([f"{index} : {_quoted(' '.join(variant))}{star}" for variant in variants])
        case ThreadWords(tokens):
            return f"facet : {_quoted(' '.join(f'w_{token}' for token in tokens))}"
        case Field(name, values) if name in FACETS and name != "story":
            return _facets(name, values)
        case OneOpinion((("brand", values),), ()):
            return _facets("brand", values)
        case All(parts):
            return _all(parts)
        case Some(parts):
            texts = [_text(part) for part in parts]
            return _any(texts) if all(texts) else ""
    return ""


def _all(parts: tuple[Node, ...]) -> str:
    wanted = [_text(part) for part in parts if not isinstance(part, Not)]
    unwanted = [_text(part.part) for part in parts if isinstance(part, Not)]
    if not wanted or not all(wanted) or not all(unwanted):
        return ""
    text = f"({' AND '.join(wanted)})"
    return f"({text} NOT ({' OR '.join(unwanted)}))" if unwanted else text


def _any(texts: list[str]) -> str:
    return f"({' OR '.join(texts)})"


def _facets(name: str, values: tuple[str, ...]) -> str:
    return _any([f"facet : {_quoted(facet(name, value))}" for value in values])


def _quoted(tokens: str) -> str:
    return '"' + tokens.replace('"', '""') + '"'


def _implied(node: Node) -> list[str]:
    """What the index can already narrow of a condition on an opinion: its brand."""
    match node:
        case OneOpinion(conditions, _):
            return [_facets("brand", values) for name, values in conditions if name == "brand"]
    return []


def _add(compiled: Compiled, node: Node) -> None:
    sql, values = condition(node)
    compiled.where.append(sql)
    compiled.values += values


def condition(node: Node) -> tuple[str, list[Any]]:
    """The part as a condition on a row ``m``, and its values."""
    if text := _text(node):
        return _IN_TEXT, [text]
    match node:
        case Everything():
            return "1", []
        case All(parts):
            return _joined(parts, " AND ", "1")
        case Some(parts):
            return _joined(parts, " OR ", "0")
        case Not(part):
            sql, values = condition(part)
            return f"NOT {sql}", values
        case Range():
            return _range(node)
        case OneOpinion():
            return _opinion(node)
        case Field("story", ids):
            first = json.dumps([i for i in ids if _is_uid(i)])
            return f"({_IN_TEXT} OR {_FIRST_OF_STORY})", [_facets("story", ids), first]
        case Field(name, values) if name in OPINION_FIELDS:
            return _opinion(OneOpinion(((name, values),)))
        case Uids(uids):
            return "m.uid IN (SELECT sw_unhex(value) FROM json_each(?))", [json.dumps(sorted(uids))]
    raise ValueError(f"this store cannot search for {node!r}")


def _joined(parts: tuple[Node, ...], operator: str, nothing: str) -> tuple[str, list[Any]]:
    found = [condition(part) for part in parts]
    return f"({operator.join(sql for sql, _ in found) or nothing})", [v for _, values in found for v in values]


def _range(node: Range) -> tuple[str, list[Any]]:
    bounds = [
        (">=" if node.include_low else ">", node.low),
        ("<=" if node.include_high else "<", node.high),
    ]
    given = [(sign, bound) for sign, bound in bounds if bound is not None]
    sql = "".join(f" AND m.{node.name} {sign} ?" for sign, _ in given)
    values = [micros(bound) if isinstance(bound, datetime) else bound for _, bound in given]
    return f"(m.{node.name} IS NOT NULL{sql})", values


def _opinion(node: OneOpinion) -> tuple[str, list[Any]]:
    """Some opinion fulfils all conditions, and none that does has an excluded property."""
    meant, values = _properties(node.conditions)
    sql = f"{_one_with(node, meant)} IS NOT NULL"
    for entry in node.excluded:
        excluded, more = _properties((entry,))
        sql += f" AND {_one_with(node, f'{meant} AND {excluded}')} IS NULL"
        values = [*values, *_properties(node.conditions)[1], *more]
    return f"({sql})", values


def _one_with(node: OneOpinion, properties: str) -> str:
    """1 or NULL. Not EXISTS: SQLite 3.51 makes a join of it that gives a mention once for each of its opinions."""
    brand = "" if any(name == "brand" for name, _ in node.conditions) else "o.brand IN (SELECT brand FROM brand) AND "
    return f"(SELECT 1 FROM mention_brand o WHERE {brand}{SAME_MENTION} AND {properties} LIMIT 1)"


def _properties(conditions: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[str, list[Any]]:
    sql: list[str] = []
    values: list[Any] = []
    for name, wanted in conditions:
        column = {"tone": "IFNULL(o.tone, 'none')", "counted": "IIF(o.counted, 'true', 'false')"}.get(name, f"o.{name}")
        sql.append(f"{column} IN ({', '.join('?' * len(wanted))})")
        values += wanted
    return " AND ".join(sql) or "1", values
