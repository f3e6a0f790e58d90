"""Many texts through py3langid's automaton at once, and their scores for all languages from one look at its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEW = 16
"""Fewer texts than this go one by one: the arrays would cost more than they save."""

Floats = NDArray[np.float32]


class Walk:
    """Scores encoded texts as the detector's own ``_raw_score`` does for one; all languages alike where it finds none.

    The automaton is walked one column of characters at a time, and each row of its table, which no cache holds, is
    fetched and widened once for all texts in which its feature occurs.
    """

    def __init__(self, identifier: Any, one: Callable[..., Mapping[int, int] | None]) -> None:
        self._identifier, self._one = identifier, one
        self._next = np.asarray(identifier.tk_nextmove)
        self._rows = np.asarray(identifier._rowbase, dtype=np.int64)
        self._output = np.asarray(identifier.tk_output, dtype=np.int32)
        self._table: NDArray[np.float16] = identifier.nb_ptc

    def scores(self, texts: Sequence[bytes]) -> Floats:
        """A row per text, a column per language."""
        scores = np.zeros((len(texts), self._table.shape[1]), dtype=np.float32)
        whose, features, counts = self._few(texts) if len(texts) < FEW else self._many(texts)
        occurring, places = self._occurring(features)
        rows, weights = self._table[occurring].astype(np.float32), np.log1p(counts.astype(np.float32))
        ends = np.searchsorted(whose, np.arange(len(texts)), side="right").tolist()
        start = 0
        for text, end in enumerate(ends):
            if start < end:
                scores[text] = weights[start:end] @ rows.take(places[start:end], axis=0) + self._identifier.nb_pc
            start = end
        return scores

    def _occurring(self, features: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The features without repetition, and for each one given its place among them."""
        marks = np.zeros(len(self._table), dtype=bool)
        marks[features] = True
        occurring = np.flatnonzero(marks)
        places = np.empty(len(self._table), dtype=np.intp)
        places[occurring] = np.arange(len(occurring))
        return occurring, places[features]

    def _few(self, texts: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        known = self._identifier
        counts = [self._one(known.tk_nextmove, known._rowbase, known.tk_output, text) or {} for text in texts]
        found = [(at, feature, times) for at, visits in enumerate(counts) for feature, times in sorted(visits.items())]
        columns = np.array(found, dtype=np.int64).reshape(-1, 3).T
        return columns[0], columns[1], columns[2]

    def _many(self, texts: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Number of the text, feature, how often it is there: by text, then by feature."""
        order = sorted(range(len(texts)), key=lambda at: -len(texts[at]))
        found = self._features([texts[at] for at in order])
        columns, ranks = np.nonzero(found >= 0)
        keys = np.array(order, dtype=np.int64)[ranks] * len(self._table) + found[columns, ranks]
        keys.sort()
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        whose, features = np.divmod(keys[first], len(self._table))
        return whose, features, np.diff(first, append=len(keys))

    def _features(self, texts: Sequence[bytes]) -> NDArray[np.int32]:
        """A column per text, a row per byte: the feature that is complete there, or -1. Texts come longest first."""
        lengths = np.array([len(text) for text in texts])
        width = int(lengths[0])
        block = np.frombuffer(b"".join(text.ljust(width, b"\0") for text in texts), dtype=np.uint8)
        letters = block.reshape(len(texts), width).T.astype(np.int64)
        found = np.full((width, len(texts)), -1, dtype=np.int32)
        state = np.zeros(len(texts), dtype=np.int64)
        for column in range(width):
            active = int(np.searchsorted(-lengths, -column))  # texts longer than this column
            state = self._next[self._rows[state[:active]] + letters[column, :active]].astype(np.int64)
            found[column, :active] = self._output[state]
        return found
