"""From the phrases a text holds to its labels: severity, aspects and purpose, each with the words that made it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.labels.finding import STRONG, Finder, Found, Hit, load_table
from pipeline.mention import Tone
from pipeline.words import Aspect, Purpose, Severity

LANGUAGES = (None, "de", "en")
"""Of texts that are looked at: those with tables, and those too short to tell."""
_TABLES = ("severity", "aspects", "purposes")
_TONE_STEPS = ((0.5, 2), (0.15, 1))
"""From this compound on the tone of a text speaks for praise, and of minus this for complaint, with this weight."""


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """The labels of one text. ``severity`` and ``purpose`` are None where nothing is known."""

    severity: Severity | None = None
    staff_threat: bool = False
    """A threat against the people or the house of the brand."""
    aspects: tuple[Aspect, ...] = ()
    purpose: Purpose | None = None
    why: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Label → the words of the text that made it."""


NOTHING = Labels()


class Labeller:
    """Labels texts. Build once: it holds the phrases of all tables."""

    def __init__(self) -> None:
        self._finder = Finder({name: load_table(name) for name in _TABLES})

    def label(self, text: str, lang: str | None, tone: Tone | None = None) -> Labels:
        """The labels of one text in that language; its tone is taken for a hint at its purpose."""
        if lang not in LANGUAGES:
            return NOTHING
        found = self._finder.find(text)
        why: list[tuple[str, tuple[str, ...]]] = []
        severity, staff = _severity(found, why)
        if severity is Severity.NONE and lang is None:
            severity = None
        aspects = _aspects(found, why)
        purpose = _purpose(found, tone, why)
        return Labels(severity=severity, staff_threat=staff, aspects=aspects, purpose=purpose, why=tuple(why))


_Why = list[tuple[str, tuple[str, ...]]]
_FIERCEST = [
    (severity, ("severity", severity.value)) for severity in (Severity.THREAT, Severity.INSULT, Severity.AGGRESSION)
]
_ASPECTS = [(aspect, ("aspects", aspect.value)) for aspect in Aspect]
_RARER_FIRST = [
    (purpose, ("purposes", purpose.value))
    for purpose in (Purpose.ADVERT, Purpose.NEWS, Purpose.QUESTION, Purpose.COMPLAINT, Purpose.PRAISE)
]

_SOBER = (Purpose.ADVERT, Purpose.NEWS)
"""What an address or a number alone does not make of a text."""


def _severity(found: Found, why: _Why) -> tuple[Severity | None, bool]:
    """The fiercest thing said, and whether it threatens the people of the brand."""
    for severity, label in _FIERCEST:
        if hits := found.hits.get(label):
            why.append((severity.value, found.words(hits)))
            return severity, severity is Severity.THREAT and _against_staff(found, hits)
    return Severity.NONE, False


def _against_staff(found: Found, threats: Sequence[Hit]) -> bool:
    """Whether the sentence of a threat speaks of staff."""
    staff = found.hits.get(("severity", "staff"), ())
    sentences = {found.sentence(threat) for threat in threats} if staff else ()
    return any(begin <= start and end <= last + 1 for begin, last in sentences for start, end, _ in staff)


def _aspects(found: Found, why: _Why) -> tuple[Aspect, ...]:
    aspects = []
    for aspect, label in _ASPECTS:
        if hits := found.hits.get(label):
            why.append((aspect.value, found.words(hits)))
            aspects.append(aspect)
    return tuple(aspects)


def _purpose(found: Found, tone: Tone | None, why: _Why) -> Purpose | None:
    """What most of the words speak for, the tone among them; of equals the rarer."""
    best, most = None, 0
    leaning = _leaning(tone) if tone is not None else None
    for purpose, label in _RARER_FIRST:
        weight = _weight(hits) if (hits := found.hits.get(label)) else 0
        if weight < STRONG and purpose in _SOBER:
            continue
        if leaning is not None and leaning[0] is purpose:
            weight += leaning[1]
        if weight > most:
            best, most = (purpose, label), weight
    if best is None:
        return None
    if hits := found.hits.get(best[1]):
        why.append((best[0].value, found.words(hits)))
    elif tone is not None:
        why.append((best[0].value, tuple(word for word, _ in tone.words)))
    return best[0]


def _leaning(tone: Tone) -> tuple[Purpose, int]:
    """What a tone speaks for, and how much."""
    weight = next((weight for bound, weight in _TONE_STEPS if abs(tone.compound) >= bound), 0)
    return (Purpose.COMPLAINT if tone.compound < 0 else Purpose.PRAISE), weight


def _weight(hits: Sequence[Hit]) -> int:
    """The sum over the places where something was found; of several phrases at one place the weightiest."""
    if len(hits) == 1:
        return hits[0][2]
    places: dict[int, int] = {}
    for start, _, weight in hits:
        places[start] = max(weight, places.get(start, 0))
    return sum(places.values())
