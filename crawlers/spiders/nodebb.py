"""Spider for NodeBB: asks for the JSON behind the pages that people see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import urlsplit, urlunsplit

from scrapy.http import Request

from crawlers.board import BoardSpider
from crawlers.look import Look
from crawlers.nodebb_pages import looks_like, looks_like_json, parse_page, place_of
from crawlers.parsing import PageFile, Parsed


def parse(page: PageFile) -> Parsed:
    """Posts, topic rows and links of one answer or page of a NodeBB forum."""
    return parse_page(page)


class NodebbSpider(BoardSpider):
    """Reads what changed lately in all of a forum, in one category or one topic."""

    name = "nodebb"
    platform = "nodebb"
    description = "A NodeBB forum: all of it, a category or one topic; no login needed."
    example = """\
[sources.forum]
spider = "nodebb"
url = "https://community.example.org/recent"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        if look.json is not None:
            return "the answer is NodeBB's" if looks_like_json(look.json) else ""
        return "the markup is NodeBB's" if look.tree is not None and looks_like(look.tree) else ""

    def request(self, url: str, callback: Callable[..., Any], **given: Any) -> Request:
        """The same page as JSON. Addresses within items and rows stay those for people."""
        return super().request(_interface(url), callback, **given)


def _interface(url: str) -> str:
    """``/category/2`` → ``/api/category/2``; the forum itself → what changed there lately."""
    place = place_of(url)
    rest = urlunsplit(urlsplit(url)._replace(fragment="")).removeprefix(place).removeprefix("api/")
    page, mark, query = rest.partition("?")
    return f"{place}api/{page or 'recent'}{mark}{query}"
