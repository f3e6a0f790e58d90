"""The German lexicon: reads the files of ``lexicon_de/`` and unfolds their lines to all forms of their words.

A line under a ``[section]`` is ``valence word word/further form …`` (adjectives, nouns, nouns alone, verbs, words,
prefixes, emoji),
``valence phrase of several words`` or ``=word phrase that means it`` (idioms, notation in ``pipeline.tone.phrases``),
``name word …`` (sets of words that idioms name) or words alone (negators, boosters, dampeners); ``#`` begins a comment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files

from pipeline.tone.inflection import INFLECTIONS, further, separable, spellings, with_digraphs
from pipeline.tone.phrases import Meaning, Node, add_phrase


@dataclass(slots=True)
class Lexicon:
    """What the German rules know. All keys are in lower case."""

    valences: dict[str, float] = field(default_factory=dict)
    verbs: set[str] = field(default_factory=set)
    """Verb forms: a following "nicht" turns them."""
    heads: dict[str, float] = field(default_factory=dict)
    """Nouns that keep their valence at the end of a compound."""
    comparatives: set[str] = field(default_factory=set)
    separable: dict[str, dict[str, float]] = field(default_factory=dict)
    """Finite form of a separable verb → its particle → valence (zockt … ab)."""
    particles: set[str] = field(default_factory=set)
    idioms: Node = field(default_factory=Node)
    prefixes: dict[str, float] = field(default_factory=dict)
    negators: set[str] = field(default_factory=set)
    boosters: dict[str, float] = field(default_factory=dict)
    emoji: dict[str, float] = field(default_factory=dict)
    sets: dict[str, list[str]] = field(default_factory=dict)
    lemmas: dict[str, float] = field(default_factory=dict)
    """The words as they stand in the files; they go before the inflected forms of others."""
    phrases: dict[str, Meaning] = field(default_factory=dict)
    """The idioms as they stand in the files."""

    @property
    def stems(self) -> int:
        """How many different words and idioms have a line and a valence; those of 0 only guard against misreadings."""
        return sum(map(bool, self.lemmas.values())) + sum(map(bool, self.phrases.values()))


BOOST = 0.293
"""What a booster adds, a dampener takes; VADER's figure."""
SHORTEST_HEAD = 5


class LexiconError(ValueError):
    """A line that cannot be read."""


@lru_cache(maxsize=1)
def german_lexicon() -> Lexicon:
    """The lexicon that is part of this package; read once, never changed."""
    folder = files(__package__).joinpath("lexicon_de")
    parts = sorted((part for part in folder.iterdir() if part.name.endswith(".txt")), key=lambda part: part.name)
    return read_lexicon("\n".join(part.read_text(encoding="utf-8") for part in parts))


def read_lexicon(content: str) -> Lexicon:
    """A lexicon from the text of its files. Raises LexiconError with the number of a bad line."""
    lexicon = Lexicon()
    for number, section, line in _lines(content):
        try:
            _add(lexicon, section, line)
        except (ValueError, KeyError, IndexError) as error:
            raise LexiconError(f"line {number}: {line!r} cannot be read in [{section}]: {error}") from error
    lexicon.comparatives |= set(lexicon.sets.get("comparatives", ()))
    for word, valence in lexicon.lemmas.items():
        for spelled in with_digraphs([word]):
            lexicon.valences[spelled] = valence
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
    if section == "sets":
        lexicon.sets |= dict.fromkeys(spellings(value), sorted(with_digraphs(entries)))
    elif section == "idioms":
        _add_idiom(lexicon, [entry.lower() for entry in entries], value)
    elif section == "emoji":
        lexicon.emoji |= dict.fromkeys(entries, _checked(value))
    elif section == "prefixes":
        lexicon.prefixes |= dict.fromkeys(with_digraphs(entries), _checked(value))
    else:
        for entry in entries:
            _add_word(lexicon, section, entry.lower(), _checked(value))


def _add_word(lexicon: Lexicon, section: str, entry: str, valence: float) -> None:
    word, *extras = entry.split("/")
    forms = INFLECTIONS[section](word)
    for extra in extras:
        forms |= further(section, extra)
    forms = with_digraphs(forms)
    lemma = word.replace("|", "").split("^")[0]
    if lemma in lexicon.lemmas:
        raise ValueError(f"{lemma} stands twice")
    lexicon.lemmas[lemma] = valence
    for form in forms:
        lexicon.valences.setdefault(form, valence)
    if section == "verbs":
        lexicon.verbs |= forms
        particle, finite = separable(word, extras)
        if finite:
            lexicon.particles |= with_digraphs([particle])
        for form in with_digraphs(finite):
            for spelled in with_digraphs([particle]):
                lexicon.separable.setdefault(form, {})[spelled] = valence
    if section == "adjectives":
        lexicon.comparatives |= {form for form in forms if form.removesuffix("e").endswith("er") and form != lemma}
    if section == "nouns" and len(lemma) >= SHORTEST_HEAD:
        lexicon.heads |= {form: valence for form in forms if form not in lexicon.heads}


def _add_idiom(lexicon: Lexicon, tokens: list[str], value: str) -> None:
    meaning: Meaning = value[1:] if value.startswith("=") else _checked(value)
    phrase = " ".join(tokens)
    if phrase in lexicon.phrases:
        raise ValueError(f"{phrase} stands twice")
    lexicon.phrases[phrase] = meaning
    for spelled in set(zip(*map(spellings, tokens), strict=True)):
        add_phrase(lexicon.idioms, spelled, meaning, lexicon.sets)


def _checked(value: str) -> float:
    valence = float(value)
    if not -4 <= valence <= 4:
        raise ValueError("a valence lies between -4 and 4")
    return valence
