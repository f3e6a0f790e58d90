"""What all readers of unknown threads have in common: title, order, ids of their own, and whether posts are whole."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from itertools import pairwise

import msgspec

from crawlers.bylines import known
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.rows import thread_name
from crawlers.select import clean_link, first, select
from crawlers.text import Element, one_line
from pipeline.addresses import without_page
from pipeline.identity import folded_letters
from pipeline.item import Published
from pipeline.words import Answer

ENOUGH = 0.8
"""Share of posts with a time, and with an author, below which the layout must have changed."""


def thread_page(tree: Element, source: PageFile, items: Sequence[ParsedItem], links: Links, title: str = "") -> Parsed:
    """The page of a thread; its layout has changed where too many posts lack time or author."""
    thread = thread_name(without_page(without_fragment(source.url)))
    reason = lacking(items)
    return Parsed(
        state=Answer.LAYOUT_CHANGED if reason else Answer.OK,
        reason=reason,
        items=tuple(msgspec.structs.replace(item, thread=thread) for item in items),
        links=links,
        thread=thread,
        thread_title=title or heading_of(tree),
        lang=language(tree)[:2].lower() or None,
        first_page=not (links.next if newest_first(items) else links.previous),
    )


def language(tree: Element) -> str:
    """The language that a page declares, region and all."""
    return tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or ""


def turned(parsed: Parsed) -> Parsed:
    """A page that shows the newest post first the other way round, as a thread has it; its pages too."""
    links = msgspec.structs.replace(parsed.links, next=parsed.links.previous, previous=parsed.links.next)
    return msgspec.structs.replace(parsed, items=parsed.items[::-1], links=links, first_page=not links.previous)


def lacking(items: Sequence[ParsedItem]) -> str:
    """Why posts are not whole; empty where they are."""
    timeless = sum(not known(item.published) for item in items)
    nameless = sum(item.author is None and not item.deleted for item in items)
    for what, lacking in (("time", timeless), ("author", nameless)):
        if lacking > (1 - ENOUGH) * len(items):
            return f"{lacking} of {len(items)} posts have no {what}"
    return ""


def newest_first(items: Sequence[ParsedItem]) -> bool | None:
    """Whether each post is older than the one before it; None where that cannot be told.

    Answers below what they answer are in no such order.
    """
    moments = [item.published.at or item.published.upper for item in items if item.parent is None]
    return falls(moments) if sum(moment is not None for moment in moments) >= len(items) / 2 else None


def falls(moments: Sequence[datetime | None]) -> bool | None:
    """Whether times go backwards; None where they do not move."""
    told = [moment for moment in moments if moment is not None]
    if len(set(told)) < 2:
        return None
    down = sum(one > other for one, other in pairwise(told))
    up = sum(one < other for one, other in pairwise(told))
    return down > 0 and down >= 9 * up


def heading_of(tree: Element) -> str:
    """The title of what a page shows: the heading that its title repeats, else what it tells others."""
    headings = [*select(tree, "h1")[:6], *select(tree, "h2")[:6]]
    heads = [words for one in headings if 0 < len(words := one_line(one)) <= 300]
    told = first(tree, "meta[property='og:title'][content]")
    title = first(tree, "title")
    shown = " ".join((title.text or "").split()) if title is not None else ""
    head = heads[0] if heads else ""
    named = [one for one in heads if len(one) > 5 and folded_letters(one, 40) in folded_letters(shown)]
    if named:
        first_level = [one for one in named if one in {one_line(head) for head in select(tree, "h1")[:6]}]
        return max(first_level or named, key=len)
    if told is not None and told.get("content").strip():
        return str(told.get("content")).strip()[:300]
    return (head or re.split(r"\s[|–»•·-]\s", shown)[0])[:300]


def is_about_else(tree: Element) -> bool:
    """Whether a page says that it is an article, below which others may have written."""
    return first(tree, "meta[property='og:type'][content='article'], article [itemprop=articleBody]") is not None


def without_fragment(url: str) -> str:
    """The clean address of a page."""
    return clean_link(url, url) or url


def made_up_id(published: Published, author: str | None, text: str, token: str | None = None) -> str:
    """An id for a post without a number: its token, or name and first words; the second tells newer from older."""
    moment = published.at or published.upper
    second = max(0, int(moment.timestamp())) if moment is not None else 0
    if token is not None:
        return f"x{token}-{second}"
    begins = f"{folded_letters(author or '')}\n{folded_letters(text, 40)}"
    return f"s{blake2b(begins.encode('utf-8', 'replace'), digest_size=6).hexdigest()}-{second}"


def in_one_order(ids: Sequence[str]) -> list[str]:
    """The ids so that their last numbers can be compared: beside numbered posts, one without has its neighbour's."""
    numbers = [one[1:] if one.startswith("p") else re.sub(r"^comment-|^t\d+-", "", one) for one in ids]
    numbered = [number.isdigit() and not one.startswith(("s", "x")) for one, number in zip(ids, numbers, strict=True)]
    if all(numbered) or not any(numbered):
        return list(ids)
    near = next(number for number, told in zip(numbers, numbered, strict=True) if told)
    ordered = []
    for one, number, told in zip(ids, numbers, numbered, strict=True):
        near = number if told else near
        ordered.append(one if told else f"{one.partition('-')[0]}-{near}")
    return ordered
