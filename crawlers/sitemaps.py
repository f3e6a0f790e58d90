"""Sitemaps to rows: indices, lists of pages, the news extension; packed ones too. Never raises on any bytes."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import datetime

import msgspec

from crawlers.dates import parse_date
from crawlers.parsing import Links, PageFile, Parsed, ThreadRow
from crawlers.select import absolute
from crawlers.text import Element, xml_of
from pipeline.words import Answer

MAX_BYTES = 50_000_000
"""What a sitemap may be when unpacked, by its own standard."""
MAX_ROWS = 50_000


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One page or one further sitemap. ``time``: of publication where it is told, else of the change."""

    url: str
    is_map: bool
    time: datetime | None = None
    title: str = ""
    published: bool = False


def parse_sitemap(page: PageFile) -> Parsed:
    """Pages as ``threads`` with the time of their last change, further sitemaps as ``boards``."""
    body = unpacked(page.body)
    if not body.strip():
        return Parsed(state=Answer.ERROR, reason="the answer is empty or cannot be unpacked")
    if b"<urlset" not in body[:5_000] and b"<sitemapindex" not in body[:5_000]:
        return Parsed(state=Answer.ERROR, reason="this is no sitemap")
    found = tuple(_entries(page, body))
    if not found:
        return Parsed(state=Answer.EMPTY, reason="the sitemap names nothing")
    pages = tuple(_row(one) for one in found if not one.is_map)
    maps = tuple(_row(one) for one in found if one.is_map)
    return Parsed(state=Answer.OK, threads=pages, boards=maps, links=Links(threads=tuple(row.url for row in pages)))


def unpacked(body: bytes) -> bytes:
    """The XML of a sitemap that may be packed; empty where it cannot be unpacked, cut off where it is a bomb."""
    if not body.startswith(b"\x1f\x8b"):
        return body[:MAX_BYTES]
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, MAX_BYTES)
    except zlib.error:
        return b""


def _entries(page: PageFile, body: bytes) -> Iterator[Entry]:
    tree = xml_of(body)
    rows = 0
    for node in tree if tree is not None else ():
        name = _name(node)
        if name not in ("url", "sitemap") or rows >= MAX_ROWS:
            continue
        said = dict(_said(node))
        url = absolute(page.url, said.get("loc"))
        if url is not None:
            rows += 1
            yield _entry(page, url, name == "sitemap", said)


def _entry(page: PageFile, url: str, is_map: bool, said: dict[str, str]) -> Entry:
    day = said.get("publication_date") or ""
    time = parse_date(day or said.get("lastmod") or None, page.now, page.zone).at
    return Entry(url=url, is_map=is_map, time=time, title=said.get("title", ""), published=bool(day))


def _said(node: Element) -> Iterator[tuple[str, str]]:
    """Name and text of what an entry says, with that of its news part; pictures and videos have times of their own."""
    for part in node:
        name = _name(part)
        if name == "news":
            yield from ((_name(inner), _text(inner)) for inner in part)
        elif name in ("loc", "lastmod"):
            yield name, _text(part)


def _name(node: Element) -> str:
    return node.tag.rpartition("}")[2].lower() if isinstance(node.tag, str) else ""


def _text(node: Element) -> str:
    return " ".join((node.text or "").split())


def _row(entry: Entry) -> ThreadRow:
    return ThreadRow(id=entry.url, url=entry.url, title=entry.title, last_time=entry.time)
