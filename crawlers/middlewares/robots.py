"""robots.txt: read through the same door as everything else, kept per host, obeyed on every hop."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import structlog
from protego import Protego
from scrapy.crawler import Crawler
from scrapy.http import Request, Response

from crawlers import hosts
from crawlers.fetches import NotRead
from crawlers.kit import kit_of
from crawlers.settings import ROBOTS_NAME
from crawlers.urls import host_key, robots_url
from pipeline.clock import Clock
from pipeline.state.database import State
from pipeline.words import Answer

log = structlog.get_logger()
FRESH = timedelta(hours=24)
"""RFC 9309: no robots.txt is used for longer than a day."""
TRY_AGAIN = timedelta(minutes=10)
"""After which one that could not be had is asked for again."""
FORBIDDEN = 403
"""What robots.txt forbids counts like what the server does."""
_LARGEST = 500 * 1024


class RobotsMiddleware:
    """Refuses what robots.txt forbids, and everything while it cannot be had; hands its Crawl-delay on."""

    def __init__(self, crawler: Crawler, state: State, clock: Clock) -> None:
        self._crawler, self._state, self._clock = crawler, state, clock
        self._doors: dict[str, asyncio.Lock] = {}
        self._read: dict[str, hosts.Robots] = {}
        self._parsed: dict[str, Protego] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> RobotsMiddleware:
        kit = kit_of(crawler)
        return cls(crawler, kit.pacer.state, kit.clock)

    async def process_request(self, request: Request) -> None:
        """Raises NotRead where the page may not be read."""
        if request.meta.get("robots") or request.meta.get("own_host") == host_key(request.url):
            return
        text = await self._text(request)
        if text is None:
            raise NotRead(Answer.ERROR, "robots.txt cannot be had: nothing is read until it can")
        rules = self._rules(text)
        if not rules.can_fetch(request.url, ROBOTS_NAME):
            raise NotRead(Answer.GATED, "robots.txt forbids reading this page", FORBIDDEN)
        request.meta["crawl_delay"] = rules.crawl_delay(ROBOTS_NAME)

    async def _text(self, request: Request) -> str | None:
        name = host_key(request.url)
        async with self._doors.setdefault(name, asyncio.Lock()):
            known = self._read.get(name) or await asyncio.to_thread(self._known, name)
            if known is None or known.at + (FRESH if known.text is not None else TRY_AGAIN) <= self._clock.now():
                known = hosts.Robots(text=await self._ask(request), at=self._clock.now())
                await asyncio.to_thread(self._remember, name, known)
            self._read[name] = known
            return known.text

    async def _ask(self, request: Request) -> str | None:
        """The text; empty where there is none; None where it cannot be had."""
        asked = Request(robots_url(request.url), meta={"robots": True, "dont_retry": True}, dont_filter=True)
        try:
            response = await self._crawler.engine.download_async(asked)
        except NotRead:
            raise  # our own refusal, or the host's wish to be left alone: no word of its robots.txt
        except Exception as error:
            log.warning("robots.txt cannot be had", url=asked.url, reason=str(error) or repr(error))
            return None
        if response.status == 429 or response.status >= 500:
            return None
        return _decoded(response) if response.status == 200 else ""

    def _rules(self, text: str) -> Protego:
        if text not in self._parsed:
            self._parsed[text] = Protego.parse(text)
        return self._parsed[text]

    def _known(self, name: str) -> hosts.Robots | None:
        with self._state.read() as connection:
            return hosts.robots_of(connection, name)

    def _remember(self, name: str, robots: hosts.Robots) -> None:
        with self._state.begin(by_rows=True) as connection:
            hosts.set_robots(connection, name, robots)


def _decoded(response: Response) -> str:
    """A robots.txt that is a web page says nothing."""
    text = response.body[:_LARGEST].decode("utf-8", "ignore")
    return "" if text.lstrip("\ufeff \r\n\t").startswith("<") else text
