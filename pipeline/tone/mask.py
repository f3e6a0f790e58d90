"""Masking: what is a name, an address or a number must not be scored (``united`` is no praise)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.tone.ratings import ratings

MASK = "·"
"""Stands for a name, a handle or a mail address that was masked: one word, known to no lexicon."""
LINK = "↗"
"""Stands for an address of the web: who links seldom complains."""
NUMBER = "•"
"""Stands for a number: "besser als ·" tells of somebody, "besser als •" of a year."""

_ADDRESS = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)++")
_HANDLE = re.compile(r"(?<![\w@])@[\w.]*\w")
_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"\d(?<![\w:;=<-]\d)[\d.,:/]*(?:€|%)?(?!\w)")


def mask(text: str, spans: Iterable[tuple[int, int]] = ()) -> str:
    """The text with the given spans (brand terms), addresses, handles and numbers replaced by neutral signs.

    Numbers of ratings stay (``1 von 10``, ``5 Sterne``, ``Note 6``): they are what the text says.
    """
    parts: list[str] = []
    done = 0
    for start, end in sorted(spans):
        if start >= done:
            parts += [text[done:start], MASK]
            done = end
    masked = "".join([*parts, text[done:]])
    if "//" in masked or "www." in masked.lower():
        masked = _ADDRESS.sub(LINK, masked)
    if "@" in masked:
        masked = _HANDLE.sub(MASK, _MAIL.sub(MASK, masked))
    return _without_numbers(masked) if _DIGIT.search(masked) else masked


def _without_numbers(text: str) -> str:
    parts: list[str] = []
    done = 0
    for found in ratings(text):
        parts += [_NUMBER.sub(NUMBER, text[done : found.start()]), found[0]]
        done = found.end()
    return "".join([*parts, _NUMBER.sub(NUMBER, text[done:])])
