"""Posts and comments as Reddit's interface tells them: listings of things, and the tree of comments of a post."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import urljoin

from crawlers.parsing import Links, PageFile, Parsed, ParsedItem, ThreadRow
from crawlers.payload import (
    MAX_ROWS,
    at,
    json_answer,
    judged,
    moment,
    number_at,
    other_shape,
    rows_at,
    text_at,
    with_query,
)
from crawlers.select import select
from crawlers.text import Extract, own_words, parse_tree
from pipeline.item import Media
from pipeline.words import Answer, Kind

WHAT = "Reddit"
SITE = "https://www.reddit.com"
_GONE = ("[deleted]", "[removed]")
Row = dict[str, Any]


def parse_things(page: PageFile) -> Parsed:
    """Posts (t3) and comments (t1) of a listing, or of a post with its comments."""
    answer, wrong = json_answer(page, WHAT)
    if wrong is not None:
        return wrong
    if isinstance(answer, dict) and "error" in answer and "data" not in answer:
        return _refused(answer, page.status)
    listings = rows_at(answer) if isinstance(answer, list) else [answer]
    if not listings or not all(isinstance(at(one, "data", "children"), list) for one in listings):
        return other_shape(WHAT)
    things = [thing for one in listings for thing in _things(one)]
    items = [item for kind, row in things if (item := _item(kind, row)) is not None]
    first = next((row for kind, row in things if kind == "t3"), None) if isinstance(answer, list) else None
    return judged(
        items,
        len(things),
        WHAT,
        links=Links(next=_next(page, answer)),
        threads=() if first is not None else tuple(_threads(things, page.url)),
        thread=f"t3_{text_at(first, 'id')}" if first is not None else None,
        thread_title=text_at(first, "title"),
    )


def _refused(answer: Row, status: int) -> Parsed:
    code = number_at(answer, "error") or status
    said = " ".join(filter(None, (text_at(answer, "message"), text_at(answer, "reason"), text_at(answer, "error"))))
    if code == 429:
        return Parsed(state=Answer.RATE_LIMITED, reason="Reddit asks us to slow down")
    if code in (401, 403) or text_at(answer, "error") in ("invalid_grant", "unauthorized_client"):
        reason = f"Reddit does not let us in ({said[:200]}): check client_id and key_file, or the place is private"
        return Parsed(state=Answer.GATED, reason=reason)
    return Parsed(state=Answer.ERROR, reason=f"Reddit answers: {said[:200]}")


def _things(listing: Any) -> Iterator[tuple[str, Row]]:
    """Things in order, answers behind what they answer; without recursion."""
    waiting = list(reversed(rows_at(listing, "data", "children")))
    given = 0
    while waiting and given < MAX_ROWS:
        thing = waiting.pop()
        kind, row = text_at(thing, "kind"), thing.get("data")
        if kind not in ("t1", "t3") or not isinstance(row, dict):
            continue  # "more" and what else may stand in a listing
        given += 1
        yield kind, row
        waiting += reversed(rows_at(row, "replies", "data", "children"))


def _next(page: PageFile, answer: Any) -> tuple[str, ...]:
    after = text_at(answer, "data", "after")
    web = page.url.startswith(("http://", "https://"))
    return (with_query(page.url, after=after),) if after and web and len(after) < 50 else ()


def _threads(things: list[tuple[str, Row]], url: str) -> Iterator[ThreadRow]:
    for kind, row in things:
        number = text_at(row, "id")
        if kind == "t3" and number.isalnum() and url.startswith(("http://", "https://")):
            address = urljoin(url, f"/comments/{number}?limit=500&sort=new&raw_json=1")
            title = text_at(row, "title")
            yield ThreadRow(id=f"t3_{number}", url=address, title=title, replies=number_at(row, "num_comments"))


def _item(kind: str, row: Row) -> ParsedItem | None:
    number = text_at(row, "id")
    if not number.isalnum():
        return None
    post = kind == "t3"
    said = _said(row, "selftext" if post else "body")
    deleted = said.text in _GONE or bool(row.get("removed_by_category")) or text_at(row, "title") in _GONE
    author = text_at(row, "author")
    link = text_at(row, "permalink")
    whom = None if post else text_at(row, "parent_id")
    media = tuple(_media(row)) if post else ()
    return ParsedItem(
        kind=Kind.POST if post else Kind.COMMENT,
        id=f"{kind}_{number}",
        url=urljoin(SITE, link) if link.startswith("/") else f"{SITE}/{_path(row, number, post)}",
        author=author if author and author not in _GONE else None,
        author_id=text_at(row, "author_fullname") or None,
        title=text_at(row, "title") if post and not deleted else "",
        text="" if deleted else said.text,
        published=moment(row.get("created_utc")),
        votes=number_at(row, "score"),
        parent=whom or None,
        thread=f"t3_{number}" if post else text_at(row, "link_id") or None,
        thread_title=text_at(row, "link_title"),
        quotes_removed=said.quotes_removed,
        images=len(media),
        media=media,
        deleted=deleted,
    )


def _path(row: Row, number: str, post: bool) -> str:
    thread = text_at(row, "link_id").removeprefix("t3_")
    return f"comments/{number}/" if post else f"comments/{thread}/_/{number}/"


def _said(row: Row, field: str) -> Extract:
    """Own words: of the HTML where there is one, since quotes are marked there, else of the markdown."""
    plain, markup = text_at(row, field), text_at(row, f"{field}_html")
    if plain in _GONE or not markup:
        lines = plain.split("\n")
        kept = [line for line in lines if not line.lstrip().startswith((">", "&gt;"))]
        removed = int(len(kept) < len(lines))
        return Extract(text=unescape("\n".join(kept)).strip(), quotes_removed=removed)
    tree = parse_tree(f"<div>{unescape(markup) if markup.startswith('&lt;') else markup}</div>")
    return own_words(tree, quotes=select(tree, "blockquote"))


def _media(row: Row) -> Iterator[Media]:
    address = text_at(row, "url_overridden_by_dest")
    if row.get("is_video") is True:
        yield Media(kind="video", url=address)
    elif text_at(row, "post_hint") == "image":
        yield Media(kind="image", url=address)
