"""Spider for Trustpilot: by its interface with the company's own key; saved pages are read, too, but never crawled."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

from pydantic import Field
from scrapy.http import Response

from crawlers.api import ApiOptions, ApiSpider
from crawlers.dates import parse_date
from crawlers.look import Look
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.select import first, tree_of
from crawlers.structured import json_of
from crawlers.webhook import Webhook
from pipeline.words import Answer, Channel, Kind

API = "https://api.trustpilot.com/v1/business-units"
MAX_REVIEWS = 500
ORIGIN = "trustpilot.com"
"""Where every review belongs, whichever country's page or interface showed it."""


def parse(page: PageFile) -> Parsed:
    """Reviews and replies of an answer of the interface or of a saved page."""
    start = page.body[:200].lstrip()
    if start.startswith((b"{", b"[")):
        return _answer(page)
    script = first(tree_of(page), "script#__NEXT_DATA__")
    try:
        told = json_of(script.text or "")["props"]["pageProps"] if script is not None else None
    except (ValueError, RecursionError, KeyError, TypeError):
        told = None
    if not isinstance(told, Mapping):
        return Parsed(state=Answer.LAYOUT_CHANGED, reason="this is no page of Trustpilot reviews")
    if told.get("__N_REDIRECT"):
        return Parsed(state=Answer.GATED, reason="Trustpilot asks for a login from here on")
    reviews = told.get("reviews")
    if not isinstance(reviews, list):
        return Parsed(state=Answer.LAYOUT_CHANGED, reason="the page has no list of reviews")
    items = tuple(_items(page, reviews[:MAX_REVIEWS]))
    if reviews and not items:
        return Parsed(state=Answer.LAYOUT_CHANGED, reason="no review on the page has an id, a rating and a time")
    state = Answer.OK if items else Answer.EMPTY
    return Parsed(state=state, reason="" if items else "no reviews on this page", items=items, links=_pages(page, told))


def _answer(page: PageFile) -> Parsed:
    try:
        told = json_of(page.body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return Parsed(state=Answer.ERROR, reason="the answer is no JSON")
    reviews = told.get("reviews") if isinstance(told, Mapping) else None
    if not isinstance(reviews, list):
        return Parsed(state=Answer.ERROR, reason="the answer holds no reviews: no answer of Trustpilot's interface")
    items = tuple(_items(page, reviews[:MAX_REVIEWS]))
    links = [link for link in _list(told.get("links")) if _text(link, "rel") == "next-page"]
    return Parsed(
        state=Answer.OK if items else Answer.EMPTY,
        reason="" if items else "no reviews",
        items=items,
        links=Links(next=tuple(_text(link, "href") for link in links[:1])),
    )


def _items(page: PageFile, reviews: list[Any]) -> Iterator[ParsedItem]:
    for review in reviews:
        item = _review(page, review)
        if item is None:
            continue
        yield item
        reply = review.get("reply") or review.get("companyReply")
        said = _text(reply, "message") or _text(reply, "text")
        if said:
            yield ParsedItem(
                kind=Kind.REPLY,
                id=f"{item.id}-reply",
                url=item.url,
                author=_text(reply, "authorName") or None,
                text=" ".join(said.split()),
                published=parse_date(_text(reply, "publishedDate") or _text(reply, "createdAt"), page.now, page.zone),
                parent=item.id,
                parent_author=item.author,
                staff=True,
            )


def _review(page: PageFile, review: Any) -> ParsedItem | None:
    """One review in the shape of pages, interface or webhook; None where it is none."""
    number, stars = _text(review, "id"), review.get("rating", review.get("stars")) if isinstance(review, Mapping) else 0
    if not number or len(number) > 100 or stars not in (1, 2, 3, 4, 5) or isinstance(stars, bool):
        return None
    consumer, dates = review.get("consumer"), review.get("dates")
    labels = review.get("labels")
    verification = labels.get("verification") if isinstance(labels, Mapping) else None
    verified = verification.get("isVerified") if isinstance(verification, Mapping) else review.get("isVerified")
    likes = review.get("likes", review.get("numberOfLikes"))
    at = _text(dates, "publishedDate") or _text(review, "createdAt") or _text(review, "publishedDate")
    return ParsedItem(
        kind=Kind.REVIEW,
        id=f"review-{number}",
        url=f"https://www.trustpilot.com/reviews/{number}" if number.isalnum() else None,
        author=_text(consumer, "displayName") or _text(consumer, "name") or None,
        author_id=_text(consumer, "id") or None,
        title=_text(review, "title"),
        text=" ".join(_text(review, "text").split()),
        published=parse_date(at, page.now, page.zone),
        rating=(stars - 1) / 4,
        rating_raw=str(stars),
        rating_scale="1-5",
        votes=likes if isinstance(likes, int) and not isinstance(likes, bool) and 0 <= likes < 10**9 else None,
        verified=verified if isinstance(verified, bool) else None,
    )


def _pages(page: PageFile, told: Mapping[str, Any]) -> Links:
    """The following page of a saved one, by its number."""
    filters = told.get("filters")
    pagination = filters.get("pagination") if isinstance(filters, Mapping) else None
    at = pagination.get("currentPage") if isinstance(pagination, Mapping) else None
    last = pagination.get("totalPages") if isinstance(pagination, Mapping) else None
    if not (isinstance(at, int) and isinstance(last, int) and 0 < at < last < 10**6):
        return Links()
    parts = urlsplit(page.url)
    query = {name: value for name, value in parse_qsl(parts.query) if name != "page"} | {"page": str(at + 1)}
    return Links(next=(urlunsplit(parts._replace(query=urlencode(query), fragment="")),))


def _text(value: Any, name: str) -> str:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found.strip() if isinstance(found, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether a webhook call carries the HMAC-SHA256 of its body under the secret, in hex or base64."""
    given = headers.get("x-trustpilot-signature", headers.get("x-signature", "")).removeprefix("sha256=").strip()
    right = hmac.digest(secret.encode(), body, "sha256")
    try:
        decoded = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    known = hmac.compare_digest(given.lower().encode("utf-8", "replace"), right.hex().encode())
    return bool(secret) and (known or hmac.compare_digest(decoded, right))


def items_of_webhook(body: bytes) -> tuple[ParsedItem, ...] | None:
    """The reviews of a call about new, changed and deleted service reviews; None where it is no such call."""
    try:
        told = json_of(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None
    events = told.get("events") if isinstance(told, Mapping) else None
    if not isinstance(events, list):
        return None
    page = PageFile(url=API, body=b"", now=datetime.now(UTC), zone=ZoneInfo("UTC"))
    reviews = [event.get("eventData") for event in events[:MAX_REVIEWS] if isinstance(event, Mapping)]
    return tuple(_items(page, [review for review in reviews if isinstance(review, Mapping)]))


class TrustpilotOptions(ApiOptions):
    """Options of a company's page at Trustpilot."""

    business_unit: str = Field(pattern=r"^[0-9a-f]{12,32}$", description="Id of the company at Trustpilot.")
    hook_secret_file: Path | None = Field(None, description="File with the secret of its webhook, and nothing else.")
    hook_secret_env: str = Field("TRUSTPILOT_HOOK_SECRET", description="Environment variable with that secret.")


class TrustpilotSpider(ApiSpider):
    """Reads a company's reviews, newest first."""

    name = "trustpilot"
    platform = "trustpilot"
    channel = Channel.REVIEW
    interval = timedelta(minutes=15)
    Options = TrustpilotOptions
    key_name = "TRUSTPILOT_API_KEY"
    quota = 10_000
    quota_period = timedelta(hours=1)
    description = "Reviews of a company at Trustpilot, by its interface with the company's own key, and by its webhook."
    example = """\
[sources.trustpilot]
spider = "trustpilot"
url = "https://www.trustpilot.com/review/www.example.org"
business_unit = "46d6a890000064000500e0c3"
key_file = "secrets/trustpilot.key"
about = "acme"
"""
    parser: ClassVar[Any] = staticmethod(parse)
    webhook: ClassVar[Webhook | None] = Webhook(is_genuine=is_genuine, items=items_of_webhook)

    @classmethod
    def recognises(cls, look: Look) -> str:
        script = first(look.tree, "script#__NEXT_DATA__") if look.tree is not None else None
        text = (script.text or "")[:200_000] if script is not None else ""
        known = '"businessUnit"' in text or '"/users/connect' in text
        return "the page is Trustpilot's" if known else ""

    def lists(self) -> Mapping[str, str]:
        options: Any = self.job.options
        asked = urlencode({"perPage": 100, "orderBy": "createdat.desc"})
        return {"": f"{API}/{options.business_unit}/reviews?{asked}"}

    def headers(self) -> Mapping[str, str]:
        return {"apikey": self.key()}

    def over(self, item: ParsedItem, response: Response) -> Mapping[str, Any]:
        return {"native_id": item.id, "origin": ORIGIN, "parent": item.parent, "thread": None}
