"""The JSON of saved pages; and pages nobody meant to write."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rehearsal import page

from crawlers.parse import detect, parse_document, readers
from pipeline.words import Answer

PAGES = Path(__file__).parent / "pages"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "pages"
OWN = sorted(path for path in PAGES.iterdir() if path.is_file())
KEYS = (
    "kind", "id", "url", "author", "title", "text", "published", "precision", "rating", "rating_raw", "rating_scale",
    "votes", "parent", "thread", "position", "quotes_removed",
)  # fmt: skip


@pytest.mark.parametrize(
    ("file", "spider", "items"),
    [
        ("phpbb_topic.html", "phpbb", 3),
        ("phpbb_old_topic.html", "phpbb", 2),
        ("phpbb_latin1.html", "phpbb", 1),
        ("reviews_jsonld.html", "reviews", 4),
        ("reviews_microdata.html", "reviews", 2),
        ("feed_news.rss", "feed", 4),
        ("feed_comments.rss", "feed", 1),
        ("feed_phpbb.xml", "feed", 1),
        ("searxng.json", "searxng", 2),
        ("article.html", "article", 1),
    ],
)
def test_the_platform_is_known_by_the_page(file, spider, items):
    told = parse_document("auto", page((PAGES / file).read_bytes(), "https://bote.example/x"))
    assert (told["spider"], told["state"], len(told["items"])) == (spider, "ok", items)
    assert all(set(KEYS) <= set(item) for item in told["items"])
    assert {"next", "threads", "items"} <= set(told["links"])
    assert json.loads(json.dumps(told)) == told


def test_the_shape_of_one_item():
    told = parse_document(
        "phpbb", page((PAGES / "phpbb_topic.html").read_bytes(), "https://forum.example/viewtopic.php?t=41")
    )
    item = told["items"][1]
    assert {key: item[key] for key in ("kind", "id", "author", "parent", "thread", "published", "precision")} == {
        "kind": "post",
        "id": "p101",
        "author": "Gast",
        "parent": "p100",
        "thread": "t41",
        "published": "2026-11-21T18:05:00+01:00",
        "precision": "minute",
    }
    assert told["links"]["next"] == ["https://forum.example/viewtopic.php?f=3&start=3&t=41"]
    from_feed = parse_document("feed", page((PAGES / "feed_phpbb.xml").read_bytes()))["items"][0]
    assert (from_feed["id"], from_feed["kind"]) == ("p103", "post")
    [article] = parse_document("article", page((PAGES / "article.html").read_bytes()))["items"]
    assert (article["title"], article["author"]) == ("Netz für alle?", "Änne Schmidt")
    assert article["published"] == "2026-11-21T10:00:00+01:00"
    assert article["text"].count("\n\n") == 2


@pytest.mark.parametrize(
    ("body", "state", "reason"),
    [
        (b"", "error", "empty"),
        (b"<html><title>Just a moment...</title></html>", "challenge", "browser check"),
        (b"<?xml version='1.0'?><note></note>", "error", "no spider"),
        (b'{"data": 1}', "error", "no spider"),
        (b"<html><body><p>kurz</p></body></html>", "layout_changed", "no article text"),
    ],
)
def test_what_cannot_be_read_has_a_state_and_a_reason(body, state, reason):
    told = parse_document("auto", page(body))
    assert (told["state"], told["items"]) == (state, [])
    assert reason in told["reason"]


def test_an_unknown_spider_is_an_error():
    with pytest.raises(KeyError):
        parse_document("telepathie", page(b"x"))


def check(name: str, body: bytes) -> None:
    parsed = readers()[name](page(body))
    assert parsed.state in Answer
    assert parsed.items or parsed.threads or parsed.boards or parsed.reason


@pytest.mark.parametrize("name", ["feed", "phpbb", "reviews", "searxng", "article"])
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=400))
def test_no_bytes_raise(name, body):
    check(name, body)


BOMBS = {
    "deep html": b'<body id="phpbb">' + b"<div>" * 50_000 + b"x",
    "deep json": b'{"results": ' + b"[" * 50_000,
    "deep ld": b'<script type="application/ld+json">' + b'{"@type":"Review","review":' * 20_000 + b"</script>",
    "many posts": b'<body id="phpbb">' + b'<div id="p1" class="post"><div class="content">x</div></div>' * 3_000,
    "entities": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><rss><channel><item><title>&b;',
    "digits": b'<body id="phpbb"><div id="p1" class="post"><p class="author">%s</p><div class="content">x'
    % (b"1" * 9_999),
}


@pytest.mark.parametrize("name", BOMBS)
def test_pages_made_to_hurt_are_read_or_refused(name):
    for reader in readers():
        began = time.process_time()
        check(reader, BOMBS[name])
        assert time.process_time() - began < 60, reader


@pytest.mark.skipif(not SHARED.exists(), reason="the saved pages are not part of the project")
@pytest.mark.parametrize("name", ["Golem", "Heise", "Tagesschau"])
def test_articles_of_real_newspapers(name):
    folder = SHARED / "news_de"
    truth = json.loads((folder / f"{name}.truth.json").read_text("utf-8"))["V1"]
    [file] = folder.glob(f"{name}_*.html")
    assert detect(page(file.read_bytes()))[0] == "article"
    [item] = parse_document("auto", page(file.read_bytes(), "https://x.de/a"))["items"]
    assert (item["title"], item["author"].split(", ")) == (truth["title"], truth["authors"])
    assert item["published"][:10] == truth["publishing_date"][:10]
    body = [word for section in truth["body"]["sections"] for text in section["paragraphs"] for word in text.split()]
    words = set(item["text"].split())
    assert sum(word in words for word in body) / len(body) > 0.95
