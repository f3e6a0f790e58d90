"""Wind force 0-6 as a pure function: points, necessary conditions, hysteresis. Between rules and incidents.

Points and cuts are those of the published scale of this project. What is not measured yet (aggression, campaign)
gives no points, and level 6, which needs aggression, is therefore not reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from math import log2, log10
from typing import Any

import msgspec

from alerts.detection import ratio_lower_bound

Reason = tuple[str, Mapping[str, Any]]

CUTS = (6.0, 16.0, 30.0, 48.0, 64.0, 80.0)
"""Points from which level 1 … 6 is reached."""
MARGIN = 4.0
"""So many points below the cut before a level is given up …"""
CALM_HOURS = (1, 2, 4, 6, 12, 24)
"""… and for so many hours (level 1 … 6)."""
LEARNING_CAP = 3
SURGE_DAYS = 30.0
"""Level 3 needs a surge as rare as this."""
MIN_PERSONS = 5
"""Fewer persons who are not chronic critics stay at level 1."""
MAX_POINTS = 110


class Signs(msgspec.Struct, frozen=True, kw_only=True):
    """What the level is computed from."""

    observed: int
    """Critical posts in the last 3 h."""
    expected: float
    persons: int
    """Critical persons in the rule's window."""
    new_persons: int
    """… of them those who are not chronic critics."""
    persons_day: int
    """Critical persons in 24 h."""
    channels: int
    """Channels with critical posts of their own beyond chance."""
    outlets: int
    """Independent news and blog outlets with criticism in 24 h."""
    share: float | None
    """Negative share, None below the minimum n."""
    share_persons: float | None
    usual_share: float
    previous: int
    """Critical posts in the 3 h before."""
    return_period_days: float | None
    """Of the alert, None where none fires."""
    lasting: timedelta = timedelta(0)
    """Since the incident began."""
    learning: bool = False
    loud: bool = False
    """A surge by absolute numbers, without a baseline to call it rare."""


class Force(msgspec.Struct, frozen=True, kw_only=True):
    """A level with its reasons, before hysteresis."""

    level: int
    points: float
    reasons: tuple[Reason, ...]
    next_level: tuple[Reason, ...]


class Calm(msgspec.Struct, frozen=True, kw_only=True):
    """What hysteresis remembers: a higher level awaiting confirmation, and since when the level is not earned."""

    higher: int = 0
    below_since: datetime | None = None


def points(signs: Signs) -> dict[str, float]:
    """Points per feature, none below 0."""
    ratio = ratio_lower_bound(signs.observed, signs.expected)
    share = signs.share or 0.0
    rising = signs.observed > 1.5 * signs.previous and signs.observed >= MIN_PERSONS
    found = {
        "intensity": min(25.0, 6 * log2(ratio)) if ratio > 1 else 0.0,
        "width": min(20.0, 8 * log10(1 + signs.persons_day / 5)),
        "spread": min(15.0, 5.0 * max(0, signs.channels - 1)),
        "media": min(20.0, 3 * log2(1 + signs.outlets)),
        "majority": min(8.0, max(0.0, 20 * (share - max(signs.usual_share, 0.2)))),
        "growth": 5.0 if rising else 0.0,
    }
    return {name: round(value, 1) for name, value in found.items()}


def by_points(total: float) -> int:
    """The level of a number of points alone."""
    return sum(total >= cut for cut in CUTS)


def _surge(signs: Signs) -> bool:
    return signs.loud or (signs.return_period_days or 0.0) >= SURGE_DAYS


def _critical(signs: Signs) -> bool:
    return signs.share is not None and signs.share >= max(1.3 * signs.usual_share, signs.usual_share + 0.05)


def _conditions(signs: Signs) -> tuple[tuple[int, str, bool, Mapping[str, Any]], ...]:
    """(level from which it is necessary, key, met, numbers)."""
    majority = signs.share_persons is not None and signs.share_persons >= 0.5
    wide = signs.channels >= 2 or signs.outlets >= 1
    return (
        (2, "persons", signs.new_persons >= MIN_PERSONS, {"n": signs.new_persons, "needed": MIN_PERSONS}),
        (3, "surge", _surge(signs), {"days": round(SURGE_DAYS)}),
        (4, "known", not signs.learning, {}),
        (4, "share", _critical(signs), {"usual": round(100 * signs.usual_share)}),
        (4, "wide", wide, {"n": signs.channels}),
        (5, "majority", majority, {}),
        (5, "lasting", signs.lasting >= timedelta(hours=3), {"hours": 3}),
        (6, "aggression", False, {}),
        (6, "media", signs.outlets >= 5, {"n": signs.outlets, "needed": 5}),
    )


def force(signs: Signs) -> Force:
    """The level that these signs earn, why, and what is missing for one more."""
    parts = points(signs)
    total = round(sum(parts.values()), 1)
    conditions = _conditions(signs)
    barred = min((level for level, _, met, _ in conditions if not met), default=7)
    level = min(by_points(total), barred - 1)
    return Force(
        level=level, points=total, reasons=_reasons(signs, parts, total), next_level=_missing(level, total, conditions)
    )


def _reasons(signs: Signs, parts: Mapping[str, float], total: float) -> tuple[Reason, ...]:
    numbers: dict[str, Mapping[str, Any]] = {
        "intensity": {"observed": signs.observed, "expected": round(signs.expected, 1)},
        "width": {"n": signs.persons_day},
        "spread": {"n": signs.channels},
        "media": {"n": signs.outlets},
        "majority": {"percent": round(100 * (signs.share or 0)), "usual": round(100 * signs.usual_share)},
        "growth": {"observed": signs.observed, "previous": signs.previous},
    }
    head: Reason = ("rules.level.points", {"points": total, "of": MAX_POINTS})
    found = [(f"rules.level.{name}", {"points": value, **numbers[name]}) for name, value in parts.items() if value > 0]
    if signs.new_persons < signs.persons:
        found.append(("rules.level.chronic", {"n": signs.persons - signs.new_persons}))
    if signs.learning:
        found.append(("rules.level.learning", {"cap": LEARNING_CAP}))
    return (head, *found)


def missing(signs: Signs, level: int) -> tuple[Reason, ...]:
    """What these signs lack for one level more than ``level``, which may be held above what is earned."""
    return _missing(level, round(sum(points(signs).values()), 1), _conditions(signs))


def held(level: int, earned: int) -> tuple[Reason, ...]:
    """Why a level stays that is not earned any more; nothing where it is."""
    if not level or earned >= level:
        return ()
    return (("rules.level.held", {"earned": earned, "level": level, "hours": CALM_HOURS[level - 1]}),)


def _missing(
    level: int, total: float, conditions: tuple[tuple[int, str, bool, Mapping[str, Any]], ...]
) -> tuple[Reason, ...]:
    if level >= 6:
        return ()
    found: list[Reason] = []
    if total < CUTS[level]:
        found.append(("rules.next.points", {"level": level + 1, "points": round(CUTS[level] - total, 1)}))
    found += [
        (f"rules.next.{name}", {"level": level + 1, **numbers})
        for needed, name, met, numbers in conditions
        if needed <= level + 1 and not met
    ]
    return tuple(found)


def settle(current: int, earned: Force, calm: Calm, now: datetime, *, blind: bool) -> tuple[int, Calm]:
    """The level after hysteresis. ``blind``: a source is blind; that never holds back a rise, only a fall.

    Up when a higher level is earned twice running, at once by one step where two more are earned; down one step when
    the points stay four below the cut for the hours of that level.
    """
    if earned.level > current:
        sure = min(earned.level, calm.higher) if calm.higher > current else current
        level = max(sure, current + 1 if earned.level >= current + 2 else current)
        return level, Calm(higher=earned.level if level < earned.level else 0)
    if current == 0 or earned.points > CUTS[current - 1] - MARGIN or blind:
        return current, Calm()
    since = calm.below_since or now
    if now - since >= timedelta(hours=CALM_HOURS[current - 1]):
        return current - 1, Calm(below_since=now)
    return current, Calm(below_since=since)


UPDATE_AFTER: Mapping[int, timedelta] = {
    0: timedelta(days=7),
    1: timedelta(days=1),
    2: timedelta(days=1),
    3: timedelta(hours=2),
    4: timedelta(hours=1),
    5: timedelta(hours=1),
    6: timedelta(minutes=30),
}
"""Next word to the receivers, per level."""
ACKNOWLEDGE_WITHIN: Mapping[int, timedelta] = {
    2: timedelta(hours=4),
    3: timedelta(minutes=45),
    4: timedelta(minutes=15),
    5: timedelta(minutes=15),
    6: timedelta(minutes=10),
}
"""How soon somebody should take it over, per level; below 2 nobody must."""
