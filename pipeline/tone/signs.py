"""What is no word but has a valence in German texts: emoji, and emoticons as VADER spells them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.tone.english import Vocabulary


@dataclass(frozen=True, slots=True)
class Signs:
    """What is no word but has a valence: emoji by character, emoticons by spelling (shared with VADER)."""

    emoji: Mapping[str, float]
    emoticons: Mapping[str, float]
    pattern: re.Pattern[str]
    begins: frozenset[str]
    """What each of them begins with: a text without these has none."""


def signs(vocabulary: Vocabulary, own: Mapping[str, float]) -> Signs:
    """The signs of VADER; ``own`` valences of emoji go before those of their descriptions."""
    emoji = {sign: value for sign, text in vocabulary.emoji.items() if (value := _emoji_valence(text, vocabulary))}
    emoji |= own
    emoticons = {word: value for word, value in vocabulary.valences.items() if _is_emoticon(word)}
    longest_first = "|".join(re.escape(sign) for sign in sorted(emoticons, key=len, reverse=True))
    first = re.escape("".join({sign[0] for sign in emoticons}))
    drawn = re.escape("".join(sorted(emoji)))
    may_be_drawn = f"[{min(''.join(emoji))}-\U0010ffff]"  # one range is looked up faster than hundreds of signs
    typed = f"(?=[{first}])(?i:(?<![A-Za-z0-9])(?:{longest_first})(?![A-Za-z0-9]))"
    begins = frozenset("".join(emoji) + "".join(sign[0] for sign in emoticons))
    return Signs(emoji, emoticons, re.compile(f"((?={may_be_drawn})[{drawn}]|{typed})"), begins)


def _emoji_valence(description: str, vocabulary: Vocabulary) -> float:
    """The mean valence of the words that describe an emoji."""
    values = [vocabulary.valences[word] for word in description.lower().split() if word in vocabulary.valences]
    return sum(values) / len(values) if values else 0.0


def _is_emoticon(word: str) -> bool:
    """Signs such as ``:-)``: two letters or digits at most, eyes first. Mirrored ones are left out: ``(in Euro):``."""
    plain = sum(character.isalnum() for character in word)
    eyes_first = not (word[0].isalnum() or word[0] in "()[]/.,*'\\" or word[-1] in ":;=")
    return eyes_first and plain <= 2 and any(character in ":;=8xX<^>" for character in word)
