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

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import ahocorasick_rs

from pipeline.configuration import Brand
from pipeline.draft import Match
from pipeline.spelling import fold, lower, spellings, unify, without_apostrophe
from pipeline.words import BrandKind, Via

SHORT = 5
"""Names with fewer letters than this open no closed compound."""
EXACT_CASE = 3
"""All-capital names of at most this many letters are matched with their case."""
HEAD = 3
"""Least number of letters a name must be continued by to make a compound."""
FALSE_COMPOUNDS = ("telekommunik",)
"""Ordinary words that begin like a well-known name."""

_ADDRESS = re.compile(
    r"(?:https?://|(?<![\w@.-])www\.)(?P<host>[^\s/?#<>\"]++)(?P<path>[/?#][^\s<>\"]*+)?"
    r"|(?<![\w@.+/-])(?P<bare>[\w-]++(?:\.[\w-]++)++)(?P<rest>/[^\s<>\"]*+)"
)
_MAIL = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)++")
_TOP_LEVEL = re.compile(r"\.(?:[a-z]{2,3}\.)?[a-z]{2,12}(?![\w.-])")
_VOWEL = re.compile("[aeiouyäöü]")


class _Role(StrEnum):
    """What a pattern stands for."""

    TERM = "term"
    ACCOUNT = "account"
    DOMAIN = "domain"
    EXCLUSION = "exclusion"
    CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class _Term:
    """One configured term of one brand. ``exact``: the only casing that counts, where casing matters."""

    brand: str
    label: str
    role: _Role
    via: Via = Via.NAME
    short: bool = False
    needs_context: bool = False
    exact: str | None = None


@dataclass(slots=True)
class _Text:
    """A text under examination: as written (``plain``: one form of apostrophe), folded, and its addresses."""

    given: str
    plain: str
    folded: str
    paths: list[tuple[int, int]] = field(default_factory=list)
    hosts: list[tuple[int, int]] = field(default_factory=list)
    mails: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Hit:
    """A place where a term stands. ``refused`` says why it does not count."""

    term: _Term
    start: int
    end: int
    why: str
    via: Via
    refused: str = ""


@dataclass(slots=True)
class _Found:
    """All that was seen of one brand in one text."""

    hits: list[_Hit] = field(default_factory=list)
    exclusions: list[_Hit] = field(default_factory=list)
    context: bool = False


class Matcher:
    """Finds the brands that a text names. Build once per configuration; linear in the length of the text."""

    def __init__(self, brands: Mapping[str, Brand]) -> None:
        terms: dict[str, list[_Term]] = {}
        for identifier, brand in brands.items():
            for pattern, term in _terms_of(identifier, brand):
                bucket = terms.setdefault(pattern, [])
                if term not in bucket:
                    bucket.append(term)
        self._terms = list(terms.values())
        self._automaton = ahocorasick_rs.AhoCorasick(list(terms)) if terms else None

    def find(self, text: str, context: str = "") -> tuple[list[Match], list[Match]]:
        """Matches and rejected matches, in order of position.

        ``context`` is looked through for context words only (the thread's title). Positions are those of ``text``.
        """
        found = self._look(_examine(text)) if self._automaton else {}
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

    def _look(self, text: _Text) -> dict[str, _Found]:
        found: dict[str, _Found] = {}
        for term, start, end in self._raw(text.folded):
            seen = found.setdefault(term.brand, _Found())
            if term.role is _Role.CONTEXT:
                seen.context = seen.context or _is_context(text.folded, start, end)
            elif term.role is _Role.EXCLUSION:
                if _opens(text.folded, start):
                    seen.exclusions.append(_Hit(term, start, end, "", term.via, f"exclusion '{term.label}'"))
            elif hit := _judge(text, term, start, end):
                seen.hits.append(hit)
        return found

    def _context_brands(self, context: str) -> frozenset[str]:
        folded = fold(context)
        return frozenset(
            term.brand
            for term, start, end in self._raw(folded)
            if term.role is _Role.CONTEXT and _is_context(folded, start, end)
        )

    def _raw(self, folded: str) -> Iterator[tuple[_Term, int, int]]:
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


def _as_match(text: str, brand: str, hit: _Hit) -> Match:
    return Match(brand, text[hit.start : hit.end], hit.start, hit.end, hit.via, hit.refused or hit.why)


# --- from configuration to patterns ---------------------------------------------------------------------------------


def _terms_of(identifier: str, brand: Brand) -> Iterator[tuple[str, _Term]]:
    yield from _spelled(identifier, brand, (brand.name, *brand.names), Via.NAME)
    yield from _spelled(identifier, brand, brand.aliases, Via.ALIAS)
    yield from _spelled(identifier, brand, _persons(brand), Via.PERSON)
    for account in brand.accounts:
        label = "@" + account.removeprefix("@")
        yield fold(label), _Term(identifier, label, _Role.ACCOUNT, Via.HANDLE)
    for domain in brand.domains:
        label = domain.lower().removeprefix("www.")
        yield fold(label), _Term(identifier, label, _Role.DOMAIN, Via.HANDLE)
    for role, labels in ((_Role.EXCLUSION, brand.exclusions), (_Role.CONTEXT, brand.context)):
        for label in labels:
            for pattern in spellings(label, joined=False):
                yield pattern, _Term(identifier, label, role)


def _persons(brand: Brand) -> Iterable[str]:
    """The persons, and surnames with an apostrophe by themselves: nobody else has them."""
    names = (*brand.persons, *((brand.name, *brand.names) if brand.kind is BrandKind.PERSON else ()))
    for name in names:
        if name in brand.persons:
            yield name
        last = name.split()[-1]
        if last != name and without_apostrophe(last):
            yield last


def _spelled(identifier: str, brand: Brand, labels: Iterable[str], via: Via) -> Iterator[tuple[str, _Term]]:
    for label in labels:
        needs_context = _needs_context(brand, label, via)
        short = sum(character.isalpha() for character in re.split(r"[ -]", label)[-1]) < SHORT or needs_context
        term = _Term(identifier, label, _Role.TERM, via, short, needs_context, _exact_case(label))
        for pattern in spellings(label):
            yield pattern, term
        bare = without_apostrophe(label)
        if bare:
            exact = bare if any(character.isupper() for word in bare.split() for character in word[1:]) else None
            yield fold(bare), _Term(identifier, label, _Role.TERM, via, short, needs_context, exact)


def _needs_context(brand: Brand, label: str, via: Via) -> bool:
    if brand.ambiguous:
        return bool(brand.context) and label.casefold() in {name.casefold() for name in brand.ambiguous}
    return bool(brand.context) and via is Via.NAME


def _exact_case(label: str) -> str | None:
    return label if label.isalpha() and label.isupper() and len(label) <= EXACT_CASE else None


# --- what stands around a hit ---------------------------------------------------------------------------------------


def _examine(text: str) -> _Text:
    plain = unify(text)
    seen = _Text(text, plain, lower(plain))
    if "/" in text or "www." in seen.folded:
        for match in _ADDRESS.finditer(seen.folded):
            seen.hosts.append(match.span("host" if match["host"] else "bare"))
            seen.paths.append(match.span("path" if match["host"] else "rest"))
    if "@" in text:
        seen.mails = [match.span() for match in _MAIL.finditer(seen.folded)]
    return seen


def _inside(spans: list[tuple[int, int]], start: int, end: int) -> bool:
    return any(low <= start and end <= high for low, high in spans)


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _opens(text: str, start: int) -> bool:
    """Whether a word begins here."""
    return start == 0 or not text[start - 1].isalnum()


def _is_context(folded: str, start: int, end: int) -> bool:
    """Context words of five letters and more may be continued (Verspätungen); shorter ones only inflected (Zuges)."""
    if not _opens(folded, start):
        return False
    stop = _word_end(folded, end)
    return end - start >= SHORT or stop - end <= 2


def _word_end(text: str, at: int) -> int:
    while at < len(text) and text[at].isalnum():
        at += 1
    return at


def _compound_end(text: str, at: int) -> int:
    """The end of the hyphenated word that goes on at ``at``: hyphens count where letters follow."""
    at = _word_end(text, at)
    while at + 1 < len(text) and text[at] in "-_" and text[at + 1].isalnum():
        at = _word_end(text, at + 1)
    return at


def _compound_start(text: str, at: int) -> int:
    """The begin of the hyphenated word that ends before ``at``."""
    while at > 1 and text[at - 1] in "-_" and text[at - 2].isalnum():
        at -= 1
        while at > 0 and text[at - 1].isalnum():
            at -= 1
    return at


def _judge(text: _Text, term: _Term, start: int, end: int) -> _Hit | None:
    """The hit, with a reason if it does not count; None where the letters stand in the middle of another word."""
    folded = text.folded
    if not _opens(folded, start) and _word_end(folded, end) != end:
        return None
    if term.exact and folded[start - 1 : start] != "#" and text.plain[start:end] != term.exact:
        return None
    if _inside(text.mails, start, end):
        return _refuse(folded, term, start, end, "part of a mail address")
    if term.role is _Role.ACCOUNT:
        return _judge_account(folded, term, start, end)
    if term.role is _Role.DOMAIN:
        return _judge_domain(text, term, start, end)
    if _inside(text.paths, start, end):
        return _refuse(folded, term, start, end, "part of an address")
    if _inside(text.hosts, start, end):
        if _is_own_label(folded, start, end):
            return _named(term, start, end, "address of")
        return _refuse(folded, term, start, end, "part of an address")
    return _judge_word(text, term, start, end)


def _is_own_label(folded: str, start: int, end: int) -> bool:
    """Whether a name is the domain of a host: nothing but a top-level domain (.de, .co.uk) follows."""
    ending = _TOP_LEVEL.match(folded, end)
    return ending is not None and folded[start - 1 : start] in ("", "/", ".")


def _judge_account(folded: str, term: _Term, start: int, end: int) -> _Hit | None:
    if _is_word(folded[end : end + 1] or " ") or _is_word(folded[start - 1 : start] or " "):
        return None
    return _Hit(term, start, end, f"own account {term.label}", Via.HANDLE)


def _judge_domain(text: _Text, term: _Term, start: int, end: int) -> _Hit | None:
    before, after = text.folded[start - 1 : start], text.folded[end : end + 2]
    longer = _is_word(after[:1] or " ") or after[:1] == "-" or (after[:1] == "." and after[1:].isalnum())
    if longer or before in ("-", "_") or _inside(text.paths, start, end):
        return _refuse(text.folded, term, start, end, "part of another address")
    return _Hit(term, start, end, f"own domain {term.label}", Via.HANDLE)


def _judge_word(text: _Text, term: _Term, start: int, end: int) -> _Hit | None:
    folded = text.folded
    if reason := _broken_edge(folded, term, start, end):
        return _refuse(folded, term, start, end, reason)
    stop = _inflected_end(folded, term, end)
    if stop is None:
        stop = _compound_end(folded, end)
        if not _may_open_compound(text, term, start, end, stop):
            return _refuse(folded, term, start, end, "")
        return _named(term, _compound_start(folded, start), stop, "compound of", folded)
    if folded[stop : stop + 1] in ("-", "_") and folded[stop + 1 : stop + 2].isalnum():
        if folded[stop] == "_" and term.short:
            return _refuse(folded, term, start, end, "")
        return _named(term, _compound_start(folded, start), _compound_end(folded, stop), "compound of", folded)
    begin = _compound_start(folded, start)
    form = "compound of" if begin != start else "inflection of" if stop != end else ""
    return _named(term, begin, stop, form, folded)


def _named(term: _Term, start: int, end: int, form: str, folded: str = "") -> _Hit:
    """A hit that counts; behind # or @ it is a hashtag or a handle."""
    mark = folded[start - 1 : start] if folded else ""
    if mark == "@":
        return _Hit(term, start - 1, end, f"handle with {term.via} {term.label}", Via.HANDLE)
    if mark == "#" and not form:
        form = "hashtag of"
    return _Hit(term, start, end, f"{form} {term.via} {term.label}".strip(), term.via)


def _refuse(folded: str, term: _Term, start: int, end: int, reason: str) -> _Hit:
    """A hit that does not count; without a reason: it is part of a longer word, which is named."""
    low, high = _compound_start(folded, _word_start(folded, start)), _compound_end(folded, end)
    return _Hit(term, low, high, "", term.via, reason or f"part of the word '{folded[low:high]}'")


def _word_start(text: str, at: int) -> int:
    while at > 0 and text[at - 1].isalnum():
        at -= 1
    return at


def _broken_edge(folded: str, term: _Term, start: int, end: int) -> str:
    """Why the characters next to a hit forbid it, or an empty string."""
    before, after = folded[start - 1 : start], folded[end : end + 1]
    if before and before.isalnum():
        return f"part of the word '{folded[_word_start(folded, start) : _word_end(folded, end)]}'"
    if before in ("-", "_") and term.short and folded[start - 2 : start - 1].isalnum():
        return f"part of the word '{folded[_compound_start(folded, start) : _word_end(folded, end)]}'"
    if after == "+" and not (folded[end + 1 : end + 2] or " ").isalnum():
        return f"another name: '{folded[start : end + 1]}'"
    if folded[start].isdigit() and before and before in ".,:/&-+" and folded[start - 2 : start - 1].isdigit():
        return "part of a number"
    if folded[end - 1].isdigit() and after and after in ".,:/&+" and folded[end + 1 : end + 2].isdigit():
        return "part of a number"
    if folded[end - 1].isdigit() and after.isdigit():
        return "part of a number"
    return ""


def _inflected_end(folded: str, term: _Term, end: int) -> int | None:
    """Where the name ends with its inflection; None where other letters go on."""
    stop = _word_end(folded, end)
    ending = folded[end:stop]
    if not ending:
        genitive = folded[end : end + 2] == "'s" and _word_end(folded, end + 2) == end + 2
        return end + 2 if genitive and folded[end - 1].isalnum() else end
    if ending == "s" and term.exact is None:
        return stop
    return stop if ending == "n" and folded[end - 1] == "e" and not term.short else None


def _may_open_compound(text: _Text, term: _Term, start: int, end: int, stop: int) -> bool:
    """Whether the letters that continue a name make a compound of it (Telekomkunde) and not another word."""
    word_end = _word_end(text.folded, end)
    head = text.folded[end:word_end]
    if term.short:
        in_hashtag = text.folded[start - 1 : start] == "#"
        return in_hashtag and text.plain[end].isupper() and head[1:2].isalpha() and text.plain[end + 1].islower()
    if text.folded.startswith(FALSE_COMPOUNDS, start):
        return False
    return len(head) >= HEAD and head.isalpha() and _VOWEL.search(head) is not None and stop >= word_end


# --- from hits to a decision ----------------------------------------------------------------------------------------


def _decide(seen: _Found) -> list[_Hit]:
    """What counts and what is rejected for one brand: exclusions first, then the longest hits, then context."""
    excluded: dict[tuple[int, int], _Hit] = {}
    free: list[_Hit] = []
    for hit in seen.hits:
        exclusion = _excluding(hit, seen.exclusions)
        if exclusion:
            excluded[exclusion.start, exclusion.end] = exclusion
        else:
            free.append(hit)
    counting = _longest([hit for hit in free if not hit.refused])
    firm = seen.context or any(not hit.term.needs_context for hit in counting)
    settled = [hit if firm else _without_context(hit) for hit in counting]
    refused = [exclusion for exclusion in excluded.values() if not _touches(exclusion, settled)]
    outside = [hit for hit in free if hit.refused and not _touches(hit, [*settled, *refused])]
    return [*settled, *refused, *_longest(outside)]


def _excluding(hit: _Hit, exclusions: list[_Hit]) -> _Hit | None:
    """The longest exclusion that touches a hit and is not part of a longer phrase that counts."""
    touching = [
        exclusion
        for exclusion in exclusions
        if exclusion.start < hit.end
        and hit.start < exclusion.end
        and not (hit.start <= exclusion.start and exclusion.end <= hit.end and _core(hit) > _core(exclusion))
    ]
    return max(touching, key=_core, default=None)


def _core(hit: _Hit) -> int:
    """Length of the configured term behind a hit."""
    return len(hit.term.label)


def _touches(hit: _Hit, others: list[_Hit]) -> bool:
    return any(other.start < hit.end and hit.start < other.end for other in others)


def _longest(hits: list[_Hit]) -> list[_Hit]:
    """Hits that do not overlap: from left to right, of overlapping ones the longest."""
    chosen: list[_Hit] = []
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end, -_core(hit), bool(hit.refused))):
        if not chosen or hit.start >= chosen[-1].end:
            chosen.append(hit)
        elif hit.end - hit.start > chosen[-1].end - chosen[-1].start:
            chosen[-1] = hit
    return chosen


def _without_context(hit: _Hit) -> _Hit:
    if not hit.term.needs_context:
        return hit
    return _Hit(hit.term, hit.start, hit.end, "", hit.via, f"no context word beside ambiguous name {hit.term.label}")
