"""Spider for reviews of a place at Google, through the Business Profile interface with its owner's consent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field

from crawlers.api import ApiOptions
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.payload import (
    at,
    flag,
    judged_reviews,
    prose,
    reply_to,
    rows_at,
    stars,
    strange,
    told,
    unique,
    value_of,
    when,
    with_query,
    word,
)
from crawlers.review_api import ReviewApi
from crawlers.tokens import SignIn, by_form
from pipeline.secrets import password
from pipeline.words import Kind

ORIGIN = "google.com"
_STARS = {"ONE": 1.0, "TWO": 2.0, "THREE": 3.0, "FOUR": 4.0, "FIVE": 5.0}
_ORIGINAL = re.compile(r"\((?:Original|Originaltext)\)", re.IGNORECASE)
_TRANSLATED = re.compile(r"\((?:Translated by Google|Übersetzt von Google)\)", re.IGNORECASE)


def parse(page: PageFile) -> Parsed:
    """The reviews of one answer, or why there are none. Never raises."""
    value = value_of(page)
    if not isinstance(value, dict) or (value and not {"reviews", "totalReviewCount", "averageRating"} & value.keys()):
        return strange("no answer of the Business Profile interface")
    if value is None or not isinstance(at(value, "reviews"), list | None):
        return strange("JSON without a list of reviews")
    reviews = rows_at(value, "reviews")
    items = [item for review in reviews for item in _items(page, review)]
    token = word(value, "nextPageToken")
    older = with_query(page.url, pageToken=token) if token else None
    return judged_reviews(unique(items), following=older, total=len(reviews), needs=("published", "rating_raw"))


def _items(page: PageFile, review: Mapping[str, Any]) -> Iterator[ParsedItem]:
    name = word(review, "reviewId") or word(review, "name").rpartition("/")[2]
    if not name:
        return
    hidden = flag(review, "reviewer", "isAnonymous")
    found = ParsedItem(
        kind=Kind.REVIEW,
        id=f"review {name}",
        author=None if hidden else word(review, "reviewer", "displayName") or None,
        text=_original(prose(review, "comment")),
        published=when(page, review, "createTime"),
    )
    yield told(found, stars(_STARS.get(word(review, "starRating"))))
    said = _original(prose(review, "reviewReply", "comment"))
    if said:
        yield reply_to(found, said, when(page, review, "reviewReply", "updateTime"), None)


def _original(text: str) -> str:
    """What the person wrote, without the translation that Google puts before or behind it."""
    original = _ORIGINAL.search(text)
    if original is not None:
        return text[original.end() :].strip()
    translated = _TRANSLATED.search(text)
    if translated is None:
        return text
    return text[: translated.start()].strip() or text[translated.end() :].strip()


class GooglebusinessOptions(ApiOptions):
    """Options of a place; ``key_file`` or ``key_env`` hold the refresh token its owner's consent gave."""

    client_id: str = Field(description="Id of the OAuth client of your Google Cloud project.")
    secret_env: str = Field(
        "STURMWARTE_GOOGLE_CLIENT_SECRET", description="Environment variable with the secret of the OAuth client."
    )
    token_url: str = Field("https://oauth2.googleapis.com/token", description="Where tokens are given out.")


class GooglebusinessSpider(ReviewApi):
    """Reads the reviews of one location, latest change first."""

    name = "googlebusiness"
    platform = "googlebusiness"
    origin = ORIGIN
    interval = timedelta(minutes=15)
    Options = GooglebusinessOptions
    key_name = "STURMWARTE_GOOGLE_REFRESH_TOKEN"
    description = "Reviews of your own place at Google Maps, through the Business Profile interface."
    example = """\
[sources.maps]
spider = "googlebusiness"
url = "https://mybusiness.googleapis.com/v4/accounts/1045/locations/2077/reviews"
about = "acme"
client_id = "1045-abc.apps.googleusercontent.com"
key_file = "/etc/sturmwarte/google-refresh.token"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        one = at(look.json, "reviews", 0)
        known = isinstance(one, dict) and "starRating" in one and "reviewer" in one
        return "the answer is a list of reviews of a Google Business Profile" if known else ""

    def lists(self) -> Mapping[str, str]:
        return {"": with_query(self.job.url, pageSize="50", orderBy="updateTime desc")}

    def sign_in(self) -> SignIn | None:
        options = self.options(GooglebusinessOptions)
        if not self.key():
            return None
        secret = password(None, options.secret_env) or ""
        client = {"client_id": options.client_id, "client_secret": secret}
        asked = {"grant_type": "refresh_token", "refresh_token": self.key()}
        return by_form(options.token_url, f"{options.client_id} {self.quota_name}", asked | client)
