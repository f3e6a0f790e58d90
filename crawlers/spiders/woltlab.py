"""Spider for WoltLab boards (Burning Board 3 and 4, WoltLab Suite 5 and 6), whatever their style."""

from __future__ import annotations

import re
from typing import Any, ClassVar

from crawlers.board import BoardSpider
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed
from crawlers.select import clean_link
from crawlers.woltlab_pages import looks_like, parse_page


def parse(page: PageFile) -> Parsed:
    """Posts, messages, comments, rows and links of one page of a WoltLab board."""
    return parse_page(page)


class WoltlabSpider(BoardSpider):
    """Reads the index, a board, one thread, or articles with their comments."""

    name = "woltlab"
    platform = "woltlab"
    description = (
        "A WoltLab forum (Burning Board 3 and 4, WoltLab Suite 5 and 6): the index, a board, one thread"
        " or the articles; no login needed."
    )
    example = """\
[sources.forum]
spider = "woltlab"
url = "https://forum.example.org/index.php?board/2-technik/"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        return "the markup is WoltLab's" if look.tree is not None and looks_like(look.tree) else ""

    def address_of(self, thread_url: str, item: str) -> str | None:
        kind = re.match(r"(p|message-)([0-9]{1,12})$", item)
        if kind is None:
            return None
        url = re.sub(r"[?&](?:pageNo|action|postID|messageID)=[^&#]*", "", thread_url.partition("#")[0])
        sign = "&" if "?" in url else "?"
        return clean_link(url, f"{url}{sign}{'postID' if kind[1] == 'p' else 'messageID'}={kind[2]}")
