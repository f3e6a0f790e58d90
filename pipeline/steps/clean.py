"""First step: text without control characters and stray white space, and the author's pseudonym."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import regex

from pipeline.draft import Draft
from pipeline.identity import pseudonym
from pipeline.item import Item
from pipeline.words import Kind

MAX_CHARACTERS = 100_000
"""Of one text; what is longer is cut at a word and ends in an ellipsis."""
_CONTROL = regex.compile(r"[\p{Cc}\p{Cf}--[\n\t\u200d\ufe0f]]+", regex.V1)
_SPACES = regex.compile(r"[^\S\n]+")
_BLOCKS = regex.compile(r" ?\n(?: ?\n)+ ?")
_GUESTS = frozenset(
    ("", "gast", "guest", "anonymous", "anonym", "anonymer benutzer", "unbekannt", "unknown", "[deleted]", "gelöscht")
)


class CleanStep:
    """Cleans what the spider read, and notes what only the author's clear name tells before a pseudonym replaces it."""

    name = "clean"

    def __init__(self, key: bytes, is_press: Callable[[Item], bool] = lambda _: False) -> None:
        self._key, self._is_press = key, is_press

    def __call__(self, batch: list[Draft]) -> list[Draft]:
        for draft in batch:
            item = draft.item
            draft.text = clean_text(item.text)
            draft.title = " ".join(clean_text(item.title).split())
            draft.thread_title = " ".join(clean_text(item.thread_title).split())
            draft.author = author_of(item, self._key)
            draft.press = self._is_press(item)
        return batch


def clean_text(text: str) -> str:
    """Blocks separated by one blank line, single spaces, composed characters, no control characters."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    if not text.isprintable():  # what is printable has no white space but the blank, and no control characters
        text = _CONTROL.sub("", text)
        text = _BLOCKS.sub("\n\n", _SPACES.sub(" ", text))
    elif "  " in text:
        text = _SPACES.sub(" ", text)
    text = text.strip()
    return text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS].rsplit(" ", 1)[0] + " …"


def author_of(item: Item, key: bytes) -> str | None:
    """Pseudonym of the person who counts: the account; the outlet for an article; None for guests and nameless ones."""
    if item.kind is Kind.ARTICLE:
        return pseudonym(key, item.origin, "outlet")
    if item.author_id:
        return pseudonym(key, item.origin, item.author_id)
    name = (item.author or "").strip()
    return None if name.casefold() in _GUESTS else pseudonym(key, item.origin, name)
