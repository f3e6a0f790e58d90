"""Result pages, headlines and articles that real sites served, as the readers take them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from crawlers.article import parse_article
from crawlers.parse import parse_document
from crawlers.parsing import PageFile

FOLDER = Path("shared", "data", "pages")
PAGES = next((up / FOLDER for up in Path(__file__).resolve().parents if (up / FOLDER).exists()), FOLDER)

pytestmark = pytest.mark.skipif(not PAGES.exists(), reason="the saved pages are not part of the project")


def saved(name: str) -> PageFile:
    now, zone = datetime(2026, 11, 22, 6, tzinfo=UTC), ZoneInfo("Europe/Berlin")
    return PageFile(url="http://saved.example/", body=(PAGES / name).read_bytes(), now=now, zone=zone)


@pytest.mark.parametrize(
    ("spider", "name", "state", "count", "title"),
    [
        ("google", "google/openserp_search_results.html", "ok", 10, "Using the Fetch API - MDN Web Docs"),
        ("google", "google/openserp_search_captcha_new.html", "challenge", 0, ""),
        ("google", "google/openserp_search_no_results.html", "empty", 0, ""),
        ("bing", "bing/openserp_search_results.html", "ok", 10, "How to read a local text file using JavaScript?"),
        ("duckduckgo", "duckduckgo/openserp_search_results.html", "ok", 10, "Using the Fetch API - Web APIs | MDN"),
        ("googlenews", "googlenews/search_2026-09-25_excerpt.xml", "ok", 2, "Fall Related Emergency Visits"),
        ("searxng", "live/searxng/search_telekom.json", "ok", 13, "DB Navigator stürzt nach Update ab"),
        ("searxng", "live/searx_debian/search_telekom.json", "ok", 3, "DB Navigator stürzt nach Update ab"),
    ],
)
def test_result_lists(spider, name, state, count, title):
    document = parse_document(spider, saved(name))
    assert (document["state"], len(document["items"])) == (state, count)
    assert [row["position"] for row in document.get("results", [])] == list(range(1, count + 1))
    assert (document["items"] or [{"title": ""}])[0]["title"].startswith(title)
    if state != "challenge":  # which parse_document tells before any reader is asked
        assert parse_document("auto", saved(name))["spider"] == spider


def test_an_engine_that_did_not_answer_is_named():
    document = parse_document("searxng", saved("live/searxng/search_telekom.json"))
    assert document["unresponsive"] == [["nodebbforum", "HTTP error"]]


def test_headlines_keep_outlet_and_time():
    item = parse_document("googlenews", saved("googlenews/search_2026-09-25_excerpt.xml"))["items"][0]
    assert (item["author"], item["author_id"]) == ("countynewscenter.com", "countynewscenter.com")
    assert item["published"] == "2026-09-25T13:53:48+00:00"
    assert not item["title"].endswith("countynewscenter.com")


@pytest.mark.parametrize("name", ["Heise_2024_04_19", "Golem_2024_04_28", "Tagesschau_2023_04_28"])
def test_articles_of_german_newspapers(name):
    truth = json.loads((PAGES / "news_de" / f"{name.partition('_')[0]}.truth.json").read_text("utf-8"))
    truth = truth.get("V1", truth)
    [item] = parse_article(saved(f"news_de/{name}.html")).items
    wanted = datetime.fromisoformat(truth["publishing_date"])
    assert item.published.at == wanted
    assert item.title == truth["title"]
    assert item.author == ", ".join(truth["authors"]) or not truth["authors"]
