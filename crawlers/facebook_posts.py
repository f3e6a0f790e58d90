"""Posts and comments of a page as Facebook's Graph API tells them; who wrote them is mostly hidden."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

from crawlers.parsing import Links, PageFile, Parsed, ParsedItem, ThreadRow
from crawlers.payload import (
    at,
    json_answer,
    judged,
    moment,
    number_at,
    other_shape,
    plain,
    rows_at,
    text_at,
    with_query,
)
from crawlers.select import absolute, parameter
from pipeline.item import Media
from pipeline.words import Answer, Kind

WHAT = "Facebook"
_SLOW = frozenset({4, 17, 32, 613, 80001, 80002, 80006})
_CLOSED = frozenset({10, 102, 104, 190, *range(200, 300)})
COMMENT_FIELDS = "id,message,created_time,from,like_count,parent{id,from},permalink_url,attachment,comment_count"
Row = dict[str, Any]


def parse_feed(page: PageFile) -> Parsed:
    """The posts or comments of one answer. Addresses of further pages come without the token they are given with."""
    answer, wrong = json_answer(page, WHAT)
    if wrong is not None:
        return wrong
    if isinstance(at(answer, "error"), dict):
        return _refused(answer)
    if not isinstance(at(answer, "data"), list):
        return other_shape(WHAT)
    rows = [row for row in rows_at(answer, "data") if _says_something(row)]
    items = [item for row in rows if (item := _item(row, page)) is not None]
    older = absolute(page.url, text_at(answer, "paging", "next"))
    links = Links(next=(with_query(older, access_token=None),) if older else ())
    return judged(items, len(rows), WHAT, anonymous=True, links=links, threads=tuple(_threads(rows, page.url)))


def _refused(answer: Row) -> Parsed:
    code, said = number_at(answer, "error", "code") or 0, text_at(answer, "error", "message")[:200]
    if code in _SLOW:
        return Parsed(state=Answer.RATE_LIMITED, reason=f"Facebook asks us to slow down: {said}")
    if code in _CLOSED or text_at(answer, "error", "type") == "OAuthException":
        return Parsed(
            state=Answer.GATED, reason=f"Facebook does not let us in: the page's token is needed anew; {said}"
        )
    return Parsed(state=Answer.ERROR, reason=f"Facebook answers: {said}")


def _says_something(row: Row) -> bool:
    """Changes of a cover picture and the like are no posts."""
    return bool(text_at(row, "message") or rows_at(row, "attachments", "data") or at(row, "attachment")) or (
        "story" not in row
    )


def _is_comment(row: Row) -> bool:
    return "comment_id=" in text_at(row, "permalink_url") or "like_count" in row or "comment_count" in row


def _item(row: Row, page: PageFile) -> ParsedItem | None:
    url = absolute(page.url, text_at(row, "permalink_url"))
    comment = _is_comment(row)
    number = text_at(row, "id") or parameter(url, "reply_comment_id") or parameter(url, "comment_id") or ""
    number = number.rpartition("_")[2]
    if not number.isalnum():
        return None
    media = tuple(_media(row, page.url))
    post = _post_of(page.url)
    answered = text_at(row, "parent", "id").rpartition("_")[2]
    return ParsedItem(
        kind=Kind.COMMENT if comment else Kind.POST,
        id=f"p{number}",
        url=url or f"https://www.facebook.com/{number}",
        author=text_at(row, "from", "name") or None,
        author_id=text_at(row, "from", "id") or None,
        text=plain(text_at(row, "message")),
        published=moment(row.get("created_time")),
        votes=_counted(row),
        parent=f"p{answered}" if answered else post if comment else None,
        parent_author=text_at(row, "parent", "from", "name") or None,
        thread=post if comment else f"p{number}",
        images=sum(one.kind == "image" for one in media),
        media=media,
    )


def _post_of(url: str) -> str | None:
    """The post whose comments an address asks for."""
    place = url.partition("?")[0].rstrip("/").removesuffix("/comments").rpartition("/")[2]
    return f"p{place.rpartition('_')[2]}" if place.replace("_", "").isdigit() and "/comments" in url else None


def _counted(row: Row) -> int | None:
    found = number_at(row, "like_count")
    return number_at(row, "reactions", "summary", "total_count") if found is None else found


def _media(row: Row, base: str) -> Iterator[Media]:
    single = at(row, "attachment")
    for one in [*rows_at(row, "attachments", "data"), *([single] if isinstance(single, dict) else [])][:10]:
        kind = text_at(one, "media_type") or text_at(one, "type")
        if "photo" in kind or "video" in kind:
            address = absolute(base, text_at(one, "media", "image", "src")) or ""
            said = text_at(one, "description") if text_at(one, "description") != text_at(row, "message") else ""
            yield Media(kind="video" if "video" in kind else "image", url=address, text=said)


def _threads(rows: list[Row], url: str) -> Iterator[ThreadRow]:
    for row in rows:
        number, total = text_at(row, "id"), number_at(row, "comments", "summary", "total_count")
        if total and number.replace("_", "").isdigit() and url.startswith(("http://", "https://")):
            base = "/".join(url.partition("?")[0].rstrip("/").split("/")[:-2])
            address = urljoin(f"{base}/", f"{number}/comments?filter=stream&order=reverse_chronological&limit=100")
            name = f"p{number.rpartition('_')[2]}"
            yield ThreadRow(id=name, url=with_query(address, fields=COMMENT_FIELDS), title="", replies=total)
