"""Spider for the streams of a Mastodon server: posts with a hashtag as they are written, after what was missed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote, urlencode, urlsplit

from pydantic import Field
from scrapy.http import Request, TextResponse

from crawlers.api import ApiOptions
from crawlers.fetches import Fetch, NotRead
from crawlers.look import Look
from crawlers.newest import digest_of
from crawlers.parsing import ParsedItem
from crawlers.spider import Yield
from crawlers.spiders.mastodon import MastodonSpider
from crawlers.stream import Pulse, Wire, opened
from pipeline.configuration import Duration
from pipeline.item import Item
from pipeline.words import Answer, Reading

SLACK = timedelta(seconds=5)
_STREAMED = 2_000


class MastodonstreamOptions(ApiOptions):
    """What is listened to. ``key_file`` holds a token, which most servers want for streams."""

    tags: tuple[str, ...] = Field((), max_length=8, description="Hashtags without #; each is a connection of its own.")
    public: Literal["", "all", "local"] = Field("", description="Also the public timeline of the server.")
    streaming: str = Field("", description="Address of the streams where it is another than the server's own.")
    stay: Duration = Field(timedelta(seconds=60), description="How long one visit listens; the next follows at once.")


class MastodonstreamSpider(MastodonSpider):
    """Streams have no cursor: they are opened first, then what came since the last visit is read from the timelines."""

    name = "mastodonstream"
    interval = timedelta(seconds=30)
    Options = MastodonstreamOptions
    description = "Hashtags of a Mastodon server within seconds; most servers want a token for it."
    example = """\
[sources.mastodon-live]
spider = "mastodonstream"
url = "https://social.example.org"
key_file = "secrets/mastodon_token"
tags = ["acme"]
"""

    @classmethod
    def recognises(cls, look: Look) -> str:
        return ""  # single posts are read by the spider of its timelines, too

    def lists(self) -> Mapping[str, str]:
        options = self.options(MastodonstreamOptions)
        firsts = {f"tag:{tag}": self._url(f"v1/timelines/tag/{_path(tag)}") for tag in options.tags}
        if options.public:
            local = {"local": "true"} if options.public == "local" else {}
            firsts["public"] = self._url("v1/timelines/public", **local)
        return {name: self._since(name, url) for name, url in firsts.items()}

    async def start(self) -> AsyncIterator[Yield]:
        if self.kit is None:
            raise TypeError("a stream needs its kit: run 'sturmwarte crawl'")
        self._numbers = {}
        self._streamed: dict[str, dict[str, str]] = {}
        self._alive: datetime | None = None
        options = self.options(MastodonstreamOptions)
        deadline = asyncio.get_running_loop().time() + options.stay.total_seconds()
        try:
            async with opened(self.kit, self._wires(), str(self.settings.get("USER_AGENT"))) as stream:
                self._alive = self.job.now()
                for request in self._begin():
                    yield request
                while (pulse := await stream.next(deadline)) is not None:
                    self._alive = self.job.now()
                    for item in self._take(pulse):
                        yield item
        except NotRead as error:
            self._broke(error)

    def settle(self) -> None:
        """What was streamed is known from now on; up to the last sign of life nothing was missed."""
        super().settle()
        lists = self.visit.cursor.get("lists", {})
        for name, told in getattr(self, "_streamed", {}).items():
            kept = lists.setdefault(name, {}).setdefault("known", {})
            newest = dict(sorted(told.items(), key=lambda pair: int(pair[0].removeprefix("p")), reverse=True))
            lists[name]["known"] = newest | {key: value for key, value in kept.items() if key not in newest}
        alive: datetime | None = getattr(self, "_alive", None)
        if alive is not None and not self.visit.behind:
            self.visit.reached = alive - SLACK

    def _wires(self) -> list[Wire]:
        options = self.options(MastodonstreamOptions)
        found = [self._wire(f"tag:{tag}", "hashtag", tag=tag.lstrip("#")) for tag in options.tags]
        if options.public:
            found.append(self._wire("public", "public" if options.public == "all" else "public/local"))
        return found

    def _wire(self, name: str, what: str, **query: str) -> Wire:
        base = self.options(MastodonstreamOptions).streaming or self.job.url
        parts = urlsplit(base)
        scheme = {"wss": "https", "ws": "http"}.get(parts.scheme, parts.scheme)
        asked = f"?{urlencode(query)}" if query else ""
        return Wire(name, f"{scheme}://{parts.netloc}/api/v1/streaming/{what}{asked}", headers=dict(self.headers()))

    def _broke(self, error: NotRead) -> None:
        """Refused: nothing is lost yet, but nobody listens. Broken off: the next visit reads what was missed."""
        if self._alive is None or error.answer is not Answer.ERROR:
            self.lose(self.job.url, error.answer, str(error))
        else:
            self.visit.notice = str(error)

    def _take(self, pulse: Pulse) -> Iterator[Item]:
        if pulse.alive or pulse.kind not in ("update", "status.update", "delete", ""):
            return
        if pulse.kind == "delete":
            return  # the number alone tells neither server nor account; timelines are looked at again for that
        fetch = Fetch(self.job.url, self.job.now(), Answer.OK)
        request = Request(self.job.url, meta={"fetch": fetch}, dont_filter=True)
        response = TextResponse(self.job.url, body=pulse.data, request=request)
        parsed = type(self).parser(self.page(response))
        told = self._streamed.setdefault(pulse.wire, {})
        for found in parsed.items:
            if self._is_new(found, pulse.wire) and len(told) < _STREAMED:
                fetch.sha256 = fetch.sha256 or self.keep(response)
                told[found.id] = digest_of(found)
                yield self.item(found, parsed, response, reading=Reading.FULL, **self.over(found, response))

    def _is_new(self, found: ParsedItem, wire: str) -> bool:
        reel, digest = self._reels[wire], digest_of(found)
        number = found.id.removeprefix("p")
        known = (self._streamed[wire].get(found.id), reel.read.get(found.id), reel.known.get(found.id))
        return number.isdigit() and digest not in known


def _path(tag: str) -> str:
    return quote(tag.lstrip("#"), safe="")
