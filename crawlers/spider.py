"""What every spider is: a kind of source that can be read. It fetches and parses; it never scores."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any, ClassVar, TypeVar

import msgspec
import scrapy
from pydantic import BaseModel, ConfigDict
from scrapy.http import Request, Response
from twisted.python.failure import Failure

from crawlers import following
from crawlers.fetches import Fetch, Lost, NotRead, OverBudget
from crawlers.following import Followed, Revisit
from crawlers.kit import Kit
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.select import absolute
from crawlers.urls import NO_ADDRESS, host_key, is_web
from crawlers.visit import Job, Visit
from crawlers.webhook import Webhook
from pipeline import identity
from pipeline.item import Item, Media, ResultList
from pipeline.times import EARLIEST
from pipeline.words import Answer, Channel, Kind, Reading

GONE = frozenset({401, 403, 404, 410})
"""Statuses that count as read for a thread or article: there is nothing there for us."""

REMOVED = frozenset({404, 410})
"""Statuses that say that a page is no longer there for anybody."""
_ALIVE = frozenset({Answer.OK, Answer.EMPTY, Answer.NOT_MODIFIED})

WALLS = frozenset({401, 403})
"""Statuses that may mean that we alone are kept out."""
SUSPICIOUS = 3
"""So many walls and not one readable page beside them: the whole source is closed to us."""

SOME, READABLE = 10, 0.8
"""Of so many entries of a visit this share must have words and time."""
_TIMELESS = frozenset({Kind.RESULT, Kind.ARTICLE})

_HALF = re.compile("[\ud800-\udfff]")
Model = TypeVar("Model", bound=BaseModel)
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
    ends: ClassVar[frozenset[int]] = GONE
    """Statuses that count as read where ``gone`` is given; at an interface 401 and 403 speak of our key, not of it."""
    webhook: ClassVar[Webhook | None] = None
    """How its portal tells of news by itself, where it does."""
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

    def options(self, model: type[Model]) -> Model:
        """The options of the source, as the model they were checked by. Raises TypeError where they are of another."""
        if not isinstance(self.job.options, model):
            raise TypeError(f"options of {self.name} are {type(self.job.options).__name__}, not {model.__name__}")
        return self.job.options

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
            url if is_web(url) or "://" in url else NO_ADDRESS,
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
        if gone is not None and status in self.ends:
            self.walls += status in WALLS
            return gone(request.meta["asked"], status, **request.cb_kwargs)  # type: ignore[no-any-return]
        reason, waits = str(error) or type(error).__name__, isinstance(error, OverBudget)
        self.lose(request.meta.get("asked", request.url), answer, reason, waits=waits)
        return None

    def _record_failure(self, request: Request, answer: Answer, error: BaseException) -> None:
        """What broke after the answer had come in (too large when unpacked, redirected in circles)."""
        if self.kit is not None and "fetch" not in request.meta:
            reason = str(error) or type(error).__name__
            self.kit.fetches.append(Fetch(request.url, self.job.now(), answer, reason=reason))

    def lose(self, url: str, answer: Answer, reason: str, *, waits: bool = False) -> None:
        """Note something that should have been read and was not: this visit is not complete."""
        self.lost.append(Lost(url, answer, reason, waits))

    def settle(self) -> None:
        """Called when all is read: a source that shows us lists, but a wall behind every entry, is closed to us.

        One many of whose entries are without words or time has changed its layout.
        """
        if self.walls >= SUSPICIOUS and self.visit.items == 0:
            self.visit.threads.clear()
            self.lose(self.job.url, Answer.GATED, f"all {self.walls} changed entries are behind a wall")
        total, worded, timed = self.visit.entries, self.visit.worded, self.visit.timed
        if total < SOME or self.lost:
            return
        if worded < READABLE * total:
            self.lose(self.job.url, Answer.LAYOUT_CHANGED, f"{total - worded} of {total} entries have no text")
        elif 0 < timed < READABLE * total:  # without any time at all is a kind of source, not a change
            self.lose(self.job.url, Answer.LAYOUT_CHANGED, f"{total - timed} of {total} entries have no time")

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
        self.visit.entries += len(parsed.items)
        self.visit.worded += sum(map(says_something, parsed.items))
        self.visit.timed += sum(item.kind in _TIMELESS or item.published.at is not None for item in parsed.items)
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

    def _time(self, item: ParsedItem, seen: datetime) -> None:
        """Note when something came: as it says, or where that is vague, when we found it; not so at first contact."""
        at = self.credible(item.published.at) if item.published.precision.exact else None
        if at is not None:
            self.visit.times.append(at)
        elif not self.job.first_contact:
            self.visit.times.append(seen)

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
            "lang": parsed_item.lang or parsed.lang,
            "raw_sha256": fetch.sha256,
            "deleted": parsed_item.deleted,
            "watermark": self.job.watermark,
            "first_contact": self.job.first_contact,
        }
        self.visit.items += 1
        self._time(parsed_item, fetch.at)
        values |= over
        for name, value in values.items():
            if isinstance(value, str) and not value.isascii():
                values[name] = writable(value)
        item = Item(**values)
        page = self.shown_at(parsed_item, response)
        if page is not None:
            self.visit.pages[item.origin, item.native_id] = (page, parsed_item.id)
        return item

    # --- looking again ----------------------------------------------------------------------------------------

    def shown_at(self, parsed_item: ParsedItem, response: Response) -> str | None:
        """The page that will show a thing as long as it is there; None where it cannot be followed."""
        return None

    def note(self, item: Item) -> None:
        """Remember what goes on to the pipeline, with the page that shows it."""
        page, item_id = self.visit.pages.get((item.origin, item.native_id), ("", ""))
        if page and not item.deleted:
            thing = following.followed(item, item_id)
            self.visit.gave[thing.uid] = (page, thing)

    def follow_ups(self) -> Iterator[Request]:
        """Requests for the pages that are due to be looked at again, after all others."""
        for page in self.job.revisits:
            request = self.request(page.page, self.parse_again, priority=-10, revisit=page)
            yield request.replace(errback=self._not_again)

    def parse_again(self, response: Response, revisit: Revisit) -> Iterator[Yield]:
        """A page that carried mentions: what was edited is given anew, what is gone as deleted."""
        try:
            parsed = self.read_again(response)
        except Exception as error:
            parsed = Parsed(state=Answer.LAYOUT_CHANGED, reason=f"the parser failed: {error!r}")
        fetch = self.fetch(response)
        fetch.answer, fetch.reason, fetch.items = parsed.state, parsed.reason, len(parsed.items)
        if not following.readable(parsed):
            self.visit.unreadable.add(revisit.page)
            return
        self.visit.looked[revisit.page] = revisit
        known = {item.id: item for item in revisit.items}
        for index, found in enumerate(parsed.items):
            before = known.get(found.id)
            if before is not None:
                item = self.item_again(found, parsed, response, first=index == 0)
                if not item.deleted and following.digest(item) != before.digest:
                    yield item
        for thing in following.vanished(revisit, parsed, self._thread_of(revisit, parsed)):
            yield self._vanished(thing, fetch.at)

    def read_again(self, response: Response) -> Parsed:
        """What the page shows; may raise."""
        return self.parsed(response)

    def item_again(self, found: ParsedItem, parsed: Parsed, response: Response, *, first: bool) -> Item:
        """The item of something on a page that is looked at again, with the same id as before."""
        return self.item(found, parsed, response, reading=Reading.FULL)

    @staticmethod
    def _thread_of(revisit: Revisit, parsed: Parsed) -> str | None:
        return beside(revisit.items[0].native, parsed.thread) if revisit.items and parsed.thread else None

    def _vanished(self, thing: Followed, at: datetime) -> Item:
        self.visit.vanished[thing.uid] = thing
        return Item(
            source=self.job.source,
            platform=self.platform,
            channel=self.job.channel,
            kind=thing.kind,
            reading=Reading.FULL,
            origin=thing.origin,
            native_id=thing.native,
            fetched=at,
            url=thing.url,
            deleted=True,
        )

    def _not_again(self, failure: Failure) -> Iterator[Yield]:
        """A page that is gone, while its site is there: so is what it showed. Any other failure says nothing."""
        request: Request = failure.request  # type: ignore[attr-defined]
        error, revisit = failure.value, request.cb_kwargs["revisit"]
        status = error.status if isinstance(error, NotRead) else None
        alive = any(answer in _ALIVE for answer in self.visit.answers)
        moved = identity.without_page(revisit.page) != revisit.page  # its posts may stand on the page before
        if status not in REMOVED or moved or not alive:
            self.visit.unreadable.add(revisit.page)
            return
        self.visit.looked[revisit.page] = revisit
        for thing in revisit.items:
            yield self._vanished(thing, request.meta["fetch"].at)


def says_something(item: ParsedItem) -> bool:
    """Whether there are words, or what stands for them."""
    return bool(item.text or item.title or item.rating_raw or item.media or item.images or item.deleted)


def _placed(media: Media, base: str) -> Media:
    """A picture or film with a whole address; without one where it leads nowhere that can be asked."""
    return msgspec.structs.replace(media, url=absolute(base, media.url) or "", text=writable(media.text))


def writable(text: str) -> str:
    """A text without halves of letters, which no database takes."""
    return _HALF.sub("\N{REPLACEMENT CHARACTER}", text)


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
