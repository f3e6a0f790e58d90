"""Spider for reviews at Trusted Shops (eTrusted), through its interface with the shop's own client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from pydantic import Field

from crawlers.look import Look
from crawlers.newest import Reel
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
    stamp,
    stars,
    strange,
    told,
    unique,
    value_of,
    when,
    with_query,
    word,
)
from crawlers.review_api import HookedOptions, ReviewApi
from crawlers.select import parameter
from crawlers.tokens import SignIn, by_form
from crawlers.webhook import Signature, Webhook, message_page
from pipeline.words import Kind

ORIGIN = "etrusted.com"
OVERLAP = timedelta(days=2)
"""Reviews are listed when they are approved, which may be days after they were submitted."""
_GONE = frozenset({"DELETED", "REJECTED", "WITHDRAWN"})


def parse(page: PageFile) -> Parsed:
    """The reviews of one answer, or why there are none. Never raises."""
    value = value_of(page)
    if value is None or not isinstance(at(value, "items"), list):
        return strange("JSON without a list of reviews: no answer of eTrusted")
    reviews = rows_at(value, "items")
    items = [item for review in reviews for item in _items(page, review)]
    following = word(value, "paging", "links", "next")
    cursor = word(value, "paging", "cursors", "after") or parameter(following, "after")
    older = with_query(page.url, after=cursor) if cursor and reviews else None
    return judged_reviews(unique(items), following=older, total=len(reviews), needs=("published",))


def items_of_webhook(body: bytes) -> tuple[ParsedItem, ...]:
    """The review that a message tells of (``review.approved`` and the like). Never raises."""
    page = message_page("https://api.etrusted.com/reviews", body)
    value = value_of(page)
    deleted = "deleted" in word(value, "event") or "deleted" in word(value, "type")
    found = next((one for key in ("review", "payload", "data") for one in rows_at(value, key)), None) or value
    review = {**found, "status": "DELETED"} if deleted and isinstance(found, Mapping) else found
    return tuple(unique([item for one in rows_at(review) for item in _items(page, one)]))


def _items(page: PageFile, review: Mapping[str, Any]) -> Iterator[ParsedItem]:
    name = word(review, "id")
    if not name:
        return
    first, last = word(review, "customer", "firstName"), word(review, "customer", "lastName")
    found = ParsedItem(
        kind=Kind.REVIEW,
        id=f"review {name}",
        author=word(review, "customer", "fullName") or f"{first} {last}".strip() or None,
        author_id=word(review, "customer", "id") or None,
        title=word(review, "title"),
        text=prose(review, "comment"),
        published=when(page, review, "submittedAt" if "submittedAt" in review else "createdAt"),
        votes=number(review, "upvotes"),
        verified=flag(review, "isVerified"),
        deleted=word(review, "status").upper() in _GONE,
    )
    yield told(found, stars(amount(review, "rating")))
    said = prose(review, "reply", "comment")
    if said:
        yield reply_to(found, said, when(page, review, "reply", "createdAt"), word(review, "channel", "name") or None)


class EtrustedOptions(HookedOptions):
    """Options of reviews at eTrusted; ``key_file`` or ``key_env`` hold the client's secret."""

    client_id: str = Field(description="Id of the API client, from the control centre.")
    token_url: str = Field("https://login.etrusted.com/oauth/token", description="Where tokens are given out.")
    audience: str = Field("https://api.etrusted.com", description="For whom the token is.")
    channels: tuple[str, ...] = Field((), description="Only reviews of these channels (chl-…); empty: all.")


class EtrustedSpider(ReviewApi):
    """Reads what was submitted since the last visit."""

    name = "etrusted"
    platform = "etrusted"
    origin = ORIGIN
    interval = timedelta(minutes=15)
    Options = EtrustedOptions
    key_name = "STURMWARTE_ETRUSTED_SECRET"
    description = "Reviews of your shop at Trusted Shops (eTrusted), through its interface with your own client."
    example = """\
[sources.trusted_shops]
spider = "etrusted"
url = "https://api.etrusted.com/reviews"
about = "acme"
client_id = "0f1e2d3c4b5a"
key_file = "/etc/sturmwarte/etrusted.secret"
"""
    parser: ClassVar[Any] = staticmethod(parse)
    webhook: ClassVar[Webhook | None] = Webhook(
        signature=Signature(("x-etrusted-signature", "x-signature")), items=items_of_webhook, place=f"https://{ORIGIN}/"
    )

    @classmethod
    def recognises(cls, look: Look) -> str:
        one = at(look.json, "items", 0)
        known = isinstance(at(look.json, "paging"), dict) and isinstance(one, dict) and "submittedAt" in one
        return "the answer is a list of reviews of eTrusted" if known else ""

    def lists(self) -> Mapping[str, str]:
        options = self.options(EtrustedOptions)
        mark = self.job.watermark
        since = self.job.backfill_from if mark is None else mark - OVERLAP
        channels = ",".join(options.channels) or None
        asked = {"count": "1000", "orderBy": "submittedAt", "submittedAfter": stamp(since), "channels": channels}
        return {"": with_query(self.job.url, **asked)}

    def expects_items(self, reel: Reel) -> bool:
        return False

    def reads_on(self, reel: Reel, parsed: Parsed, met: bool) -> bool:
        """All that was submitted since: what is known lies among it, because of the overlap."""
        return True

    def sign_in(self) -> SignIn | None:
        options = self.options(EtrustedOptions)
        if not self.key():
            return None
        asked = {"grant_type": "client_credentials", "audience": options.audience}
        client = {"client_id": options.client_id, "client_secret": self.key()}
        return by_form(options.token_url, options.client_id, asked | client)
