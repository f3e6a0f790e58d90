"""Ratings in figures and signs: ``1 von 10``, ``4/5``, ``5 Sterne``, ``Note 6``, ``★★☆☆☆``; words are idioms."""

from __future__ import annotations

import re
from collections.abc import Iterator

_PLACES = (
    "gleis",
    "gleise",
    "linie",
    "linien",
    "steig",
    "tor",
    "seite",
    "kapitel",
    "ausgabe",
    "nr.",
    "haus",
    "wohnung",
)
_NO_PLACE = "".join(rf"(?<!{place}\ )" for place in _PLACES)
_END = r"(?![\w/-])(?!\.\d)(?=\s*(?:$|[.!?,;:)\n]|sterne?n?\b|stars?\b|punkten?\b|points?\b))"
RATING = re.compile(
    rf"""(?<![\w.,/:€-])(?:
        {_NO_PLACE}(?P<all>5/5|10/10|100/100)(?![\w/.,-])
      | {_NO_PLACE}(?P<count>\d{{1,3}}(?:[.,]\d)?)\s?/\s?(?P<of>5|10|100){_END}
      | (?P<part>\d{{1,3}}(?:[.,]\d)?)\s(?:von|out\ of)\s(?:m[öo]glichen\s)?(?P<whole>5|6|10|100){_END}
      | (?P<stars>[0-5](?:[.,]\d)?)[ -]?(?:sterne?n?|stars?)\b(?![ -]?(?:hotel|haus|koch|restaurant|küche|menü|resort))
      | (?P<fail>[56])\s?,?\s?setzen\b
      | (?:(?<!galaxy\ )note|schulnote|zensur):?\s(?P<note>[1-6](?:[.,]\d)?)(?![\w.,-]*\d)
    )
    | (?P<signs>[⭐★]\ufe0f?(?:\s?[⭐★]\ufe0f?)*(?:\s?☆)*|☆{{3,}})""",
    re.IGNORECASE | re.VERBOSE,
)
"""One rating. Numbers in it must not be masked."""
_DIGIT = re.compile(r"[0-9]")
_STARS = frozenset("⭐★☆")
_HINT = re.compile(r"[⭐★☆/]|stern|star|note|zensur|setzen| von |out of")
"""A text without these has no rating: looking for them is much faster than looking for ratings."""
BEST, WORST = 3.2, -3.4


def ratings(text: str) -> Iterator[re.Match[str]]:
    """The ratings in a text, in order."""
    figures = _DIGIT.search(text) or not (text.isascii() or _STARS.isdisjoint(text))
    likely = figures and _HINT.search(text.lower())
    return RATING.finditer(text) if likely else iter(())


def rating(text: str) -> float:
    """The valence of a rating, 0 for any other text."""
    found = RATING.fullmatch(text)
    if found is None:
        return 0.0
    group = found.groupdict()
    if group["signs"]:
        return _of_signs(group["signs"])
    if group["fail"] or group["note"]:
        return _graded(_number(group["fail"] or group["note"]))
    if group["all"]:
        return BEST
    if group["stars"]:
        return _share(_number(group["stars"]) / 5)
    return _share(_number(group["count"] or group["part"]) / _number(group["of"] or group["whole"]))


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _of_signs(signs: str) -> float:
    """Five stars in a row are the best; a single one without empty ones is an ornament."""
    full, empty = sum(map(signs.count, "⭐★")), signs.count("☆")
    if full == 1 and not empty:
        return 0.0
    return _share(full / max(full + empty, 5))


def _share(share: float) -> float:
    """Three of five say little, one of five is nearly the worst; more than everything is no rating."""
    return 0.0 if share > 1 else round(max(WORST, BEST - 7 * (1 - share)), 2)


def _graded(note: float) -> float:
    """German marks: 1 is the best, 6 the worst."""
    return round(BEST - 1.32 * (note - 1), 2)
