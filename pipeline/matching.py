"""Matching: which brands a text names, where, and why; item text in, ``Match`` objects out.

One Aho-Corasick automaton holds all spellings of all brands. A hit is then judged by what stands around it:

- **edges**: a name stands alone, is inflected (``Telekoms``), or opens a compound (``Telekom-Hotline``,
  ``Telekomkunde``). Names that are short (under five letters) or ``ambiguous`` open hyphenated compounds only.
- **case** is ignored, except for all-capital names of up to three letters (``DB``); a hashtag is free of case.
- **addresses**: an own domain counts as a handle; a name counts as a host name of its own (``telekom.de``), not in
  the path of an address and not in a mail address.
- **exclusions** win over every hit they touch, unless the hit is the longer phrase around them.
- **context**: ambiguous names need a context word, or another firm hit on the same brand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import ahocorasick_rs

from pipeline.configuration import Brand
from pipeline.draft import Match
from pipeline.hits import NOWHERE, Hit, Spans, Text, examine, is_context, judge, opens
from pipeline.spelling import fold
from pipeline.terms import Role, Term, terms_of


@dataclass(slots=True)
class _Found:
    """All that was seen of one brand in one text."""

    hits: list[Hit] = field(default_factory=list)
    exclusions: list[Hit] = field(default_factory=list)
    context: bool = False


class Matcher:
    """Finds the brands that a text names. Build once per configuration; linear in the length of the text."""

    def __init__(self, brands: Mapping[str, Brand]) -> None:
        terms: dict[str, list[Term]] = {}
        for identifier, brand in brands.items():
            for pattern, term in terms_of(identifier, brand):
                bucket = terms.setdefault(pattern, [])
                if term not in bucket:
                    bucket.append(term)
        self._terms = list(terms.values())
        self._automaton = ahocorasick_rs.AhoCorasick(list(terms)) if terms else None

    def find(self, text: str, context: str = "") -> tuple[list[Match], list[Match]]:
        """Matches and rejected matches, in order of position.

        ``context`` is looked through for context words only (the thread's title). Positions are those of ``text``.
        """
        found = self._look(examine(text)) if self._automaton else {}
        if not found:
            return [], []
        around = self._context_brands(context) if context else frozenset()
        matches: list[Match] = []
        rejected: list[Match] = []
        for brand, seen in found.items():
            seen.context = seen.context or brand in around
            for hit in _decide(seen):
                (rejected if hit.refused else matches).append(_as_match(text, brand, hit))
        return sorted(matches, key=_position), sorted(rejected, key=_position)

    def named(self, text: str) -> tuple[str, ...]:
        """The brands that a text names, in order of first appearance."""
        return tuple(dict.fromkeys(match.brand for match in self.find(text)[0]))

    def _look(self, text: Text) -> dict[str, _Found]:
        found: dict[str, _Found] = {}
        for term, start, end in self._raw(text.folded):
            seen = found.get(term.brand)
            if seen is None:
                seen = found[term.brand] = _Found()
            if term.role is Role.CONTEXT:
                seen.context = seen.context or is_context(text.folded, start, end)
            elif term.role is Role.EXCLUSION:
                if opens(text.folded, start):
                    seen.exclusions.append(Hit(term, start, end, "", term.via, f"exclusion '{term.label}'"))
            elif hit := judge(text, term, start, end):
                seen.hits.append(hit)
        return found

    def _context_brands(self, context: str) -> frozenset[str]:
        folded = fold(context)
        return frozenset(
            term.brand
            for term, start, end in self._raw(folded)
            if term.role is Role.CONTEXT and is_context(folded, start, end)
        )

    def _raw(self, folded: str) -> Iterator[tuple[Term, int, int]]:
        if self._automaton is None:
            return
        for pattern, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            for term in self._terms[pattern]:
                yield term, start, end


def explain(brands: Mapping[str, Brand], text: str) -> dict[str, Any]:
    """What ``sturmwarte match --json`` prints: the text, the brands found and what was rejected, with reasons."""
    return explain_with(Matcher(brands), text)


def explain_with(matcher: Matcher, text: str) -> dict[str, Any]:
    """As ``explain``, for many texts with one matcher."""
    matches, rejected = matcher.find(text)
    return {
        "text": text,
        "brands": [_row(match) | {"via": match.via.value} for match in matches],
        "rejected": [_row(match) for match in rejected],
    }


def _row(match: Match) -> dict[str, Any]:
    return {
        "brand": match.brand,
        "term": match.term,
        "start": match.start,
        "end": match.end,
        "why": match.why,
    }


def _position(match: Match) -> tuple[int, int, str]:
    return match.start, match.end, match.brand


def _as_match(text: str, brand: str, hit: Hit) -> Match:
    return Match(brand, text[hit.start : hit.end], hit.start, hit.end, hit.via, hit.refused or hit.why)


def _decide(seen: _Found) -> list[Hit]:
    """What counts and what is rejected for one brand: exclusions first, then the longest hits, then context."""
    excluded: dict[tuple[int, int], Hit] = {}
    free: list[Hit] = []
    exclusions = sorted(seen.exclusions, key=_place)
    places = Spans(_place(exclusion) for exclusion in exclusions) if exclusions else NOWHERE
    for hit in seen.hits:
        exclusion = _excluding(hit, [exclusions[at] for at in places.touching(hit.start, hit.end)])
        if exclusion:
            excluded[exclusion.start, exclusion.end] = exclusion
        else:
            free.append(hit)
    counting = _longest([hit for hit in free if not hit.refused])
    firm = seen.context or any(not hit.term.needs_context for hit in counting)
    settled = [hit if firm else _without_context(hit) for hit in counting]
    refused = _apart(excluded.values(), settled)
    outside = _apart((hit for hit in free if hit.refused), [*settled, *refused])
    return [*settled, *refused, *_longest(outside)]


def _excluding(hit: Hit, touching: list[Hit]) -> Hit | None:
    """The longest exclusion that touches a hit, but for those that are part of a longer phrase that counts."""
    strong = [
        exclusion
        for exclusion in touching
        if not (hit.start <= exclusion.start and exclusion.end <= hit.end and _core(hit) > _core(exclusion))
    ]
    return max(strong, key=_core, default=None)


def _core(hit: Hit) -> int:
    """Length of the configured term behind a hit."""
    return len(hit.term.label)


def _place(hit: Hit) -> tuple[int, int]:
    return hit.start, hit.end


def _apart(hits: Iterable[Hit], others: Iterable[Hit]) -> list[Hit]:
    """The hits that touch none of the others."""
    listed = list(hits)
    if not listed:
        return []
    places = Spans(_place(other) for other in others)
    return [hit for hit in listed if not places.touching(hit.start, hit.end)]


def _longest(hits: list[Hit]) -> list[Hit]:
    """Hits that do not overlap: from left to right, of overlapping ones the longest."""
    chosen: list[Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end, -_core(hit), bool(hit.refused))):
        if not chosen or hit.start >= chosen[-1].end:
            chosen.append(hit)
        elif hit.end - hit.start > chosen[-1].end - chosen[-1].start:
            chosen[-1] = hit
    return chosen


def _without_context(hit: Hit) -> Hit:
    if not hit.term.needs_context:
        return hit
    return Hit(hit.term, hit.start, hit.end, "", hit.via, f"no context word beside ambiguous name {hit.term.label}")
