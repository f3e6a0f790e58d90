"""What a spider takes from one saved page, as the JSON of ``sturmwarte parse``."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec

from crawlers.article import parse_article
from crawlers.classify import classify
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.registry import spiders
from crawlers.serp import READERS, recognise
from pipeline.words import Answer

AUTO = "auto"
ARTICLE = "article"
"""Reader of a single news or blog page, beside the spiders."""

_SHORT = re.compile(r"\S* ((?:p|t|comment-|article-|post-)\d+(?:-\d+)?)")


def parse_document(spider: str, page: PageFile) -> dict[str, Any]:
    """The page as this spider reads it, or the one it is made for (``auto``). Raises KeyError on an unknown spider."""
    name, parsed = _read(spider, page)
    document: dict[str, Any] = {
        "spider": name,
        "state": parsed.state.value,
        "items": [_item(item, parsed) for item in parsed.items],
        "links": {
            "next": list(parsed.links.next),
            "previous": list(parsed.links.previous),
            "threads": [row.url for row in parsed.threads] or list(parsed.links.threads),
            "boards": [row.url for row in parsed.boards],
            "items": list(parsed.links.items) or [item.url for item in parsed.items if item.url],
            "feeds": list(parsed.links.feeds),
        },
        "thread": _short(parsed.thread),
        "thread_title": parsed.thread_title,
        "lang": parsed.lang,
    }
    if parsed.reason:
        document["reason"] = parsed.reason
    if parsed.threads:
        document["threads"] = [_row(row) for row in parsed.threads]
    if parsed.results or parsed.unresponsive:
        document["results"] = [
            msgspec.to_builtins(result) | {"engines": list(result.engines)} for result in parsed.results
        ]
        document["unresponsive"] = [list(pair) for pair in parsed.unresponsive]
    return document


def readers() -> dict[str, Callable[[PageFile], Parsed]]:
    """Everything that reads a page, by name: the spiders, ``article``, and saved result pages of search engines."""
    return {name: cls.parser for name, cls in spiders().items()} | {ARTICLE: parse_article, **READERS}


def detect(page: PageFile) -> tuple[str, str]:
    """The reader a page is made for (empty where there is none) and by what it was known."""
    look = Look(page)
    engine, why = recognise(look)
    if engine:
        return engine, why
    for name, spider in sorted(spiders().items(), key=lambda pair: (pair[1].rank, pair[0])):
        why = spider.recognises(look)
        if why:
            return name, why
    if look.is_html:
        return ARTICLE, "no platform was recognised: read as an article"
    return "", "no spider reads this kind of answer"


def _read(spider: str, page: PageFile) -> tuple[str, Parsed]:
    """Reader and reading. A forum no spider knows gives nothing: its posts are not one article."""
    known = readers()
    name, why = detect(page) if spider == AUTO else (spider, "")
    parsed = _safely(known[name], page) if name else Parsed(state=Answer.ERROR, reason=why)
    answer, said = classify(page.status, page.headers, page.body, url=page.url)
    if answer is not Answer.OK and (answer is Answer.CHALLENGE or not parsed.items):
        parsed = Parsed(state=answer, reason=said)
    elif spider == AUTO and name == ARTICLE:
        parsed = msgspec.structs.replace(parsed, reason="; ".join(filter(None, (parsed.reason, why))))
    return name or AUTO, parsed


def _safely(reader: Callable[[PageFile], Parsed], page: PageFile) -> Parsed:
    """Parsers do not raise; should one of another package do so, that is a changed layout."""
    try:
        return reader(page)
    except Exception as trouble:
        return Parsed(state=Answer.LAYOUT_CHANGED, reason=f"the parser failed: {trouble!r}")


def _item(item: ParsedItem, parsed: Parsed) -> dict[str, Any]:
    return {
        "kind": item.kind.value,
        "id": _short(item.id),
        "url": item.url,
        "author": item.author,
        "author_id": item.author_id,
        "title": item.title,
        "text": item.text,
        "published": _iso(item.published.at),
        "precision": item.published.precision.value,
        "published_from": _iso(item.published.lower),
        "published_until": _iso(item.published.upper),
        "rating": item.rating,
        "rating_raw": item.rating_raw,
        "rating_scale": item.rating_scale,
        "votes": item.votes,
        "parent": _short(item.parent),
        "parent_author": item.parent_author,
        "thread": _short(item.thread or parsed.thread),
        "thread_title": item.thread_title or parsed.thread_title,
        "position": item.position,
        "quotes_removed": item.quotes_removed,
        "images": item.images,
        "media": [msgspec.to_builtins(one) for one in item.media],
        "views": item.views,
        "verified": item.verified,
        "accepted": item.accepted,
        "staff": item.staff,
        "deleted": item.deleted,
        "teaser": item.teaser,
    }


def _row(row: Any) -> dict[str, Any]:
    plain = {name: getattr(row, name) for name in ("id", "url", "title", "last_item", "last_url", "replies", "sticky")}
    return plain | {"last_time": _iso(row.last_time)}


def _short(name: str | None) -> str | None:
    """The id as the page names it: ``p453`` of ``/forum/ p453``."""
    found = _SHORT.fullmatch(name) if name else None
    return found[1] if found else name


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None
