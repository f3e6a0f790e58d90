"""Matching: which brands a text names, where, and why; item text in, ``Match`` objects out.

One Aho-Corasick automaton holds all spellings of all brands. A hit is then judged by what stands around it:

- **edges**: a name stands alone, is inflected (``Telekoms``), or opens a compound (``Telekom-Hotline``,
  ``Telekomkunde``). Names that are short (under five letters) or ``ambiguous`` open hyphenated compounds, and closed
  ones with what companies have (``Bahnstreik``).
- **case** is ignored, except for all-capital names of up to three letters (``DB``); a hashtag is free of case.
- **addresses**: an own domain counts as a handle; a name counts as a host name of its own (``telekom.de``), not in
  the path of an address and not in a mail address.
- **exclusions** win over every hit they touch, unless the hit is the longer phrase around them.
- **context**: ambiguous names need a context word, or another firm hit on the same brand; a name does not count in a
  sentence with a word that ``unless`` has for it, if no context word stands there too.
- **misspellings** of long words count where ``typos`` is set, as words of their own only.
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import ahocorasick_rs

from pipeline.configuration import Brand
from pipeline.draft import Match
from pipeline.hits import NOWHERE, Hit, Spans, Text, examine, is_context, judge, opens
from pipeline.terms import Role, Term, misspelled, terms_of

_SENTENCE_END = re.compile(r"[.!?…](?=\s)|\n")
INFLECTION = 2
"""Letters by which a word may go on and still be the same."""


@dataclass(slots=True)
class _Found:
    """All that was seen of one brand in one text."""

    hits: list[Hit] = field(default_factory=list)
    exclusions: list[Hit] = field(default_factory=list)
    context: list[int] = field(default_factory=list)
    """Where context words stand."""
    unless: list[tuple[int, Term]] = field(default_factory=list)
    """Where words stand beside which a name means something else."""
    around: bool = False
    """Whether a context word stands in the thread's title."""


class _Patterns:
    """Many folded patterns, looked for at once."""

    def __init__(self) -> None:
        self._terms: dict[str, list[Term]] = {}
        self._listed: list[list[Term]] = []
        self._automaton: ahocorasick_rs.AhoCorasick | None = None

    def __contains__(self, pattern: str) -> bool:
        return pattern in self._terms

    def add(self, pattern: str, term: Term) -> None:
        bucket = self._terms.setdefault(pattern, [])
        if term not in bucket:
            bucket.append(term)

    def close(self) -> None:
        """Nothing is added any more."""
        self._listed = list(self._terms.values())
        self._automaton = ahocorasick_rs.AhoCorasick(list(self._terms)) if self._terms else None

    def find(self, folded: str) -> Iterator[tuple[Term, int, int]]:
        if self._automaton is None:
            return
        for pattern, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            for term in self._listed[pattern]:
                yield term, start, end


class Matcher:
    """Finds the brands that a text names. Build once per configuration; linear in the length of the text."""

    def __init__(self, brands: Mapping[str, Brand]) -> None:
        self._names, self._words = _Patterns(), _Patterns()
        for identifier, brand in brands.items():
            for pattern, term in terms_of(identifier, brand):
                beside = term.role in (Role.CONTEXT, Role.UNLESS)
                (self._words if beside else self._names).add(pattern, term)
        slips = [slip for identifier, brand in brands.items() for slip in misspelled(identifier, brand)]
        for pattern, term in [(pattern, term) for pattern, term in slips if pattern not in self._names]:
            self._names.add(pattern, term)
        self._names.close()
        self._words.close()

    def find(self, text: str, context: str = "") -> tuple[list[Match], list[Match]]:
        """Matches and rejected matches, in order of position.

        ``context`` is looked through for context words only (the thread's title). Positions are those of ``text``.
        """
        examined = examine(text)
        found = self._look(examined)
        if any(hit.doubtful or hit.term.guarded for seen in found.values() for hit in seen.hits):
            self._look_beside(examined, found)
            for brand in self._context_brands(context) if context else ():
                if brand in found:
                    found[brand].around = True
        matches: list[Match] = []
        rejected: list[Match] = []
        for brand, seen in found.items():
            for hit in _decide(seen, text):
                (rejected if hit.refused else matches).append(_as_match(text, brand, hit))
        return sorted(matches, key=_position), sorted(rejected, key=_position)

    def named(self, text: str) -> tuple[str, ...]:
        """The brands that a text names, in order of first appearance."""
        return tuple(dict.fromkeys(match.brand for match in self.find(text)[0]))

    def _look(self, text: Text) -> dict[str, _Found]:
        """Names and exclusions of the brands that have any of them here."""
        found: dict[str, _Found] = {}
        for term, start, end in self._names.find(text.folded):
            if term.role is Role.EXCLUSION:
                if opens(text.folded, start):
                    hit = Hit(term, start, end, "", term.via, f"exclusion '{term.label}'")
                    found.setdefault(term.brand, _Found()).exclusions.append(hit)
            elif judged := judge(text, term, start, end):
                found.setdefault(term.brand, _Found()).hits.append(judged)
        return found

    def _look_beside(self, text: Text, found: Mapping[str, _Found]) -> None:
        """Note the words that speak for and against the brands found."""
        for term, start, end in self._words.find(text.folded):
            seen = found.get(term.brand)
            if seen is None or not is_context(text, term, start, end):
                continue
            if term.role is Role.CONTEXT:
                seen.context.append(start)
            else:
                seen.unless.append((start, term))

    def _context_brands(self, context: str) -> frozenset[str]:
        text = examine(context)
        return frozenset(
            term.brand
            for term, start, end in self._words.find(text.folded)
            if term.role is Role.CONTEXT and is_context(text, term, start, end)
        )


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


def _decide(seen: _Found, text: str) -> list[Hit]:
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
    if seen.unless:
        counting = _elsewhere(counting, seen, text)
    firm = seen.around or seen.context or any(not (hit.doubtful or hit.refused) for hit in counting)
    settled = [_without_context(hit) if hit.doubtful and not (firm or hit.refused) else hit for hit in counting]
    refused = _apart(excluded.values(), settled)
    outside = _apart((hit for hit in free if hit.refused), [*settled, *refused])
    return [*settled, *refused, *_longest(outside)]


def _excluding(hit: Hit, touching: list[Hit]) -> Hit | None:
    """The longest exclusion that touches a hit, but for those that are part of a longer phrase that counts."""
    strong = [exclusion for exclusion in touching if not (_surrounds(hit, exclusion) or _runs_on(hit, exclusion))]
    return max(strong, key=_core, default=None)


def _surrounds(hit: Hit, exclusion: Hit) -> bool:
    start, end = hit.bare
    return start <= exclusion.start and exclusion.end <= end and _core(hit) > _core(exclusion)


def _runs_on(hit: Hit, exclusion: Hit) -> bool:
    """Whether a phrase ends within a longer word that names the brand (``sich Bahn`` in "kauft sich Bahntickets")."""
    return exclusion.term.phrase and exclusion.start < hit.start and hit.end > exclusion.end + INFLECTION


def _elsewhere(hits: list[Hit], seen: _Found, text: str) -> list[Hit]:
    """The hits; refused are those beside a word that ``unless`` has for them, in a sentence without context words."""
    ends = [found.start() for found in _SENTENCE_END.finditer(text)]
    for_it = {bisect(ends, at) for at in seen.context}
    against = {(bisect(ends, at), term.guarded): term.label for at, term in seen.unless}

    def judged(hit: Hit) -> Hit:
        sentence = bisect(ends, hit.start)
        word = None if sentence in for_it else against.get((sentence, hit.term.guarded))
        return replace(hit, refused=f"beside '{word}' {hit.term.label} means something else") if word else hit

    return [judged(hit) for hit in hits]


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
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end, hit.doubtful, -_core(hit), bool(hit.refused))):
        if not chosen or hit.start >= chosen[-1].end:
            chosen.append(hit)
        elif hit.end - hit.start > chosen[-1].end - chosen[-1].start:
            chosen[-1] = hit
    return chosen


def _without_context(hit: Hit) -> Hit:
    return replace(hit, refused=f"no context word beside ambiguous name {hit.term.label}")
