"""Answers of interfaces in JSON, taken apart without trusting their shape: what is missing is nothing, no error."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from crawlers.dates import parse_date
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.ratings import Rating
from crawlers.structured import json_of
from crawlers.text import Element, Extract, collapse, fragment_text, one_line, parse_tree
from pipeline.item import Published
from pipeline.words import Answer, Kind, Precision

MAX_ROWS = 2_000
"""Entries of one list that are looked at; no interface gives more at once."""
READABLE = 0.8
"""Share of entries that must have what entries of their kind always have; below it the interface has changed."""
_LARGEST = 5_000_000
_BIG = 1 << 63
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

# --- the answer as a whole


def json_answer(page: PageFile, what: str) -> tuple[Any, Parsed | None]:
    """The value of an answer, or why there is none. Interfaces speak UTF-8; what is broken in it is replaced."""
    text = page.body[:_LARGEST].decode("utf-8-sig", "replace").strip()
    if not text:
        return None, Parsed(state=Answer.ERROR, reason="the answer is empty")
    if text.startswith("<"):
        return None, Parsed(state=Answer.ERROR, reason=f"an HTML page where {what} answers in JSON")
    try:
        return json_of(text), None
    except (ValueError, RecursionError) as trouble:
        return None, Parsed(state=Answer.ERROR, reason=f"this is no JSON: {str(trouble)[:100]}")


def value_of(page: PageFile) -> Any:
    """The value of a JSON answer; None where it is none."""
    try:
        return json_of(page.body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None


def other_shape(what: str) -> Parsed:
    """The verdict on JSON that is not what the interface is known for."""
    return Parsed(state=Answer.LAYOUT_CHANGED, reason=f"an answer of another shape than {what} is known to give")


def strange(reason: str) -> Parsed:
    """An answer of an unknown shape."""
    return Parsed(state=Answer.LAYOUT_CHANGED, reason=reason)


def no_json(page: PageFile, what: str) -> Parsed:
    """For a body that is not what was asked for."""
    if not page.body.strip():
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    return Parsed(state=Answer.LAYOUT_CHANGED, reason=f"the answer is no {what}")


# --- values at a path of keys and positions


def at(value: Any, *path: str | int) -> Any:
    """What stands at a path; None where it does not lead anywhere."""
    for part in path:
        if isinstance(part, str):
            value = value.get(part) if isinstance(value, Mapping) else None
        else:
            value = value[part] if isinstance(value, list) and -len(value) <= part < len(value) else None
    return value


def text_at(value: Any, *path: str | int) -> str:
    """The text at a path; a number is one, too. Empty where there is none."""
    found = at(value, *path)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found) if abs(found) < _BIG else ""
    return found.strip() if isinstance(found, str) else ""


def word(value: Any, *path: str | int) -> str:
    """A string or number on one line; empty for everything else."""
    found = at(value, *path)
    known = isinstance(found, str | int | float) and not isinstance(found, bool)
    return " ".join(_CONTROL.sub("", str(found)[:10_000]).split()) if known else ""


def named(values: Sequence[Any]) -> str:
    """The first that says something."""
    return next((found for value in values if (found := word(value))), "")


def number_at(value: Any, *path: str | int) -> int | None:
    """The whole number at a path, also where it stands as text."""
    found = at(value, *path)
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 19:
        found = int(found)
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) and abs(found) < _BIG else None


def number(value: Any, *path: str | int) -> int | None:
    """A whole number that is not negative, also where it stands as text; the whole part of any other."""
    found = at(value, *path)
    if isinstance(found, str) and found.strip().isascii() and found.strip().isdigit() and len(found) < 30:
        found = int(found)
    if isinstance(found, int):
        return found if not isinstance(found, bool) and 0 <= found < 10**18 else None
    share = amount(found)
    return int(share) if share is not None and share >= 0 else None


def amount(value: Any, *path: str | int) -> float | None:
    """A finite number, though it may stand in a string."""
    try:
        found = float(word(value, *path).replace(",", "."))
    except (ValueError, OverflowError):
        return None
    return found if isfinite(found) and abs(found) < 1e12 else None


def flag(value: Any, *path: str | int) -> bool | None:
    """True or false, 1 or 0; None for everything else."""
    found = at(value, *path)
    return bool(found) if isinstance(found, bool) or found in (0, 1) else None


def rows_at(value: Any, *path: str | int) -> list[dict[str, Any]]:
    """The tables of a list; one table alone is a list of one."""
    found = at(value, *path)
    found = [found] if isinstance(found, dict) else found
    return [row for row in found[:MAX_ROWS] if isinstance(row, dict)] if isinstance(found, list) else []


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def prose(value: Any, *path: str | int) -> str:
    """The plain text at a path, its paragraphs separated by blank lines."""
    found = at(value, *path)
    return fragment_text(html.escape(found, quote=False).replace("\n", "<br>")) if isinstance(found, str) else ""


def when(page: PageFile, value: Any, *path: str | int) -> Published:
    """A time at a path; machines that name no zone mean UTC."""
    text = word(value, *path)[:60]
    return parse_date(text, page.now, UTC) if text else Published()


def moment(value: Any) -> Published:
    """A time as interfaces give it: ISO 8601 with a zone, or seconds since 1970."""
    try:
        if isinstance(value, str):
            found = datetime.fromisoformat(value.strip())
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found = datetime.fromtimestamp(value, UTC)
        else:
            return Published()
        found = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
        found.astimezone(UTC)  # near the ends of the calendar there is no such time
    except (ValueError, OverflowError, OSError):
        return Published()
    return Published(at=found, precision=Precision.SECOND)


# --- items, and the verdict on a list of them


def unique(items: Iterable[ParsedItem]) -> tuple[ParsedItem, ...]:
    """Each id once, the first that was given."""
    found: dict[str, ParsedItem] = {}
    for item in items:
        found.setdefault(item.id, item)
    return tuple(found.values())


def with_extract(item: ParsedItem, extract: Extract) -> ParsedItem:
    """The item with the own words of its author, and what was found among them."""
    return msgspec.structs.replace(
        item,
        text=extract.text,
        quotes_removed=extract.quotes_removed,
        images=extract.images,
        media=extract.media,
    )


def stars(found: float | None, worst: float = 1, best: float = 5) -> Rating:
    """A rating on a scale."""
    if found is None:
        return Rating()
    share = min(1.0, max(0.0, (found - worst) / (best - worst)))
    return Rating(value=share, raw=f"{found:g}", scale=f"{worst:g}-{best:g}")


def told(item: ParsedItem, rating: Rating) -> ParsedItem:
    """A review with its rating."""
    return msgspec.structs.replace(item, rating=rating.value, rating_raw=rating.raw, rating_scale=rating.scale)


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


def judged(items: Sequence[ParsedItem], rows: int, what: str, *, anonymous: bool = False, **given: Any) -> Parsed:
    """The verdict on a list of ``rows`` entries, of which ``items`` could be read.

    ``anonymous``: the interface often hides who wrote something.
    """
    if not rows:
        return Parsed(state=Answer.EMPTY, reason="nothing found", **given)
    whole = sum(_whole(item, anonymous) for item in items)
    if whole < READABLE * rows:
        reason = f"only {whole} of {rows} entries of {what} have author, time and text"
        return Parsed(state=Answer.LAYOUT_CHANGED, reason=reason, items=tuple(items), **given)
    return Parsed(state=Answer.OK, items=tuple(items), **given)


def _whole(item: ParsedItem, anonymous: bool) -> bool:
    signed = anonymous or bool(item.author or item.author_id) or item.deleted
    says = item.text or item.title or item.media or item.images or item.deleted
    return signed and item.published.at is not None and bool(says)


def judged_posts(parsed: Parsed, *, empty: str) -> Parsed:
    """With a state: ``EMPTY`` for the given reason, and changed where too many items lack author, time or text."""
    items = [item for item in parsed.items if not item.deleted]
    found = parsed.items or parsed.threads or parsed.boards
    if not found:
        return msgspec.structs.replace(parsed, state=Answer.EMPTY, reason=empty)
    whole = sum(1 for item in items if (item.author or item.kind is Kind.ARTICLE) and _timed(item) and _says(item))
    if whole < READABLE * len(items):
        reason = f"author, time and text were found in {whole} of {len(items)} items only"
        return msgspec.structs.replace(parsed, state=Answer.LAYOUT_CHANGED, reason=reason)
    return parsed


def _timed(item: ParsedItem) -> bool:
    return item.published.at is not None or item.published.upper is not None


def _says(item: ParsedItem) -> bool:
    return bool(item.text or item.images or item.media or item.quotes_removed or item.rating is not None)


def judged_reviews(
    items: Sequence[ParsedItem],
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
    if whole < READABLE * total:
        reason = f"only {whole} of {total} reviews can be read"
        return Parsed(state=Answer.LAYOUT_CHANGED, reason=reason, items=tuple(items), **more)
    return Parsed(state=Answer.OK, items=tuple(items), links=links, **more)


def _has(item: ParsedItem, name: str) -> bool:
    value = getattr(item, name)
    return value.at is not None if isinstance(value, Published) else bool(value)


# --- words and addresses


def with_query(url: str, **values: str | int | None) -> str:
    """The address with these parameters in place of those of the same name; None takes one out."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    kept = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key not in values]
    given = [(key, str(value)) for key, value in values.items() if value is not None]
    return urlunsplit(parts._replace(query=urlencode(kept + given), fragment=""))


def stamp(time: datetime) -> str:
    """A time as interfaces take it: ``2026-11-22T07:00:00Z``."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def tree_in(value: Any) -> Element:
    """The tree of a piece of HTML within an answer; an empty one for everything else."""
    return parse_tree(f"<div>{_CONTROL.sub('', value) if isinstance(value, str) else ''}</div>")


def heading(value: Any) -> str:
    """A heading that may hold entities and tags, on one line."""
    return one_line(tree_in(value)) if isinstance(value, str) and ("&" in value or "<" in value) else word(value)


def plain(text: str) -> str:
    """Text as people typed it: an empty line parts blocks, a single line break is a space."""
    return collapse(text.replace("\n", "\x1f"))


def only(names: Iterable[str]) -> str | None:
    """The one language that all entries have; None where there are several or none."""
    known = set(names)
    return known.pop() if len(known) == 1 else None
