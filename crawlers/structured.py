"""Structured data of a page (JSON-LD and microdata by extruct) as plain dictionaries of one shape."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from crawlers.select import select
from crawlers.text import Element

Node = Mapping[str, Any]
MAX_NODES = 20_000
"""Nodes of one page that are looked at; a page with more is not meant for readers."""

_COMMENT = re.compile(r"^\s*(?:<!--|//<!\[CDATA\[|/\*<!\[CDATA\[\*/)|(?:-->|//\]\]>|/\*\]\]>\*/)\s*$")

_HALF = re.compile(
    r"\\ud[89ab][0-9a-f]{2}(?!\\ud[c-f][0-9a-f]{2})|(?<!\\ud[89ab][0-9a-f]{2})\\ud[c-f][0-9a-f]{2}", re.IGNORECASE
)
"""The escape of one half of a surrogate pair, without the other."""


def nodes(tree: Element, url: str) -> list[Node]:
    """All typed things a page describes, JSON-LD first, each as {"@type": "Review", property: value}."""
    found = [*json_ld(tree), *microdata(tree, url)]
    return list(walk(found))


def json_ld(tree: Element) -> list[Any]:
    """The JSON-LD documents of a page; one that is no JSON is left out."""
    documents = []
    for script in select(tree, "script[type='application/ld+json'], script[type='application/json+ld']"):
        try:
            documents.append(json_of(_COMMENT.sub("", script.text or "")))
        except (ValueError, RecursionError):
            continue
    return documents


def json_of(text: str) -> Any:
    """The value of a JSON text; halves of letters, which no file can hold, are replaced. Raises as ``json.loads``."""
    return json.loads(_HALF.sub(r"\\ufffd", text), strict=False)


def microdata(tree: Element, url: str) -> list[Any]:
    """The microdata of a page in the shape of JSON-LD; nothing where the library cannot cope."""
    from extruct.w3cmicrodata import MicrodataExtractor  # costs a second: only where a page is read

    if not select(tree, "[itemscope]"):
        return []
    try:
        found = MicrodataExtractor().extract_items(tree, base_url=url)
    except Exception:  # the library raises whatever its parts raise on odd markup
        return []
    return [_plain(item) for item in found]


def types_of(node: Node) -> set[str]:
    """The types of a node without name space: {"Review"}."""
    return {str(name).rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1] for name in listed(node.get("@type"))}


def listed(value: Any) -> list[Any]:
    """A value as a list; None is none."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def text_value(value: Any) -> str:
    """The words of a property: its string, or the name of the thing it is."""
    for one in listed(value):
        if isinstance(one, str | int | float) and not isinstance(one, bool):
            return str(one).strip()
        if isinstance(one, Mapping):
            named = text_value(one.get("name") or one.get("@value") or one.get("text"))
            if named:
                return named
    return ""


def _plain(item: Any, depth: int = 0) -> Any:
    """One microdata item as JSON-LD would say it."""
    if not isinstance(item, Mapping) or depth > 20:
        return item if isinstance(item, str) else None
    properties = item.get("properties") or {}
    plain = {
        name: [_plain(value, depth + 1) if isinstance(value, Mapping) else value for value in listed(values)]
        for name, values in properties.items()
    }
    flat = {name: values[0] if len(values) == 1 else values for name, values in plain.items()}
    return {"@type": item.get("type"), **({"@id": item["id"]} if item.get("id") else {}), **flat}


def walk(documents: Iterable[Any]) -> Iterator[Node]:
    """Every mapping in the documents, outer before inner, without recursion."""
    waiting = list(reversed(list(documents)))
    seen = 0
    while waiting and seen < MAX_NODES:
        value = waiting.pop()
        seen += 1
        if isinstance(value, Mapping):
            if "@type" in value:
                yield value
            waiting.extend(reversed(list(value.values())))
        elif isinstance(value, list):
            waiting.extend(reversed(value))
