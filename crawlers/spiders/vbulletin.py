"""Spider for vBulletin boards (3 to 6), whatever their style."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from crawlers.board import BoardSpider
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed
from crawlers.select import clean_link
from crawlers.vbulletin_pages import looks_like, parse_page


def parse(page: PageFile) -> Parsed:
    """Posts, thread rows and links of one page of a vBulletin board."""
    return parse_page(page)


class VbulletinSpider(BoardSpider):
    """Reads the index, a forum or one thread."""

    name = "vbulletin"
    platform = "vbulletin"
    description = "A vBulletin forum (3 to 6): the index, a forum or one thread; no login needed."
    example = """\
[sources.forum]
spider = "vbulletin"
url = "https://forum.example.org/forumdisplay.php?f=2"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        return "the markup is vBulletin's" if look.tree is not None and looks_like(look.tree) else ""

    def address_of(self, thread_url: str, item: str) -> str | None:
        number = item.removeprefix("p")
        if "showthread.php" in thread_url:
            return clean_link(thread_url, f"showthread.php?p={number}")
        if re.search(r"/[0-9]+-[^/?#]*(?:/page[0-9]+)?(?:[?#]|$)", thread_url):
            plain = re.sub(r"/page[0-9]+$", "", re.split(r"[?#]", thread_url)[0])
            return clean_link(plain, f"{plain}?p={number}")
        return None
