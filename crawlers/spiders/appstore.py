"""Spider for Apple's public feed of an app's newest reviews."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.dates import parse_date
from crawlers.look import Look
from crawlers.newest import NewestFirst
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.structured import json_of
from pipeline.words import Answer, Channel, Kind

MAX_REVIEWS = 500
_NEXT = re.compile(r"/page=(\d{1,3})/")
_APP = re.compile(r"[?&/]id=?(\d{5,15})")


def parse(page: PageFile) -> Parsed:
    """The reviews of one page of the feed (JSON), newest first."""
    try:
        feed = json_of(page.body.decode("utf-8-sig", "replace"))["feed"]
        entries = feed.get("entry", [])
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return Parsed(state=Answer.ERROR, reason="the answer is no feed of App Store reviews in JSON")
    entries = entries if isinstance(entries, list) else [entries]
    items = tuple(_items(page, entries[:MAX_REVIEWS]))
    if not items:
        return Parsed(state=Answer.EMPTY, reason="the feed has no reviews")
    return Parsed(state=Answer.OK, items=items, links=Links(next=_older(page.url)))


def _items(page: PageFile, entries: list[Any]) -> Iterator[ParsedItem]:
    app = _APP.search(page.url)
    for entry in entries:
        number, stars = _label(entry, "id"), _label(entry, "im:rating")
        if not (number.isascii() and number.isdigit() and stars in {"1", "2", "3", "4", "5"}):
            continue  # the first entry of old feeds is the app itself
        author = entry.get("author")
        votes = _label(entry, "im:voteSum")
        yield ParsedItem(
            kind=Kind.REVIEW,
            id=f"appstore-review-{number}",
            author=_label(author, "name") or None,
            author_id=_account(_label(author, "uri")),
            title=_label(entry, "title"),
            text=" ".join(_label(entry, "content").split()),
            published=parse_date(_label(entry, "updated"), page.now, page.zone),
            rating=(int(stars) - 1) / 4,
            rating_raw=stars,
            rating_scale="1-5",
            votes=int(votes) if votes.isascii() and votes.isdigit() and len(votes) < 10 else None,
            thread=f"app-{app[1]}" if app else None,
        )


def _label(entry: Any, name: str) -> str:
    value = entry.get(name) if isinstance(entry, Mapping) else None
    label = value.get("label") if isinstance(value, Mapping) else None
    return label.strip() if isinstance(label, str) else ""


def _account(uri: str) -> str | None:
    found = re.search(r"/id(\d{1,20})$", uri)
    return found[1] if found else None


def _older(url: str) -> tuple[str, ...]:
    """The feed has ten pages of fifty reviews at most."""
    found = _NEXT.search(url)
    number = int(found[1]) if found else 10
    return (_NEXT.sub(f"/page={number + 1}/", url),) if number < 10 else ()


class AppstoreSpider(NewestFirst):
    """Reads one app's reviews in one country. The feed is empty at times: that says nothing of the reviews."""

    name = "appstore"
    platform = "appstore"
    channel = Channel.REVIEW
    interval = timedelta(hours=1)
    description = "Reviews of an app in Apple's App Store of one country, from the public feed; no key needed."
    example = """\
[sources.app-reviews]
spider = "appstore"
url = "https://itunes.apple.com/de/rss/customerreviews/page=1/id=123456789/sortBy=mostRecent/json"
about = "acme"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        feed = look.json.get("feed") if isinstance(look.json, dict) else None
        entries = feed.get("entry") if isinstance(feed, dict) else None
        first = entries[0] if isinstance(entries, list) and entries else entries
        known = (isinstance(first, dict) and "im:rating" in first) or "customerreviews" in look.page.url
        return "the answer is Apple's feed of app reviews" if known and isinstance(feed, dict) else ""

    def over(self, item: ParsedItem, response: Response) -> Mapping[str, Any]:
        return {"native_id": item.id, "origin": "apps.apple.com", "thread": item.thread, "parent": None}
