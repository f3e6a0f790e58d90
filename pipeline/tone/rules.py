"""The rule analyser: rules of one language and their calibration make a ``Tone``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

from pipeline.mention import Tone
from pipeline.tone.calibration import CURVES, label_of
from pipeline.tone.engine import Scorer
from pipeline.tone.english import English, service_vocabulary
from pipeline.tone.german import German
from pipeline.words import Channel

HEAD, TAIL = 4000, 1000
"""Of a longer text its first and last characters are scored: complaint and verdict stand there."""

SCORERS: dict[str, Callable[[], Scorer]] = {"de": German, "en": lambda: English(service_vocabulary())}
LANGUAGES = tuple(SCORERS)
"""The languages whose tone the rules know."""


@lru_cache(maxsize=len(LANGUAGES))
def scorer(lang: str) -> Scorer:
    """The rules of a language, built once. Raises KeyError for a language that has none."""
    return SCORERS[lang]()


class RulesEngine:
    """Scores texts of one language by rules. Raises KeyError for a language that has none."""

    def __init__(self, lang: str) -> None:
        self.name = f"rules-{lang}"
        self._scorer = scorer(lang)
        self._curve = CURVES[lang]

    def tone(self, texts: Sequence[str], channels: Sequence[Channel | None] | None = None) -> list[Tone]:
        """One tone for each text, in order."""
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> Tone:
        score = self._scorer.score(capped(text))
        negative, neutral, positive = self._curve.probabilities(score.compound)
        return Tone(
            label=label_of((negative, neutral, positive)),
            p_negative=round(negative, 4),
            p_neutral=round(1 - round(negative, 4) - round(positive, 4), 4),
            p_positive=round(positive, 4),
            compound=score.compound,
            words=score.words,
        )


def capped(text: str) -> str:
    """A text longer than HEAD + TAIL without its middle, cut at blanks."""
    if len(text) <= HEAD + TAIL:
        return text
    head = text[:HEAD].rsplit(None, 1)[0]
    tail = text[-TAIL:].split(None, 1)[-1]
    return f"{head}\n\n{tail}"
