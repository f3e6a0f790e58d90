"""Blame: which words of a text are about which brand, where it names several; text and matches in, spans out.

A text is cut into clauses: at marks of punctuation, at words that set one thing against another (``aber``,
``whereas``), and at an ``und`` between two statements. A clause is about the brands that it names, else about the one
named last, and what stands before any name about the first. Not theirs:

- of what is compared the second: "X ist besser als Y" says nothing about Y alone, "anders als Y" neither;
- what is said of somebody else who is not watched: "der alte Anbieter", "the other shops", until a brand is named.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.draft import Match

Span = tuple[int, int]

_CUT = re.compile(
    r"[.!?;…]+(?=\s|$)|\n+|,(?=\s)|\s[–—-]\s"
    r"|(?<!\w)(?=(?:aber|doch|während|wohingegen|dagegen|hingegen|jedoch|sondern|dafür|but|while|whereas|although)\b)",
    re.IGNORECASE,
)
_AND = re.compile(r"(?<!\w)(?:und|and)(?!\w)", re.IGNORECASE)
_WORD = re.compile(r"\w+")
_LINK = re.compile(
    r"(?:\W|\b(?:die|der|das|den|dem|bei|beim|von|vom|zur|zum|the|at|from|with|mit|und|and|oder|or|ob|egal)\b)*",
    re.IGNORECASE,
)
_TOO = re.compile(r"\b(?:auch|ebenfalls|ebenso|genauso|too|also|as well)\b", re.IGNORECASE)
_TOGETHER = re.compile(r"(?:\W|\b(?:und|and|oder|or|sowie|als|auch|die|der|noch|the)\b)*", re.IGNORECASE)
_SECOND = re.compile(
    r"(?:(?:\b(?!(?:immer|wieder|weiter|aber|oder|hier|dieser|jeder|einer|früher|bisher)\b)\w+er(?:e[nmrs]?)?"
    r"|\b(?:mehr|weniger|anders))\s+(?:\w+\s+)?als|\b(?:lieber|eher)(?:\s+[\w&+'-]+){0,5}\s+als"
    r"|than|unlike|statt|anstatt|instead of"
    r"|(?:im|in) (?:gegensatz|vergleich) zu[mr]?|verglichen mit|compared (?:to|with)|gegenüber)"
    r"(?:\s+(?:bei|beim|mit|von|vom|zu|zur|the|with|at|der|die|das|den|dem))*\s*$",
    re.IGNORECASE,
)
NEAR = 80
"""Characters before a name in which a comparison is looked for."""
_OTHERS = re.compile(
    r"(?<!\w)(?:(?:alte|vorig|vorherig|früher|ander|ehemalig|bisherig|letzte)\w*\s+"
    r"(?:anbieter|provider|firm|unternehmen|laden|läden|shop|bank|hersteller|händler|marke)\w*"
    r"|konkurrenz|mitbewerber|(?:old|other|previous|former|last)\s+(?:provider|compan|shop|carrier|bank|brand)\w*"
    r"|competit(?:ion|or|ors))",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Clause:
    """A part of a text and the brands it names; ``first``: but for those that others are compared with.

    ``names_only``: it says nothing more, so that it may be the beginning of an enumeration.
    """

    start: int
    end: int
    matches: list[Match] = field(default_factory=list)
    first: list[str] = field(default_factory=list)
    names_only: bool = False

    def take(self, following: _Clause) -> None:
        """Go on with the clause that follows."""
        self.end, self.names_only = following.end, following.names_only
        self.matches += following.matches
        self.first += [brand for brand in following.first if brand not in self.first]


def spans_of(text: str, matches: Sequence[Match]) -> dict[str, list[Span]]:
    """Brand → the parts of the text that are about it, in order; neighbours are one part. Every brand has an entry."""
    named = sorted(matches, key=lambda match: match.start)
    spans: dict[str, list[Span]] = {match.brand: [] for match in named}
    if not named:
        return spans
    about = [named[0].brand]
    before: _Clause | None = None
    for clause in _clauses(text, named):
        if clause.matches:
            about = clause.first
        elif _OTHERS.search(text, clause.start, clause.end):
            about = []
        for brand in about:
            if before and _says_the_same(text, clause):
                _add(spans[brand], before, text)
            _add(spans[brand], clause, text)
        if len(about) > 1 and not _together(text, clause):
            about = about[-1:]
        before = clause
    return spans


def _add(spans: list[Span], clause: _Clause, text: str) -> None:
    if spans and not _WORD.search(text, spans[-1][1], clause.start):
        spans[-1] = (spans[-1][0], clause.end)
    else:
        spans.append((clause.start, clause.end))


def _clauses(text: str, named: Sequence[Match]) -> list[_Clause]:
    found: list[_Clause] = []
    left = deque(named)
    for start, end in _pieces(text, named):
        clause = _Clause(start, end)
        while left and left[0].start < end:
            clause.matches.append(left.popleft())
        compared = [bool(_SECOND.search(text, max(start, m.start - NEAR), m.start)) for m in clause.matches]
        first = [match.brand for match, second in zip(clause.matches, compared, strict=True) if not second]
        clause.first = list(dict.fromkeys(first))
        clause.names_only = _is_list(text, clause)
        if found and clause.matches and found[-1].names_only and text[found[-1].end : found[-1].end + 1] == ",":
            found[-1].take(clause)
        else:
            found.append(clause)
    return found


def _pieces(text: str, named: Sequence[Match]) -> list[Span]:
    """The clauses, without what separates them. Cuts within a name are none."""
    starts = [match.start for match in named]
    ends = [match.end for match in named]

    def inside(at: int) -> bool:
        last = bisect_left(starts, at) - 1
        return last >= 0 and at < ends[last]

    cuts = [cut.span() for cut in _CUT.finditer(text) if not inside(cut.start())]
    places = [start for start, _ in cuts]
    for found in _AND.finditer(text):
        start, end = found.span()
        last, following = bisect_right(ends, start) - 1, bisect_left(starts, end)
        if inside(start) or last < 0 or following == len(starts):
            continue
        uncut = bisect_left(places, ends[last]) == bisect_left(places, starts[following])
        if uncut and _LINK.fullmatch(text, ends[last], start) is None:
            cuts.append((start, end))  # two statements: a name on either side, and more than articles between
    pieces, at = [], 0
    for start, end in [*sorted(cuts), (len(text), len(text))]:
        stop = end if text[start:end].strip(".!?…") == "" else start  # the mark speaks too: super! super?
        if _WORD.search(text, at, start):
            pieces.append(_trimmed(text, at, stop))
        elif pieces and text[at:start].strip():  # an emoji behind the mark
            pieces[-1] = _trimmed(text, pieces[-1][0], stop)
        at = max(at, end)
    return pieces


def _trimmed(text: str, start: int, end: int) -> Span:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _is_list(text: str, clause: _Clause) -> bool:
    """Whether a clause is nothing but names."""
    return all(_LINK.fullmatch(gap) for gap in _gaps(text, clause)) and bool(clause.matches)


def _says_the_same(text: str, clause: _Clause) -> bool:
    """Whether a clause only adds a name to what was said before: "die Telekom auch"."""
    gaps = " ".join(_gaps(text, clause))
    return bool(clause.matches) and _TOO.search(gaps) is not None and _LINK.fullmatch(_TOO.sub("", gaps)) is not None


def _together(text: str, clause: _Clause) -> bool:
    """Whether the brands of a clause are spoken of in one breath: "Telekom und Vodafone"."""
    return all(_TOGETHER.fullmatch(gap) for gap in _gaps(text, clause)[1:-1])


def _gaps(text: str, clause: _Clause) -> list[str]:
    """What stands before, between and behind the names of a clause."""
    gaps, at = [], clause.start
    for match in clause.matches:
        gaps.append(text[at : match.start])
        at = max(at, match.end)
    return [*gaps, text[at : clause.end]]
