"""Finding: which phrases of all tables a text holds, in one walk over it; time and memory follow its length."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import ahocorasick_rs
import msgspec

from pipeline.labels.phrases import BORDERS, Folded, read_phrase, tokens_of

LONGEST = 8_000
"""Characters that are looked at: what is said further down belongs to another matter more often than not."""
NEGATION = 3
"""How many words before a phrase may negate it."""
_CLOSE = frozenset({"nicht", "nie", "nix", "not", "never", "t"})
"""Negators that mostly belong to another verb when they stand further off (wenn er nicht kommt, …)."""
_NEGATORS = _CLOSE | {
    "kein",
    "keine",
    "keinen",
    "keiner",
    "keinem",
    "keines",
    "niemals",
    "niemand",
    "ohne",
    "weder",
    "no",
}
_NEGATORS |= {"nobody", "none", "without", "cannot", "dont", "didnt", "isnt"}


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One label of a table: what speaks for it, and what looks like it and is something else."""

    words: tuple[str, ...] = ()
    strong: tuple[str, ...] = ()
    """Phrases that weigh ``STRONG`` times as much."""
    exceptions: tuple[str, ...] = ()
    """A phrase that shares a word with one of these does not count."""
    negatable: bool = False
    """Whether "nicht" before a phrase takes it away."""


STRONG = 3
Table = Mapping[str, Group]


def load_table(name: str) -> Table:
    """A table of this package: label → its phrases. Raises msgspec.ValidationError for what is none."""
    content = files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(content), dict[str, Group])


Hit = tuple[int, int, int]
"""Where a phrase begins and ends in the folded text, blanks around it included, and its weight (0: an exception)."""
Label = tuple[str, str]
"""Table and label."""


@dataclass(slots=True)
class Found:
    """What was found in one text. ``folded`` are its tokens between single blanks, one at each end."""

    tokens: list[str]
    folded: str
    hits: dict[Label, list[Hit]]

    def words(self, hits: Sequence[Hit]) -> tuple[str, ...]:
        """The words of hits as they stand in the text, each once, in order; what overlaps is told as one."""
        if len(hits) == 1:
            return (self._words(*hits[0][:2]),)
        spans: list[list[int]] = []
        for start, end, _ in sorted(hits):
            if not spans or start >= spans[-1][1] - 1:  # phrases side by side share a blank
                spans.append([start, end])
            else:
                spans[-1][1] = max(end, spans[-1][1])
        return tuple(dict.fromkeys(self._words(start, end) for start, end in spans))

    def _words(self, start: int, end: int) -> str:
        first = self.folded.count(" ", 0, start + 1) - 1
        inside = self.folded.count(" ", start + 1, end - 1)
        return self.tokens[first] if not inside else " ".join(self.tokens[first : first + inside + 1])

    def sentence(self, hit: Hit) -> tuple[int, int]:
        """Begin and end of the sentence that a phrase stands in."""
        begin = max(self.folded.rfind(border, 0, hit[0] + 1) for border in BORDERS)
        ends = [at for border in BORDERS if (at := self.folded.find(border, hit[1] - 1)) >= 0]
        return max(begin, 0), min(ends, default=len(self.folded))


class _Use(msgspec.Struct, frozen=True, eq=False):
    """What a piece stands for: a phrase, or the rarest piece of one with gaps, which ``rest`` then looks for."""

    label: Label
    weight: int
    rest: re.Pattern[str] | None = None


class Finder:
    """Finds the phrases of several tables. Build once."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        pieces: dict[str, list[_Use]] = {}
        for name, table in tables.items():
            for label, group in table.items():
                for weight, phrases in ((1, group.words), (STRONG, group.strong), (0, group.exceptions)):
                    for phrase in map(read_phrase, phrases):
                        use = _Use((name, label), weight, phrase.pattern if phrase.gaps else None)
                        for piece in phrase.rarest:
                            pieces.setdefault(piece, []).append(use)
        self._uses = [tuple(uses) for uses in pieces.values()]
        self._automaton = ahocorasick_rs.AhoCorasick(list(pieces))
        self._negatable = {(n, label) for n, table in tables.items() for label, g in table.items() if g.negatable}
        self._folded = Folded()

    def find(self, text: str) -> Found:
        """Everything that one text holds."""
        tokens = tokens_of(text if len(text) <= LONGEST else text[:LONGEST])
        folded = f" {' '.join(map(self._folded.__getitem__, tokens))} "
        hits: dict[Label, list[Hit]] = {}
        exceptions: dict[Label, list[Hit]] = {}
        parted: set[_Use] = set()
        for pattern, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            for use in self._uses[pattern]:
                if use.rest is None:
                    (hits if use.weight else exceptions).setdefault(use.label, []).append((start, end, use.weight))
                else:
                    parted.add(use)
        for use in parted:
            assert use.rest is not None
            if spans := [(*match.span(), use.weight) for match in use.rest.finditer(folded)]:
                (hits if use.weight else exceptions).setdefault(use.label, []).extend(spans)
        for label, barring in exceptions.items():
            if label in hits:
                hits[label] = _apart(hits[label], barring)
        for label in self._negatable:
            if label in hits:
                hits[label] = [hit for hit in hits[label] if not _negated(folded, hit[0], hit[1])]
        return Found(tokens, folded, hits)


def _apart(hits: Sequence[Hit], barring: Sequence[Hit]) -> list[Hit]:
    """The hits that share no word with any of the others."""
    taken = {at for start, end, _ in barring for at in range(start + 1, end - 1)}
    return [hit for hit in hits if taken.isdisjoint(range(hit[0] + 1, hit[1] - 1))]


def _negated(folded: str, start: int, end: int) -> bool:
    """Whether a phrase holds a negator, or one stands before it in its sentence: "nicht" just before, "kein" near."""
    if not _NEGATORS.isdisjoint(folded[start:end].split()):
        return True
    before = folded[max(0, start - 60) : start].split()[-NEGATION:]
    for distance, word in enumerate(reversed(before)):
        if word in BORDERS:
            return False
        if word in _NEGATORS and (distance == 0 or word not in _CLOSE):
            return True
    return False
