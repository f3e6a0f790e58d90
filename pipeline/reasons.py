"""Reasons of sources and fetches in a person's language.

They are stored as stable English sentences. The English catalogue ``[why]`` holds the same sentences with their
values as fields, so that it serves as the list of patterns; what matches none is shown as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pipeline.i18n import Speech, UnknownPhrase, phrases_below

_BELOW = "why."
_MORE = re.compile(r"(?P<rest>.+) and (?P<n>\d+) more", re.DOTALL)
_PLACE = re.compile(r"(?P<rest>.+) \((?P<url>https?://[^\s()]+)\)", re.DOTALL)


def in_words(reason: str, speech: Speech) -> str:
    """The sentence of a stored reason; with the address and the number of further ones, where it has them."""
    if found := _MORE.fullmatch(reason):
        return speech.say("why.with_more", reason=in_words(found["rest"], speech), n=found["n"])
    known = _known(reason, speech)
    if known is None and (found := _PLACE.fullmatch(reason)):
        return f"{in_words(found['rest'], speech)} ({found['url']})"
    return reason if known is None else known


def _known(reason: str, speech: Speech) -> str | None:
    for key, pattern in _patterns():
        if found := pattern.fullmatch(reason):
            try:
                return speech.say(key, **found.groupdict())
            except UnknownPhrase:
                return None
    return None


@lru_cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Key and pattern of every known sentence, the one with most fixed words first."""
    phrases = {key: phrase for key, phrase in phrases_below("en", _BELOW).items() if key != "why.with_more"}
    order = sorted(phrases, key=lambda key: -len(re.sub(r"\{\w+\}", "", phrases[key])))
    return tuple((key, _pattern(phrases[key])) for key in order)


def _pattern(phrase: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", phrase)
    fields = (f"(?P<{part}>.+?)" if index % 2 else re.escape(part) for index, part in enumerate(parts))
    return re.compile("".join(fields), re.DOTALL)
