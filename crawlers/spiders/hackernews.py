"""Spider for Hacker News, through the search that Algolia offers for it: stories and comments, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from pydantic import Field

from crawlers.api import ApiOptions
from crawlers.look import Look
from crawlers.network import NetworkSpider
from crawlers.newest import Reel
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.payload import (
    at,
    json_answer,
    judged,
    moment,
    number_at,
    other_shape,
    rows_at,
    text_at,
    with_query,
)
from crawlers.text import fragment_text
from pipeline.identity import permalink_id
from pipeline.words import Answer, Channel, Kind

WHAT = "Hacker News"
SITE = "https://news.ycombinator.com"


def parse(page: PageFile) -> Parsed:
    """The stories and comments of one answer."""
    answer, wrong = json_answer(page, WHAT)
    if wrong is not None:
        return wrong
    if isinstance(answer, dict) and "hits" not in answer and "message" in answer:
        return Parsed(state=Answer.ERROR, reason=f"Hacker News answers: {text_at(answer, 'message')[:200]}")
    if not isinstance(at(answer, "hits"), list):
        return other_shape(WHAT)
    rows = rows_at(answer, "hits")
    items = [item for row in rows if (item := _item(row)) is not None]
    return judged(items, len(rows), WHAT, links=Links(next=_next(page, answer)))


def _next(page: PageFile, answer: Any) -> tuple[str, ...]:
    number, total = number_at(answer, "page"), number_at(answer, "nbPages")
    web = page.url.startswith(("http://", "https://"))
    more = number is not None and total is not None and number + 1 < total and web
    return (with_query(page.url, page=(number or 0) + 1),) if more else ()


def _item(row: dict[str, Any]) -> ParsedItem | None:
    number = text_at(row, "objectID")
    if not number.isdigit():
        return None
    said = text_at(row, "comment_text")
    comment = bool(said) or "parent_id" in row
    story = text_at(row, "story_id") or number
    parent = text_at(row, "parent_id")
    return ParsedItem(
        kind=Kind.COMMENT if comment else Kind.POST,
        id=number,
        url=f"{SITE}/item?id={number}",
        author=text_at(row, "author") or None,
        title="" if comment else text_at(row, "title"),
        text=fragment_text(said or text_at(row, "story_text")),
        published=moment(row.get("created_at")),
        votes=number_at(row, "points"),
        parent=f"/item?id={parent}" if comment and parent else None,
        thread=f"/item?id={story}",
        thread_title=text_at(row, "story_title") or text_at(row, "title"),
    )


class HackernewsOptions(ApiOptions):
    """What is searched for."""

    queries: tuple[str, ...] = Field(min_length=1, description="Words that a story or comment has.")


class HackernewsSpider(NetworkSpider):
    """One list per search. The interface is free and needs no key."""

    name = "hackernews"
    platform = "hackernews"
    channel = Channel.FORUM
    interval = timedelta(minutes=5)
    Options = HackernewsOptions
    description = "Stories and comments of Hacker News that hold a word."
    example = """\
[sources.hackernews]
spider = "hackernews"
url = "https://hn.algolia.com/api/v1"
queries = ["acme"]
"""
    parser: ClassVar[Any] = staticmethod(parse)
    quota = 10_000
    quota_period = timedelta(hours=1)

    @classmethod
    def recognises(cls, look: Look) -> str:
        hits = look.json.get("hits") if isinstance(look.json, dict) else None
        first = hits[0] if isinstance(hits, list) and hits and isinstance(hits[0], dict) else {}
        return "the answer lists stories of Hacker News" if {"objectID", "_tags", "author"} <= first.keys() else ""

    def lists(self) -> Mapping[str, str]:
        queries = self.options(HackernewsOptions).queries
        return {query: self._url(query) for query in queries}

    def expects_items(self, reel: Reel) -> bool:
        return False

    def over(self, item: ParsedItem, response: Any) -> Mapping[str, Any]:
        native = permalink_id(item.url or "")
        given = {"native_id": native, "thread": item.thread, "parent": item.parent}
        return given | {"thread_title": item.thread_title, "opens_thread": item.kind is Kind.POST}

    def _url(self, query: str) -> str:
        since = int(self.job.backfill_from.timestamp())
        asked = {"query": query, "tags": "(story,comment)", "numericFilters": f"created_at_i>{since}"}
        return f"{self.job.url.rstrip('/')}/search_by_date?{urlencode(asked | {'hitsPerPage': '100'})}"
