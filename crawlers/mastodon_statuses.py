"""Posts as Mastodon's interface tells them: timelines, searches, threads, and single posts of a stream."""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.payload import at, json_answer, judged, moment, number_at, only, other_shape, rows_at, text_at, with_query
from crawlers.select import absolute, select
from crawlers.text import own_words, parse_tree
from pipeline.identity import origin_of
from pipeline.item import Media
from pipeline.words import Answer, Kind

_NEXT = re.compile(r'<([^<>\s]{1,2000})>\s{0,3};\s{0,3}rel="?next"?')
_SHORTCODE = re.compile(r":([A-Za-z0-9_]{2,64}):(?:[ \u200b]|(?=\n)|$)?")
_MEDIA = {"image": "image", "video": "video", "gifv": "video"}
_SHOWN = ("public", "unlisted", "")
"""Posts to followers, or to single people, are not ours to read, even where a token shows them."""


def parse_statuses(page: PageFile) -> Parsed:
    """The posts of one answer; shares of others' posts are left out, since the post itself is one."""
    answer, wrong = json_answer(page, "Mastodon")
    if wrong is not None:
        return wrong
    if isinstance(answer, dict) and "error" in answer:
        return _refused(text_at(answer, "error_description") or text_at(answer, "error"), page.status)
    rows = _statuses(answer)
    if rows is None:
        return other_shape("Mastodon")
    own = [row for row in rows if not at(row, "reblog") and text_at(row, "visibility") in _SHOWN]
    items = [item for row in own if (item := _item(row, page)) is not None]
    lang = only(item.lang for item in items if item.lang)
    return judged(items, len(own), "Mastodon", links=Links(next=_next(page, answer, len(rows))), lang=lang)


def _statuses(answer: Any) -> list[dict[str, Any]] | None:
    if isinstance(answer, list):
        return rows_at(answer)
    if isinstance(answer, dict) and isinstance(answer.get("statuses"), list):
        return rows_at(answer, "statuses")
    if isinstance(answer, dict) and isinstance(answer.get("descendants"), list):
        return rows_at(answer, "ancestors") + rows_at(answer, "descendants")
    return [answer] if isinstance(answer, dict) and "account" in answer and "content" in answer else None


def _refused(said: str, status: int) -> Parsed:
    low = said.lower()
    if status == 429 or "too many" in low or "throttled" in low:
        return Parsed(state=Answer.RATE_LIMITED, reason=f"Mastodon asks us to slow down: {said[:200]}")
    closed = ("authenticated", "access token", "unauthorized", "forbidden", "scopes", "login", "not allowed")
    if status in (401, 403) or any(word in low for word in closed):
        reason = f"the server shows this only with a token (set key_file, or key_env): {said[:200]}"
        return Parsed(state=Answer.GATED, reason=reason)
    return Parsed(state=Answer.ERROR, reason=f"Mastodon answers: {said[:200]}")


def _next(page: PageFile, answer: Any, rows: int) -> tuple[str, ...]:
    """Older posts: the Link header of timelines; searches count on."""
    found = _NEXT.search(page.headers.get("link", "")[:10_000])
    if found is not None:
        url = absolute(page.url, found[1])
        return (url,) if url else ()
    if not (isinstance(answer, dict) and "statuses" in answer and rows):
        return ()
    asked = dict(part.partition("=")[::2] for part in urlsplit(page.url).query.split("&"))
    limit, offset = number_at(asked, "limit"), number_at(asked, "offset") or 0
    return (with_query(page.url, offset=offset + limit),) if limit and rows >= limit else ()


def _item(row: dict[str, Any], page: PageFile) -> ParsedItem | None:
    number = text_at(row, "id")
    url = next((url for key in ("url", "uri") if (url := absolute(page.url, text_at(row, key)))), None)
    if not number or url is None:
        return None
    account = row.get("account")
    body = parse_tree(f"<div>{text_at(row, 'content')}</div>")
    said = own_words(body, quotes=select(body, ".quote-inline, blockquote"))
    text = _without_emoji(said.text, row)
    choices = [text_at(choice, "title") for choice in rows_at(row, "poll", "options")]
    media = tuple(_media(row, page.url))
    parent, parent_author = _answered(row, page, url)
    return ParsedItem(
        kind=Kind.POST,
        id=f"p{number}",
        url=url,
        author=_full_name(account, page.url) or None,
        author_id=absolute(page.url, text_at(account, "url")) or text_at(account, "id") or None,
        title=_without_emoji(text_at(row, "spoiler_text"), row),
        text="\n\n".join(part for part in (text, *choices) if part),
        published=moment(row.get("created_at")),
        votes=number_at(row, "favourites_count"),
        parent=parent,
        parent_author=parent_author,
        quotes_removed=said.quotes_removed,
        images=sum(one.kind == "image" for one in media),
        media=media,
        lang=text_at(row, "language")[:35] or None,
    )


def _without_emoji(text: str, row: dict[str, Any]) -> str:
    """Pictures of a server's own stand as ``:name:`` and say nothing; other words between colons stay."""
    names = {text_at(one, "shortcode") for one in rows_at(row, "emojis")}
    if not names or ":" not in text:
        return text
    return _SHORTCODE.sub(lambda found: "" if found[1] in names else found[0], text).strip()


def _full_name(account: Any, url: str) -> str:
    """``name@server``, as everybody else calls it; servers leave their own name out."""
    name = text_at(account, "acct") or text_at(account, "username")
    host = _host(text_at(account, "url") or url)
    return f"{name}@{host}" if name and "@" not in name and host else name


def _host(url: str) -> str:
    """The public name of a server; empty for addresses and names of a local network."""
    try:
        host = (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""
    try:
        ip_address(host)
    except ValueError:
        return host if "." in host else ""
    return ""


def _answered(row: dict[str, Any], page: PageFile, url: str) -> tuple[str | None, str | None]:
    """Post and account this answers. The post's number is the asked server's: it names only what lies there."""
    number, whom = text_at(row, "in_reply_to_id"), text_at(row, "in_reply_to_account_id")
    if not number:
        return None, None
    own = whom == text_at(row, "account", "id")
    people = [row["account"]] if own else rows_at(row, "mentions")
    person = next((one for one in people if text_at(one, "id") == whom), None)
    local = person is not None and "@" not in text_at(person, "acct") and _origin(url) == _origin(page.url)
    return f"p{number}" if local else None, _full_name(person, page.url) or None


def _origin(url: str) -> str:
    try:
        return origin_of(url)
    except ValueError:
        return ""


def _media(row: dict[str, Any], base: str) -> Iterable[Media]:
    for one in rows_at(row, "media_attachments")[:20]:
        kind = _MEDIA.get(text_at(one, "type"))
        if kind is not None:
            address = absolute(base, text_at(one, "url") or text_at(one, "remote_url")) or ""
            yield Media(kind="image" if kind == "image" else "video", url=address, text=text_at(one, "description"))
