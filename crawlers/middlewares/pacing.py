"""The last stop before the network: waits for the host's turn, gives it back, and stays away when asked to."""

from __future__ import annotations

import time

from scrapy.crawler import Crawler
from scrapy.http import Request, Response

from crawlers.kit import kit_of
from crawlers.pacing import Pacer
from crawlers.urls import host_key
from pipeline.clock import Clock

_LEASE = "turn"
_ASKED_TO_WAIT = frozenset({429, 503})


class PacingMiddleware:
    """Holds the turn of a host from just before the request until its answer or failure."""

    def __init__(self, pacer: Pacer, clock: Clock) -> None:
        self._pacer, self._clock = pacer, clock

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> PacingMiddleware:
        kit = kit_of(crawler)
        return cls(kit.pacer, kit.clock)

    async def process_request(self, request: Request) -> None:
        """Waits. Raises NotRead where the host wants to be left alone for long."""
        name = host_key(request.url)
        lease = await self._pacer.enter(name, request.meta.get("crawl_delay"))
        request.meta[_LEASE] = (name, lease)
        request.meta["sent_at"], request.meta["sent"] = self._clock.now(), time.monotonic()

    async def process_response(self, request: Request, response: Response) -> Response:
        """Gives the turn back; 429 and 503 close the host for a while."""
        if response.status in _ASKED_TO_WAIT:
            retry_after = response.headers.get("Retry-After")
            await self._pacer.back_off(host_key(request.url), retry_after.decode("latin-1") if retry_after else None)
        await self._leave(request, well=response.status < 500 and response.status not in _ASKED_TO_WAIT)
        return response

    async def process_exception(self, request: Request, exception: Exception) -> None:
        """Gives the turn back."""
        await self._leave(request, well=False)

    async def _leave(self, request: Request, *, well: bool) -> None:
        held = request.meta.pop(_LEASE, None)
        if held is not None:
            name, lease = held
            took = request.meta["took"] = time.monotonic() - request.meta["sent"]
            await self._pacer.leave(name, lease, took, well=well)
