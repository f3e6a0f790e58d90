"""Pages of phpBB boards to items and rows: prosilver (3.x) and the older table styles (phpBB 2, subsilver2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from math import gcd
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from crawlers.contents import says_gone
from crawlers.dates import Order, parse_date
from crawlers.generic_pages import parse_generic
from crawlers.order import order_of
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem, ThreadRow
from crawlers.select import absolute, base_of, clean_link, first, has_class, parameter, select, tree_of
from crawlers.text import Element, Extract, collapse, one_line, own_words, remove, text_of
from crawlers.threads import lacking
from pipeline.item import Published
from pipeline.words import Answer, Kind

_POST_ID = re.compile(r"(?:post[-_]?)?(?:p[-_]?)?(\d{1,12})")
_WROTE = re.compile(
    r"^(?P<name>.{1,60}?)\s+(?:hat (?:folgendes )?geschrieben|schrieb|wrote|has written)\b.*", re.IGNORECASE
)
_POSTED = re.compile(r"(?:Posted|Verfasst(?: am)?|Geschrieben)\s*:?\s*(.{6,60})", re.IGNORECASE)
_SUBJECT = re.compile(r"(?:Post subject|Betreff(?: des Beitrags)?|Titel)\s*:\s*(.*)", re.IGNORECASE)
_PAGE_OF = re.compile(r"(?:Page|Seite)\s+(\d+)\s+(?:of|von)\s+(\d+)", re.IGNORECASE)
_DATED = "p.author, .author, .lastpost, .postdetails, .gensmall, .topicdetails, .genmed"
_POSTS = "div.post[id], article.post[id], li.post[id], section.post[id], div[id^='post-p'], article[id^='post-p']"
_CONTENTS = ("div.content, .postbody .content", ".post-content, .post-text, .message-content, .post_text", ".postbody")
"""Where a post's words stand: in prosilver, in skins of its like, and in those that have no place for words alone."""
_AROUND = ".author, h3, .post-buttons, .profile-icons, .postprofile, .post-head, .post-header, .post-meta, .post-date"
"""Beside the words in a skin that has no place for words alone."""
_AUTHORS = (
    "p.author .username, p.author .username-coloured, p.author strong",
    ".postprofile .username, .postprofile .username-coloured, .postprofile dt strong",
    ".username, .username-coloured, .user-name, .post-author, .author-name, .author a, a[href*='mode=viewprofile']",
    "[class*=username], .author",
)
_NEXT = frozenset({"next", "nächste", "weiter", "»", "›"})
_PREVIOUS = frozenset({"previous", "vorherige", "zurück", "«", "‹"})
_ANNOUNCED = re.compile(r"^\s*(?:announcement|ankündigung|bekanntmachung|sticky|wichtig|global announcement)\s*:", re.I)


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    """What all readers of one page need."""

    tree: Element
    url: str
    base: str
    now: datetime
    zone: ZoneInfo
    order: Order = "DMY"

    def date(self, text: str | None) -> Published:
        return parse_date(text, self.now, self.zone, order=self.order)


def parse_page(source: PageFile) -> Parsed:
    """Posts of a thread page, rows of a list page, or what else it is and why. Never raises on any bytes."""
    if not source.body.strip():
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    tree = tree_of(source)
    dated = [one_line(element) for element in select(tree, _DATED)]
    shown = order_of(source, dated, tree.get("lang"))
    page = _Page(
        tree=tree,
        url=source.url,
        base=base_of(tree, source.url),
        now=source.now,
        zone=_zone(tree) or source.zone,
        order=shown.order,
    )
    parsed = _read(page)
    if parsed.state is Answer.EMPTY:
        parsed = _strange(source, page) or parsed
    return msgspec.structs.replace(parsed, order=shown.evidence)


def _strange(source: PageFile, page: _Page) -> Parsed | None:
    """The posts of a skin that nobody knows, by the shape of the page."""
    found = parse_generic(msgspec.structs.replace(source, zone=page.zone))
    if found.state is not Answer.OK or not found.items:
        return None
    posts = tuple(
        msgspec.structs.replace(post, url=_post_url(page, post.id[1:]) or post.url) if post.id[1:].isdigit() else post
        for post in found.items
    )
    return msgspec.structs.replace(_thread_page(page, posts), thread_title=found.thread_title)


def _read(page: _Page) -> Parsed:
    posts = tuple(_prosilver_posts(page)) or tuple(_table_posts(page))
    topics, boards = _topics(page), _boards(page)
    if posts:
        return _thread_page(page, posts)
    if topics or boards:
        links = _paging(page, "viewforum.php", "f") or _paging(page, "search.php", "search_id") or Links()
        return Parsed(state=Answer.OK, threads=topics, boards=boards, links=links, lang=_lang(page.tree))
    return _nothing(page.tree)


def looks_like(tree: Element) -> bool:
    """Whether a page was made by phpBB."""
    marks = "body#phpbb, ul.topiclist, a.topictitle, span.postbody, a.forumtitle, a.forumlink, .postauthor"
    told = "meta[name=copyright][content*='phpBB'], .copyright a[href*='phpbb.com'], footer a[href*='phpbb.com'],"
    told += " #page-footer a[href*='phpbb.com'], #footer a[href*='phpbb.com']"
    return first(tree, f"{marks}, {told}") is not None


def _nothing(tree: Element) -> Parsed:
    said = one_line(first(tree, "#message, .panel .content, td.row1 .gen, .forumbg + .panel, .panel"))[:200]
    if first(tree, "form[action*='mode=login'] input[type=password], form#login input[type=password]") is not None:
        return Parsed(state=Answer.GATED, reason=said or "the board asks for a login")
    if not looks_like(tree):
        return Parsed(state=Answer.LAYOUT_CHANGED, reason="this is no page of a phpBB board")
    return Parsed(state=Answer.EMPTY, reason=said or "no posts and no topics on this page", lang=_lang(tree))


def _lang(tree: Element) -> str | None:
    return (tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang") or "")[:2].lower() or None


def _zone(tree: Element) -> ZoneInfo | None:
    """The zone of the board's times as its footer names it: ``<span title="Europe/Berlin">UTC+1</span>``."""
    for span in select(tree, "span[title*='/'], span[title='UTC']"):
        if one_line(span).startswith("UTC"):
            try:
                return ZoneInfo(span.get("title"))
            except (KeyError, ValueError, OSError):
                return None
    return None


# --- posts ------------------------------------------------------------------------------------------------------


def _thread_page(page: _Page, posts: tuple[ParsedItem, ...]) -> Parsed:
    links = _paging(page, "viewtopic.php", "t") or Links()
    head = first(
        page.tree, "h2.topic-title a, h2 a[href*='viewtopic.php'], a.maintitle, .maintitle, h2.topic-title, h2"
    )
    thread = _thread_id(page, head)
    title = one_line(head) or _own_title(posts[0])
    reason = lacking(posts)
    return Parsed(
        state=Answer.LAYOUT_CHANGED if reason else Answer.OK,
        reason=reason,
        items=tuple(msgspec.structs.replace(post, thread=thread) for post in posts),
        links=links,
        thread=thread,
        thread_title=title,
        lang=_lang(page.tree),
        first_page=not links.previous,
    )


def _own_title(post: ParsedItem) -> str:
    return re.sub(r"^(?:Re|AW|Antw)\s*:\s*", "", post.title, flags=re.IGNORECASE)


def _thread_id(page: _Page, head: Element | None) -> str | None:
    canonical = first(page.tree, "link[rel=canonical]")
    hidden = first(page.tree, "#topic-search input[name=t], form[action*='search.php'] input[name=t]")
    candidates = (
        parameter(absolute(page.base, head.get("href")), "t") if head is not None else None,
        hidden.get("value") if hidden is not None else None,
        parameter(canonical.get("href"), "t") if canonical is not None else None,
        parameter(page.url, "t"),
    )
    number = next((one for one in candidates if one and one.isdigit()), None)
    return f"t{number}" if number else None


def _prosilver_posts(page: _Page) -> Iterator[ParsedItem]:
    for post in select(page.tree, _POSTS):
        number = _POST_ID.fullmatch(post.get("id"))
        content = next((found for css in _CONTENTS if (found := first(post, css)) is not None), None)
        if number is None or content is None:
            continue
        author = next((found for css in _AUTHORS if (found := first(post, css)) is not None and one_line(found)), None)
        printed, title = _prosilver_time(page, post), _prosilver_title(post)
        if has_class(content, "postbody"):
            for part in select(content, _AROUND):
                remove(part)
        yield _post(page, number[1], content, author, printed, title)


def _prosilver_time(page: _Page, post: Element) -> str | None:
    """The time over a post: for machines, in the line with the author, or wherever the skin has it."""
    line = _after_author(one_line(first(post, "p.author, .author")))
    if (time := first(post, "p.author time[datetime], .author time[datetime]")) is not None:
        return str(time.get("datetime"))
    if line and page.date(line).at is not None:
        return line
    shown = select(post, "time[datetime], abbr[title], .post-date, .postdate, .post-time, [class*=date], [class*=time]")
    texts = (text for one in shown[:8] for text in (one.get("datetime"), one.get("title"), one_line(one)) if text)
    return next((text for text in texts if page.date(text).at is not None), line or None)


def _after_author(line: str) -> str:
    """What stands behind "by X »" in the line over a post."""
    return re.split(r"[»«]", line)[-1] if re.search(r"[»«]", line) else line


def _prosilver_title(post: Element) -> str:
    return one_line(first(post, ".postbody h3 a, .postbody h3, h3.first"))


def _post(
    page: _Page, number: str, content: Element, author: Element | None, time: str | None, title: str
) -> ParsedItem:
    quotes = _quotes(content)
    answered, parent = _answered(page, quotes)
    extract = _extract(content, quotes)
    gone = says_gone(extract.text)
    return ParsedItem(
        kind=Kind.POST,
        id=f"p{number}",
        url=_post_url(page, number),
        author=one_line(author) or None,
        author_id=parameter(_profile(page, author), "u"),
        title=title,
        text="" if gone else extract.text,
        published=page.date(time),
        deleted=gone,
        parent=parent,
        parent_author=answered,
        quotes_removed=extract.quotes_removed,
        images=extract.images,
        media=extract.media,
    )


def _post_url(page: _Page, number: str) -> str | None:
    return clean_base(page.base, f"viewtopic.php?p={number}", number)


def clean_base(base: str, script: str, number: str) -> str | None:
    """The shortest address of a post on the board a page belongs to."""
    url = clean_link(base, script)
    return f"{url}#p{number}" if url else None


def _profile(page: _Page, author: Element | None) -> str | None:
    if author is None:
        return None
    link = author if author.tag == "a" else first(author, "a[href]")
    return absolute(page.base, link.get("href")) if link is not None else None


def _quotes(content: Element) -> list[Element]:
    """Quotes in the markup of all styles; the titles over old quotes belong to them."""
    found = select(content, "blockquote, .quotecontent, .quotewrapper, td.quote")
    return [_table_of(quote) if quote.tag == "td" else quote for quote in found]


def _table_of(cell: Element) -> Element:
    return next((parent for parent in cell.iterancestors("table")), cell)


def _answered(page: _Page, quotes: list[Element]) -> tuple[str | None, str | None]:
    """Name and post id of who is quoted last, where the quote says it; quotes within quotes do not count."""
    outer = [quote for quote in quotes if not any(other in quote.iterancestors() for other in quotes)]
    for quote in reversed(outer):
        head = first(quote, "cite, .quotetitle, .genmed b")
        if head is None and quote.getprevious() is not None and has_class(quote.getprevious(), "quotetitle"):
            head = quote.getprevious()
        wrote = _WROTE.match(one_line(head))
        if wrote:
            link = first(head, "a[data-post-id]") if head is not None else None
            jump = first(head, "a[href*='p=']") if head is not None else None
            number = link.get("data-post-id") if link is not None else None
            number = number or (parameter(absolute(page.base, jump.get("href")), "p") if jump is not None else None)
            return wrote["name"].strip(), f"p{number}" if number and number.isdigit() else None
    return None, None


def _extract(content: Element, quotes: list[Element]) -> Extract:
    drop = select(
        content, ".signature, .notice, dl.attachbox, .attachbox, .quotetitle, .codebox > p, .codetitle, .codehead"
    )
    kept = [part for part in drop if not any(quote in part.iterancestors() for quote in quotes)]
    return own_words(content, quotes=quotes, drop=kept)


class _Row:
    """A post of the table styles while its cells are met one after the other."""

    def __init__(self, number: str) -> None:
        self.number = number
        self.author: Element | None = None
        self.time: str | None = None
        self.title = ""
        self.body: Element | None = None

    def take(self, node: Element) -> None:
        if self.author is None and has_class(node, "postauthor", "name", "postauthor-coloured"):
            self.author = node
        elif self.body is None and has_class(node, "postbody"):
            self.body = node
        elif self.time is None and has_class(node, "postdetails", "gensmall"):
            line = collapse(text_of(node)).replace("\n\n", " ")
            posted = _POSTED.search(line)
            subject = _SUBJECT.search(line)
            self.time = posted[1] if posted else None
            self.title = self.title or (re.split(_POSTED, subject[1])[0].strip() if subject else "")


def _table_posts(page: _Page) -> Iterator[ParsedItem]:
    """Posts of phpBB 2 and subsilver2: an anchor with the number, then name, time and body in later cells."""
    if first(page.tree, ".postbody") is None:
        return
    rows: list[_Row] = []
    for node in page.tree.iter("a", "b", "span", "td", "div", "p"):
        anchor = _POST_ID.fullmatch(node.get("name") or "") if node.tag == "a" else None
        if anchor is not None:
            rows.append(_Row(anchor[1]))
            rows[-1].take(node.getparent())
        elif rows:
            rows[-1].take(node)
    for row in rows:
        if row.body is not None:
            body = row.body.getparent() if row.body.tag == "span" and row.body.getparent().tag == "td" else row.body
            for note in select(body, "span.gensmall"):
                note.text, note[:] = "", []
            yield _post(page, row.number, body, row.author, row.time, row.title)


# --- lists ------------------------------------------------------------------------------------------------------


def _topics(page: _Page) -> tuple[ThreadRow, ...]:
    rows: dict[str, ThreadRow] = {}
    for link in select(page.tree, "a.topictitle[href]"):
        row = _row(page, link, "t")
        if row is not None:
            rows.setdefault(row.id, row)
    for hit in select(page.tree, "div.search.post"):
        row = _hit(page, hit)
        if row is not None:
            rows.setdefault(row.id, row)
    return tuple(rows.values())


def _hit(page: _Page, hit: Element) -> ThreadRow | None:
    """A post among the board's search results, as the row of its thread."""
    link = first(hit, ".postprofile a[href*='t=']")
    post = first(hit, ".postbody h3 a[href*='p='], .searchresults a[href*='p=']")
    number = parameter(absolute(page.base, link.get("href")), "t") if link is not None else None
    if link is None or post is None or not number or not number.isdigit():
        return None
    last_url = clean_link(page.base, post.get("href"))
    last = parameter(last_url, "p")
    return ThreadRow(
        id=f"t{number}",
        url=clean_link(page.base, f"viewtopic.php?t={number}") or page.url,
        title=one_line(link),
        last_item=f"p{last}" if last and last.isdigit() else None,
        last_url=last_url,
        last_time=page.date(one_line(first(hit, ".search-result-date"))).at,
    )


def _boards(page: _Page) -> tuple[ThreadRow, ...]:
    found = (_row(page, link, "f") for link in select(page.tree, "a.forumtitle[href], a.forumlink[href]"))
    return tuple({row.id: row for row in found if row is not None}.values())


def _row(page: _Page, link: Element, letter: str) -> ThreadRow | None:
    url = absolute(page.base, link.get("href"))
    number = parameter(url, letter)
    script = "viewtopic.php" if letter == "t" else "viewforum.php"
    if not number or not number.isdigit() or not urlsplit(url or "").path.endswith(script):
        return None
    box = next((up for up in link.iterancestors("li", "tr")), link.getparent())
    newest = _newest(page, box)
    last = parameter(newest, "p")
    return ThreadRow(
        id=f"{letter}{number}",
        url=clean_link(page.base, f"{script}?{letter}={number}") or page.url,
        title=one_line(link),
        last_item=f"p{last}" if last and last.isdigit() else None,
        last_url=newest,
        last_time=_last_time(page, box, link),
        replies=_replies(box),
        sticky=_is_sticky(box, link),
    )


def _newest(page: _Page, box: Element) -> str | None:
    links = select(box, ".lastpost a[href*='p='], a.lastsubject[href*='p=']") or select(
        box, "a[href*='viewtopic.php'][href*='p=']"
    )
    found = [url for link in links if (url := clean_link(page.base, link.get("href"))) and parameter(url, "p")]
    return found[-1] if found else None


def _last_time(page: _Page, box: Element, link: Element) -> datetime | None:
    machine = first(box, ".lastpost time[datetime]")
    if machine is not None:
        return page.date(machine.get("datetime")).at
    cells = select(box, "dd.lastpost, td.lastpost") or select(box, "p.topicdetails, span.postdetails, span.gensmall")
    for cell in reversed(cells):
        found = page.date(_last_line(one_line(cell)))
        if found.at is not None:
            return found.at
    return None


def _last_line(line: str) -> str:
    """The line of a last-post cell without the name: its words, from where a date begins."""
    clock = re.search(r"\d{1,2}[:.]\d{2}(?:\s*[ap]m)?", line, re.IGNORECASE)
    return line[max(0, clock.start() - 40) : clock.end() + 20] if clock else line


def _replies(box: Element) -> int | None:
    cell = first(box, "dd.posts, td.posts")
    cells = [cell] if cell is not None else select(box, "td.row2, p.topicdetails, span.postdetails")
    for one in cells:
        digits = re.match(r"([\d.,]{1,9})(?!\S*[:/])", one_line(one))
        if digits:
            return int(re.sub(r"\D", "", digits[1]) or 0)
    return None


def _is_sticky(box: Element, link: Element) -> bool:
    names = (box.get("class") or "").lower()
    if "sticky" in names or "announce" in names:
        return True
    icon = first(box, "dl")
    if icon is not None and re.search(r"sticky|announce", f"{icon.get('class') or ''} {icon.get('style') or ''}"):
        return True
    before = one_line(link.getparent()) if link.getparent() is not None else ""
    return bool(_ANNOUNCED.match(before))


# --- paging -----------------------------------------------------------------------------------------------------


def _paging(page: _Page, script: str, key: str) -> Links | None:
    """Next and previous page of this thread or board; None where the page has no paging of that kind."""
    starts: dict[int, str] = {}
    named: dict[str, str] = {}
    own = parameter(page.url, key) or _main_number(page, script, key)
    for link in select(page.tree, "a[href*='start='], .pagination a[href], a[rel=next], a[rel=prev], link[rel=next]"):
        url = clean_link(page.base, link.get("href"))
        if url is None or not urlsplit(url).path.endswith(script) or _other(url, key, own):
            continue
        word = one_line(link).lower()
        starts[int(_digits(parameter(url, "start")) or 0)] = url
        if link.get("rel") == "next" or word in _NEXT or _within(link, "next"):
            named["next"] = url
        elif link.get("rel") in ("prev", "previous") or word in _PREVIOUS or _within(link, "previous"):
            named["previous"] = url
    if not starts:
        return None
    return _neighbours(page, starts, named)


def _other(url: str, key: str, own: str | None) -> bool:
    return own is not None and parameter(url, key) not in (None, own)


def _main_number(page: _Page, script: str, key: str) -> str | None:
    """Number of the thread or board a page shows, where its address names a post instead."""
    if key != "t":
        return None
    head = first(page.tree, "h2.topic-title a, h2 a[href*='viewtopic.php'], a.maintitle")
    return parameter(absolute(page.base, head.get("href")), key) if head is not None else None


def _within(link: Element, name: str) -> bool:
    return link.getparent() is not None and has_class(link.getparent(), name)


def _digits(text: str | None) -> str | None:
    return text if text and text.isascii() and text.isdigit() and len(text) < 10 else None


def _neighbours(page: _Page, starts: dict[int, str], named: dict[str, str]) -> Links:
    """Named links where the board has them; else by the number of the page shown."""
    current = _current_start(page, starts)
    if "next" not in named and current is not None:
        later = [start for start in starts if start > current]
        named |= {"next": starts[min(later)]} if later else {}
    if "previous" not in named and current:
        earlier = [start for start in starts if start < current]
        named |= {"previous": starts[max(earlier)]} if earlier else {}
    return Links(
        next=(named["next"],) if "next" in named else (),
        previous=(named["previous"],) if "previous" in named else (),
    )


def _current_start(page: _Page, starts: dict[int, str]) -> int | None:
    given = _digits(parameter(page.url, "start"))
    if given is not None:
        return int(given)
    shown = first(page.tree, ".pagination li.active")
    place = _digits(one_line(shown)) if shown is not None else None
    if place is None:
        said = _PAGE_OF.search(" ".join(one_line(part) for part in select(page.tree, ".pagination, .nav, td.nav")[:4]))
        place = said[1] if said else None
    size = gcd(*starts) if starts else 0
    return (int(place) - 1) * size if place is not None else None
