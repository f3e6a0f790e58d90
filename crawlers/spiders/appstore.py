"""Spider for the reviews of an app in Apple's App Store: the public feed, JSON or XML, of one or several countries."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from scrapy.http import Response

from crawlers.look import Look
from crawlers.newest import NewestFirst, Reel
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.payload import (
    amount,
    at,
    judged_reviews,
    number,
    prose,
    rows_at,
    stars,
    strange,
    told,
    unique,
    value_of,
    when,
    word,
)
from crawlers.spider import Yield
from crawlers.text import fragment_text, xml_of
from pipeline.words import Answer, Channel, Kind

LAST_PAGE = 10
ORIGIN = "itunes.apple.com"
_PAGE = re.compile(r"(?<=/page=)\d{1,3}(?=/)")
_APP = re.compile(r"/id=?(\d{1,15})(?=/|$|\?)")
_COUNTRY = re.compile(r"(?<=/)[a-z]{2}(?=/(?:rss|app)/)")
_ATOM = "{http://www.w3.org/2005/Atom}"
_ITUNES = "{http://itunes.apple.com/rss}"


def parse(page: PageFile) -> Parsed:
    """The reviews of one page of the feed, or why there are none. Never raises."""
    start = page.body[:5_000].lstrip(b"\xef\xbb\xbf \t\r\n")
    if not start:
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    entries = _json_entries(page) if start[:1] in (b"{", b"[") else _xml_entries(page)
    if entries is None:
        return strange("no feed of the App Store")
    reviews = [entry for entry in entries if "im:rating" in entry]  # the first may be the app itself
    items = [item for entry in reviews for item in _item(page, entry)]
    return judged_reviews(
        unique(items), following=_next(page.url) if items else None, total=len(reviews), needs=("author", "text")
    )


def _json_entries(page: PageFile) -> Sequence[Mapping[str, Any]] | None:
    value = value_of(page)
    if value is None or not isinstance(at(value, "feed"), dict):
        return None
    return rows_at(value, "feed", "entry")


def _xml_entries(page: PageFile) -> Sequence[Mapping[str, Any]] | None:
    """Entries of the XML form in the shape of the JSON one."""
    root = xml_of(page.body[:5_000_000])
    if root is None or root.tag != f"{_ATOM}feed":
        return None
    return [_plain(entry) for entry in root.iterfind(f"{_ATOM}entry")]


def _plain(entry: Any) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for node in entry:
        if not isinstance(node.tag, str):
            continue
        name = node.tag.replace(_ATOM, "").replace(_ITUNES, "im:")
        text = node.text or ""
        if name == "author":
            parts = {str(part.tag).replace(_ATOM, ""): {"label": part.text or ""} for part in node}
            found["author"] = parts
        elif name != "content" or node.get("type", "text") == "text":
            found[name] = {"label": text}
        else:
            found.setdefault("content", {"label": fragment_text(text)})
    return found


def _item(page: PageFile, entry: Mapping[str, Any]) -> Iterator[ParsedItem]:
    name = word(entry, "id", "label")
    if not name:
        return
    account = word(entry, "author", "uri", "label")
    item = ParsedItem(
        kind=Kind.REVIEW,
        id=f"review {name.rsplit('/', 1)[-1].removeprefix('id=')}",
        url=_app_page(page.url),
        author=word(entry, "author", "name", "label") or None,
        author_id=account.rsplit("/", 1)[-1] or None,
        title=word(entry, "title", "label"),
        text=prose(entry, "content", "label"),
        published=when(page, entry, "updated", "label"),
        votes=number(entry, "im:voteCount", "label"),
    )
    yield told(item, stars(amount(entry, "im:rating", "label")))


def _app_page(url: str) -> str | None:
    app, country = _APP.search(url), _COUNTRY.search(url)
    return f"https://apps.apple.com/{country[0] if country else 'us'}/app/id{app[1]}" if app else None


def _next(url: str) -> str | None:
    here = _PAGE.search(url)
    if here is None or int(here[0]) >= LAST_PAGE:
        return None
    return _PAGE.sub(str(int(here[0]) + 1), url, count=1)


class AppstoreOptions(BaseModel):
    """Options of an app's reviews."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    countries: tuple[str, ...] = Field(
        (), description="Stores that are read, such as de, at, ch; empty: that of the address."
    )


class AppstoreSpider(NewestFirst):
    """Reads an app's newest 500 reviews per country. Apple now and then answers without any: that says nothing."""

    name = "appstore"
    platform = "appstore"
    channel = Channel.REVIEW
    interval = timedelta(hours=1)
    Options = AppstoreOptions
    description = "Reviews of an app in Apple's App Store, by the public feed; the app's page is address enough."
    example = """\
[sources.app]
spider = "appstore"
url = "https://apps.apple.com/de/app/id324684580"
about = "acme"
countries = ["de", "at", "ch"]
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        if look.json is not None:
            first = at(look.json, "feed", "entry", 0)
            known = "itunes" in word(look.json, "feed", "author", "uri", "label") or "im:rating" in (first or ())
            return "the answer is the review feed of an app" if known else ""
        known = look.is_feed and b"itunes.apple.com/rss" in look.start and b"customerreviews" in look.start
        return "the answer is the review feed of an app" if known else ""

    def lists(self) -> Mapping[str, str]:
        url = _feed(self.job.url)
        countries = self.options(AppstoreOptions).countries
        return {code: _COUNTRY.sub(code, url, count=1) for code in countries} or {"": url}

    def parse_page(self, response: Response, reel: Reel) -> Iterator[Yield]:
        yield from super().parse_page(response, reel)
        if len(reel.pages) == 1 and not reel.read and not self.lost:
            self.lose(response.url, Answer.EMPTY, "Apple answered without any review, which it does at times")
            self._open.add(reel.name)
            self._settle()

    def expects_items(self, reel: Reel) -> bool:
        return len(reel.pages) == 1

    def over(self, item: ParsedItem, response: Response) -> Mapping[str, Any]:
        return {**super().over(item, response), "origin": ORIGIN}


def _feed(url: str) -> str:
    """The feed's first page; an app's page leads to it."""
    app, country = _APP.search(url), _COUNTRY.search(url)
    if "/customerreviews/" in url or app is None:
        return url
    code = country[0] if country else "us"
    return f"https://itunes.apple.com/{code}/rss/customerreviews/page=1/id={app[1]}/sortBy=mostRecent/json"
