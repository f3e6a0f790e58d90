"""Rows of a list of threads on an unknown page: a title that leads on, the time of the newest post, counts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from urllib.parse import urlsplit

import msgspec

from crawlers.bylines import Clock, known
from crawlers.outline import PRINTED, Stamp, is_name
from crawlers.paging import related
from crawlers.parsing import ThreadRow
from crawlers.select import absolute, clean_link
from crawlers.text import Element, brief
from pipeline.addresses import native_id
from pipeline.item import Published
from pipeline.words import Precision

FRESH = timedelta(minutes=2)
"""A time shown in minutes that is younger than this may not be that of the last post yet."""

_TITLE = re.compile(r"title|titel|subject|betreff|topic|thread|thema|headline|question|discussion", re.IGNORECASE)
_LAST = re.compile(r"last|newest|latest|letzt|neueste|unread|getnew|gotonew|goto=new", re.IGNORECASE)
_COUNTED = re.compile(
    r"(\d{1,3}(?:[.,]\d{3})+|\d{1,7})\s*(?:antwort|kommentar|beitr|repl|comment|answer|post)"
    r"|(?:antworten|kommentare|beiträge|replies|comments|answers|posts)\s*:?\s*(\d{1,3}(?:[.,]\d{3})+|\d{1,7})",
    re.IGNORECASE,
)
_COUNT_CELL = re.compile(r"repl|antwort|comment|kommentar|answer|posts|num-?post|response", re.IGNORECASE)
_STICKY = re.compile(r"sticky|pinned|angepinnt|announce|wichtig|ankündigung|featured", re.IGNORECASE)
_STICKY_WORD = re.compile(r"^\W*(?:wichtig|angepinnt|fixiert|ankündigung|pinned|sticky|announcement)\b", re.IGNORECASE)
_REPEATED = re.compile(r"^(?:Re|AW|Antw)\s*:\s*", re.IGNORECASE)
_NOT_LEADING = re.compile(r"javascript:|mailto:|#|tel:|.*(?:type=rss|/feed/?$|\.rss$|\.xml$)", re.IGNORECASE)


class Place(msgspec.Struct, frozen=True):
    """Where a page stands."""

    base: str
    here: str
    hosts: frozenset[str]
    """Hosts that are the page's own."""


class Lead(msgspec.Struct, frozen=True):
    """What a row leads to."""

    link: Element
    url: str
    title: str


def are_rows(scopes: Sequence[Sequence[Element]], place: Place, words: int) -> bool:
    """Whether blocks are rows: each with another title, leading elsewhere, and few words beside it (``words``)."""
    leads = [lead_of(scope, place) for scope in scopes]
    found = [lead for lead in leads if lead is not None]
    if len(found) < 0.7 * len(leads):
        return False
    different = len({_REPEATED.sub("", lead.title) for lead in found}), len({lead.url for lead in found})
    if len(found) > 1 and min(different) < 0.7 * len(found):
        return False
    headed = sum(_is_headed(lead.link) for lead in found) >= 0.7 * len(found)
    letters = sorted(len(lead.title) for lead in found)[len(found) // 2]
    return words <= (600 if headed else 2 * letters + 60)


def lead_of(scope: Sequence[Element], place: Place) -> Lead | None:
    """The title of a row: the link that is marked as one, else the longest, that leads away from this page."""
    best: tuple[float, Lead] | None = None
    for number, link in enumerate(one for one in scope if one.tag == "a" and one.get("href")):
        if number > 40:
            break
        href = link.get("href").strip()
        there = clean_link(place.base, href)
        title = brief(link, 300)
        if there is None or there == place.here or _NOT_LEADING.match(href) or len(title) < 3 or is_name(link):
            continue
        if urlsplit(there).netloc not in place.hosts or not re.search(r"[^\W\d_]{2}", title):
            continue
        if (len(title) < 40 and PRINTED.search(title)) or not _stands_alone(link, title) or _is_here(place, href):
            continue
        worth = min(len(title), 120) * (3.0 if _is_headed(link) else 1.0) * (0.3 if _says_last(link, href) else 1.0)
        if best is None or worth > best[0]:
            best = worth, Lead(link, there, title)
    return best[1] if best else None


def _is_here(place: Place, href: str) -> bool:
    """Whether a link leads to a place on this very page: ``viewtopic.php?p=12#p12``."""
    url = absolute(place.base, href)
    parts, ours = urlsplit(url or ""), urlsplit(place.here)
    return bool(re.search(r"\d$", parts.fragment)) and parts.path == ours.path


def _stands_alone(link: Element, title: str) -> bool:
    """Whether a link is no part of a sentence."""
    above = link.getparent()
    while above is not None and above.tag in ("span", "b", "strong", "i", "em", "u", "font"):
        above = above.getparent()
    if above is None:
        return True
    around = len((above.text or "").strip()) + sum(len((one.tail or "").strip()) for one in above)
    return around <= max(40, len(title)) or above.tag not in ("p", "blockquote")


def _is_headed(link: Element) -> bool:
    for element in (link, link.getparent(), link.getparent().getparent() if link.getparent() is not None else None):
        if element is None or not isinstance(element.tag, str):
            continue
        if element.tag in ("h1", "h2", "h3", "h4", "h5") or _TITLE.search(element.get("class") or ""):
            return True
    return any(isinstance(one.tag, str) and one.tag in ("h1", "h2", "h3", "h4") for one in list(link)[:4])


def _says_last(link: Element, href: str) -> bool:
    above = link.getparent()
    marks = f"{link.get('class') or ''} {above.get('class') or '' if above is not None else ''} {href}"
    return bool(_LAST.search(marks)) or bool(re.search(r"#\w*\d+$", href))


def rows_of(
    scopes: Sequence[Sequence[Element]],
    stamps: Sequence[Sequence[tuple[Stamp, Element]]],
    clock: Clock,
    place: Place,
) -> Iterator[ThreadRow]:
    """The rows in the order of the page."""
    seen: set[str] = set()
    for scope, shown in zip(scopes, stamps, strict=True):
        lead = lead_of(scope, place)
        if lead is None or lead.url in seen:
            continue
        seen.add(lead.url)
        at = _newest(shown, clock)
        replies = _replies(scope)
        last = _last_page(scope, lead, place.base)
        yield ThreadRow(
            id=thread_name(lead.url),
            url=lead.url,
            title=lead.title,
            last_item=_mark(at, replies, shown, clock.now),
            last_url=last,
            last_time=at.at,
            replies=replies,
            sticky=_is_sticky(scope, lead),
        )


def thread_name(url: str) -> str:
    """A name for the thread at an address: ``t99`` where that tells it."""
    named = (native_id(url) or "").rpartition(" ")[2].partition("-")[0]
    if re.fullmatch(r"t\d{1,18}", named):
        return named
    parts = urlsplit(url)
    return "u" + blake2b(f"{parts.path}?{parts.query}".encode("utf-8", "replace"), digest_size=8).hexdigest()


def _newest(shown: Sequence[tuple[Stamp, Element]], clock: Clock) -> Published:
    found = [at for stamp, _ in shown[:6] if known(at := clock.read(stamp.text))]
    return max(found, key=lambda at: at.at or at.upper or clock.now, default=Published())


_EXACT = (Precision.SECOND, Precision.MINUTE)


def _mark(at: Published, replies: int | None, shown: Sequence[tuple[Stamp, Element]], now: datetime) -> str | None:
    """What changes with the newest post, and only then: an exact time, and the count.

    A minute that has hardly passed may bring more posts, which would show the same time: it is never the same mark.
    """
    counted = f" n {replies}" if replies is not None else ""
    relative = any(re.search(r"\bvor\b|\bago\b|gerade|now", stamp.text, re.IGNORECASE) for stamp, _ in shown[:6])
    if at.at is not None and at.precision in _EXACT and not relative:
        fresh = f" seen {now.isoformat()}" if at.at > now - FRESH else ""
        return f"at {at.at.isoformat()}{counted}{fresh}"
    return counted.strip() or None


def _replies(scope: Sequence[Element]) -> int | None:
    for element in scope:
        marks = element.get("class") or ""
        if marks and _COUNT_CELL.search(marks):
            number = re.fullmatch(r"\D{0,20}?(\d{1,3}(?:[.,]\d{3})+|\d{1,7})\D{0,20}", brief(element)[:60])
            if number:
                return int(re.sub(r"\D", "", number[1]))
    for element in scope:
        words = " ".join(filter(None, [(element.text or "").strip(), *((one.tail or "").strip() for one in element)]))
        found = _COUNTED.search(words[:200]) or _COUNTED.search((element.get("title") or "")[:80])
        if found:
            return int(re.sub(r"\D", "", found[1] or found[2]))
    return None


def _last_page(scope: Sequence[Element], lead: Lead, base: str) -> str | None:
    """Where the newest post is shown: a link that says so, or the last of the page numbers in the row."""
    highest: tuple[int, str] | None = None
    for link in [one for one in scope if one.tag == "a" and one.get("href")][:40]:
        url, href = clean_link(base, link.get("href")), link.get("href")
        if url is None or link is lead.link:
            continue
        word = brief(link)
        if word.isascii() and word.isdigit() and len(word) < 5 and related(url, lead.url) and url != lead.url:
            highest = max(highest or (0, ""), (int(word), url))
        elif url != lead.url and _leads_to_end(url, lead.url, absolute(base, href) or "", link):
            return url
    return highest[1] if highest else None


def _leads_to_end(url: str, thread: str, whole: str, link: Element) -> bool:
    told = native_id(whole) or ""
    same = related(url, thread) or (told and native_id(thread) and told.rpartition(" ")[2][:1] == "p")
    return bool(same) and (bool(told and told.rpartition(" ")[2][:1] == "p") or _says_last(link, whole))


def _is_sticky(scope: Sequence[Element], lead: Lead) -> bool:
    if any(_STICKY.search(one.get("class") or "") for one in scope):
        return True
    above = lead.link.getparent()
    return bool(above is not None and _STICKY_WORD.match(brief(above)))
