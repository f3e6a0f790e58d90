"""After what is new, a visit looks again at pages that carried mentions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from scrapy.crawler import Crawler

from crawlers.kit import spider_of
from crawlers.spider import SourceSpider


class FollowingMiddleware:
    """Adds the follow-ups that are due to the first requests of every spider."""

    def __init__(self, spider: SourceSpider) -> None:
        self._spider = spider

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> FollowingMiddleware:
        return cls(spider_of(crawler))

    async def process_start(self, start: AsyncIterator[Any]) -> AsyncIterator[Any]:
        """What the spider asks for, then the follow-ups."""
        async for one in start:
            yield one
        for request in self._spider.follow_ups():
            yield request
