"""German word rules on the shared engine: our own lexicon, negation on both sides, "aber", compounds, idioms.

Nothing of the English lexicon is used but what is no word: emoticons, and the valence VADER gives an emoji.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Set
from itertools import compress

from pipeline.tone.clauses import (
    ABROAD,
    BUT,
    CLAUSE,
    DEAR,
    PHRASE,
    TAKEN,
    TURNS,
    WISHES,
    address,
    compare,
    contrast,
    elsewhere,
    negated,
    wish,
)
from pipeline.tone.engine import CAPITALS, Score, combine
from pipeline.tone.english import Vocabulary, load_vocabulary
from pipeline.tone.inflection import listed
from pipeline.tone.irony import MARKS as IRONY
from pipeline.tone.irony import ironic
from pipeline.tone.lexicon import SHORTEST_HEAD, Lexicon, german_lexicon
from pipeline.tone.mask import MASK
from pipeline.tone.phrases import longest
from pipeline.tone.ratings import rating, ratings
from pipeline.tone.signs import signs
from pipeline.tone.tokens import caps_differ

FORWARD = 4
"""How many words behind it a negator turns."""
BACKWARD = 8
"""How many words before it "nicht" reaches to a verb (hilft mir leider überhaupt nicht)."""
LONGEST_WORD = 40
"""Longer words are not taken apart."""
REMEMBERED = 50_000
"""Words whose valence is remembered: most of what is written is said in these."""
APART = 12
"""How far behind a verb its particle may stand."""
_WORD = r"[A-Za-zÄÖÜäöüßéèáàç]+"
_TOKEN = re.compile(rf"{_WORD}(?:'[A-Za-z]+)?|[.!?;:,…()\n·]|[\"„“”»«]{_WORD}(?: {_WORD})?[\"“”«»]")
_QUOTES = '"„“”»«'
_LETTERS = re.compile(r"([a-zäöüß])\1{2,}")
_CLAIMS = listed("""
    service kundenservice kundendienst support hilfe experte experten fachmann fachleute fachkräfte beratung berater
    qualität premium flatrate highspeed kulanz garantie angebot schnäppchen profi profis spezialist spezialisten komfort
    techniker kundenbetreuung betreuung unlimited unbegrenzt
""")
"""What a firm says of itself: in quotes it is not believed."""
CLAIMED = -1.4
STRETCH = 0.4
"""What a stretched word gains (sooo schleeecht)."""
_TURNS_BACK = frozenset({"nicht", "nichts", "nie", "niemals", "ned", "net", "nich", "nimmer", "kaum"})
_COPULA = listed("bin bist ist sind war waren is wars war's ists ist's fand finde macht sieht")
_AFTER_PARTICLE = CLAUSE | {"und", "oder", "weil", "wenn", "als", "wie", "sondern", "aber"}
_AND = frozenset({"und", "oder", "noch", "sehr", "so", "auch"})
_SIGNS = CLAUSE | {MASK}
_FADE = (1.0, 0.95, 0.9)


class _Remembered(dict[str, float]):
    """The valences of words that occurred; it forgets them all, and those of ``besides``, when they are too many."""

    def __init__(self, look_up: Callable[[str], float], besides: dict[str, str]) -> None:
        super().__init__()
        self._look_up = look_up
        self._besides = besides

    def __missing__(self, word: str) -> float:
        if len(self) >= REMEMBERED:
            self.clear()
            self._besides.clear()
        value = self[word] = self._look_up(word)
        return value


class German:
    """Scores German texts."""

    def __init__(self, lexicon: Lexicon | None = None, vocabulary: Vocabulary | None = None) -> None:
        self._known = lexicon or german_lexicon()
        self._signs = signs(vocabulary or load_vocabulary(), self._known.emoji)
        self._marks = (
            self._known.negators | self._known.particles | DEAR | WISHES | ABROAD | TURNS | IRONY | {"als", MASK}
        )
        self._plain: dict[str, str] = {}
        self._word = _Remembered(self._look_up, self._plain)

    def score(self, text: str) -> Score:
        """The score of one text; compound is on VADER's scale."""
        if not text.isascii():
            text = text.replace("’", "'").replace("‘", "'").replace("´", "'")
        words = self._tokens(text)
        lowered = list(map(str.lower, words))
        valences = [self._word[word] for word in lowered]
        if self._plain and not self._plain.keys().isdisjoint(lowered):
            self._unstretch(lowered, valences)
        present = set(lowered)
        self._emphasise(words, valences)
        marks = present & self._marks
        if not DEAR.isdisjoint(marks):
            address(lowered, words, valences)
        self._idioms(words, lowered, valences, marks)
        if not (self._known.particles.isdisjoint(marks) or self._known.separable.keys().isdisjoint(present)):
            self._particles(words, lowered, valences, marks)
        self._boost(lowered, valences)
        if not self._known.negators.isdisjoint(marks):
            self._negate(lowered, valences)
        if marks:
            self._clauses(lowered, valences, marks)
        if not IRONY.isdisjoint(marks):
            ironic(text, lowered, valences, marks)
        kept = [word not in _SIGNS for word in words]
        return combine(list(compress(valences, kept)), list(compress(words, kept)), text)

    def _clauses(self, lowered: list[str], valences: list[float], marks: Set[str]) -> None:
        """The rules over clauses and sentences, in their order."""
        if not WISHES.isdisjoint(marks):
            wish(lowered, valences)
        if "als" in marks and MASK in marks:
            compare(lowered, valences, self._known.comparatives, self._known.negators)
        if not ABROAD.isdisjoint(marks):
            elsewhere(lowered, valences, self._known.comparatives)
        if not TURNS.isdisjoint(marks):
            contrast(lowered, valences)

    def _tokens(self, text: str) -> list[str]:
        """Words, clause marks, masked names, ratings, emoji and emoticons, in order."""
        tokens: list[str] = []
        done = 0
        for found in ratings(text):
            tokens += [*self._tokens_unrated(text[done : found.start()]), found[0]]
            done = found.end()
        return tokens + self._tokens_unrated(text[done:] if done else text)

    def _tokens_unrated(self, text: str) -> list[str]:
        pieces = [text] if self._signs.begins.isdisjoint(text) else self._signs.pattern.split(text)
        tokens: list[str] = []
        for piece in pieces:
            if piece in self._signs.emoji or (piece and piece.lower() in self._signs.emoticons):
                tokens.append(piece)
            else:
                tokens += _TOKEN.findall(piece)
        return tokens

    def _unstretch(self, lowered: list[str], valences: list[float]) -> None:
        """Brings stretched words back to what they are (suuuper, sooo); they weigh a little more."""
        for at, word in enumerate(lowered):
            if word in self._plain:
                lowered[at] = self._plain[word]
                if valences[at]:
                    valences[at] += STRETCH if valences[at] > 0 else -STRETCH

    def _look_up(self, word: str) -> float:
        """The valence of a word by itself: as it stands, else as a compound of something known."""
        if not word[0].isalpha() or " " in word:
            return self._sign(word)
        known = self._known
        if _LETTERS.search(word):
            self._plain[word] = plain = self._unstretched(word)
            return self._look_up(plain)
        if word in known.negators:
            return 0.0
        if word in known.valences or word in known.boosters:
            return known.valences.get(word, 0.0)
        sign = self._signs.emoticons.get(word)
        return sign if sign is not None else self._compound(word)

    def _unstretched(self, word: str) -> str:
        """The word with its stretched letters once, or twice if only so it is known (tolll)."""
        once, twice = _LETTERS.sub(r"\1", word), _LETTERS.sub(r"\1\1", word)
        return twice if self._knows(twice) and not self._knows(once) else once

    def _knows(self, word: str) -> bool:
        return word in self._known.negators or word in self._known.boosters or self._look_up(word) != 0

    def _sign(self, word: str) -> float:
        """The valence of what is no word: an emoji or emoticon, a rating, a word in quotes."""
        if (value := self._signs.emoji.get(word, self._signs.emoticons.get(word))) is not None:
            return value
        if word[0] in _QUOTES:
            inner = word[1:-1].split()
            value = sum(map(self._look_up, inner))
            return negated(value) if value > 0 else value or (CLAIMED if not _CLAIMS.isdisjoint(inner) else 0.0)
        return rating(word)

    def _compound(self, word: str) -> float:
        """The valence of a compound: that of its head (Totalausfall), else of a telling first part (Scheiß…)."""
        if not SHORTEST_HEAD < len(word) <= LONGEST_WORD:
            return 0.0
        for cut in range(2, len(word) - SHORTEST_HEAD + 1):
            if (value := self._known.heads.get(word[cut:])) is not None:
                return negated(value) if word[:cut] == "un" else value
        for length in range(3, min(len(word) - 2, 10)):
            if (value := self._known.prefixes.get(word[:length])) is not None:
                rest = self._known.valences.get(word[length:], 0.0)
                return rest + (0.5 if rest > 0 else -0.5) if rest else value
        return 0.0

    def _idioms(self, words: list[str], lowered: list[str], valences: list[float], marks: set[str]) -> None:
        """A known phrase gets its own valence, on its last place; its words count no more by themselves."""
        begins = self._known.idioms.words
        for at in [at for at, word in enumerate(lowered[:-1]) if word in begins]:
            node = begins.get(lowered[at])  # none if it is part of a phrase by now
            if node is None or (node.gap is None and lowered[at + 1] not in node.words):
                continue
            found = longest(node, lowered, at, CLAUSE)
            if found is None:
                continue
            places, meaning = found
            last = places[-1]
            standing = lowered[last] if lowered[last] in self._known.negators else PHRASE
            words[last] = " ".join(words[at : last + 1])
            for place in places:
                valences[place] = 0.0
                lowered[place] = TAKEN
            if isinstance(meaning, str):
                lowered[last] = meaning
                marks.add(meaning)
                valences[last] = self._word[meaning]
            else:
                valences[last] = meaning
                lowered[last] = standing
                marks.add(PHRASE)

    def _particles(self, words: list[str], lowered: list[str], valences: list[float], marks: Set[str]) -> None:
        """A separable verb gets its valence where its particle ends the clause: zockt einen nur ab."""
        separable = self._known.separable
        for at in [at for at, word in enumerate(lowered) if word in separable]:
            particles = separable[lowered[at]]
            if particles.keys().isdisjoint(marks):
                continue
            for place in range(at + 1, min(at + 1 + APART, len(lowered))):
                if lowered[place] in CLAUSE:
                    break
                if lowered[place] in particles and (place + 1 == len(lowered) or lowered[place + 1] in _AFTER_PARTICLE):
                    valences[at], valences[place] = 0.0, particles[lowered[place]]
                    words[place] = " ".join(
                        (words[at], words[place]) if place == at + 1 else (words[at], "…", words[place])
                    )
                    lowered[place] = PHRASE
                    break

    @staticmethod
    def _emphasise(words: list[str], valences: list[float]) -> None:
        capital = [at for at, word in enumerate(words) if valences[at] and len(word) > 2 and word.isupper()]
        if capital and caps_differ(word for word in words if word[0].isalpha()):
            for at in capital:
                valences[at] += CAPITALS if valences[at] > 0 else -CAPITALS

    def _boost(self, words: list[str], valences: list[float]) -> None:
        """Boosters and dampeners act on the valences up to three words behind them; then they say nothing else."""
        weighty = [at for at, valence in enumerate(valences) if valence]
        for at in weighty:
            if at and words[at - 1] in self._known.boosters:
                valences[at - 1] = 0.0
        for at in weighty:
            valence = valences[at]
            if not valence:
                continue
            for distance in range(1, min(3, at) + 1):
                if words[at - distance] in CLAUSE:
                    break
                step = self._known.boosters.get(words[at - distance], 0.0) * _FADE[distance - 1]
                valences[at] += step if valence > 0 else -step

    def _negate(self, words: list[str], valences: list[float]) -> None:
        """Negators turn what follows in their clause; "nicht" and its like also the verbs before them."""
        turned: set[int] = set()
        for at in [at for at, word in enumerate(words) if word in self._known.negators]:
            turned |= self._reach(words, valences, at)
        for at in turned:
            valences[at] = negated(valences[at])

    def _reach(self, words: list[str], valences: list[float], at: int) -> set[int]:
        """The places that the negator at a place turns."""
        reached: set[int] = set()
        for place in range(at + 1, min(at + 1 + FORWARD, len(words))):
            if _ends_reach(words[place]):
                break
            if valences[place] and words[place][0].isalnum():
                reached.add(place)
            elif reached and words[place] not in _AND and words[place] not in self._known.boosters:
                break
        if words[at] in _TURNS_BACK:
            reached |= self._reach_back(words, valences, at)
        return reached

    def _reach_back(self, words: list[str], valences: list[float], at: int) -> set[int]:
        """Verbs before a "nicht", and the word the clause begins with, if "nicht" ends it (zufrieden bin ich nicht)."""
        reached: set[int] = set()
        start = at
        for place in range(at - 1, max(at - 1 - BACKWARD, -1), -1):
            if _ends_reach(words[place]):
                break
            start = place
            if valences[place] and words[place] in self._known.verbs:
                reached.add(place)
        start += words[start] in self._known.boosters
        fronted = valences[start] > 0 and words[start + 1] in _COPULA if start < at else False
        if fronted and (at + 1 == len(words) or words[at + 1] in CLAUSE):
            reached.add(start)
        return reached


def _ends_reach(word: str) -> bool:
    """Whether a negation does not go beyond this word."""
    return word in CLAUSE or word in BUT
