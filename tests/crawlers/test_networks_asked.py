"""Interfaces as they answer over HTTP: refusals, waiting, quota, and secrets that stay where they belong."""

from __future__ import annotations

import gzip
import json
import logging
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from crawlers.facts import facts
from crawlers.raw import RawPages
from crawlers.registry import spiders
from crawlers.tokens import SignIn, Tokens
from pipeline.i18n import Speech
from pipeline.reasons import in_words
from pipeline.state.opening import open_state
from pipeline.state.tables import fetch, quota
from pipeline.words import Answer, SourceState
from sturmwarte.doctor import _sources

PAGES = Path(__file__).parent / "pages"
SECRET = "streng-geheim-0815"


def read(name: str) -> bytes:
    return (PAGES / name).read_bytes()


@pytest.fixture
def network(world: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    world.spiders = spiders()
    for name in ("YOUTUBE_KEY", "X_TOKEN", "FACEBOOK_TOKEN", "REDDIT_SECRET", "BLUESKY_PASSWORD"):
        monkeypatch.setenv(f"STURMWARTE_{name}", SECRET)
    return world


def any_path(world: Any, answer: Any) -> None:
    """The same answer whatever is asked for."""

    class Everything(dict[str, Any]):
        def get(self, path: str, default: Any = None) -> Any:
            return answer

    world.site.pages = Everything()


MASTODON = {"spider": "mastodon", "tags": ["x"]}
LIMITED, GATED = Answer.RATE_LIMITED, Answer.GATED
EXPIRED = {"code": 190, "type": "OAuthException", "message": "Session has expired"}
CASES = [
    (MASTODON, 401, {"error": "The access token is invalid"}, GATED, "key_file"),
    (MASTODON, 422, {"error": "This method requires an authenticated user"}, GATED, "key_file"),
    ({"spider": "bluesky", "queries": ["x"]}, 401, json.loads(read("bluesky_gated.json")), GATED, "app password"),
    ({"spider": "youtube", "channels": ["UC1"]}, 403, json.loads(read("youtube_spent.json")), LIMITED, "midnight"),
    ({"spider": "youtube", "videos": ["F1"]}, 403, json.loads(read("youtube_spent.json")), LIMITED, "midnight"),
    ({"spider": "x", "queries": ["x"]}, 401, {"title": "Unauthorized", "status": 401, "detail": "No"}, GATED, "token"),
    ({"spider": "facebook"}, 400, {"error": EXPIRED}, GATED, "needed anew"),
    ({"spider": "reddit", "client_id": "a"}, 401, {"message": "Unauthorized", "error": 401}, GATED, "client_id"),
]


@pytest.mark.parametrize(("entry", "status", "body", "answer", "said"), CASES)
def test_a_refusal_is_told_with_what_to_do(network, pages, entry, status, body, answer, said):
    extra = {"token_url": f"{network.site.url}/token"} if entry["spider"] == "reddit" else {}
    network.sources = {"board": {"url": network.site.url, **entry, **extra}}
    any_path(network, pages.reply(json.dumps(body).encode(), status))
    report = network.visit()
    assert (report.complete, report.answer, network.row().watermark) == (False, answer, None)
    assert said in report.reason
    assert in_words(report.reason, Speech("de", ZoneInfo("UTC"))) != report.reason
    with network.state.read() as connection:
        assert connection.scalars(sa.select(fetch.c.answer)).all()[-1] == answer.value
    if answer is Answer.GATED:
        assert report.state is SourceState.BLIND


def test_being_asked_to_wait_closes_the_host_for_that_long(network, pages):
    network.sources = {"board": {"spider": "mastodon", "url": network.site.url, "tags": ["a", "b"]}}
    any_path(network, pages.reply(b'{"error": "Too many requests"}', 429, Retry_After="1800"))
    report = network.visit()
    assert (report.answer, len(network.site.paths())) == (Answer.RATE_LIMITED, 1)
    assert (network.row().next_due - network.clock.now()).total_seconds() > 1700


def test_broken_utf_8_and_compressed_answers_are_read(network, pages):
    body = read("mastodon_tag.json").replace("Störung".encode(), b"St\xf6rung")
    network.sources = {"board": {"spider": "mastodon", "url": network.site.url, "tags": ["a"]}}
    any_path(network, pages.reply(gzip.compress(body), Content_Encoding="gzip"))
    assert network.visit().items == 2
    assert any("St\ufffdrung um 9:30" in item.text for item in network.pipeline.items.values())


def test_a_slow_body_is_given_up_and_the_source_goes_on_later(network, pages):
    network.crawl |= {"timeout": "1s"}
    network.sources = {"board": {"spider": "mastodon", "url": network.site.url, "tags": ["a"]}}

    def slowly(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b"[")
        handler.wfile.flush()
        handler.rfile.read(1)

    any_path(network, slowly)
    report = network.visit()
    assert (report.complete, report.answer) == (False, Answer.ERROR)


def test_a_quota_that_is_nearly_spent_is_told_beside_a_healthy_source(network, pages):
    network.sources = {"board": {"spider": "youtube", "url": network.site.url, "videos": ["Film0000001"], "quota": 5}}
    any_path(network, pages.reply(b'{"items": []}'))
    for _ in range(3):
        assert network.visit().complete
    assert network.row().reason == ""
    report = network.visit()
    assert (report.complete, network.row().reason) == (True, "4 of 5 units of the quota are spent")
    with closing(open_state(network.folder, network.table)) as state, state.read() as connection:
        told = {check.phrase: check for check in _sources(connection)}["source_notice"]
    assert (told.good, told.values) == (True, {"source": "board", "reason": "4 of 5 units of the quota are spent"})
    assert (
        in_words(network.row().reason, Speech("de", ZoneInfo("UTC")))
        == "4 von 5 Einheiten des Kontingents sind verbraucht"
    )
    assert network.visit().complete
    spent = network.visit()
    assert (spent.answer, len(network.site.paths())) == (Answer.RATE_LIMITED, 5)


def test_sources_with_one_key_share_its_quota_and_another_key_has_its_own(network, pages, tmp_path):
    any_path(network, pages.reply(b'{"items": []}'))
    film = {"spider": "youtube", "url": network.site.url, "videos": ["Film0000001"], "quota": 5}
    for name in ("ours", "theirs"):
        (tmp_path / name).write_text(SECRET, "utf-8")
    network.sources = {
        "one": film | {"key_file": str(tmp_path / "ours")},
        "two": film | {"key_file": str(tmp_path / "ours")},
        "other": film | {"key_file": str(tmp_path / "theirs")},
        "usual": film,
    }
    for names in (("one",), ("two",), ("one",), ("other",), ("usual",), ("usual",)):
        network.run(*names)
    with network.state.read() as connection:
        used = {row.name: row.used for row in connection.execute(sa.select(quota)) if row.name.startswith("youtube")}
        sources = network.configuration.sources
        told = {
            name: facts(connection, network.row(name), sources[name], network.clock.now())["quota"]["used"]
            for name in sources
        }
    assert used == {f"youtube {tmp_path / 'ours'}": 3, f"youtube {tmp_path / 'theirs'}": 1, "youtube": 2}
    assert told == {"one": 3, "two": 3, "other": 1, "usual": 2}


def test_tokens_and_keys_are_in_no_evidence_no_log_and_no_state(network, pages, caplog):
    caplog.set_level(logging.DEBUG)
    token = "eyJ.token.aus-der-anmeldung"

    def answer(handler: Any) -> None:
        if "createSession" in handler.path or handler.path == "/token":
            body = json.dumps({"accessJwt": token, "access_token": token, "expires_in": 3600}).encode()
        elif "/v23.0/" in handler.path:
            body = read("facebook_feed.json").replace(b'"next"', b'"nichts"').replace(b"geheim123", SECRET.encode())
        else:
            body = read("reddit_new.json" if "/r/" in handler.path else "bluesky_feed.json").replace(
                b'"after": "t3_1aaaa"', b'"after": null'
            )
        pages.reply(body)(handler)

    any_path(network, answer)
    url = network.site.url
    network.sources = {
        "sky": {"spider": "bluesky", "url": url, "accounts": ["anna.example"], "account": "wir.example"},
        "face": {"spider": "facebook", "url": f"{url}/v23.0/100000000000001"},
        "red": {"spider": "reddit", "url": url, "subreddits": ["netz"], "client_id": "a", "token_url": f"{url}/token"},
    }
    reports = network.run()
    assert {report.source: (report.complete, report.items > 0) for report in reports} == {
        "sky": (True, True),
        "face": (True, True),
        "red": (True, True),
    }
    sent = [headers.get("Authorization") for headers in network.site.headers]
    assert f"Bearer {token}" in sent and f"Bearer {SECRET}" in sent
    told = b"".join(path.read_bytes() for path in network.folder.rglob("*") if path.is_file())
    with network.state.read() as connection:
        kept = [RawPages(network.folder).load(sha) for sha in connection.scalars(sa.select(fetch.c.sha256)) if sha]
        assert len(kept) >= 3
    for secret in (token, SECRET):
        assert secret not in caplog.text
        assert secret.encode() not in told + b"".join(kept)


def test_a_token_is_used_until_shortly_before_its_end():
    ask = SignIn(url="https://a.example/token", account="wir", headers={}, body=f"password={SECRET}")
    tokens, at = Tokens(), datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert tokens.keep(ask, b'{"access_token": "t1", "expires_in": 600}', at) == "t1"
    assert (tokens.get(ask, at + timedelta(seconds=479)), tokens.get(ask, at + timedelta(seconds=480))) == ("t1", None)
    assert tokens.keep(ask, b'{"access_token": "t2"}', at) == "t2"
    assert tokens.get(ask, at + timedelta(minutes=57)) == "t2"
    tokens.forget(ask)
    assert tokens.get(ask, at) is None
    assert [tokens.keep(ask, body, at) for body in (b"", b"[]", b'{"access_token": 7.5}', b"\xff")] == [None] * 4
    assert SECRET not in repr(ask) and "t2" not in repr(tokens)


def test_a_film_whose_comments_are_turned_off_is_read(network, pages):
    network.sources = {"board": {"spider": "youtube", "url": network.site.url, "videos": ["Film0000001"]}}
    error = {"code": 403, "message": "off", "errors": [{"reason": "commentsDisabled"}]}
    any_path(network, pages.reply(json.dumps({"error": error}).encode(), 403))
    assert network.visit().complete
