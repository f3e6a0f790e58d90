"""Tokens of a text as the rule engines see them: emoji as words, punctuation off, emphasis noted."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_PUNCTUATION = string.punctuation


@dataclass(frozen=True, slots=True)
class Tokens:
    """The words of a text, the same in lower case, and whether capitals set some of them apart."""

    words: list[str]
    lowered: list[str]
    caps_differ: bool


def describe_emoji(text: str, emoji: Mapping[str, str]) -> str:
    """The text with every emoji replaced by its English description, as VADER does it (blank before, none after)."""
    if text.isascii() or emoji.keys().isdisjoint(text):
        return text.strip()
    parts: list[str] = []
    after_blank = True
    for character in text:
        description = emoji.get(character)
        if description is None:
            parts.append(character)
            after_blank = character == " "
        else:
            parts.append(description if after_blank else f" {description}")
            after_blank = False
    return "".join(parts).strip()


def tokenise(text: str) -> Tokens:
    """Words split at white space; punctuation around them is taken off unless next to nothing would be left."""
    words = [_bare(word) for word in text.split()]
    return Tokens(words, [word.lower() for word in words], caps_differ(words))


def caps_differ(words: Iterable[str]) -> bool:
    """Whether some but not all words are in capitals."""
    capital = [word.isupper() for word in words]
    return any(capital) and not all(capital)


def _bare(word: str) -> str:
    stripped = word.strip(_PUNCTUATION)
    return stripped if len(stripped) > 2 else word
