"""The German lexicon: reads ``lexicon_de.txt`` and unfolds its lines to all forms of their words.

A line under a ``[section]`` is ``valence word word/further form …`` (adjectives, nouns, verbs, words, prefixes, emoji),
``valence phrase of several words`` (idioms) or words alone (negators, boosters, dampeners); ``#`` begins a comment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

from pipeline.tone.inflection import INFLECTIONS, adjective, with_digraphs

Phrase = tuple[str, ...]


@dataclass(slots=True)
class Lexicon:
    """What the German rules know. All keys are in lower case."""

    valences: dict[str, float] = field(default_factory=dict)
    verbs: set[str] = field(default_factory=set)
    """Verb forms: a following "nicht" turns them."""
    heads: dict[str, float] = field(default_factory=dict)
    """Nouns that keep their valence at the end of a compound."""
    idioms: dict[str, dict[Phrase, float]] = field(default_factory=dict)
    """First word → phrases that begin with it."""
    prefixes: dict[str, float] = field(default_factory=dict)
    negators: set[str] = field(default_factory=set)
    boosters: dict[str, float] = field(default_factory=dict)
    emoji: dict[str, float] = field(default_factory=dict)
    stems: int = 0
    """Lines with a valence: words and idioms."""


BOOST = 0.293
"""What a booster adds, a dampener takes; VADER's figure."""
SHORTEST_HEAD = 5


class LexiconError(ValueError):
    """A line that cannot be read."""


@lru_cache(maxsize=1)
def german_lexicon() -> Lexicon:
    """The lexicon that is part of this package; read once, never changed."""
    return read_lexicon(files(__package__).joinpath("lexicon_de.txt").read_text(encoding="utf-8"))


def read_lexicon(content: str) -> Lexicon:
    """A lexicon from the text of its file. Raises LexiconError with the number of a bad line."""
    lexicon = Lexicon()
    for number, section, line in _lines(content):
        try:
            _add(lexicon, section, line)
        except (ValueError, KeyError, IndexError) as error:
            raise LexiconError(f"line {number}: {line!r} cannot be read in [{section}]: {error}") from error
    return lexicon


def _lines(content: str) -> Iterator[tuple[int, str, str]]:
    section = ""
    for number, raw in enumerate(content.splitlines(), start=1):
        line = raw.split("#", 1)[0].strip()
        if line.startswith("["):
            section = line.strip("[]")
        elif line:
            yield number, section, line


def _add(lexicon: Lexicon, section: str, line: str) -> None:
    if section == "negators":
        lexicon.negators |= with_digraphs(line.split())
        return
    if section in ("boosters", "dampeners"):
        lexicon.boosters |= dict.fromkeys(with_digraphs(line.split()), BOOST if section == "boosters" else -BOOST)
        return
    value, *entries = line.split()
    valence = _checked(float(value))
    if section == "idioms":
        _add_idiom(lexicon, tuple(entry.lower() for entry in entries), valence)
    elif section == "emoji":
        lexicon.emoji |= dict.fromkeys(entries, valence)
    elif section == "prefixes":
        lexicon.prefixes |= dict.fromkeys(entries, valence)
    else:
        for entry in entries:
            _add_word(lexicon, section, entry, valence)


def _add_word(lexicon: Lexicon, section: str, entry: str, valence: float) -> None:
    word, *further = entry.lower().split("/")
    forms = INFLECTIONS[section](word)
    for extra in further:
        forms |= adjective(extra) if section == "adjectives" else {extra}
    forms = with_digraphs(forms)
    lexicon.stems += 1
    for form in forms:
        lexicon.valences.setdefault(form, valence)
    if section == "verbs":
        lexicon.verbs |= forms
    if section == "nouns" and len(word) >= SHORTEST_HEAD:
        lexicon.heads |= {form: valence for form in forms if form not in lexicon.heads}


def _add_idiom(lexicon: Lexicon, words: Phrase, valence: float) -> None:
    lexicon.stems += 1
    for spelled in {words, tuple(max(with_digraphs([word]), key=len) for word in words)}:
        lexicon.idioms.setdefault(spelled[0], {})[spelled] = valence


def _checked(valence: float) -> float:
    if not -4 <= valence <= 4:
        raise ValueError("a valence lies between -4 and 4")
    return valence
