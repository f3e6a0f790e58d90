"""Pages of WoltLab boards to items and rows: Suite 5 and 6, Burning Board 4 and 3."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

import msgspec

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
from crawlers.select import clean_link, first, has_class, select
from crawlers.text import Element, one_line, own_words
from pipeline.item import Published
from pipeline.words import Answer, Kind

_POSTS = (
    "article.message[data-object-id], article.message[data-post-id], article.wbbPost, .message[data-message-id],"
    " div.message[id^='postRow'], li[id^='post'] > article.message"
)
_QUOTES = "blockquote.quoteBox, woltlab-quote, blockquote.quote, .quoteBox, blockquote.container, blockquote"
_DROP = (
    ".quoteBoxExpand, .codeBoxHeader, .spoilerBoxHeader, .messageSignature, .attachmentThumbnailList,"
    " .messageFooterNotes, .messageFooterNote, .unfurlUrlCardContainer, .unfurlUrlCard, .unfurlLargeContentImage,"
    " .mediaBBCode, .messageVideoContainer, .wcfAdLocation, .signature, .editNote, .modificationNote,"
    " .toggleButton"
)
_TIMES = "woltlab-core-date-time[date], time[datetime], time[data-timestamp]"
_THREAD = r"(?:^|[/?])thread/([0-9]{1,12})|threadID=([0-9]{1,12})"
_CONVERSATION = r"(?:^|[/?])conversation/([0-9]{1,12})"
_ARTICLE = r"(?:^|[/?])article/([0-9]{1,12})"
_BOARD = r"(?:^|[/?])board/([0-9]{1,9})|boardID=([0-9]{1,9})"


def parse_page(source: PageFile) -> Parsed:
    """Posts of a thread page, rows of a list page, or what else it is and why. Never raises on any bytes."""
    if not source.body.strip():
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    page = forum_of(source, "time, .messageHeader .light, .columnLastPost .light, .columnLastPost small")
    links = _paging(page)
    posts = tuple(_posts(page))
    if posts:
        return thread_page(page, posts, links, thread=_thread(page), title=_title(page))
    article = _article(page)
    if article is not None:
        items = (article, *_comments(page, article.id))
        return thread_page(page, items, links, thread=article.id, title=article.title)
    return list_page(page, _rows(page), _boards(page), links) or _nothing(page)


def looks_like(tree: Element) -> bool:
    """Whether a page was made by WoltLab's software."""
    marks = (
        "body[data-application][data-template], body[id^='tpl_wcf_'], body[id^='tpl_wbb_'], woltlab-core-pagination,"
        " meta[name=generator][content*='WoltLab'], .wbbThread[data-thread-id], .wbbBoardContainer, article.wbbPost,"
        " #boardlist .boardlistInner, div.message[id^='postRow'], a[href*='woltlab.com'], a.wbbTopicLink"
    )
    return first(tree, marks) is not None


def _nothing(page: Forum) -> Parsed:
    body = first(page.tree, "body")
    name = f"{body.get('data-template') or ''} {body.get('id') or ''}" if body is not None else ""
    said = first(
        page.tree, "#content .error, main .error, woltlab-core-notice, p.error, .errorMessage, #content p.info, p.info"
    )
    login = bool(re.search(r"(?:^|[ _]|tpl)(?:login|permissionDenied)\b", name, re.IGNORECASE))
    is_thread = bool(re.search(r"(?:^|tpl_wbb_|tpl)thread\b", name, re.IGNORECASE))
    return nothing(page, "WoltLab", known=looks_like(page.tree), thread=is_thread, login=login, said=said)


def _id_in(text: str | None, pattern: str) -> str | None:
    """The first group that stands for a number in one of a pattern's ways."""
    found = re.search(pattern, text or "", re.IGNORECASE)
    return next((group for group in found.groups() if group), None) if found else None


# --- posts ------------------------------------------------------------------------------------------------------


def _posts(page: Forum) -> Iterator[ParsedItem]:
    seen: set[str] = set()
    for post in select(page.tree, _POSTS)[:MOST]:
        parent = post.getparent()
        named = (post.get("data-post-id"), post.get("data-object-id"), post.get("data-message-id"))
        number = next((one for one in named if re.fullmatch(r"[0-9]{1,12}", one or "")), None)
        number = number or number_in(
            post.get("id") or (parent.get("id") if parent is not None else ""), r"^post(?:Row)?([0-9]{1,12})$"
        )
        if number is not None and number not in seen:
            seen.add(number)
            yield _post(page, post, number)


def _post(page: Forum, post: Element, number: str) -> ParsedItem:
    permalink = _permalink(post)
    private = "messageID=" in ((permalink.get("href") if permalink is not None else "") or "")
    url = page.link(permalink) if private else own_address(page, permalink, number, _fallback(page, number))
    published, name, author_id = _time(page, post), _author(post), _author_id(post)
    deleted = has_class(post, "messageDeleted", "deleted")
    body = None if deleted else first(post, ".messageText, div[id^='postText'], .messageBody")
    quotes = [quote for quote in select(body, _QUOTES) if quote is not body] if body is not None else []
    answered, parent = _answered(quotes)
    extract = own_words(body, quotes=quotes, drop=_extras(body, quotes)) if body is not None else None
    classes = post.get("class") or ""
    return ParsedItem(
        kind=Kind.POST,
        id=f"message-{number}" if private else f"p{number}",
        url=f"{url}#message{number}" if private and url else url,
        author=name,
        author_id=author_id,
        title=one_line(first(post, "h3[id^='postTopic'], .messageHeader h1.messageTitle, .messageTitle"))[:500],
        text=extract.text if extract else "",
        published=published,
        parent=parent,
        parent_author=answered,
        position=_position(post),
        quotes_removed=extract.quotes_removed if extract else 0,
        images=extract.images if extract else 0,
        accepted=True if re.search(r"bestAnswer", classes, re.IGNORECASE) else None,
        staff=True if "Official" in classes else is_staff(select(post, ".userTitleBadge, .userTitle, .userRank")[:5]),
        deleted=deleted,
    )


def _permalink(post: Element) -> Element | None:
    css = "a.permalink[href], a.messagePublicationTime[href], .messageQuickOptions a[href*='#'], .messageNumber[href]"
    return first(post, f"{css}, a[href*='#post'], .messageHeader a[href*='postID=']")


def _fallback(page: Forum, number: str) -> str:
    url = re.sub(r"[?&](?:pageNo|action|postID)=[^&#]*", "", page.url.partition("#")[0])
    return f"{url}{'&' if '?' in url else '?'}postID={number}#post{number}"


def _extras(body: Element, quotes: list[Element]) -> list[Element]:
    return [part for part in select(body, _DROP) if not any(quote in part.iterancestors() for quote in quotes[:50])]


def _author(post: Element) -> str | None:
    places = (
        ".messageAuthor .username, .messageSidebar .username",
        ".messageAuthor a span, .messageHeader .username",
        "[itemprop=author] [itemprop=name], .messageHeader .userLink",
        ".messageAuthor",
    )
    for css in places:
        name = one_line(first(post, css))
        if name:
            return name[:200]
    return None


def _author_id(post: Element) -> str | None:
    if re.fullmatch(r"[1-9][0-9]{0,11}", post.get("data-user-id") or ""):
        return str(post.get("data-user-id"))
    link = first(
        post,
        ".messageAuthor a[href*='user'], .messageSidebar a[href*='user'], .userLink[href], [itemprop=author] a[href]",
    )
    return _id_in(link.get("href"), r"(?:^|[/?])user/([0-9]{1,12})|userID=([0-9]{1,12})") if link is not None else None


def _time(page: Forum, post: Element) -> Published:
    for css in (
        ".messagePublicationTime woltlab-core-date-time[date], .permalink woltlab-core-date-time[date]",
        ".messagePublicationTime time, .permalink time, .messageHeader time, .messageHeader woltlab-core-date-time",
        ".messageHeader .smallFont.light, .messageHeader .light, .messagePublicationTime",
    ):
        found = page.time(first(post, css))
        if found.at is not None or found.upper is not None:
            return found
    outside = (
        time
        for time in select(post, _TIMES)[:20]
        if not any(has_class(up, "messageText") for up in time.iterancestors())
    )
    return page.time(next(outside, None))


def _position(post: Element) -> int | None:
    marks = select(post, ".messageQuickOptions a, .messageNumber, .messageCounter, .messageHeader a[href*='#post']")
    return next((place for mark in marks[:10] if (place := position_of(one_line(mark))) is not None), None)


def _answered(quotes: list[Element]) -> tuple[str | None, str | None]:
    """Name and post of who is quoted last, quotes within quotes left out."""
    for quote in reversed(quotes[:100]):
        if any(other in quote.iterancestors() for other in quotes[:100]):
            continue
        head = first(quote, ".quoteBoxTitle, .quoteAuthor, .quoteHeader h3, header h3, .quoteHeader, header")
        line = one_line(head)
        said = re.match(r"(?:Zitat von|Quote from|Quoting|Citation de|Cita de)\s+(.{1,100})", line, re.IGNORECASE)
        name = (quote.get("author") or "").strip() or (said[1].strip(' „“"') if said else "")
        jump = first(head, "a[href]") if head is not None else None
        source = quote.get("cite") or quote.get("link") or (jump.get("href") if jump is not None else None)
        number = number_in(source, r"(?:postID=|#post)([0-9]{1,12})")
        message = number_in(source, r"(?:messageID=|#message)([0-9]{1,12})")
        if name or number or message:
            return name or None, f"p{number}" if number else f"message-{message}" if message else None
    return None, None


# --- articles and comments --------------------------------------------------------------------------------------


def _article(page: Forum) -> ParsedItem | None:
    canonical = first(page.tree, "link[rel=canonical]")
    box = first(page.tree, ".articleContent[data-object-id], .articleContent")
    if box is None:
        return None
    named = (
        box.get("data-object-id"),
        number_in(page.url, _ARTICLE),
        number_in(canonical.get("href") if canonical is not None else "", _ARTICLE),
    )
    number = next((one for one in named if re.fullmatch(r"[0-9]{1,12}", one or "")), None)
    if number is None:
        return None
    head = first(page.tree, ".articleContentHeader, .contentHeader")
    body = first(box, "[itemprop~=articleBody], .htmlContent")
    extract = own_words(body, quotes=(), drop=_extras(body, [])) if body is not None else None
    author = (
        first(head, "[itemprop=author] [itemprop=name], [itemprop=author], .userLink") if head is not None else None
    )
    time = first(page.tree, "meta[itemprop=datePublished]")
    if time is None and head is not None:
        time = first(head, _TIMES)
    return ParsedItem(
        kind=Kind.ARTICLE,
        id=f"article-{number}",
        url=page.link(canonical) or clean_link(page.base, page.url),
        author=one_line(author) or None,
        author_id=number_in(box.get("data-user-id"), r"^([1-9][0-9]{0,11})$"),
        title=_title(page),
        text=extract.text if extract else "",
        published=page.time(time),
        images=extract.images if extract else 0,
        views=_views(head),
    )


def _views(head: Element | None) -> int | None:
    lines = (
        [one_line(part) for part in select(head, ".articleMetaData li, .contentHeaderMetaData li")]
        if head is not None
        else []
    )
    said = next((line for line in lines if re.search(r"gelesen|Zugriff|views?\b|read\b", line, re.IGNORECASE)), "")
    return count_of(said)


def _comments(page: Forum, article: str) -> Iterator[ParsedItem]:
    css = (
        "[comment-id], [data-comment-id], .comment[data-object-id],"
        " [response-id], [data-response-id], .commentResponse[data-object-id]"
    )
    boxes = select(page.tree, css)[:MOST]
    above: str | None = None
    seen: set[str] = set()
    for box in boxes:
        response = box.get("response-id") or box.get("data-response-id")
        if response is None and has_class(box, "commentResponse"):
            response = box.get("data-object-id")
        number = response or box.get("comment-id") or box.get("data-comment-id") or box.get("data-object-id")
        if not re.fullmatch(r"[0-9]{1,12}", number or ""):
            continue
        name = f"response-{number}" if response else f"comment-{number}"
        if name in seen:
            continue
        seen.add(name)
        yield _comment(page, box, name, (above or article) if response else article)
        above = above if response else name


def _comment(page: Forum, box: Element, name: str, parent: str | None) -> ParsedItem:
    link = first(box, ".comment__permalink[href], .commentResponse__permalink[href], a[href*='#comment']")
    author = first(
        box, "[itemprop=author] [itemprop=name], .comment__author, .commentResponse__author, .username, .userLink"
    )
    who = first(
        box, "[itemprop=author] a[data-object-id], .userLink[data-object-id], .comment__author a[data-object-id]"
    )
    time = first(box, "meta[itemprop=dateCreated], .comment__date time, .comment__date woltlab-core-date-time")
    body = first(
        box, "[itemprop=text], .comment__message, .commentResponse__message, .userMessage, .commentContent .htmlContent"
    )
    quotes = select(body, _QUOTES) if body is not None else []
    extract = own_words(body, quotes=quotes, drop=_extras(body, quotes)) if body is not None else None
    href = link.get("href") if link is not None else None
    base = page.link(link) or page.link(first(page.tree, "link[rel=canonical]")) or clean_link(page.base, page.url)
    fragment = href.partition("#")[2].strip() if href else ""
    above = (parent or "").removeprefix("comment-")
    built = f"comment{above}/response{name[9:]}" if name.startswith("response-") else f"comment{name[8:]}"
    wanted = fragment if ("response" in fragment) == name.startswith("response-") and fragment else built
    return ParsedItem(
        kind=Kind.COMMENT,
        id=name,
        url=f"{base}#{wanted}" if base else None,
        author=one_line(author) or None,
        author_id=number_in(who.get("data-object-id"), r"^([1-9][0-9]{0,11})$") if who is not None else None,
        text=extract.text if extract else "",
        published=page.time(time if time is not None else first(box, _TIMES)),
        parent=parent,
        quotes_removed=extract.quotes_removed if extract else 0,
        images=extract.images if extract else 0,
    )


# --- thread -----------------------------------------------------------------------------------------------------


def _thread(page: Forum) -> str | None:
    marked = first(page.tree, "[data-thread-id].wbbThread, .wbbThreadPostList[data-thread-id], [data-thread-id]")
    canonical = first(page.tree, "link[rel=canonical]")
    said = canonical.get("href") if canonical is not None else None
    links = select(page.tree, "h1 a[href], a.permalink[href], .messageQuickOptions a[href]")[:3]
    for address in (said, page.url, *(link.get("href") for link in links)):
        private = _id_in(address, _CONVERSATION)
        if private:
            return f"conversation-{private}"
        number = _id_in(address, _THREAD)
        if number:
            return f"t{number}"
    number = number_in(marked.get("data-thread-id"), r"^([0-9]{1,12})$") if marked is not None else None
    number = number or number_in(page.url, r"/([0-9]{1,12})-[^/?#]*(?:\.html|/)(?:index[0-9]+\.html)?(?:[?#]|$)")
    return f"t{number}" if number else None


def _title(page: Forum) -> str:
    heads = (
        "h1.contentTitle",
        ".contentHeaderTitle h1",
        ".boxHeadline h1",
        ".mainHeadline h2",
        "h1.pageTitle",
        "#content h1",
    )
    return next((line for css in heads if (line := one_line(first(page.tree, css)))), "")


def _paging(page: Forum) -> Links:
    found = paging(
        page,
        "nav.pagination, nav.pageNavigation, .pageNavigation, .pagination",
        "li.active, li.state-active, .active span, a.active, [aria-current=page]",
        "nav.pagination li.skip a[rel~=next][href], .pageNavigation a[rel~=next][href]",
        "nav.pagination li.skip a[rel~=prev][href], .pageNavigation a[rel~=prev][href]",
    )
    pages = first(page.tree, "woltlab-core-pagination[count]")
    if pages is None:
        return found
    shown, count = (number_in(pages.get(name), r"^([0-9]{1,7})$") for name in ("page", "count"))
    base = clean_link(page.base, pages.get("url")) or re.sub(r"[?&]pageNo=[0-9]+", "", page.url.partition("#")[0])
    if shown is None or count is None:
        return found
    return msgspec.structs.replace(
        found,
        next=found.next or ((_numbered(base, int(shown) + 1),) if int(shown) < int(count) else ()),
        previous=found.previous or ((_numbered(base, int(shown) - 1),) if int(shown) > 1 else ()),
    )


def _numbered(base: str, number: int) -> str:
    return base if number == 1 else f"{base}{'&' if '?' in base else '?'}pageNo={number}"


# --- lists ------------------------------------------------------------------------------------------------------


def _rows(page: Forum) -> Iterator[ThreadRow | None]:
    css = (
        "[data-thread-id], [data-conversation-id], div.topic[id^='thread'], .contentItem, .articleListItem,"
        " a.wbbTopicLink[href]"
    )
    for box in select(page.tree, css)[:MOST]:
        if box.tag == "a" or (box.get("data-thread-id") and first(box, "a[href]") is None):
            if any(
                up.get("data-board-id") or has_class(up, "columnLastPost", "boxContent") for up in box.iterancestors()
            ):
                continue
            box = next(
                (up for up in box.iterancestors() if up.tag == "tr" or has_class(up, "tabularListRow", "messageGroup")),
                None,
            )
        yield _row(page, box) if box is not None else None


def _row(page: Forum, box: Element) -> ThreadRow | None:
    links = select(
        box,
        "a.wbbTopicLink[href], a.messageGroupLink[href], .columnSubject h3 a[href], a.conversationLink[href],"
        " p[id^='threadTitle'] > a[href], .columnTopic h3 a[href], .contentItemTitle a[href]",
    )
    link = links[-1] if links and has_class(links[0], "badge", "label") else links[0] if links else None
    url = page.link(link)
    if link is None or url is None:
        return None
    row = box if box.tag == "tr" else next((up for up in box.iterancestors("tr")), box)
    last = first(row, ".columnLastPost, .messageGroupLastPost, .wbbLastPost")
    newest = (
        first(last, "a[href*='lastPost'], a[href*='last-post'], a[href*='postID='], a[href*='#post']")
        if last is not None
        else None
    )
    newest_url, name = page.link(newest), _row_id(box, url)
    number = number_in(newest.get("href"), r"(?:postID=|#post)([0-9]{1,12})") if newest is not None else None
    url = re.sub(r"[?&]action=[A-Za-z]+", "", url)
    sign = "&" if "?" in url else "?"
    routed = name is not None and re.search(_THREAD + "|" + _CONVERSATION, url, re.IGNORECASE) is not None
    return None if name is None else ThreadRow(
        id=name,
        url=url,
        title=one_line(link),
        last_item=f"p{number}" if number else None,
        last_url=newest_url or (f"{url}{sign}action=lastPost" if routed else None),
        last_time=_last_time(page, last) or _last_time(page, first(row, ".contentItemMetaTime, .columnTopic")),
        replies=_replies(row),
        sticky=_sticky(box),
    )  # fmt: skip


def _row_id(box: Element, url: str) -> str | None:
    for prefix, given, pattern in (
        ("t", box.get("data-thread-id"), _THREAD),
        ("conversation-", box.get("data-conversation-id"), _CONVERSATION),
        ("article-", None, _ARTICLE),
    ):
        number = number_in(given, r"^([0-9]{1,12})$") or _id_in(url, pattern)
        if number:
            return f"{prefix}{number}"
    number = number_in(box.get("id"), r"^thread([0-9]{1,12})$")
    return f"t{number}" if number else None


def _last_time(page: Forum, last: Element | None) -> datetime | None:
    if last is None:
        return None
    machine = first(last, _TIMES)
    return page.time(
        machine if machine is not None else first(last, ".smallFont.light, span.light, .light, small, .smallFont")
    ).at


def _replies(row: Element) -> int | None:
    shown = first(row, ".columnReplies, .columnStats dl dd, .statsDataList dd, .contentItemMetaIcon [aria-label]")
    return count_of(one_line(shown)) if shown is not None else None


def _sticky(box: Element) -> bool:
    names = f"{box.get('class') or ''} {box.getparent().get('class') or '' if box.getparent() is not None else ''}"
    marks = ".fa-thumb-tack, .fa-thumbtack, fa-icon[name=thumbtack], .icon-pushpin, .jsIconSticky, .icon16.icon-pushpin"
    return (
        bool(re.search(r"sticky|announcement", names, re.IGNORECASE))
        or box.get("data-is-sticky") == "1"
        or first(box, marks) is not None
    )


def _boards(page: Forum) -> Iterator[ThreadRow | None]:
    for box in select(page.tree, "[data-board-id], .boardlistInner")[:MOST]:
        inside = {inner.get("data-board-id") for inner in select(box, "[data-board-id]")[:50]} - {
            box.get("data-board-id")
        }
        if not inside:
            yield _board(page, box)


def _board(page: Forum, box: Element) -> ThreadRow | None:
    links = select(
        box, "a[id^='boardLink'], .wbbBoardTitle a[href], h3 a[href], h2 a[href], h4 a[href], .columnSubject a[href]"
    )
    link = next((one for one in links if one.get("href")), None)
    number = (
        number_in(box.get("data-board-id"), r"^([0-9]{1,9})$")
        or number_in(box.get("class"), r"(?:^|\s)board([0-9]{1,9})(?:\s|$)")
        or (_id_in(link.get("href"), _BOARD) if link is not None else None)
    )
    url = page.link(link)
    if link is None or url is None or number is None:
        return None
    for counter in select(link, "span")[:3]:
        if re.fullmatch(r"\s*\(\d+\)\s*", one_line(counter)):
            counter.text = ""
    last = first(box, ".columnLastPost, .boardlistLastPost, .wbbLastPost, .wbbBoardLastPost, aside")
    newest = (
        first(last, "a[href*='lastPost'], a[href*='last-post'], a[href*='thread/'], p a[href]")
        if last is not None
        else None
    )
    said = number_in(newest.get("href"), r"(?:postID=|#post)([0-9]{1,12})") if newest is not None else None
    return ThreadRow(
        id=f"b{number}",
        url=url,
        title=one_line(link),
        last_item=f"p{said}" if said else None,
        last_url=page.link(newest),
        last_time=_last_time(page, last),
    )
