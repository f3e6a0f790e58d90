"""What the pages of all board programs have in common: paging, page of a thread, page with nothing on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, timezone, tzinfo

import msgspec

from crawlers.dates import Order, from_timestamp, parse_date, shown_order
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem, ThreadRow
from crawlers.select import base_of, clean_link, first, select, tree_of
from crawlers.text import Element, one_line
from pipeline.addresses import native_id
from pipeline.item import Published
from pipeline.words import Answer

MOST = 2_000
"""Posts or rows of one page that are looked at; a page with more is not meant for readers."""

_ZONE_SAID = re.compile(
    r"(?:All times are|Alle (?:Zeitangaben|Zeiten)(?: sind)?(?: in)?)\s{1,5}(?:GMT|WEZ|UTC)\s{0,3}"
    r"(?:([+-])\s?([0-9]{1,2})(?::([0-9]{2}))?)?\s{0,3}\.",
    re.IGNORECASE,
)
_HALF_DAY = re.compile(r"[0-9]\s{0,2}[ap]\.?m\b", re.IGNORECASE)
_COUNT = re.compile(r"([0-9][0-9.,' \u00a0]{0,12})\s?(k|m|tsd|mio)?\b", re.IGNORECASE)
_TIMES = {"k": 1_000, "tsd": 1_000, "m": 1_000_000, "mio": 1_000_000}
_POSITION = re.compile(r"#?\s?([0-9][0-9.,]{0,9})")
_STAFF = re.compile(
    r"administrat|moderat|\badmin\b|mitarbeiter|\bstaff\b|\bsupport(?:er|erin|-?team)?\b|\bteam\s?$|-team\b|^team\b"
    r"|community[ -]?manage|\boffi[cz]ie?l?l",
    re.IGNORECASE,
)
_CLOSED = re.compile(
    r"\blog(?:ged)?[ -]?in\b|\bsign in\b|anmeld|angemeldet|einlogg|eingeloggt|registrier|must register"
    r"|permission|berechtigung|privileg|zutritt|zugriff",
    re.IGNORECASE,
)


class Forum(msgspec.Struct, frozen=True, kw_only=True):
    """What all readers of one page need."""

    tree: Element
    url: str
    base: str
    now: datetime
    zone: tzinfo
    lang: str | None
    order: Order = "DMY"
    shown: Order | None = None
    """Order of day and month that the page shows beyond doubt."""

    def date(self, text: str | None) -> Published:
        return parse_date(text, self.now, self.zone, order=self.order)

    def link(self, element: Element | None) -> str | None:
        """Where a link leads, without session and fragment."""
        return clean_link(self.base, element.get("href")) if element is not None else None

    def time(self, element: Element | None) -> Published:
        """The time an element gives: by its attributes for machines, its ``title``, its words."""
        if element is None:
            return Published()
        for name in ("datetime", "date", "content"):
            found = self.date(element.get(name))
            if found.at is not None:
                return found
        for name in ("data-timestamp", "data-time"):
            if re.fullmatch(r"[0-9]{6,11}", element.get(name) or ""):
                return from_timestamp(element.get(name))
        titled = self.date(element.get("title"))
        return titled if titled.at is not None else self.date(one_line(element))


def forum_of(source: PageFile, dates: str) -> Forum:
    """A page ready to be read; ``dates`` selects the elements that print times."""
    tree = tree_of(source)
    printed = [one_line(element)[:200] for element in select(tree, dates)[:MOST]]
    american: Order = "MDY" if any(_HALF_DAY.search(line) for line in printed) else "DMY"
    shown = shown_order(printed)
    return Forum(
        tree=tree,
        url=source.url,
        base=base_of(tree, source.url),
        now=source.now,
        zone=_zone_of(source),
        lang=_language(tree),
        order=shown or source.order or american,
        shown=shown,
    )


def _language(tree: Element) -> str | None:
    said = tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or tree.get("xml:lang") or ""
    return said[:2].lower() if said[:2].isalpha() else None


def _zone_of(source: PageFile) -> tzinfo:
    """The source's zone, unless the page names an offset that this zone never has."""
    said = _ZONE_SAID.search(source.body[-60_000:].decode("latin-1").replace("&nbsp;", " "))
    if said is None:
        return source.zone
    sign, hours, minutes = said.groups()
    span = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    if span >= timedelta(hours=24):
        return source.zone
    offset = -span if sign == "-" else span
    year = source.now.year
    usual = {datetime(year, month, 1, tzinfo=source.zone).utcoffset() for month in (1, 7)}
    return source.zone if offset in usual else timezone(offset)


# --- numbers and marks ------------------------------------------------------------------------------------------


def count_of(text: str) -> int | None:
    """A count as boards print it: ``1.234``, ``12K``, ``3,5 Tsd.``; None where there is none."""
    found = _COUNT.search(text)
    if found is None:
        return None
    unit = (found[2] or "").lower()
    if not unit:
        return int(re.sub(r"[^0-9]", "", found[1])[:12])
    try:
        return int(float(re.sub(r"[' \u00a0]", "", found[1]).replace(",", ".")) * _TIMES[unit])
    except ValueError:
        return None


def position_of(text: str) -> int | None:
    """The place of a post in its thread: ``#1.234``."""
    found = _POSITION.fullmatch(text.strip())
    return int(re.sub(r"[^0-9]", "", found[1])) if found else None


def is_staff(badges: Iterable[Element]) -> bool | None:
    """True where a title or badge beside the author names an office of the place; None where none does."""
    return True if any(_STAFF.search(one_line(badge)[:100]) for badge in badges) else None


def number_in(text: str | None, pattern: str) -> str | None:
    """The first group of a pattern in a text."""
    found = re.search(pattern, text or "")
    return found[1] if found else None


def own_address(page: Forum, link: Element | None, number: str, fallback: str) -> str | None:
    """The address of a post: the page's permalink where it names the post, else ``fallback``."""
    href = link.get("href") if link is not None else None
    shown = clean_link(page.base, href)
    if href and shown:
        fragment = href.partition("#")[2].strip()
        url = f"{shown}#{fragment}" if fragment else shown
        if (native_id(url) or "").endswith(f"p{number}"):
            return url
    built = clean_link(page.base, fallback)
    _, mark, fragment = fallback.partition("#")
    return f"{built}{mark}{fragment}" if built else None


# --- paging -----------------------------------------------------------------------------------------------------


def paging(page: Forum, boxes: str, current: str, following: str = "", before: str = "") -> Links:
    """Next and previous page: as the page names them, else the neighbours of the number shown as current."""
    onward = page.link(first(page.tree, ", ".join(filter(None, ("link[rel~=next][href]", following)))))
    back = page.link(first(page.tree, ", ".join(filter(None, ("link[rel~=prev][href]", before)))))
    if onward is None or back is None:
        for box in select(page.tree, boxes)[:4]:
            later, earlier = _neighbours(page, box, current)
            onward, back = onward or later, back or earlier
    return Links(next=(onward,) if onward else (), previous=(back,) if back else ())


def _neighbours(page: Forum, box: Element, current: str) -> tuple[str | None, str | None]:
    shown = next((n for mark in select(box, current)[:5] if (n := _page_number(mark)) is not None), None)
    if shown is None:
        return None, None
    urls: dict[int, str] = {}
    for link in select(box, "a[href]")[:60]:
        number, url = _page_number(link), page.link(link)
        if number is not None and url is not None:
            urls.setdefault(number, url)
    later = [number for number in urls if number > shown]
    earlier = [number for number in urls if number < shown]
    return (urls[min(later)] if later else None), (urls[max(earlier)] if earlier else None)


def _page_number(element: Element) -> int | None:
    text = re.sub(r"[.,\s]", "", one_line(element)[:12])
    return int(text) if re.fullmatch(r"[0-9]{1,7}", text) else None


# --- pages ------------------------------------------------------------------------------------------------------


def thread_page(
    page: Forum,
    posts: tuple[ParsedItem, ...],
    links: Links,
    *,
    thread: str | None,
    title: str,
    threads: tuple[ThreadRow, ...] = (),
) -> Parsed:
    """A page of posts. Where too many lack author, time or words, the layout has changed; they are kept."""
    live = [post for post in posts if not post.deleted]
    lacks: tuple[tuple[str, Callable[[ParsedItem], bool]], ...] = (
        ("time", lambda post: post.published.at is None and post.published.upper is None),
        ("author", lambda post: not post.author),
        ("text", lambda post: not (post.text or post.images or post.quotes_removed)),
    )
    counts = {what: sum(missing(post) for post in live) for what, missing in lacks}
    broken = [f"{n} of {len(live)} posts have no {what}" for what, n in counts.items() if n * 5 > len(live)]
    return Parsed(
        state=Answer.LAYOUT_CHANGED if broken else Answer.OK,
        reason="; ".join(broken),
        items=tuple(msgspec.structs.replace(post, thread=post.thread or thread) for post in posts),
        threads=threads,
        links=links,
        thread=thread,
        thread_title=title,
        lang=page.lang,
        first_page=_is_first(posts, links),
        order=page.shown,
    )


def _is_first(posts: tuple[ParsedItem, ...], links: Links) -> bool:
    place = posts[0].position if posts else None
    return place == 1 if place is not None and place > 0 else not links.previous


def list_page(
    page: Forum, threads: Iterable[ThreadRow | None], boards: Iterable[ThreadRow | None], links: Links
) -> Parsed | None:
    """A page of rows; None where it has none."""
    rows, places = _first_of_each(threads), _first_of_each(boards)
    if not rows and not places:
        return None
    return Parsed(state=Answer.OK, threads=rows, boards=places, links=links, lang=page.lang, order=page.shown)


def _first_of_each(rows: Iterable[ThreadRow | None]) -> tuple[ThreadRow, ...]:
    kept: dict[str, ThreadRow] = {}
    for row in rows:
        if row is not None:
            kept.setdefault(row.id, row)
    return tuple(kept.values())


def nothing(page: Forum, program: str, *, known: bool, thread: bool, login: bool, said: Element | None) -> Parsed:
    """Why there is nothing: no page of this program, a wall, a layout that changed, or truly nothing."""
    words = one_line(said)[:300]
    if not known:
        return Parsed(state=Answer.LAYOUT_CHANGED, reason=f"this is no page of a {program} board")
    if login or _CLOSED.search(words):
        return Parsed(state=Answer.GATED, reason=words[:200] or "the board asks for a login")
    if thread and not words:
        return Parsed(state=Answer.LAYOUT_CHANGED, reason="a thread in which no post was found", lang=page.lang)
    return Parsed(state=Answer.EMPTY, reason=words[:200] or "no posts and no topics on this page", lang=page.lang)
