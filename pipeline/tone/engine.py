"""The rule engine: valences of words to one compound score, in time linear in the length of the text.

Scores English exactly as vaderSentiment 3.3.2 does (Hutto and Gilbert 2014, MIT licence); the German rules
(``pipeline.tone.german``) share everything but the word rules.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import compress
from typing import Protocol

CAPITALS = 0.733
"""What a word in capitals among others that are not gains."""
NEGATED = -0.74
_ALPHA = 15


@dataclass(frozen=True, slots=True)
class Score:
    """Shares of negative, neutral and positive weight, the compound (-1..1), and the words that counted."""

    negative: float
    neutral: float
    positive: float
    compound: float
    words: tuple[tuple[str, float], ...] = ()


class Scorer(Protocol):
    """The rules of one language."""

    def score(self, text: str) -> Score:
        """The score of one text."""
        ...


def normalise(total: float) -> float:
    """A sum of valences squeezed to -1..1."""
    return max(-1.0, min(1.0, total / math.sqrt(total * total + _ALPHA)))


def emphasis(text: str) -> float:
    """What exclamation marks (up to four) and several question marks add to the weight of the whole."""
    exclamations = min(text.count("!"), 4) * 0.292
    questions = text.count("?")
    if questions <= 1:
        return exclamations
    return exclamations + (questions * 0.18 if questions <= 3 else 0.96)


def combine(valences: Sequence[float], words: Iterable[str], text: str) -> Score:
    """From one valence per word to the score of the text."""
    if not valences:
        return Score(0.0, 0.0, 0.0, 0.0)
    amplifier = emphasis(text)
    total = float(sum(filter(None, valences)))  # nearly all are zero, and add nothing
    if total > 0:
        total += amplifier
    elif total < 0:
        total -= amplifier
    return Score(*_shares(valences, amplifier), round(normalise(total), 4), weighty(words, valences))


def _shares(valences: Sequence[float], amplifier: float) -> tuple[float, float, float]:
    positive = negative = 0.0
    for valence in filter(None, valences):
        if valence > 0:
            positive += float(valence) + 1
        elif valence < 0:
            negative += float(valence) - 1
    neutral = valences.count(0.0)
    if positive > math.fabs(negative):
        positive += amplifier
    elif positive < math.fabs(negative):
        negative -= amplifier
    whole = positive + math.fabs(negative) + neutral
    return (
        round(math.fabs(negative / whole), 3),
        round(math.fabs(neutral / whole), 3),
        round(math.fabs(positive / whole), 3),
    )


def weighty(words: Iterable[str], valences: Sequence[float], most: int = 8) -> tuple[tuple[str, float], ...]:
    """The words that weighed most, heaviest first."""
    pairs = [
        (word, round(valence, 2))
        for word, valence in zip(compress(words, valences), filter(None, valences), strict=True)
    ]
    return tuple(sorted(pairs, key=lambda pair: -abs(pair[1]))[:most])


def shift_at(valences: list[float], pivot: int) -> list[float]:
    """What stands before a "but" counts half, what stands after it one and a half.

    VADER looks every value up by its first occurrence in the list it is just changing; the result is reproduced here
    with one heap of positions per value instead of a search per word.
    """
    result = list(valences)
    places: dict[float, list[int]] = {}
    for index, value in enumerate(result):
        if value:
            places.setdefault(value, []).append(index)
    for heap in places.values():
        heapify(heap)
    for index in range(len(result)):
        value = result[index]
        if not value:
            continue
        first = _first(places[value], result, value)
        if first == pivot:
            continue
        changed = value * (0.5 if first < pivot else 1.5)
        result[first] = changed
        heappush(places.setdefault(changed, []), first)
    return result


def _first(heap: list[int], values: Sequence[float], value: float) -> int:
    """The first position that still holds the value; positions that lost it are dropped."""
    while values[heap[0]] != value:
        heappop(heap)
    return heap[0]
