"""The phrases of a table, as ``*.toml`` beside this file spells them, unfolded to what is looked for in a text.

A phrase is one or several words; umlauts are written as such and found in either spelling.

- ``wort*`` begins a word, ``*wort`` ends one, ``*wort*`` stands anywhere in one (``Servicehotline``);
- ``{geht|ging}`` is one of several, ``{|gar} nicht`` with and without;
- `` … `` is a gap of up to seven words of the same sentence, `` ‥ `` one of up to two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

import msgspec

from pipeline.analysis import exact_tokens

GAPS = {"…": 7, "‥": 2}
"""How many words may stand in a gap."""
BORDERS = frozenset(".?")
"""What ends a sentence, once folded: ``.`` stands for full stop, exclamation mark, semicolon and line break."""
LINK = "§"
"""Stands for an address."""

_TOKEN = re.compile(r"[^\W_]+(?:://\S*)?|@\w+|[.!?;\n€$£%#🤬🖕😡❤👍🙏]")
_GAP = re.compile("([…‥])")
_CHOICE = re.compile(r"\{([^{}]*)\}")
_REMEMBERED = 100_000


class Folded(dict[str, str]):
    """Token → its folded form, made when first asked for; begins anew when there are too many."""

    def __missing__(self, token: str) -> str:
        if len(self) >= _REMEMBERED:
            self.clear()
        found = self[token] = _fold(token)
        return found


def tokens_of(text: str) -> list[str]:
    """Words, addresses and the marks that mean something, as they stand in the text."""
    return _TOKEN.findall(text)


class Phrase(msgspec.Struct, frozen=True):
    """One phrase: the alternatives of each piece, as found in folded tokens, and how many words may stand between."""

    pieces: tuple[tuple[str, ...], ...]
    gaps: tuple[int, ...]

    @property
    def rarest(self) -> tuple[str, ...]:
        """The piece that few texts hold: the one whose shortest alternative is the longest."""
        return max(self.pieces, key=lambda alternatives: min(map(len, alternatives)))

    @property
    def pattern(self) -> re.Pattern[str]:
        """Finds the whole phrase in folded tokens between blanks; the blanks around it are part of what is found."""
        first, *others = (_any_of(alternatives) for alternatives in self.pieces)
        spelled = first
        for gap, other in zip(self.gaps, others, strict=True):
            spelled += f"(?:[^ .?]+ ){{0,{gap}}}{other}"
        return re.compile(f" {spelled}")


def _any_of(alternatives: tuple[str, ...]) -> str:
    """One of these with the blank behind it; what a word may go on with or begin with belongs to it."""
    return f"(?:{'|'.join(map(_spelled, alternatives))})"


def _spelled(piece: str) -> str:
    begin = "" if piece.startswith(" ") else "[^ ]*?"
    end = " " if piece.endswith(" ") else "[^ ]* "
    return f"{begin}{re.escape(piece.strip())}{end}"


def read_phrase(spelled: str) -> Phrase:
    """What a phrase of a table stands for. Raises ValueError where it cannot be read."""
    parts = _GAP.split(spelled)
    gaps = tuple(GAPS[sign] for sign in parts[1::2])
    return Phrase(tuple(tuple(dict.fromkeys(_alternatives(part))) for part in parts[::2]), gaps)


def _alternatives(part: str) -> Iterator[str]:
    pieces = _CHOICE.split(part)
    for chosen in product(*(piece.split("|") if at % 2 else (piece,) for at, piece in enumerate(pieces))):
        yield _piece("".join(chosen))


def _piece(piece: str) -> str:
    """A piece with a blank at each end where a word has to end."""
    words = piece.split()
    if not words or not all(word.strip("*") for word in words) or "*" in " ".join(words)[1:-1]:
        raise ValueError(f"{piece!r} has no word, or an asterisk that is not at one of its ends")
    before = "" if words[0].startswith("*") else " "
    after = "" if words[-1].endswith("*") else " "
    folded = [_fold(token) for word in words for token in tokens_of(word.strip("*"))]
    return f"{before}{' '.join(folded)}{after}"


def _fold(token: str) -> str:
    """Lower case, umlauts written out; one sign for every end of a sentence, and one for every address."""
    if token in "!;\n.":
        return "."
    if not token[0].isalnum():
        return token[0]  # of a handle the sign alone
    if "://" in token or token.lower() == "www":
        return LINK
    return token.lower() if token.isascii() else "".join(exact_tokens(token)) or token
