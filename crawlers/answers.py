"""What parsers of JSON answers share: values of the shape that is wanted or nothing, and when an answer is odd."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.structured import json_of
from crawlers.text import Element, Extract, one_line, parse_tree
from pipeline.words import Answer, Kind

ENOUGH = 0.8
"""Share of items with author, time and text below which a layout has changed."""
MAX_ROWS = 2_000
"""Entries of one answer that are looked at."""
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def value_of(page: PageFile) -> Any:
    """The value of a JSON answer; None where it is none."""
    try:
        return json_of(page.body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def rows(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; none where it is no list."""
    return [row for row in value[:MAX_ROWS] if isinstance(row, Mapping)] if isinstance(value, list) else []


def word(value: Any) -> str:
    """A string or whole number as text on one line; empty for everything else."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return " ".join(_CONTROL.sub("", str(value)[:10_000]).split())


def number(value: Any) -> int | None:
    """A whole number that is not negative, of digits or as it is; else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value < 10**18 else None
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else None


def flag(value: Any) -> bool | None:
    """True or false, 1 or 0; None for everything else."""
    return bool(value) if isinstance(value, bool) or value in (0, 1) else None


def markup(value: Any) -> Element:
    """The tree of a piece of HTML within an answer; an empty one for everything else."""
    return parse_tree(f"<div>{_CONTROL.sub('', value) if isinstance(value, str) else ''}</div>")


def plain(value: Any) -> str:
    """A heading that may hold entities and tags, on one line."""
    return one_line(markup(value)) if isinstance(value, str) and ("&" in value or "<" in value) else word(value)


def with_extract(item: ParsedItem, extract: Extract) -> ParsedItem:
    """The item with the own words of its author, and what was found among them."""
    return msgspec.structs.replace(
        item,
        text=extract.text,
        quotes_removed=extract.quotes_removed,
        images=extract.images,
        media=extract.media,
    )


def judged(parsed: Parsed, *, empty: str) -> Parsed:
    """With a state: ``EMPTY`` for the given reason, and changed where too many items lack author, time or text."""
    items = [item for item in parsed.items if not item.deleted]
    found = parsed.items or parsed.threads or parsed.boards
    if not found:
        return msgspec.structs.replace(parsed, state=Answer.EMPTY, reason=empty)
    whole = sum(1 for item in items if (item.author or item.kind is Kind.ARTICLE) and _timed(item) and _says(item))
    if whole < ENOUGH * len(items):
        reason = f"author, time and text were found in {whole} of {len(items)} items only"
        return msgspec.structs.replace(parsed, state=Answer.LAYOUT_CHANGED, reason=reason)
    return parsed


def unique(items: Iterable[ParsedItem]) -> tuple[ParsedItem, ...]:
    """Each id once, in order."""
    return tuple({item.id: item for item in items}.values())


def no_json(page: PageFile, what: str) -> Parsed:
    """For a body that is not what was asked for."""
    if not page.body.strip():
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    return Parsed(state=Answer.LAYOUT_CHANGED, reason=f"the answer is no {what}")


def named(values: Sequence[Any]) -> str:
    """The first that says something."""
    return next((found for value in values if (found := word(value))), "")


def _timed(item: ParsedItem) -> bool:
    return item.published.at is not None or item.published.upper is not None


def _says(item: ParsedItem) -> bool:
    return bool(item.text or item.images or item.media or item.quotes_removed or item.rating is not None)
