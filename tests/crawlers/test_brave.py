"""Brave's interface: results of web and news, quota, key, and lists that are cut short."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from rehearsal import Source, page

from crawlers.spiders.brave import BraveSpider, parse
from pipeline.words import Answer, Reading

PAGES = Path(__file__).parent / "pages"
WEB, NEWS = ((PAGES / f"brave_{name}.json").read_bytes() for name in ("web", "news"))


@pytest.fixture(autouse=True)
def key(monkeypatch):
    monkeypatch.setenv("STURMWARTE_BRAVE_KEY", "geheim")


def source(**over) -> Source:
    return Source(BraveSpider, "https://api.search.brave.com/res/v1", options={"queries": ["nordnetz"]} | over)


def test_results_of_both_indices():
    post, article = parse(page(WEB)).items
    assert (post.id, post.title, post.text) == ("/ p103", "Nordnetz: Ärger", "Wieder kein Netz.")
    assert post.published.at.isoformat() == "2026-11-21T09:00:00+00:00"
    assert (article.text, article.published.at) == ("Der Ausbau & mehr.", None)
    [news] = parse(page(NEWS)).items
    assert (news.url, news.published.at.isoformat()[:13]) == ("https://bote.example/stoerung/", "2026-11-22T04")


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (b"", Answer.ERROR),
        (b"<html>", Answer.ERROR),
        (b"[1]", Answer.ERROR),
        (b'{"web": {"results": 7}}', Answer.ERROR),
        (b'{"web": {"results": [7, {"url": 3}]}}', Answer.ERROR),
        (b'{"type": "search", "query": {"original": "x"}}', Answer.EMPTY),
        (b'{"type": "ErrorResponse", "error": {"code": "RATE_LIMITED"}}', Answer.RATE_LIMITED),
        (b'{"type": "ErrorResponse", "error": {"code": "SUBSCRIPTION_TOKEN_INVALID"}}', Answer.GATED),
        (b'{"type": "ErrorResponse", "error": "kaputt"}', Answer.ERROR),
    ],
)
def test_other_answers(body, state):
    assert parse(page(body)).state is state


def test_pages_go_on_and_carry_what_was_asked():
    def site(url: str) -> bytes:
        number = int(parse_qs(urlsplit(url).query).get("offset", ["0"])[0])
        rows = [{"url": f"https://x.example/{n}", "title": f"T{n}"} for n in (number * 2, number * 2 + 1)]
        more = {"more_results_available": number < 1}
        return json.dumps({"type": "search", "query": more, "web": {"results": rows}}).encode()

    run = source(pages=5, freshness="week").visit(site)
    [found] = run.lists
    assert [(row.position, row.url[-1], row.engines) for row in found.results] == [
        (n + 1, str(n), ("brave",)) for n in range(4)
    ]
    assert run.asked[0] == (
        "https://api.search.brave.com/res/v1/web/search"
        "?q=nordnetz&count=20&country=DE&search_lang=de&freshness=pw&text_decorations=false"
    )
    assert (len(run.asked), run.complete, run.visit.spent, run.visit.has_watermark) == (2, True, 2, False)
    assert {item.reading for item in run.items} == {Reading.SNIPPET}


def test_a_list_that_the_quota_cut_short_is_not_whole():
    run = source(pages=3, quota=1).visit(lambda url: WEB)
    assert (run.complete, run.lost[0].answer) == (False, Answer.RATE_LIMITED)
    assert run.lists[0].unresponsive[0][0] == "brave"


def test_a_page_that_was_refused_marks_the_list():
    def site(url: str) -> bytes:
        return b'{"type": "ErrorResponse", "error": {"code": "RATE_LIMITED"}}' if "offset" in url else WEB

    run = source(pages=2).visit(site)
    assert run.lists[0].unresponsive == (("brave", "Brave asks us to slow down (RATE_LIMITED)"),)
    assert not run.complete


def test_without_a_key_nothing_is_asked(monkeypatch):
    monkeypatch.delenv("STURMWARTE_BRAVE_KEY")
    run = source().visit(lambda url: WEB)
    assert (run.asked, run.lists, run.lost[0].answer) == ([], [], Answer.GATED)
    assert "STURMWARTE_BRAVE_KEY" in run.lost[0].reason


def test_a_wrong_key_is_a_wall():
    run = source().visit(lambda url: 401)
    assert (run.complete, run.lists, run.lost[0].answer) == (False, [], Answer.GATED)
