"""Spider for the interface of X: recent search, which is paid for by the post, within a cap of the operator's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from pydantic import Field
from scrapy.http import Response

from crawlers.api import ApiOptions, ApiSpider
from crawlers.look import Look
from crawlers.network import NetworkSpider
from crawlers.newest import Reel
from crawlers.parsing import PageFile, Parsed
from crawlers.payload import json_answer, number_at, rows_at, with_query
from crawlers.spider import Yield
from crawlers.x_posts import parse_search
from pipeline.words import Answer, Channel

REACH = timedelta(days=7)
"""Recent search knows no older posts."""
MARGIN = timedelta(minutes=5)
LEAST, MOST = 10, 100
"""Posts that one answer may be asked for."""
_EPOCH_MS = 1_288_834_974_657


def parse(page: PageFile) -> Parsed:
    """The posts of one answer."""
    return parse_search(page)


class XOptions(ApiOptions):
    """What is searched for. ``key_file`` holds the bearer token, ``quota`` the posts that may be read a month."""

    queries: tuple[str, ...] = Field((), description="Searches as X understands them; shares are left out anyway.")
    posts_per_month: int = Field(10_000, ge=1, description="Posts that may be read (and paid for) per calendar month.")
    counts: bool = Field(True, description="Ask first how many posts there are: nothing is read where there are none.")


class XSpider(NetworkSpider):
    """Reads what is new since the newest known post; counts every post that an answer gives against the cap."""

    name = "x"
    platform = "x"
    channel = Channel.SOCIAL
    interval = timedelta(minutes=15)
    Options = XOptions
    description = "Searches on X through its paid interface, never more posts a month than you allow."
    example = """\
[sources.x]
spider = "x"
url = "https://api.x.com/2"
key_file = "secrets/x_bearer_token"
queries = ["acme lang:de"]
posts_per_month = 5000
"""
    parser: ClassVar[Any] = staticmethod(parse)
    key_name = "STURMWARTE_X_TOKEN"
    quota_period = "month"

    @classmethod
    def recognises(cls, look: Look) -> str:
        answer = look.json
        if not isinstance(answer, dict):
            return ""
        rows, meta = answer.get("data"), answer.get("meta")
        first = rows[0] if isinstance(rows, list) and rows and isinstance(rows[0], dict) else {}
        known = isinstance(meta, dict) and "result_count" in meta and (not rows or {"id", "text"} <= first.keys())
        return "the answer is a list of posts of X" if known else ""

    def headers(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.key()}"}

    def _limit(self) -> int | None:
        options = self.options(XOptions)
        limit: int = options.quota or options.posts_per_month
        return limit

    def cost(self, url: str) -> int:
        return 0  # paid by the post: counted when the answer is there

    def expects_items(self, reel: Reel) -> bool:
        return False

    def lists(self) -> Mapping[str, str]:
        queries = self.options(XOptions).queries
        return {query: self._url("tweets/search/recent", query, **self._fields()) for query in queries}

    # --- count, then read ---------------------------------------------------------------------------------------

    def _page(self, url: str, reel: Reel) -> Iterator[Yield]:
        counts = self.options(XOptions).counts
        if not self.key() or reel.pages or not counts or reel.resuming:
            yield from self._search_page(url, reel)
            return
        asked = self._url("tweets/counts/recent", reel.name, granularity="day")
        yield self.ask(asked, self.counted, search=url, reel=reel)

    def counted(self, response: Response, search: str, reel: Reel) -> Iterator[Yield]:
        """How many posts there are: none is the end, and more than may be read is said."""
        answer, _ = json_answer(self.page(response), "X")
        total = number_at(answer, "meta", "total_tweet_count")
        if total is None:
            self.lose(response.url, Answer.LAYOUT_CHANGED, "X does not tell how many posts there are")
        elif total == 0:
            reel.pages.add(search)
            self._end(reel)
        else:
            left = self.quota_left() or 0
            if total > left:
                self.visit.notice = f"{total} posts are new, of which {left} may still be read this month"
            yield from self._search_page(search, reel)

    def _search_page(self, url: str, reel: Reel) -> Iterator[Yield]:
        left = self.quota_left() or 0
        if self.key() and left < LEAST:
            self._warn_of_gap(reel)
            self.lose(url, Answer.RATE_LIMITED, self.spent_reason())
            return
        yield from ApiSpider._page(self, _sized(url, min(left, MOST)), reel)

    def parse_page(self, response: Response, reel: Reel) -> Iterator[Yield]:
        answer, _ = json_answer(self.page(response), "X")
        self._spend(len(rows_at(answer, "data")))
        yield from super().parse_page(response, reel)

    def _warn_of_gap(self, reel: Reel) -> None:
        self.visit.notice = "posts go unread until the cap of the month begins anew"

    # --- since when ---------------------------------------------------------------------------------------------

    def _url(self, path: str, query: str, **given: str) -> str:
        asked = {"query": f"({query}) -is:retweet"} | self._since(query) | given
        return f"{self.job.url.rstrip('/')}/{path}?{urlencode(asked)}"

    def _since(self, query: str) -> dict[str, str]:
        """The newest known post; where it is beyond the reach of the search, what lies between is a hole."""
        newest, earliest = (self.newest_known(query) or "").removeprefix("p"), self.job.started - REACH + MARGIN
        told = _told_time(newest)
        if told is not None and told > earliest:
            return {"since_id": newest}
        if told is not None:
            hole = (told, earliest, "recent search reaches back seven days only")
            self.visit.holes += [hole] if hole not in self.visit.holes else []
        start = max(earliest, self.job.backfill_from)
        return {"start_time": start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}

    @staticmethod
    def _fields() -> dict[str, str]:
        return {
            "tweet.fields": "created_at,lang,public_metrics,conversation_id,in_reply_to_user_id,referenced_tweets,"
            "entities,attachments,note_tweet",
            "expansions": "author_id,in_reply_to_user_id,attachments.media_keys",
            "user.fields": "username",
            "media.fields": "alt_text,type,url,preview_image_url",
        }


def _sized(url: str, number: int) -> str:
    return with_query(url, max_results=max(number, LEAST))


def _told_time(number: str) -> datetime | None:
    """When a post was written, which its number tells."""
    if not number.isdigit() or len(number) > 20:
        return None
    return datetime.fromtimestamp(((int(number) >> 22) + _EPOCH_MS) / 1000, UTC)
