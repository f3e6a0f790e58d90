"""Figures of a scorer against labelled texts; pure functions of arrays. Labels are indices into ``TONES``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.tone.features import Floats, Integers
from pipeline.words import ToneLabel

TONES = (ToneLabel.NEGATIVE, ToneLabel.NEUTRAL, ToneLabel.POSITIVE)
BINS = 10
DRAWS = 1000


def confusion(truth: Integers, found: Integers) -> Integers:
    """(3, 3): rows are what people said, columns what was found."""
    table: Integers = np.bincount(truth * 3 + found, minlength=9).reshape(3, 3)
    return table


def f1_of(table: Integers) -> Floats:
    """F1 of each tone; 0 where it neither occurs nor is found."""
    hits = np.diagonal(table)
    sums = table.sum(axis=0) + table.sum(axis=1)
    figures: Floats = np.divide(2 * hits, sums, out=np.zeros(3), where=sums > 0)
    return figures


def f1_figures(truth: Integers, found: Integers) -> dict[str, float]:
    """micro_f1 (the share found right) and macro_f1 (the mean over the tones that occur)."""
    table = confusion(truth, found)
    occurs = table.sum(axis=1) > 0
    macro = float(f1_of(table)[occurs].mean()) if occurs.any() else 0.0
    return {"micro_f1": float(np.trace(table) / max(table.sum(), 1)), "macro_f1": macro}


def auc(positive: Integers, score: Floats) -> float | None:
    """Area under the ROC curve by ranks (Mann and Whitney 1947), ties count half; None where one side is empty."""
    wanted = positive.astype(bool)
    yes, no = int(wanted.sum()), int((~wanted).sum())
    if not yes or not no:
        return None
    _, at, size = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(size) - (size - 1) / 2)[at]
    return float((rank[wanted].sum() - yes * (yes + 1) / 2) / (yes * no))


def calibration_error(truth: Integers, probabilities: Floats) -> float:
    """Expected calibration error of the tone found, in ten bins of its probability (Guo et al. 2017)."""
    sure, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    place = np.minimum((sure * BINS).astype(np.int64), BINS - 1)
    gap = np.bincount(place, sure - right, BINS)
    return float(np.abs(gap).sum() / max(len(truth), 1))


def interval(truth: Integers, found: Integers, figure: Callable[[Integers, Integers], float], seed: int) -> list[float]:
    """The middle 95 % of a figure over DRAWS samples of the texts, drawn with replacement."""
    chance = np.random.default_rng(seed)
    draws = (chance.integers(0, len(truth), len(truth)) for _ in range(DRAWS))
    figures = [figure(truth[rows], found[rows]) for rows in draws]
    return [round(float(edge), 4) for edge in np.percentile(figures, [2.5, 97.5])]
