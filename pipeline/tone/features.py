"""What a text looks like to the classifier: hashed words and letters, made for a whole batch at once with numpy.

Words and pairs of words take the buckets below ``BLOCK``; runs of 2 to 5 letters within a word, one border counted in,
take those above. A run is known by a hash of its characters; nothing of the text itself is kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

BITS = 17
BLOCK = 1 << BITS
"""Buckets of words, and as many of letters."""
SIZE = 2 * BLOCK
SHORTEST_RUN, LONGEST_RUN = 2, 5

_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_DRAWN_OUT = re.compile(r"(.)\1{3,}")
_BLANK, _LETTER, _SIGN = 0, 1, 2
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_INVERSE = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))
_SALT_WORD, _SALT_PAIR = 99, 77

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
_Hashes = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Counted:
    """How often each bucket occurs in each text; sorted by text, then bucket. All arrays are equally long."""

    texts: int
    text: Integers
    bucket: Integers
    count: Integers


@dataclass(frozen=True, slots=True)
class Runs:
    """Every occurrence: its text, its bucket, and where in the spelled-out batch it begins and ends."""

    text: Integers
    bucket: Integers
    start: Integers
    end: Integers


def counted(texts: Sequence[str]) -> Counted:
    """The features of a batch of masked texts."""
    runs = runs_of(spelled(texts))
    keys, count = np.unique(runs.text * SIZE + runs.bucket, return_counts=True)
    return Counted(len(texts), keys // SIZE, keys % SIZE, count.astype(np.int64))


def spelled(texts: Sequence[str]) -> list[str]:
    """The texts as they are compared: lower case, umlauts written out, drawn-out letters cut to three."""
    return [" ".join(_DRAWN_OUT.sub(r"\1\1\1", text.lower().translate(_SPELLED_OUT)).split()) for text in texts]


def runs_of(texts: Sequence[str]) -> Runs:
    """All runs of words and letters in spelled-out texts; positions count in `` text1  text2 …``."""
    padded = [f" {text} " for text in texts]
    letters = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), np.uint32)
    if not letters.size:
        nothing = np.zeros(0, np.int64)
        return Runs(nothing, nothing, nothing, nothing)
    text = np.repeat(np.arange(len(padded)), [len(line) for line in padded])
    batch = _Batch(letters)
    parts = [_letters(batch, text, length) for length in range(SHORTEST_RUN, LONGEST_RUN + 1)]
    return _joined([*_words(batch, text), *parts])


class _Batch:
    """One sequence of characters, of which the hash of any stretch is had in one step (a polynomial modulo 2**64)."""

    def __init__(self, letters: npt.NDArray[np.uint32]) -> None:
        size = len(letters)
        powers = _powers(_FACTOR, size)
        self._inverse = _powers(_INVERSE, size)
        self._sums: _Hashes = np.zeros(size + 1, np.uint64)
        np.cumsum(letters * powers[:size], out=self._sums[1:])
        self.kind = _kinds()[np.minimum(letters, 0xFFFF)]
        self.size = size

    def hashes(self, start: Integers, end: Integers, salt: int) -> _Hashes:
        """A hash of each stretch, the same wherever it stands."""
        return _mixed((self._sums[end] - self._sums[start]) * self._inverse[start], salt)


def _letters(batch: _Batch, text: Integers, length: int) -> Runs:
    """Runs of one length that reach over no blank but at their ends."""
    blank = batch.kind == _BLANK
    blanks = np.zeros(batch.size + 1, np.int64)
    np.cumsum(blank, out=blanks[1:])
    start = np.arange(max(batch.size - length + 1, 0))
    inside = blanks[start + length - 1] - blanks[start + 1]
    start = start[(inside == 0) & ~(blank[start] & blank[start + length - 1])]
    found = batch.hashes(start, start + length, length)
    return Runs(text[start], _bucket(found) + BLOCK, start, start + length)


def _words(batch: _Batch, text: Integers) -> tuple[Runs, Runs]:
    """Words and single signs, and pairs of them in one text."""
    kind = batch.kind
    before, after = np.r_[_BLANK, kind[:-1]], np.r_[kind[1:], _BLANK]
    start = np.flatnonzero((kind == _SIGN) | ((kind == _LETTER) & (before != _LETTER)))
    end = np.flatnonzero((kind == _SIGN) | ((kind == _LETTER) & (after != _LETTER))) + 1
    word = batch.hashes(start, end, _SALT_WORD)
    of = text[start]
    together = of[1:] == of[:-1]
    pair = _mixed(word[:-1] * np.uint64(3) + word[1:], _SALT_PAIR)[together]
    return (
        Runs(of, _bucket(word), start, end),
        Runs(of[1:][together], _bucket(pair), start[:-1][together], end[1:][together]),
    )


def _joined(parts: Sequence[Runs]) -> Runs:
    return Runs(*(np.concatenate([getattr(part, name) for part in parts]) for name in Runs.__slots__))


def _bucket(hashes: _Hashes) -> Integers:
    return (hashes >> np.uint64(64 - BITS)).astype(np.int64)


def _mixed(hashes: _Hashes, salt: int) -> _Hashes:
    """Every bit of a hash made to depend on all (the finaliser of SplitMix64)."""
    mixed = (hashes ^ np.uint64(salt)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(31)
    return mixed * np.uint64(0x94D049BB133111EB)


def _powers(base: np.uint64, count: int) -> _Hashes:
    powers = np.full(count + 1, base, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


@lru_cache(maxsize=1)
def _kinds() -> npt.NDArray[np.uint8]:
    """Code point → blank, letter or sign; those beyond the first plane (emoji, mostly) are signs, as its last is."""
    marks = (_BLANK if c == " " else _LETTER if c.isalnum() or c == "_" else _SIGN for c in map(chr, range(1 << 16)))
    return np.fromiter(marks, np.uint8, 1 << 16)
