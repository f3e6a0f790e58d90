"""Saved result pages of search engines: organic results alone, and why there are none."""

from pathlib import Path

import pytest
from rehearsal import page

from crawlers.parse import detect, parse_document
from crawlers.serp import READERS
from crawlers.unwrap import unwrapped
from pipeline.words import Answer

PAGES = Path(__file__).parent / "pages"
POST, NEWS = "https://forum.example/viewtopic.php?p=103", "https://bote.example/netz/"


def read(name: str):
    return READERS[name.partition("_")[0]](page((PAGES / name).read_bytes(), "https://gespeichert.example/"))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (
            "google_results.html",
            [
                (POST, "Nordnetz-Hotline: Ärger über Wartezeit", "Zwei Stunden in der Schleife, dann aufgelegt."),
                ("https://bote.example/2026/11/netz/", "Netz für alle", "Der Ausbau geht weiter."),
            ],
        ),
        ("bing_results.html", [(POST, "Nordnetz: Ärger", "Wieder kein Netz."), (NEWS, "Netz für alle", "Der Ausbau.")]),
        ("duckduckgo_results.html", [(POST, "Nordnetz: Ärger", "Wieder kein Netz.")]),
        ("duckduckgo_lite.html", [(NEWS, "Netz für alle", "Der Ausbau.")]),
        ("ecosia_results.html", [(NEWS, "Netz für alle", "Der Ausbau.")]),
    ],
)
def test_organic_results_in_their_order_with_the_address_they_lead_to(name, found):
    parsed = read(name)
    assert parsed.state is Answer.OK
    assert [(item.url, item.title, item.text) for item in parsed.items] == found
    assert [row.position for row in parsed.results] == list(range(1, len(found) + 1))
    assert detect(page((PAGES / name).read_bytes()))[0] == name.partition("_")[0]


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("google_consent.html", Answer.CHALLENGE),
        ("google_javascript.html", Answer.CHALLENGE),
        ("google_nothing.html", Answer.EMPTY),
        ("bing_nothing.html", Answer.EMPTY),
        ("duckduckgo_robot.html", Answer.CHALLENGE),
    ],
)
def test_a_wall_is_not_nothing_found(name, state):
    parsed = read(name)
    assert (parsed.state, parsed.items) == (state, ())
    assert parsed.reason


def test_a_page_that_says_nothing_of_results_has_changed():
    body = b"<html><body><ol id='b_results'><li class='neu'><a href='https://x.example/'>X</a></li></ol></body></html>"
    assert READERS["bing"](page(body)).state is Answer.LAYOUT_CHANGED
    assert READERS["bing"](page(b"")).state is Answer.ERROR


def test_results_that_share_an_address_keep_their_places():
    body = (PAGES / "bing_results.html").read_text("utf-8").replace(NEWS, POST)
    document = parse_document("bing", page(body))
    assert [(row["position"], row["url"]) for row in document["results"]] == [(1, POST), (2, POST)]


@pytest.mark.parametrize(
    ("url", "inner"),
    [
        ("https://www.google.de/url?q=https://a.example/b%3Fc%3D1&sa=U", "https://a.example/b?c=1"),
        ("https://www.google.de/url?q=javascript:alert(1)", "https://www.google.de/url?q=javascript:alert(1)"),
        ("https://www.bing.com/ck/a?u=a1aHR0cHM6Ly9hLmV4YW1wbGUv", "https://a.example/"),
        ("https://www.bing.com/ck/a?u=a1%%%", "https://www.bing.com/ck/a?u=a1%%%"),
        (
            "http://www.bing.com/news/apiclick.aspx?ref=FexRss&aid=&tid=1&url=https%3a%2f%2fa.example%2fb%3fc%3d1&c=2",
            "https://a.example/b?c=1",
        ),
        ("https://www.bing.com/news/apiclick.aspx?ref=x", "https://www.bing.com/news/apiclick.aspx?ref=x"),
        ("https://duckduckgo.com/l/?uddg=https%3A%2F%2Fa.example%2F", "https://a.example/"),
        ("https://a.example/url?q=https://b.example/", "https://a.example/url?q=https://b.example/"),
        ("http://[kaputt", "http://[kaputt"),
    ],
)
def test_redirects_are_unwrapped_without_asking(url, inner):
    assert unwrapped(url) == inner
