"""Step ``tone``: scores what is in a language we know; brand terms, handles, addresses and numbers are masked."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.draft import Draft
from pipeline.steps.match import spoken
from pipeline.tone import ToneEngine
from pipeline.tone.mask import mask
from pipeline.tone.rules import RulesEngine


class ToneStep:
    """Fills ``tone`` and ``analyser`` where ``scored``. Engines are made when a language first occurs."""

    name = "tone"

    def __init__(self, make: Callable[[str], ToneEngine] = RulesEngine) -> None:
        self._make = make
        self._engines: dict[str, ToneEngine] = {}

    def __call__(self, batch: list[Draft]) -> list[Draft]:
        for lang in dict.fromkeys(draft.lang for draft in batch if draft.scored and draft.lang):
            self._score(lang, [draft for draft in batch if draft.scored and draft.lang == lang])
        return batch

    def _score(self, lang: str, drafts: list[Draft]) -> None:
        engine = self._engine(lang)
        texts = [mask(spoken(draft), ((match.start, match.end) for match in draft.matches)) for draft in drafts]
        for draft, tone in zip(drafts, engine.tone(texts), strict=True):
            draft.tone = tone
            draft.analyser = engine.name

    def _engine(self, lang: str) -> ToneEngine:
        if lang not in self._engines:
            self._engines[lang] = self._make(lang)
        return self._engines[lang]
