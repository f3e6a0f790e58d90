"""Reading WordPress: its REST interface (posts, pages, comments), and the comments under an article in any theme."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from lxml import etree

from crawlers.article import parse_article
from crawlers.dates import Order, learn_order, parse_date
from crawlers.feeds import entry_id
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.payload import (
    flag,
    heading,
    judged_posts,
    mapping,
    named,
    no_json,
    number,
    rows_at,
    tree_in,
    unique,
    value_of,
    with_extract,
)
from crawlers.select import absolute, base_of, clean_link, first, has_class, parameter, select, tree_of
from crawlers.text import Element, Extract, one_line, own_words, remove
from pipeline.identity import native_id, permalink_id
from pipeline.item import Published
from pipeline.words import Answer, Kind

MAX_COMMENTS = 2_000
"""On one page that are read."""

_COMMENT_ID = re.compile(r"(?:li-|div-)?comment-(\d{1,12})")
_CLOSED = (401, 403, 404)
"""Statuses that the interface writes into its own answers where it is switched off, or closed to us."""
_TEXTS = (
    ".comment-content, .wp-block-comment-content",
    ".comment-text, .comment_text, .comment-entry",
    ".comment-body",
)
_NAMES = (
    ".wp-block-comment-author-name",
    ".comment-author .fn, cite.fn, .fn",
    ".comment-author cite, .comment-author-name, .comment-meta cite",
    ".comment-author a, .comment-author",
    "cite, .author",
)
_DATES = (
    ".comment-metadata a, .commentmetadata a, .wp-block-comment-date",
    ".comment-date, .comment-metadata, .commentmetadata, .comment-meta a[href*='#comment-'], .comment-time",
)
_NOT_TEXT = (
    ".comment-author, .comment-meta, .comment-metadata, .commentmetadata, .reply, .comment-reply-link, .children, form,"
    " .comment-edit-link, .comment-awaiting-moderation, .wp-block-comment-reply-link, .sharedaddy, .jp-relatedposts"
)
_SAYS = re.compile(r"\s*(?:sagt|says|meint|schreibt|schrieb|said|dit|dice)?\s*:?\s*$", re.IGNORECASE)
_SHARED = ".sharedaddy, .jp-relatedposts, .addtoany_share_save_container, .wp-block-buttons, .screen-reader-text"


def parse_page(page: PageFile) -> Parsed:
    """Articles and comments of one answer of the interface, or of an article's page. Never raises."""
    if page.body[:200].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return _json(page)
    return _html(page)


def looks_like_json(value: Any) -> bool:
    """Whether a JSON value is an answer of WordPress."""
    if isinstance(value, Mapping):
        return "rest_no_route" in str(value.get("code")) or _is_entry(value)
    return bool(rows_at(value)) and all(_is_entry(row) for row in rows_at(value))


def looks_like(tree: Element) -> bool:
    """Whether a tree is an article of WordPress with comments under it."""
    return _is_wordpress(tree) and next(_boxes(tree), None) is not None


def _is_wordpress(tree: Element) -> bool:
    marks = "meta[name=generator][content^=WordPress], link[rel='https://api.w.org/'], link[href*='/wp-content/'],"
    more = " link[href*='/wp-includes/'], script[src*='/wp-includes/'], script[src*='/wp-content/'], #commentform"
    return first(tree, f"{marks}{more}, .wp-block-comments, .wp-block-comment-template") is not None


def _is_entry(row: Mapping[str, Any]) -> bool:
    return "rendered" in mapping(row.get("content")) and {"id", "link"} <= set(row) and "date" in row


# --- the interface ------------------------------------------------------------------------------------------------


def _json(page: PageFile) -> Parsed:
    value = value_of(page)
    if isinstance(value, Mapping) and "code" in value and "content" not in value:
        return _refused(value)
    entries = rows_at(value) if isinstance(value, list) else rows_at([value])
    known = [entry for entry in entries if _is_entry(entry)]
    if value is None or (entries and not known) or (not isinstance(value, list) and not known):
        return no_json(page, "answer of WordPress")
    items = unique(item for entry in known if (item := _entry(page, entry)) is not None)
    return judged_posts(
        Parsed(state=Answer.OK, items=items, links=_older(page, len(entries))), empty="nothing here yet"
    )


def _refused(value: Mapping[str, Any]) -> Parsed:
    code = named((value.get("code"),))[:80]
    status = number(mapping(value.get("data")).get("status"))
    if code == "rest_post_invalid_page_number":
        return Parsed(state=Answer.EMPTY, reason="behind the last page")
    gated = status in _CLOSED or code == "rest_no_route" or "disabled" in code
    said = "the interface is switched off or closed" if gated else "the interface refuses"
    return Parsed(state=Answer.GATED if gated else Answer.ERROR, reason=f"{said} ({code}): read the feed instead")


def _entry(page: PageFile, entry: Mapping[str, Any]) -> ParsedItem | None:
    link = absolute(page.url, entry.get("link") if isinstance(entry.get("link"), str) else None)
    if link is None or number(entry.get("id")) is None:
        return None
    if "post" in entry or entry.get("type") == "comment":
        return _comment(page, entry, link)
    content = mapping(entry.get("content"))
    protected = bool(flag(content.get("protected")))
    excerpt = mapping(entry.get("excerpt")).get("rendered")
    markup = content.get("rendered") or ("" if protected else excerpt)
    names = [heading(author.get("name")) for author in rows_at(mapping(entry.get("_embedded")).get("author"))]
    item = ParsedItem(
        kind=Kind.ARTICLE,
        id=entry_id(link, None) or link,
        url=link,
        author=named(names) or None,
        author_id=named((entry.get("author"),)) or None,
        title=heading(mapping(entry.get("title")).get("rendered")),
        published=_time(page, entry),
        thread=thread_of(link),
        teaser=not content.get("rendered"),
    )
    return with_extract(item, _article_words(tree_in(markup)))


def _article_words(tree: Element) -> Extract:
    """An article may quote: what it quotes is part of it, as for every article."""
    return own_words(tree, drop=select(tree, _SHARED))


def _comment_words(tree: Element) -> Extract:
    quotes = [quote for quote in select(tree, "blockquote") if next(quote.iterancestors("blockquote"), None) is None]
    return own_words(tree, quotes=quotes, drop=select(tree, _NOT_TEXT))


def _comment(page: PageFile, entry: Mapping[str, Any], link: str) -> ParsedItem:
    post, parent, identifier = number(entry.get("post")), number(entry.get("parent")), number(entry.get("id"))
    url = link if "#" in link else f"{link}#comment-{identifier}"
    above = next(iter(rows_at(mapping(entry.get("_embedded")).get("up"))), {})
    title = heading(mapping(above.get("title")).get("rendered"))
    answered = mapping(next(iter(rows_at(mapping(entry.get("_embedded")).get("in-reply-to"))), {}))
    place = native_id(url) or f"/ comment-{identifier}"
    item = ParsedItem(
        kind=Kind.COMMENT,
        id=place,
        url=url,
        author=heading(entry.get("author_name")) or None,
        author_id=named((entry.get("author"),)) if number(entry.get("author")) else None,
        title=title,
        published=_time(page, entry),
        thread=thread_of(url) or (f"/ post-{post}" if post else None),
        thread_title=title,
        parent=f"{place.rpartition(' ')[0]} comment-{parent}" if parent else None,
        parent_author=heading(answered.get("author_name")) or None,
        deleted=entry.get("status") in ("trash", "spam"),
    )
    return with_extract(item, _comment_words(tree_in(mapping(entry.get("content")).get("rendered"))))


def thread_of(url: str) -> str | None:
    """The article that a comment stands under, as feeds name it, too."""
    return native_id(url.partition("#")[0]) or permalink_id(url)


def _time(page: PageFile, entry: Mapping[str, Any]) -> Published:
    """``date_gmt`` is UTC and says so nowhere; ``date`` is that of the blog."""
    world, local = entry.get("date_gmt"), entry.get("date")
    if isinstance(world, str) and world and not world.startswith("0000"):
        found = parse_date(world, page.now, UTC)
        if found.at is not None:
            return found
    return parse_date(local if isinstance(local, str) else None, page.now, page.zone)


def _older(page: PageFile, count: int) -> Links:
    """The next page, as far as the headers or a full page say that there is one."""
    here = number(parameter(page.url, "page")) or 1
    pages = number(page.headers.get("x-wp-totalpages"))
    size = number(parameter(page.url, "per_page")) or 10
    more = here < pages if pages is not None else count >= size
    if not more or "/wp/v2/" not in f"{urlsplit(page.url).path}{parameter(page.url, 'rest_route') or ''}":
        return Links()
    parts = urlsplit(page.url)
    kept = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "page"]
    return Links(next=(urlunsplit(parts._replace(query=urlencode([*kept, ("page", str(here + 1))]), fragment="")),))


# --- pages --------------------------------------------------------------------------------------------------------


def _html(page: PageFile) -> Parsed:
    if not page.body.strip():
        return Parsed(state=Answer.ERROR, reason="the page is empty")
    tree = tree_of(page)
    if not _is_wordpress(tree) and next(_boxes(tree), None) is None:
        if first(tree, "input[type=password]") is not None:
            return Parsed(state=Answer.GATED, reason="a login form")
        return Parsed(state=Answer.LAYOUT_CHANGED, reason="no page of WordPress")
    article = parse_article(page)
    canonical = first(tree, "link[rel=canonical][href]")
    base = base_of(tree, page.url)
    own = (absolute(base, canonical.get("href")) if canonical is not None else None) or page.url
    title = _article_title(tree) or next((item.title for item in article.items), "")
    comments = unique(_html_comments(page, tree, base, own, title))
    if not comments:
        return article
    parsed = Parsed(
        state=Answer.OK,
        items=(*(msgspec.structs.replace(item, thread=thread_of(own)) for item in article.items), *comments),
        links=Links(next=_comment_page(tree, base, "next"), previous=_comment_page(tree, base, "prev")),
        thread=thread_of(own),
        thread_title=title,
        lang=article.lang or tree.get("lang"),
    )
    state = judged_posts(msgspec.structs.replace(parsed, items=comments), empty="")
    return msgspec.structs.replace(parsed, state=state.state, reason=state.reason)


def _article_title(tree: Element) -> str:
    return one_line(first(tree, "h1.entry-title, .wp-block-post-title, article h1, h1"))


def _comment_page(tree: Element, base: str, name: str) -> tuple[str, ...]:
    """Comments are paged apart from articles: their older and newer pages."""
    older = {
        "next": ".nav-next a[href], .wp-block-comments-pagination-next",
        "prev": ".nav-previous a[href], .wp-block-comments-pagination-previous",
    }
    for link in select(tree, older[name]):
        url = clean_link(base, link.get("href"))
        if url and ("comment-page-" in (link.get("href") or "") or "#comments" in (link.get("href") or "")):
            return (url,)
    return ()


class _Box(msgspec.Struct):
    """The element of one comment, with the number of the one it answers."""

    node: Element
    number: str
    parent: str | None


def _boxes(tree: Element) -> Iterator[_Box]:
    """The comments of a page in order; of several elements with one number the outermost. One walk, no recursion."""
    open_: list[tuple[Element, str]] = []
    for event, node in etree.iterwalk(tree, events=("start", "end"), tag=("li", "div", "article")):
        if event == "end":
            if open_ and open_[-1][0] is node:
                open_.pop()
            continue
        found = _COMMENT_ID.fullmatch(node.get("id") or "")
        if found is None or (open_ and open_[-1][1] == found[1]):
            continue
        yield _Box(node, found[1], open_[-1][1] if open_ else None)
        open_.append((node, found[1]))


def _html_comments(page: PageFile, tree: Element, base: str, own: str, title: str) -> list[ParsedItem]:
    """Read from the last to the first, each taken out of the tree afterwards: so an answer is no part of its parent."""
    boxes = list(_boxes(tree))[:MAX_COMMENTS]
    order = learn_order(filter(None, (_printed(box.node) for box in boxes if box.parent is None)))
    found = []
    for box in reversed(boxes):
        item = _html_comment(page, box, base, own, order)
        remove(box.node)
        if item is not None:
            found.append(msgspec.structs.replace(item, title=title, thread_title=title))
    found.reverse()
    authors = {item.id: item.author for item in found}
    return [msgspec.structs.replace(item, parent_author=authors.get(item.parent or "")) for item in found]


def _html_comment(page: PageFile, box: _Box, base: str, own: str, order: Order) -> ParsedItem | None:
    node = box.node
    link = first(node, f"a[href*='#comment-{box.number}']")
    url = absolute(base, link.get("href")) if link is not None else None
    url = url or f"{own.partition('#')[0]}#comment-{box.number}"
    native = native_id(url)
    if native is None:
        return None
    name = _first_of(node, _NAMES)
    content = _first_of(node, _TEXTS)
    time = first(node, "time[datetime]")
    published = parse_date(time.get("datetime"), page.now, page.zone) if time is not None else Published()
    if published.at is None:
        published = parse_date(_printed(node), page.now, page.zone, order=order)
    item = ParsedItem(
        kind=Kind.COMMENT,
        id=native,
        url=url,
        author=_SAYS.sub("", one_line(name)).strip() or None,
        published=published,
        thread=thread_of(url),
        parent=f"{native.rpartition(' ')[0]} comment-{box.parent}" if box.parent else None,
        staff=True if has_class(node, "bypostauthor") else None,
    )
    return with_extract(item, _comment_words(node if content is None else content))


def _first_of(node: Element, choices: tuple[str, ...]) -> Element | None:
    """The match of the first of several selectors that has one."""
    return next((match for css in choices if (match := first(node, css)) is not None), None)


def _printed(node: Element) -> str | None:
    """The date as people read it."""
    found = _first_of(node, _DATES)
    return one_line(found) if found is not None else None
