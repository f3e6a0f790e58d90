"""Many texts through py3langid's automaton at once: one look-up per column of characters and not per character."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEW = 16
"""Fewer texts than this go one by one: the arrays would cost more than they save."""


class Walk:
    """Counts the features of encoded texts, as the detector's own ``visit_counts`` does for one."""

    def __init__(self, identifier: Any, one: Callable[..., Counter[int] | None]) -> None:
        self._identifier, self._one = identifier, one
        self._next = np.asarray(identifier.tk_nextmove)
        self._rows = np.asarray(identifier._rowbase, dtype=np.int64)
        self._output = np.asarray(identifier.tk_output, dtype=np.int32)

    def counts(self, texts: Sequence[bytes]) -> list[Counter[int]]:
        """Feature → how often, for each text."""
        if len(texts) < FEW:
            known = self._identifier
            return [self._one(known.tk_nextmove, known._rowbase, known.tk_output, text) or Counter() for text in texts]
        order = sorted(range(len(texts)), key=lambda at: -len(texts[at]))
        found = self._features([texts[at] for at in order])
        counts: list[Counter[int]] = [Counter()] * len(texts)
        for place, at in enumerate(order):
            visited = found[place]
            counts[at] = Counter(visited[visited >= 0].tolist())
        return counts

    def _features(self, texts: Sequence[bytes]) -> NDArray[np.int32]:
        """A row per text, a column per byte: the feature that is complete there, or -1. Texts come longest first."""
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
        return np.ascontiguousarray(found.T)
