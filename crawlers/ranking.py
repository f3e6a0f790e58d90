"""How ranked result lists are read: every query, page by page; one list per query and visit."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from scrapy.http import Request, Response

from crawlers.parsing import Parsed, ParsedItem
from crawlers.spider import SourceSpider, Yield
from pipeline.identity import origin_of
from pipeline.item import RankedResult, ResultList
from pipeline.words import Answer, Channel, Reading

Silent = tuple[tuple[str, str], ...]
"""(engine, reason) of engines that did not answer."""


class Standing(msgspec.Struct, frozen=True):
    """What is known of one query's list while it is read."""

    query: str
    page: int = 1
    ranked: tuple[RankedResult, ...] = ()
    silent: Silent = ()


class RankedOptions(BaseModel):
    """What every search has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    queries: tuple[str, ...] = Field(min_length=1, description="What is searched for, each with a list of its own.")
    pages: int = Field(1, ge=1, le=10, description="Pages of results per query.")


class RankedSpider(SourceSpider):
    """Base of spiders that ask a search engine. The parser gives ``items`` and ``results`` in the same order.

    A result list says what is found today, not what was written since: it has no watermark. A list of which a page
    could not be read is kept with the reason among its silent engines, so that nobody takes it for whole.
    """

    channel = Channel.SEARCH

    @abstractmethod
    def ask(self, standing: Standing, callback: Any) -> Request | None:
        """The request for one page of one query's results; None where it may not be asked (and ``lose`` says why)."""

    def goes_on(self, standing: Standing, parsed: Parsed) -> bool:
        """Whether another page is wanted after one with new results."""
        return standing.page < self.options(RankedOptions).pages

    def resolved(self, parsed: Parsed) -> Parsed:
        """The page's results with the addresses they are known by here."""
        return parsed

    def over(self, item: ParsedItem) -> Mapping[str, Any]:
        """Fields of an item in place of what the answer's address would give."""
        return {"native_id": item.id, "origin": origin_of(item.url or self.job.url), "thread": None}

    async def start(self) -> AsyncIterator[Yield]:
        self.visit.has_watermark = False
        queries = self.options(RankedOptions).queries
        self._open = len(queries)
        for query in queries:
            for request in self._asked(Standing(query)):
                yield request

    def _asked(self, standing: Standing) -> Iterator[Request]:
        request = self.ask(standing, self.parse_list)
        if request is not None:
            yield request.replace(cb_kwargs={"standing": standing})

    def parse_list(self, response: Response, standing: Standing) -> Iterator[Yield]:
        """One page of results; the list is given away once its last page was read."""
        parsed = self.resolved(self.read(response, expect_items=False))
        if parsed.state not in (Answer.OK, Answer.EMPTY):
            silent = parsed.unresponsive or ((self.name, parsed.reason),)
            if standing.ranked:
                yield self._list(response, msgspec.structs.replace(standing, silent=standing.silent + silent))
            return
        known = {result.url for result in standing.ranked}
        offset = standing.ranked[-1].position if standing.ranked else 0
        fresh = tuple(result for result in parsed.results if result.url not in known)
        yield from self._results(parsed, response, known, offset)
        standing = Standing(
            standing.query,
            standing.page,
            standing.ranked + tuple(msgspec.structs.replace(one, position=one.position + offset) for one in fresh),
            standing.silent + parsed.unresponsive,
        )
        wanted = bool(fresh) and self.goes_on(standing, parsed)
        following = list(self._asked(msgspec.structs.replace(standing, page=standing.page + 1))) if wanted else []
        yield from following
        if wanted and not following:  # key or quota: a list cut short is not whole
            standing = msgspec.structs.replace(standing, silent=(*standing.silent, (self.name, self.lost[-1].reason)))
        if not following:
            yield self._list(response, standing)
            self._open -= 1
            self.visit.complete = self._open == 0

    def _list(self, response: Response, standing: Standing) -> ResultList:
        return ResultList(
            source=self.job.source,
            query=standing.query,
            at=self.fetch(response).at,
            results=standing.ranked,
            unresponsive=tuple(dict.fromkeys(standing.silent)),
        )

    def _results(self, parsed: Parsed, response: Response, known: set[str], offset: int) -> Iterator[Yield]:
        for item in parsed.items:
            if item.url is not None and item.url not in known:
                position = (item.position or 0) + offset
                yield self.item(item, parsed, response, reading=Reading.SNIPPET, position=position, **self.over(item))
