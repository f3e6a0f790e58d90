"""Terms: what a brand's configuration says to look for, spelled out as patterns for the matcher."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from pipeline.configuration import Brand
from pipeline.spelling import fold, spellings, without_apostrophe
from pipeline.words import BrandKind, Via

SHORT = 5
"""Names with fewer letters than this open no closed compound."""
EXACT_CASE = 3
"""All-capital names of at most this many letters are matched with their case."""


class Role(StrEnum):
    """What a pattern stands for."""

    TERM = "term"
    ACCOUNT = "account"
    DOMAIN = "domain"
    EXCLUSION = "exclusion"
    CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class Term:
    """One configured term of one brand. ``exact``: the only casing that counts, where casing matters."""

    brand: str
    label: str
    role: Role
    via: Via = Via.NAME
    short: bool = False
    needs_context: bool = False
    exact: str | None = None


def terms_of(identifier: str, brand: Brand) -> Iterator[tuple[str, Term]]:
    yield from _spelled(identifier, brand, (brand.name, *brand.names), Via.NAME)
    yield from _spelled(identifier, brand, brand.aliases, Via.ALIAS)
    yield from _spelled(identifier, brand, _persons(brand), Via.PERSON)
    for account in brand.accounts:
        label = "@" + account.removeprefix("@")
        yield fold(label), Term(identifier, label, Role.ACCOUNT, Via.HANDLE)
    for domain in brand.domains:
        label = domain.lower().removeprefix("www.")
        yield fold(label), Term(identifier, label, Role.DOMAIN, Via.HANDLE)
    for role, labels in ((Role.EXCLUSION, brand.exclusions), (Role.CONTEXT, brand.context)):
        for label in labels:
            for pattern in spellings(label, joined=False):
                yield pattern, Term(identifier, label, role)


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
    for label in labels:
        needs_context = _needs_context(brand, label, via)
        short = sum(character.isalpha() for character in re.split(r"[ -]", label)[-1]) < SHORT or needs_context
        term = Term(identifier, label, Role.TERM, via, short, needs_context, _exact_case(label))
        for pattern in spellings(label):
            yield pattern, term
        bare = without_apostrophe(label)
        if bare:
            exact = bare if any(character.isupper() for word in bare.split() for character in word[1:]) else None
            yield fold(bare), Term(identifier, label, Role.TERM, via, short, needs_context, exact)


def _needs_context(brand: Brand, label: str, via: Via) -> bool:
    if brand.ambiguous:
        return bool(brand.context) and label.casefold() in {name.casefold() for name in brand.ambiguous}
    return bool(brand.context) and via is Via.NAME


def _exact_case(label: str) -> str | None:
    return label if label.isalpha() and label.isupper() and len(label) <= EXACT_CASE else None
