"""Has the pages of a source with ``js = true`` fill themselves before the spider sees them."""

from __future__ import annotations

from collections.abc import Mapping

from scrapy import signals
from scrapy.crawler import Crawler
from scrapy.http import HtmlResponse, Request, Response

from crawlers.browser import Asked, Loaded, NoBrowser, Pages
from crawlers.fetches import NotRead
from crawlers.kit import spider_of
from crawlers.urls import host_key
from pipeline.words import Answer

_HANDED_ON = ("content-type", "accept", "x-requested-with")
"""Headers of a page's own request that go along; names of readers, cookies and tokens do not."""
_KEPT = ("content-type", "access-control-allow-origin")


class BrowserMiddleware:
    """Stands above the record of answers: what is a wall, a challenge or an error is never run."""

    def __init__(self, crawler: Crawler, pages: Pages | None) -> None:
        self._crawler, self._pages = crawler, pages

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> BrowserMiddleware:
        job = spider_of(crawler).job
        agent = str(crawler.settings["USER_AGENT"])
        pages = Pages(crawler.settings["BROWSER"], agent, job.zone.key) if job.js else None
        made = cls(crawler, pages)
        if pages is not None:
            crawler.signals.connect(made.closed, signals.spider_closed)
        return made

    async def process_response(self, request: Request, response: Response) -> Response:
        """The page as its scripts fill it. Raises NotRead where there is no browser to do so."""
        if self._pages is None or not isinstance(response, HtmlResponse) or response.status != 200:
            return response
        if request.meta.get("by_browser") or request.meta.get("robots"):
            return response

        async def load(asked: Asked) -> Loaded | None:
            return await self._load(asked, response.url)

        try:
            page = Loaded(response.body, _kept(response))
            body = await self._pages.filled(response.url, page, load)
        except NoBrowser as error:
            raise NotRead(Answer.ERROR, str(error)) from None
        if len(body) > self._crawler.settings.getint("DOWNLOAD_MAXSIZE"):
            raise NotRead(Answer.ERROR, "the page fills itself beyond what is read")
        headers = {"Content-Type": "text/html; charset=utf-8"}
        return HtmlResponse(response.url, body=body, headers=headers, encoding="utf-8", request=response.request)

    async def closed(self) -> None:
        """End the browser with the visit."""
        if self._pages is not None:
            await self._pages.close()

    async def _load(self, asked: Asked, page: str) -> Loaded | None:
        """What a page's own request brings, made as politely as any other; None where it brings nothing."""
        try:
            if asked.method != "GET" and host_key(asked.url) != host_key(page):
                return None
            request = Request(
                asked.url,
                method=asked.method,
                body=asked.post_data_buffer or b"",
                headers={name: asked.headers[name] for name in _HANDED_ON if name in asked.headers},
                meta={"by_browser": True, "dont_retry": True},
                dont_filter=True,
            )
            assert self._crawler.engine is not None
            response = await self._crawler.engine.download_async(request)
        except Exception:  # refused, forbidden, broken: the record of fetches says which; the page goes without
            return None
        return Loaded(response.body, _kept(response))


def _kept(response: Response) -> Mapping[str, str]:
    found = {name: (response.headers.get(name) or b"").decode("latin-1") for name in _KEPT}
    return {name: value for name, value in found.items() if value}
