"""Spider for communities of Gainsight (inSided): their REST interface v2, with the client of whose community it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from pydantic import Field
from scrapy.http import Request, Response

from crawlers.api import ApiOptions, ApiSpider
from crawlers.dates import parse_date
from crawlers.look import Look
from crawlers.newest import Reel
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem, ThreadRow
from crawlers.payload import (
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
from crawlers.select import absolute, parameter, select
from crawlers.spider import Yield
from crawlers.text import own_words
from crawlers.tokens import SignIn, by_form
from crawlers.visit import ThreadMark
from pipeline.words import Answer, Channel, Kind, Reading

SIZE = 50
KINDS = ("conversations", "questions")
_QUOTES = "blockquote, content-quote, .content-quote, .quote"
_DROP = ".signature, .post__signature, content-embed"


def parse(page: PageFile) -> Parsed:
    """Topics of a list, or the answers to one of them."""
    value = mapping(value_of(page))
    entries = value.get("result")
    if not value or not isinstance(entries, list):
        return _refused(value) if "message" in value or "error" in value else no_json(page, "answer of inSided")
    thread, kind = _asked(page)
    items = unique(item for row in rows_at(entries) if (item := _item(page, row, thread, kind)) is not None)
    if entries and not items:
        return Parsed(state=Answer.LAYOUT_CHANGED, reason=f"nothing was found in {len(entries)} entries")
    threads = () if thread else tuple(row for entry in rows_at(entries) if (row := _row(page, entry, kind)) is not None)
    return judged_posts(
        Parsed(
            state=Answer.OK,
            items=items,
            threads=threads,
            links=_older(page, value, len(entries)),
            thread=thread or None,
        ),
        empty="nothing here",
    )


def _refused(value: Mapping[str, Any]) -> Parsed:
    code = number(value.get("code") or value.get("status"))
    said = named((value.get("message"), value.get("error_description"), value.get("error")))[:200]
    state = Answer.GATED if code in (401, 403) or "token" in said.lower() else Answer.ERROR
    return Parsed(state=state, reason=f"the interface refuses: {said}")


def _asked(page: PageFile) -> tuple[str, str]:
    """The topic whose answers were asked for (empty for lists), and the kind of topic."""
    parts = urlsplit(page.url).path.strip("/").split("/")
    if len(parts) >= 3 and parts[-1] == "replies":
        return f"t{parts[-2]}", parts[-3]
    return "", parts[-1] if parts else ""


def _item(page: PageFile, entry: Mapping[str, Any], thread: str, kind: str) -> ParsedItem | None:
    identifier = number(entry.get("id"))
    if identifier is None:
        return None
    author = mapping(entry.get("author"))
    when = next((entry[key] for key in ("publishedAt", "createdAt") if isinstance(entry.get(key), str)), None)
    tree = tree_in(entry.get("content"))
    address = named((entry.get("seoCommunityUrl"), entry.get("url"))) or None
    parent = number(entry.get("parentId") or mapping(entry.get("parent")).get("id"))
    item = ParsedItem(
        kind=Kind.POST,
        id=f"p{identifier}" if thread else f"t{identifier}",
        url=absolute(_community(page), address),
        author=named((author.get("username"), author.get("name"))) or None,
        author_id=named((author.get("id"), author.get("userid"))) or None,
        title=heading(entry.get("title")),
        published=parse_date(when, page.now, page.zone),
        thread=thread or f"t{identifier}",
        thread_title=heading(entry.get("title")),
        parent=f"p{parent}" if thread and parent else (thread or None),
        position=None if thread else 1,
        votes=number(entry.get("likes") if "likes" in entry else entry.get("likeCount")),
        views=None if thread else number(entry.get("views") if "views" in entry else entry.get("viewCount")),
        accepted=_accepted(entry, kind) if thread else None,
        staff=_staff(author),
        deleted=entry.get("trashed") is True,
    )
    words = own_words(tree, quotes=select(tree, _QUOTES), drop=select(tree, _DROP))
    return with_extract(item, words)


def _accepted(entry: Mapping[str, Any], kind: str) -> bool | None:
    """Only questions have an answer that solves them."""
    for name in ("isBestAnswer", "bestAnswer", "isAnswer", "markedAsAnswer"):
        if isinstance(entry.get(name), bool):
            return bool(entry[name])
    return False if kind == "questions" and "isBestAnswer" in entry else None


def _staff(author: Mapping[str, Any]) -> bool | None:
    """By the roles of the account, where they are told."""
    roles = author.get("roles") if isinstance(author.get("roles"), list) else author.get("role")
    named_ = [
        named((role,)) if not isinstance(role, Mapping) else named((role.get("name"),)) for role in _listed(roles)
    ]
    marks = ("moderator", "administrator", "community-manager", "community manager", "staff")
    return any(mark in name.lower() for name in named_ for mark in marks) if named_ else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if isinstance(value, str) else []


def _community(page: PageFile) -> str:
    """The community that relative addresses belong to, which the spider's request names."""
    named_ = parameter(page.url, "community")
    return f"https://{named_}/" if named_ else page.url


def _row(page: PageFile, entry: Mapping[str, Any], kind: str) -> ThreadRow | None:
    identifier = number(entry.get("id"))
    if identifier is None:
        return None
    last = next((entry[key] for key in ("lastActivityAt", "updatedAt") if isinstance(entry.get(key), str)), None)
    parts = urlsplit(page.url)
    root = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
    return ThreadRow(
        id=f"{kind} {identifier}",
        url=f"{root}/{identifier}/replies",
        title=heading(entry.get("title")),
        last_time=parse_date(last, page.now, page.zone).at,
        replies=number(entry.get("replyCount")),
    )


def _older(page: PageFile, value: Mapping[str, Any], count: int) -> Links:
    here = number(parameter(page.url, "page")) or 1
    size = number(parameter(page.url, "pageSize")) or SIZE
    total = number(mapping(value.get("_metadata")).get("totalCount"))
    if not count or (here * size >= total if total is not None else count < size):
        return Links()
    asked = {"page": here + 1, "pageSize": size}
    kept = {name: found for name in ("sort", "community") if (found := parameter(page.url, name))}
    return Links(next=(f"{page.url.partition('?')[0]}?{urlencode({**asked, **kept})}",))


class InsidedOptions(ApiOptions):
    """Options of a community of Gainsight. The key is the client's secret."""

    client_id: str = Field("", description="The client's id, made in Control under Integrations, API.")
    host: str = Field("api2-eu-west-1.insided.com", description="Host of the interface, by the community's region.")
    kinds: tuple[str, ...] = Field(KINDS, description="What is read: conversations, questions, ideas, articles.")


class InsidedSpider(ApiSpider):
    """Reads topics by their last activity, and the answers to each that has changed."""

    name = "insided"
    platform = "insided"
    channel = Channel.OWN
    interval = timedelta(minutes=10)
    Options = InsidedOptions
    key_name = "STURMWARTE_INSIDED_SECRET"
    description = (
        "A community of Gainsight (inSided) of your own, by its REST interface; needs a client and its secret."
    )
    example = """\
[sources.community]
spider = "insided"
url = "https://community.example.org/"
about = "acme"
client_id = "0123456789"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        found = mapping(look.json)
        known = "_metadata" in found and any({"content", "author"} <= set(row) for row in rows_at(found.get("result")))
        return "the answer is a Gainsight community's" if known else ""

    def _root(self) -> str:
        options = self.options(InsidedOptions)
        return options.host if "://" in options.host else f"https://{options.host}"

    def lists(self) -> Mapping[str, str]:
        options = self.options(InsidedOptions)
        community = urlsplit(self.job.url).netloc
        asked = urlencode({"page": 1, "pageSize": SIZE, "sort": "lastActivityAt", "community": community})
        return {kind: f"{self._root()}/v2/{kind}?{asked}" for kind in options.kinds}

    def sign_in(self) -> SignIn | None:
        options = self.options(InsidedOptions)
        if not self.key() or not options.client_id:
            raise ValueError(f"no client: set client_id, and key_file or {self.key_name}")
        asked = {"grant_type": "client_credentials", "client_id": options.client_id, "scope": "read"}
        return by_form(f"{self._root()}/oauth2/token", options.client_id, asked | {"client_secret": self.key()})

    def parse_page(self, response: Response, reel: Reel) -> Iterator[Yield]:
        """Topics, and the answers of those with news; then as for every list."""
        for row in self.parsed(response).threads:
            yield from self._answers(row)
        yield from super().parse_page(response, reel)

    def _answers(self, row: ThreadRow) -> Iterator[Request]:
        mark = self.job.thread_mark(row.id)
        known = mark is not None and (mark.last_time, mark.count) == (row.last_time, row.replies)
        if known or not row.replies or row.id in self._open:
            return
        if self._pages >= self.job.max_pages:
            self.visit.behind = True
            self.visit.reason = "the limit of pages per visit was reached; the next visit goes on"
            return
        self._pages += 1
        self._open.add(row.id)
        community = urlsplit(self.job.url).netloc
        url = f"{row.url}?{urlencode({'page': 1, 'pageSize': SIZE, 'community': community})}"
        yield self.ask(url, self.parse_answers, gone=self._no_answers, row=row)

    def parse_answers(self, response: Response, row: ThreadRow) -> Iterator[Yield]:
        """The answers to one topic, page by page."""
        parsed = self.read(response, expect_items=False)
        if parsed.state not in (Answer.OK, Answer.EMPTY):
            return
        for item in parsed.items:
            over = {**self.over(item, response), "thread_title": row.title}
            yield self.item(item, parsed, response, reading=Reading.FULL, **over)
        if parsed.links.next:
            yield self.ask(parsed.links.next[0], self.parse_answers, gone=self._no_answers, row=row)
        else:
            self._no_answers(response.url, response.status, row)

    def _no_answers(self, url: str, status: int, row: ThreadRow) -> None:
        self.visit.threads[row.id] = ThreadMark(None, row.last_time, row.replies)
        self._open.discard(row.id)
        self._settle()

    def expects_items(self, reel: Reel) -> bool:
        return False

    def over(self, item: ParsedItem, response: Response) -> Mapping[str, Any]:
        """The interface stands elsewhere than the community whose posts it gives."""
        given: dict[str, Any] = {"native_id": f"/ {item.id}", "origin": urlsplit(self.job.url).netloc.lower()}
        given["origin"] = given["origin"].removeprefix("www.")
        return given | {"opens_thread": item.position == 1, "thread_title": item.thread_title}
