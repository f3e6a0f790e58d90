"""Answers and pages of Flarum: documents of JSON:API, which its pages for people carry within them, too."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec

from crawlers.dates import parse_date
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem, ThreadRow
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
from crawlers.select import absolute, first, select, tree_of
from crawlers.structured import json_of
from crawlers.text import Element, Extract, own_words
from pipeline.addresses import native_id
from pipeline.item import Published
from pipeline.words import Answer, Kind

SIZE = 50
"""Posts or topics of one answer: the most that Flarum gives."""

Row = Mapping[str, Any]

_INSTALLED = re.compile(r"/(?:api/|(?:d|t|u)/|(?:all|tags|following)/?$)")
_STAFF = frozenset({"1", "4"})
"""Numbers of the groups Flarum begins with: administrators and moderators."""
_PAYLOAD = "script#flarum-json-payload"
_MARKS = f"{_PAYLOAD}, #flarum-loading, #flarum-content"


def parse_page(page: PageFile) -> Parsed:
    """Posts, topic rows and links of one answer or page. Never raises."""
    if page.body[:200].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return _document(page, value_of(page), Links())
    if not page.body.strip():
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    tree = tree_of(page)
    payload = first(tree, _PAYLOAD)
    if payload is None:
        return Parsed(state=Answer.LAYOUT_CHANGED, reason="no page of Flarum, or one that holds no data")
    try:
        held = mapping(json_of("".join(payload.itertext())))
    except (ValueError, RecursionError):
        held = {}
    parsed = _document(page, held.get("apiDocument"), _named_links(page, tree))
    return msgspec.structs.replace(parsed, lang=(tree.get("lang") or "")[:2].lower() or None)


def looks_like_json(value: Any) -> bool:
    """Whether a JSON value is an answer of Flarum."""
    data = mapping(value).get("data")
    return any(
        (row.get("type") == "posts" and "contentType" in mapping(row.get("attributes")))
        or (row.get("type") == "discussions" and "commentCount" in mapping(row.get("attributes")))
        for row in ([data] if isinstance(data, Mapping) else rows_at(data))
    )


def looks_like(tree: Element) -> bool:
    """Whether a page was made by Flarum."""
    return first(tree, _MARKS) is not None


def place_of(url: str) -> str:
    """Address of the forum that an address belongs to, with a slash at its end."""
    parts = urlsplit(url)
    found = _INSTALLED.search(parts.path)
    path = parts.path[: found.start()] if found else parts.path.removesuffix("/index.php").rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}/"


def posts_url(place: str, topic: int, offset: int = 0) -> str:
    """Address of some posts of a topic, oldest first."""
    asked = {"filter[discussion]": topic, "filter[type]": "comment", "sort": "number", "page[limit]": SIZE}
    return f"{place}api/posts?{urlencode(asked | ({'page[offset]': offset} if offset else {}))}"


def topics_url(place: str, **filters: str) -> str:
    """Address of the topics that changed last, all or those of a tag or a search."""
    asked = {f"filter[{name}]": value for name, value in filters.items() if value}
    asked |= {"sort": "-lastPostedAt", "page[limit]": str(SIZE)}
    return f"{place}api/discussions?{urlencode(asked, quote_via=quote)}"


# --- documents ----------------------------------------------------------------------------------------------------


class _Document(msgspec.Struct, frozen=True):
    """One document: its resources by type and number."""

    page: PageFile
    place: str
    known: Mapping[tuple[str, str], Row]

    def linked(self, row: Row, name: str) -> Row:
        """The resource that another is related to, as far as the document holds it."""
        found = mapping(mapping(mapping(row.get("relationships")).get(name)).get("data"))
        return self.known.get(_key(found), {})

    def numbers(self, row: Row, name: str) -> list[str]:
        """Numbers of the resources that another is related to."""
        found = mapping(mapping(row.get("relationships")).get(name)).get("data")
        return [named((one.get("id"),)) for one in ([found] if isinstance(found, Mapping) else rows_at(found))]

    def time(self, value: Any) -> Published:
        return parse_date(value if isinstance(value, str) else None, self.page.now, self.page.zone)


def _key(row: Row) -> tuple[str, str]:
    return named((row.get("type"),)), named((row.get("id"),))


def _document(page: PageFile, value: Any, links: Links) -> Parsed:
    held = mapping(value)
    if "errors" in held:
        return _refused(rows_at(held["errors"]))
    data = held.get("data")
    given: Sequence[Row] = [data] if isinstance(data, Mapping) else rows_at(data)
    if not isinstance(data, list | Mapping):
        return no_json(page, "document of Flarum")
    resources = [*given, *rows_at(held.get("included"))]
    document = _Document(page, place_of(page.url), {_key(row): row for row in resources})
    types = {_key(row)[0] for row in given}
    if isinstance(data, list) and types <= {"discussions"} and (given or "/discussions" in page.url):
        return _list(document, given, held, links)
    if types <= {"discussions", "posts"}:
        return _thread(document, resources, held, links)
    return no_json(page, "list of topics or posts of Flarum")


def _refused(errors: Sequence[Row]) -> Parsed:
    error = errors[0] if errors else {}
    status, code = number(error.get("status")), named((error.get("code"), error.get("title")))[:80]
    gated = status in (401, 403) or code in ("permission_denied", "not_authenticated")
    return Parsed(state=Answer.GATED if gated else Answer.ERROR, reason=f"the forum refuses: {code or status}")


def _list(document: _Document, given: Sequence[Row], held: Row, links: Links) -> Parsed:
    found = tuple(row for one in given if (row := _row(document, one)) is not None)
    if not links.next:
        links = Links(next=_beside(document.page, held, len(given), +1), previous=_beside(document.page, held, 0, -1))
    if given and not found:
        return Parsed(state=Answer.LAYOUT_CHANGED, reason=f"no topic was found in {len(given)} entries")
    return judged_posts(Parsed(state=Answer.OK, threads=found, links=links), empty="no topics here")


def _row(document: _Document, topic: Row) -> ThreadRow | None:
    told, identifier = mapping(topic.get("attributes")), number(topic.get("id"))
    if identifier is None:
        return None
    last, count = number(told.get("lastPostNumber")), number(told.get("commentCount"))
    end = (max(count, 1) - 1) // SIZE * SIZE if count is not None else None
    return ThreadRow(
        id=f"t{identifier}",
        url=_topic_url(document, topic, identifier),
        title=heading(told.get("title")),
        last_item=f"t{identifier}-{last}" if last else None,
        last_url=posts_url(document.place, identifier, end) if end is not None else None,
        last_time=document.time(told.get("lastPostedAt")).at,
        replies=max(count - 1, 0) if count is not None else None,
        sticky=bool(flag(told.get("isSticky"))),
    )


def _topic_url(document: _Document, topic: Row, identifier: int) -> str:
    """``/d/5-titel``; old releases leave the number out of the slug."""
    slug = named((mapping(topic.get("attributes")).get("slug"),))[:200]
    own = slug if slug.partition("-")[0] == str(identifier) else f"{identifier}-{slug}".rstrip("-")
    return f"{document.place}d/{quote(own)}"


def _thread(document: _Document, resources: Sequence[Row], held: Row, links: Links) -> Parsed:
    topic = next((row for row in resources if _key(row)[0] == "discussions"), {})
    identifier = number(topic.get("id")) or number(_asked(document.page.url).get("filter[discussion]"))
    one_topic = isinstance(held.get("data"), Mapping) or "filter[discussion]" in _asked(document.page.url)
    posts = [row for row in resources if _key(row)[0] == "posts"]
    said = [row for row in posts if mapping(row.get("attributes")).get("contentType", "comment") == "comment"]
    found = (_post(document, row, identifier if one_topic else None) for row in said)
    items = sorted(unique(item for item in found if item is not None), key=lambda item: item.position or 0)
    if not (links.next or links.previous) and isinstance(held.get("data"), list):
        links = Links(next=_beside(document.page, held, len(posts), +1), previous=_beside(document.page, held, 0, -1))
    told = mapping(topic.get("attributes"))
    parsed = Parsed(
        state=Answer.OK,
        items=tuple(items),
        thread=f"t{identifier}" if identifier and one_topic else None,
        thread_title=heading(told.get("title")) if one_topic else "",
        links=links,
        solved=flag(told.get("hasBestAnswer")) if one_topic else None,
        first_page=items[0].position == 1 or not links.previous if items and one_topic else None,
    )
    if said and not items:
        return Parsed(state=Answer.LAYOUT_CHANGED, reason=f"no post was found in {len(said)} entries")
    return judged_posts(parsed, empty="no posts here")


def _post(document: _Document, row: Row, topic: int | None) -> ParsedItem | None:
    told, place = mapping(row.get("attributes")), number(mapping(row.get("attributes")).get("number"))
    above = document.linked(row, "discussion")
    thread = number(above.get("id")) or number(next(iter(document.numbers(row, "discussion")), None)) or topic
    if place is None or thread is None:
        return None
    user = document.linked(row, "user")
    names = mapping(user.get("attributes"))
    tree = tree_in(told.get("contentHtml"))
    parent, parent_author = _answered(document, tree)
    best = document.numbers(above, "bestAnswerPost")
    hidden = bool(flag(told.get("isHidden")))
    item = ParsedItem(
        kind=Kind.POST,
        id=f"t{thread}-{place}",
        url=f"{_topic_url(document, above, thread)}/{place}",
        author=named((names.get("displayName"), names.get("username"))) or None,
        author_id=named((user.get("id"),)) or None,
        published=document.time(told.get("createdAt")),
        parent=parent,
        parent_author=parent_author,
        thread=f"t{thread}",
        thread_title=heading(mapping(above.get("attributes")).get("title")),
        position=place,
        votes=_likes(document, row),
        accepted=True if best and best[0] == named((row.get("id"),)) else None,
        staff=True if _STAFF & set(document.numbers(user, "groups")) else None,
        deleted=hidden,
    )
    return item if hidden else with_extract(item, _words(tree))


def _likes(document: _Document, row: Row) -> int | None:
    counted = number(mapping(row.get("attributes")).get("likesCount"))
    listed = mapping(mapping(row.get("relationships")).get("likes")).get("data")
    return counted if counted is not None else len(listed) if isinstance(listed, list) else None


def _words(tree: Element) -> Extract:
    """Own words: without quotes, and without the name in front of an answer."""
    drop = [*select(tree, "script, .Post-footer"), *_leading_mention(tree)]
    quotes = [quote_ for quote_ in select(tree, "blockquote") if next(quote_.iterancestors("blockquote"), None) is None]
    return own_words(tree, quotes=quotes, drop=drop, smileys="img.emoji, img.emoji-image")


def _leading_mention(tree: Element) -> Iterator[Element]:
    for mention in select(tree, "p > .PostMention:first-child")[:1]:
        block = mention.getparent()
        first_block = block.getprevious() is None or block.getprevious().tag == "blockquote"
        if first_block and not (block.text or "").strip():
            yield mention


def _answered(document: _Document, tree: Element) -> tuple[str | None, str | None]:
    """Number and author of the post that is answered: the last one mentioned."""
    for mention in reversed(select(tree, "a.PostMention[href]")[:50]):
        url = absolute(document.place, mention.get("href"))
        told = (native_id(url) if url else None) or ""
        if "-" in told:
            name = " ".join("".join(mention.itertext()).split()).removeprefix("@")
            return told.rpartition(" ")[2], name[:100] or None
    return None, None


# --- paging -------------------------------------------------------------------------------------------------------


def _asked(url: str) -> Mapping[str, str]:
    try:
        return dict(parse_qsl(urlsplit(url).query))
    except ValueError:
        return {}


def _beside(page: PageFile, held: Row, shown: int, step: int) -> tuple[str, ...]:
    """The next answer (``step`` 1) where this one is full or names one; the one before (-1) where it is not the first.

    The document's own links name the forum as its settings do, and may lead nowhere from here.
    """
    asked = _asked(page.url)
    size, here = number(asked.get("page[limit]")) or 20, number(asked.get("page[offset]")) or 0
    if "/api/" not in page.url or not 0 < size <= SIZE:
        return ()
    says_next = "next" in mapping(held.get("links"))
    if (step > 0 and not (shown >= size or (says_next and shown))) or (step < 0 and here == 0):
        return ()
    there = max(here + step * size, 0)
    kept = {name: value for name, value in asked.items() if name != "page[offset]"}
    kept |= {"page[offset]": str(there)} if there else {}
    return (f"{page.url.partition('?')[0]}?{urlencode(kept, quote_via=quote)}",)


def _named_links(page: PageFile, tree: Element) -> Links:
    """Pages beside this one, as a page for people names them."""
    beside = {
        name: tuple(
            url for link in select(tree, f"link[rel={name}][href]")[:1] if (url := absolute(page.url, link.get("href")))
        )
        for name in ("next", "prev")
    }
    return Links(next=beside["next"], previous=beside["prev"])
