"""Tokens: the one place where text becomes what a search compares. Both stores and every query use it.

A change that gives any text other tokens raises ``ANALYSIS_VERSION``; a store of another version refuses to write.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from functools import lru_cache

import regex
import Stemmer

ANALYSIS_VERSION = 1

QUERY_LANGUAGES = ("de", "en")
"""A query asks for the stems of these."""

BORDER = "__"
"""Stands between title and text, so that no phrase spans them; never part of a query."""

_STEMMERS = {"de": "german", "en": "english"}
_WORD = re.compile(r"[^\W_]+")
_MARKS = regex.compile(r"\p{M}+")
_MAY_BE_MARK = re.compile("[\u0300-\U0010ffff]")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "oe"})
_CACHE = 200_000
_local = threading.local()


def words(text: str) -> list[str]:
    """The runs of letters and digits of a text, normalised (NFKC, lower case) but not yet folded."""
    if not text.isascii():
        # Marks that NFKC cannot join to their letter are dropped: they would split the word they stand in.
        text = unicodedata.normalize("NFKC", text).casefold()
        return list(_WORD.findall(_MARKS.sub("", text) if _MAY_BE_MARK.search(text) else text))
    return _WORD.findall(text.lower())


def exact_tokens(text: str) -> list[str]:
    """The folded words of a text, in order."""
    return [token for word in words(text) if (token := _exact(word))]


def stem_tokens(text: str, lang: str | None) -> list[str]:
    """The stems of a text's words, in order; the folded words where the language has no stemmer."""
    return [token for word in words(text) if (token := _stem(word, lang))]


def both(title: str, text: str, lang: str | None) -> tuple[str, str]:
    """The two indexed forms of a mention, ``exact`` and ``stem``: tokens joined by single spaces."""
    known = _PAIRS[lang if lang in _STEMMERS else None]
    pairs = list(map(known.__getitem__, words(text)))
    if title:
        pairs = [*map(known.__getitem__, words(title)), (BORDER, BORDER), *pairs]
    if not pairs:
        return "", ""
    exact, stem = zip(*pairs, strict=True)
    if not all(exact):
        kept = [pair for pair in pairs if pair[0]]
        exact, stem = (tuple(pair[side] for pair in kept) for side in (0, 1))
    return " ".join(exact), " ".join(stem)


def stem_variants(text: str) -> tuple[tuple[str, ...], ...]:
    """The stem sequences a query for this text asks for: German and English, without repetition."""
    found = [tuple(stem_tokens(text, lang)) for lang in QUERY_LANGUAGES]
    found.append(tuple(exact_tokens(text)))  # texts in languages without a stemmer are indexed so
    return tuple(dict.fromkeys(sequence for sequence in found if sequence))


class _Pairs(dict[str, tuple[str, str]]):
    """Word → its folded form and its stem, made when first asked for; begins anew when there are too many."""

    def __init__(self, lang: str | None) -> None:
        super().__init__()
        self._lang = lang

    def __missing__(self, word: str) -> tuple[str, str]:
        if len(self) >= _CACHE:
            self.clear()
        pair = self[word] = _exact(word), _stem(word, self._lang)
        return pair


_PAIRS = {lang: _Pairs(lang) for lang in (None, *_STEMMERS)}


@lru_cache(maxsize=_CACHE)
def _exact(word: str) -> str:
    """Umlauts written out, diacritics dropped."""
    if word.isascii():
        return word
    spelled = unicodedata.normalize("NFC", word).translate(_UMLAUTS)
    if spelled.isascii():
        return spelled
    parts = unicodedata.normalize("NFD", spelled)
    return unicodedata.normalize("NFC", "".join(c for c in parts if not unicodedata.combining(c)))


@lru_cache(maxsize=_CACHE)
def _stem(word: str, lang: str | None) -> str:
    """Stemmed after folding: ``Störung``, ``Stoerung`` and ``stoerungen`` meet in one stem."""
    token = _exact(word)
    if lang not in _STEMMERS:
        return token
    return str(_stemmer(lang).stemWord(token))


def _stemmer(lang: str) -> Stemmer.Stemmer:
    """A stemmer of this thread's own: they are not safe to share."""
    stemmers = _local.__dict__.setdefault("stemmers", {})
    if lang not in stemmers:
        stemmers[lang] = Stemmer.Stemmer(_STEMMERS[lang], 0)
    return stemmers[lang]
