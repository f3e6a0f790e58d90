"""Result lists of SearXNG and searx."""

import json
from pathlib import Path

import pytest
from rehearsal import BERLIN, NOW, Source, page

from crawlers.results import result_uid
from crawlers.spiders.searxng import SearxngSpider, parse, search_url
from pipeline.identity import uid_of
from pipeline.words import Answer, Kind, Reading

PAGES = Path(__file__).parent / "pages"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "pages"
ANSWER = (PAGES / "searxng.json").read_bytes()
OPTIONS = {"queries": ["muster hotline"]}


def source(**over) -> Source:
    return Source(SearxngSpider, "http://suche.example", **({"options": OPTIONS} | over))


def test_results_keep_rank_snippet_and_the_id_a_full_reading_would_have():
    parsed = parse(page(ANSWER, "http://suche.example/search?q=x"))
    post, article = parsed.items
    assert (parsed.state, [result.position for result in parsed.results]) == (Answer.OK, [1, 2])
    assert (post.id, post.title, post.text) == ("/ p103", "Re: Rechnung & Ärger", "Bei mir nicht.")
    assert (
        parsed.results[0].uid
        == uid_of("forum.example", "/ p103")
        == result_uid("https://forum.example/viewtopic.php?p=103")
    )
    assert parsed.results[1].uid == uid_of("bote.example", "/2026/11/netz-fuer-alle/")
    assert parsed.results[0].engines == ("brett", "andere")
    assert article.published.at.isoformat() == "2026-11-21T10:00:00+01:00"
    assert article.published.at.tzinfo == BERLIN
    assert parsed.unresponsive == (("langsam", "timeout"), ("stumm", ""))


@pytest.mark.parametrize(
    ("body", "state", "reason"),
    [
        (b"", Answer.ERROR, "empty"),
        (b"<html>403</html>", Answer.ERROR, "allow json"),
        (b"[1, 2]", Answer.ERROR, "without a list of results"),
        (b'{"results": "viele"}', Answer.ERROR, "without a list of results"),
        (b'{"results": [', Answer.ERROR, "no JSON"),
        (b'{"results": [{"url": 1, "title": null}, 7]}', Answer.ERROR, "no result has an address"),
        (b'{"results": [], "unresponsive_engines": [["a", "CAPTCHA"]]}', Answer.ERROR, "a (CAPTCHA)"),
        (b'{"results": [], "unresponsive_engines": []}', Answer.EMPTY, "nothing found"),
        (b"[" * 100_000, Answer.ERROR, "no JSON"),
    ],
)
def test_nothing_found_is_told_from_nothing_answered(body, state, reason):
    parsed = parse(page(body))
    assert parsed.state is state
    assert reason in parsed.reason


def test_a_visit_gives_one_list_per_query_and_no_watermark():
    search = source(options={"queries": ["eins", "zwei"]})
    run = search.visit(lambda url: ANSWER)
    assert [(one.query, len(one.results), one.at) for one in run.lists] == [("eins", 2, NOW), ("zwei", 2, NOW)]
    assert {(item.kind, item.reading, item.position) for item in run.items} == {
        (Kind.RESULT, Reading.SNIPPET, 1),
        (Kind.RESULT, Reading.SNIPPET, 2),
    }
    assert {item.origin for item in run.items} == {"forum.example", "bote.example"}
    assert (run.complete, run.visit.has_watermark, search.watermark) == (True, False, None)


def test_ranks_go_on_over_pages_and_repeated_results_count_once():
    def site(url: str) -> bytes:
        number = int(url.partition("pageno=")[2] or 1)
        results = [{"url": f"https://x.de/{n}", "title": f"T{n}"} for n in range(number * 2, number * 2 + 3)]
        return json.dumps({"results": results}).encode()

    run = source(options=OPTIONS | {"pages": 3}).visit(site)
    [found] = run.lists
    assert [result.url for result in found.results] == [f"https://x.de/{n}" for n in range(2, 9)]
    assert len({result.position for result in found.results}) == 7
    assert len(run.items) == 7


def test_a_silent_engine_is_no_empty_list():
    run = source().visit(lambda url: b'{"results": [], "unresponsive_engines": [["a", "CAPTCHA"]]}')
    assert (run.lists, run.complete, run.lost[0].answer) == ([], False, Answer.ERROR)
    nothing = source().visit(lambda url: b'{"results": []}')
    assert (nothing.lists[0].results, nothing.complete) == ((), True)


def test_the_address_asked_for():
    options = SearxngSpider.Options(queries=("a&b ü",), time_range="day")
    asked = "q=a%26b+%C3%BC&format=json&language=de&categories=general&time_range=day"
    assert search_url("http://x.de", "a&b ü", 1, options) == f"http://x.de/search?{asked}"
    assert search_url("http://x.de/searx/search", "a&b ü", 2, options) == f"http://x.de/searx/search?{asked}&pageno=2"


@pytest.mark.skipif(not SHARED.exists(), reason="the saved pages are not part of the project")
@pytest.mark.parametrize(
    ("file", "count"), [("searxng/search_telekom.json", 13), ("searx_debian/search_telekom.json", 3)]
)
def test_answers_of_real_instances(file, count):
    parsed = parse(page((SHARED / "live" / file).read_bytes(), "http://127.0.0.1/search"))
    assert (len(parsed.items), parsed.items[0].title) == (count, "DB Navigator stürzt nach Update ab 😡")
    assert all(item.text for item in parsed.items)
