"""English word rules: those of vaderSentiment 3.3.2, with the lexicon of the installed package, and words of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files

from pipeline.tone.engine import CAPITALS, NEGATED, Score, combine, shift_at
from pipeline.tone.tokens import Tokens, describe_emoji, tokenise

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "´": "'", "`": "'"})


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What the English rules know: word and emoticon valences, emoji descriptions, and the modifying words."""

    valences: Mapping[str, float]
    emoji: Mapping[str, str]
    boosters: Mapping[str, float]
    negations: frozenset[str]
    phrases: Mapping[str, float]


def load_vocabulary() -> Vocabulary:
    """The lexicon of the installed vaderSentiment."""
    from vaderSentiment.vaderSentiment import BOOSTER_DICT, NEGATE, SPECIAL_CASES

    return Vocabulary(
        valences={word: float(value) for word, value in _rows("vader_lexicon.txt")},
        emoji=dict(_rows("emoji_utf8_lexicon.txt")),
        boosters=dict(BOOSTER_DICT),
        negations=frozenset(NEGATE),
        phrases={phrase: float(value) for phrase, value in SPECIAL_CASES.items()},
    )


@lru_cache(maxsize=1)
def service_vocabulary() -> Vocabulary:
    """VADER's vocabulary and our own words of service, travel and trade (``lexicon_en.txt``); VADER's win."""
    stock = load_vocabulary()
    return replace(stock, valences={**dict(_own_words()), **stock.valences})


def _own_words() -> Iterator[tuple[str, float]]:
    for line in files(__package__).joinpath("lexicon_en.txt").read_text(encoding="utf-8").splitlines():
        valence, *words = line.split("#", 1)[0].split() or ("0",)
        yield from ((word, float(valence)) for word in words)


def _rows(name: str) -> list[tuple[str, str]]:
    content = files("vaderSentiment").joinpath(name).read_text(encoding="utf-8")
    cells = (line.strip().split("\t") for line in content.rstrip("\n").split("\n") if line)
    return [(row[0], row[1]) for row in cells]


class English:
    """Scores English texts. ``score`` takes typographic apostrophes for plain ones; ``score_as_is`` does not."""

    def __init__(self, vocabulary: Vocabulary | None = None) -> None:
        self._known = vocabulary or load_vocabulary()

    def score(self, text: str) -> Score:
        """The score of a text as people type it (``don’t`` is ``don't``)."""
        return self.score_as_is(text.translate(_APOSTROPHES))

    def score_as_is(self, text: str) -> Score:
        """The score of exactly this text; equal to vaderSentiment's."""
        text = describe_emoji(text, self._known.emoji)
        tokens = tokenise(text)
        known = self._known.valences
        valences = [self._valence(tokens, at) if word in known else 0.0 for at, word in enumerate(tokens.lowered)]
        if "but" in tokens.lowered:
            valences = shift_at(valences, tokens.lowered.index("but"))
        return combine(valences, tokens.words, text)

    def _valence(self, tokens: Tokens, at: int) -> float:
        """The valence of one word where it stands."""
        word = tokens.lowered[at]
        if word in self._known.boosters or word not in self._known.valences:
            return 0.0
        if word == "kind" and tokens.lowered[at + 1 : at + 2] == ["of"]:
            return 0.0
        valence = self._emphasised(tokens, at, self._denied(tokens.lowered, at))
        for distance in (1, 2, 3):
            if at < distance or tokens.lowered[at - distance] in self._known.valences:
                continue
            valence += self._boost(tokens, at - distance, valence) * (1.0, 0.95, 0.9)[distance - 1]
            valence = self._negate(tokens.lowered, at, distance, valence)
            if distance == 3:
                valence = self._phrased(tokens.lowered, at, valence)
        return self._least(tokens.lowered, at, valence)

    def _denied(self, words: list[str], at: int) -> float:
        """The word's own valence: "no" before a known word means nothing by itself and turns that word."""
        valence = self._known.valences[words[at]]
        before = words[max(at - 3, 0) : at][::-1]
        near = "no" in before[:2]
        if near or (before[2:] == ["no"] and before[0] in ("or", "nor")):
            return valence * NEGATED
        if words[at] == "no" and at + 1 < len(words) and words[at + 1] in self._known.valences:
            return 0.0
        return valence

    @staticmethod
    def _emphasised(tokens: Tokens, at: int, valence: float) -> float:
        if not (tokens.caps_differ and tokens.words[at].isupper()):
            return valence
        return valence + CAPITALS if valence > 0 else valence - CAPITALS

    def _boost(self, tokens: Tokens, at: int, valence: float) -> float:
        """What a booster or dampener at this place adds to a valence."""
        boost = self._known.boosters.get(tokens.lowered[at])
        if boost is None:
            return 0.0
        boost = -boost if valence < 0 else boost
        if tokens.caps_differ and tokens.words[at].isupper():
            boost += CAPITALS if valence > 0 else -CAPITALS
        return boost

    def _negate(self, words: list[str], at: int, distance: int, valence: float) -> float:
        """The valence after the word at this distance had its chance to negate it."""
        between = words[at - distance + 1 : at]
        word = words[at - distance]
        if distance == 2 and word == "never" and between[0] in ("so", "this"):
            return valence * 1.25
        if distance == 3 and ((word == "never" and between[0] in ("so", "this")) or between[1] in ("so", "this")):
            return valence * 1.25
        if distance > 1 and word == "without" and "doubt" in between:
            return valence
        return valence * NEGATED if word in self._known.negations or "n't" in word else valence

    def _phrased(self, words: list[str], at: int, valence: float) -> float:
        """Special phrases around the word, and boosters of two or three words before it."""
        three, two, one, here = words[at - 3 : at + 1]
        before = (f"{one} {here}", f"{two} {one} {here}", f"{two} {one}", f"{three} {two} {one}", f"{three} {two}")
        valence = next((self._known.phrases[phrase] for phrase in before if phrase in self._known.phrases), valence)
        if at + 1 < len(words):
            valence = self._known.phrases.get(f"{here} {words[at + 1]}", valence)
        if at + 2 < len(words):
            valence = self._known.phrases.get(f"{here} {words[at + 1]} {words[at + 2]}", valence)
        for phrase in (f"{three} {two} {one}", f"{three} {two}", f"{two} {one}"):
            valence += self._known.boosters.get(phrase, 0.0)
        return valence

    def _least(self, words: list[str], at: int, valence: float) -> float:
        """ "Least" turns a word, except behind "at" and "very"."""
        if at == 0 or words[at - 1] != "least" or "least" in self._known.valences:
            return valence
        return valence if at > 1 and words[at - 2] in ("at", "very") else valence * NEGATED
