"""Pages of XenForo boards to items and rows: XenForo 2 (``html#XF``) and 1 (``html#XenForo``)."""

from __future__ import annotations

import re
from collections.abc import Iterator

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
from crawlers.text import Element, one_line, own_words, remove
from pipeline.item import Published
from pipeline.words import Answer, Kind

_POSTS = "article.message[data-content^='post-'], .message--post[data-content], li.message[id^='post-']"
_QUOTES = "blockquote.bbCodeBlock--quote, .bbCodeBlock--quote, .bbCodeQuote, blockquote[data-quote]"
_DROP = (
    ".messageTextEndMarker, .js-selectToQuoteEnd, .quoteExpand, .bbCodeBlock-expandLink, .bbCodeBlock--unfurl,"
    " .bbCodeBlock-title, .bbCodeSpoiler-button, .bbCodeSpoilerButton, .bbCodeBlock--code > .type, .bbCodeCode > .type,"
    " .message-lastEdit, .editDate, .message-signature, .signature, .baseHtml.signature, .bbMediaWrapper,"
    " .likesSummary, .reactionsBar, .messageNotice, .adsbygoogle, .message-attachments, .attachedFiles,"
    " ul.attachmentList, .js-lbImage-caption"
)
_ROUTE = r"(?:threads|themen)/(?:[^/?#&]*\.)?([0-9]{1,12})(?:[/?#&]|$)"
_TIMES = "time[datetime], abbr.DateTime[data-time], .DateTime[title], time[data-timestamp], .DateTime"


def parse_page(source: PageFile) -> Parsed:
    """Posts of a thread page, rows of a list page, or what else it is and why. Never raises on any bytes."""
    if not source.body.strip():
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    page = forum_of(source, "time, .DateTime")
    posts = tuple(_posts(page))
    links = _paging(page)
    if posts:
        return thread_page(page, posts, links, thread=_thread(page), title=_title(page))
    return list_page(page, _rows(page), _boards(page), links) or _nothing(page)


def looks_like(tree: Element) -> bool:
    """Whether a page was made by XenForo."""
    marks = (
        "html#XF, html#XenForo, html[data-app][data-cookie-prefix], article.message--post[data-content],"
        " li.message[data-author] .messageText, li.discussionListItem[id^='thread-'], .structItem--thread"
    )
    return tree.get("id") in ("XF", "XenForo") or first(tree, marks) is not None


def _nothing(page: Forum) -> Parsed:
    tree = page.tree
    template = tree.get("data-template") or ""
    said = first(tree, ".p-body-content .blockMessage, .p-body-pageContent .blockMessage, .blockMessage--error")
    if said is None:
        said = first(
            tree, ".errorPanel, .errorOverlay .baseHtml, #content .messageBody, .sectionFooter .importantMessage"
        )
    login = (
        template == "login" or first(tree, "form#pageLogin, .p-body-content form[action*='login/login']") is not None
    )
    is_thread = template.startswith("thread_view") or first(tree, "body.thread_view") is not None
    return nothing(page, "XenForo", known=looks_like(tree), thread=is_thread, login=login, said=said)


# --- posts ------------------------------------------------------------------------------------------------------


def _posts(page: Forum) -> Iterator[ParsedItem]:
    seen: set[str] = set()
    for post in select(page.tree, _POSTS)[:MOST]:
        number = number_in(post.get("data-content") or post.get("id"), r"post-([0-9]{1,12})$")
        if number is not None and number not in seen:
            seen.add(number)
            yield _post(page, post, number)


def _post(page: Forum, post: Element, number: str) -> ParsedItem:
    published, name, author_id = _time(page, post), _author(post), _author_id(post)
    url = _url(page, post, number)
    deleted = has_class(post, "message--deleted", "deleted", "deletedMessage")
    body = None if deleted else _body(post)
    quotes = select(body, _QUOTES) if body is not None else []
    answered, parent = _answered(quotes)
    extract = own_words(body, quotes=quotes, drop=_extras(body, quotes)) if body is not None else None
    return ParsedItem(
        kind=Kind.POST,
        id=f"p{number}",
        url=url,
        author=name,
        author_id=author_id,
        text=extract.text if extract else "",
        published=published,
        parent=parent,
        parent_author=answered,
        position=_position(post),
        quotes_removed=extract.quotes_removed if extract else 0,
        images=extract.images if extract else 0,
        accepted=True if re.search(r"is-solution|--solution|bestAnswer", post.get("class") or "") else None,
        staff=_staff(post),
        deleted=deleted,
    )


def _body(post: Element) -> Element | None:
    for css in (".message-body .bbWrapper", ".message-body", ".messageText", ".message-content .bbWrapper"):
        found = first(post, css)
        if found is not None:
            return found
    return None


def _extras(body: Element, quotes: list[Element]) -> list[Element]:
    return [part for part in select(body, _DROP) if not any(quote in part.iterancestors() for quote in quotes[:50])]


def _author(post: Element) -> str | None:
    named = first(post, ".message-name .username, .message-userDetails .username, .messageUserBlock a.username")
    if named is None:
        named = first(
            post, ".message-name, .userText .username, .messageUserInfo .username, .message-attribution .username"
        )
    return (post.get("data-author") or "").strip() or one_line(named) or None


def _author_id(post: Element) -> str | None:
    for link in select(post, ".message-user [data-user-id], .message-cell--user [data-user-id]")[:3]:
        if re.fullmatch(r"[1-9][0-9]{0,11}", link.get("data-user-id") or ""):
            return str(link.get("data-user-id"))
    link = first(post, "a.username[href], .messageUserInfo a[href*='members/'], .message-name a[href]")
    found = (
        number_in(link.get("href"), r"(?:members|mitglieder)/(?:[^/?#]*\.)?([0-9]{1,12})") if link is not None else None
    )
    if found is None:
        badge = first(post, "a.username[data-user-id]")
        found = number_in(badge.get("data-user-id"), r"^([1-9][0-9]{0,11})$") if badge is not None else None
    return found


def _time(page: Forum, post: Element) -> Published:
    for css in (
        ".message-attribution-main time, .message-attribution time, header.message-attribution time",
        ".datePermalink .DateTime, .messageMeta .DateTime, .privateControls .DateTime",
        ".message-date time, .message-header time",
    ):
        found = page.time(first(post, css))
        if found.at is not None:
            return found
    outside = (
        time for time in select(post, _TIMES)[:20]
        if not any(has_class(up, "message-body", "messageText", "message-lastEdit") for up in time.iterancestors())
    )  # fmt: skip
    return page.time(next(outside, None))


def _url(page: Forum, post: Element, number: str) -> str | None:
    link = first(post, f"a[href*='post-{number}']")
    query = re.match(r"[^#]*?/?index\.php\?(?=threads/|themen/)", (link.get("href") if link is not None else "") or "")
    script = query[0] if query else ("index.php?" if re.search(r"index\.php\?(?:threads|themen)/", page.url) else "")
    root = re.match(r"(https?://.*?/)(?:index\.php\?)?(?:threads|themen|posts)/", page.url)
    base = root[1] if root and "/" not in script else ""
    return own_address(page, link, number, f"{base}{script}posts/{number}/")


def _position(post: Element) -> int | None:
    marks = select(
        post, ".message-attribution-opposite li, .postNumber, .message-attribution-opposite a, .messageMeta a"
    )
    return next(
        (place for mark in marks[:20] if (line := one_line(mark)).startswith("#") and (place := position_of(line))),
        None,
    )


def _staff(post: Element) -> bool | None:
    if has_class(post, "staff") or first(post, ".userBanner--staff, .bannerStaff") is not None:
        return True
    return is_staff(select(post, ".userBanner, .userTitle")[:10])


def _answered(quotes: list[Element]) -> tuple[str | None, str | None]:
    """Name and post of who is quoted last, quotes within quotes left out."""
    for quote in reversed(quotes[:100]):
        if any(other in quote.iterancestors() for other in quotes[:100]):
            continue
        name = (quote.get("data-quote") or quote.get("data-author") or "").strip()
        if not name:
            head = first(quote, ".bbCodeBlock-title, .attribution")
            name = re.split(r"\s+(?:said|schrieb|hat geschrieben|wrote|meinte)\b", one_line(head))[0].strip(" :↑")[:60]
        jump = first(quote, "a.bbCodeBlock-sourceJump[href], a.AttributionLink[href]")
        number = number_in(quote.get("data-source"), r"post:\s?([0-9]{1,12})")
        number = number or (number_in(jump.get("href"), r"(?:id=|post-)([0-9]{1,12})") if jump is not None else None)
        if name or number:
            return name or None, f"p{number}" if number else None
    return None, None


# --- thread -----------------------------------------------------------------------------------------------------


def _thread(page: Forum) -> str | None:
    canonical = first(page.tree, "link[rel=canonical]")
    number = (
        number_in(page.tree.get("data-content-key"), r"^thread-([0-9]{1,12})$")
        or (number_in(canonical.get("href"), _ROUTE) if canonical is not None else None)
        or number_in(page.url, _ROUTE)
    )
    for link in select(page.tree, "a.datePermalink[href], a.hashPermalink[href], .message-attribution a[href]")[:3]:
        number = number or number_in(link.get("href"), _ROUTE)
    return f"t{number}" if number else None


def _title(page: Forum) -> str:
    heads = ("h1.p-title-value", ".titleBar span.title", ".titleBar h1")
    head = next((found for css in heads if (found := first(page.tree, css)) is not None), None)
    if head is not None:
        for part in select(head, ".label, .label-append, .prefix, .PageNav, .pageNavLinkGroup, .threadPrefix, .badge"):
            remove(part)
    named = first(page.tree, "meta[property='og:title']")
    return (
        one_line(head)
        or (named.get("content") or "" if named is not None else "").strip()
        or re.split(r"\s[|-]\s", (getattr(first(page.tree, "title"), "text", None) or "").strip())[0]
    )


def _paging(page: Forum) -> Links:
    return paging(
        page,
        ".pageNav, .PageNav, .pageNavWrapper",
        ".pageNav-page--current, a.currentPage, .currentPage",
        "a.pageNav-jump--next[href], a.pageNavSimple-el--next[href], .PageNav a.PageNavNext[href]",
        "a.pageNav-jump--prev[href], a.pageNavSimple-el--prev[href], .PageNav a.PageNavPrev[href]",
    )


# --- lists ------------------------------------------------------------------------------------------------------


def _rows(page: Forum) -> Iterator[ThreadRow | None]:
    css = "[class*='js-threadListItem-'], .structItem--thread, li.discussionListItem[id^='thread-']"
    return (_row(page, box) for box in select(page.tree, css)[:MOST])


def _row(page: Forum, box: Element) -> ThreadRow | None:
    link = _title_link(box)
    if link is None:
        return None
    href = link.get("href") or ""
    number = (
        number_in(box.get("class"), r"js-threadListItem-([0-9]{1,12})")
        or number_in(box.get("id"), r"^thread-([0-9]{1,12})$")
        or number_in(href, _ROUTE)
    )
    url = page.link(link)
    if number is None or url is None:
        return None
    url = re.sub(r"/(?:unread|latest|post-[0-9]+)/?$", "/", url)
    last = first(box, ".structItem-cell--latest, .lastPost, .structItem-latest, .lastPostInfo")
    newest = first(last, "a[href*='post'], a[href*='latest']") if last is not None else None
    newest_url = page.link(newest)
    return ThreadRow(
        id=f"t{number}",
        url=url,
        title=one_line(link),
        last_item=_post_of(newest_url),
        last_url=newest_url or f"{url.rstrip('/')}/latest",
        last_time=page.time(first(last if last is not None else box, _TIMES)).at,
        replies=_replies(box),
        sticky=_sticky(box),
    )


def _title_link(box: Element) -> Element | None:
    links = select(
        box, ".structItem-title a[href], h3.title a[href], .articlePreview-title a[href], .titleText .title a"
    )
    threads = [link for link in links if re.search(_ROUTE, link.get("href") or "")]
    named = [link for link in threads if not has_class(link, "labelLink", "prefixLink", "unreadLink")]
    return named[-1] if named else None


def _post_of(url: str | None) -> str | None:
    number = number_in(url, r"(?:post-|posts/)([0-9]{1,12})")
    return f"p{number}" if number else None


def _replies(box: Element) -> int | None:
    shown = first(box, ".structItem-cell--meta dl dd, .stats dl.major dd, .stats dd, .articlePreview-replies")
    return count_of(one_line(shown)) if shown is not None else None


def _sticky(box: Element) -> bool:
    if has_class(box, "sticky") or first(box, ".structItem-status--sticky, .iconKey .sticky") is not None:
        return True
    return any(has_class(up, "structItemContainer-group--sticky", "stickyThreads") for up in box.iterancestors())


def _boards(page: Forum) -> Iterator[ThreadRow | None]:
    css = "[class*='node--id'], li.node.forum, li.node[class*='node_']"
    return (_board(page, box) for box in select(page.tree, css)[:MOST])


def _board(page: Forum, box: Element) -> ThreadRow | None:
    number = number_in(box.get("class"), r"(?:node--id|node_)([0-9]{1,9})(?:\s|$)")
    link = first(box, ".node-title a[href], .nodeTitle a[href]")
    url = page.link(link)
    if (
        number is None
        or url is None
        or has_class(box, "category", "level_1", "node--category", "node--link", "node--page")
    ):
        return None
    last = first(box, ".node-extra, .nodeLastPost, .lastPost")
    newest = first(last, "a[href*='post']") if last is not None else None
    newest_url = page.link(newest)
    return ThreadRow(
        id=f"f{number}",
        url=url,
        title=one_line(link),
        last_item=_post_of(newest_url),
        last_url=newest_url,
        last_time=page.time(first(last, _TIMES)).at if last is not None else None,
        replies=count_of(
            one_line(
                first(box, ".node-meta dl:last-child dd, .nodeStats dl:last-child dd, .node-stats dl:last-child dd")
            )
        ),
    )
