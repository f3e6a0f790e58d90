"""Pages of forum programs, read by a description of their markup: selectors and a few small functions for each program.

Machine attributes come before printed words, ids come from addresses wherever an address tells one, and what a
description does not find is asked of what all forums have in common (paging above all).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from crawlers.dates import Order, from_timestamp, parse_date, shown_order
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem, ThreadRow
from crawlers.select import absolute, base_of, clean_link, first, select, tree_of
from crawlers.text import Element, one_line, own_words
from pipeline.addresses import native_id
from pipeline.item import Published
from pipeline.words import Answer, Kind

ENOUGH = 0.8
"""Share of posts with a time, and with an author, below which the layout must have changed."""
MAX_POSTS = 2_000
"""Posts or rows of one page that are looked at."""
MACHINE = ("datetime", "date", "data-time", "data-timestamp", "data-date", "content", "title", "data-original-title")
"""Attributes that hold a time for machines, best first; ``title`` is for people who point at it, but exact."""

_WROTE = re.compile(
    r"^(?:(?:zitat|quote)(?:\s+(?:von|from|by))?|originally posted by|(?:ursprünglich|original) geschrieben von)"
    r"[:\s]+(?P<late>.{1,60}?)\s*(?:[»:].*)?$"
    r"|^(?P<name>.{1,60}?)\s+(?:hat (?:folgendes )?geschrieben|schrieb|wrote|said|meinte|sagte)\b.*",
    re.IGNORECASE,
)
_BEFORE_NAME = re.compile(r"^\([^()]{0,60}\)\s*")
_AFTER_NAME = re.compile(r"\s+(?:am|on|um|at|vom)\s.{0,60}$")
_NEXT = frozenset({"next", "nächste", "nächste seite", "weiter", "»", "›", ">", "next page", "next >", "vor", "älter"})
_PREVIOUS = frozenset(
    {"prev", "previous", "vorherige", "vorherige seite", "zurück", "«", "‹", "<", "previous page", "< prev"}
)
_REPEATED = re.compile(r"^(?:Re|AW|Antw)\s*:\s*", re.IGNORECASE)
_POST_ANCHOR = re.compile(r"(?:post|p|pid|msg)[-_]?(\d{1,18})", re.IGNORECASE)
_DIGITS = re.compile(r"\d{1,18}")
_LOGIN = "form[action*='login'] input[type=password], form[action*='signin'] input[type=password], form#login"
_COUNT = re.compile(
    r"(\d{1,3}(?:[.,\u202f\u00a0 ]\d{3})+|\d{1,9}(?:[.,]\d)?(?=\s?[kKmM]\b)|\d{1,9})(?:\s?([kKmM])\b)?(?!\S*[:/])"
)


def _no_name(post: Element) -> str | None:
    return None


def _no_id(post: Element, base: str) -> str | None:
    return None


def _no_url(url: str, number: str) -> str | None:
    return None


def _itself(post: Element) -> Element:
    return post


@dataclass(frozen=True, kw_only=True)
class Markup:
    """How the pages of one program are written. Selectors are CSS; the first match counts unless said otherwise."""

    name: str
    marks: str
    """Any of these makes a page one of this program."""
    posts: str
    number: Callable[[Element], str | None]
    """Number of a post, of its element; None where it is no post."""
    content: str
    """The post's own words, within it."""
    author: str
    author_of: Callable[[Element], str | None] = _no_name
    """Author by an attribute, where there is one."""
    author_id: Callable[[Element, str], str | None] = _no_id
    around: Callable[[Element], Element] = _itself
    """All of a post, where the selector of posts gives a part of it: there author and time are looked for."""
    times: str = "time[datetime]"
    """Places of the time; those behind ``||`` only where the ones before hold none."""
    quotes: str = "blockquote"
    drop: str = ""
    skip: str = ""
    """Posts that match are no posts: deleted, adverts, hidden."""
    position: str = ""
    post_title: str = ""
    staff: str = ""
    """Within a post: its author is one of the house."""
    title: str = "h1"
    post_link: str = ""
    """Within a post: the link to itself."""
    post_url: Callable[[str, str], str | None] = _no_url
    """(address of the page, number) → address of a post whose link does not stand there."""

    rows: str = ""
    row_id: Callable[[Element], str | None] = _no_name
    """Number of a row's thread, where its address does not tell it."""
    row_title: str = "a[href]"
    row_last: str = ""
    """Within a row: the cell of its newest post."""
    row_replies: str = ""
    sticky: str = ""
    """Rows that match, or lie within what matches, are kept on top."""
    boards: str = ""
    board_title: str = "a[href]"
    board_last: str = ""
    next_page: str = ""
    previous_page: str = ""


@dataclass(frozen=True)
class Sheet:
    """One page while it is read."""

    tree: Element
    url: str
    base: str
    now: datetime
    zone: ZoneInfo
    order: Order = "DMY"
    shown: Order | None = None
    """Order of day and month that the page shows beyond doubt."""

    def date(self, text: str | None) -> Published:
        return parse_date(text, self.now, self.zone, order=self.order)

    def moment(self, element: Element) -> Published:
        """The time an element shows, by machine attributes of its own or within it, or else by its words."""
        marked = select(element, "time, abbr[title], span[title], [datetime], [data-time], [data-timestamp], [date]")
        for one in [element, *marked[:4]]:
            found = self._machine(one)
            if found.at is not None or found.upper is not None:
                return found
        return self.date(one_line(element).replace("\N{NO-BREAK SPACE}", " "))

    def _machine(self, element: Element) -> Published:
        for name in MACHINE:
            value = (element.get(name) or "").strip()
            if value:
                found = from_timestamp(value) if value.isdigit() and len(value) >= 9 else self.date(value)
                if found.at is not None or found.upper is not None:
                    return found
        return Published()


def sheet_of(page: PageFile, dates: str = "") -> Sheet:
    """A page ready to be read; ``dates``: where the order of day and month can be learnt."""
    tree = tree_of(page)
    texts: Iterable[str] = ()
    if dates:
        shown = select(tree, dates)[:MAX_POSTS]
        texts = [*(one_line(one) for one in shown), *(one.get("title") or "" for one in shown)]
    evidence = shown_order(texts)
    order = evidence or page.order or usual_order(tree)
    return Sheet(tree, page.url, base_of(tree, page.url), page.now, page.zone, order, evidence)


def usual_order(tree: Element) -> Order:
    """The order of day and month that a page without evidence most likely has: that of its language."""
    lang = language(tree) or ""
    region = (tree.get("lang") or "").lower()
    return "MDY" if lang == "en" and not region.endswith(("gb", "au", "nz", "ie")) else "DMY"


def recognised(tree: Element | None, markup: Markup) -> bool:
    """Whether a page was made by this program."""
    return tree is not None and first(tree, markup.marks) is not None


def parse_forum(page: PageFile, markup: Markup) -> Parsed:
    """Posts of a thread page, rows of a list page, or what else it is and why. Never raises on any bytes."""
    if not page.body.strip():
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    dates = ", ".join(filter(None, (_within(markup.posts, markup.times), _within(markup.rows, markup.row_last))))
    sheet = sheet_of(page, dates)
    posts = tuple(_posts(sheet, markup))
    if posts:
        return thread_page(sheet, posts, markup)
    rows, boards = tuple(_rows(sheet, markup)), tuple(_boards(sheet, markup))
    if rows or boards:
        links, lang = paging(sheet, markup.next_page, markup.previous_page), language(sheet.tree)
        return Parsed(state=Answer.OK, threads=rows, boards=boards, links=links, lang=lang, order=sheet.shown)
    return nothing(sheet, markup)


def nothing(sheet: Sheet, markup: Markup) -> Parsed:
    """What a page without posts and rows is."""
    if first(sheet.tree, _LOGIN) is not None:
        said = one_line(first(sheet.tree, ".blockMessage, .blockrow, .standard_error, .error, p.error, .message"))[:200]
        return Parsed(state=Answer.GATED, reason=said or "the board asks for a login")
    if not recognised(sheet.tree, markup):
        return Parsed(state=Answer.LAYOUT_CHANGED, reason=f"this is no page of {markup.name}")
    return Parsed(state=Answer.EMPTY, reason="no posts and no threads on this page", lang=language(sheet.tree))


def language(tree: Element) -> str | None:
    """The language that a page declares."""
    return (tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or "")[:2].lower() or None


# --- posts ------------------------------------------------------------------------------------------------------


def thread_page(sheet: Sheet, posts: tuple[ParsedItem, ...], markup: Markup) -> Parsed:
    """Posts of one thread; a layout that has changed where too many lack time or author."""
    links = paging(sheet, markup.next_page, markup.previous_page)
    heading = first(sheet.tree, markup.title)
    title = one_line(heading) or _REPEATED.sub("", posts[0].title)
    thread = thread_of(sheet)
    reason = incomplete(posts)
    return Parsed(
        state=Answer.LAYOUT_CHANGED if reason else Answer.OK,
        reason=reason,
        items=tuple(msgspec.structs.replace(post, thread=thread) for post in posts),
        links=links,
        thread=thread,
        thread_title=title,
        lang=language(sheet.tree),
        first_page=not links.previous,
        order=sheet.shown,
    )


def incomplete(posts: tuple[ParsedItem, ...]) -> str:
    """Why posts are not whole; empty where they are."""
    timeless = sum(post.published.at is None and post.published.upper is None for post in posts)
    nameless = sum(post.author is None for post in posts)
    for what, lacking in (("time", timeless), ("author", nameless)):
        if lacking > (1 - ENOUGH) * len(posts):
            return f"{lacking} of {len(posts)} posts have no {what}"
    return ""


def thread_of(sheet: Sheet) -> str | None:
    """Id of the thread a page shows, from the addresses it gives for itself."""
    canonical = first(sheet.tree, "link[rel=canonical][href]")
    told = first(sheet.tree, "meta[property='og:url'][content]")
    urls = (
        absolute(sheet.base, canonical.get("href")) if canonical is not None else None,
        absolute(sheet.base, told.get("content")) if told is not None else None,
        sheet.url,
        *(absolute(sheet.base, one.get("href")) for one in select(sheet.tree, "h1 a[href], .threadtitle a[href]")[:5]),
    )
    found = (short(url) for url in urls if url)
    told_by_url = next((one.partition("-")[0] for one in found if one and one.startswith("t")), None)
    hidden = first(sheet.tree, "input[name=t][value], input[name=threadid][value], input[name=searchthreadid][value]")
    number = (hidden.get("value") or "").strip() if hidden is not None else ""
    return told_by_url or (f"t{number}" if number.isascii() and number.isdigit() and len(number) < 19 else None)


def short(url: str | None) -> str | None:
    """What a program calls the thing at an address, without its place: ``p453`` of ``/forum/ p453``."""
    named = native_id(url) if url else None
    return named.rpartition(" ")[2] if named else None


def _posts(sheet: Sheet, markup: Markup) -> Iterator[ParsedItem]:
    skipped = set(select(sheet.tree, markup.skip)) if markup.skip else set()
    seen: set[str] = set()
    for post in select(sheet.tree, markup.posts)[:MAX_POSTS]:
        number = markup.number(post)
        if number is None or number in seen or post in skipped:
            continue
        content = post if markup.content == ":self" else first(post, markup.content)
        if content is None:
            continue
        seen.add(number)
        yield _post(sheet, markup, post, number, content)


def _post(sheet: Sheet, markup: Markup, post: Element, number: str, content: Element) -> ParsedItem:
    whole = markup.around(post)
    author = markup.author_of(post) or one_line(first(whole, markup.author) if markup.author else None) or None
    author_id = markup.author_id(whole, sheet.base)
    published = time_within(sheet, whole, markup.times)
    found = select(content, markup.quotes) if markup.quotes else []
    quotes = outermost([quote for quote in found if quote is not content])
    parent_author, parent = answered(sheet, quotes)
    link = first(whole, markup.post_link) if markup.post_link else None
    url = clean_post_link(sheet.base, link.get("href"), number) if link is not None else None
    place = _DIGITS.search(one_line(first(whole, markup.position)).replace(".", "")) if markup.position else None
    staff = True if markup.staff and first(whole, markup.staff) is not None else None
    extract = own_words(content, quotes=quotes, drop=select(content, markup.drop) if markup.drop else ())
    return ParsedItem(
        kind=Kind.POST,
        id=f"p{number}",
        url=url or markup.post_url(sheet.url, number),
        author=author,
        author_id=author_id,
        title=one_line(first(whole, markup.post_title)) if markup.post_title else "",
        text=extract.text,
        published=published,
        parent=parent,
        parent_author=parent_author,
        position=int(place[0]) if place and len(place[0]) < 9 else None,
        quotes_removed=extract.quotes_removed,
        images=extract.images,
        staff=staff,
    )


def clean_post_link(base: str, href: str | None, number: str) -> str | None:
    """The address of a post without session; its fragment stays where that tells its own number."""
    url = absolute(base, href)
    if url is None:
        return None
    fragment = urlsplit(url).fragment
    clean = clean_link(base, href)
    return f"{clean}#{fragment}" if clean and fragment and number in fragment else clean


def time_within(sheet: Sheet, post: Element, css: str) -> Published:
    """The first time that one of the places holds; the most exact of a post's head."""
    for place in css.split(" || "):
        for element in select(post, place)[:12]:
            found = sheet.moment(element)
            if found.at is not None or found.upper is not None:
                return found
    return Published()


def outermost(elements: list[Element]) -> list[Element]:
    """Without those that lie within others of them."""
    every = set(elements)
    return [one for one in elements if not any(up in every for up in one.iterancestors())]


def answered(sheet: Sheet, quotes: list[Element]) -> tuple[str | None, str | None]:
    """Name and post id of who is quoted last, where the quote says it."""
    for quote in reversed(quotes):
        name = _quoted_name(quote)
        if name is None:
            continue
        links = (absolute(sheet.base, link.get("href")) for link in select(quote, "a[href]")[:5])
        own = quote.get("data-link") or quote.get("cite")
        told = [absolute(sheet.base, own)] if own else []
        numbers = [short(url) for url in (*told, *links) if url]
        source = _DIGITS.search(quote.get("data-source") or "")
        parent = next((one for one in numbers if one and one.startswith("p")), f"p{source[0]}" if source else None)
        return name, parent
    return None, None


def _quoted_name(quote: Element) -> str | None:
    for name in ("data-quote", "data-author", "author", "data-username", "data-ipsquote-username"):
        if quote.get(name):
            return str(quote.get(name)).strip()[:100] or None
    head = first(
        quote,
        "cite, .bbCodeBlock-title, .attribution, .quoteBoxTitle, .bbcode_postedby, .quoteheader, .quote_author,"
        " .quotetitle, .ipsQuote_citation, .citation, .QuoteAuthor, td.alt2 > div",
    )
    if head is None and quote.getprevious() is not None and "quoteheader" in (quote.getprevious().get("class") or ""):
        head = quote.getprevious()
    if head is None:
        return None
    line = _BEFORE_NAME.sub("", one_line(head))
    wrote = _WROTE.match(line)
    if wrote is None:
        return None
    strong = one_line(first(head, "strong, b"))
    name = strong if strong and strong in line else _AFTER_NAME.sub("", wrote["late"] or wrote["name"] or "")
    return name.strip(' :»"')[:100] or None


# --- lists ------------------------------------------------------------------------------------------------------


def _rows(sheet: Sheet, markup: Markup) -> Iterator[ThreadRow]:
    if not markup.rows:
        return
    kept = set(select(sheet.tree, markup.sticky)) if markup.sticky else set()
    seen: set[str] = set()
    for box in select(sheet.tree, markup.rows)[:MAX_POSTS]:
        sticky = box in kept or any(up in kept for up in box.iterancestors())
        cells = (markup.row_title, markup.row_last, markup.row_replies)
        row = row_of(sheet, box, *cells, "t", number=markup.row_id(box), sticky=sticky)
        if row is not None and row.id not in seen:
            seen.add(row.id)
            yield row


def _boards(sheet: Sheet, markup: Markup) -> Iterator[ThreadRow]:
    seen: set[str] = set()
    for box in select(sheet.tree, markup.boards)[:MAX_POSTS] if markup.boards else ():
        row = row_of(sheet, box, markup.board_title, markup.board_last, "", "f")
        if row is not None and row.id not in seen:
            seen.add(row.id)
            yield row


def row_of(
    sheet: Sheet,
    box: Element,
    title: str,
    last: str,
    replies: str,
    letter: str,
    *,
    number: str | None = None,
    sticky: bool = False,
) -> ThreadRow | None:
    """One row of a list: a thread (``t``), named by address or number, or a board (``f``), named by its address."""
    links = select(box, title)
    named = [(link, clean_link(sheet.base, link.get("href"))) for link in links[:8]]
    found = next(((link, url) for link, url in named if url and _is_row(url, letter)), None)
    if found is None and number:
        found = next(((link, url) for link, url in named if url and one_line(link)), None)
    if found is None:
        return None
    link, url = found
    name = short(url) if letter == "t" else urlsplit(url).path + "?" + urlsplit(url).query
    cell = first(box, last) if last else None
    newest, newest_url = _newest(sheet, cell)
    return ThreadRow(
        id=(name or f"t{number}").partition("-")[0] if letter == "t" else f"f:{name}"[:200],
        url=url,
        title=one_line(link),
        last_item=newest or (_stamp(sheet, cell) if letter == "f" else None),
        last_url=newest_url,
        last_time=_last_time(sheet, cell),
        replies=_replies(box, replies),
        sticky=sticky,
    )


def _is_row(url: str, letter: str) -> bool:
    named = short(url)
    return named.startswith("t") if named and letter == "t" else letter == "f" and named is None


def _newest(sheet: Sheet, cell: Element | None) -> tuple[str | None, str | None]:
    """Id and address of the newest post, as far as the cell links to it."""
    fallback = None
    for link in select(cell, "a[href]")[:10] if cell is not None else ():
        url = absolute(sheet.base, link.get("href"))
        named = short(url)
        anchor = _POST_ANCHOR.fullmatch(urlsplit(url or "").fragment)
        if url and (anchor or (named and named.startswith("p"))):
            clean = clean_link(sheet.base, link.get("href"))
            return (named if named and named.startswith("p") else f"p{anchor[1] if anchor else ''}"), clean
        if url and named and named.startswith("t"):
            fallback = fallback or clean_link(sheet.base, link.get("href"))
    return None, fallback


def _stamp(sheet: Sheet, cell: Element | None) -> str | None:
    """What tells a board's newest post from others, where nothing names it: its time."""
    at = _last_time(sheet, cell)
    return f"at {at.isoformat()}" if at else None


def _last_time(sheet: Sheet, cell: Element | None) -> datetime | None:
    if cell is None:
        return None
    marked = select(cell, "time, abbr, [data-time], [data-timestamp], woltlab-core-date-time, [title], .time, .date")
    for element in [*marked[:12], cell]:
        found = sheet.moment(element)
        if found.at is not None:
            return found.at
    return None


def _replies(box: Element, css: str) -> int | None:
    for cell in select(box, css)[:3] if css else ():
        found = _COUNT.search(one_line(cell))
        if found:
            times = {"k": 1_000, "m": 1_000_000}.get((found[2] or "").lower(), 1)
            plain = found[1].replace(",", ".") if times > 1 else re.sub(r"\D", "", found[1])
            return round(float(plain) * times)
    return None


# --- paging -----------------------------------------------------------------------------------------------------


def paging(sheet: Sheet, next_page: str = "", previous_page: str = "") -> Links:
    """Next and previous page: by the program's own marks, by ``rel``, else by the words of links."""
    return Links(next=_page(sheet, next_page, "next", _NEXT), previous=_page(sheet, previous_page, "prev", _PREVIOUS))


def _page(sheet: Sheet, css: str, rel: str, words: frozenset[str]) -> tuple[str, ...]:
    marks = f"link[rel={rel}][href], a[rel~={rel}][href]"
    if rel == "prev":
        marks += ", link[rel=previous][href], a[rel~=previous][href]"
    for link in select(sheet.tree, ", ".join(filter(None, (css, marks))))[:5]:
        url = _other_page(sheet, link)
        if url:
            return (url,)
    bars = select(sheet.tree, "[class*=pag] a[href], [class*=Pag] a[href], nav a[href], [id*=pag] a[href]")
    for link in bars[:200]:
        word = (one_line(link) or link.get("aria-label") or link.get("title") or "").strip().lower()
        url = _other_page(sheet, link) if word in words else None
        if url:
            return (url,)
    return ()


def _other_page(sheet: Sheet, link: Element) -> str | None:
    url = clean_link(sheet.base, link.get("href"))
    here = clean_link(sheet.base, sheet.url)
    same_host = url is not None and urlsplit(url).netloc == urlsplit(sheet.url).netloc
    canonical = first(sheet.tree, "link[rel=canonical][href]")
    known_host = canonical is not None and url is not None and urlsplit(url).netloc in canonical.get("href")
    return url if url and url != here and (same_host or known_host) else None


def _within(outer: str, inner: str) -> str:
    """Both selectors, one within the other, for all their alternatives."""
    if not outer or not inner:
        return ""
    inners = [one for part in inner.split(" || ") for one in part.split(",")]
    return ", ".join(f"{a.strip()} {b.strip()}" for a in outer.split(",") for b in inners)


def number_in(*attributes: str, pattern: str = r"(\d{1,18})$") -> Callable[[Element], str | None]:
    """A reader of a post's number from the first of its attributes that fits."""
    compiled = re.compile(pattern)

    def read(post: Element) -> str | None:
        for name in attributes:
            found = compiled.search(post.get(name) or "")
            if found:
                return found[1]
        return None

    return read


def id_of_link(css: str, pattern: str) -> Callable[[Element, str], str | None]:
    """A reader of an account's id from the address of its profile."""
    compiled = re.compile(pattern)

    def read(post: Element, base: str) -> str | None:
        for link in select(post, css)[:3]:
            found = compiled.search(link.get("href") or "")
            if found:
                return found[1]
        return None

    return read


def attribute_of(css: str, name: str) -> Callable[[Element, str], str | None]:
    """A reader of an account's id from an attribute."""

    def read(post: Element, base: str) -> str | None:
        holder = post if css == ":self" else first(post, css)
        value = holder.get(name) if holder is not None else None
        return value if value and value != "0" else None

    return read
