"""Spider for reviews of an own app at Google Play: the Play Developer interface tells those of the last seven days."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field

from crawlers.api import ApiOptions
from crawlers.dates import from_timestamp
from crawlers.look import Look
from crawlers.newest import Reel
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.payload import (
    amount,
    at,
    judged_reviews,
    number,
    prose,
    reply_to,
    rows_at,
    stars,
    strange,
    told,
    unique,
    value_of,
    with_query,
    word,
)
from crawlers.review_api import ReviewApi
from crawlers.spider import Yield
from crawlers.tokens import SERVICE_GRANT, SignIn, by_form, service_assertion
from pipeline.item import Published
from pipeline.words import Kind

ORIGIN = "play.google.com"
REACH = timedelta(days=7)
"""What the interface tells: reviews written or changed within so long. There is no asking for older ones."""
SCOPE = "https://www.googleapis.com/auth/androidpublisher"


def parse(page: PageFile) -> Parsed:
    """The reviews of one answer, or why there are none. Never raises."""
    value = value_of(page)
    if not isinstance(value, dict) or (value and not {"reviews", "tokenPagination", "pageInfo"} & value.keys()):
        return strange("no answer of the Play Developer interface")
    reviews = rows_at(value, "reviews")
    items = [item for review in reviews for item in _items(review)]
    token = word(value, "tokenPagination", "nextPageToken")
    older = with_query(page.url, token=token) if token else None
    return judged_reviews(unique(items), following=older, total=len(reviews), needs=("published", "rating_raw"))


def _items(review: Mapping[str, Any]) -> Iterator[ParsedItem]:
    """A review and the developer's latest answer. The title, where there is one, stands before a tabulator."""
    name = word(review, "reviewId")
    comments = rows_at(review, "comments")
    user = next((one["userComment"] for one in comments if isinstance(one.get("userComment"), dict)), None)
    if not name or user is None:
        return
    said = at(user, "originalText") or at(user, "text")
    title, tab, text = said.partition("\t") if isinstance(said, str) else ("", "", "")
    found = ParsedItem(
        kind=Kind.REVIEW,
        id=f"review {name}",
        author=word(review, "authorName") or None,
        title=word(title) if tab else "",
        text=prose(text if tab else title),
        published=_time(user),
        votes=number(user, "thumbsUpCount"),
    )
    yield told(found, stars(amount(user, "starRating")))
    for one in comments:
        answer = prose(one, "developerComment", "text")
        if answer:
            yield reply_to(found, answer, _time(one["developerComment"]), None)
            return


def _time(comment: Any) -> Published:
    seconds = amount(comment, "lastModified", "seconds")
    return from_timestamp(seconds) if seconds is not None else Published()


class GoogleplayOptions(ApiOptions):
    """Options of an app; ``key_file`` or ``key_env`` hold the key file (JSON) of a service account."""

    token_url: str = Field("https://oauth2.googleapis.com/token", description="Where tokens are given out.")


class GoogleplaySpider(ReviewApi):
    """Reads the reviews with text of the last seven days."""

    name = "googleplay"
    platform = "googleplay"
    origin = ORIGIN
    interval = timedelta(minutes=30)
    Options = GoogleplayOptions
    key_name = "STURMWARTE_GOOGLE_PLAY_ACCOUNT"
    quota = 200
    quota_period = timedelta(hours=1)
    description = "Reviews of your own app at Google Play, through the Play Developer interface."
    example = """\
[sources.play]
spider = "googleplay"
url = "https://androidpublisher.googleapis.com/androidpublisher/v3/applications/de.acme.app/reviews"
about = "acme"
key_file = "/etc/sturmwarte/play-service-account.json"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        comments = at(look.json, "reviews", 0, "comments")
        known = isinstance(at(comments, 0, "userComment"), dict)
        return "the answer is a list of reviews of Google Play" if known else ""

    async def start(self) -> AsyncIterator[Yield]:
        """As for every list; what lies between the last visit and what the interface still tells is a hole."""
        earliest = self.job.started - REACH
        if self.job.watermark is not None and self.job.watermark < earliest:
            self.visit.holes.append((self.job.watermark, earliest, "Google Play tells reviews of seven days only"))
        async for request in super().start():
            yield request

    def lists(self) -> Mapping[str, str]:
        return {"": with_query(self.job.url, maxResults="100")}

    def expects_items(self, reel: Reel) -> bool:
        return False

    def sign_in(self) -> SignIn | None:
        url = self.options(GoogleplayOptions).token_url
        if not self.key():
            return None
        assertion = service_assertion(self.key(), SCOPE, url, self.job.now())
        return by_form(url, self.quota_name, {"grant_type": SERVICE_GRANT, "assertion": assertion})
