"""Result pages of search engines as people save them. They are not crawled: terms, captchas and scripts forbid it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from crawlers.dates import parse_date
from crawlers.look import Look
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.results import result_uid
from crawlers.select import absolute, base_of, first, select, tree_of
from crawlers.text import Element, one_line
from pipeline.identity import identify, permalink_id
from pipeline.item import Published, RankedResult
from pipeline.words import Answer, Kind

MAX_RESULTS = 200
_DATED = re.compile(
    r"^\s*(?P<date>(?:\d{1,2}\.\s?\S{3,9}\.?\s?\d{4}|\S{3,9}\.? \d{1,2}, \d{4}|\d{1,2} \S{3,9}\.? \d{4}"
    r"|\d{1,2}\.\d{1,2}\.\d{4}"
    r"|vor \d{1,3} \S{3,9}|\d{1,3} \S{3,9} ago))(?:\s*(?:[—·-]|\.\.\.|…)\s*|(?=[A-ZÄÖÜ]))"
)


@dataclass(frozen=True, kw_only=True)
class Engine:
    """How the result pages of one engine are written. Selectors are CSS."""

    name: str
    hosts: tuple[str, ...]
    marks: str
    results: str
    """Elements that each hold one organic result, or its link where ``link`` is empty."""
    link: str
    title: str
    snippets: tuple[str, ...]
    adverts: str
    """What lies within these is no organic result."""
    nothing: tuple[str, ...]
    """Words, in small letters, with which it says that it has found nothing."""
    nothing_at: str = ""
    """Elements that stand there only where it has found nothing."""
    challenge: str = ""
    next_page: str = ""
    around: str = ""
    """Ancestor of a result that holds its snippet, too."""


def recognised_by(look: Look, engine: Engine) -> str:
    """By what a page is known to be one of this engine's; empty where it is not."""
    if look.tree is None:
        return ""
    host = (urlsplit(look.page.url).hostname or "").removeprefix("www.")
    ours = any(host == name or host.startswith(f"{name}.") or host.endswith(f".{name}") for name in engine.hosts)
    known = first(look.tree, engine.marks) is not None
    return f"this is a result page of {engine.name}" if known or (ours and "q=" in look.page.url) else ""


def parse_serp(page: PageFile, engine: Engine) -> Parsed:
    """The organic results in their order. A captcha, a consent page or one for browsers alone is never "no results"."""
    if not page.body.strip():
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    tree = tree_of(page)
    items = tuple(_items(page, tree, engine))
    if items:
        ranked = tuple(_ranked(items, engine))
        following = first(tree, engine.next_page) if engine.next_page else None
        older = absolute(base_of(tree, page.url), following.get("href")) if following is not None else None
        urls = tuple(dict.fromkeys(item.url for item in items if item.url))
        return Parsed(
            state=Answer.OK, items=items, results=ranked, links=Links(next=(older,) if older else (), items=urls)
        )
    if engine.challenge and first(tree, engine.challenge) is not None:
        return Parsed(state=Answer.CHALLENGE, reason=f"{engine.name} asks whether a person is there")
    said = one_line(tree)[:20_000].lower()
    if any(words in said for words in engine.nothing) or (
        engine.nothing_at and first(tree, engine.nothing_at) is not None
    ):
        return Parsed(state=Answer.EMPTY, reason="nothing found")
    if first(tree, engine.marks) is None:
        return Parsed(state=Answer.LAYOUT_CHANGED, reason=f"this is no result page of {engine.name}")
    return Parsed(state=Answer.CHALLENGE, reason=f"{engine.name} shows no results and does not say that there are none")


def unwrapped(url: str) -> str:
    """The address behind a search engine's own redirection, without asking anybody."""
    try:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
    except ValueError:
        return url
    host = (parts.hostname or "").removeprefix("www.")
    names = {"/url": ("q", "url"), "/l/": ("uddg",), "/imgres": ("imgrefurl",)}.get(parts.path, ())
    for name in names:
        if query.get(name, [""])[0].startswith(("http://", "https://")):
            return query[name][0]
    if host == "bing.com" and parts.path.startswith("/ck/a") and query.get("u", [""])[0].startswith("a1"):
        return _decoded(query["u"][0][2:]) or url
    return url


def _decoded(text: str) -> str | None:
    try:
        found = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
    return found if found.startswith(("http://", "https://")) else None


def _items(page: PageFile, tree: Element, engine: Engine) -> Iterator[ParsedItem]:
    base = base_of(tree, page.url)
    adverts = set(select(tree, engine.adverts)) if engine.adverts else set()
    seen: set[tuple[str, str, str]] = set()
    for box in select(tree, engine.results)[:MAX_RESULTS]:
        if box in adverts or any(up in adverts for up in box.iterancestors()):
            continue
        link = first(box, engine.link) if engine.link else box
        heading = first(box, engine.title) if engine.title else box
        found = absolute(base, link.get("href")) if link is not None else None
        title = one_line(heading)
        url = unwrapped(found) if found else None
        snippet, published = _dated(page, _snippet(_around(box, engine.around), engine.snippets))
        if url is None or not title or (url, title, snippet) in seen:
            continue
        seen.add((url, title, snippet))
        yield ParsedItem(
            kind=Kind.RESULT,
            id=identify([url], permalink=url) or permalink_id(url),
            url=url,
            title=title,
            text=snippet,
            published=published,
            position=len(seen),
        )


def _around(box: Element, css: str) -> Element:
    """The whole of a result, of which the box is a part."""
    if not css:
        return box
    names = set(css.split())
    return next((up for up in box.iterancestors() if names & set((up.get("class") or "").split())), box)


def _snippet(box: Element, places: tuple[str, ...]) -> str:
    return next((text for css in places if (text := one_line(first(box, css)))), "")


def _dated(page: PageFile, snippet: str) -> tuple[str, Published]:
    """A snippet without the date that it begins with, and that date."""
    found = _DATED.match(snippet)
    at = parse_date(found["date"], page.now, page.zone) if found else Published()
    return (snippet[found.end() :] if found and (at.at or at.upper) else snippet), at


def _ranked(items: tuple[ParsedItem, ...], engine: Engine) -> Iterator[RankedResult]:
    for item in items:
        url = item.url or ""
        yield RankedResult(
            position=item.position or 0,
            url=url,
            title=item.title,
            snippet=item.text,
            engines=(engine.name.lower(),),
            uid=result_uid(url),
        )
