"""Refuses what must not be asked, on every hop of a redirect: other schemes, private addresses."""

from __future__ import annotations

from scrapy.crawler import Crawler
from scrapy.http import Request

from crawlers.guard import Guard
from crawlers.kit import kit_of
from crawlers.urls import NO_ADDRESS


class GuardMiddleware:
    """Checks each URL before anything is resolved; names are checked by the resolver when they are connected to."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> GuardMiddleware:
        return cls(kit_of(crawler).guard)

    def process_request(self, request: Request) -> None:
        """Raises Refused."""
        self._guard.check_url(request.meta["asked"] if request.url == NO_ADDRESS else request.url)
