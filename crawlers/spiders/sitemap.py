"""Spider for news sitemaps: which articles are new, and each of them read once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, ClassVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from scrapy.http import Response

from crawlers.article import parse_article
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed, ThreadRow
from crawlers.sitemaps import parse_sitemap
from crawlers.spider import Rank, SourceSpider, Yield
from pipeline.identity import canonical_url
from pipeline.item import Published
from pipeline.words import Answer, Channel, Precision, Reading

REMEMBERED = 3_000
"""Articles that a source remembers as read."""
MAX_MAPS = 10
"""Further sitemaps that one visit reads."""


def parse(page: PageFile) -> Parsed:
    """The pages and further sitemaps that a sitemap names."""
    return parse_sitemap(page)


class SitemapOptions(BaseModel):
    """Options of a sitemap."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    only: str = Field("", description="Only addresses that contain this, such as /wirtschaft/; empty: all.")


class SitemapSpider(SourceSpider):
    """Reads a sitemap and the articles in it that are new. Oldest first, so that a cut visit leaves the newest."""

    name = "sitemap"
    platform = "sitemap"
    channel = Channel.NEWS
    interval = timedelta(minutes=15)
    Options = SitemapOptions
    description = "A sitemap, best a news sitemap, of a newspaper or blog; each new article is read."
    example = """\
[sources.paper]
spider = "sitemap"
url = "https://paper.example.org/news-sitemap.xml"
"""
    parser: ClassVar[Any] = staticmethod(parse)
    rank = Rank.STRUCTURED

    @classmethod
    def recognises(cls, look: Look) -> str:
        known = b"<urlset" in look.start or b"<sitemapindex" in look.start
        return "the answer is a sitemap" if known else ""

    async def start(self) -> AsyncIterator[Yield]:
        remembered = self.job.cursor.get("read")
        self._read: dict[str, str] = dict(remembered) if isinstance(remembered, dict) else {}
        self._maps: set[str] = {self.job.url}
        self._asked: set[str] = set()
        self._open = 1
        yield self.request(self.job.url, self.parse_map)

    def parse_map(self, response: Response) -> Iterator[Yield]:
        """One sitemap: the new ones of its pages, and further maps in which something changed."""
        parsed = self.read(response)
        if parsed.state not in (Answer.OK, Answer.EMPTY):
            return
        for row in sorted(parsed.boards, key=_newest_first):
            if row.url not in self._maps and self._is_fresh(row.last_time) and len(self._maps) <= MAX_MAPS:
                self._maps.add(row.url)
                self._open += 1
                yield self.request(row.url, self.parse_map, gone=self.no_map)
        yield from self._articles(parsed)
        self._close()

    def no_map(self, url: str, status: int) -> None:
        """An index may name a map that is no more."""
        self._close()

    def _close(self) -> None:
        self._open -= 1
        self._settle()

    def _is_fresh(self, time: datetime | None) -> bool:
        """Whether something changed since the last visit; what names no time may have."""
        floor = self.job.watermark or self.job.backfill_from
        return time is None or time >= floor - timedelta(days=1)  # days are often all that a map says

    def _articles(self, parsed: Parsed) -> Iterator[Yield]:
        only: str = self.job.options.only  # type: ignore[attr-defined]
        named = {canonical_url(row.url): row for row in parsed.threads if only in row.url}
        wanted = [
            (name, row)
            for name, row in sorted(named.items(), key=lambda pair: _newest_first(pair[1]), reverse=True)
            if name not in self._asked and self._is_fresh(row.last_time) and self._read.get(name) != _stamp(row)
        ]
        self._reaches_back(row.last_time for _, row in wanted)
        left = self.job.max_pages - len(self._asked)
        if len(wanted) > left:
            self.visit.behind = self.visit.keep_cursor = True
            self.visit.reason = "the limit of pages per visit was reached; the next visit goes on"
        for name, row in wanted[:left]:
            self._asked.add(name)
            yield self.request(row.url, self.parse_article, gone=self.gone, name=name, row=row)

    def _reaches_back(self, times: Iterable[datetime | None]) -> None:
        known = [at for time in times if (at := self.credible(time)) is not None]
        if self.job.first_contact and known:
            self.visit.complete_from = min([*known, *filter(None, [self.visit.complete_from])])

    def parse_article(self, response: Response, name: str, row: ThreadRow) -> Iterator[Yield]:
        """One article's page; a page without an article's text is read, too, and gives nothing."""
        found = parse_article(self.page(response))
        fetch = self.fetch(response)
        fetch.items, fetch.reason, fetch.sha256 = len(found.items), found.reason, self.keep(response)
        self.visit.answers.append(Answer.OK)
        self._done(name, row)
        for article in found.items:
            published = article.published
            if published.precision is Precision.UNKNOWN and row.last_time is not None:
                published = Published(at=row.last_time, precision=Precision.MINUTE)
            dated = msgspec.structs.replace(article, published=published)
            reading = Reading.FEED if article.teaser else Reading.FULL
            yield self.item(dated, found, response, reading=reading, native_id=article.id)

    def gone(self, url: str, status: int, name: str, row: ThreadRow) -> None:
        """Deleted, or behind a wall: read as far as we may."""
        self._done(name, row)

    def _done(self, name: str, row: ThreadRow) -> None:
        self._read = {name: _stamp(row)} | {other: at for other, at in self._read.items() if other != name}
        self._settle()

    def _settle(self) -> None:
        self.visit.cursor = {"read": dict(list(self._read.items())[:REMEMBERED])}
        self.visit.complete = not self.visit.behind and self._open == 0


def _stamp(row: ThreadRow) -> str:
    return row.last_time.isoformat() if row.last_time is not None else ""


def _newest_first(row: ThreadRow) -> float:
    return -row.last_time.timestamp() if row.last_time is not None else 0.0
