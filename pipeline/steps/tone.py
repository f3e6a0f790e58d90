"""Step ``tone``: scores what is in a language we know; brand terms, handles, addresses and numbers are masked.

Where a text names several brands, each is also scored by what is said about it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pipeline.draft import Draft, Match
from pipeline.mention import Tone
from pipeline.steps.match import spoken
from pipeline.tone import ToneEngine
from pipeline.tone.blame import Span, spans_of
from pipeline.tone.classifier import ClassifierEngine
from pipeline.tone.mask import mask
from pipeline.words import ToneLabel

NOTHING_SAID = Tone(label=ToneLabel.NEUTRAL, p_negative=0.0, p_neutral=1.0, p_positive=0.0, compound=0.0)
"""Of a brand that others are only compared with."""


class ToneStep:
    """Fills ``tone``, ``tones`` and ``analyser`` where ``scored``. Engines are made when a language first occurs."""

    name = "tone"

    def __init__(self, make: Callable[[str], ToneEngine] = ClassifierEngine) -> None:
        self._make = make
        self._engines: dict[str, ToneEngine] = {}

    def __call__(self, batch: list[Draft]) -> list[Draft]:
        for lang in dict.fromkeys(draft.lang for draft in batch if draft.scored and draft.lang):
            self._score(lang, [draft for draft in batch if draft.scored and draft.lang == lang])
        return batch

    def _score(self, lang: str, drafts: list[Draft]) -> None:
        """All that is to be scored in one batch: each text, and its parts where it names several brands."""
        engine = self._engine(lang)
        parts = [(draft, brand, text) for draft in drafts for brand, text in _parts(draft).items()]
        texts = [_masked(spoken(draft), draft.matches) for draft in drafts] + [text for _, _, text in parts]
        channels = [draft.item.channel for draft in [*drafts, *(draft for draft, _, _ in parts)]]
        tones = engine.tone(texts, channels)
        for draft, tone in zip(drafts, tones[: len(drafts)], strict=True):
            draft.tone, draft.analyser = tone, engine.name
        for (draft, brand, text), tone in zip(parts, tones[len(drafts) :], strict=True):
            draft.tones[brand] = tone if text else NOTHING_SAID

    def _engine(self, lang: str) -> ToneEngine:
        if lang not in self._engines:
            self._engines[lang] = self._make(lang)
        return self._engines[lang]


def _parts(draft: Draft) -> dict[str, str]:
    """Brand → what is said about it, masked; nothing where the text names fewer than two."""
    if len({match.brand for match in draft.matches}) < 2:
        return {}
    text = spoken(draft)
    spans = spans_of(text, draft.matches)
    return {brand: " ".join(_part(text, span, draft.matches) for span in found) for brand, found in spans.items()}


def _part(text: str, span: Span, matches: Sequence[Match]) -> str:
    start, end = span
    inside = [
        (max(match.start - start, 0), match.end - start) for match in matches if start < match.end and match.start < end
    ]
    return mask(text[start:end], inside)


def _masked(text: str, matches: Sequence[Match]) -> str:
    return mask(text, ((match.start, match.end) for match in matches))
