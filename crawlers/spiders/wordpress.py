"""Spider for WordPress by its REST interface: articles and all comments, those under old articles, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from pydantic import BaseModel, ConfigDict, Field
from scrapy.http import Request, Response

from crawlers.look import Look
from crawlers.newest import NewestFirst, Reel
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.spider import Yield
from crawlers.wordpress_pages import looks_like, looks_like_json, parse_page
from pipeline.words import Answer, Channel

PER_PAGE = 50


def parse(page: PageFile) -> Parsed:
    """Articles and comments of one answer of the interface, or of an article's page."""
    return parse_page(page)


class WordpressOptions(BaseModel):
    """Options of a WordPress."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    posts: bool = Field(True, description="Read the articles.")
    comments: bool = Field(True, description="Read the comments.")
    search: str = Field("", description="Only articles and comments that hold these words.")


class WordpressSpider(NewestFirst):
    """Reads ``wp-json/wp/v2``: two requests show what is new. Where it is switched off, the feed spider reads on."""

    name = "wordpress"
    platform = "wordpress"
    channel = Channel.BLOG
    interval = timedelta(minutes=10)
    Options = WordpressOptions
    description = "A WordPress whose REST interface is open: its articles and all comments."
    example = """\
[sources.blog]
spider = "wordpress"
url = "https://blog.example.org/"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        if look.json is not None:
            return "the answer is WordPress's" if looks_like_json(look.json) else ""
        return "WordPress, with comments" if look.tree is not None and looks_like(look.tree) else ""

    def lists(self) -> Mapping[str, str]:
        options = self.options(WordpressOptions)
        wanted = {"posts": options.posts, "comments": options.comments}
        return {name: self._address(name, pretty=True) for name, read in wanted.items() if read}

    def _address(self, name: str, *, pretty: bool) -> str:
        """Of the first page of a list; ``?rest_route=`` where a blog has no permalinks."""
        options = self.options(WordpressOptions)
        route = f"/wp/v2/{name}"
        embedded = "author" if name == "posts" else "up,in-reply-to"
        asked = {"per_page": PER_PAGE, "orderby": "date", "order": "desc", "_embed": embedded}
        asked |= {"search": options.search} if options.search else {}
        place = _place(self.job.url)
        if pretty:
            return f"{place}wp-json{route}?{urlencode(asked)}"
        return f"{place}?{urlencode({'rest_route': route, **asked})}"

    def ask(self, url: str, callback: Any, **given: Any) -> Request:
        first = given.get("gone") is None
        return super().ask(url, callback, **given | ({"gone": self._closed} if first else {}))

    def _closed(self, url: str, status: int, reel: Reel) -> Iterator[Yield]:
        """No list at its address: perhaps at the other one; else the interface is switched off."""
        other = self._address(reel.name, pretty=False)
        if other not in reel.pages and status == 404:
            self._pages += 1
            reel.pages.add(other)
            yield self.ask(other, self.parse_page, reel=reel)
            return
        reason = f"the REST interface is switched off or closed (status {status}): let the spider 'feed' read this blog"
        self.lose(url, Answer.GATED, reason)

    def expects_items(self, reel: Reel) -> bool:
        """A blog may well have no comments, and a search no hits."""
        options = self.options(WordpressOptions)
        return reel.name == "posts" and not options.search

    def over(self, item: ParsedItem, response: Response) -> Mapping[str, Any]:
        return {"native_id": item.id, "parent": item.parent, "thread": item.thread, "thread_title": item.thread_title}


def _place(url: str) -> str:
    """Address of the blog that an address of it or of its interface belongs to."""
    parts = urlsplit(url)
    path = parts.path.partition("/wp-json")[0].removesuffix("/index.php").rstrip("/")
    return f"{parts.scheme}://{parts.netloc}{path}/"
