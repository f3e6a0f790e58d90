"""Spider for the user's own SearXNG or searx instance: one ranked list per query and visit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from scrapy.http import Response

from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed
from crawlers.results import parse_results
from crawlers.spider import SourceSpider, Yield
from pipeline.identity import origin_of
from pipeline.item import RankedResult, ResultList
from pipeline.words import Answer, Channel, Reading


def parse(page: PageFile) -> Parsed:
    """The ranked results of one answer."""
    return parse_results(page)


class SearxngOptions(BaseModel):
    """Options of a search source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    queries: tuple[str, ...] = Field(min_length=1, description="What is searched for, each with a list of its own.")
    language: str = Field("de", description="Language the instance is asked for; 'all' for any.")
    time_range: Literal["", "day", "week", "month", "year"] = Field("", description="Only results as young as this.")
    categories: str = Field("general", description="Categories of the instance, separated by commas.")
    engines: str = Field("", description="Only these engines, separated by commas; empty: the instance's own choice.")
    pages: int = Field(1, ge=1, le=10, description="Pages of results per query.")
    own: bool = Field(
        True,
        description="This is your own instance, whose robots.txt (which forbids searching) speaks to strangers. "
        "Set false for somebody else's.",
    )


class SearxngSpider(SourceSpider):
    """Asks one instance. A result list says what is found today, not what was written since: it has no watermark."""

    name = "searxng"
    platform = "searxng"
    channel = Channel.SEARCH
    interval = timedelta(minutes=30)
    Options = SearxngOptions
    description = "Searches at an own SearXNG or searx instance whose settings allow the format json."
    example = """\
[sources.search]
spider = "searxng"
url = "http://127.0.0.1:8888"
queries = ["acme hotline", "acme kündigung"]
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        answer = look.json
        known = isinstance(answer, dict) and "query" in answer and isinstance(answer.get("results"), list)
        return "the answer is a result list of SearXNG or searx" if known else ""

    @property
    def own_service(self) -> bool:
        own: bool = self.job.options.own  # type: ignore[attr-defined]
        return own

    async def start(self) -> AsyncIterator[Yield]:
        self.visit.has_watermark = False
        self._open = len(self.job.options.queries)  # type: ignore[attr-defined]
        for query in self.job.options.queries:  # type: ignore[attr-defined]
            yield self._ask(query, 1, (), ())

    def _ask(
        self, query: str, number: int, ranked: tuple[RankedResult, ...], silent: tuple[tuple[str, str], ...]
    ) -> Yield:
        given: dict[str, Any] = {"query": query, "number": number, "ranked": ranked, "silent": silent}
        return self.request(search_url(self.job.url, query, number, self.job.options), self.parse_list, **given)

    def parse_list(
        self,
        response: Response,
        query: str,
        number: int,
        ranked: tuple[RankedResult, ...],
        silent: tuple[tuple[str, str], ...],
    ) -> Iterator[Yield]:
        """One page of results; the list is given away once its last page was read."""
        parsed = self.read(response, expect_items=False)
        if parsed.state not in (Answer.OK, Answer.EMPTY):
            yield from self._given(response, query, ranked, silent + parsed.unresponsive)
            return
        offset = ranked[-1].position if ranked else 0
        known = {result.url for result in ranked}
        fresh = tuple(result for result in parsed.results if result.url not in known)
        ranked += tuple(msgspec.structs.replace(one, position=one.position + offset) for one in fresh)
        yield from self._results(parsed, response, known, offset)
        silent += parsed.unresponsive
        if fresh and number < self.job.options.pages:  # type: ignore[attr-defined]
            yield self._ask(query, number + 1, ranked, silent)
            return
        yield ResultList(
            source=self.job.source, query=query, at=self.fetch(response).at, results=ranked, unresponsive=_once(silent)
        )
        self._open -= 1
        self.visit.complete = self._open == 0

    def _given(
        self, response: Response, query: str, ranked: tuple[RankedResult, ...], silent: tuple[tuple[str, str], ...]
    ) -> Iterator[Yield]:
        """What is known of a list whose page could not be read; a list of nothing at all is no list."""
        if ranked:
            at = self.fetch(response).at
            yield ResultList(source=self.job.source, query=query, at=at, results=ranked, unresponsive=_once(silent))

    def _results(self, parsed: Parsed, response: Response, known: set[str], offset: int) -> Iterator[Yield]:
        for item in parsed.items:
            if item.url is not None and item.url not in known:
                over: dict[str, Any] = {"native_id": item.id, "origin": origin_of(item.url), "thread": None}
                position = (item.position or 0) + offset
                yield self.item(item, parsed, response, reading=Reading.SNIPPET, position=position, **over)


def search_url(base: str, query: str, number: int, options: Any) -> str:
    """Address of one page of results as JSON; ``base`` is the instance or its search page."""
    parts = urlsplit(base)
    path = parts.path if parts.path.rstrip("/").endswith("/search") else parts.path.rstrip("/") + "/search"
    asked = {
        "q": query,
        "format": "json",
        "language": options.language,
        "categories": options.categories,
        "engines": options.engines,
        "time_range": options.time_range,
        "pageno": str(number) if number > 1 else "",
    }
    return urlunsplit(parts._replace(path=path, query=urlencode({key: value for key, value in asked.items() if value})))


def _once(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys(pairs))
