"""Step ``language``: what language a text is in, and whether it is one whose tone we know."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.draft import Draft
from pipeline.steps.language_walk import Walk
from pipeline.steps.match import spoken

LONGEST = 2000
"""Characters that are looked at: enough to be sure, and a bound on the time."""
HEAD = 128
"""Characters that are looked at first; where they leave no doubt the rest is not read."""
NO_DOUBT = 0.95
"""From this probability of a configured language among all on the head of a text decides."""
SURE = 0.75
"""From this probability on a third language is believed, and the text refused."""
CLEAR = 0.60
"""From this probability among the configured languages on the text's own language is believed."""
SHORT = 12
"""With fewer letters than this the text says nothing; what page and thread say counts instead."""

_NOISE = re.compile(r"https?://\S+|www\.\S+|[@#][\w-]+|[\d_]+")


@dataclass(frozen=True, slots=True)
class Guess:
    """What a detector makes of a text: the best configured language, and the best of all, with probabilities."""

    lang: str
    p: float
    anywhere: str
    p_anywhere: float


class Detector(Protocol):
    """Names the language of a text."""

    def guesses(self, texts: Sequence[str]) -> list[Guess]:
        """For each text the best among the configured languages and among all, from one look at it."""
        ...


class LangidDetector:
    """py3langid: its scores for all languages, of which the configured ones are sliced. The head of a text first."""

    def __init__(self, languages: Sequence[str]) -> None:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier, visit_counts  # 133 MB: loaded when first needed

        self._identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=False)
        classes: list[str] = list(self._identifier.nb_classes)
        self._classes = classes
        self._languages = tuple(languages)
        self._columns = [classes.index(language) for language in languages]
        self._walk = Walk(self._identifier, visit_counts)

    def guesses(self, texts: Sequence[str]) -> list[Guess]:
        found = self._look([text[:HEAD] for text in texts])
        doubtful = [at for at, text in enumerate(texts) if len(text) > HEAD and not self._beyond_doubt(found[at])]
        for at, guess in zip(doubtful, self._look([texts[at] for at in doubtful]), strict=True):
            found[at] = guess
        return found

    def _beyond_doubt(self, guess: Guess) -> bool:
        return guess.p_anywhere >= NO_DOUBT and guess.anywhere in self._languages

    def _look(self, texts: Sequence[str]) -> list[Guess]:
        if not texts:
            return []
        encoded = [self._identifier._encode(text) for text in texts]
        scores = self._walk.scores(encoded)
        scale = np.array([1 / math.sqrt(len(text) or 1) for text in encoded])[:, np.newaxis]
        top, own = scores.argmax(axis=1), scores[:, self._columns]
        highest, best = scores.max(axis=1, keepdims=True), own.argmax(axis=1)
        every = np.exp((scores - highest) * scale.astype(np.float32)).sum(axis=1)
        among = np.exp((own - own.max(axis=1, keepdims=True)) * scale).sum(axis=1)
        return [
            Guess(self._languages[at], p, self._classes[anywhere], p_anywhere)
            for at, p, anywhere, p_anywhere in zip(
                best.tolist(), (1 / among).tolist(), top.tolist(), (1 / every).tolist(), strict=True
            )
        ]


class LanguageStep:
    """Fills ``lang`` and ``scored``.

    The text decides; where it is too short to tell, the language the page declares, then that of the thread's title.
    """

    name = "language"

    def __init__(self, languages: Sequence[str], load: Callable[[Sequence[str]], Detector] = LangidDetector) -> None:
        self._languages = tuple(languages)
        self._load = load
        self._detector: Detector | None = None

    def __call__(self, batch: list[Draft]) -> list[Draft]:
        texts = [letters_of(spoken(draft)) for draft in batch]
        telling = [at for at, text in enumerate(texts) if _telling(text)]
        guesses = dict(zip(telling, self._guesses([texts[at] for at in telling]), strict=True))
        for at, draft in enumerate(batch):
            draft.lang = self._language(draft, texts[at], guesses.get(at))
            draft.scored = draft.lang in self._languages
        return batch

    def _language(self, draft: Draft, text: str, guess: Guess | None) -> str | None:
        declared = _primary(draft.item.lang)
        if guess and guess.anywhere not in self._languages and guess.p_anywhere >= SURE:
            return guess.anywhere
        if guess and guess.p >= CLEAR:
            return guess.lang
        return declared or self._of_thread(draft) or self._last_resort(text)

    def _of_thread(self, draft: Draft) -> str | None:
        """The language of the thread's title, where that is long enough to tell."""
        title = letters_of(draft.thread_title)
        if not _telling(title):
            return None
        (guess,) = self._guesses([title])
        return guess.lang if guess.p >= CLEAR else None

    def _last_resort(self, text: str) -> str | None:
        """A short text with no hint around it: the detector's word among ours if it is clear, else unknown."""
        if not any(map(str.isalpha, text)):
            return None
        (guess,) = self._guesses([text])
        return guess.lang if guess.p >= CLEAR else None

    def _guesses(self, texts: Sequence[str]) -> list[Guess]:
        if not texts:
            return []
        if self._detector is None:
            self._detector = self._load(self._languages)
        return self._detector.guesses(texts)


def letters_of(text: str) -> str:
    """The part of a text that says something about its language: no addresses, handles, hashtags, numbers."""
    return " ".join(_NOISE.sub(" ", text[:LONGEST]).split())


def _telling(text: str) -> bool:
    """Whether there are letters enough to tell; seldom has one to look at more than the beginning."""
    return sum(map(str.isalpha, text[: 4 * SHORT])) >= SHORT or sum(map(str.isalpha, text)) >= SHORT


def _primary(declared: str | None) -> str | None:
    """``de`` of ``de-DE`` or ``de_AT``; None where nothing usable is declared."""
    code = (declared or "").strip().lower().replace("_", "-").split("-", 1)[0]
    return code if len(code) == 2 and code.isalpha() else None
