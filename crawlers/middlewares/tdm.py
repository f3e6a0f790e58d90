"""Pages whose owners reserve text and data mining are not read: what reserves them is obeyed like robots.txt."""

from __future__ import annotations

import asyncio

from scrapy.crawler import Crawler
from scrapy.http import Request, Response

from crawlers import hosts, tdm
from crawlers.fetches import NotRead
from crawlers.kit import kit_of
from crawlers.middlewares.robots import FORBIDDEN, FRESH, TRY_AGAIN
from crawlers.urls import host_key, robots_url
from pipeline.clock import Clock
from pipeline.state.database import State
from pipeline.words import Answer

FILE = "/.well-known/tdmrep.json"


class TdmMiddleware:
    """Asks each host for its tdmrep.json once a day, through the door of robots.txt, and looks at every answer."""

    def __init__(self, crawler: Crawler, state: State, clock: Clock) -> None:
        self._crawler, self._state, self._clock = crawler, state, clock
        self._doors: dict[str, asyncio.Lock] = {}
        self._read: dict[str, hosts.Reservation] = {}

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> TdmMiddleware:
        kit = kit_of(crawler)
        return cls(crawler, kit.pacer.state, kit.clock)

    async def process_request(self, request: Request) -> None:
        """Raises NotRead where the file reserves the page."""
        if _exempt(request):
            return
        if tdm.reserves(await self._rules(request), request.url):
            raise _reserved(FILE)

    def process_response(self, request: Request, response: Response) -> Response:
        """Raises NotRead where the answer reserves itself."""
        if not _exempt(request) and response.status == 200:
            header, kind = (_text(response, name) for name in ("tdm-reservation", "Content-Type"))
            if where := tdm.said(header, response.body, kind):
                error = _reserved(where)
                if (fetch := request.meta.get("fetch")) is not None:  # it has been taken for readable
                    fetch.answer, fetch.reason = error.answer, str(error)
                raise error
        return response

    async def _rules(self, request: Request) -> tdm.Rules:
        name = host_key(request.url)
        async with self._doors.setdefault(name, asyncio.Lock()):
            known = self._read.get(name) or await asyncio.to_thread(self._known, name)
            span = TRY_AGAIN if known is not None and known.rules is None else FRESH
            if known is None or known.at + span <= self._clock.now():
                known = hosts.Reservation(rules=await self._ask(request), at=self._clock.now())
                await asyncio.to_thread(self._remember, name, known)
            self._read[name] = known
            return known.rules or []

    async def _ask(self, request: Request) -> tdm.Rules | None:
        """The rules; None where the file could not be had: that it reserves anything is not known then."""
        url = robots_url(request.url).removesuffix("/robots.txt") + FILE
        meta = {"robots": True, "dont_retry": True, "crawl_delay": request.meta.get("crawl_delay")}
        try:
            response = await self._crawler.engine.download_async(Request(url, meta=meta, dont_filter=True))
        except NotRead:
            raise
        except Exception:
            return None
        if response.status == 429 or response.status >= 500:
            return None
        return tdm.rules_of(response.body) if response.status == 200 else []

    def _known(self, name: str) -> hosts.Reservation | None:
        with self._state.read() as connection:
            return hosts.reservation_of(connection, name)

    def _remember(self, name: str, known: hosts.Reservation) -> None:
        with self._state.begin(by_rows=True) as connection:
            hosts.set_reservation(connection, name, known)


def _exempt(request: Request) -> bool:
    return bool(request.meta.get("robots")) or request.meta.get("own_host") == host_key(request.url)


def _reserved(where: str) -> NotRead:
    return NotRead(Answer.GATED, f"the site reserves text and data mining ({where})", FORBIDDEN)


def _text(response: Response, name: str) -> str:
    return (response.headers.get(name) or b"").decode("latin-1")
