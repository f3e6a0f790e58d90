"""Pages of vBulletin boards to items and rows: versions 3, 4 and 5 or 6, with and without rewritten addresses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from crawlers.forum_pages import (
    MOST,
    Forum,
    count_of,
    forum_of,
    is_staff,
    list_page,
    nothing,
    number_in,
    own_address,
    paging,
    position_of,
    thread_page,
)
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem, ThreadRow
from crawlers.select import first, has_class, select
from crawlers.text import Element, one_line, own_words
from pipeline.item import Published
from pipeline.words import Answer, Kind

_DATES = (
    ".postdate, .userstats dd, td.thead, .lastpostdate, .threadlastpost dd, span.time, .b-post__timestamp, .post-date"
)
_QUOTED = re.compile(
    r"(?:Zitat von|Originally (?:posted|Posted) by|(?:Original |Ursprünglich )?geschrieben von|Quote from)\s+"
    r"(.{1,100}?)(?:\s+(?:Beitrag anzeigen|View Post)|$)",
    re.IGNORECASE,
)
_QUOTE_LABEL = re.compile(r"(?:Zitat|Quote|Originally posted by|Zitat von)\b.{0,80}:?$", re.IGNORECASE)
_DROP = (
    ".signature, .signaturecontainer, .lastedited, .editnote, .tapatalkSignatur, .b-post__edit, .post-signature,"
    " .bbcode_code_title, .bbcode_description, .attachments, .b-attachments, .thanks, .postfoot, .b-post-control,"
    " .ad, .adsbygoogle, .h-hide, .js-post-attachments, .bestAnswer_container"
)
_POST = r"(?:#post_?|[?&]p=|-post)([0-9]{1,12})"
_MEMBER = r"(?:[?&]u=|member(?:\.php[?/]|s/|/)?(?=[0-9])|userid=)([0-9]{1,12})"
_THREAD_ID = (
    r"show(?:thread|post)\.php[?/](?:[^#]*?&)?(?:t=)?([0-9]{1,12})(?:[-&#/]|$)",
    r"/threads/([0-9]{1,12})-",
    r"/t([0-9]{1,12})-[^/?#]*(?:\.html)?(?:[?#]|$)",
    r"/([0-9]{1,12})-[^/?#]+?(?:/page[0-9]+)?(?:\.html)?(?:[?#]|$)",
)
_PAST_WORDS = re.compile(r"\b(?:heute|gestern|today|yesterday)\b.{0,30}", re.IGNORECASE)


def parse_page(source: PageFile) -> Parsed:
    """Posts of a thread page, rows of a list page, or what else it is and why. Never raises on any bytes."""
    if not source.body.strip():
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    page = forum_of(source, _DATES)
    links = _paging(page)
    thread, title = _thread(page), _title(page)
    posts = tuple(_posts(page)) or tuple(_table_posts(page)) or tuple(_node_posts(page))
    if posts:
        return thread_page(page, posts, links, thread=thread, title=title)
    return list_page(page, _rows(page), _boards(page), links) or _nothing(page)


def looks_like(tree: Element) -> bool:
    """Whether a page was made by vBulletin."""
    marks = (
        "meta[name=generator][content*='vBulletin'], html#vbulletin_html, div[id^='post_message_'], li.threadbit,"
        " td[id^='td_threadtitle_'], li.forumbit_post, li.b-post[data-node-id], tr.topic-item, .js-post__content-text,"
        " td.alt1Active[id^='f'], #vbcurrent_page, link[href*='vbulletin_css'], script[src*='vbulletin_global'],"
        " meta#e_vb_meta_bburl, #vb-page-body"
    )
    return tree.get("id") == "vbulletin_html" or first(tree, marks) is not None


def _nothing(page: Forum) -> Parsed:
    css = ".standard_error, td.panelsurround, .blockrow.restore, #threads_none, .panel, .error-page"
    said = first(page.tree, css)
    in_the_way = first(page.tree, ".standard_error input[type=password], td.panelsurround input[type=password]")
    is_thread = first(page.tree, "#posts, #postlist, ol.posts, .conversation-list.list-container") is not None
    return nothing(
        page, "vBulletin", known=looks_like(page.tree), thread=is_thread, login=in_the_way is not None, said=said
    )


# --- posts ------------------------------------------------------------------------------------------------------


def _posts(page: Forum) -> Iterator[ParsedItem]:
    """Posts of version 4: list items; the boxes of thanks beside them have ids of the same beginning."""
    seen: set[str] = set()
    for box in select(page.tree, "li[id^='post_'], div.postcontainer[id^='post_'], li.postbit[id^='post']")[:MOST]:
        number = number_in(box.get("id"), r"^post_?([0-9]{1,12})$")
        if number is None or number in seen:
            continue
        deleted = has_class(box, "postbitdeleted", "deleted")
        body = first(box, "blockquote.postcontent, [id^='post_message_'], .postcontent, .content")
        if body is None and not deleted:
            continue
        seen.add(number)
        yield _post(
            page, number, box, body,
            author=_named(box, (".username_container .username", "a.username", ".username", ".username_container")),
            published=_first_date(page, box, ".postdate .date, .posthead .date, .date, .postdate, .userstats dd"),
            counter=first(box, "a.postcounter, .postcounter, .nodecontrols a[name]"),
            title=one_line(first(box, "h2.title, .posttitle, .title.icon")),
            deleted=deleted,
        )  # fmt: skip


def _table_posts(page: Forum) -> Iterator[ParsedItem]:
    """Posts of version 3: a table with a header row, the author's cell and ``post_message_N``."""
    seen: set[str] = set()
    for body in select(page.tree, "[id^='post_message_']")[:MOST]:
        number = number_in(body.get("id"), r"^post_message_([0-9]{1,12})$")
        if number is None or number in seen:
            continue
        seen.add(number)
        box = _table_of(body, number)
        title = next(
            (
                one_line(sibling)
                for sibling in body.itersiblings("div", preceding=True)
                if first(sibling, "strong") is not None
            ),
            "",
        )
        yield _post(
            page, number, box, body,
            author=_named(box, ("a.bigusername", ".bigusername", f"#postmenu_{number}", ".username")),
            published=_first_date(page, box, "td.thead, .thead, .tcat, .postdate, .smallfont.date, td.alt2 .smallfont"),
            counter=first(box, "a[id^='postcount'], .thead a[name]"),
            title=title[:500],
        )  # fmt: skip


def _table_of(body: Element, number: str) -> Element:
    """All of a post: what carries its number, else the outermost table that holds this post alone."""
    best = body
    for up in body.iterancestors():
        if up.get("id") in (f"post{number}", f"edit{number}", f"post_{number}"):
            return up
        if up.tag == "table":
            if len(select(up, "[id^='post_message_']")[:2]) > 1:
                break
            best = up
    return best


def _node_posts(page: Forum) -> Iterator[ParsedItem]:
    """Posts of versions 5 and 6, comments on posts among them."""
    seen: set[str] = set()
    for box in select(
        page.tree, "[data-node-id].b-post, [data-node-id].b-comment, li.b-post[id], [data-node-id].list-item"
    )[:MOST]:
        given = number_in(box.get("data-node-id"), r"^([0-9]{1,12})$")
        number = given or number_in(box.get("id"), r"([0-9]{1,12})$")
        body = first(
            box,
            ".js-post__content-text, .js-comment__content-text, .b-post__content-text, .b-comment__content",
        )
        if number is None or number in seen or body is None:
            continue
        seen.add(number)
        time = page.time(first(box, "time[itemprop=dateCreated], .b-post__timestamp time, time[datetime]"))
        yield _post(
            page, number, box, body,
            author=_named(box, ("[itemprop=author] [itemprop=name]", ".author a", ".b-userinfo a", ".author")),
            published=time if time.at else _first_date(page, box, ".b-post__timestamp, .b-comment__timestamp"),
            counter=first(box, "a.b-post__count, .b-post__count"),
            title=one_line(first(box, ".b-post__title, .js-post-title")),
        )  # fmt: skip


def _post(
    page: Forum,
    number: str,
    box: Element,
    body: Element | None,
    *,
    author: tuple[str | None, str | None],
    published: Published,
    counter: Element | None,
    title: str,
    deleted: bool = False,
) -> ParsedItem:
    url = own_address(page, _permalink(box, number), number, _fallback(page, number))
    staff = is_staff(select(box, ".usertitle, .b-userinfo__title, .rank, .userrank, .b-userinfo__rank")[:5])
    quotes = _quotes(body) if body is not None and not deleted else []
    answered, parent = _answered(quotes)
    extract = own_words(body, quotes=quotes, drop=_extras(body, quotes)) if body is not None and not deleted else None
    return ParsedItem(
        kind=Kind.POST,
        id=f"p{number}",
        url=url,
        author=author[0],
        author_id=author[1],
        title=title,
        text=extract.text if extract else "",
        published=published,
        parent=parent,
        parent_author=answered,
        position=_position(counter),
        quotes_removed=extract.quotes_removed if extract else 0,
        images=extract.images if extract else 0,
        staff=staff,
        deleted=deleted,
    )


def _permalink(box: Element, number: str) -> Element | None:
    links = select(
        box, f"a.postcounter[href], a.b-post__count[href], a[id='postcount{number}'], a[href*='post{number}']"
    )
    return next((link for link in links if re.search(rf"post_?{number}\b", link.get("href") or "")), None)


def _fallback(page: Forum, number: str) -> str:
    """``showthread.php?p=N`` where the board has it, else the thread's own address with the number of the post."""
    root = first(page.tree, "meta#e_vb_meta_bburl")
    newer = first(page.tree, ".js-post__content-text, li.b-post") is not None
    if newer:
        plain = re.sub(r"/page[0-9]+/?$", "", re.split(r"[?#]", page.url)[0])
        return f"{plain}?p={number}#post{number}"
    base = (root.get("content") or "").rstrip("/") + "/" if root is not None else ""
    friendly = re.match(r"(https?://[^?#]*?/)threads/[0-9]", page.url)
    base = base if base.startswith("http") else friendly[1] if friendly else ""
    return f"{base}showthread.php?p={number}#post{number}"


def _named(box: Element, places: tuple[str, ...]) -> tuple[str | None, str | None]:
    """Name and number of the author."""
    for css in places:
        shown = first(box, css)
        name = one_line(shown)[:200]
        if shown is not None and name:
            link = (
                shown if shown.tag == "a" else next(iter([*shown.iterancestors("a"), *select(shown, "a[href]")]), None)
            )
            who = number_in(link.get("href"), _MEMBER) if link is not None else None
            marked = first(box, "[data-userid], [data-user-id]")
            given = (marked.get("data-userid") or marked.get("data-user-id")) if marked is not None else None
            return name, who or number_in(given, r"^([1-9][0-9]{0,11})$")
    return None, None


def _first_date(page: Forum, box: Element, css: str) -> Published:
    for place in select(box, css)[:15]:
        line = one_line(place)
        if 5 <= len(line) <= 120 and any(sign.isdigit() for sign in line):
            found = page.date(re.sub(r"#\s?[0-9.,]+|^\W+", " ", line).strip())
            if found.at is not None or found.upper is not None:
                return found
    return Published()


def _position(counter: Element | None) -> int | None:
    if counter is None:
        return None
    shown = position_of(one_line(counter))
    return shown if shown is not None else position_of(counter.get("name") or "")


# --- quotes -----------------------------------------------------------------------------------------------------


def _quotes(body: Element) -> list[Element]:
    """Quotes in the markup of all versions: marked boxes, and the tables of version 3 under the word "Zitat:"."""
    found = [
        quote
        for quote in select(
            body, ".bbcode_container, .bbcode_quote, .quote_container, blockquote.quote, .b-bbcode__quote, .quote"
        )
        if not has_class(quote, "bbcode_container") or first(quote, ".bbcode_quote, .quote_container") is not None
    ]
    for label in select(body, "div > div.smallfont")[:500]:
        box = label.getparent()
        if _QUOTE_LABEL.match(one_line(label)[:120]) and box is not body and first(box, "table") is not None:
            found.append(box)
    return found


def _answered(quotes: list[Element]) -> tuple[str | None, str | None]:
    """Name and post of who is quoted last, quotes within quotes left out."""
    for quote in reversed(quotes[:100]):
        if any(other in quote.iterancestors() for other in quotes[:100]):
            continue
        head = first(quote, ".bbcode_postedby, td.alt2 > div, .b-bbcode__quote-author")
        said = _QUOTED.search(one_line(head)[:200])
        bold = first(head, "strong") if head is not None else None
        name = one_line(bold)[:100] or (said[1].strip(" :") if said else "")
        jump = first(head, "a[href]") if head is not None else None
        number = number_in(jump.get("href"), _POST) if jump is not None else None
        if (said and name) or number:
            return name or None, f"p{number}" if number else None
    return None, None


def _extras(body: Element, quotes: list[Element]) -> list[Element]:
    labels = [
        label for label in select(body, "div > div.smallfont")[:500]
        if re.match(r"(?:PHP[- ]|HTML[- ])?Code:?$", one_line(label)[:20], re.IGNORECASE)
    ]  # fmt: skip
    parts = [*select(body, _DROP), *labels]
    return [part for part in parts if not any(quote in part.iterancestors() for quote in quotes[:50])]


# --- thread -----------------------------------------------------------------------------------------------------


def _thread(page: Forum) -> str | None:
    canonical = first(page.tree, "link[rel=canonical]")
    head = first(page.tree, ".threadtitle a[href], .pagetitle h1 a[href], #pagetitle h1 a[href]")
    addresses = [element.get("href") for element in (canonical, head) if element is not None]
    number = next((found for at in [*addresses, page.url] if (found := _thread_number(at)) is not None), None)
    hidden = first(page.tree, "form[action*='search.php'] input[name=searchthreadid], input[name=t][value]")
    number = number or (number_in(hidden.get("value"), r"^([0-9]{1,12})$") if hidden is not None else None)
    return f"t{number}" if number else None


def _thread_number(address: str | None) -> str | None:
    if not address or "post" in address.rpartition("/")[2].partition("?")[2][:2]:
        return None
    return next((found for pattern in _THREAD_ID if (found := number_in(address, pattern)) is not None), None)


def _title(page: Forum) -> str:
    css = (
        ".threadtitle",
        "#pagetitle h1",
        ".pagetitle h1",
        "h1.b-page-title",
        "h1.main-title",
        ".b-post__title--starter",
        "td.navbar strong",
        "h1",
    )
    line = next((line for one in css if (line := one_line(first(page.tree, one)))), "")
    return re.sub(r"^(?:Thema|Thread|Topic)\s?:\s{1,3}", "", line)[:500]


def _paging(page: Forum) -> Links:
    return paging(
        page,
        ".pagination, .threadpagenav, .pagenav, .pagenav-controls",
        ".selected, td.alt2 strong, .pagenav strong, .current, a.js-pagenav-button.primary, .b-button--primary",
        ".prev_next a[rel~=next][href], .pagenav a[rel~=next][href], a.js-pagenav-next-button[href]:not(.h-disabled)",
        ".prev_next a[rel~=prev][href], .pagenav a[rel~=prev][href], a.js-pagenav-prev-button[href]:not(.h-disabled)",
    )


# --- lists ------------------------------------------------------------------------------------------------------


def _rows(page: Forum) -> Iterator[ThreadRow | None]:
    css = "li.threadbit, li[id^='thread_'], a[id^='thread_title_'], tr.topic-item, .topic-item[data-node-id]"
    for box in select(page.tree, css)[:MOST]:
        if box.tag == "a":
            box = next((up for up in box.iterancestors("tr", "li")), None)
        yield _row(page, box) if box is not None else None


def _row(page: Forum, box: Element) -> ThreadRow | None:
    link = first(box, "a[id^='thread_title_'], a.title[href], a.topic-title[href], .threadtitle a[href]")
    url = page.link(link)
    if link is None or url is None:
        return None
    number = (
        number_in(link.get("id"), r"^thread_title_([0-9]{1,12})$")
        or number_in(box.get("id"), r"^thread_([0-9]{1,12})$")
        or number_in(box.get("data-node-id"), r"^([0-9]{1,12})$")
        or _thread_number(url)
    )
    if number is None:
        return None
    last = first(box, ".threadlastpost, .cell-lastpost, .lastpost")
    newest = _newest(last if last is not None else box, f"p{number}")
    return ThreadRow(
        id=f"t{number}",
        url=re.sub(r"[?&]goto=[a-z]+", "", url),
        title=one_line(link),
        last_item=_post_of(newest),
        last_url=page.link(newest),
        last_time=_last_time(page, last if last is not None else box),
        replies=_replies(box),
        sticky=_sticky(box),
    )


def _newest(box: Element, own: str) -> Element | None:
    """The link to the newest post: the last one that names a post."""
    links = [link for link in select(box, "a[href*='post'], a[href*='p=']") if re.search(_POST, link.get("href") or "")]
    return links[-1] if links else first(box, "a.go-to-last-post[href], a[href*='goto=lastpost'], a.lastpostdate[href]")


def _post_of(link: Element | None) -> str | None:
    number = number_in(link.get("href"), _POST) if link is not None else None
    return f"p{number}" if number else None


def _last_time(page: Forum, box: Element) -> datetime | None:
    """By the time of day and the day before it; titles and names beside them may hold other dates."""
    machine = first(box, "time[datetime]")
    if machine is not None:
        return page.time(machine).at
    for clock in reversed(select(box, ".time")[-3:]):
        parent = clock.getparent()
        before = (parent.text or "") + " ".join(other.tail or "" for other in clock.itersiblings(preceding=True))
        found = page.date(f"{before[-60:]} {one_line(clock)}")
        if found.at is not None:
            return found.at
    line = one_line(first(box, ".lastpostdate, .post-date, .lastpost-date, .date"))
    said = _PAST_WORDS.search(line)
    return page.date(said[0] if said else line).at


def _replies(box: Element) -> int | None:
    for place in select(
        box, ".threadstats li, .posts-count, a[onclick*='who('], a[href*='whoposted'], .cell-count .posts-count"
    )[:4]:
        line = one_line(place)
        found = re.match(r"(?:Antworten|Replies|Responses)?\s?:?\s?([0-9][0-9.,]*)", line, re.IGNORECASE)
        if found:
            return count_of(found[1])
    for cell in select(box, "[title]")[:20]:
        found = re.search(
            r"(?:Antworten|Replies)\s?:\s?([0-9][0-9.,]*)", (cell.get("title") or "")[:200], re.IGNORECASE
        )
        if found:
            return count_of(found[1])
    return None


def _sticky(box: Element) -> bool:
    if (
        has_class(box, "sticky")
        or first(box, ".sticky, img[src*='sticky'], .js-topic-sticky, .topic-item--sticky") is not None
    ):
        return True
    said = one_line(first(box, ".prefix, [id^='td_threadtitle_'] > div"))
    return bool(re.match(r"(?:Wichtig|Sticky|Angepinnt|Ankündigung|Announcement)\s?:", said, re.IGNORECASE))


def _boards(page: Forum) -> Iterator[ThreadRow | None]:
    css = "li.forumbit_post, td[id^='f'], tr.forum-item, .forum-item[data-node-id]"
    return (_board(page, box) for box in select(page.tree, css)[:MOST])


def _board(page: Forum, box: Element) -> ThreadRow | None:
    cell = box
    number = number_in(box.get("id"), r"^f(?:orum)?([0-9]{1,9})$") or number_in(
        box.get("data-node-id"), r"^([0-9]{1,9})$"
    )
    link = first(
        cell,
        ".forumtitle a[href], a.forum-title[href], a[href*='forumdisplay'], strong > a[href], a[href]",
    )
    if link is not None and link.tag == "strong":
        link = link.getparent()
    url = page.link(link)
    if number is None or url is None or link is None:
        return None
    row = next((up for up in cell.iterancestors("tr")), cell) if cell.tag == "td" else cell
    newest = _newest(row, "")
    return ThreadRow(
        id=f"f{number}",
        url=url,
        title=one_line(link),
        last_item=_post_of(newest),
        last_url=page.link(newest),
        last_time=_last_time(page, row),
    )
