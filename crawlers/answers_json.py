"""Values out of JSON answers whose shape nobody can promise: a wrong shape gives an empty value, never an exception."""

from __future__ import annotations

import html
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from crawlers.dates import parse_date
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.ratings import Rating
from crawlers.structured import json_of
from crawlers.text import fragment_text
from pipeline.item import Published
from pipeline.words import Answer, Kind

MISSING = object()
SHARE = 0.8
"""Of the reviews of one answer, so many must have author and text or rating; else its layout has changed."""


def json_answer(page: PageFile) -> Any:
    """The value of a JSON answer; ``MISSING`` where it is none."""
    try:
        return json_of(page.body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return MISSING


def at(value: Any, *path: str | int) -> Any:
    """What stands at a path of keys and indices; None where nothing does."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, Mapping) else None
        else:
            value = value[step] if isinstance(value, list) and -len(value) <= step < len(value) else None
    return value


def rows(value: Any, *path: str | int) -> list[Mapping[str, Any]]:
    """The mappings of the list at a path; one mapping alone is a list of one."""
    found = at(value, *path)
    if isinstance(found, Mapping):
        return [found]
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def word(value: Any, *path: str | int) -> str:
    """A string or number at a path on one line; else empty."""
    found = at(value, *path)
    known = isinstance(found, str | int | float) and not isinstance(found, bool)
    return " ".join(str(found).replace("\0", "").split()) if known else ""


def prose(value: Any, *path: str | int) -> str:
    """The plain text at a path, its paragraphs separated by blank lines."""
    found = at(value, *path)
    return fragment_text(html.escape(found, quote=False).replace("\n", "<br>")) if isinstance(found, str) else ""


def number(value: Any, *path: str | int) -> float | None:
    """A finite number at a path, though it may stand in a string."""
    try:
        found = float(word(value, *path).replace(",", "."))
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) and abs(found) < 1e12 else None


def count(value: Any, *path: str | int) -> int | None:
    """A whole number at a path that is not negative."""
    found = number(value, *path)
    return int(found) if found is not None and found >= 0 else None


def yes(value: Any, *path: str | int) -> bool | None:
    """A truth value at a path; None where there is none."""
    found = at(value, *path)
    return found if isinstance(found, bool) else None


def when(page: PageFile, value: Any, *path: str | int) -> Published:
    """A time at a path; machines that name no zone mean UTC."""
    text = word(value, *path)[:60]
    return parse_date(text, page.now, UTC) if text else Published()


def stars(found: float | None, worst: float = 1, best: float = 5) -> Rating:
    """A rating on a scale."""
    if found is None:
        return Rating()
    share = min(1.0, max(0.0, (found - worst) / (best - worst)))
    return Rating(value=share, raw=f"{found:g}", scale=f"{worst:g}-{best:g}")


def reply_to(review: ParsedItem, text: str, published: Published, author: str | None) -> ParsedItem:
    """What the owner answered to a review."""
    return ParsedItem(
        kind=Kind.REPLY,
        id=f"{review.id} reply",
        url=review.url,
        author=author,
        text=text,
        published=published,
        parent=review.id,
        parent_author=review.author,
    )


def judged(
    items: list[ParsedItem],
    *,
    total: int,
    following: str | None = None,
    needs: tuple[str, ...] = ("author", "published"),
    **more: Any,
) -> Parsed:
    """The reading of a list of reviews; ``total``: rows it had, whatever could be made of them.

    Where less than four fifths say something or have what reviews here always have (``needs``), the layout is new.
    """
    links = Links(next=(following,) if following else ())
    reviews = [item for item in items if item.kind is Kind.REVIEW]
    if not total:
        return Parsed(state=Answer.EMPTY, reason="a list without reviews", links=links, **more)
    whole = min(
        sum(bool(one.text or one.rating is not None) or one.deleted for one in reviews),
        *(sum(_has(one, name) for one in reviews) for name in needs),
    )
    if whole < SHARE * total:
        reason = f"only {whole} of {total} reviews can be read"
        return Parsed(state=Answer.LAYOUT_CHANGED, reason=reason, items=tuple(items), **more)
    return Parsed(state=Answer.OK, items=tuple(items), links=links, **more)


def _has(item: ParsedItem, name: str) -> bool:
    value = getattr(item, name)
    return value.at is not None if isinstance(value, Published) else bool(value)


def strange(reason: str) -> Parsed:
    """An answer of an unknown shape."""
    return Parsed(state=Answer.LAYOUT_CHANGED, reason=reason)


def unique(items: list[ParsedItem]) -> list[ParsedItem]:
    """Each id once, the first that was given."""
    return list({item.id: item for item in reversed(items)}.values())[::-1]


def told(item: ParsedItem, rating: Rating) -> ParsedItem:
    """A review with its rating."""
    return msgspec.structs.replace(item, rating=rating.value, rating_raw=rating.raw, rating_scale=rating.scale)


def with_query(url: str, **given: str | None) -> str:
    """The URL with parameters set; those given as None are taken out."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    kept = [(key, value) for key, value in parse_qsl(parts.query) if key not in given]
    fresh = [(key, value) for key, value in given.items() if value is not None]
    return urlunsplit(parts._replace(query=urlencode([*kept, *fresh]), fragment=""))


def moment(at_: datetime) -> str:
    """A time as interfaces take it: ``2026-11-22T07:00:00Z``."""
    return at_.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
