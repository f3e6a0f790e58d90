"""Which labelled texts are near-copies of each other, and which a model has seen: by their folded words alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.steps.story import Fingerprint, bands_of, same_story, words_of

_COMPARED = 20
"""Texts of one band that a further one is compared with."""

Digests = npt.NDArray[np.uint32]


def groups_of(texts: Sequence[str]) -> list[int]:
    """One number for each text; texts with the same are near-copies, by way of others at most."""
    leader = list(range(len(texts)))

    def lead(at: int) -> int:
        while leader[at] != at:
            leader[at] = leader[leader[at]]
            at = leader[at]
        return at

    alike: dict[object, list[tuple[int, Fingerprint]]] = {}
    for at, text in enumerate(texts):
        mine = Fingerprint.of(text)
        for key in filter(None, (mine.words, *bands_of(mine, None))):
            others = alike.setdefault(key, [])
            for other, known in others:
                if same_story(mine, known, same_author=True):
                    leader[lead(at)] = lead(other)
            if len(others) < _COMPARED:
                others.append((at, mine))
    return [lead(at) for at in range(len(texts))]


def digests_of(texts: Sequence[str]) -> Digests:
    """A 32-bit digest of each text's folded words: of other texts one in four thousand million has the same."""
    folded = (" ".join(words_of(text)).encode("utf-8", "surrogatepass") for text in texts)
    found = (int.from_bytes(hashlib.blake2b(text, digest_size=4).digest(), "little") for text in folded)
    return np.fromiter(found, np.uint32, len(texts))
