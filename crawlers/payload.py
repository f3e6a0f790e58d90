"""Answers of interfaces in JSON, taken apart without trusting their shape: what is missing is nothing, no error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.structured import json_of
from crawlers.text import collapse
from pipeline.item import Published
from pipeline.words import Answer, Precision

MAX_ROWS = 2_000
"""Entries of one list that are looked at; no interface gives more at once."""
READABLE = 0.8
"""Share of entries with author, time and text below which the interface has changed."""
_LARGEST = 5_000_000
_BIG = 1 << 63


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


def other_shape(what: str) -> Parsed:
    """The verdict on JSON that is not what the interface is known for."""
    return Parsed(state=Answer.LAYOUT_CHANGED, reason=f"an answer of another shape than {what} is known to give")


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


def at(value: Any, *path: str | int) -> Any:
    """What stands at a path of keys and positions; None where it does not lead anywhere."""
    for part in path:
        if isinstance(part, str):
            value = value.get(part) if isinstance(value, dict) else None
        else:
            value = value[part] if isinstance(value, list) and len(value) > part else None
    return value


def text_at(value: Any, *path: str | int) -> str:
    """The text at a path; a number is one, too. Empty where there is none."""
    found = at(value, *path)
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found) if abs(found) < _BIG else ""
    return found.strip() if isinstance(found, str) else ""


def number_at(value: Any, *path: str | int) -> int | None:
    """The whole number at a path, also where it stands as text."""
    found = at(value, *path)
    if isinstance(found, str) and found.isascii() and found.isdigit() and len(found) < 19:
        found = int(found)
    if isinstance(found, float) and found.is_integer():
        found = int(found)
    return found if isinstance(found, int) and not isinstance(found, bool) and abs(found) < _BIG else None


def rows_at(value: Any, *path: str | int) -> list[dict[str, Any]]:
    """The tables in the list at a path."""
    found = at(value, *path)
    return [row for row in found[:MAX_ROWS] if isinstance(row, dict)] if isinstance(found, list) else []


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


def with_query(url: str, **values: str | int | None) -> str:
    """The address with these parameters in place of those of the same name; None takes one out."""
    parts = urlsplit(url)
    kept = [(key, value) for key, value in parse_qsl(parts.query, keep_blank_values=True) if key not in values]
    given = [(key, str(value)) for key, value in values.items() if value is not None]
    return urlunsplit(parts._replace(query=urlencode(kept + given)))


def plain(text: str) -> str:
    """Text as people typed it: an empty line parts blocks, a single line break is a space."""
    return collapse(text.replace("\n", "\x1f"))


def only(names: Iterable[str]) -> str | None:
    """The one language that all entries have; None where there are several or none."""
    known = set(names)
    return known.pop() if len(known) == 1 else None
