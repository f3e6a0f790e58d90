"""Topic terms: the stems of a text's nouns, compounds taken apart, so that ``hotline`` finds ``Servicehotline``.

There is no word list of a language behind it: a German noun is known by its capital letter where a text uses them, by
its ending or as a noun of the field (``topics.toml``); an English text gives its words that are no stop words.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.resources import files

from pipeline.analysis import exact_tokens, stem_tokens
from pipeline.labels.phrases import tokens_of

MOST = 12
"""Terms of one text."""
LONGEST = 4_000
"""Characters that are looked at."""
SHORTEST_PART = 3
_LONGEST_WORD = 45
_REMEMBERED = 50_000
_MARKS = frozenset(".!?;\n:")
_ENDINGS = ("ung", "ungen", "heit", "heiten", "keit", "keiten", "schaft", "tion", "tionen", "taet", "ismus", "enz")
"""Of German nouns, folded."""
_ADVERBS = ("ly", "ed", "ing")
"""Endings of English words that are seldom a topic."""
_INFLECTED = ("", "s", "es", "n", "en", "e", "er")


class Topics:
    """Takes texts to their terms. Build once."""

    def __init__(self) -> None:
        table = tomllib.loads(files(__package__).joinpath("topics.toml").read_text(encoding="utf-8"))
        heads = exact_tokens(table["heads"])
        self._stop = frozenset(exact_tokens(table["stop"]))
        self._heads = {head + ending: head for ending in _INFLECTED for head in heads if len(head) >= SHORTEST_PART}
        self._heads |= {head: head for head in heads}
        self._parts = lru_cache(maxsize=_REMEMBERED)(self._taken_apart)

    def terms(self, text: str, lang: str | None) -> tuple[str, ...]:
        """Up to ``MOST`` terms in the order in which they occur; brand terms are to be masked before."""
        words = self._english(text) if lang == "en" else self._german(text)
        found: dict[str, None] = {}
        for word in words:
            for term in self._parts(word, lang or "de"):
                found.setdefault(term)
            if len(found) >= MOST:
                break
        return tuple(found)[:MOST]

    def shown(self, term: str, texts: Iterable[tuple[str, str | None]]) -> str:
        """The word that people used for a term: of the words of these (text, language) that stand for it or hold it,
        the one that is most often the term itself, else the most frequent; the term where there is none."""
        used: Counter[tuple[bool, str]] = Counter()
        for text, lang in texts:
            for token in tokens_of(text[:LONGEST]):
                word = _folded(token)
                if word and term in (parts := self._parts(word, lang or "de")):
                    used[parts[0] == term, token] += 1
        return max(used, key=lambda key: (key[0], used[key], key[1]))[1] if used else term

    def _german(self, text: str) -> Iterator[str]:
        """The folded nouns. Where capitals are used, what has none is no noun."""
        tokens = tokens_of(text[:LONGEST])
        begins = [at == 0 or tokens[at - 1] in _MARKS for at in range(len(tokens))]
        inside = [token for token, first in zip(tokens, begins, strict=True) if not first and token[0].isalpha()]
        cased = sum(token[0].isupper() for token in inside) * 12 > len(inside) and not text.isupper()
        for token, first in zip(tokens, begins, strict=True):
            word = _folded(token)
            if not self._possible(word):
                continue
            noun = cased and not first and token[0].isupper()
            known = noun or word in self._heads or word.endswith(_ENDINGS)
            if known or ((token[0].isupper() or not cased) and self._head_of(word)):
                yield word

    def _english(self, text: str) -> Iterator[str]:
        for token in tokens_of(text[:LONGEST]):
            word = _folded(token)
            if self._possible(word) and (word in self._heads or (len(word) > 3 and not word.endswith(_ADVERBS))):
                yield word

    def _possible(self, word: str) -> bool:
        return SHORTEST_PART <= len(word) <= _LONGEST_WORD and word not in self._stop and not word.isdigit()

    def _taken_apart(self, word: str, lang: str) -> tuple[str, ...]:
        """The stems of a word, of the noun it ends with and of the one it begins with."""
        parts: list[str | None] = [word]
        if word not in self._heads:
            parts += [self._head_of(word), self._first_of(word) if lang != "en" else None]
        return tuple(dict.fromkeys(stem for part in filter(None, parts) for stem in stem_tokens(part, lang)))

    def _head_of(self, word: str) -> str | None:
        """The longest noun of the field that a longer word ends with."""
        for at in range(SHORTEST_PART, len(word) - SHORTEST_PART + 1):
            if (head := self._heads.get(word[at:])) and len(head) > SHORTEST_PART:
                return None if head in self._stop else head
        return None

    def _first_of(self, word: str) -> str | None:
        """The longest noun of the field that a longer word begins with (Rechnungsbetrag)."""
        for end in range(len(word) - SHORTEST_PART - 1, SHORTEST_PART, -1):
            if (head := self._heads.get(word[:end])) and len(head) > SHORTEST_PART:
                return None if head in self._stop else head
        return None


@lru_cache(maxsize=1)
def topics() -> Topics:
    """The terms that this package's table makes; read once, never changed."""
    return Topics()


@lru_cache(maxsize=_REMEMBERED)
def _folded(token: str) -> str:
    """Small letters, umlauts written out; nothing for what is no word."""
    return "".join(exact_tokens(token)) if token[0].isalnum() and "://" not in token else ""
