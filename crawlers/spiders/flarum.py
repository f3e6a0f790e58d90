"""Spider for Flarum: asks for the JSON:API behind the pages that people see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from scrapy.http import Request

from crawlers.board import BoardSpider
from crawlers.flarum_pages import looks_like, looks_like_json, parse_page, place_of, posts_url, topics_url
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed
from crawlers.select import parameter
from pipeline.addresses import native_id


def parse(page: PageFile) -> Parsed:
    """Posts, topic rows and links of one answer or page of a Flarum forum."""
    return parse_page(page)


class FlarumSpider(BoardSpider):
    """Reads what changed lately in all of a forum, under one tag, in one topic or one search."""

    name = "flarum"
    platform = "flarum"
    description = "A Flarum forum: all of it, a tag, a topic or a search; no login needed."
    example = """\
[sources.forum]
spider = "flarum"
url = "https://forum.example.org/t/support"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        if look.json is not None:
            return "the answer is Flarum's" if looks_like_json(look.json) else ""
        return "the markup is Flarum's" if look.tree is not None and looks_like(look.tree) else ""

    def request(self, url: str, callback: Callable[..., Any], **given: Any) -> Request:
        """The same page as JSON. Addresses within items and rows stay those for people."""
        return super().request(_interface(url), callback, **given)


def _interface(url: str) -> str:
    """``/d/5-titel`` → its posts, ``/t/marke`` → the topics under a tag; the forum itself → what changed lately."""
    place, path = place_of(url), urlsplit(url).path
    if "/api/" in path:
        return url
    topic = (native_id(url) or "").rpartition(" ")[2].partition("-")[0].removeprefix("t")
    if "/d/" in path and topic.isascii() and topic.isdigit():
        return posts_url(place, int(topic))
    tag = unquote(path.partition("/t/")[2].partition("/")[0]) if "/t/" in path else ""
    return topics_url(place, tag=tag, q=parameter(url, "q") or "")
