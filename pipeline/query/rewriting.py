"""Before the grammar: limits, brackets and quotes, and the spellings that the grammar does not know."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.query.errors import QueryError

MAX_LENGTH = 2_000
MAX_LEVELS = 50
_PAIRS = {")": "(", "]": "[", "}": "["}
_OPENING = {"(": "(", "[": "[", "{": "["}
_OPERATORS = {"&&": "AND", "||": "OR"}


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The text for the grammar, and for each of its characters the place in what was typed."""

    text: str
    places: tuple[int, ...]
    end: int

    def place(self, position: int | None) -> int:
        """Where a character of the rewritten text came from."""
        if position is None or position >= len(self.places):
            return self.end
        return self.places[position]


def rewrite(text: str) -> Rewritten:
    """Check limits and brackets; ``&&``, ``||`` and ``!a`` become words of the grammar. Raises QueryError."""
    if len(text) > MAX_LENGTH:
        raise QueryError("too_long", MAX_LENGTH, length=len(text), limit=MAX_LENGTH)
    pieces: list[tuple[str, int]] = []
    opened: list[tuple[str, int]] = []
    position = 0
    while position < len(text):
        piece, width = _piece(text, position)
        if width == 1:
            _bracket(piece, position, opened)
        pieces += [(character, position) for character in piece]
        position += width
    if opened:
        raise QueryError("unclosed_bracket", opened[-1][1], bracket=opened[-1][0])
    return Rewritten("".join(c for c, _ in pieces), tuple(place for _, place in pieces), len(text))


def _piece(text: str, at: int) -> tuple[str, int]:
    """(what to hand on, how many characters it stands for) of the text from ``at``."""
    character = text[at]
    if character == "\\":
        return text[at : at + 2], 2
    if character == '"' or (text.startswith('="', at) and text[at - 1 : at] not in ("<", ">")):
        return _phrase(text, at)
    starts_word = at == 0 or text[at - 1].isspace() or text[at - 1] == "("
    operator = text[at : at + 2]
    if operator in _OPERATORS and starts_word and (at + 2 == len(text) or text[at + 2].isspace()):
        return _OPERATORS[operator], 2
    if character == "!" and starts_word and at + 1 < len(text) and not text[at + 1].isspace():
        return "NOT ", 1
    return character, 1


def _phrase(text: str, at: int) -> tuple[str, int]:
    """A quoted text to its end. ``="exact"`` is handed on as ``"=exact"``."""
    exact = text[at] == "="
    start = at + exact
    end = start + 1
    while end < len(text) and text[end] != '"':
        end += 2 if text[end] == "\\" else 1
    if end >= len(text):
        raise QueryError("unclosed_quote", start)
    inner = text[start + 1 : end]
    return '"' + ("=" if exact else "") + inner + '"', end + 1 - at


def _bracket(piece: str, position: int, opened: list[tuple[str, int]]) -> None:
    if piece in _OPENING:
        opened.append((piece, position))
        if len(opened) > MAX_LEVELS:
            raise QueryError("too_deep", position, limit=MAX_LEVELS)
    elif piece in _PAIRS:
        if not opened or _OPENING[opened[-1][0]] != _PAIRS[piece]:
            raise QueryError("unopened_bracket", position, bracket=piece)
        opened.pop()
