"""Spider for YouTube's Data API: comments under films and channels, and now and then a search for films."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from pydantic import Field
from scrapy.http import Response

from crawlers.api import ApiOptions
from crawlers.look import Look
from crawlers.network import NetworkSpider
from crawlers.newest import Reel
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.spider import Yield
from crawlers.youtube_comments import parse_comments
from pipeline.configuration import Duration
from pipeline.words import Channel

SEARCH_COSTS = 100
WATCHED = 25
"""Films found by searches whose comments are read, the latest found first."""


def parse(page: PageFile) -> Parsed:
    """The comments or films of one answer."""
    return parse_comments(page)


class YoutubeOptions(ApiOptions):
    """What is read. ``key_file`` holds the key of the Data API."""

    videos: tuple[str, ...] = Field((), description="Ids of films whose comments are read.")
    channels: tuple[str, ...] = Field((), description="Ids of channels (UC…): comments under all their films.")
    queries: tuple[str, ...] = Field((), description="Searches for films; each costs 100 units of the quota.")
    search_every: Duration = Field(timedelta(hours=12), description="Time between two searches.")


class YoutubeSpider(NetworkSpider):
    """Comments newest first. An answer to an old comment that is no longer on the first page goes unseen."""

    name = "youtube"
    platform = "youtube"
    channel = Channel.SOCIAL
    interval = timedelta(minutes=15)
    Options = YoutubeOptions
    description = "Comments under films and channels of YouTube, with a key of the Data API (10,000 units a day)."
    example = """\
[sources.youtube]
spider = "youtube"
url = "https://www.googleapis.com/youtube/v3"
key_file = "secrets/youtube_key"
channels = ["UC0123456789abcdefghijkl"]
"""
    parser: ClassVar[Any] = staticmethod(parse)
    key_name = "STURMWARTE_YOUTUBE_KEY"
    quota = 10_000
    quota_zone = "America/Los_Angeles"

    @classmethod
    def recognises(cls, look: Look) -> str:
        answer = look.json
        kind = answer.get("kind") if isinstance(answer, dict) else None
        return "the answer is one of YouTube's Data API" if isinstance(kind, str) and kind[:8] == "youtube#" else ""

    def headers(self) -> Mapping[str, str]:
        return {"X-Goog-Api-Key": self.key()}  # in the address it would stand in logs

    def cost(self, url: str) -> int:
        return SEARCH_COSTS if urlsplit(url).path.endswith("/search") else 1

    def lists(self) -> Mapping[str, str]:
        options = self.options(YoutubeOptions)
        films = dict.fromkeys((*options.videos, *self._found()))
        lists = {f"video:{film}": self._threads(videoId=film) for film in films}
        lists |= {f"channel:{name}": self._threads(allThreadsRelatedToChannelId=name) for name in options.channels}
        self._searched = self._last_search()
        if options.queries and self._search_is_due():
            lists |= {f"search:{query}": self._search(query) for query in options.queries}
            self._searched = self.job.started.isoformat()
        return lists

    def expects_items(self, reel: Reel) -> bool:
        return False  # a film may have no comment yet

    def reads_on(self, reel: Reel, parsed: Parsed, met: bool) -> bool:
        return not reel.name.startswith("search:") and super().reads_on(reel, parsed, met)

    def _page(self, url: str, reel: Reel) -> Iterator[Yield]:
        """A film without comments, or one that is gone, counts as read from the first page on."""
        for request in super()._page(url, reel):
            if hasattr(request, "meta") and reel.name.startswith("video:"):
                request.meta["gone"] = self._gone
            yield request

    def parse_page(self, response: Response, reel: Reel) -> Iterator[Yield]:
        if reel.name.startswith("search:"):
            films = [item.id.removeprefix("v") for item in self.parsed(response).items if item.id.startswith("v")]
            self._films = list(dict.fromkeys([*films, *self._found()]))[:WATCHED]
        yield from super().parse_page(response, reel)

    def over(self, item: ParsedItem, response: Response) -> Mapping[str, Any]:
        return dict(super().over(item, response)) | {"parent": _beside(item.parent), "thread": _beside(item.thread)}

    def _settle(self) -> None:
        super()._settle()
        searched = {name: kept for name, kept in self._kept_searches() if name not in self._reels}
        self.visit.cursor["lists"] |= searched
        self.visit.cursor |= {"films": getattr(self, "_films", self._found()), "searched": self._searched}

    def _kept_searches(self) -> list[tuple[str, Any]]:
        """What searches remember that were not due this time."""
        lists = self.job.cursor.get("lists")
        return [pair for pair in lists.items() if pair[0].startswith("search:")] if isinstance(lists, dict) else []

    def _found(self) -> list[str]:
        films = self.job.cursor.get("films")
        return [film for film in films if isinstance(film, str)] if isinstance(films, list) else []

    def _last_search(self) -> str:
        return str(self.job.cursor.get("searched") or "")

    def _search_is_due(self) -> bool:
        every = self.options(YoutubeOptions).search_every
        last = self._last_search()
        return not last or datetime.fromisoformat(last) + every <= self.job.started

    def _threads(self, **whose: str) -> str:
        return self._url("commentThreads", part="snippet,replies", order="time", textFormat="plainText", **whose)

    def _search(self, query: str) -> str:
        return self._url("search", part="snippet", type="video", order="date", q=query)

    def _url(self, what: str, **query: str) -> str:
        asked = query | {"maxResults": "50" if what == "search" else "100"}
        return f"{self.job.url.rstrip('/')}/{what}?{urlencode(asked)}"


def _beside(name: str | None) -> str | None:
    return f"/ {name}" if name else None
