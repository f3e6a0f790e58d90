"""What other programs hand in becomes mentions; what is wrong is told and nothing of it is taken."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from fastapi.testclient import TestClient
from webhouse import Enter

from crawlers.parsing import ParsedItem
from crawlers.spiders.push import PushOptions, PushSpider
from crawlers.webhook import Signature, Webhook
from dashboards.api import items as api
from pipeline.secrets import author_key
from pipeline.words import Kind

TOKEN = {"Authorization": "Bearer geheim-77"}
GOOD = {"id": "T-1", "text": "Nordnetz geht seit Stunden nicht.", "author": "Ada", "published": "2026-11-20T10:01"}


@pytest.fixture
def desk(folder: Path, enter: Enter) -> TestClient:
    """A house with a push source whose token is in a file."""
    author_key(folder, data_present=False)
    (folder / "token").write_text("geheim-77\n", "utf-8")
    source = {
        "spider": "push",
        "url": "http://desk.test/",
        "token_file": str(folder / "token"),
        "about": "nordnetz",
        "channel": "own",
    }
    other = {"spider": "push", "url": "http://other.test/", "token_env": "NO_SUCH_TOKEN"}
    feed = {"spider": "feed", "url": "http://blatt.test/feed"}
    return enter(folder, sources={"desk": source, "other": other, "blatt": feed})


def hand_in(client: TestClient, *items: Mapping[str, Any], source: str = "desk", **headers: str) -> Any:
    return client.post("/api/items", json={"source": source, "items": list(items)}, headers=TOKEN | headers)


def test_what_is_handed_in_is_stored_once_under_its_own_name(desk: TestClient) -> None:
    first, again = hand_in(desk, GOOD), hand_in(desk, GOOD)
    assert (first.status_code, first.json()["stored"]) == (200, 1)
    assert (again.json()["stored"], again.json()["unchanged"]) == (0, 1)
    (found,) = desk.get("/api/mentions", params={"q": "source:desk"}).json()["mentions"]
    assert (found["text"], found["channel"], found["opinions"][0]["brand"]) == (GOOD["text"], "own", "nordnetz")
    assert (found["published"], found["historic"]) == ("2026-11-20T09:01:00+00:00", False)
    assert found["author"] != "Ada"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"id": "T-2", "text": ""}, "text: empty"),
        ({"id": "T-2", "text": "x", "published": "neulich"}, "published: 'neulich' is no time"),
        ({"id": "T-2", "text": "x", "source": "other"}, "source: one call hands in items of one source"),
        ({"url": "ftp://x.test/", "text": "x"}, "url: 'ftp://x.test/' is no address"),
    ],
)
def test_one_wrong_item_keeps_the_whole_call_out(desk: TestClient, wrong: Mapping[str, Any], words: str) -> None:
    answer = hand_in(desk, GOOD, wrong)
    assert (answer.status_code, answer.json()["field"]) == (422, "items.1")
    assert words in answer.json()["message"]
    assert desk.get("/api/mentions", params={"q": "source:desk"}).json()["mentions"] == []


def test_only_the_token_of_the_source_opens_it(desk: TestClient) -> None:
    assert hand_in(desk, GOOD, Authorization="Bearer geheim-78").status_code == 401
    assert hand_in(desk, GOOD, Authorization="Basic geheim-77").status_code == 401
    assert hand_in(desk, GOOD, source="other").status_code == 403
    assert hand_in(desk, GOOD, source="blatt").status_code == 403
    assert hand_in(desk, GOOD, source="nobody").status_code == 404
    assert desk.get("/api/mentions", params={"q": "source:desk"}).json()["mentions"] == []


def test_who_guesses_is_no_longer_listened_to(desk: TestClient) -> None:
    answers = [hand_in(desk, GOOD, Authorization=f"Bearer {n}").status_code for n in range(6)]
    assert answers == [401] * 5 + [429]
    assert hand_in(desk, GOOD).status_code == 429


def test_a_call_that_is_too_large_or_no_json_is_refused(desk: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = desk.post("/api/items", content=b"{}", headers=TOKEN | {"Content-Type": "text/plain"})
    assert plain.status_code == 415
    broken = desk.post("/api/items", content=b"{", headers=TOKEN | {"Content-Type": "application/json"})
    assert broken.status_code == 422
    monkeypatch.setattr(api, "MOST_BYTES", 100)
    assert hand_in(desk, GOOD | {"text": "x" * 200}).status_code == 413


# --- webhooks -------------------------------------------------------------------------------------------------


def _items(body: bytes) -> tuple[ParsedItem, ...] | None:
    told = json.loads(body)
    if "review" not in told:
        return None
    return (ParsedItem(kind=Kind.REVIEW, id=told["review"], text=told["text"], rating=0.0),)


class HookedOptions(PushOptions):
    hook_secret_env: str = "HOOK_SECRET"


class HookedSpider(PushSpider):
    name = "hooked"
    platform = "hooked"
    Options = HookedOptions
    webhook: ClassVar[Webhook | None] = Webhook(signature=Signature(("x-sign",)), items=_items)


def test_a_webhook_is_believed_by_its_signature(folder: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    author_key(folder, data_present=False)
    monkeypatch.setenv("HOOK_SECRET", "s3")
    monkeypatch.setattr(api, "spiders", lambda: {"hooked": HookedSpider, "push": PushSpider})
    source = {"spider": "hooked", "url": "http://portal.test/", "about": "nordnetz", "channel": "review"}
    client = enter(folder, sources={"portal": source, "desk": {"spider": "push", "url": "http://x.test/"}})

    def call(body: bytes, secret: str = "s3", source: str = "portal") -> Any:
        signed = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return client.post(f"/api/hooks/{source}", content=body, headers={"X-Sign": signed})

    review = json.dumps({"review": "r1", "text": "Nie wieder Nordnetz"}).encode()
    assert call(review, "s4").status_code == 401
    assert call(review).json()["stored"] == 1
    assert call(review).json()["unchanged"] == 1
    assert call(b'{"other": 1}').status_code == 422
    assert call(review, source="desk").status_code == 404
    (found,) = client.get("/api/mentions", params={"q": "source:portal"}).json()["mentions"]
    assert (found["text"], found["kind"], found["rating"]) == ("Nie wieder Nordnetz", "review", 0.0)


# --- contacts -------------------------------------------------------------------------------------------------


def test_contacts_are_a_denominator(folder: Path, enter: Enter) -> None:
    client = enter(folder)
    row = {"brand": "nordnetz", "day": "2026-11-20", "kind": "phone", "count": 4000}
    told = client.post("/api/contacts", json={"contacts": [row, row | {"kind": "mail", "count": 1000}]})
    assert told.json() == {"recorded": 2}
    (day,) = client.get("/api/contacts").json()["days"]
    assert day["contacts"] == {"mail": 1000, "phone": 4000}
    assert (day["total"], day["negative"], day["per_thousand"]) == (5000, 31, 6.2)
    assert "Nordnetz, Fr 20.11.2026: 5.000 Kontakte, Kritik je 1.000: 6,2" in client.get("/").text
    client.post("/api/contacts", json={"contacts": [row | {"count": 9000}]})
    assert client.get("/api/contacts").json()["days"][0]["total"] == 10_000
    wrong = client.post("/api/contacts", json={"contacts": [row, row | {"brand": "x"}]})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "contacts.1")
    assert "'x' is none of nordnetz, gleisbahn" in wrong.json()["message"]
