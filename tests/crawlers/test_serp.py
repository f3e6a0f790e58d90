"""Saved result pages of search engines: organic results in their order, and a wall is never "no results"."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from crawlers.parse import parse_document
from crawlers.parsing import PageFile
from crawlers.serp import unwrapped

PAGES = Path(__file__).parent / "pages"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
URLS = {
    "google": "https://www.google.de/search?q=nordnetz",
    "bing": "https://www.bing.com/search?q=nordnetz",
    "duckduckgo": "https://duckduckgo.com/?q=nordnetz",
    "ecosia": "https://www.ecosia.org/search?q=nordnetz",
}


def told(engine: str, body: bytes, spider: str = "auto") -> dict:
    page = PageFile(url=URLS[engine], body=body, now=NOW, zone=ZoneInfo("Europe/Berlin"))
    return parse_document(spider, page)


@pytest.mark.parametrize("engine", URLS)
def test_organic_results_in_their_order_without_adverts_and_wrappers(engine: str) -> None:
    document = told(engine, (PAGES / f"{engine}_results.html").read_bytes())
    assert (document["spider"], document["state"]) == (engine, "ok")
    first, second = document["results"]
    assert [first["position"], second["position"]] == [1, 2]
    assert first["url"] in ("https://forum.example/t/9", "https://forum.example/t?p=7")
    assert (second["url"], second["title"]) == ("https://blatt.example/nordnetz", "Nordnetz verliert Kunden")
    assert second["snippet"] == "Die Zahl der Kündigungen steigt."
    assert [item["kind"] for item in document["items"]] == ["result", "result"]


@pytest.mark.parametrize("engine", ["google", "bing", "duckduckgo"])
def test_the_date_before_a_snippet_is_its_time(engine: str) -> None:
    first = told(engine, (PAGES / f"{engine}_results.html").read_bytes())["items"][0]
    assert (first["published"], first["precision"]) == ("2026-11-20T00:00:00+01:00", "day")
    assert not first["text"].startswith(("20", "Nov"))


@pytest.mark.parametrize(
    ("engine", "body", "state"),
    [
        ("google", b"<html><body><form id='captcha-form' action='index'></form></body></html>", "challenge"),
        ("google", b"<html><body id='gsr'><div id='rcnt'></div></body></html>", "challenge"),
        ("google", b"<body id='gsr'><p>Es wurden keine mit deiner Suchanfrage - x - </p>", "empty"),
        ("google", b"<html><body><p>Hallo</p></body></html>", "layout_changed"),
        ("bing", b"<ol id='b_results'><li class='b_no'><h1>There are no results for x</h1></li></ol>", "empty"),
        ("bing", b"<div id='b_content'><div class='captcha'></div></div>", "challenge"),
        ("duckduckgo", b"<div class='anomaly-modal__modal'>Select all ducks</div>", "challenge"),
        ("duckduckgo", b"<div id='links_wrapper'><div class='no-results'>x</div></div>", "empty"),
        ("ecosia", b"<section data-test-id='mainline'></section>", "challenge"),
        ("ecosia", b"", "error"),
    ],
)
def test_a_wall_is_never_no_results(engine: str, body: bytes, state: str) -> None:
    document = told(engine, body, engine)
    assert (document["state"], document["items"]) == (state, [])
    assert document["reason"]


@pytest.mark.parametrize(
    ("wrapped", "url"),
    [
        ("https://www.google.com/url?q=https://x.de/a&sa=U", "https://x.de/a"),
        ("https://duckduckgo.com/l/?uddg=https%3A%2F%2Fx.de%2Fa", "https://x.de/a"),
        ("https://www.bing.com/ck/a?!&u=a1aHR0cHM6Ly94LmRlL2E", "https://x.de/a"),
        ("https://www.bing.com/ck/a?!&u=a1!!!", "https://www.bing.com/ck/a?!&u=a1!!!"),
        ("https://www.google.com/url?q=javascript:alert(1)", "https://www.google.com/url?q=javascript:alert(1)"),
        ("https://x.de/url?other=1", "https://x.de/url?other=1"),
    ],
)
def test_redirections_are_unwrapped_without_asking(wrapped: str, url: str) -> None:
    assert unwrapped(wrapped) == url
