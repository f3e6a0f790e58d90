"""Spider for Khoros communities (Lithium): their Community API v2, with the key of whose community it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, urlsplit

from pydantic import Field
from scrapy.http import Response

from crawlers.api import ApiOptions, ApiSpider
from crawlers.dates import parse_date
from crawlers.look import Look
from crawlers.newest import Reel
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
from crawlers.select import absolute, select
from crawlers.text import Element, Extract, own_words
from pipeline.words import Answer, Channel, Kind

LIMIT = 100
FIELDS = (
    "id,subject,body,view_href,post_time,depth,author.id,author.login,author.rank.name,parent.id,parent.author.login,"
    "topic.id,topic.subject,board.id,kudos.sum(weight),metrics.views,is_solution,conversation.solved"
)
_OFFSET = re.compile(r"\bOFFSET (\d{1,9})\s*$", re.IGNORECASE)
_LIMITED = re.compile(r"\bLIMIT (\d{1,4})\b", re.IGNORECASE)
_BOARD = re.compile(r"[\w-]{1,100}")
_DROP = ".lia-spoiler-link, .lia-message-signature, .lia-quilt-row-forum-message-footer, .lia-inline-message-author"


def parse(page: PageFile) -> Parsed:
    """The messages of one answer to a search in the interface's query language."""
    value = mapping(value_of(page))
    data = mapping(value.get("data")) or mapping(value.get("result"))
    if not value or not data:
        return no_json(page, "answer of a Khoros community")
    if value.get("status") == "error" or data.get("type") == "error_data":
        return _refused(value, data)
    if not isinstance(data.get("items"), list):
        return no_json(page, "list of messages of a Khoros community")
    entries = rows_at(data["items"])
    items = unique(item for entry in entries if (item := _message(page, entry)) is not None)
    if entries and not items:
        return Parsed(state=Answer.LAYOUT_CHANGED, reason=f"no message was found in {len(entries)} entries")
    return judged_posts(Parsed(state=Answer.OK, items=items, links=_older(page, len(entries))), empty="no messages")


def _refused(value: Mapping[str, Any], data: Mapping[str, Any]) -> Parsed:
    status = number(value.get("http_code"))
    said = named((value.get("message"), data.get("developer_message")))[:200]
    states = {401: Answer.GATED, 403: Answer.GATED, 429: Answer.RATE_LIMITED}
    return Parsed(state=states.get(status or 0, Answer.ERROR), reason=f"the interface refuses ({status}): {said}")


def _message(page: PageFile, entry: Mapping[str, Any]) -> ParsedItem | None:
    identifier = number(entry.get("id"))
    if identifier is None:
        return None
    author, parent, topic = (mapping(entry.get(name)) for name in ("author", "parent", "topic"))
    thread, above, depth = number(topic.get("id")), number(parent.get("id")), number(entry.get("depth"))
    opens = depth == 0 or thread == identifier
    tree = tree_in(entry.get("body"))
    solved = flag(mapping(entry.get("conversation")).get("solved"))
    given = flag(entry.get("is_solution"))
    title = heading(topic.get("subject")) or (heading(entry.get("subject")) if opens else "")
    href, posted = entry.get("view_href"), entry.get("post_time")
    item = ParsedItem(
        kind=Kind.POST,
        id=f"p{identifier}",
        url=absolute(page.url, href) if isinstance(href, str) else None,
        author=named((author.get("login"),)) or None,
        author_id=named((author.get("id"),)) or None,
        title=heading(entry.get("subject")),
        published=parse_date(posted if isinstance(posted, str) else None, page.now, page.zone),
        parent=f"p{above}" if above and not opens else None,
        parent_author=named((mapping(parent.get("author")).get("login"),)) or None,
        thread=f"t{thread if thread is not None else identifier}" if thread is not None or opens else None,
        thread_title=title,
        position=1 if opens else None,
        votes=number(mapping(mapping(entry.get("kudos")).get("sum")).get("weight")),
        views=number(mapping(entry.get("metrics")).get("views")) if opens else None,
        accepted=given if given is not None else (False if solved is not None else None),
    )
    return with_extract(item, _words(tree))


def _words(tree: Element) -> Extract:
    return own_words(tree, quotes=select(tree, "blockquote, .lia-quote, div.quote"), drop=select(tree, _DROP))


def _older(page: PageFile, count: int) -> Links:
    """The same query, further down, while pages are full."""
    query = next(iter(parse_qs(urlsplit(page.url).query).get("q", ())), "")
    limited = _LIMITED.search(query)
    size = int(limited[1]) if limited else 25
    if not query or size < 1 or count < size:
        return Links()
    offset = _OFFSET.search(query)
    here = int(offset[1]) if offset else 0
    further = f"{_OFFSET.sub('', query).rstrip()} OFFSET {here + size}"
    return Links(next=(f"{page.url.partition('?')[0]}?q={quote(further)}",))


class KhorosOptions(ApiOptions):
    """Options of a Khoros community."""

    boards: tuple[str, ...] = Field((), description="Only messages of these boards, by their ids.")
    bearer: bool = Field(False, description="The key is an API token (Bearer); else it is a session key.")


class KhorosSpider(ApiSpider):
    """Reads all messages of a community, newest first: one request shows what is new."""

    name = "khoros"
    platform = "khoros"
    channel = Channel.OWN
    interval = timedelta(minutes=5)
    Options = KhorosOptions
    key_name = "STURMWARTE_KHOROS_KEY"
    description = "A Khoros community of your own, by its Community API v2; needs a session key or API token."
    example = """\
[sources.community]
spider = "khoros"
url = "https://community.example.org/"
about = "acme"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        data = mapping(mapping(look.json).get("data"))
        known = data.get("type") == "messages" or any(
            row.get("type") == "message" for row in rows_at(data.get("items"))
        )
        return "the answer is a Khoros community's" if known else ""

    def headers(self) -> Mapping[str, str]:
        options = self.options(KhorosOptions)
        if options.bearer:
            return {"Authorization": f"Bearer {self.key()}"}
        return {"li-api-session-key": self.key()}

    def lists(self) -> Mapping[str, str]:
        options = self.options(KhorosOptions)
        boards = [board for board in options.boards if _BOARD.fullmatch(board)]
        only = f" WHERE board.id IN ({', '.join(repr(board) for board in boards)})" if boards else ""
        query = f"SELECT {FIELDS} FROM messages{only} ORDER BY post_time DESC LIMIT {LIMIT}"
        parts = urlsplit(self.job.url)
        path = parts.path.partition("/api/")[0].rstrip("/")
        return {"": f"{parts.scheme}://{parts.netloc}{path}/api/2.0/search?q={quote(query)}"}

    def expects_items(self, reel: Reel) -> bool:
        return True

    def over(self, item: ParsedItem, response: Response) -> Mapping[str, Any]:
        given: dict[str, Any] = {"opens_thread": item.position == 1, "thread_title": item.thread_title}
        return given if item.url else given | {"native_id": f"/ {item.id}"}
