"""Review portals: what pages, interfaces and webhooks say of a review is the same review."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crawlers.parse import parse_document
from crawlers.parsing import PageFile
from crawlers.spiders import trustpilot
from crawlers.spiders.trustpilot import TrustpilotSpider

PAGES = Path(__file__).parent / "pages"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
UNIT = "46d6a890000064000500e0c3"


def told(name: str, url: str) -> dict[str, Any]:
    body = (PAGES / name).read_bytes()
    return parse_document("auto", PageFile(url=url, body=body, now=NOW, zone=ZoneInfo("Europe/Berlin")))


def test_reviews_of_an_app() -> None:
    url = "https://itunes.apple.com/de/rss/customerreviews/page=1/id=4711000/sortBy=mostRecent/json"
    document = told("appstore_reviews.json", url)
    first, second = document["items"]
    assert (document["spider"], first["id"], first["author"]) == ("appstore", "appstore-review-9001", "Grünfink")
    assert (first["rating"], first["rating_raw"], first["votes"], second["rating"]) == (0.0, "1", 3, 1.0)
    assert (first["title"], first["text"]) == ("Stürzt ab", "Seit dem Update öffnet sich nichts mehr.")
    assert first["published"] == "2026-11-20T09:12:00-07:00"
    assert document["links"]["next"] == [url.replace("page=1", "page=2")]


def test_a_page_and_the_interface_tell_the_same_review() -> None:
    page = told("trustpilot_page.html", "https://www.trustpilot.com/review/nordnetz.example?languages=de")
    assert (page["spider"], page["state"]) == ("trustpilot", "ok")
    review, reply, other = page["items"]
    assert (review["id"], review["author"], review["rating"], review["verified"], review["votes"]) == (
        "review-66aa",
        "Jörg M",
        0.0,
        True,
        4,
    )
    assert (reply["kind"], reply["parent"], reply["staff"], reply["text"]) == (
        "reply",
        "review-66aa",
        True,
        "Das tut uns leid.",
    )
    assert (other["rating"], other["verified"], other["votes"]) == (1.0, None, None)
    assert page["links"]["next"] == ["https://www.trustpilot.com/review/nordnetz.example?languages=de&page=2"]
    parsed = trustpilot.parse(
        PageFile(url="https://api.trustpilot.com/", body=(PAGES / "trustpilot_answer.json").read_bytes(), now=NOW,
                 zone=ZoneInfo("UTC"))
    )  # fmt: skip
    same = ("id", "author", "title", "text", "rating", "verified", "votes")
    assert [getattr(parsed.items[0], name) for name in same] == [review[name] for name in same]
    assert parsed.items[1].text == reply["text"]
    assert parsed.links.next[0].endswith("page=2")


@pytest.mark.parametrize(
    ("body", "state"),
    [
        ('{"props":{"pageProps":{"__N_REDIRECT":"/users/connect?redirect=x"}}}', "gated"),
        ('{"props":{"pageProps":{"businessUnit":{},"reviews":[]}}}', "empty"),
        ('{"props":{"pageProps":{"businessUnit":{},"reviews":[{"id":1}]}}}', "layout_changed"),
        ('{"props":{"pageProps":{"businessUnit":{}}}}', "layout_changed"),
        ("{", "layout_changed"),
    ],
)
def test_what_is_no_list_of_reviews_says_so(body: str, state: str) -> None:
    html = f'<html><body><script id="__NEXT_DATA__" type="application/json">{body}</script></body></html>'
    page = PageFile(url="https://www.trustpilot.com/review/x", body=html.encode(), now=NOW, zone=ZoneInfo("UTC"))
    assert trustpilot.parse(page).state.value == state


def test_a_webhook_is_known_by_its_signature_and_tells_the_same_review() -> None:
    event = {
        "id": "66aa",
        "stars": 1,
        "title": "Nie wieder",
        "text": "Drei Wochen ohne Anschluss.",
        "createdAt": "2026-11-20T08:15:00Z",
        "consumer": {"id": "c1", "name": "Jörg M"},
    }
    body = json.dumps({"events": [{"eventName": "service-review-created", "eventData": event}]}).encode()
    signed = hmac.digest(b"s3", body, "sha256")
    hook = TrustpilotSpider.webhook
    assert hook is not None
    assert hook.is_genuine("s3", {"x-trustpilot-signature": signed.hex()}, body)
    assert hook.is_genuine("s3", {"x-trustpilot-signature": base64.b64encode(signed).decode()}, body)
    for headers in ({}, {"x-trustpilot-signature": "ü"}, {"x-trustpilot-signature": "0" * 64}):
        assert not hook.is_genuine("s3", headers, body)
    assert not hook.is_genuine("", {"x-trustpilot-signature": hmac.digest(b"", body, "sha256").hex()}, body)
    (item,) = hook.items(body) or ()
    assert (item.id, item.author, item.rating, item.text) == ("review-66aa", "Jörg M", 0.0, event["text"])
    assert hook.items(b"[]") is None
    assert hook.items(b"{") is None


def test_the_interface_is_asked_with_the_key_page_by_page(
    world: Any, pages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = world.site
    monkeypatch.setattr(trustpilot, "API", f"{site.url}/v1/business-units")
    place = f"/v1/business-units/{UNIT}/reviews?perPage=100&orderBy=createdat.desc"

    def review(number: int) -> dict[str, Any]:
        at = f"2026-11-{20 - number // 10:02}T08:{number % 10:02}:00Z"
        return {"id": f"r{number}", "stars": 2, "text": f"Text {number}", "createdAt": at, "consumer": {"name": "Ada"}}

    def answer(numbers: range, following: str = "") -> Any:
        links = [{"rel": "next-page", "href": f"{site.url}{following}"}] if following else []
        return pages.reply(json.dumps({"links": links, "reviews": [review(n) for n in numbers]}).encode())

    site.pages |= {place: answer(range(5), "/page2"), "/page2": answer(range(5, 8))}
    world.spiders = {"trustpilot": TrustpilotSpider}
    world.sources["tp"] = {"spider": "trustpilot", "url": "https://www.trustpilot.com/review/x", "business_unit": UNIT}
    without = world.visit("tp")
    assert (without.complete, site.asked) == (False, [])
    assert "TRUSTPILOT_API_KEY" in without.reason
    monkeypatch.setenv("TRUSTPILOT_API_KEY", "k77")
    assert world.visit("tp").complete
    assert [headers["Apikey"] for headers in site.headers] == ["k77", "k77"]
    assert len(world.pipeline.items) == 8
    world.pipeline.items.clear()
    site.pages[place] = answer(range(-1, 5), "/page2")
    assert world.visit("tp").complete
    assert world.pipeline.natives == ["review-r-1"]
    assert len(site.asked) == 3
    site.pages[place] = pages.reply(b"{}", 429, Retry_After="3600")
    assert world.visit("tp").answer.value == "rate_limited"


def test_a_quota_is_not_overdrawn(world: Any, pages: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    site = world.site
    monkeypatch.setattr(trustpilot, "API", f"{site.url}/v1/business-units")
    monkeypatch.setenv("TRUSTPILOT_API_KEY", "k77")
    place = f"/v1/business-units/{UNIT}/reviews?perPage=100&orderBy=createdat.desc"
    site.pages[place] = pages.reply(b'{"reviews": []}')
    world.spiders = {"trustpilot": TrustpilotSpider}
    world.sources["tp"] = {
        "spider": "trustpilot",
        "url": "https://www.trustpilot.com/review/x",
        "business_unit": UNIT,
        "quota": 5,
    }
    reports = [world.visit("tp") for _ in range(6)]
    assert [report.complete for report in reports] == [True] * 5 + [False]
    assert len(site.asked) == 5
    assert "quota of 5 is spent until" in reports[-1].reason
