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
        remembered, maps = self.job.cursor.get("read"), self.job.cursor.get("maps", {})
        self._read: dict[str, str] = dict(remembered) if isinstance(remembered, dict) else {}
        self._left: dict[str, str] = dict(maps.get("left", {}))
        self._over: dict[str, str] = dict(maps.get("over", {}))
        self._since = datetime.fromisoformat(maps["since"]) if maps else self.job.started
        self._waiting: dict[str, int] = {}
        self._maps: set[str] = {self.job.url}
        self._asked: set[str] = set()
        self._open = 1
        yield self.request(self.job.url, self.parse_map)

    def parse_map(self, response: Response, name: str = "") -> Iterator[Yield]:
        """One sitemap: the new ones of its pages, and further maps in which something changed."""
        parsed = self.read(response)
        if parsed.state not in (Answer.OK, Answer.EMPTY):
            return
        named = {row.url: _stamp(row) for row in parsed.boards if self._is_fresh(row.last_time)}
        self._left |= {url: at for url, at in named.items() if self._over.get(url) != at and url not in self._maps}
        yield from self._further()
        yield from self._articles(parsed, name)
        self._close()

    def _further(self) -> Iterator[Yield]:
        """Requests for the maps that are left, those changed last first, as many as one visit reads."""
        for url, _ in sorted(self._left.items(), key=lambda pair: pair[1], reverse=True):
            if url in self._maps:
                continue
            if len(self._maps) > MAX_MAPS:
                self.visit.behind = self.visit.keep_cursor = True
                break
            self._maps.add(url)
            self._open += 1
            yield self.request(url, self.parse_map, gone=self.no_map, name=url)

    def no_map(self, url: str, status: int, name: str) -> None:
        """An index may name a map that is no more."""
        self._left.pop(name, None)
        self._close()

    def _close(self) -> None:
        self._open -= 1
        self._settle()

    def _is_fresh(self, time: datetime | None) -> bool:
        """Whether something changed since the last visit; what names no time may have."""
        floor = self.job.watermark or self.job.backfill_from
        return time is None or time >= floor - timedelta(days=1)  # days are often all that a map says

    def _articles(self, parsed: Parsed, of: str) -> Iterator[Yield]:
        only = self.options(SitemapOptions).only
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
        self._waiting[of] = len(wanted)
        self._map_read(of)
        for name, row in wanted[:left]:
            self._asked.add(name)
            yield self.request(row.url, self.parse_article, gone=self.gone, name=name, row=row, of=of)

    def _map_read(self, of: str) -> None:
        """A map is over once all that was new in it is read; one with articles left over is read again."""
        if not self._waiting[of] and of in self._left:
            self._over[of] = self._left.pop(of)

    def _reaches_back(self, times: Iterable[datetime | None]) -> None:
        known = [at for time in times if (at := self.credible(time)) is not None]
        if self.job.first_contact and known:
            self.visit.complete_from = min([*known, *filter(None, [self.visit.complete_from])])

    def parse_article(self, response: Response, name: str, row: ThreadRow, of: str) -> Iterator[Yield]:
        """One article's page; a page without an article's text is read, too, and gives nothing."""
        found = parse_article(self.page(response))
        fetch = self.fetch(response)
        fetch.items, fetch.reason, fetch.sha256 = len(found.items), found.reason, self.keep(response)
        self.visit.answers.append(Answer.OK)
        self._done(name, row, of)
        for article in found.items:
            published = article.published
            if published.precision is Precision.UNKNOWN and row.last_time is not None:
                published = Published(at=row.last_time, precision=Precision.MINUTE)
            dated = msgspec.structs.replace(article, published=published)
            reading = Reading.FEED if article.teaser else Reading.FULL
            yield self.item(dated, found, response, reading=reading, native_id=article.id)

    def gone(self, url: str, status: int, name: str, row: ThreadRow, of: str) -> None:
        """Deleted, or behind a wall: read as far as we may."""
        self._done(name, row, of)

    def _done(self, name: str, row: ThreadRow, of: str) -> None:
        self._read = {name: _stamp(row)} | {other: at for other, at in self._read.items() if other != name}
        self._waiting[of] -= 1
        self._map_read(of)
        self._settle()

    def _settle(self) -> None:
        """A round over many maps may take several visits; what it is complete to is where its first one began."""
        self.visit.cursor = {"read": dict(list(self._read.items())[:REMEMBERED])}
        if self._left:
            left, over = (dict(list(maps.items())[-REMEMBERED:]) for maps in (self._left, self._over))
            self.visit.cursor["maps"] = {"left": left, "over": over, "since": self._since.isoformat()}
        self.visit.reached = None if self.visit.behind else self._since
        self.visit.complete = not self.visit.behind and self._open == 0
        unread = len(self._left) - REMEMBERED
        if self.visit.behind:
            limit = "the limit of pages per visit was reached; the next visit goes on"
            self.visit.reason = f"{unread} sitemaps go unread: their index names too many" if unread > 0 else limit


def _stamp(row: ThreadRow) -> str:
    return row.last_time.isoformat() if row.last_time is not None else ""


def _newest_first(row: ThreadRow) -> float:
    return -row.last_time.timestamp() if row.last_time is not None else 0.0
