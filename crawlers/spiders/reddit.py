"""Spider for Reddit's interface with an app of the operator's own: places, their comments, and searches."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlencode, urlsplit

from pydantic import Field

from crawlers.api import ApiOptions
from crawlers.look import Look
from crawlers.network import NetworkSpider
from crawlers.newest import Reel
from crawlers.parsing import PageFile, Parsed, ParsedItem, ThreadRow
from crawlers.reddit_things import parse_things
from crawlers.spider import Yield
from crawlers.tokens import SignIn, by_form
from pipeline.words import Channel


def parse(page: PageFile) -> Parsed:
    """The posts and comments of one answer."""
    return parse_things(page)


class RedditOptions(ApiOptions):
    """The app and what it reads. ``key_file`` holds the app's secret."""

    subreddits: tuple[str, ...] = Field((), description="Places without r/: their newest posts and comments.")
    queries: tuple[str, ...] = Field((), description="Searches over all of Reddit, with the comments of what is found.")
    client_id: str = Field("", description="Id of your app.")
    account: str = Field("", description="Account of a script app; empty: the app alone signs in.")
    password_file: Path | None = Field(None, description="File with that account's password.")
    token_url: str = Field(
        "https://www.reddit.com/api/v1/access_token", description="Where the app signs in; for tests and proxies."
    )


class RedditSpider(NetworkSpider):
    """Newest comments of a place are one list; those of found posts are read post by post."""

    name = "reddit"
    platform = "reddit"
    channel = Channel.FORUM
    interval = timedelta(minutes=5)
    Options = RedditOptions
    description = "Posts and comments of Reddit through an app of your own. Without one: its Atom feeds, with feed."
    example = """\
[sources.reddit]
spider = "reddit"
url = "https://oauth.reddit.com"
client_id = "the-id-of-your-app"
key_file = "secrets/reddit_app_secret"
subreddits = ["de"]
queries = ["acme"]
"""
    parser: ClassVar[Any] = staticmethod(parse)
    key_name = "STURMWARTE_REDDIT_SECRET"

    @classmethod
    def recognises(cls, look: Look) -> str:
        answer = look.json
        listing = answer[0] if isinstance(answer, list) and answer else answer
        known = isinstance(listing, dict) and listing.get("kind") == "Listing" and isinstance(listing.get("data"), dict)
        return "the answer is a listing of Reddit" if known else ""

    def sign_in(self) -> SignIn | None:
        options = self.options(RedditOptions)
        if not self.key():
            return None
        asked = {"grant_type": "client_credentials"}
        if options.account:
            secret = self.secret(options.password_file, "STURMWARTE_REDDIT_PASSWORD")
            asked = {"grant_type": "password", "username": options.account, "password": secret}
        basic = b64encode(f"{options.client_id}:{self.key()}".encode()).decode()
        account = f"{options.client_id} {options.account}".strip()
        return by_form(options.token_url, account, asked, Authorization=f"Basic {basic}")

    def lists(self) -> Mapping[str, str]:
        options = self.options(RedditOptions)
        found = {f"search:{query}": self._url("search", q=query, sort="new", type="link") for query in options.queries}
        for place in options.subreddits:
            name = quote(place.strip("/").removeprefix("r/"), safe="+")
            found |= {f"new:{place}": self._url(f"r/{name}/new"), f"comments:{place}": self._url(f"r/{name}/comments")}
        return found

    def expects_items(self, reel: Reel) -> bool:
        return reel.name.startswith("new:")

    def parse_page(self, response: Any, reel: Reel) -> Iterator[Yield]:
        self._searched = reel.name.startswith("search:")
        yield from super().parse_page(response, reel)

    def follows(self, row: ThreadRow) -> bool:
        return self._searched  # the comments of a place are a list of their own

    def over(self, item: ParsedItem, response: Any) -> Mapping[str, Any]:
        given = dict(super().over(item, response))
        return given | ({"thread_title": item.thread_title} if item.thread_title else {})

    def _url(self, path: str, **query: str) -> str:
        parts = urlsplit(self.job.url)
        return f"{parts.scheme}://{parts.netloc}/{path}?{urlencode(query | {'limit': '100', 'raw_json': '1'})}"
