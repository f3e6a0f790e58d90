"""Reading NodeBB: the JSON behind each page (``/api/…``), and the pages themselves in any theme."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec

from crawlers.dates import from_timestamp, parse_date
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
from crawlers.select import absolute, base_of, clean_link, first, select, tree_of
from crawlers.structured import json_of
from crawlers.text import Element, Extract, one_line, own_words
from pipeline.item import Published
from pipeline.words import Answer, Kind

_SAID = re.compile(
    r"@?(?P<name>[^:]{1,80}?)\s+(?:said|wrote|schrieb|sagte|hat gesagt|a dit|ha scritto|dijo)\b[^\n]{0,200}?:",
    re.IGNORECASE,
)
_INSTALLED = re.compile(
    r"/(?:api/)?(?:recent|popular|top|unread|categories|category|topic|post|user|tags|search)(?=[/?.]|$)"
)
_HEAD_LETTERS = 300


def parse_page(page: PageFile) -> Parsed:
    """Posts, topic rows and links of one answer or page. Never raises."""
    if page.body[:200].lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return _json(page)
    return _html(page)


def looks_like_json(value: Any) -> bool:
    """Whether a JSON value is an answer of NodeBB."""
    found = mapping(value)
    topics, posts = rows_at(found.get("topics")), rows_at(found.get("posts"))
    known = any("tid" in topic and "mainPid" in topic for topic in topics)
    return (
        known
        or any("pid" in post and "tid" in post for post in posts)
        or ("cid" in found and "totalTopicCount" in found)
    )


def looks_like(tree: Element) -> bool:
    """Whether a tree is a page of NodeBB, whatever its theme."""
    marks = "[component='category/topic'], [component='post/content'], [component='categories/category']"
    return first(tree, marks) is not None or first(tree, "script#ajaxify-data") is not None


def place_of(url: str) -> str:
    """Address of the installation that a page belongs to, with a slash at its end."""
    parts = urlsplit(url)
    found = _INSTALLED.search(parts.path)
    path = parts.path[: found.start()] if found else parts.path.removesuffix("/api").rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}/"


# --- JSON ---------------------------------------------------------------------------------------------------------


def _json(page: PageFile) -> Parsed:
    value = value_of(page)
    if not isinstance(value, Mapping):
        return no_json(page, "answer of a NodeBB forum")
    if mapping(value.get("status")).get("code") or "error" in value:
        return _refused(value)
    return _answer(page, mapping(value.get("response")) or value)


def _answer(page: PageFile, value: Mapping[str, Any]) -> Parsed:
    if "posts" in value and ("tid" in value or looks_like_json(value)):
        return _topic(page, value)
    if "topics" in value or "children" in value or "categories" in value:
        boards = _boards(page, [*rows_at(value.get("children")), *rows_at(value.get("categories"))])
        threads = tuple(row for topic in rows_at(value.get("topics")) if (row := _row(page, topic)) is not None)
        return judged_posts(
            Parsed(state=Answer.OK, threads=threads, boards=boards, links=_paging(page, value)), empty="no topics here"
        )
    return Parsed(state=Answer.LAYOUT_CHANGED, reason="the answer is none of a NodeBB forum that is known")


def _refused(value: Mapping[str, Any]) -> Parsed:
    status = mapping(value.get("status"))
    code = named((status.get("code"), value.get("error")))
    if code in ("ok",):
        return Parsed(state=Answer.LAYOUT_CHANGED, reason="an answer without posts or topics")
    gated = any(mark in code for mark in ("not-authorised", "not-logged-in", "no-privileges"))
    return Parsed(state=Answer.GATED if gated else Answer.ERROR, reason=f"the forum refuses: {code[:200]}")


def _topic(page: PageFile, value: Mapping[str, Any]) -> Parsed:
    entries = rows_at(value.get("posts"))
    identifier = number(value.get("tid")) or next((number(entry.get("tid")) for entry in entries), None)
    names = {number(entry.get("pid")): _name(entry) for entry in entries}
    items = unique(item for entry in entries if (item := _post(page, entry, value, names)) is not None)
    solved = flag(number(value.get("isSolved"))) if number(value.get("isQuestion")) else None
    parsed = Parsed(
        state=Answer.OK,
        items=items,
        thread=f"t{identifier}" if identifier is not None else None,
        thread_title=heading(value.get("titleRaw") or value.get("title")),
        links=_paging(page, value),
        solved=solved,
        first_page=any(_opens(entry, value) for entry in entries) if entries else None,
    )
    return judged_posts(parsed, empty="a topic without posts")


def _opens(entry: Mapping[str, Any], topic: Mapping[str, Any]) -> bool:
    main = number(topic.get("mainPid"))
    return number(entry.get("pid")) == main if main is not None else entry.get("index") == 0


def _name(entry: Mapping[str, Any]) -> str | None:
    user = mapping(entry.get("user"))
    name = named((user.get("username"), user.get("displayname"), entry.get("handle")))
    return name if name and not name.startswith("[[") else None


def _post(
    page: PageFile, entry: Mapping[str, Any], topic: Mapping[str, Any], names: Mapping[int | None, str | None]
) -> ParsedItem | None:
    identifier = number(entry.get("pid"))
    if identifier is None:
        return None
    opens, gone = _opens(entry, topic), bool(flag(number(entry.get("deleted"))))
    tree = tree_in(entry.get("content"))
    extract, quoted = _words(tree)
    parent = number(entry.get("toPid"))
    thread = number(entry.get("tid")) or number(topic.get("tid"))
    index = number(entry.get("index"))
    groups = {
        named((group.get("name"),)).lower() for group in rows_at(mapping(entry.get("user")).get("selectedGroups"))
    }
    answered = mapping(entry.get("parent"))
    item = ParsedItem(
        kind=Kind.POST,
        id=f"p{identifier}",
        url=clean_link(place_of(page.url), f"post/{identifier}"),
        author=_name(entry),
        author_id=named((entry.get("uid"),)) or None,
        published=_time(page, entry.get("timestampISO"), entry.get("timestamp")),
        parent=f"p{parent}" if parent else None,
        parent_author=named((answered.get("username"), answered.get("displayname"), names.get(parent))) or quoted,
        thread=f"t{thread}" if thread is not None else None,
        position=index + 1 if index is not None else None,
        votes=_votes(entry),
        views=number(topic.get("viewcount")) if opens else None,
        accepted=_accepted(identifier, topic) if not opens else None,
        staff=True if groups & {"administrators", "global moderators", "moderators"} else None,
        deleted=gone,
    )
    return item if gone else with_extract(item, extract)


def _votes(entry: Mapping[str, Any]) -> int | None:
    given = entry.get("votes")
    return given if isinstance(given, int) and not isinstance(given, bool) and abs(given) < 10**9 else None


def _accepted(post: int, topic: Mapping[str, Any]) -> bool | None:
    """By the question-and-answer plugin, where it is installed and the topic is a question."""
    if not number(topic.get("isQuestion")):
        return None
    return number(topic.get("solvedPid")) == post if number(topic.get("isSolved")) else False


def _time(page: PageFile, iso: Any, stamp: Any = None) -> Published:
    found = parse_date(iso if isinstance(iso, str) else None, page.now, page.zone)
    if found.at is None and (millis := number(stamp)) is not None:
        return from_timestamp(millis / 1000)
    return found


def _words(tree: Element) -> tuple[Extract, str | None]:
    """Own words, and whom the last quote names. The line over a quote ("@X said in …:") belongs to it."""
    quotes = [quote for quote in select(tree, "blockquote") if next(quote.iterancestors("blockquote"), None) is None]
    heads, quoted = [], None
    for quote in quotes:
        head = quote.getprevious()
        line = one_line(head)[:_HEAD_LETTERS] if head is not None and head.tag == "p" else ""
        over = _SAID.fullmatch(line.strip())
        within = _SAID.match(one_line(quote)[:_HEAD_LETTERS])
        if over is not None:
            heads.append(head)
        if found := over or within:
            quoted = found["name"].strip().lstrip("@") or quoted
    drop = [*heads, *select(tree, ".post-signature, [component='post/signature'], .link-preview, .card.col-md-9")]
    return own_words(tree, quotes=quotes, drop=drop), quoted


def _paging(page: PageFile, value: Mapping[str, Any]) -> Links:
    """Neighbouring pages: by what is said of them, for people and machines alike at the page's own address."""
    paging = mapping(value.get("pagination"))
    here, count = number(paging.get("currentPage")) or 1, number(paging.get("pageCount")) or 1
    address = _own_address(page, value)
    if address is None:
        return Links()
    following = (f"{address}?page={here + 1}",) if here < count else ()
    before = address if here == 2 else f"{address}?page={here - 1}"
    return Links(next=following, previous=(before,) if here > 1 else ())


def _own_address(page: PageFile, value: Mapping[str, Any]) -> str | None:
    """Of the page for people, without the number of a post or page."""
    place, path = place_of(page.url), urlsplit(page.url).path
    topic, category = number(value.get("tid")), number(value.get("cid"))
    if topic is not None and "posts" in value:
        return clean_link(place, f"topic/{topic}")
    if category is not None and "topics" in value:
        return clean_link(place, f"category/{category}")
    return clean_link(place, path.replace("/api/", "/", 1)) if path else None


def _row(page: PageFile, topic: Mapping[str, Any]) -> ThreadRow | None:
    identifier, count = number(topic.get("tid")), number(topic.get("postcount"))
    if identifier is None or flag(number(topic.get("deleted"))):
        return None
    url = clean_link(place_of(page.url), f"topic/{identifier}") or page.url
    last = _time(page, topic.get("lastposttimeISO"), topic.get("lastposttime")).at
    return ThreadRow(
        id=f"t{identifier}",
        url=url,
        title=heading(topic.get("titleRaw") or topic.get("title")),
        last_item=_newest(topic, count),
        last_url=f"{url}/-/{count}" if count and count > 1 else url,
        last_time=last,
        replies=count - 1 if count else None,
        sticky=bool(flag(number(topic.get("pinned")))),
    )


def _newest(topic: Mapping[str, Any], count: int | None) -> str | None:
    """The last post, where the teaser is that of the last post: a forum may show the first answer instead."""
    teaser = mapping(topic.get("teaser"))
    last, shown = number(topic.get("lastposttime")), number(teaser.get("timestamp"))
    if number(teaser.get("pid")) is not None and last is not None and shown is not None and shown >= last:
        return f"p{number(teaser.get('pid'))}"
    main = number(topic.get("mainPid"))
    return f"p{main}" if count == 1 and main is not None else None


def _boards(page: PageFile, categories: list[Mapping[str, Any]]) -> tuple[ThreadRow, ...]:
    found = []
    for category in categories:
        identifier = number(category.get("cid"))
        url = clean_link(place_of(page.url), f"category/{identifier}")
        if identifier is None or url is None or identifier < 1:
            continue
        latest = mapping(next(iter(rows_at(category.get("posts"))), {}))
        teaser = mapping(category.get("teaser"))
        last = number(latest.get("pid"))
        found.append(
            ThreadRow(
                id=f"c{identifier}",
                url=url,
                title=heading(category.get("name")),
                last_item=f"p{last}" if last is not None else named((teaser.get("url"),)) or None,
                last_time=_time(page, latest.get("timestampISO") or teaser.get("timestampISO")).at,
            )
        )
    return tuple(found)


# --- pages --------------------------------------------------------------------------------------------------------


def _html(page: PageFile) -> Parsed:
    if not page.body.strip():
        return Parsed(state=Answer.ERROR, reason="the page is empty")
    tree = tree_of(page)
    if not looks_like(tree):
        if first(tree, "input[type=password]") is not None:
            return Parsed(state=Answer.GATED, reason="a login form")
        return Parsed(state=Answer.LAYOUT_CHANGED, reason="no page of a NodeBB forum")
    base = base_of(tree, page.url)
    beneath = _beneath(page, tree)
    if beneath is not None:
        return beneath
    holder = first(tree, "[component='topic'][data-tid]")
    own = _topic_in(page.url) or (holder.get("data-tid") if holder is not None else None)
    posts = [
        post for post in select(tree, "[component='post']") if first(post, "[component='post/content']") is not None
    ]
    items = unique(item for post in posts if (item := _html_post(page, post, own)) is not None)
    links = Links(next=_rel(tree, base, "next"), previous=_rel(tree, base, "prev"))
    found = Parsed(
        state=Answer.OK,
        items=items,
        threads=() if items else _html_rows(page, tree, base),
        boards=() if items else _html_boards(page, tree),
        links=links,
        thread=f"t{own}" if own and items else None,
        thread_title=_html_title(tree) if items else "",
        lang=(tree.get("lang") or "") or None,
        first_page=any(post.get("data-index") == "0" for post in posts) if items else None,
    )
    if not found.items and not found.threads and first(tree, "[component='post']") is not None:
        return msgspec.structs.replace(found, state=Answer.LAYOUT_CHANGED, reason="posts without their content")
    return judged_posts(found, empty="no topics here")


def _beneath(page: PageFile, tree: Element) -> Parsed | None:
    """What the page was made of: the JSON that stands at its end; None where it is not whole."""
    script = first(tree, "script#ajaxify-data")
    try:
        value = mapping(json_of(script.text or "")) if script is not None else {}
    except (ValueError, RecursionError):
        return None
    if not looks_like_json(value):
        return None
    return msgspec.structs.replace(_answer(page, value), lang=(tree.get("lang") or "") or None)


def _topic_in(url: str) -> str | None:
    found = re.search(r"/topic/(\d{1,12})(?:/|$)", urlsplit(url).path)
    return found[1] if found else None


def _html_title(tree: Element) -> str:
    title = first(tree, "[component='topic/title'], h1[component='post/header'], [component='post/header']")
    if title is not None:
        return one_line(title)
    return next(
        (node.get("content") or "" for node in select(tree, "meta[itemprop=headline], meta[property='og:title']")), ""
    )


def _rel(tree: Element, base: str, name: str) -> tuple[str, ...]:
    link = first(
        tree, f"link[rel={name}][href], a[rel={name}][href], [component=pagination] .{name}:not(.disabled) a[href]"
    )
    url = clean_link(base, link.get("href")) if link is not None else None
    return (url,) if url else ()


def _html_post(page: PageFile, post: Element, topic: str | None) -> ParsedItem | None:
    identifier = number(post.get("data-pid"))
    content = first(post, "[component='post/content']")
    if identifier is None or content is None:
        return None
    name = first(post, "[itemprop=author] [itemprop=name], [component='post/author'], a[data-username]")
    time = first(post, "[itemprop=datePublished], time[datetime], .timeago[title]")
    printed = (
        next((time.get(key) for key in ("content", "datetime", "title") if time.get(key)), None)
        if time is not None
        else None
    )
    votes = first(post, "[component='post/vote-count']")
    index = number(post.get("data-index"))
    parent = first(post, "[component='post/parent'][data-topid], [data-topid]")
    answered = number(parent.get("data-topid")) if parent is not None else None
    extract, quoted = _words(content)
    return with_extract(
        ParsedItem(
            kind=Kind.POST,
            id=f"p{identifier}",
            url=clean_link(place_of(page.url), f"post/{identifier}"),
            author=named((post.get("data-username"), name.get("content") if name is not None else None))
            or one_line(name)
            or None,
            author_id=post.get("data-uid"),
            published=_time(page, printed, post.get("data-timestamp")),
            parent=f"p{answered}" if answered else None,
            parent_author=quoted,
            thread=f"t{topic}" if topic else None,
            position=index + 1 if index is not None else None,
            votes=_signed(votes.get("data-votes") if votes is not None else None),
            accepted=True if "accepted" in (post.get("class") or "") else None,
            deleted="deleted" in (post.get("class") or "").split(),
        ),
        extract,
    )


def _signed(text: str | None) -> int | None:
    found = re.fullmatch(r"-?\d{1,9}", text or "")
    return int(found[0]) if found else None


def _html_rows(page: PageFile, tree: Element, base: str) -> tuple[ThreadRow, ...]:
    found: dict[str, ThreadRow] = {}
    for row in select(tree, "[component='category/topic'][data-tid]"):
        link = first(row, "[component='topic/header'] a[href*='/topic/'], a[href*='/topic/']")
        if link is not None and (identifier := number(row.get("data-tid"))) is not None:
            found.setdefault(f"t{identifier}", _html_row(page, row, link, base, identifier))
    return tuple(found.values())


def _html_boards(page: PageFile, tree: Element) -> tuple[ThreadRow, ...]:
    found: dict[str, ThreadRow] = {}
    for box in select(tree, "[component='categories/category'][data-cid]"):
        link = first(box, "a[href*='/category/']")
        number_of = number(box.get("data-cid"))
        url = clean_link(place_of(page.url), f"category/{number_of}")
        if link is not None and number_of is not None and url is not None:
            titled = first(box, "h2 a, h3 a, .title a")
            title = one_line(titled if titled is not None else link)
            found.setdefault(f"c{number_of}", ThreadRow(id=f"c{number_of}", url=url, title=title))
    return tuple(found.values())


def _html_row(page: PageFile, row: Element, link: Element, base: str, identifier: int) -> ThreadRow:
    teaser = first(row, "[component='topic/teaser'], .teaser, .lastpost")
    post = first(teaser, "a[href*='/post/']") if teaser is not None else None
    jump = absolute(base, post.get("href")) if post is not None else None
    last = re.search(r"/post/(\d{1,12})", jump or "")
    time = first(teaser, ".timeago[title], time[datetime]") if teaser is not None else None
    printed = (time.get("title") or time.get("datetime")) if time is not None else None
    return ThreadRow(
        id=f"t{identifier}",
        url=clean_link(place_of(page.url), f"topic/{identifier}") or page.url,
        title=one_line(link),
        last_item=f"p{last[1]}" if last else None,
        last_url=jump,
        last_time=_time(page, printed).at,
        sticky="pinned" in (row.get("class") or ""),
    )
