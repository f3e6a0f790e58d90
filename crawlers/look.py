"""A page as one looks at it to find out who can read it: parsed at most once, however many spiders are asked."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Any

from crawlers.parsing import PageFile
from crawlers.select import tree_of
from crawlers.structured import json_of, nodes, types_of
from crawlers.text import Element

_FEED = re.compile(rb"<(?:rss|feed|rdf:rdf)\b")
_START = 5_000


class Look:
    """One fetched page, seen from outside."""

    def __init__(self, page: PageFile) -> None:
        self.page = page

    @cached_property
    def start(self) -> bytes:
        """How the body begins, in small letters, without leading white space."""
        return self.page.body[:_START].lstrip(b"\xef\xbb\xbf \t\r\n").lower()

    @cached_property
    def json(self) -> Any:
        """The value where the page is JSON, else None."""
        if not self.start.startswith((b"{", b"[")):
            return None
        try:
            return json_of(self.page.body.decode("utf-8-sig", "replace"))
        except (ValueError, RecursionError):
            return None

    @property
    def is_feed(self) -> bool:
        """Whether it is RSS or Atom."""
        return bool(_FEED.search(self.start)) and not self.start.startswith((b"{", b"["))

    @property
    def is_html(self) -> bool:
        """Whether it is a page for a browser."""
        other = self.start.startswith((b"{", b"[")) or self.is_feed
        return not other and not (self.start.startswith(b"<?xml") and b"<html" not in self.start)

    @cached_property
    def tree(self) -> Element | None:
        """The tree of an HTML page, else None. Shared by all who look: it is not to be changed."""
        return tree_of(self.page) if self.is_html else None

    @cached_property
    def types(self) -> frozenset[str]:
        """The schema.org types that the page describes, such as Review."""
        if self.tree is None:
            return frozenset()
        return frozenset(name for node in nodes(self.tree, self.page.url) for name in types_of(node))
