"""Spider for Bluesky's interface: searches and accounts, newest first, with the answers they got."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit

from pydantic import Field

from crawlers.api import ApiOptions
from crawlers.bluesky_posts import parse_posts
from crawlers.look import Look
from crawlers.network import NetworkSpider
from crawlers.newest import Reel
from crawlers.parsing import PageFile, Parsed, ThreadRow
from crawlers.tokens import SignIn
from pipeline.words import Channel

SESSION = timedelta(minutes=90)
"""How long a session is used; servers end it after two hours."""
_VIEWS = ("posts", "feed", "thread")


def parse(page: PageFile) -> Parsed:
    """The posts of one answer."""
    return parse_posts(page)


class BlueskyOptions(ApiOptions):
    """What is searched for, and with which account."""

    queries: tuple[str, ...] = Field((), description="Searches, such as acme or #acmestörung.")
    accounts: tuple[str, ...] = Field((), description="Accounts whose posts are read: name.bsky.social or did:plc:….")
    account: str = Field("", description="Your own account; its app password stands in key_file or the environment.")
    replies: bool = Field(True, description="Also read what was answered to what is found.")


class BlueskySpider(NetworkSpider):
    """Search needs a login at the account's own server; only a network of one's own answers everybody."""

    name = "bluesky"
    platform = "bluesky"
    channel = Channel.SOCIAL
    interval = timedelta(minutes=5)
    Options = BlueskyOptions
    description = "Searches and accounts of Bluesky, through an account's server. For seconds instead: jetstream."
    example = """\
[sources.bluesky]
spider = "bluesky"
url = "https://bsky.social"
account = "acme.example.org"
key_file = "secrets/bluesky_app_password"
queries = ["acme"]
"""
    parser: ClassVar[Any] = staticmethod(parse)
    password_name = "STURMWARTE_BLUESKY_PASSWORD"

    @classmethod
    def recognises(cls, look: Look) -> str:
        answer = look.json
        if not isinstance(answer, dict):
            return ""
        known = b"at://did:" in look.page.body[:20_000] and any(name in answer for name in _VIEWS)
        refused = answer.get("error") == "AuthMissing" and isinstance(answer.get("message"), str)
        return "the answer has posts of Bluesky" if known else "the answer refuses as Bluesky does" if refused else ""

    def key(self) -> str:
        options = self.options(BlueskyOptions)
        return self.secret(options.key_file, options.key_env or self.password_name)

    def sign_in(self) -> SignIn | None:
        options = self.options(BlueskyOptions)
        secret = self.key() if options.account else ""
        if not secret:
            return None
        return SignIn(
            url=self._url("com.atproto.server.createSession"),
            account=options.account,
            headers={"Content-Type": "application/json"},
            body=json.dumps({"identifier": options.account, "password": secret}),
            field="accessJwt",
            lasts=SESSION,
        )

    def lists(self) -> Mapping[str, str]:
        options = self.options(BlueskyOptions)
        searched = {f"search:{query}": self._search(query) for query in options.queries}
        asked = {"filter": "posts_with_replies", "limit": "100"}
        return searched | {
            f"account:{name}": self._url("app.bsky.feed.getAuthorFeed", actor=name.removeprefix("@"), **asked)
            for name in options.accounts
        }

    def expects_items(self, reel: Reel) -> bool:
        return False  # a search may find nothing

    def follows(self, row: ThreadRow) -> bool:
        return self.options(BlueskyOptions).replies

    def _search(self, query: str) -> str:
        return self._url("app.bsky.feed.searchPosts", q=query, sort="latest", limit="100")

    def _url(self, name: str, **query: str) -> str:
        parts = urlsplit(self.job.url)
        return f"{parts.scheme}://{parts.netloc}/xrpc/{name}" + (f"?{urlencode(query)}" if query else "")
