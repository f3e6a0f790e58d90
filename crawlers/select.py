"""Small helpers to take elements out of a page's tree."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from urllib.parse import parse_qsl, urljoin, urlsplit

from lxml.cssselect import CSSSelector

from crawlers.parsing import PageFile
from crawlers.text import Element, decode, parse_tree
from crawlers.urls import is_web
from pipeline.addresses import canonical_url

MAX_DEPTH_TEXT = 5_000_000
"""Bytes a parser looks at; the downloader's limit, kept here too for saved files."""


@lru_cache(maxsize=512)
def _compiled(css: str) -> Callable[[Element], list[Element]]:
    return CSSSelector(css, translator="html")  # type: ignore[no-any-return]


def select(element: Element, css: str) -> list[Element]:
    """The descendants that match, in document order."""
    return _compiled(css)(element)


def first(element: Element, css: str) -> Element | None:
    """The first match or None."""
    return next(iter(select(element, css)), None)


def tree_of(page: PageFile) -> Element:
    """The tree of a page, decoded by what its header or meta tag says."""
    return parse_tree(decode(page.body[:MAX_DEPTH_TEXT], page.headers))


def base_of(tree: Element, url: str) -> str:
    """What relative links of a page are relative to."""
    base = first(tree, "base[href]")
    return absolute(url, base.get("href")) or url if base is not None else url


def absolute(base: str, href: str | None) -> str | None:
    """A link as an absolute web address; None where it leads nowhere that can be asked."""
    if not href:
        return None
    try:
        url = urljoin(base, href.strip())
    except ValueError:
        return None
    return url if is_web(url) else None


def clean_link(base: str, href: str | None) -> str | None:
    """A link as an absolute canonical address."""
    url = absolute(base, href)
    return canonical_url(url) if url else None


def parameter(url: str | None, name: str) -> str | None:
    """The value of a query parameter."""
    try:
        query = urlsplit(url or "").query
    except ValueError:
        return None
    return dict(parse_qsl(query)).get(name)


def has_class(element: Element, *names: str) -> bool:
    """Whether an element has one of the classes."""
    return any(name in (element.get("class") or "").split() for name in names)
