"""Spider for ProvenExpert: ratings through its interface with the customer's key; saved profile pages can be read."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field
from scrapy.http import Request

from crawlers.api import ApiOptions, unforwarded
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.payload import (
    amount,
    at,
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
    word,
)
from crawlers.ratings import parse_reviews
from crawlers.review_api import ReviewApi
from crawlers.select import first
from pipeline.words import Answer, Kind

ORIGIN = "provenexpert.com"
_LISTS = ("ratings", "reviews", "feedbacks", "feedback", "data", "items")
_TEXTS = ("feedback", "comment", "text", "message")
_DATES = ("created", "date", "createdAt", "ratingDate")
_VALUES = ("rating", "ratingValue", "stars")
_NAMES = ("author", "name", "customerName")


def parse(page: PageFile) -> Parsed:
    """The ratings of an answer or a profile page, or why there are none. Never raises."""
    if page.body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
        return parse_reviews(page)
    value = value_of(page)
    if value is None:
        return strange("the answer is no JSON")
    if word(value, "status") == "error":
        return Parsed(state=Answer.GATED, reason="the interface refuses: " + (_why(value) or "no reason given"))
    found = next((name for name in _LISTS if isinstance(at(value, name), list)), None)
    if found is None:
        total = word(value, "ratingValue") or word(value, "rating")
        if total:
            return Parsed(state=Answer.EMPTY, reason=f"only a total rating: {total}")
        return strange("JSON without ratings: no answer of ProvenExpert")
    reviews = rows_at(value, found)
    items = [item for review in reviews for item in _items(page, review)]
    return judged_reviews(unique(items), total=len(reviews), needs=("published",))


def _why(value: Any) -> str:
    return (
        ", ".join(word(one) for one in (at(value, "errors") or ()) if word(one))[:200]
        if isinstance(at(value, "errors"), list)
        else word(value, "errors")[:200]
    )


def _said(review: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((name for name in names if word(review, name)), names[0])


def _items(page: PageFile, review: Mapping[str, Any]) -> Iterator[ParsedItem]:
    name = word(review, "id") or word(review, "ratingId")
    if not name:
        return
    found = ParsedItem(
        kind=Kind.REVIEW,
        id=f"review {name}",
        author=word(review, _said(review, _NAMES)) or None,
        title=word(review, "title"),
        text=prose(review, _said(review, _TEXTS)),
        published=when(page, review, _said(review, _DATES)),
    )
    yield told(found, stars(amount(review, _said(review, _VALUES))))
    for key in ("reply", "answer"):
        answer = prose(review, key, "text") or prose(review, key)
        if answer:
            yield reply_to(found, answer, when(page, review, key, "created"), None)
            return


class ProvenexpertOptions(ApiOptions):
    """Options of a profile; ``key_file`` or ``key_env`` hold the API key."""

    api_id: str = Field(description="API id of your account, from its developer settings.")


class ProvenexpertSpider(ReviewApi):
    """Asks the interface; it answers with all it grants on one page."""

    name = "provenexpert"
    platform = "provenexpert"
    origin = ORIGIN
    interval = timedelta(minutes=30)
    Options = ProvenexpertOptions
    key_name = "STURMWARTE_PROVENEXPERT_KEY"
    description = "Ratings of your profile at ProvenExpert, through its interface with your own id and key."
    example = """\
[sources.provenexpert]
spider = "provenexpert"
url = "https://www.provenexpert.com/api/v1/rating/get"
about = "acme"
api_id = "1a2b3c"
key_file = "/etc/sturmwarte/provenexpert.key"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        if look.tree is None:
            return ""
        mark = first(look.tree, "meta[property='og:site_name'][content*='ProvenExpert']")
        return "a profile page of ProvenExpert" if mark is not None else ""

    def headers(self) -> Mapping[str, str]:
        options = self.options(ProvenexpertOptions)
        pair = base64.b64encode(f"{options.api_id}:{self.key()}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    def ask(self, url: str, callback: Any, **given: Any) -> Request:
        return unforwarded(self.request(url, callback, headers=self.headers(), method="POST", **given))
