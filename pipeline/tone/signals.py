"""What the rules and the place say about a text: the numbers that the classifier reads beside hashed features."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.tone.engine import Score
from pipeline.tone.features import Floats
from pipeline.tone.mask import MASK
from pipeline.words import Channel

FROM_RULES = (
    "compound",
    "strength",
    "share_negative",
    "share_positive",
    "sum_positive",
    "sum_negative",
    "most_positive",
    "most_negative",
    "calls_out",
    "asks",
    "names",
    "says_nothing",
)
CHANNELS = tuple(f"channel_{channel}" for channel in Channel)
NAMES = (*FROM_RULES, *CHANNELS)
"""The columns, in order."""


def signals(texts: Sequence[str], scores: Sequence[Score], channels: Sequence[Channel | None]) -> Floats:
    """One row for each masked text, its score by rules, and the kind of place where it stands (None: not known)."""
    rows = [_of_rules(text, score) for text, score in zip(texts, scores, strict=True)]
    places = [[float(channel == known) for known in Channel] for channel in channels]
    return np.hstack([np.array(rows).reshape(-1, len(FROM_RULES)), np.array(places).reshape(-1, len(CHANNELS))])


def _of_rules(text: str, score: Score) -> list[float]:
    weights = [weight for _, weight in score.words]
    good = [weight for weight in weights if weight > 0]
    bad = [-weight for weight in weights if weight < 0]
    return [
        score.compound,
        abs(score.compound),
        score.negative,
        score.positive,
        min(sum(good), 8.0) / 4,
        min(sum(bad), 8.0) / 4,
        max(good, default=0.0) / 2,
        max(bad, default=0.0) / 2,
        float("!" in text),
        float("?" in text),
        float(MASK in text),
        float(score.compound == 0),
    ]
