"""Who wrote each of several blocks that look alike, and when: what holds for most of them is what it is."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import msgspec

from crawlers.dates import Order, from_timestamp, parse_date
from crawlers.outline import PRINTED, Stamp
from crawlers.text import Element, brief
from pipeline.item import Published
from pipeline.words import Precision

_SURE = re.compile(r"user-?name|nick|display-?name|author-?name|member-?name|poster|hnuser|(?:^|\s)fn(?:\s|$)", re.I)
_WRITER = re.compile(r"author|autor|creator|verfasser|ersteller|by-?line|posted-?by|commenter", re.IGNORECASE)
_ACCOUNT = re.compile(r"(?:^|[\s_-])(?:user|member|profile|user-?link)(?:$|[\s_-])", re.IGNORECASE)
_PROFILE = re.compile(
    r"(?:^|/)(?:users?|members?|profile?s?|profil|u|author|mitglied(?:er)?|nutzer|benutzer|people"
    r"|channel)(?:/|\.php|-|=|\?)"
    r"|[?&;](?:u|uid|user|userid)=|action=profile|/@[\w.-]+/?$|^/~",
    re.IGNORECASE,
)
_NO_NAME = re.compile(
    r"(?:mitglied|member|moderator(?:in)?|admin(?:istrator)?|online|offline|themenstarter|thread ?starter"
    r"|op|profil|profile"
    r"|antworten|reply|melden|zitieren|quote|permalink|link|teilen|share|beiträge?|posts?|avatar|newbie"
    r"|junior member"
    r"|senior member|registriert|registered|stammgast|autor|author|user|verified|kommentar(?:e)?|comments?)\W*",
    re.IGNORECASE,
)
_AROUND = re.compile(
    r"^(?:von|by|verfasst von|geschrieben von|posted by|written by|beitrag von|autor|author|benutzer|user"
    r"|name)\s*:?\s+"
    r"|\s*(?:schrieb|sagte?|meinte?|wrote|says|said|antwortete|hat geschrieben|kommentierte)\b.*$|[\s:,·•"
    r"|»–-]+$|^[\s@·•|»–-]+",
    re.IGNORECASE,
)
_AVATAR = re.compile(r"(?:avatar|benutzerbild|profilbild|profile (?:picture|photo))(?: von| of|:)?\s+(.{2,60})", re.I)
_POSSESSIVE = re.compile(r"(.{2,60}?)(?:['’]s?)? (?:avatar|benutzerbild|profile picture|profilbild)$", re.IGNORECASE)
MAX_KEYS = 6


class Clock(msgspec.Struct, frozen=True):
    """How printed times are read."""

    now: datetime
    zone: ZoneInfo
    order: Order

    def read(self, text: str) -> Published:
        if re.fullmatch(r"\d{9,13}(?:\.\d+)?", text):
            return from_timestamp(text)
        return parse_date(text.replace("\N{NO-BREAK SPACE}", " "), self.now, self.zone, order=self.order)


class Writer(msgspec.Struct, frozen=True):
    """What is taken for a name, and where it stands."""

    name: str
    element: Element
    link: str | None = None


class When(msgspec.Struct, frozen=True):
    """What is taken for the time of a block, and where it stands."""

    at: Published
    element: Element


def look_of(element: Element) -> str:
    """How an element looks: its tag and classes, numbers aside."""
    names = sorted(re.sub(r"\d+", "#", name) for name in (element.get("class") or "").split()[:6])
    return f"{element.tag}.{'.'.join(names[:4])}"


# --- names ------------------------------------------------------------------------------------------------------


def writers_of(scopes: list[list[Element]]) -> list[Writer | None]:
    """The writer of each block; each is given as its elements in order, without those of quotes and other blocks."""
    ways: dict[tuple[int, str], dict[int, Writer]] = defaultdict(dict)
    for number, scope in enumerate(scopes):
        first = True
        for element in scope:
            for strength, writer in _candidates(element, first=first):
                ways[strength, look_of(element)].setdefault(number, writer)
            first = first and not (element.tag in ("b", "strong", "cite") and element.text)
    count = len(scopes)

    def worth(way: tuple[int, str]) -> float:
        found = ways[way]
        different = len({writer.name for writer in found.values()})
        dull = count > 3 and different == 1 and len(found) > 3
        return way[0] * len(found) / count + 2 * min(1.0, different / max(1, len(found))) - (3 if dull else 0)

    best = sorted(ways, key=worth, reverse=True)
    return [next((ways[way][number] for way in best if number in ways[way]), None) for number in range(count)]


def _candidates(element: Element, *, first: bool) -> Iterator[tuple[int, Writer]]:
    for name in ("data-author", "data-username", "data-user-name", "data-author-name", "author", "data-nickname"):
        if given := _clean(element.get(name) or ""):
            yield 7, Writer(given, element)
    strength = _strength(element, first)
    if strength:
        inner = _named_part(element)
        if shown := _clean(brief(inner)) or _clean(element.get("content") or ""):
            yield strength, Writer(shown, inner, _href(inner))
    if element.tag == "img":
        told = element.get("alt") or element.get("title") or ""
        found = _AVATAR.fullmatch(told.strip()) or _POSSESSIVE.fullmatch(told.strip())
        if found and (pictured := _clean(found[1])):
            yield 2, Writer(pictured, element)


def _strength(element: Element, first: bool) -> int:
    marks = f"{element.get('class') or ''} {element.get('data-testid') or ''} {element.get('itemprop') or ''}".strip()
    marks = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", marks).replace("__", " ")
    if element.get("rel") == "author" or (element.get("itemprop") or "") in ("author", "creator"):
        return 6
    if marks and _SURE.search(marks):
        return 5
    if marks and _WRITER.search(marks):
        return 4
    if element.tag == "a" and _PROFILE.search(element.get("href") or ""):
        return 4
    if marks and _ACCOUNT.search(marks):
        return 3
    return 1 if element.tag in ("b", "strong", "cite") and first else 0


def _named_part(element: Element) -> Element:
    """The part of an element that is the name itself: the element, if it is short."""
    for inner in islice(element.iter(), 1, 30):
        sure = isinstance(inner.tag, str) and (
            inner.get("itemprop") == "name" or _SURE.search(inner.get("class") or "")
        )
        if sure and _clean(brief(inner)):
            return inner
    parts = [one for one in islice(element.iter("a", "b", "strong", "cite", "span"), 12) if one is not element]
    named = [one for one in parts if _clean(brief(one))]
    own = (element.text or "").strip()
    if _clean(own) and not re.fullmatch(_AROUND, own):
        return element if len(brief(element)) <= 40 or not named else named[0]
    return named[0] if named else element


def _href(element: Element) -> str | None:
    above = element.getparent()
    near = [element, above, *islice(element.iter("a"), 3)]
    return next((str(one.get("href")) for one in near if one is not None and one.tag == "a" and one.get("href")), None)


def _clean(text: str) -> str | None:
    """A name without what stands around it; None where it is none."""
    name = " ".join(text.split())
    if len(name) > 120:
        return None
    for _ in range(3):
        name = _AROUND.sub("", name).strip()
    if not 2 <= len(name) <= 60 or len(name.split()) > 6 or _NO_NAME.fullmatch(name) or PRINTED.search(name):
        return None
    return name if re.search(r"[^\W_]", name) and not name.isdigit() else None


# --- times ------------------------------------------------------------------------------------------------------


def times_of(stamps: list[list[tuple[Stamp, Element]]], clock: Clock) -> list[When | None]:
    """The time of each block, of the times that it shows."""
    ways: dict[str, dict[int, tuple[Stamp, Element]]] = defaultdict(dict)
    places: dict[str, list[int]] = defaultdict(list)
    for number, shown in enumerate(stamps):
        for place, (stamp, element) in enumerate(shown[:40]):
            above = element.getparent()
            way = f"{look_of(element)} {look_of(above) if above is not None else ''}"
            if number not in ways[way]:
                ways[way][number] = stamp, element
                places[way].append(place)
    often = sorted(ways, key=lambda way: -len(ways[way]))[:MAX_KEYS]
    read = {way: {number: When(_moment(*one, clock), one[1]) for number, one in ways[way].items()} for way in often}
    count = len(stamps)

    def worth(way: str) -> float:
        found = {number: one for number, one in read[way].items() if known(one.at)}
        if not found:
            return -1.0
        moments = [moment for number in sorted(found) if (moment := found[number].at.at or found[number].at.upper)]
        fine = sum(one.at.precision in (Precision.SECOND, Precision.MINUTE) for one in found.values()) / len(found)
        early = 1 - min(10, sum(places[way]) / len(places[way])) / 10
        return 4 * len(found) / count + 2 * fine + 2 * _steady(moments) + early

    best = sorted(often, key=worth, reverse=True)
    return [
        next((read[way][number] for way in best if number in read[way] and known(read[way][number].at)), None)
        for number in range(count)
    ]


def known(at: Published) -> bool:
    """Whether a time says anything."""
    return at.at is not None or at.upper is not None


def _steady(moments: list[datetime]) -> float:
    """Share of neighbours in one order, whichever."""
    if len(moments) < 3:
        return 0.5
    up = sum(one <= other for one, other in pairwise(moments))
    return max(up, len(moments) - 1 - up) / (len(moments) - 1)


_CLOCKED = (Precision.SECOND, Precision.MINUTE)


def _moment(stamp: Stamp, element: Element, clock: Clock) -> Published:
    """The time; where only a day is told, that of the words around, if they tell the same day with a clock."""
    at = clock.read(stamp.text)
    if at.precision in _CLOCKED and at.at is not None:
        return at
    for place in (element, element.getparent()):
        words = brief(place) if place is not None and len(place) < 12 else ""
        if 4 < len(words) <= 90:
            closer = clock.read(words)
            if closer.at is not None and closer.precision in _CLOCKED and _same_day(at, closer):
                return closer
            if not known(at):
                at = closer
    return at


def _same_day(day: Published, closer: Published) -> bool:
    if closer.at is None:
        return False
    lower, upper = day.lower or day.at, day.upper or day.at
    return lower is None or upper is None or lower <= closer.at <= upper
