"""Comments and films as YouTube's Data API tells them."""

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
from crawlers.text import fragment_text
from pipeline.words import Answer, Kind

WHAT = "YouTube"
_SPENT = frozenset({"quotaExceeded", "dailyLimitExceeded", "rateLimitExceeded", "userRateLimitExceeded"})
Row = dict[str, Any]


def parse_comments(page: PageFile) -> Parsed:
    """Threads of comments, answers to one comment, or films that a search found."""
    answer, wrong = json_answer(page, WHAT)
    if wrong is not None:
        return wrong
    if isinstance(at(answer, "error"), dict):
        return _refused(answer, page.status)
    if not isinstance(at(answer, "items"), list):
        return other_shape(WHAT)
    rows = rows_at(answer, "items")
    found = [item for row in rows for item in _items(row)]
    expected = len(rows) + sum(len(rows_at(row, "replies", "comments")) for row in rows)
    token = text_at(answer, "nextPageToken")
    web = page.url.startswith(("http://", "https://"))
    links = Links(next=(with_query(page.url, pageToken=token),) if token and web and len(token) < 2000 else ())
    return judged(found, expected, WHAT, links=links, threads=tuple(_threads(rows, page.url)) if web else ())


def _refused(answer: Row, status: int) -> Parsed:
    reason = text_at(answer, "error", "errors", 0, "reason") or text_at(answer, "error", "status")
    said = fragment_text(text_at(answer, "error", "message")[:2000])[:200]
    code = number_at(answer, "error", "code") or status
    if reason in _SPENT or code == 429:
        return Parsed(
            state=Answer.RATE_LIMITED,
            reason=f"YouTube's quota is spent ({reason}); it begins anew at midnight, Pacific time",
        )
    if reason == "commentsDisabled":
        return Parsed(state=Answer.EMPTY, reason="comments are turned off for this film")
    if code in (400, 401, 403) and ("key" in said.lower() or code != 400):
        return Parsed(state=Answer.GATED, reason=f"YouTube does not let us in ({reason}): check the key; {said}")
    return Parsed(state=Answer.ERROR, reason=f"YouTube answers: {reason}: {said}")


def _items(row: Row) -> Iterator[ParsedItem]:
    if isinstance(at(row, "id"), dict):
        yield from _film(row)
        return
    top = at(row, "snippet", "topLevelComment")
    film = text_at(row, "snippet", "videoId")
    if isinstance(top, dict):
        yield from _comment(top, film, None)
        for reply in rows_at(row, "replies", "comments"):
            yield from _comment(reply, film, text_at(top, "id"))
    else:
        yield from _comment(row, film, text_at(row, "snippet", "parentId"))


def _comment(row: Row, film: str, parent: str | None) -> Iterator[ParsedItem]:
    number, snippet = text_at(row, "id"), row.get("snippet")
    if not number or not isinstance(snippet, dict):
        return
    film = text_at(snippet, "videoId") or film
    channel = text_at(snippet, "channelId")
    place = f"watch?v={film}&lc={number}" if film else f"channel/{channel}/community?lc={number}"
    yield ParsedItem(
        kind=Kind.COMMENT,
        id=f"p{number}",
        url=f"https://www.youtube.com/{place}",
        author=text_at(snippet, "authorDisplayName") or None,
        author_id=text_at(snippet, "authorChannelId", "value") or text_at(snippet, "authorChannelUrl") or None,
        text=_said(snippet),
        published=moment(snippet.get("publishedAt")),
        votes=number_at(snippet, "likeCount"),
        parent=f"p{parent}" if parent else None,
        thread=f"v{film}" if film else None,
    )


def _said(snippet: Row) -> str:
    original = text_at(snippet, "textOriginal")
    if original:
        return plain(original)
    return fragment_text(text_at(snippet, "textDisplay"))


def _film(row: Row) -> Iterator[ParsedItem]:
    film = text_at(row, "id", "videoId")
    if not film:
        return  # channels and playlists are no items
    yield ParsedItem(
        kind=Kind.POST,
        id=f"v{film}",
        url=f"https://www.youtube.com/watch?v={film}",
        author=text_at(row, "snippet", "channelTitle") or None,
        author_id=text_at(row, "snippet", "channelId") or None,
        title=fragment_text(text_at(row, "snippet", "title")),
        text=fragment_text(text_at(row, "snippet", "description")),
        published=moment(at(row, "snippet", "publishedAt")),
        thread=f"v{film}",
        teaser=True,
    )


def _threads(rows: list[Row], url: str) -> Iterator[ThreadRow]:
    """Threads with more answers than the list shows."""
    for row in rows:
        total = number_at(row, "snippet", "totalReplyCount")
        number = text_at(row, "snippet", "topLevelComment", "id")
        if total and number and total > len(rows_at(row, "replies", "comments")):
            address = urljoin(url, "comments?part=snippet&maxResults=100&textFormat=plainText")
            yield ThreadRow(id=f"p{number}", url=with_query(address, parentId=number), title="", replies=total)
