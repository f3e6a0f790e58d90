"""Terms: what a brand's configuration says to look for, spelled out as patterns for the matcher."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, replace
from enum import StrEnum

from pipeline.configuration import Brand
from pipeline.misspelling import LEAST, misspellings
from pipeline.spelling import fold, spellings, unify, without_apostrophe
from pipeline.words import BrandKind, Via

SHORT = 5
"""Names with fewer letters than this open no closed compound."""
EXACT_CASE = 3
"""All-capital names of at most this many letters are matched with their case."""

SLIPPING = 2
"""Names of more words than this are not looked for in misspellings."""

_ARTICLES = frozenset({"der", "die", "das", "den", "dem", "des", "the"})


class Role(StrEnum):
    """What a pattern stands for."""

    TERM = "term"
    ACCOUNT = "account"
    DOMAIN = "domain"
    EXCLUSION = "exclusion"
    CONTEXT = "context"
    UNLESS = "unless"


@dataclass(frozen=True, slots=True)
class Term:
    """One configured term of one brand.

    ``short``: its last word opens few compounds, ``short_first``: its first word closes few. ``exact``: the only casing
    that counts, where casing matters; ``sloppy``: in lower case it counts with context.
    ``guarded``: the key under which ``unless`` has words beside which it, or the word itself, speaks against the name.
    ``phrase``: an exclusion of several words.
    ``wrong``: a misspelling of the label.
    """

    brand: str
    label: str
    role: Role
    via: Via = Via.NAME
    short: bool = False
    short_first: bool = False
    needs_context: bool = False
    exact: str | None = None
    sloppy: bool = False
    guarded: str = ""
    phrase: bool = False
    wrong: bool = False


def terms_of(identifier: str, brand: Brand) -> Iterator[tuple[str, Term]]:
    """Folded pattern → term, for everything that the brand's table names."""
    yield from _spelled(identifier, brand, (brand.name, *brand.names), Via.NAME)
    yield from _spelled(identifier, brand, brand.aliases, Via.ALIAS)
    yield from _spelled(identifier, brand, _persons(brand), Via.PERSON)
    for account in brand.accounts:
        label = "@" + account.removeprefix("@")
        yield fold(label), Term(identifier, label, Role.ACCOUNT, Via.HANDLE)
    for domain in brand.domains:
        label = domain.lower().removeprefix("www.")
        yield fold(label), Term(identifier, label, Role.DOMAIN, Via.HANDLE)
    for label in brand.exclusions:
        term = Term(identifier, label, Role.EXCLUSION, phrase=" " in label.strip())
        yield from ((pattern, term) for pattern in spellings(label))
    beside = [
        (Role.CONTEXT, "", brand.context),
        *((Role.UNLESS, _key(name), brand.unless[name]) for name in brand.unless),
    ]
    for role, key, labels in beside:
        for label in labels:
            term = Term(identifier, label, role, exact=_exact_case(label), guarded=key)
            yield from ((pattern, term) for pattern in spellings(label, joined=False))


def misspelled(identifier: str, brand: Brand) -> Iterator[tuple[str, Term]]:
    """Folded pattern → term, for the slips that ``typos`` allows in the long words of names and aliases."""
    if not brand.typos or brand.kind is BrandKind.PERSON:
        return
    named = [(label, Via.NAME) for label in (brand.name, *brand.names)] + [
        (label, Via.ALIAS) for label in brand.aliases
    ]
    right = {word for label, _ in named for word in fold(label).split()}
    for label, via in named:
        if not _needs_context(brand, label, via) and len(label.split()) <= SLIPPING:
            term = Term(identifier, label, Role.TERM, via, wrong=True)
            yield from ((pattern, term) for pattern in _slips(fold(label), right))


def _slips(label: str, right: Set[str]) -> Iterator[str]:
    """A folded label with one slip in one of its long words, which makes none of the ``right`` words of it."""
    words = label.split()
    for at, word in enumerate(words):
        if len(word) >= LEAST and word.isalpha():
            for wrong in misspellings(word) - right:
                yield " ".join([*words[:at], wrong, *words[at + 1 :]])


def _persons(brand: Brand) -> Iterable[str]:
    """The persons, and surnames with an apostrophe by themselves: nobody else has them."""
    names = (*brand.persons, *((brand.name, *brand.names) if brand.kind is BrandKind.PERSON else ()))
    for name in names:
        if name in brand.persons:
            yield name
        last = name.split()[-1]
        if last != name and without_apostrophe(last):
            yield last


def _spelled(identifier: str, brand: Brand, labels: Iterable[str], via: Via) -> Iterator[tuple[str, Term]]:
    guarded = {_key(name) for name in brand.unless}
    for label in labels:
        needs_context = _needs_context(brand, label, via)
        exact, words, key = _exact_case(label), re.split(r"[ -]", label), _key(label)
        term = Term(
            identifier, label, Role.TERM, via,
            short=_letters(words[-1]) < SHORT or needs_context,
            short_first=_letters(words[0]) < SHORT or needs_context,
            needs_context=needs_context,
            exact=exact,
            sloppy=exact is not None and bool(brand.context),
            guarded=key if key in guarded else "",
        )  # fmt: skip
        for pattern in spellings(label):
            yield pattern, term
        bare = without_apostrophe(label)
        if bare:
            odd = bare if any(character.isupper() for word in bare.split() for character in word[1:]) else None
            yield fold(bare), replace(term, exact=odd, sloppy=False)
            if " " in label:
                yield fold(unify(label).replace("'", " ")), term


def _letters(word: str) -> int:
    return sum(character.isalpha() for character in word)


def _key(label: str) -> str:
    """A name without articles and case: "die Bahn" is guarded as "Bahn" is."""
    return " ".join(word for word in fold(label).lstrip("#").split() if word not in _ARTICLES)


def _needs_context(brand: Brand, label: str, via: Via) -> bool:
    if brand.ambiguous:
        named = set(brand.ambiguous) if _exact_case(label) else {name.casefold() for name in brand.ambiguous}
        return bool(brand.context) and (label if _exact_case(label) else label.casefold()) in named
    return bool(brand.context) and via is Via.NAME


def _exact_case(label: str) -> str | None:
    return label if label.isalpha() and label.isupper() and len(label) <= EXACT_CASE else None
