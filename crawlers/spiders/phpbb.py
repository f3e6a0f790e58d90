"""Spider for phpBB boards (2 and 3), whatever their style."""

from __future__ import annotations

from typing import Any, ClassVar

from crawlers.board import BoardSpider
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed
from crawlers.phpbb_pages import looks_like, parse_page
from crawlers.select import clean_link


def parse(page: PageFile) -> Parsed:
    """Posts, thread rows and links of one page of a phpBB board."""
    return parse_page(page)


class PhpbbSpider(BoardSpider):
    """Reads the index, a board, the active topics or one thread."""

    name = "phpbb"
    platform = "phpbb"
    description = "A phpBB forum (2 and 3): the index, a board, the active topics or one thread; no login needed."
    example = """\
[sources.forum]
spider = "phpbb"
url = "https://forum.example.org/viewforum.php?f=2"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        return "the markup is phpBB's" if look.tree is not None and looks_like(look.tree) else ""

    def address_of(self, thread_url: str, item: str) -> str | None:
        return clean_link(thread_url, f"viewtopic.php?p={item.removeprefix('p')}")
