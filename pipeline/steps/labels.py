"""Step ``labels``: severity, aspects, purpose and topic terms of what is in a language with tables."""

from __future__ import annotations

from pipeline.draft import Draft
from pipeline.labels.labelling import LANGUAGES, Labeller
from pipeline.labels.topics import Topics, topics
from pipeline.steps.match import spoken
from pipeline.tone.mask import mask


class LabelStep:
    """Fills ``labels`` and ``topics``. The tables are read when the first text comes."""

    name = "labels"

    def __init__(self) -> None:
        self._tools: tuple[Labeller, Topics] | None = None

    def __call__(self, batch: list[Draft]) -> list[Draft]:
        if self._tools is None:
            self._tools = Labeller(), topics()
        labeller, terms = self._tools
        for draft in batch:
            if draft.lang in LANGUAGES:
                text = spoken(draft)
                draft.labels = labeller.label(text, draft.lang, draft.tone)
                masked = mask(text, ((match.start, match.end) for match in draft.matches))
                draft.topics = terms.terms(masked, draft.lang)
        return batch
