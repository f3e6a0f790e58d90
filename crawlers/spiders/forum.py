"""Spider for forums and comment sections whose program nobody knows."""

from __future__ import annotations

from typing import Any, ClassVar

from crawlers.board import BoardSpider
from crawlers.generic_pages import looks_like_posts, parse_generic
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed
from crawlers.select import first
from crawlers.spider import Rank

ARTICLES = frozenset({"NewsArticle", "Article", "BlogPosting", "ReportageNewsArticle", "LiveBlogPosting", "Product"})
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

    @classmethod
    def recognises(cls, look: Look) -> str:
        tree = look.tree
        if (
            tree is None
            or look.types & ARTICLES
            or first(tree, "meta[property='og:type'][content=article]") is not None
        ):
            return ""
        return "the page repeats blocks with author, time and text" if looks_like_posts(look.page) else ""
