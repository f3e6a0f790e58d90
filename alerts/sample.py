"""An invented situation with plausible numbers, for ``sturmwarte mail test`` and for tests; always marked as one."""

from __future__ import annotations

import math
from collections import Counter
from datetime import datetime, timedelta

from alerts.facts import Bar, Facts, Share, Voice
from alerts.message import MessageKind, Occasion
from pipeline.configuration import Configuration

_HALF_HOUR = timedelta(minutes=30)
_QUIET = (3, 1, 2, 0, 1, 2, 0, 0, 1, 2, 3, 2, 4, 3, 5, 4, 6, 5, 4, 3, 5, 4, 3, 2)
_STORM = (8, 11, 14, 16, 13, 12)


def sample_facts(brand: str, sources: tuple[str, ...], now: datetime) -> Facts:
    """A fresh breeze that began 100 minutes before ``now``: 47 persons where 4 to 11 are usual."""
    at = now.replace(second=0, microsecond=0)
    first, second, third = (sources * 3 or ("forum-a", "portal-b", "forum-c"))[:3]
    places: Counter[str] = Counter()
    for place, persons in ((first, 28), (second, 12), (third, 7)):
        places[place] += persons
    since = at - timedelta(minutes=100)
    return Facts(
        brand=brand,
        at=at,
        window_start=at - timedelta(hours=2),
        window_end=at,
        state="firing",
        level=3,
        trend="rising",
        since=since,
        incident=None,
        persons=47,
        posts=63,
        all_posts=89,
        copies=12,
        without_author=0,
        late=0,
        persons_expected=7.0,
        persons_low=4,
        persons_high=11,
        return_period_days=94.0,
        share=Share(value=63 / 89, low=0.606, high=0.792, n=89),
        usual_share=0.18,
        not_scored=2,
        first_time=41,
        top3_posts=6,
        by_source=tuple(places.most_common()),
        by_channel=(("forum", 35), ("review", 12)),
        outlets=0,
        complete_until=at,
        sources_total=len(sources) or 3,
        sources_healthy=len(sources) or 3,
        sources_blind=(),
        reasons=(),
        next_level=(),
        voices=(
            _voice(
                "earliest",
                at - timedelta(minutes=128),
                first,
                "… Ticket einfach geschlossen, ohne dass jemand anrief …",
            ),
            _voice("most_copied", at - timedelta(minutes=94), second, "… dritter Termin, wieder niemand da …"),
            _voice("typical", at - timedelta(minutes=53), third, "… seit Tagen ruft keiner zurück …"),
        ),
        bars=tuple(_bars(at)),
    )


def _voice(why: str, at: datetime, source: str, quote: str) -> Voice:
    return Voice(why=why, uid="0" * 32, at=at, source=source, quote=quote, url=None)


def _bars(end: datetime) -> list[Bar]:
    """Two days of half hours: a daily rhythm, an hour without data, and the surge at the end."""
    count = 96
    return [_bar(end, index - count, count) for index in range(count)]


def _bar(end: datetime, back: int, count: int) -> Bar:
    start = end + back * _HALF_HOUR
    day = 1 - math.cos((start.hour + start.minute / 60 - 4) / 24 * 2 * math.pi)
    blind = -30 <= back < -27
    storm = _STORM[back + len(_STORM)] if back >= -len(_STORM) + 2 else None
    quiet = 0 if blind else round(_QUIET[back % len(_QUIET)] * (0.35 + 0.45 * day))
    return Bar(
        start=start,
        end=start + _HALF_HOUR,
        persons=storm if storm is not None else quiet,
        expected=1.2 + 1.6 * day,
        low=max(0.0, 0.2 + 0.5 * day),
        high=3.5 + 2.2 * day,
        exposure=0.0 if blind else 1.0,
    )


def sample_occasion(configuration: Configuration, now: datetime) -> Occasion:
    """The occasion of a test mail, about the first configured brand and its sources."""
    brand = next(iter(configuration.brands), "telekom")
    facts = sample_facts(brand, tuple(configuration.sources)[:3], now)
    return Occasion(
        subject="test",
        number=round(now.timestamp() * 1_000_000),
        kind=MessageKind.TEST,
        at=now,
        brand=brand,
        level=facts.level,
        facts=facts,
        extra={"receivers": list(configuration.receivers)},
    )
