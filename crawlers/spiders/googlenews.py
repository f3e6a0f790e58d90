"""Spider for searches at Google News, by its feed: headlines, outlets and times; the article comes from elsewhere.

The links of the feed are opaque. They are never resolved: an article is found by outlet and title among what feeds and
other sources of ours brought, else the headline stays a search result with the opaque link.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

import msgspec
from pydantic import Field
from scrapy.http import Request

from crawlers.dates import parse_date
from crawlers.look import Look
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.ranking import RankedOptions, RankedSpider, Standing
from crawlers.results import MAX_RESULTS, ranked_items, words
from crawlers.select import absolute
from crawlers.text import Element, xml_of
from pipeline.duration import format_duration
from pipeline.identity import folded_letters, identify, origin_of, permalink_id, uid_of
from pipeline.item import RankedResult
from pipeline.words import Answer, Kind

ADDRESS = "https://news.google.com/rss/search"
MARK = "googlenews "
"""How native ids begin that name a headline, not an article."""


def parse(page: PageFile) -> Parsed:
    """The headlines of a search; never raises."""
    start = page.body[:5_000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    if b"<rss" not in start:
        if b"consent.google" in page.body[:60_000]:
            return Parsed(state=Answer.CHALLENGE, reason="Google asks for consent before it answers")
        return Parsed(state=Answer.ERROR, reason="this is no RSS feed of Google News")
    rows = list(_rows(page.body))
    items = tuple(_items(page, rows[:MAX_RESULTS]))
    if items:
        links = Links(items=tuple(item.url for item in items if item.url))
        return Parsed(state=Answer.OK, items=items, results=_ranked(items), links=links)
    if rows:
        return Parsed(state=Answer.LAYOUT_CHANGED, reason="no entry has a title and a link")
    return Parsed(state=Answer.EMPTY, reason="nothing found")


class GooglenewsOptions(RankedOptions):
    """Options of a search at Google News."""

    language: str = Field("de", pattern="^[a-z]{2}$", description="Language of the edition.")
    country: str = Field("DE", pattern="^[A-Z]{2}$", description="Country of the edition.")
    hours: int = Field(24, ge=1, le=720, description="Only headlines as young as this.")
    pages: int = Field(1, ge=1, le=1, description="The feed has one page.")


class GooglenewsSpider(RankedSpider):
    """Asks for one feed per query."""

    name = "googlenews"
    platform = "googlenews"
    interval = timedelta(minutes=15)
    Options = GooglenewsOptions
    description = "Headlines that Google News finds; their articles come from feeds of the outlets."
    example = """\
[sources.google]
spider = "googlenews"
url = "https://news.google.com/rss/search"
queries = ["acme"]
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        known = look.is_feed and b"<generator>nfe/" in look.start and b"google" in look.start
        return "the answer is a feed of Google News" if known else ""

    def ask(self, standing: Standing, callback: Any) -> Request:
        return self.request(search_url(self.job.url, standing.query, self.options(GooglenewsOptions)), callback)

    def resolved(self, parsed: Parsed) -> Parsed:
        """Headlines whose article is known get its address."""
        items = tuple(self._known(item) for item in parsed.items)
        return msgspec.structs.replace(parsed, items=items, results=_ranked(items))

    def over(self, item: ParsedItem) -> Mapping[str, Any]:
        return {"native_id": item.id, "origin": _place(item), "thread": None}

    def _known(self, item: ParsedItem) -> ParsedItem:
        url = self._articles(item.author_id or "").get(folded_letters(item.title)) if item.author_id else None
        return msgspec.structs.replace(item, url=url, id=identify([url], permalink=url) or item.id) if url else item

    def _articles(self, origin: str) -> Mapping[str, str]:
        """The articles of an outlet, looked up once per visit."""
        found: dict[str, Mapping[str, str]] = self.__dict__.setdefault("_found", {})
        if origin not in found:
            found[origin] = self.job.articles(origin)
        return found[origin]


def search_url(base: str, query: str, options: GooglenewsOptions) -> str:
    """Address of the feed of one query."""
    age = timedelta(hours=options.hours)
    asked = {
        "q": f"{query} when:{format_duration(age)}",
        "hl": options.language,
        "gl": options.country,
        "ceid": f"{options.country}:{options.language}",
    }
    return f"{(base or ADDRESS).partition('?')[0]}?{urlencode(asked)}"


def _rows(body: bytes) -> Iterator[Element]:
    """The entries, as far as the XML goes."""
    tree = xml_of(body)
    if tree is not None:
        yield from tree.iter("item")


def _items(page: PageFile, rows: list[Element]) -> Iterator[ParsedItem]:
    for position, row in enumerate(rows, start=1):
        link = absolute(page.url, _text(row, "link"))
        outlet, source = _text(row, "source"), row.find("source")
        place = absolute(page.url, source.get("url")) if source is not None else None
        title = words(_text(row, "title"))
        title = title.removesuffix(f" - {outlet}").strip() if outlet else title.rpartition(" - ")[0] or title
        if link is None or not title:
            continue
        yield ParsedItem(
            kind=Kind.RESULT,
            id=MARK + (_text(row, "guid") or permalink_id(link)).replace(" ", "_"),
            url=link,
            title=title,
            author=outlet or None,
            author_id=origin_of(place) if place else None,
            published=parse_date(_text(row, "pubDate") or None, page.now, page.zone),
            position=position,
        )


def _text(row: Element, name: str) -> str:
    return " ".join((row.findtext(name) or "").split())


def _place(item: ParsedItem) -> str:
    """Where the article stands: at its outlet, even while its address is unknown."""
    return item.author_id or origin_of(item.url or ADDRESS)


def _ranked(items: tuple[ParsedItem, ...]) -> tuple[RankedResult, ...]:
    """The rows of the list; a headline without an address is a mention of its own."""
    pairs = zip(ranked_items(items, "googlenews"), items, strict=True)
    return tuple(msgspec.structs.replace(row, uid=uid_of(_place(item), item.id)) for row, item in pairs)
