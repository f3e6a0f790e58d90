"""Spider for Discourse: its newest posts, those of some categories, of one topic or of one search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field
from scrapy.http import Response

from crawlers.discourse_pages import looks_like, looks_like_json, parse_page, place_of, topic_of
from crawlers.look import Look
from crawlers.newest import NewestFirst, Reel
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.select import parameter
from crawlers.spider import Yield
from pipeline.item import Item
from pipeline.words import Channel, Reading

LAST = 9_999_999
"""Number of a post behind the last one: Discourse answers with the end of the topic."""


def parse(page: PageFile) -> Parsed:
    """Posts, topics and links of one answer or page of a Discourse forum."""
    return parse_page(page)


class DiscourseOptions(BaseModel):
    """Options of a Discourse forum."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    categories: tuple[int, ...] = Field((), description="Only posts in these categories, by their numbers.")
    topics: bool = Field(
        False, description="Also read each topic with a new post: its views, its accepted answer, who is staff."
    )


class DiscourseSpider(NewestFirst):
    """Reads ``/posts.json``, where one request shows every new post of the whole forum.

    The address of a category leaves its posts only, that of a topic or a search reads just that.
    """

    name = "discourse"
    platform = "discourse"
    channel = Channel.FORUM
    interval = timedelta(minutes=5)
    Options = DiscourseOptions
    description = "A Discourse forum: all of it, a category, a topic or a search; no login needed."
    example = """\
[sources.forum]
spider = "discourse"
url = "https://forum.example.org/"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        if look.json is not None:
            return "the answer is Discourse's" if looks_like_json(look.json) else ""
        return "the markup is Discourse's" if look.tree is not None and looks_like(look.tree) else ""

    def lists(self) -> Mapping[str, str]:
        place, path = place_of(self.job.url), urlsplit(self.job.url).path
        topic, _ = topic_of(self.job.url)
        words = parameter(self.job.url, "q")
        if topic is not None:
            return {"": f"{place}t/{topic}/{LAST}.json"}
        if words and "/search" in path:
            sorted_ = words if "order:" in words else f"{words} order:latest"
            return {"": f"{place}search.json?q={quote(sorted_)}"}
        wanted = self._categories(path)
        return {"": f"{place}posts.json" + (f"?category={','.join(wanted)}" if wanted else "")}

    def _categories(self, path: str) -> list[str]:
        """Numbers of the categories that are read; none for all."""
        options = self.options(DiscourseOptions)
        named = path.partition("/c/")[2].removesuffix(".json").split("/") if "/c/" in path else []
        numbers = [part for part in named if part.isascii() and part.isdigit()]
        return [*numbers[-1:], *(str(one) for one in options.categories)]

    def expects_items(self, reel: Reel) -> bool:
        """A window of ``/posts.json`` may hold nothing that we may see, and a search may have no hits."""
        return topic_of(self.job.url)[0] is not None

    def over(self, item: ParsedItem, response: Response) -> Mapping[str, Any]:
        given: dict[str, Any] = {"opens_thread": item.position == 1}
        return given | ({"thread_title": item.thread_title} if item.thread_title else {})

    def item(
        self, parsed_item: ParsedItem, parsed: Parsed, response: Response, *, reading: Reading, **over: Any
    ) -> Item:
        """What a search shows is the beginning of a post only."""
        shown = Reading.SNIPPET if parsed_item.teaser else reading
        return super().item(parsed_item, parsed, response, reading=shown, **over)

    def _new(self, item: ParsedItem, parsed: Parsed, response: Response, reel: Reel) -> Iterator[Yield]:  # type: ignore[override]
        for found in super()._new(item, parsed, response, reel):
            yield from self._whole_topic(item, response)
            yield found

    def _whole_topic(self, item: ParsedItem, response: Response) -> Iterator[Yield]:
        """The topic that a new post is in, once a visit, where the options ask for it."""
        options = self.options(DiscourseOptions)
        key = f"topic {item.thread}"
        if not options.topics or item.thread is None or key in self._asked or topic_of(self.job.url)[0] is not None:
            return
        if self._pages >= self.job.max_pages:
            self.visit.behind = self.visit.keep_cursor = True
            self.visit.reason = "the limit of pages per visit was reached; the next visit goes on"
            return
        self._pages += 1
        self._asked.add(key)
        self._open.add(key)
        url = f"{place_of(response.url)}t/{item.thread.removeprefix('t')}.json"
        yield self.request(url, self.parse_topic, gone=self._no_topic, key=key)

    async def start(self) -> Any:
        self._asked: set[str] = set()
        async for given in super().start():
            yield given

    def parse_topic(self, response: Response, key: str) -> Iterator[Yield]:
        """A topic as a whole: what ``/posts.json`` does not tell of its posts."""
        parsed = self.read(response)
        for item in parsed.items:
            yield self.item(item, parsed, response, reading=Reading.FULL, **self.over(item, response))
        self._no_topic(response.url, response.status, key)

    def _no_topic(self, url: str, status: int, key: str) -> None:
        self._open.discard(key)
        self._settle()
