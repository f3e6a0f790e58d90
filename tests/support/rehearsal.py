"""Runs the callbacks of a spider over pages in memory: no downloader, no network, no waiting."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from scrapy.http import HtmlResponse, Request
from twisted.python.failure import Failure

from crawlers.fetches import NotRead
from crawlers.parsing import PageFile
from crawlers.spider import SourceSpider
from crawlers.visit import Job, ThreadMark, Visit
from pipeline.item import Item, ResultList
from pipeline.words import Answer

NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")

Site = Callable[[str], bytes | int]
"""From a URL to a body, or to the status of an error."""


def page(body: bytes | str, url: str = "https://forum.example/viewtopic.php?t=1", **over: Any) -> PageFile:
    """A page as parsers get it, fetched at ``NOW`` for a source in Berlin."""
    content = body.encode() if isinstance(body, str) else body
    return PageFile(**({"url": url, "body": content, "now": NOW, "zone": BERLIN} | over))


@dataclass
class Run:
    """What one visit gave and asked for."""

    visit: Visit
    items: list[Item] = field(default_factory=list)
    lists: list[ResultList] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    lost: list[Any] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return self.visit.complete and not self.lost

    @property
    def ids(self) -> list[str]:
        return [item.native_id for item in self.items]


@dataclass
class Source:
    """A source that is visited again and again, and what its visits remember."""

    spider: type[SourceSpider]
    url: str
    options: Mapping[str, Any] = field(default_factory=dict)
    backfill: timedelta = timedelta(days=60)
    max_pages: int = 50
    now: datetime = NOW
    watermark: datetime | None = None
    cursor: dict[str, Any] = field(default_factory=dict)
    marks: dict[str, ThreadMark] = field(default_factory=dict)
    threads: set[tuple[str, str]] = field(default_factory=set)
    seen: int = 0
    visits: int = 0

    def visit(self, site: Site) -> Run:
        """One visit; its outcome is remembered as the service would."""
        spider = self.spider(job=self._job())
        run = asyncio.run(_rehearse(spider, site))
        self._remember(run)
        return run

    def _job(self) -> Job:
        return Job(
            source="source",
            url=self.url,
            channel=self.spider.channel,
            options=self.spider.Options(**self.options),
            zone=BERLIN,
            started=self.now,
            first_contact=self.visits == 0,
            backfill_from=self.now - self.backfill,
            watermark=self.watermark,
            cursor=self.cursor,
            thread_mark=self.marks.get,
            thread_known=lambda origin, thread: (origin, thread) in self.threads,
            max_pages=self.max_pages,
            now=lambda: self.now,
            items_seen=self.seen,
        )

    def _remember(self, run: Run) -> None:
        self.marks.update(run.visit.threads)
        if run.complete or run.visit.keep_cursor:
            self.cursor = run.visit.cursor
        if run.complete and run.visit.has_watermark:
            self.watermark = self.now
        self.threads |= {(item.origin, item.thread) for item in run.items if item.opens_thread and item.thread}
        self.seen += len(run.items)
        self.visits += 1
        self.now += timedelta(minutes=30)


async def _rehearse(spider: SourceSpider, site: Site) -> Run:
    run = Run(spider.visit)
    waiting: deque[Request] = deque()
    async for given in spider.start():
        _take(given, run, waiting)
    while waiting:
        request = waiting.popleft()
        run.asked.append(request.url)
        for given in _answered(spider, request, site(request.url)):
            _take(given, run, waiting)
    run.lost = spider.lost
    return run


def _take(given: Any, run: Run, waiting: deque[Request]) -> None:
    if isinstance(given, Request):
        waiting.append(given)
    elif isinstance(given, ResultList):
        run.lists.append(given)
    else:
        run.items.append(given)


def _answered(spider: SourceSpider, request: Request, answer: bytes | int) -> Iterable[Any]:
    if isinstance(answer, int) and answer != 304:
        kind = Answer.GATED if answer in (401, 403) else Answer.ERROR
        failure = Failure(NotRead(kind, f"status {answer}", answer))
        failure.request = request
        return list(request.errback(failure) or ())
    status, body = (304, b"") if isinstance(answer, int) else (200, answer)
    response = HtmlResponse(request.url, status=status, body=body, request=request, encoding="utf-8")
    return list(request.callback(response, **request.cb_kwargs) or ())
