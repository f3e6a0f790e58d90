"""The name that a text nearly spells: for the person who asks why nothing was found."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from pipeline.configuration import Brand
from pipeline.spelling import fold

WORDS = 200
"""Words of a text that are compared, from its beginning."""
CUTOFF = 0.7
"""Likeness (difflib's ratio) from which a word is near a name."""

_WORD = re.compile(r"[^\W_][\w&.'’+-]*")


@dataclass(frozen=True, slots=True)
class Near:
    """A word of the text, and the configured name that it is like."""

    word: str
    brand: str
    name: str


def nearest(text: str, brands: Mapping[str, Brand], most: int = 3) -> list[Near]:
    """The first words that are like a name, one for each name."""
    names = {
        fold(label): (brand, label)
        for brand, entry in brands.items()
        for label in (entry.name, *entry.names, *entry.aliases, *entry.persons)
    }
    found: dict[tuple[str, str], Near] = {}
    for word in _WORD.findall(text)[:WORDS]:
        for form in get_close_matches(fold(word), names, n=1, cutoff=CUTOFF):
            found.setdefault(names[form], Near(word, *names[form]))
    return list(found.values())[:most]
