"""Calibration: from a compound to three probabilities. How the constants came about: decision 0003."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.words import ToneLabel


@dataclass(frozen=True, slots=True)
class Logistic:
    """A multinomial logistic curve over the compound; neutral is the class the others are measured against.

    Each triple is (constant, weight of the compound, weight of its absolute value).
    """

    negative: tuple[float, float, float]
    positive: tuple[float, float, float]

    def probabilities(self, compound: float) -> tuple[float, float, float]:
        """P(negative), P(neutral), P(positive); they sum to 1."""
        negative = math.exp(_linear(self.negative, compound))
        positive = math.exp(_linear(self.positive, compound))
        whole = negative + 1.0 + positive
        return negative / whole, 1.0 / whole, positive / whole


def label_of(probabilities: tuple[float, float, float]) -> ToneLabel:
    """The most probable tone; neutral where two are equally so."""
    negative, neutral, positive = probabilities
    if neutral >= max(negative, positive):
        return ToneLabel.NEUTRAL
    if negative == positive:
        return ToneLabel.NEUTRAL
    return ToneLabel.NEGATIVE if negative > positive else ToneLabel.POSITIVE


def _linear(weights: tuple[float, float, float], compound: float) -> float:
    constant, straight, bent = weights
    return constant + straight * compound + bent * abs(compound)


CURVES = {
    "de": Logistic(negative=(-0.68, -1.17, 1.73), positive=(-0.63, 2.21, 1.29)),
    "en": Logistic(negative=(-0.43, -2.01, 1.27), positive=(-0.9, 1.35, 1.38)),
}
"""Language → curve of the rules alone, fitted with every tone equally frequent (decision 0003)."""
