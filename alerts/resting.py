"""Which brands need no look now: nothing that came since their last one could raise anything.

Of thousands of brands most are quiet at any moment. After a look at which nothing happened a brand rests until as much
criticism has been stored as its rules ask for at least, a source is read for the first time, the configuration changes,
or a day has gone by: to learn what is usual can wait so long. Kept in memory alone: a new process looks at
everything, and so does one that takes a brand over from another.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from alerts.rule import Evidence, Rests, Rule
from pipeline.mention import Mention
from pipeline.words import ToneLabel

LONGEST = timedelta(hours=24)
"""A rest lasts half of it to all of it, so that the looks at many brands spread over time. Less than the two days for
which the watcher still reads mentions one by one."""
BEGINNING = timedelta(hours=1)
"""What came within so long decides which brands a new process looks at first."""


class Nap(msgspec.Struct):
    """One brand at rest."""

    until: datetime
    slack: int
    """Critical posts that may still come."""
    light: bool
    """Any new mention of the brand ends it: a rule waits for words."""


class Rest:
    """The naps of one watcher, from tick to tick."""

    def __init__(self) -> None:
        self._naps: dict[str, Nap] = {}
        self._asked: datetime | None = None
        self._met: frozenset[tuple[str, int]] = frozenset()
        """(uid, revision) of the last news; they overlap."""
        self._footing: object = None

    def since(self, now: datetime) -> datetime:
        """From when on ``awake`` must be told what was written."""
        return self._asked or now - BEGINNING

    def awake(
        self, brands: Sequence[str], news: Iterable[Mention], busy: Iterable[str], footing: object, now: datetime
    ) -> list[str]:
        """Those of our brands to be looked at, the ones with most new criticism first.

        ``news``: what was written ``since`` the last call, at least. ``busy``: brands that never rest. ``footing``:
        what all naps rely on; where it has changed, all are over.
        """
        fresh = {(mention.uid, mention.revision): mention for mention in news if not mention.historic}
        new = [mention for key, mention in fresh.items() if key not in self._met]
        named, critical = _named(new), _critical(new)
        if footing != self._footing:
            self._naps.clear()
        for brand in busy:
            self._naps.pop(brand, None)
        self._naps = {brand: self._naps[brand] for brand in brands if brand in self._naps}
        for brand, nap in self._naps.items():
            nap.slack -= critical[brand]
            if nap.light and named[brand]:
                nap.slack = 0
        self._asked, self._met, self._footing = now, frozenset(fresh), footing
        due = [brand for brand in brands if not self._rests(brand, now)]
        return sorted(due, key=lambda brand: -critical[brand])

    def _rests(self, brand: str, now: datetime) -> bool:
        nap = self._naps.get(brand)
        return nap is not None and nap.slack > 0 and now < nap.until

    def lay(self, brand: str, slack: int, now: datetime, *, light: bool) -> None:
        """Let a brand rest after a look at which nothing happened."""
        share = zlib.crc32(brand.encode()) / 2**32
        self._naps[brand] = Nap(until=now + LONGEST * (1 + share) / 2, slack=slack, light=light)

    def rouse(self, brand: str) -> None:
        """It was looked at and something is going on, or nobody knows."""
        self._naps.pop(brand, None)


def _named(news: Iterable[Mention]) -> Counter[str]:
    """Mentions of each brand."""
    return Counter(opinion.brand for mention in news for opinion in mention.analysis.opinions)


def _critical(news: Iterable[Mention]) -> Counter[str]:
    """Critical posts about each brand, as rules count them."""
    return Counter(
        opinion.brand
        for mention in news
        for opinion in mention.analysis.opinions
        if opinion.counted and opinion.tone is ToneLabel.NEGATIVE
    )


def slack_of(rules: Mapping[str, Rule], states: Mapping[str, bytes | None], evidence: Mapping[str, Evidence]) -> int:
    """So many more critical posts must come before one of these rules could raise anything; 0 where one cannot tell.

    A rule that needs nothing but mentions of its search needs none of them: it is asked again at any new mention.
    """
    counting = {name: rule for name, rule in rules.items() if rule.needs.cells or not rule.needs.query}
    slacks = [_slack(rule, states.get(name), evidence[name]) for name, rule in counting.items()]
    return min(slacks, default=1)


def _slack(rule: Rule, state: bytes | None, evidence: Evidence) -> int:
    return rule.slack(state, evidence) if isinstance(rule, Rests) else 0
