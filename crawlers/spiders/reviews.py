"""Spider for review pages with schema.org data: newest first, page by page, until a known review is met."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from hashlib import blake2b
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from scrapy.http import Response

from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.ratings import parse_reviews
from crawlers.spider import SourceSpider, Yield
from pipeline.identity import origin_of
from pipeline.item import Item
from pipeline.words import Answer, Channel, Reading

REMEMBERED = 3_000
"""Reviews a source remembers, to tell new and changed ones from known ones."""


def parse(page: PageFile) -> Parsed:
    """The reviews of a page."""
    return parse_reviews(page)


class ReviewsOptions(BaseModel):
    """Options of a review page."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every_page: bool = Field(False, description="Read all pages each time: for pages that are not sorted by date.")


class ReviewsSpider(SourceSpider):
    """Reads reviews of one thing. Give the source `about`, since reviews seldom name the company."""

    name = "reviews"
    platform = "reviews"
    channel = Channel.REVIEW
    interval = timedelta(minutes=30)
    Options = ReviewsOptions
    description = "A page of reviews with schema.org data (JSON-LD or microdata), whoever made it."
    example = """\
[sources.reviews]
spider = "reviews"
url = "https://reviews.example.org/company/acme"
about = "acme"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    async def start(self) -> AsyncIterator[Yield]:
        remembered = self.job.cursor.get("reviews")
        self._known: dict[str, str] = dict(remembered) if isinstance(remembered, dict) else {}
        self._read: dict[str, str] = {}
        self._resume = self.job.cursor.get("resume")
        self._pages = 0
        self._visited: set[str] = set()
        for request in self._ask(self.job.url):
            yield request

    def _ask(self, url: str) -> Iterator[Yield]:
        if url in self._visited:
            self._end()
        elif self._pages >= self.job.max_pages:
            self._stop_early(url)
        else:
            self._pages += 1
            self._visited.add(url)
            yield self.request(url, self.parse_page, gone=self._gone if self._pages > 1 else None)

    def parse_page(self, response: Response) -> Iterator[Yield]:
        """One page of reviews; on to older ones while nothing known was met."""
        parsed = self.read(response)
        if parsed.state not in (Answer.OK, Answer.EMPTY):
            return
        met = any(item.id in self._known for item in parsed.items)
        for item in parsed.items:
            yield from self._review(item, parsed, response)
        older = parsed.links.next[0] if parsed.links.next else None
        if older is not None and self._wants_older(parsed, met):
            yield from self._ask(older)
        elif self._resume is not None:
            url, self._resume = self._resume, None
            yield from self._ask(url)
        else:
            self._end()

    def _wants_older(self, parsed: Parsed, met: bool) -> bool:
        if self.job.options.every_page:  # type: ignore[attr-defined]
            return True
        if (met and self._resume is not None) or (met and not self._in_backfill()):
            return False
        times = [at for item in parsed.items if (at := self.credible(item.published.at)) is not None]
        floor = self.job.backfill_from
        return not times or min(times) >= floor

    def _in_backfill(self) -> bool:
        return self.job.watermark is None

    def _review(self, item: ParsedItem, parsed: Parsed, response: Response) -> Iterator[Item]:
        digest = blake2b(f"{item.title}\n{item.text}\n{item.rating_raw}".encode(), digest_size=6).hexdigest()
        self._read[item.id] = digest
        at = self.credible(item.published.at)
        if self.job.first_contact and at is not None:
            if at < self.job.backfill_from:
                return
            self.visit.complete_from = min(self.visit.complete_from or at, at)
        if self._known.get(item.id) != digest:
            over = {"native_id": item.id, "parent": item.parent, "thread": None}
            origin = origin_of(response.url)
            yield self.item(item, parsed, response, reading=Reading.FULL, origin=origin, **over)

    def _gone(self, url: str, status: int) -> None:
        """Behind the last page: everything there is was read."""
        self._end()

    def _stop_early(self, url: str) -> None:
        """The cap was reached: what was read is remembered, and the page to go on from."""
        self.visit.behind = self.visit.keep_cursor = True
        self.visit.reason = "the limit of pages per visit was reached; the next visit goes on"
        self.visit.cursor = {"reviews": self._memory(), "resume": url}

    def _end(self) -> None:
        self.visit.cursor = {"reviews": self._memory()}
        self.visit.complete = True

    def _memory(self) -> dict[str, str]:
        """The latest reviews first, so that the oldest are forgotten."""
        both = self._read | {name: value for name, value in self._known.items() if name not in self._read}
        return dict(list(both.items())[:REMEMBERED])
