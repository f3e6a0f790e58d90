"""Spider for Mastodon and what speaks its interface: hashtags, accounts, public timelines and search of one server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import quote, urlencode, urlsplit

from pydantic import BaseModel, Field
from scrapy.http import Request, Response

from crawlers.api import ApiOptions
from crawlers.look import Look
from crawlers.mastodon_statuses import parse_statuses
from crawlers.network import NetworkSpider
from crawlers.newest import Reel
from crawlers.parsing import PageFile, Parsed
from crawlers.payload import json_answer, text_at
from crawlers.spider import Yield
from pipeline.words import Answer, Channel

PER_PAGE = 40
OVERLAP = 20
"""So many of the newest known posts are asked for again, to notice that they were edited."""


def parse(page: PageFile) -> Parsed:
    """The posts of one answer."""
    return parse_statuses(page)


class MastodonOptions(ApiOptions):
    """What is read at one server."""

    tags: tuple[str, ...] = Field((), description="Hashtags without #.")
    accounts: tuple[str, ...] = Field((), description="Accounts whose posts are read, such as name@example.social.")
    queries: tuple[str, ...] = Field(
        (), description="Searches in the text of posts; needs a token, finds only posts whose authors allow it."
    )
    public: Literal["", "all", "local"] = Field("", description="Also the public timeline of the server.")


class MastodonSpider(NetworkSpider):
    """One list per hashtag, account and search."""

    name = "mastodon"
    platform = "mastodon"
    channel = Channel.SOCIAL
    interval = timedelta(minutes=5)
    Options: ClassVar[type[BaseModel]] = MastodonOptions
    description = "Hashtags, accounts, public timelines and searches of a Mastodon server."
    example = """\
[sources.mastodon]
spider = "mastodon"
url = "https://social.example.org"
tags = ["acme", "acmestörung"]
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        answer = look.json
        rows = answer.get("statuses") if isinstance(answer, dict) else answer
        if not isinstance(rows, list) or not rows or not isinstance(rows[0], dict):
            return ""
        known = {"account", "content", "visibility", "uri"} <= rows[0].keys()
        return "the answer lists posts of Mastodon" if known else ""

    def headers(self) -> Mapping[str, str]:
        token = self.key()
        return {"Authorization": f"Bearer {token}"} if token else {}

    def lists(self) -> Mapping[str, str]:
        options = self.options(MastodonOptions)
        firsts = {
            f"tag:{tag}": self._url(f"v1/timelines/tag/{quote(tag.lstrip('#'), safe='')}") for tag in options.tags
        }
        if options.public:
            local = {"local": "true"} if options.public == "local" else {}
            firsts["public"] = self._url("v1/timelines/public", **local)
        for query in options.queries:
            firsts[f"search:{query}"] = self._url("v2/search", q=query, type="statuses")
        for account, number in self._numbers.items():
            firsts[f"account:{account}"] = self._url(f"v1/accounts/{number}/statuses", exclude_reblogs="true")
        return {name: self._since(name, url) for name, url in firsts.items()}

    def expects_items(self, reel: Reel) -> bool:
        return False  # a hashtag may rest, and only what is new is asked for

    def _url(self, path: str, **query: str) -> str:
        parts = urlsplit(self.job.url)
        return f"{parts.scheme}://{parts.netloc}/api/{path}?{urlencode(query | {'limit': str(PER_PAGE)})}"

    def _since(self, name: str, url: str) -> str:
        known = list(self._remembered(name).get("known", {}))
        if name.startswith("search:") or not known:
            return url
        return f"{url}&since_id={known[min(OVERLAP, len(known) - 1)].removeprefix('p')}"

    # --- accounts are looked up by their name first -------------------------------------------------------------

    async def start(self) -> AsyncIterator[Yield]:
        options = self.options(MastodonOptions)
        if options.queries and not self.key():
            reason = "searching needs a token: set key_file, or an environment variable and key_env"
            self.lose(self.job.url, Answer.GATED, reason)
        known = self.job.cursor.get("accounts")
        self._numbers: dict[str, str] = dict(known) if isinstance(known, dict) else {}
        self._numbers = {name: number for name, number in self._numbers.items() if name in options.accounts}
        unknown = [name for name in options.accounts if name not in self._numbers]
        if unknown:
            yield self._look_up(unknown)
            return
        async for request in super().start():
            yield request

    def _look_up(self, names: list[str]) -> Request:
        url = self._url("v1/accounts/lookup", acct=names[0].removeprefix("@"))
        return self.ask(url, self.looked_up, names=names, gone=self._no_account)

    def looked_up(self, response: Response, names: list[str]) -> Iterator[Yield]:
        """The number of one account; then the next, then the lists."""
        answer, _ = json_answer(self.page(response), "Mastodon")
        number = text_at(answer, "id")
        if number.isalnum():
            self._numbers[names[0]] = number
        else:
            self.lose(response.url, Answer.LAYOUT_CHANGED, f"the server does not tell the number of {names[0]}")
        yield from self._looked_on(names[1:])

    def _no_account(self, url: str, status: int, names: list[str]) -> Iterator[Yield]:
        self.lose(url, Answer.ERROR, f"the server knows no account {names[0]} (status {status})")
        yield from self._looked_on(names[1:])

    def _looked_on(self, names: list[str]) -> Iterator[Yield]:
        yield from [self._look_up(names)] if names else self._begin()

    def _settle(self) -> None:
        super()._settle()
        if self._numbers:
            self.visit.cursor["accounts"] = self._numbers
