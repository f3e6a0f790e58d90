"""Spider for XenForo boards (1 and 2), whatever their style."""

from __future__ import annotations

from typing import Any, ClassVar

from crawlers.board import BoardSpider
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed
from crawlers.select import clean_link
from crawlers.xenforo_pages import looks_like, parse_page


def parse(page: PageFile) -> Parsed:
    """Posts, thread rows and links of one page of a XenForo board."""
    return parse_page(page)


class XenforoSpider(BoardSpider):
    """Reads the index, a forum, what is new or one thread."""

    name = "xenforo"
    platform = "xenforo"
    description = "A XenForo forum (1 and 2): the index, a forum, what is new or one thread; no login needed."
    example = """\
[sources.forum]
spider = "xenforo"
url = "https://forum.example.org/forums/technik.2/"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        return "the markup is XenForo's" if look.tree is not None and looks_like(look.tree) else ""

    def address_of(self, thread_url: str, item: str) -> str | None:
        head, mark, _ = thread_url.partition("threads/")
        return clean_link(head, f"{head}posts/{item.removeprefix('p')}/") if mark else None
