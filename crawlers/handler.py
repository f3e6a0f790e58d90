"""Scrapy's asyncio download handler, connecting only to addresses the guard has checked."""

from __future__ import annotations

from typing import ClassVar

import aiohttp
from scrapy.core.downloader.handlers._aiohttp import AiohttpDownloadHandler, _ClientResponse
from scrapy.core.downloader.handlers._base_streaming import BaseStreamingDownloadHandler
from scrapy.crawler import Crawler

from crawlers.guard import GuardedResolver
from crawlers.kit import kit_of


class GuardedDownloadHandler(AiohttpDownloadHandler):
    """As its parent, with our resolver in its connector; without proxies, whose connections nobody could check."""

    lazy = True
    experimental: ClassVar[bool] = False
    supports_proxies: ClassVar[bool] = False

    def __init__(self, crawler: Crawler) -> None:
        BaseStreamingDownloadHandler.__init__(self, crawler)
        self._ssl_context = kit_of(crawler).tls()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                resolver=GuardedResolver(kit_of(crawler).guard),
                limit=self._pool_size_total,
                limit_per_host=self._pool_size_per_host,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            response_class=_ClientResponse,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
        )
