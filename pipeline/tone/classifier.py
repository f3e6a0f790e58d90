"""The classifier as a tone engine: rules explain and inform, the trained model decides."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

import numpy as np

from pipeline.mention import Tone
from pipeline.tone.calibration import label_of
from pipeline.tone.engine import Score
from pipeline.tone.features import Floats, counted
from pipeline.tone.model import Model, ModelError, read_model
from pipeline.tone.rules import LANGUAGES, capped, scorer
from pipeline.tone.signals import signals
from pipeline.words import Channel

_LEAST = 1e-6


@lru_cache(maxsize=len(LANGUAGES))
def base_model(lang: str) -> Model:
    """The model that ships with the program; read once, never changed. Raises KeyError for a language without one."""
    if lang not in LANGUAGES:
        raise KeyError(lang)
    return read_model(files(__package__).joinpath("models", f"{lang}.npz").read_bytes())


class ClassifierEngine:
    """Scores texts of one language with the base model, and with a customer's own model stacked on it.

    Raises KeyError for a language without a model, ModelError where ``own`` was made for another base or language.
    """

    def __init__(self, lang: str, own: Model | None = None, base: Model | None = None) -> None:
        self._scorer = scorer(lang)
        self._base = base if base is not None or (own is not None and own.about.base is None) else base_model(lang)
        self._own = own
        if own is not None:
            _fits(own, lang, self._base)
        decides = own or self._base
        assert decides is not None
        self.name = f"{'own' if own else 'base'}-{lang}-{decides.version}"

    def tone(self, texts: Sequence[str], channels: Sequence[Channel | None] | None = None) -> list[Tone]:
        """One tone for each masked text, in order."""
        if not texts:
            return []
        cut = [capped(text) for text in texts]
        scores = [self._scorer.score(text) for text in cut]
        rows = self._probabilities(cut, scores, channels or [None] * len(cut))
        return [_tone(row, score) for row, score in zip(rows.round(4).tolist(), scores, strict=True)]

    def _probabilities(
        self, texts: Sequence[str], scores: Sequence[Score], channels: Sequence[Channel | None]
    ) -> Floats:
        features, columns = counted(texts), signals(texts, scores, channels)
        if self._base is None or self._own is None:
            decides = self._base or self._own
            assert decides is not None
            return decides.probabilities(features, columns)
        below = self._base.probabilities(features, columns)
        return self._own.probabilities(features, stacked(columns, below))


def stacked(columns: Floats, below: Floats) -> Floats:
    """The dense columns of a model that stands on another: the logarithms of its probabilities come last."""
    return np.hstack([columns, np.log(np.maximum(below, _LEAST))])


def _fits(own: Model, lang: str, base: Model | None) -> None:
    if own.about.lang != lang:
        raise ModelError(f"a model of {own.about.lang}, not of {lang}")
    if own.about.base is not None and (base is None or own.about.base != base.version):
        raise ModelError("made on another base model than this program has; train it again")


def _tone(row: list[float], score: Score) -> Tone:
    negative, _, positive = row
    return Tone(
        label=label_of((negative, round(1 - negative - positive, 4), positive)),
        p_negative=negative,
        p_neutral=round(1 - negative - positive, 4),
        p_positive=positive,
        compound=score.compound,
        words=score.words,
    )
