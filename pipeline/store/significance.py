"""Which terms are new: persons who use a term now against persons who used it before. The same in every store.

The measure is Dunning's log-likelihood ratio (G²) over persons, for terms that a greater share of persons uses now than
before: unlike a quotient of shares it does not lift what one person says once, and unlike a difference it finds what is
rare. Terms of fewer than ``LEAST`` persons are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import log

import msgspec

LEAST = 2
"""Persons that a term needs."""
CANDIDATES = 200
"""Terms looked at: those with the most posts."""


class Term(msgspec.Struct, frozen=True, kw_only=True):
    """One topic term: how many persons use it now and used it before, and how much that stands out."""

    value: str
    persons: int
    before: int
    significance: float

    @property
    def new(self) -> bool:
        """Whether nobody used it before."""
        return not self.before


def ranked(
    now: Mapping[str, int], before: Mapping[str, int], persons: int, persons_before: int, limit: int
) -> list[Term]:
    """The terms that stand out, most significant first, then by persons, length and value.

    ``now`` and ``before`` are persons per term; ``persons`` and ``persons_before`` all that said anything.
    """
    terms = [
        Term(value=value, persons=count, before=earlier, significance=significance)
        for value, count in now.items()
        if count >= LEAST
        and (significance := _ratio(count, persons, earlier := before.get(value, 0), persons_before)) > 0
    ]
    return sorted(terms, key=_order)[:limit]


def _order(term: Term) -> tuple[float, int, int, str]:
    """Of a compound and its parts that nobody uses apart, the compound is the one that says most."""
    return -term.significance, -term.persons, -len(term.value), term.value


def _ratio(count: int, persons: int, earlier: int, persons_before: int) -> float:
    """G², rounded; 0 where the share has not grown. One person who did not use it is added to those before, so that a
    beginning without any past ranks by persons."""
    persons_before += 1
    if count * persons_before <= earlier * persons:
        return 0.0
    share = (count + earlier) / (persons + persons_before)
    observed = (count, persons - count, earlier, persons_before - earlier)
    expected = (persons * share, persons * (1 - share), persons_before * share, persons_before * (1 - share))
    return round(
        2 * sum(seen * log(seen / usual) for seen, usual in zip(observed, expected, strict=True) if seen > 0), 6
    )
