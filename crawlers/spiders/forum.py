"""Spider for forums and comment sections whose program nobody knows."""

from __future__ import annotations

from typing import Any, ClassVar

from scrapy.http import Response

from crawlers.board import BoardSpider
from crawlers.generic_pages import parse_generic, share_of_posts
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.spider import Rank
from crawlers.threads import is_about_else, newest_first, turned
from pipeline import identity
from pipeline.item import Item
from pipeline.words import Reading

LEAST, MOSTLY = 0.3, 0.5
"""Share of a page's words in its posts, from which on it is a thread, and so is one that calls itself an article."""
ARTICLES = frozenset({"NewsArticle", "ReportageNewsArticle", "BlogPosting", "LiveBlogPosting", "Article", "Product"})
"""Types of schema.org whose pages are about something else, whatever is said below."""


def parse(page: PageFile) -> Parsed:
    """Posts or thread rows: repeated blocks with a name, a time and a text."""
    return parse_generic(page)


class ForumSpider(BoardSpider):
    """Reads a list of threads or one thread, by the shape of the page alone."""

    name = "forum"
    platform = "forum"
    description = "An unknown forum or comment section: repeated blocks with author, time and text; no login needed."
    example = """\
[sources.forum]
spider = "forum"
url = "https://forum.example.org/category/service/"
"""
    parser: ClassVar[Any] = staticmethod(parse)
    rank = Rank.GENERIC
    _newest_first = False

    @classmethod
    def recognises(cls, look: Look) -> str:
        if look.tree is None or look.types & ARTICLES:
            return ""
        share = share_of_posts(look.page)
        if share < (MOSTLY if is_about_else(look.tree) else LEAST):
            return ""
        return "the page repeats blocks with author, time and text"

    def read(self, response: Response, *, expect_items: bool = True) -> Parsed:
        """As everywhere, with the oldest post first, in whichever order the place has them."""
        parsed = super().read(response, expect_items=expect_items)
        shown = newest_first(parsed.items)
        if shown is not None:
            self._newest_first = shown
        return turned(parsed) if parsed.items and self._newest_first else parsed

    def _item(self, item: ParsedItem, parsed: Parsed, response: Response, *, opens: bool) -> Item:
        """Posts are named by their address where that tells them; else by number or words, in their thread."""
        thread = identity.native_id(response.url) or identity.permalink_id(identity.without_page(response.url))
        told = identity.native_id(item.url) if item.url else None
        if told is not None and told.rpartition(" ")[2] == item.id:
            return self.item(item, parsed, response, reading=Reading.FULL, opens_thread=opens)
        place = thread.rpartition(" ")[0] if _names_a_post(thread) else thread
        return self.item(
            item,
            parsed,
            response,
            reading=Reading.FULL,
            opens_thread=opens,
            native_id=_native(item.id, place, response.url, item),
            thread=place,
            parent=_native(item.parent, place, response.url, None) if item.parent else None,
        )


def _names_a_post(native: str) -> bool:
    return native.rpartition(" ")[2].startswith(("p", "comment-"))


def _native(name: str, place: str, url: str, item: ParsedItem | None) -> str:
    """``/topic/1 p28``; for what has no number the signed id that the contract gives it."""
    if name.startswith("s") and item is not None:
        return identity.signed_id(url, item.author, item.text)
    return f"{place} {name.partition('-')[0] if name.startswith('x') else name}"
