"""The end of Scrapy and the beginning of the pipeline: items go on in batches, and wait when it is slow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

import sqlalchemy as sa
import structlog
from scrapy.crawler import Crawler

from crawlers.fetches import said
from crawlers.kit import kit_of, spider_of
from crawlers.spider import SourceSpider
from pipeline.item import Item, ResultList
from pipeline.state.database import State
from pipeline.state.tables import result, result_list

log = structlog.get_logger()
BATCH = 500
SECONDS = 1.0


class Feed(Protocol):
    """Where a visit's findings go. Both return only when what they were given is durable."""

    async def feed(self, items: Sequence[Item]) -> None:
        """Items."""
        ...

    async def results(self, ranks: ResultList) -> None:
        """One run of one query."""
        ...


class Sink:
    """Scrapy item pipeline. Once a batch could not be made durable, nothing of the visit may be applied."""

    def __init__(self, feed: Feed, spider: SourceSpider, *, batch: int = BATCH, seconds: float = SECONDS) -> None:
        self._feed, self._spider, self._batch, self._seconds = feed, spider, batch, seconds
        self._waiting: list[Item] = []
        self._busy = asyncio.Lock()
        self._timer: asyncio.Task[None] | None = None

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Sink:
        return cls(kit_of(crawler).feed, spider_of(crawler))

    async def process_item(self, item: Any) -> Any:
        """Take an item or a result list; waits while a full batch is on its way."""
        if isinstance(item, ResultList):
            await self._guarded(self._feed.results, item)
        elif isinstance(item, Item):
            await self._take(item)
        else:
            raise TypeError(f"a spider yields Item or ResultList, not {type(item).__name__}")
        return item

    async def _take(self, item: Item) -> None:
        self._waiting.append(item)
        self._spider.note(item)
        if len(self._waiting) >= self._batch:
            await self._flush()
        elif self._timer is None:
            self._timer = asyncio.create_task(self._flush_soon())

    async def _flush_soon(self) -> None:
        await asyncio.sleep(self._seconds)
        self._timer = None
        await self._flush()

    async def _flush(self) -> None:
        async with self._busy:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._batch], self._waiting[self._batch :]
                await self._guarded(self._feed.feed, batch)

    async def _guarded(self, give: Any, what: Any) -> None:
        try:
            await give(what)
        except Exception as error:
            log.error("findings could not be made durable", source=self._spider.job.source, reason=repr(error))
            self._spider.unfed = f"findings could not be made durable: {said(error)}"

    async def close_spider(self) -> None:
        """Everything taken is durable, or ``unfed`` says why not."""
        if self._timer is not None:
            self._timer.cancel()
        await self._flush()


def store_results(state: State, ranks: ResultList) -> None:
    """Write one run of one query with its ranks, in one transaction."""
    head = {"source": ranks.source, "query": ranks.query, "at": ranks.at}
    with state.begin(by_rows=True) as connection:
        statement = sa.insert(result_list).values(**head, unresponsive=[list(pair) for pair in ranks.unresponsive])
        (number,) = connection.execute(statement).inserted_primary_key or (None,)
        rows = [
            {
                "list": number,
                "position": row.position,
                "url": row.url,
                "title": row.title,
                "snippet": row.snippet,
                "engines": list(row.engines),
                "uid": row.uid,
            }
            for row in {row.position: row for row in ranks.results}.values()
        ]
        if rows:
            connection.execute(sa.insert(result), rows)
