"""Posts of Bluesky: answers of the AppView (search, an account's feed, a thread) and events of a Jetstream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from crawlers.parsing import Links, PageFile, Parsed, ParsedItem, ThreadRow
from crawlers.payload import (
    MAX_ROWS,
    at,
    json_answer,
    judged,
    moment,
    number_at,
    only,
    other_shape,
    plain,
    rows_at,
    text_at,
    with_query,
)
from pipeline.item import Media
from pipeline.words import Answer, Kind

WHAT = "Bluesky"
POSTS = "app.bsky.feed.post"
_URI = re.compile(r"at://(did:[\w.:%-]{1,200})/app\.bsky\.feed\.post/([\w.~:-]{1,100})")
_LOCKED = frozenset({"AuthMissing", "AuthenticationRequired", "InvalidToken", "ExpiredToken", "AccountTakedown"})
_LOCKED |= {"InvalidCredentials", "AuthFactorTokenRequired", "Unauthorized", "Forbidden"}
LOG_IN = (
    "set account and key_file with an app password, and as url the account's own server such as https://bsky.social"
)


def parse_posts(page: PageFile) -> Parsed:
    """The posts of one answer, or of the lines of a Jetstream; shares of others' posts are left out."""
    if _is_stream(page.body):
        return _events(page)
    answer, wrong = json_answer(page, WHAT)
    if wrong is not None:
        return wrong
    if isinstance(answer, dict) and isinstance(answer.get("error"), str):
        return _refused(answer, page.status)
    views = _views(answer)
    if views is None:
        return other_shape(WHAT)
    handles = {text_at(view, "author", "did"): text_at(view, "author", "handle") for view in views}
    items = [item for view in views if (item := _of_view(view, handles)) is not None]
    threads = tuple(_threads(views, page.url))
    lang = only(item.lang for item in items if item.lang)
    return judged(items, len(views), WHAT, links=Links(next=_next(page, answer)), threads=threads, lang=lang)


def uri_parts(uri: str) -> tuple[str, str] | None:
    """Account and key of a post from its ``at://`` address."""
    found = _URI.fullmatch(uri)
    return (found[1], found[2]) if found else None


def _id(uri: str) -> str | None:
    parts = uri_parts(uri)
    return f"p{parts[0]}/{parts[1]}" if parts else None


def _refused(answer: dict[str, Any], status: int) -> Parsed:
    name, said = text_at(answer, "error"), text_at(answer, "message")[:200]
    if name in _LOCKED or status in (401, 403):
        return Parsed(state=Answer.GATED, reason=f"Bluesky wants a login ({name}: {said}); {LOG_IN}")
    if name == "RateLimitExceeded" or status == 429:
        return Parsed(state=Answer.RATE_LIMITED, reason=f"Bluesky asks us to slow down: {said or name}")
    return Parsed(state=Answer.ERROR, reason=f"Bluesky answers: {name}: {said}")


def _views(answer: Any) -> list[dict[str, Any]] | None:
    if not isinstance(answer, dict):
        return None
    if isinstance(answer.get("posts"), list):
        return rows_at(answer, "posts")
    if isinstance(answer.get("feed"), list):
        own = [row for row in rows_at(answer, "feed") if not at(row, "reason", "by")]
        return [row["post"] for row in own if isinstance(row.get("post"), dict)]
    return list(_tree(answer["thread"])) if isinstance(answer.get("thread"), dict) else None


def _tree(thread: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The posts of a thread, the first one first; without recursion, since answers may be nested deep."""
    waiting, given = [thread], 0
    while waiting and given < MAX_ROWS:
        node = waiting.pop()
        if isinstance(node.get("post"), dict):
            given += 1
            yield node["post"]
        waiting += reversed(rows_at(node, "replies"))


def _next(page: PageFile, answer: dict[str, Any]) -> tuple[str, ...]:
    cursor = text_at(answer, "cursor")
    return (with_query(page.url, cursor=cursor),) if cursor and len(cursor) < 2000 and _web(page.url) else ()


def _web(url: str) -> bool:
    return url.startswith(("http://", "https://"))


def _threads(views: list[dict[str, Any]], url: str) -> Iterator[ThreadRow]:
    base = url.partition("/xrpc/")[0]
    for view in views:
        uri, replies = text_at(view, "uri"), number_at(view, "replyCount")
        name = _id(uri)
        if name and replies and _web(url) and "/xrpc/" in url:
            address = f"{base}/xrpc/app.bsky.feed.getPostThread?uri={quote(uri, safe='')}&depth=20&parentHeight=0"
            yield ThreadRow(id=name, url=address, title="", replies=replies)


def _of_view(view: dict[str, Any], handles: dict[str, str]) -> ParsedItem | None:
    record, uri = view.get("record"), text_at(view, "uri")
    if not isinstance(record, dict):
        return None
    handle = text_at(view, "author", "handle")
    item = _post(uri, record, handle if handle != "handle.invalid" else "", handles)
    counted = number_at(view, "likeCount")
    return msgspec.structs.replace(item, votes=counted) if item is not None else None


def _post(uri: str, record: dict[str, Any], handle: str, handles: dict[str, str]) -> ParsedItem | None:
    parts = uri_parts(uri)
    if parts is None:
        return None
    did, key = parts
    parent, root = text_at(record, "reply", "parent", "uri"), text_at(record, "reply", "root", "uri")
    whom = uri_parts(parent)
    media = tuple(_media(record.get("embed")))
    languages = at(record, "langs")
    lang = languages[0] if isinstance(languages, list) and languages and isinstance(languages[0], str) else None
    return ParsedItem(
        kind=Kind.POST,
        id=f"p{did}/{key}",
        url=f"https://bsky.app/profile/{did}/post/{key}",
        author=handle or did,
        author_id=did,
        text=plain(_whole_text(record)),
        published=moment(record.get("createdAt")),
        parent=_id(parent),
        parent_author=(handles.get(whom[0]) or whom[0]) if whom else None,
        thread=_id(root) or f"p{did}/{key}",
        images=sum(one.kind == "image" for one in media),
        media=media,
        lang=lang[:35] if lang else None,
    )


def _whole_text(record: dict[str, Any]) -> str:
    """The text with the whole address where a link is shown shortened; places of links are counted in bytes."""
    text = at(record, "text")
    if not isinstance(text, str):
        return ""
    body = text.encode("utf-8", "replace")
    links = []
    for facet in rows_at(record, "facets")[:100]:
        start, end = number_at(facet, "index", "byteStart"), number_at(facet, "index", "byteEnd")
        uri = next((uri for one in rows_at(facet, "features") if (uri := text_at(one, "uri"))), "")
        if start is not None and end is not None and 0 <= start < end <= len(body) and _web(uri):
            links.append((start, end, uri))
    done, pieces = 0, []
    for start, end, uri in sorted(links):
        shown = body[start:end]
        if start >= done and shown.endswith((b"...", "…".encode())):
            pieces += [body[done:start], uri.encode("utf-8", "replace")]
            done = end
    return b"".join([*pieces, body[done:]]).decode("utf-8", "replace")


def _media(embed: Any) -> Iterator[Media]:
    """Pictures and films in words; those of a quoted post are not this one's."""
    embed = embed.get("media", embed) if isinstance(embed, dict) else embed
    for image in rows_at(embed, "images")[:20]:
        yield Media(kind="image", text=text_at(image, "alt"))
    if at(embed, "video") is not None:
        yield Media(kind="video", text=text_at(embed, "alt"))


# --- Jetstream -----------------------------------------------------------------------------------------------


def _is_stream(body: bytes) -> bool:
    start = body[:300]
    return start.lstrip().startswith(b"{") and b'"time_us"' in start and b'"did"' in start


def _events(page: PageFile) -> Parsed:
    """One event to a line; what is no post (accounts, deletions of unknown posts) counts as read."""
    items, rows = [], 0
    for line in page.body.splitlines()[:MAX_ROWS]:
        event, wrong = json_answer(PageFile(url=page.url, body=line, now=page.now, zone=page.zone), WHAT)
        if wrong is None and at(event, "commit", "collection") == POSTS:
            rows += 1
            item = event_item(event)
            items += [item] if item is not None else []
    return judged(items, rows, WHAT, lang=only(item.lang for item in items if item.lang))


def event_item(event: Any) -> ParsedItem | None:
    """The post of an event; a deletion gives one without text. None where it is about something else."""
    did, key = text_at(event, "did"), text_at(event, "commit", "rkey")
    uri = f"at://{did}/{POSTS}/{key}"
    if at(event, "commit", "collection") != POSTS or uri_parts(uri) is None:
        return None
    if at(event, "commit", "operation") == "delete":
        url = f"https://bsky.app/profile/{did}/post/{key}"
        happened = moment((number_at(event, "time_us") or 0) / 1_000_000)
        return ParsedItem(kind=Kind.POST, id=f"p{did}/{key}", url=url, author_id=did, published=happened, deleted=True)
    record = at(event, "commit", "record")
    return _post(uri, record, "", {}) if isinstance(record, dict) else None


def links_of(record: Any) -> str:
    """Addresses and titles a post points to: a name may stand there alone."""
    card = at(record, "embed", "external")
    found = [text_at(card, "title"), text_at(card, "uri")]
    for facet in rows_at(record, "facets")[:100]:
        found += [text_at(one, "uri") for one in rows_at(facet, "features")[:5]]
    return " ".join(part for part in found if part)
