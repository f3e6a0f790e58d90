"""Answers that real networks gave, read by the real spiders over HTTP, down to the mentions in the store."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from clocks import RunningClock
from loopback import loopback

from crawlers.parse import parse_document
from crawlers.parsing import PageFile
from crawlers.service import crawl_once
from pipeline.configuration import Configuration, StoreTable
from pipeline.examples import EXAMPLE_BRANDS
from pipeline.identity import uid_of
from pipeline.mention import Mention
from pipeline.query.tree import EVERYTHING
from pipeline.store.opening import open_store
from pipeline.words import Answer

PAGES = Path(__file__).parents[3] / "shared" / "data" / "pages"
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not PAGES.exists(), reason="the saved pages are not part of the project")

EXPECTED = {
    "youtube/comment_threads_by_video_paged_1.json": (5, "himani agarwal", "2019-11-26T15:51:44", "Google.com"),
    "facebook/feeds_default_fields_p1.json": (5, None, "2021-07-09T19:09:52", "Singaporean logistics company Ninja"),
    "facebook/comments_p1.json": (10, None, "2021-08-10T18:45:03", "Boa noite peço ajuda"),
    "x/search_tweets_query.json": (4, "happycamper", "2020-06-25T06:14:19", "@snowman Ooo, thanks error message"),
    "mastodon/search_v2_mastodon.social.json": (2, "greg@icosahedron.website", "2026-04-11T21:16:53", "@cancel @halcy"),
    "mastodon/timeline_tag_hoot.json": (1, "mastodonpy_test_2", "2026-08-01T13:55:55.867", "#hoot (hashtag toot)"),
    "mastodon/timeline_tag_paged.json": (10, "mastodonpy_test_2", "2026-08-01T13:53:00.55", "Toot number 29!"),
    "live/bluesky/searchPosts_telekom.json": (4, "u70656e646c65.test", "2026-11-06T15:05:00", "Super Service im Tele"),
    "live/bluesky/searchPosts_bahn.json": (2, "u4d697269616d.test", "2026-11-04T10:26:00", "Schon wieder 90 Minuten"),
    "live/bluesky/getAuthorFeed.json": (2, "u4b6c6175734d.test", "2026-11-04T11:57:00", "Preis-Leistung stimmt"),
    "live/bluesky/getPostThread.json": (6, "u4b6c6175734d.test", "2026-11-02T08:15:00", "Bei mir fällt das DSL"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_saved_answer_is_known_and_read(name: str) -> None:
    count, author, published, text = EXPECTED[name]
    body = (PAGES / name).read_bytes()
    told = parse_document("auto", PageFile(url="https://answer.example/", body=body, now=NOW, zone=ZoneInfo("UTC")))
    first = told["items"][0]
    spider = name.removeprefix("live/").partition("/")[0]
    assert (told["spider"], told["state"], len(told["items"])) == (spider, "ok", count)
    assert first["author"] == author
    assert first["published"].startswith(published)
    assert first["text"].startswith(text)
    assert all(item["url"] and item["published"] and (item["text"] or item["title"]) for item in told["items"])


def test_a_server_that_wants_a_login_says_what_to_do() -> None:
    body = (PAGES / "live/bluesky/searchPosts_via_pds_noauth.json").read_bytes()
    told = parse_document(
        "auto", PageFile(url="https://a.example/", body=body, now=NOW, zone=ZoneInfo("UTC"), status=401)
    )
    assert (told["spider"], told["state"], told["items"]) == ("bluesky", "gated", [])


def mentions(tmp_path: Path, clock: RunningClock, web: Any, entry: dict[str, Any]) -> list[Mention]:
    told = Configuration.model_validate(
        {
            "contact": "test@example.org",
            "brands": EXAMPLE_BRANDS,
            "sources": {"net": {"about": "telekom", "backfill": "9999d", **entry, "url": web.url + entry["url"]}},
            "crawl": {"delay": 0, "allow_private": ["127.0.0.1"]},
            "retention": {"mentions": "9999d"},
        }
    )
    [report] = crawl_once(told, tmp_path, clock)
    assert (report.complete, report.answer) == (True, Answer.OK), report
    with closing(open_store(tmp_path, StoreTable(), clock=clock)) as store:
        return sorted(store.scan(EVERYTHING), key=lambda mention: mention.event_time, reverse=True)


def as_is(name: str) -> tuple[int, str, bytes]:
    return 200, "application/json", (PAGES / name).read_bytes()


NOTHING = (200, "application/json", b'{"items": [], "data": [], "meta": {"total_tweet_count": 4}}')


@pytest.mark.parametrize(
    ("spider", "url", "options", "name", "count"),
    [
        ("mastodon", "", {"tags": ["hoot"]}, "mastodon/timeline_tag_paged.json", 10),
        ("mastodon", "", {"queries": ["a"], "key_env": "TOKEN"}, "mastodon/search_v2_mastodon.social.json", 2),
        ("bluesky", "", {"queries": ["a"], "replies": False}, "live/bluesky/searchPosts_telekom.json", 4),
        ("youtube", "/v3", {"videos": ["F1UP7wRCPH8"]}, "youtube/comment_threads_by_video_paged_1.json", 5),
        ("x", "/2", {"queries": ["snowman"]}, "x/search_tweets_query.json", 4),
    ],
)
def test_answers_become_mentions_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    spider: str,
    url: str,
    options: dict[str, Any],
    name: str,
    count: int,
) -> None:
    for key in ("STURMWARTE_YOUTUBE_KEY", "STURMWARTE_X_TOKEN", "TOKEN"):
        monkeypatch.setenv(key, "a-token")
    entry = {"spider": spider, "url": url, **options}

    def answer(path: str, query: dict[str, str]) -> tuple[int, str, bytes]:
        later = query.keys() & {"pageToken", "max_id", "next_token", "offset", "cursor"}
        return NOTHING if later or "/counts/" in path or path.endswith("/comments") else as_is(name)

    clock = RunningClock(NOW)
    with loopback(answer) as web:
        found = mentions(tmp_path, clock, web, entry)
        assert len(found) == count
        clock.advance(hours=1)
        again = mentions(tmp_path, clock, web, entry)
    assert {(one.uid, one.revision) for one in again} == {(one.uid, 1) for one in found}


def test_a_bluesky_thread_is_read_with_its_answers(tmp_path: Path) -> None:
    truth = json.loads((PAGES / "live" / "content.json").read_text("utf-8"))["topics"][0]["posts"][:6]
    first = json.loads(as_is("live/bluesky/getPostThread.json")[2])["thread"]["post"]

    def answer(path: str, query: dict[str, str]) -> tuple[int, str, bytes]:
        if path.endswith("getPostThread"):
            return as_is("live/bluesky/getPostThread.json")
        return 200, "application/json", json.dumps({"posts": [first]}).encode()

    clock = RunningClock(NOW)
    with loopback(answer) as web:
        found = mentions(tmp_path, clock, web, {"spider": "bluesky", "url": "", "queries": ["DSL"]})
    said = [post["text"][:290] for post in truth]
    assert [mention.crawled.text for mention in reversed(found)] == [text.rstrip() for text in said]
    did, key = first["uri"].split("/")[2], first["uri"].split("/")[4]
    assert found[-1].uid == uid_of("bsky.app", f"/ p{did}/{key}")
    assert {mention.crawled.thread for mention in found} == {f"bsky.app / p{did}/{key}"}


def test_a_facebook_page_with_its_comments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STURMWARTE_FACEBOOK_TOKEN", "a-token")
    post = "19292868552_10158349356748553"

    def answer(path: str, query: dict[str, str]) -> tuple[int, str, bytes]:
        if path.endswith("/feed"):
            feed = json.loads(as_is("facebook/feeds_default_fields_p1.json")[2])
            return 200, "application/json", json.dumps({"data": feed["data"]}).encode()
        if path.endswith(f"/{post}/comments"):
            comments = json.loads(as_is("facebook/comments_p1.json")[2])
            return 200, "application/json", json.dumps({"data": comments["data"]}).encode()
        return 200, "application/json", b'{"data": []}'

    clock = RunningClock(NOW)
    with loopback(answer) as web:
        found = mentions(tmp_path, clock, web, {"spider": "facebook", "url": "/v23.0/19292868552"})
    assert len(found) == 15
    assert sum(mention.crawled.thread == "facebook.com / p10158349356748553" for mention in found) == 11
