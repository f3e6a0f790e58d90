"""One visit to one source: its job, its Scrapy crawl, its entry in the books."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, Protocol

import msgspec
import structlog
from pydantic import ValidationError
from scrapy import signals
from scrapy.crawler import AsyncCrawlerRunner, Crawler
from scrapy.utils.ssl import _make_ssl_context
from twisted.python.failure import Failure

from crawlers.fetches import Lost
from crawlers.gathering import Gathering
from crawlers.guard import Guard
from crawlers.hosts import backoff_until
from crawlers.kit import Kit
from crawlers.ledger import Finished, Ledger, Terms, VisitReport
from crawlers.pacing import Pacer
from crawlers.raw import RawPages
from crawlers.scheduling import host_of
from crawlers.settings import for_visit
from crawlers.sink import store_results
from crawlers.spider import SourceSpider
from crawlers.tokens import Tokens
from crawlers.urls import host_key
from crawlers.validators import Validators
from crawlers.visit import Job, Visit
from pipeline.clock import Clock
from pipeline.configuration import Configuration
from pipeline.item import Item, ResultList
from pipeline.run import Fed
from pipeline.state.blocking import blocked
from pipeline.state.database import State
from pipeline.state.sources import SourceRow
from pipeline.words import Answer

log = structlog.get_logger()
_BLOCKS_HOLD = 2.0


class Pipeline(Protocol):
    """What the crawl needs of ``pipeline.run.Pipeline``."""

    def feed(self, items: Sequence[Item]) -> Fed:
        """Make items durable."""
        ...

    def drain(self) -> int:
        """Move what waits in the spool into the store."""
        ...

    def known(self, uids: Sequence[str]) -> Mapping[str, bool] | None:
        """Which of these are mentions, and whether by an own account; None where nobody can say now."""
        ...

    def spool_watermark(self, source: str, at: datetime) -> bool:
        """Set a source's watermark once all that it brought is stored."""
        ...

    def close(self) -> None:
        """Release files."""
        ...


class StateFeed:
    """Items into the pipeline, result lists into the state database; one for all visits of a process."""

    def __init__(self, pipeline: Pipeline, state: State) -> None:
        self._state, self._gathering = state, Gathering(pipeline.feed)

    async def feed(self, items: Sequence[Item]) -> None:
        await self._gathering.feed(items)

    async def results(self, ranks: ResultList) -> None:
        await asyncio.to_thread(store_results, self._state, ranks)


@dataclass(frozen=True, slots=True)
class House:
    """What all visits of a process share under one configuration."""

    configuration: Configuration
    spiders: Mapping[str, type[SourceSpider]]
    state: State
    clock: Clock
    ledger: Ledger
    pacer: Pacer
    raw: RawPages
    pipeline: Pipeline
    worker: str
    articles: Callable[[str], Mapping[str, str]] = lambda _origin: {}
    """Origin → recent articles of other sources: folded title → address."""


class Visitor:
    """Makes visits. Whatever goes wrong in one becomes the state of its source."""

    def __init__(self, house: House) -> None:
        self._house, self._feed = house, StateFeed(house.pipeline, house.state)
        self._running: set[Crawler] = set()
        self._tokens = Tokens()
        self._domains: tuple[float, Mapping[str, str]] = (-_BLOCKS_HOLD, {})
        self._neighbours = Counter(host_of(entry.url) for entry in house.configuration.sources.values())
        self._stopping = False
        self._tls = cache(lambda: _make_ssl_context(for_visit(house.configuration)))

    async def visit(self, row: SourceRow) -> VisitReport:
        """Visit a claimed source and write it down."""
        begun = time.monotonic()
        finished = await self._finished(row)
        report = await self._apply(finished)
        report = msgspec.structs.replace(report, seconds=round(time.monotonic() - begun, 3))
        log.info(
            "visited",
            source=row.id,
            state=report.state.value,
            items=report.items,
            answer=report.answer.value,
            complete=report.complete,
            reason=report.reason,
        )
        return report

    async def stop(self) -> None:
        """Have every running crawl end soon; what it has not read yet stays for the next visit."""
        self._stopping = True
        self._house.pacer.close()
        # One that is still opening ends by itself, as nothing is asked any more; stopped now, it would never end.
        begun = [crawler for crawler in self._running if crawler.engine and crawler.engine.running]
        await asyncio.gather(*(crawler.stop_async() for crawler in begun), return_exceptions=True)

    async def _finished(self, row: SourceRow) -> Finished:
        house = self._house
        started = house.clock.now()
        try:
            job = self._job(row)
        except (LookupError, ValidationError) as error:
            return _failed(row, started, str(error))
        kit, pages = self._kit(row)
        spider = await self._crawl(row, job, kit)
        return Finished(
            row=row,
            started=job.started,
            visit=spider.visit,
            lost=spider.lost,
            unfed=spider.unfed,
            stopped=self._stopping,
            fetches=kit.fetches,
            pages=pages,
            validators=kit.validators,
            not_before=await asyncio.to_thread(self._left_alone_until, row),
            mentions=await asyncio.to_thread(self._mentions, spider),
            terms=self._terms(row, job),
        )

    def _mentions(self, spider: SourceSpider) -> Mapping[str, bool] | None:
        return self._house.pipeline.known(list(spider.visit.gave)) if spider.visit.gave and not spider.unfed else {}

    def _terms(self, row: SourceRow, job: Job) -> Terms | None:
        """What its pace is made from; None where the configuration sets it."""
        configuration = self._house.configuration
        if configuration.sources[row.id].interval is not None:
            return None
        return Terms(job.zone, self._neighbours[host_of(row.url)], configuration.crawl.hourly)

    def _job(self, row: SourceRow) -> Job:
        """Raises LookupError and ValidationError where the configuration does not fit the spider."""
        spider = self._house.spiders.get(row.spider)
        if spider is None:
            raise LookupError(f"there is no spider {row.spider!r}")
        options = spider.Options(**self._house.configuration.sources[row.id].options)
        job = self._house.ledger.job(row, self._house.configuration, options)
        return replace(job, articles=self._house.articles)

    def _kit(self, row: SourceRow) -> tuple[Kit, dict[str, tuple[str, int]]]:
        house, pages = self._house, dict[str, tuple[str, int]]()

        def keep(url: str, body: bytes) -> str:
            sha256 = house.raw.keep(body)
            pages[sha256] = (url, len(body))
            return sha256

        kit = Kit(
            clock=house.clock,
            guard=Guard(house.configuration.crawl.allow_private, self._blocked),
            pacer=house.pacer,
            validators=Validators(house.state, row.id),
            feed=self._feed,
            keep=keep,
            tls=self._tls,
            tokens=self._tokens,
        )
        return kit, pages

    def _blocked(self) -> Mapping[str, str]:
        """Domain → reason; read anew every few seconds, so that a block holds within running visits, too."""
        read_at, domains = self._domains
        if time.monotonic() - read_at >= _BLOCKS_HOLD:
            with self._house.state.read() as connection:
                domains = {one.domain: one.reason for one in blocked(connection)}
            self._domains = time.monotonic(), domains
        return domains

    async def _crawl(self, row: SourceRow, job: Job, kit: Kit) -> SourceSpider:
        """Run the spider to its end. What it raises is lost, never raised here."""
        runner = AsyncCrawlerRunner(for_visit(self._house.configuration))
        crawler = runner.create_crawler(self._house.spiders[row.spider])
        listeners = _listen(crawler, job)
        self._running.add(crawler)
        broken = ""
        try:
            if not self._stopping:
                await crawler.crawl_async(job=job, kit=kit)
        except Exception as error:
            log.exception("crawl failed", source=row.id)
            broken = f"the crawl failed: {error!r}"
        finally:
            self._running.discard(crawler)
            listeners.clear()
        spider = crawler.spider
        if not isinstance(spider, SourceSpider):
            spider, broken = SourceSpider(job, kit, name=row.spider), broken or "the service is stopping"
        if broken:
            spider.lose(job.url, Answer.ERROR, broken)
        spider.settle()
        return spider

    def _left_alone_until(self, row: SourceRow) -> datetime | None:
        try:
            name = host_key(row.url)
        except ValueError:
            return None
        with self._house.state.read() as connection:
            return backoff_until(connection, name)

    async def _apply(self, finished: Finished) -> VisitReport:
        house = self._house
        row, ours = await asyncio.to_thread(house.ledger.apply, finished, house.worker)
        complete = finished.complete and ours
        watermark = finished.reached if ours else None
        if watermark is not None:
            await asyncio.to_thread(house.pipeline.spool_watermark, row.id, watermark)
        return VisitReport(
            source=row.id,
            state=row.state,
            complete=complete,
            items=finished.visit.items,
            fetches=len(finished.fetches),
            answer=finished.outcome.answer,
            reason=finished.outcome.reason,
            watermark=watermark,
            applied=ours and not finished.unfed,
        )


def _listen(crawler: Crawler, job: Job) -> list[Any]:
    """Have what a spider raises, and an early end, count as lost; returns what must live as long as the crawl."""

    def failed(failure: Failure, response: Any, spider: SourceSpider) -> None:
        url = getattr(response, "url", job.url)
        spider.lose(url, Answer.ERROR, f"the spider failed: {failure.value!r}")

    def closed(spider: SourceSpider, reason: str) -> None:
        if reason != "finished":
            spider.lose(job.url, Answer.ERROR, f"the crawl ended early: {reason}")

    crawler.signals.connect(failed, signals.spider_error)
    crawler.signals.connect(closed, signals.spider_closed)
    return [failed, closed]


def _failed(row: SourceRow, started: datetime, reason: str) -> Finished:
    return Finished(row=row, started=started, visit=Visit(), lost=[Lost(row.url, Answer.ERROR, reason)])
