"""What every spider is: a kind of source that can be read. It fetches and parses; it never scores."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, ClassVar

import msgspec
import scrapy
from pydantic import BaseModel, ConfigDict
from scrapy.http import Request, Response
from twisted.python.failure import Failure

from crawlers.fetches import Fetch, Lost, NotRead
from crawlers.kit import Kit
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.select import absolute
from crawlers.urls import host_key
from crawlers.visit import Job, Visit
from pipeline import identity
from pipeline.item import Item, Media, ResultList
from pipeline.times import EARLIEST
from pipeline.words import Answer, Channel, Reading

GONE = frozenset({401, 403, 404, 410})
"""Statuses that count as read for a thread or article: there is nothing there for us."""

WALLS = frozenset({401, 403})
"""Statuses that may mean that we alone are kept out."""
SUSPICIOUS = 3
"""So many walls and not one readable page beside them: the whole source is closed to us."""

_HALF = re.compile("[\ud800-\udfff]")
Yield = Request | Item | ResultList
"""What a spider may yield."""


class Rank(IntEnum):
    """Who is asked first whether a page is theirs."""

    PLATFORM = 0
    """One program or interface, known by its own marks."""
    STRUCTURED = 1
    """Data for machines within any page."""
    GENERIC = 2
    """Anything of a certain shape."""


class NoOptions(BaseModel):
    """Options of a spider that has none."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceSpider(scrapy.Spider):
    """Base of all spiders. A subclass declares the attributes below and implements ``start`` and its callbacks.

    What goes wrong with a request or page lands in ``lost``; a visit that lost something is not complete, whatever
    the spider says. The spider sets ``visit.complete`` once the lists were read down to the cursor.
    """

    name: str = ""
    platform: ClassVar[str]
    channel: ClassVar[Channel]
    interval: ClassVar[timedelta] = timedelta(minutes=10)
    Options: ClassVar[type[BaseModel]] = NoOptions
    description: ClassVar[str] = ""
    example: ClassVar[str] = ""
    parser: ClassVar[Callable[[PageFile], Parsed]]
    rank: ClassVar[Rank] = Rank.PLATFORM
    """How special its markup is: where two recognise a page, the more special one reads it."""

    @classmethod
    def recognises(cls, look: Look) -> str:
        """By what a page is known to be one this spider can read, for people; empty where it is not."""
        return ""

    def __init__(self, job: Job | None = None, kit: Kit | None = None, **kwargs: Any) -> None:
        if job is None:
            raise TypeError(f"spider {self.name!r} needs a job: run 'sturmwarte crawl', not 'scrapy crawl'")
        super().__init__(**kwargs)
        self.job, self.kit = job, kit
        self.visit = Visit()
        self.lost: list[Lost] = []
        self.walls = 0
        self._made: tuple[Response, Parsed] | None = None
        self.unfed = ""
        """Why findings of this visit are not durable; set by the sink."""

    async def start(self) -> AsyncIterator[Yield]:
        """First requests (or items) of the visit."""
        yield self.request(self.job.url, self.parse)

    def parse(self, response: Response, **kwargs: Any) -> Iterable[Yield]:
        """Default callback; a spider that uses it overrides it."""
        raise NotImplementedError(f"{type(self).__name__} has no callback for {response.url}")

    # --- asking -----------------------------------------------------------------------------------------------

    @property
    def own_service(self) -> bool:
        """Whether the source is a service of the operator's own, whose robots.txt speaks to strangers."""
        return False

    def request(
        self,
        url: str,
        callback: Callable[..., Iterable[Yield] | AsyncIterator[Yield] | None],
        *,
        priority: int = 0,
        conditional: bool = False,
        gone: Callable[..., Iterable[Yield] | None] | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
        body: str | bytes = b"",
        **cb_kwargs: Any,
    ) -> Request:
        """A request; the only way to make one. ``callback(response, **cb_kwargs)`` sees 200 answers alone.

        ``conditional`` sends the validators of the last complete visit; the answer may then be 304, which ``read``
        turns into ``NOT_MODIFIED``. Where ``gone`` is given, 401, 403, 404 and 410 count as read, and
        ``gone(url, status, **cb_kwargs)`` is called; without it they are a loss like any other failure.
        """
        meta: dict[str, Any] = {"conditional": conditional, "gone": gone, "asked": url}
        if conditional:
            meta["handle_httpstatus_list"] = [304]
        if self.own_service:
            meta["own_host"] = host_key(url)
        return Request(
            url,
            callback,
            priority=priority,
            method=method,
            body=body,
            headers=dict(headers or {}),
            meta=meta,
            cb_kwargs=cb_kwargs,
            errback=self._failed,
            dont_filter=True,
        )

    def _failed(self, failure: Failure) -> Iterable[Yield] | None:
        request: Request = failure.request  # type: ignore[attr-defined]
        error = failure.value or RuntimeError("no reason given")
        status = error.status if isinstance(error, NotRead) else None
        answer = error.answer if isinstance(error, NotRead) else Answer.ERROR
        self.visit.answers.append(answer)
        self._record_failure(request, answer, error)
        gone = request.meta.get("gone")
        if gone is not None and status in GONE:
            self.walls += status in WALLS
            return gone(request.meta["asked"], status, **request.cb_kwargs)  # type: ignore[no-any-return]
        self.lose(request.meta.get("asked", request.url), answer, str(error) or type(error).__name__)
        return None

    def _record_failure(self, request: Request, answer: Answer, error: BaseException) -> None:
        """What broke after the answer had come in (too large when unpacked, redirected in circles)."""
        if self.kit is not None and "fetch" not in request.meta:
            reason = str(error) or type(error).__name__
            self.kit.fetches.append(Fetch(request.url, self.job.now(), answer, reason=reason))

    def lose(self, url: str, answer: Answer, reason: str) -> None:
        """Note something that should have been read and was not: this visit is not complete."""
        self.lost.append(Lost(url, answer, reason))

    def settle(self) -> None:
        """Called when all is read: a source that shows us lists, but a wall behind every entry, is closed to us."""
        if self.walls >= SUSPICIOUS and self.visit.items == 0:
            self.visit.threads.clear()
            self.lose(self.job.url, Answer.GATED, f"all {self.walls} changed entries are behind a wall")

    # --- reading ----------------------------------------------------------------------------------------------

    def page(self, response: Response) -> PageFile:
        """The answer as parsers get it."""
        names = {name.decode("latin-1").lower() for name in response.headers}
        headers = {name: (response.headers.get(name) or b"").decode("latin-1") for name in names}
        return PageFile(
            url=response.url,
            body=response.body,
            now=self.fetch(response).at,
            zone=self.job.zone,
            headers=headers,
            status=response.status,
        )

    def read(self, response: Response, *, expect_items: bool = True) -> Parsed:
        """Run the parser over an answer and record what it gave. Never raises: a page that cannot be read is lost.

        A page without items, threads or results is ``LAYOUT_CHANGED`` where the source gave items before, unless
        nothing need be there (``expect_items=False``: a search without hits).
        """
        fetch = self.fetch(response)
        parsed = self._checked(response, expect_items)
        fetch.answer, fetch.reason = parsed.state, parsed.reason
        fetch.items = len(parsed.items) + len(parsed.results)
        self.visit.answers.append(parsed.state)
        if parsed.state not in (Answer.OK, Answer.EMPTY, Answer.NOT_MODIFIED):
            self.lose(response.url, parsed.state, parsed.reason)
        if response.status != 304:
            fetch.sha256 = self.keep(response)
        return parsed

    def keep(self, response: Response) -> str | None:
        """Keep the page as evidence; its SHA-256. A disk that is full costs the evidence, not the posts."""
        if self.kit is None:
            return None
        try:
            return self.kit.keep(response.url, response.body)
        except OSError as error:
            self.logger.warning("%s was read, but the page could not be kept: %s", response.url, error.strerror)
            return None

    def parsed(self, response: Response) -> Parsed:
        """What the parser makes of an answer, once however often it is asked: most of a visit's work. May raise."""
        if self._made is None or self._made[0] is not response:
            self._made = response, type(self).parser(self.page(response))
        return self._made[1]

    def _checked(self, response: Response, expect_items: bool) -> Parsed:
        if response.status == 304:
            return Parsed(state=Answer.NOT_MODIFIED)
        try:
            parsed = self.parsed(response)
        except Exception as error:
            self.logger.exception("parser failed on %s", response.url)
            return Parsed(state=Answer.LAYOUT_CHANGED, reason=f"the parser failed: {error!r}")
        found = parsed.items or parsed.threads or parsed.results
        if expect_items and parsed.state is Answer.EMPTY and not found and self.job.items_seen > 0:
            return Parsed(state=Answer.LAYOUT_CHANGED, reason="nothing found where there used to be posts")
        return parsed

    def fetch(self, response: Response) -> Fetch:
        """The record of the request behind an answer."""
        meta = response.request.meta if response.request is not None else {}
        if "fetch" not in meta:
            meta["fetch"] = Fetch(response.url, self.job.now(), Answer.OK, response.status, len(response.body))
        return meta["fetch"]  # type: ignore[no-any-return]

    def credible(self, at: datetime | None) -> datetime | None:
        """A time found on a page, as far as one may go by it: none before the web, and none after now."""
        return None if at is None or at < EARLIEST else min(at, self.job.started)

    # --- giving -----------------------------------------------------------------------------------------------

    def item(
        self, parsed_item: ParsedItem, parsed: Parsed, response: Response, *, reading: Reading, **over: Any
    ) -> Item:
        """The item of something found on a page; ``over`` replaces fields, ``native_id`` above all.

        Thread and parent stand beside the item (``/forum/ p453`` → ``/forum/ t99``), unless given in ``over``.
        """
        fetch = self.fetch(response)
        url = parsed_item.url or over.get("url")
        native = over.get("native_id") or native_id_of(parsed_item.id, url)
        values: dict[str, Any] = {
            "source": self.job.source,
            "platform": self.platform,
            "channel": self.job.channel,
            "kind": parsed_item.kind,
            "reading": reading,
            "origin": identity.origin_of(url or response.url),
            "native_id": native,
            "fetched": fetch.at,
            "url": url,
            "title": parsed_item.title,
            "text": parsed_item.text,
            "author": parsed_item.author,
            "author_id": parsed_item.author_id,
            "published": parsed_item.published,
            "thread": beside(native, parsed_item.thread or parsed.thread),
            "thread_title": parsed.thread_title,
            "parent": beside(native, parsed_item.parent),
            "parent_author": parsed_item.parent_author,
            "position": parsed_item.position,
            "rating": parsed_item.rating,
            "rating_raw": parsed_item.rating_raw,
            "rating_scale": parsed_item.rating_scale,
            "votes": parsed_item.votes,
            "quotes_removed": parsed_item.quotes_removed,
            "images": parsed_item.images,
            "media": tuple(_placed(one, url or response.url) for one in parsed_item.media),
            "views": parsed_item.views,
            "verified": parsed_item.verified,
            "accepted": parsed_item.accepted,
            "staff": parsed_item.staff,
            "lang": parsed.lang,
            "raw_sha256": fetch.sha256,
            "deleted": parsed_item.deleted,
            "watermark": self.job.watermark,
            "first_contact": self.job.first_contact,
        }
        self.visit.items += 1
        return Item(**{name: writable(value) for name, value in (values | over).items()})


def _placed(media: Media, base: str) -> Media:
    """A picture or film with a whole address; without one where it leads nowhere that can be asked."""
    return msgspec.structs.replace(media, url=absolute(base, media.url) or "", text=writable(media.text))


def writable(value: Any) -> Any:
    """A value without halves of letters, which no database takes."""
    return _HALF.sub("\N{REPLACEMENT CHARACTER}", value) if isinstance(value, str) and not value.isascii() else value


def native_id_of(item_id: str, url: str | None) -> str:
    """The first there is of: the id an address tells, the address itself, the id the page gives."""
    if url is None:
        return item_id
    return identity.native_id(url) or identity.canonical_url(url)


def beside(native: str, name: str | None) -> str | None:
    """The native id of another thing of the same installation: ``/forum/ p453``, ``t99`` → ``/forum/ t99``."""
    if not name or " " in name:
        return name or None
    place, gap, _ = native.rpartition(" ")
    return f"{place} {name}" if gap else name
