"""Spider for a Jetstream of Bluesky: every new post within seconds, of which those about the brands are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from scrapy.http import Request, TextResponse

from crawlers.bluesky_posts import POSTS, event_item, links_of, parse_posts
from crawlers.fetches import Fetch, NotRead
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.payload import at, number_at, with_query
from crawlers.spider import SourceSpider, Yield
from crawlers.stream import Pulse, Wire, opened
from pipeline.configuration import Duration
from pipeline.identity import native_id
from pipeline.item import Item
from pipeline.matching import Matcher
from pipeline.words import Answer, Channel, Reading

LIVE = timedelta(seconds=10)
"""An event as young as this is of the present."""
SLACK = timedelta(seconds=5)
"""Between writing a post and seeing it; the watermark stays so far behind the newest event."""
GAP = timedelta(minutes=1)
KEPT, FOLLOWED = 3_000, 1_000
_ENOUGH, _UNDERSTOOD = 20, 0.8


def parse(page: PageFile) -> Parsed:
    """The posts among the events, one to a line."""
    return parse_posts(page)


class JetstreamOptions(BaseModel):
    """What is kept beside what names a brand, and how long one visit listens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    terms: tuple[str, ...] = Field((), description="Further words and #tags whose posts are kept.")
    replies: bool = Field(True, description="Also keep what is answered to posts that are kept.")
    stay: Duration = Field(
        timedelta(seconds=60), description="How long one visit listens; the next goes on from there."
    )
    window: Duration = Field(timedelta(hours=24), description="How far back the server can repeat what was missed.")


class JetstreamSpider(SourceSpider):
    """Listens for a while, remembers the time of the last event, and goes on from there at the next visit."""

    name = "jetstream"
    platform = "bluesky"
    channel = Channel.SOCIAL
    interval = timedelta(seconds=30)
    Options = JetstreamOptions
    description = "All new posts of Bluesky as they are written (no login); kept are those that name a brand."
    example = """\
[sources.bluesky-live]
spider = "jetstream"
url = "https://jetstream2.eu-west.example.org/subscribe"
terms = ["#acmestörung"]
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        known = b'"time_us"' in look.start and b'"did"' in look.start and look.start.startswith(b"{")
        return "the lines are events of a Jetstream" if known else ""

    def _begin(self) -> None:
        cursor = self.job.cursor
        last = cursor.get("at")
        self._last: int | None = last if isinstance(last, int) else None
        """Time of the newest event, in microseconds since 1970."""
        told = cursor.get("alive")
        self._resumed = max(self._last, told) if self._last is not None and isinstance(told, int) else self._last
        self._given = dict.fromkeys(_texts(cursor.get("given")))
        self._threads = dict.fromkeys(_texts(cursor.get("threads")))
        self._matcher = Matcher(self.job.brands)
        options = self.options(JetstreamOptions)
        self._terms = tuple(term.casefold() for term in options.terms)
        self._accounts = {name.removeprefix("@") for brand in self.job.brands.values() for name in brand.accounts}
        self._live = False
        self._events = self._understood = 0
        self._alive: datetime | None = None
        self._connected: datetime | None = None
        if self.job.first_contact:
            self.visit.complete_from = self.job.started
        self.visit.keep_cursor = True

    async def start(self) -> AsyncIterator[Yield]:
        self._begin()
        if self.kit is None:
            raise TypeError("a stream needs its kit: run 'sturmwarte crawl'")
        options = self.options(JetstreamOptions)
        deadline = asyncio.get_running_loop().time() + options.stay.total_seconds()
        try:
            async with opened(self.kit, [Wire("jetstream", self._address(), websocket=True)], self._agent()) as stream:
                self._connected = self.job.now()
                while (pulse := await stream.next(deadline)) is not None:
                    for item in self._take(pulse):
                        yield item
        except NotRead as error:
            self._broke(error)
        finally:
            self._end()

    def _address(self) -> str:
        return with_query(self.job.url, wantedCollections=POSTS, cursor=self._last)

    def _agent(self) -> str:
        settings = getattr(self, "settings", None)
        return str(settings.get("USER_AGENT")) if settings is not None else "Sturmwarte"

    # --- events -------------------------------------------------------------------------------------------------

    def _take(self, pulse: Pulse) -> Iterator[Item]:
        now = self.job.now()
        if pulse.alive:
            self._live, self._alive = True, now
            return
        self._events += 1
        try:
            event = msgspec.json.decode(pulse.data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        told = number_at(event, "time_us")
        if told is None or not isinstance(at(event, "did"), str) or not 0 < told < 1 << 52:
            return
        self._understood += 1
        happened = datetime.fromtimestamp(told / 1_000_000, UTC)
        self._note_hole(happened, now)
        self._last = max(self._last or 0, min(told, _microseconds(now)))
        self._live = self._live or now - happened < LIVE
        item = event_item(event)
        if item is not None and self._wanted(item, event):
            yield self._kept(item, pulse.data)

    def _note_hole(self, first: datetime, now: datetime) -> None:
        """Once, at the first event: whether the server could repeat all that came since the last visit."""
        before, self._resumed = self._resumed, None
        if before is None:
            return
        last, window = datetime.fromtimestamp(before / 1_000_000, UTC), self.options(JetstreamOptions).window
        if now - last > window and first - last > GAP:
            self.visit.holes.append((last, first, "the stream no longer reached back to the last visit"))

    def _wanted(self, item: ParsedItem, event: Any) -> bool:
        """Whether a post is about a brand, as far as it tells, or a deletion concerns one that was kept."""
        if item.deleted:
            return item.id in self._given
        if item.id in self._given and at(event, "commit", "operation") != "update":
            return False
        said = " ".join([item.text, *(one.text for one in item.media), links_of(at(event, "commit", "record"))])
        folded = said.casefold()
        replies = self.options(JetstreamOptions).replies
        answers = replies and (item.thread in self._threads or (item.parent_author or "") in self._accounts)
        own = (item.author_id or "") in self._accounts
        if not (answers or own or any(term in folded for term in self._terms) or self._matcher.named(said)):
            return False
        self._given[item.id] = None
        self._threads[item.thread or item.id] = None
        return True

    def _kept(self, item: ParsedItem, data: bytes) -> Item:
        fetch = Fetch(self.job.url, self.job.now(), Answer.OK)
        request = Request(self.job.url, meta={"fetch": fetch}, dont_filter=True)
        response = TextResponse(self.job.url, body=data, request=request)
        fetch.sha256 = self.keep(response)
        opens = item.parent is None and not item.deleted
        over = {"native_id": native_id(item.url or "") or item.id, "opens_thread": opens}
        return self.item(item, Parsed(state=Answer.OK), response, reading=Reading.FULL, **over)

    # --- the end ------------------------------------------------------------------------------------------------

    def _broke(self, error: NotRead) -> None:
        """A stream that ends when it has reached the present costs nothing: the next visit goes on from there."""
        if self._live:
            self.visit.notice = str(error)
        else:
            self.lose(self.job.url, error.answer, str(error))

    def _end(self) -> None:
        if self._events >= _ENOUGH and self._understood < _UNDERSTOOD * self._events:
            reason = f"only {self._understood} of {self._events} events could be understood"
            self.lose(self.job.url, Answer.LAYOUT_CHANGED, reason)
        if self._last is None and self._connected is not None:
            self._last = _microseconds(self._connected - GAP)  # its clock may go after ours
        alive = _microseconds(self._alive) if self._alive is not None else 0
        if self._last is not None:
            self.visit.reached = datetime.fromtimestamp(max(self._last, alive) / 1_000_000, UTC) - SLACK
        self.visit.answers.append(Answer.OK if self.visit.items else Answer.EMPTY)
        self.visit.complete = self._live
        if not self._live and not self.lost:
            self.visit.behind, self.visit.reason = True, "the stream has not caught up with the present yet"
        self.visit.cursor = {
            "at": self._last,
            "alive": alive or None,
            "given": list(self._given)[-KEPT:],
            "threads": list(self._threads)[-FOLLOWED:],
        }


def _microseconds(at_: datetime) -> int:
    return round(at_.timestamp() * 1_000_000)


def _texts(value: Any) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
