"""Tone: from a text to a label with probabilities, and the words that made it. Rules explain, a classifier decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pipeline.mention import Tone
from pipeline.words import Channel

ANALYSIS_VERSION = 2
"""Of the whole analysis (matching, language, tone, labels). Raise it whenever any of it may come out differently."""


class ToneEngine(Protocol):
    """What scores texts of one language."""

    name: str
    """Written into the analysis, such as ``rules-de``."""

    def tone(self, texts: Sequence[str], channels: Sequence[Channel | None] | None = None) -> list[Tone]:
        """One tone for each text, in order. The texts are masked already; ``channels``: where each of them stands."""
        ...
