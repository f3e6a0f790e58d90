"""Spider for Trustpilot: crawled through its interface alone; saved pages can be read, too."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from crawlers.classify import classify
from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed, ParsedItem
from crawlers.payload import (
    amount,
    at,
    flag,
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
    when,
    with_query,
    word,
)
from crawlers.ratings import parse_reviews
from crawlers.review_api import HookedOptions, ReviewApi
from crawlers.select import first, parameter, tree_of
from crawlers.spider import Yield
from crawlers.structured import json_of
from crawlers.text import Element
from crawlers.webhook import Signature, Webhook, message_page
from pipeline.words import Answer, Kind

PLACE = "https://www.trustpilot.com/reviews/"
PER_PAGE = 100
_LOGIN = "/users/connect"
_GONE = frozenset({"deleted", "removed", "archived"})


def parse(page: PageFile) -> Parsed:
    """The reviews of an answer of the interface or of a saved page, or why there are none. Never raises."""
    if page.body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return _answer(page, value_of(page))
    if not page.body.strip():
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    answer, reason = classify(page.status, page.headers, page.body, url=page.url)
    if answer is not Answer.OK:
        return Parsed(state=answer, reason=reason)
    return _page(page, tree_of(page))


def items_of_webhook(body: bytes) -> tuple[ParsedItem, ...]:
    """The reviews that a message of Trustpilot tells of: its events hold one each. Never raises."""
    page = message_page(PLACE, body)
    value = value_of(page)
    events = rows_at(value, "events") or rows_at(value)
    found = [item for event in events for item in _items(page, _of_event(event))]
    return tuple(unique(found))


def _of_event(event: Mapping[str, Any]) -> Mapping[str, Any]:
    data = at(event, "eventData")
    inner: Any = data if isinstance(data, Mapping) else event
    name = word(event, "eventName")
    return {**inner, "status": "deleted"} if name.endswith("deleted") else inner


def _answer(page: PageFile, value: Any) -> Parsed:
    if value is None or not isinstance(at(value, "reviews"), list):
        return strange("JSON without a list of reviews: no answer of Trustpilot")
    reviews = rows_at(value, "reviews")
    items = [item for review in reviews for item in _items(page, review)]
    asked = parameter(page.url, "perPage") or ""
    full = len(reviews) >= (int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 5 else 20)
    return judged_reviews(unique(items), following=_next(page.url) if full and reviews else None, total=len(reviews))


def _next(url: str) -> str:
    here = parameter(url, "page") or "1"
    return with_query(url, page=str(int(here) + 1 if here.isascii() and here.isdigit() and len(here) < 7 else 2))


def _page(page: PageFile, tree: Element) -> Parsed:
    props = at(_next_data(tree), "props", "pageProps")
    if _LOGIN in word(props, "__N_REDIRECT"):
        return Parsed(state=Answer.GATED, reason="this page is shown after a login only")
    if not isinstance(at(props, "reviews"), list):
        return parse_reviews(page)
    reviews = rows_at(props, "reviews")
    company = word(props, "businessUnit", "displayName")
    items = [item for review in reviews for item in _items(page, review, company)]
    pages = at(props, "filters", "pagination")
    here, last = number(pages, "currentPage"), number(pages, "totalPages")
    following = with_query(page.url, page=str(here + 1)) if here and last and here < last else None
    return judged_reviews(unique(items), following=following, total=len(reviews), thread_title=company)


def _next_data(tree: Element) -> Any:
    script = first(tree, "script#__NEXT_DATA__")
    try:
        return json_of(script.text or "") if script is not None else None
    except (ValueError, RecursionError):
        return None


def _items(page: PageFile, review: Mapping[str, Any], company: str = "") -> Iterator[ParsedItem]:
    """A review, as the interface, a message or a page tells it, and the company's reply."""
    name = word(review, "id")
    if not name:
        return
    path = f"/reviews/{quote(name, safe='')}"
    found = ParsedItem(
        kind=Kind.REVIEW,
        id=path,
        url=f"{PLACE}{quote(name, safe='')}",
        author=word(review, "consumer", "displayName") or word(review, "consumer", "name") or None,
        author_id=word(review, "consumer", "id") or None,
        title=word(review, "title"),
        text=prose(review, "text"),
        published=when(page, review, *(("createdAt",) if "createdAt" in review else ("dates", "publishedDate"))),
        votes=number(review, "numberOfLikes" if "numberOfLikes" in review else "likes"),
        verified=_verified(review),
        deleted=word(review, "status").lower() in _GONE,
    )
    rating = amount(review, "stars")
    found = told(found, stars(amount(review, "rating") if rating is None else rating))
    yield found
    for key, text, date in (("companyReply", "text", "createdAt"), ("reply", "message", "publishedDate")):
        said = prose(review, key, text)
        if said:
            owner = company or word(review, "businessUnit", "displayName") or None
            yield reply_to(found, said, when(page, review, key, date), owner)
            return


def _verified(review: Mapping[str, Any]) -> bool | None:
    said = flag(review, "isVerified")
    return flag(review, "labels", "verification", "isVerified") if said is None else said


class TrustpilotSpider(ReviewApi):
    """Reads the reviews of one business unit with the operator's key. Pages of the website are never crawled."""

    name = "trustpilot"
    platform = "trustpilot"
    interval = timedelta(minutes=15)
    Options = HookedOptions
    key_name = "STURMWARTE_TRUSTPILOT_KEY"
    quota = 833
    quota_period = timedelta(minutes=5)
    description = "Reviews of a company at Trustpilot, through its interface with your own key."
    example = """\
[sources.trustpilot]
spider = "trustpilot"
url = "https://api.trustpilot.com/v1/business-units/46d6a890000064000500e0c3/reviews"
about = "acme"
key_file = "/etc/sturmwarte/trustpilot.key"
"""
    parser: ClassVar[Any] = staticmethod(parse)
    webhook: ClassVar[Webhook | None] = Webhook(
        signature=Signature(("x-trustpilot-signature", "x-signature")), items=items_of_webhook, place=PLACE
    )

    @classmethod
    def recognises(cls, look: Look) -> str:
        if isinstance(look.json, dict):
            one = at(look.json, "reviews", 0)
            known = isinstance(one, dict) and "consumer" in one and "stars" in one
            return "the answer is a list of reviews of Trustpilot" if known else ""
        props = at(_next_data(look.tree), "props", "pageProps") if look.tree is not None else None
        reviews = isinstance(at(props, "businessUnit"), dict) and isinstance(at(props, "reviews"), list)
        return "a page of Trustpilot" if reviews or _LOGIN in word(props, "__N_REDIRECT") else ""

    async def start(self) -> AsyncIterator[Yield]:
        if not re.search(r"/business-units/[^/]+/reviews/?$", urlsplit(self.job.url).path):
            reason = (
                "pages of Trustpilot are not crawled, its terms forbid it: give the address of the interface, "
                "https://api.trustpilot.com/v1/business-units/ID/reviews, and your key"
            )
            self.lose(self.job.url, Answer.GATED, reason)
            return
        async for given in super().start():
            yield given

    def lists(self) -> Mapping[str, str]:
        return {"": with_query(self.job.url, perPage=str(PER_PAGE), orderBy="createdat.desc")}

    def headers(self) -> Mapping[str, str]:
        return {"apikey": self.key()}
