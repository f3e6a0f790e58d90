"""Spider for RSS and Atom: news, blogs, comments and forums; the whole article where the feed only teases."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from pydantic import BaseModel, ConfigDict, Field
from scrapy.http import Request, Response

from crawlers.article import parse_article
from crawlers.feeds import parse_feed
from crawlers.fetches import NotRead
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.spider import Rank, SourceSpider, Yield
from crawlers.urls import without_fragment
from pipeline.identity import canonical_url, origin_of
from pipeline.item import Item
from pipeline.words import Answer, Channel, Kind, Reading

MANY = 10
"""An empty feed that holds this many entries at the next visit may have held more in between."""


def parse(page: PageFile) -> Parsed:
    """The entries of a feed."""
    return parse_feed(page)


class FeedOptions(BaseModel):
    """Options of a feed source."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    full_text: bool = Field(True, description="Fetch the article's page where the feed only teases.")
    paged: bool = Field(False, description="Older entries are at ?paged=2 and so on, as WordPress has it.")


class FeedSpider(SourceSpider):
    """Reads one feed. What a feed no longer holds cannot be read later: that span becomes a hole."""

    name = "feed"
    platform = "feed"
    channel = Channel.NEWS
    interval = timedelta(minutes=10)
    Options = FeedOptions
    description = "An RSS or Atom feed of news, a blog, comments or a forum; a page's address finds its feed."
    example = """\
[sources.news]
spider = "feed"
url = "https://news.example.org/feed/"
channel = "news"
"""
    parser: ClassVar[Any] = staticmethod(parse)
    rank = Rank.STRUCTURED

    @classmethod
    def recognises(cls, look: Look) -> str:
        return "the answer is RSS or Atom" if look.is_feed else ""

    async def start(self) -> AsyncIterator[Yield]:
        remembered = self.job.cursor.get("entries")
        self._known: dict[str, str] = dict(remembered) if isinstance(remembered, dict) else {}
        self._entries: dict[str, str] = {}
        self._oldest: datetime | None = None
        self._waiting = 0
        self._articles = 0
        self._listed = False
        self._pages = 0
        self._resume: int | None = self.job.cursor.get("resume")
        self._before = frozenset(self.job.cursor.get("before", self._known))
        self._goal = frozenset(self._known)
        url = self.job.cursor.get("feed") if self.job.cursor.get("for") == self.job.url else None
        whole = self._resume is None  # an unchanged feed says nothing of the older pages that are still to be read
        yield self.request(url or self.job.url, self.parse_first, conditional=whole, found=False)

    # --- the feed ---------------------------------------------------------------------------------------------

    def parse_first(self, response: Response, found: bool) -> Iterator[Yield]:
        """The feed, or a page that leads to it."""
        if response.status == 304:
            self.read(response)
            self.visit.cursor, self.visit.complete = dict(self.job.cursor), True
            return
        leads = self.parsed(response).links.feeds if not found else ()
        if leads:
            fetch = self.fetch(response)
            fetch.reason = f"a page that leads to the feed {leads[0]}"
            self.visit.answers.append(Answer.OK)
            yield self.request(leads[0], self.parse_first, conditional=self._resume is None, found=True)
            return
        self._feed = response.url
        self.visit.cursor = {"feed": response.url, "for": self.job.url} if found else {}
        if not found and self.job.cursor.get("for") == self.job.url:
            self.visit.cursor = {"feed": self.job.cursor.get("feed"), "for": self.job.url}
        yield from self._page(response, number=1)

    def parse_more(self, response: Response, number: int) -> Iterator[Yield]:
        """A further page of a feed that can be paged."""
        yield from self._page(response, number)

    def _page(self, response: Response, number: int) -> Iterator[Yield]:
        parsed = self.read(response, expect_items=number == 1)
        if parsed.state not in (Answer.OK, Answer.EMPTY):
            return
        self._pages += 1
        met = any(item.id in self._goal for item in parsed.items)
        yield from self._entries_of(parsed, response)
        following = self._following(number, met) if parsed.items else None
        if following is None:
            self._finish_list(met, len(parsed.items))
        elif self._pages < max(self.job.max_pages, 2):
            yield self.request(_page_url(self._feed, following), self.parse_more, gone=self._no_more, number=following)
        else:
            self._stop_early(following)

    def _following(self, number: int, met: bool) -> int | None:
        """The page to read next: older entries until known ones are met, then on where a visit was cut short."""
        if not self.options(FeedOptions).paged:
            return None
        if met and self._resume is not None:
            following, self._resume, self._goal = max(self._resume, number + 1), None, self._before
            return following
        return number + 1 if not met and self._wants_older() else None

    def _stop_early(self, page: int) -> None:
        """The cap was reached: what was read is remembered, and the page to go on from. No hole: it will be read."""
        self._listed = True
        if self.job.first_contact:
            self.visit.complete_from = self._oldest
        self.visit.behind = self.visit.keep_cursor = True
        self.visit.reason = "the limit of pages per visit was reached; the next visit goes on"
        self.visit.cursor |= {"resume": page, "before": sorted(self._before)}
        self._settle()

    def _no_more(self, url: str, status: int, number: int) -> None:
        """WordPress answers 404 behind the last page: everything there is was read."""
        self._finish_list(met=True, count=0)

    def _wants_older(self) -> bool:
        floor = self.job.backfill_from if self.job.watermark is None else self.job.watermark
        return self._oldest is None or self._oldest > floor

    def _entries_of(self, parsed: Parsed, response: Response) -> Iterator[Yield]:
        for entry in parsed.items:
            at = self.credible(entry.published.at)
            if at is not None:
                self._oldest = min(self._oldest, at) if self._oldest else at
            digest = _digest(entry)
            if self._known.get(entry.id) == digest:
                self._entries[entry.id] = digest
            elif not self._is_too_old(entry):
                yield from self._entry(entry, parsed, response, digest)

    def _is_too_old(self, entry: ParsedItem) -> bool:
        at = self.credible(entry.published.at)
        return self.job.watermark is None and at is not None and at < self.job.backfill_from

    def _finish_list(self, met: bool, count: int) -> None:
        """Note how far back the entries go: the start of what is known, or a hole since the last visit."""
        self._listed = True
        watermark = self.job.watermark
        if self.job.first_contact:
            self.visit.complete_from = self._oldest
        grew = bool(self._known) or count >= MANY
        if watermark and not met and grew and self._oldest and self._oldest > watermark:
            self.visit.holes.append((watermark, self._oldest, "the feed no longer reached back to the last visit"))
        self._settle()

    # --- entries ----------------------------------------------------------------------------------------------

    def _entry(self, entry: ParsedItem, parsed: Parsed, response: Response, digest: str) -> Iterator[Yield]:
        item = self._item(entry, parsed, response)
        wanted = entry.teaser and self.options(FeedOptions).full_text
        if not wanted or entry.url is None:
            self._entries[entry.id] = digest
            yield item
        elif self._articles >= self.job.max_pages:
            yield item  # not remembered as read: the next visit asks for the article
        else:
            self._articles += 1
            self._waiting += 1
            yield self._article(entry.url, item, entry, digest)

    def _article(self, url: str, item: Item, entry: ParsedItem, digest: str) -> Request:
        request = self.request(url, self.parse_article, item=item, entry=entry, digest=digest)
        return request.replace(errback=self._no_article)

    def parse_article(self, response: Response, item: Item, entry: ParsedItem, digest: str) -> Iterator[Yield]:
        """An article's page: its text replaces the feed's teaser, if it has one."""
        found = parse_article(self.page(response))
        fetch = self.fetch(response)
        fetch.items = len(found.items)
        fetch.sha256 = self.keep(response)
        self.visit.answers.append(Answer.OK)
        fetch.reason = found.reason
        self._done(entry, digest)
        yield _whole(item, found.items[0], found.lang, fetch.sha256) if found.items else item

    def _no_article(self, failure: Any) -> Iterable[Yield]:
        """What the feed says stands for an article that cannot be read; after a passing trouble it is tried again."""
        given = failure.request.cb_kwargs
        error = failure.value
        answer = error.answer if isinstance(error, NotRead) else Answer.ERROR
        self.visit.answers.append(answer)
        passing = answer in (Answer.ERROR, Answer.RATE_LIMITED) and getattr(error, "status", None) not in (404, 410)
        self._done(given["entry"], "" if passing else given["digest"])
        yield given["item"]

    def _done(self, entry: ParsedItem, digest: str) -> None:
        if digest:
            self._entries[entry.id] = digest
        self._waiting -= 1
        self._settle()

    def _item(self, entry: ParsedItem, parsed: Parsed, response: Response) -> Item:
        own = {"native_id": entry.id, "thread": entry.thread, "thread_title": entry.thread_title}
        origin = origin_of(entry.url or response.url)
        return self.item(entry, parsed, response, reading=Reading.FEED, origin=origin, **own)

    def shown_at(self, parsed_item: ParsedItem, response: Response) -> str | None:
        return without_fragment(parsed_item.url) if parsed_item.url else None

    def read_again(self, response: Response) -> Parsed:
        """The article by the id its entry has; of other entries' pages only that they are there."""
        (first, *others) = response.request.cb_kwargs["revisit"].items  # type: ignore[union-attr]
        found = parse_article(self.page(response))
        if others or first.kind is not Kind.ARTICLE or not found.items:
            return msgspec.structs.replace(found, items=found.items[:1])
        return msgspec.structs.replace(found, items=(msgspec.structs.replace(found.items[0], id=first.id),))

    def item_again(self, found: ParsedItem, parsed: Parsed, response: Response, *, first: bool) -> Item:
        before = response.request.cb_kwargs["revisit"].items[0]  # type: ignore[union-attr]
        same = {"native_id": before.native, "origin": before.origin, "url": before.url}
        return self.item(found, parsed, response, reading=Reading.FULL, **same)

    def _settle(self) -> None:
        kept = self._known if self.visit.behind else {}
        self.visit.cursor["entries"] = kept | self._entries
        self.visit.complete = self._listed and not self._waiting and not self.visit.behind


def _whole(item: Item, article: ParsedItem, lang: str | None, sha256: str | None) -> Item:
    """The feed's item with the article's text, and with its title, author and time where the feed has none."""
    return msgspec.structs.replace(
        item,
        reading=Reading.FULL,
        text=article.text,
        title=item.title or article.title,
        author=item.author or article.author,
        published=item.published if item.published.at else article.published,
        lang=lang or item.lang,
        raw_sha256=sha256 or item.raw_sha256,
    )


def _digest(entry: ParsedItem) -> str:
    return blake2b(f"{entry.title}\n{entry.text}".encode(), digest_size=6).hexdigest()


def _page_url(url: str, number: int) -> str:
    parts = urlsplit(canonical_url(url))
    query = [(key, value) for key, value in parse_qsl(parts.query) if key != "paged"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("paged", str(number))])))
