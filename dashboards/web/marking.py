"""Found words marked in a text, as pieces for the template; the template escapes them."""

from __future__ import annotations

import re

import msgspec

from pipeline.analysis import exact_tokens, stem_tokens
from pipeline.query.tree import All, Node, Query, Some, Words

_WORD = re.compile(r"\w+")


class Piece(msgspec.Struct, frozen=True):
    """A part of a text; ``found`` where the search asked for it."""

    text: str
    found: bool


def wanted_stems(query: Query) -> frozenset[str]:
    """All tokens a search asks for and does not exclude; beginnings end with ``*``."""
    return frozenset(_tokens(query.root))


def _tokens(node: Node) -> list[str]:
    if isinstance(node, Words):
        last = "*" if node.prefix else ""
        return [token for variant in node.variants for token in (*variant[:-1], variant[-1] + last) if variant]
    if isinstance(node, All | Some):
        return [token for part in node.parts for token in _tokens(part)]
    return []


def marked(text: str, wanted: frozenset[str], lang: str | None) -> list[Piece]:
    """The text in pieces; their texts joined are the text."""
    pieces, end = [], 0
    for match in _WORD.finditer(text) if wanted else ():
        if _is_wanted(match[0], wanted, lang):
            pieces += [Piece(text[end : match.start()], False), Piece(match[0], True)]
            end = match.end()
    pieces.append(Piece(text[end:], False))
    return [piece for piece in pieces if piece.text]


def _is_wanted(word: str, wanted: frozenset[str], lang: str | None) -> bool:
    exact = exact_tokens(word)
    if wanted.intersection(exact) or wanted.intersection(stem_tokens(word, lang)):
        return True
    beginnings = tuple(token[:-1] for token in wanted if token.endswith("*"))
    return any(token.startswith(beginnings) for token in exact) if beginnings else False
