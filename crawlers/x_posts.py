"""Posts as the interface of X (version 2) tells them: searches and timelines, with their authors beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.payload import (
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

WHAT = "X"
Row = dict[str, Any]
_SIGNS = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


def parse_search(page: PageFile) -> Parsed:
    """The posts of one answer; shares of others' posts are left out."""
    answer, wrong = json_answer(page, WHAT)
    if wrong is not None:
        return wrong
    if not isinstance(answer, dict):
        return other_shape(WHAT)
    if "data" not in answer and "meta" not in answer:
        refused = any(name in answer for name in ("title", "errors", "error", "detail"))
        return _refused(answer, page.status) if refused else other_shape(WHAT)
    data = answer.get("data")
    rows = [data] if isinstance(data, dict) else rows_at(answer, "data")
    if data is not None and not isinstance(data, (list, dict)):
        return other_shape(WHAT)
    people = {text_at(user, "id"): user for user in rows_at(answer, "includes", "users")}
    media = {text_at(one, "media_key"): one for one in rows_at(answer, "includes", "media")}
    own = [row for row in rows if not any(one.get("type") == "retweeted" for one in rows_at(row, "referenced_tweets"))]
    items = [item for row in own if (item := _item(row, people, media)) is not None]
    return judged(
        items, len(own), WHAT, links=Links(next=_next(page, answer)), lang=only(i.lang for i in items if i.lang)
    )


def _refused(answer: Row, status: int) -> Parsed:
    code = number_at(answer, "status") or number_at(answer, "errors", 0, "code") or status
    said = text_at(answer, "detail") or text_at(answer, "errors", 0, "message") or text_at(answer, "title")
    title = text_at(answer, "title")
    if code in (429, 88) or "usage" in title.lower() or "CreditsDepleted" in title:
        return Parsed(state=Answer.RATE_LIMITED, reason=f"X gives no more posts for now: {said[:200]}")
    if code in (401, 402, 403, 32, 89):
        return Parsed(
            state=Answer.GATED, reason=f"X does not let us in: check the token and what is paid for; {said[:200]}"
        )
    return Parsed(state=Answer.ERROR, reason=f"X answers: {said[:200]}")


def _next(page: PageFile, answer: Row) -> tuple[str, ...]:
    token = text_at(answer, "meta", "next_token")
    web = page.url.startswith(("http://", "https://"))
    return (with_query(page.url, next_token=token),) if token and web and len(token) < 500 else ()


def _item(row: Row, people: Mapping[str, Row], files: Mapping[str, Row]) -> ParsedItem | None:
    number, author = text_at(row, "id"), text_at(row, "author_id")
    if not number.isdigit():
        return None
    name = text_at(people.get(author), "username")
    answered = next((one for one in rows_at(row, "referenced_tweets") if one.get("type") == "replied_to"), None)
    whom, talk = text_at(row, "in_reply_to_user_id"), text_at(row, "conversation_id")
    media = tuple(_media(row, files))
    return ParsedItem(
        kind=Kind.POST,
        id=f"p{number}",
        url=f"https://x.com/{name or 'i/web'}/status/{number}",
        author=name or None,
        author_id=author or None,
        text=_said(row),
        published=moment(row.get("created_at")),
        votes=number_at(row, "public_metrics", "like_count"),
        views=number_at(row, "public_metrics", "impression_count"),
        parent=f"p{text_at(answered, 'id')}" if text_at(answered, "id") else None,
        parent_author=text_at(people.get(whom), "username") or _mentioned(row, whom) or None,
        thread=f"p{talk}" if talk else None,
        images=sum(one.kind == "image" for one in media),
        media=media,
        lang=_language(text_at(row, "lang")),
    )


def _mentioned(row: Row, number: str) -> str:
    """The name of an account that the text mentions."""
    people = rows_at(row, "entities", "mentions")
    return next((text_at(one, "username") for one in people if number and text_at(one, "id") == number), "")


def _language(code: str) -> str | None:
    """X writes ``und`` and ``q??`` where it knows none."""
    return code if code and code != "und" and not (len(code) == 3 and code[0] == "q") else None


def _said(row: Row) -> str:
    """The whole text, with the addresses that stand behind the shortened ones."""
    long = text_at(row, "note_tweet", "text")
    text = long or text_at(row, "text")
    links = rows_at(row, "note_tweet", "entities", "urls") if long else rows_at(row, "entities", "urls")
    for link in links[:50]:
        short, whole = text_at(link, "url"), text_at(link, "unwound_url") or text_at(link, "expanded_url")
        own = text_at(link, "display_url").startswith("pic.")
        if short.startswith("https://t.co/"):
            text = text.replace(short, "" if own else whole[:2000])
    for sign, letter in _SIGNS:
        text = text.replace(sign, letter)
    return plain(text)


def _media(row: Row, files: Mapping[str, Row]) -> Iterator[Media]:
    keys = at(row, "attachments", "media_keys")
    for key in keys[:10] if isinstance(keys, list) else []:
        one = files.get(key, {}) if isinstance(key, str) else {}
        kind = text_at(one, "type")
        if kind:
            address = text_at(one, "url") or text_at(one, "preview_image_url")
            yield Media(kind="image" if kind == "photo" else "video", url=address, text=text_at(one, "alt_text"))
