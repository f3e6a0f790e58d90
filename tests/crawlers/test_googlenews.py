"""Headlines of Google News, and how they find the article they announce without following its link."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from rehearsal import Source, page

from crawlers.spiders.googlenews import GooglenewsSpider, parse, search_url
from pipeline.identity import folded_letters, uid_of
from pipeline.words import Answer, Kind

FEED = (Path(__file__).parent / "pages" / "googlenews_search.xml").read_bytes()
REAL = "https://bote.example/2026/11/stoerung/"


class Knowing(Source):
    """A source for which the Bote's article is already here."""

    def _job(self):
        titled = {folded_letters("Störung im Norden - Teil 2"): REAL}
        return replace(super()._job(), articles=lambda origin: titled if origin == "bote.example" else {})


def source(kind=Source) -> Source:
    return kind(GooglenewsSpider, "https://news.google.com/rss/search", options={"queries": ["nordnetz"]})


def test_headline_outlet_and_time():
    first, second = parse(page(FEED)).items
    assert (first.title, first.author, first.author_id) == ("Störung im Norden - Teil 2", "Der Bote", "bote.example")
    assert (first.id, first.kind, first.position) == ("googlenews CBMiAbc", Kind.RESULT, 1)
    assert first.published.at.isoformat() == "2026-11-22T05:30:00+00:00"
    assert second.title == "Nordnetz entschuldigt sich"


def test_the_link_is_not_followed_and_the_article_found_by_title():
    run = source(Knowing).visit(lambda url: FEED)
    known, unknown = run.items
    assert (known.url, known.origin, known.native_id) == (REAL, "bote.example", "/2026/11/stoerung/")
    assert (unknown.origin, unknown.native_id) == ("kuestenblatt.example", "googlenews CBMiDef")
    assert unknown.url == "https://news.google.com/rss/articles/CBMiDef?oc=5"
    assert [row.uid for row in run.lists[0].results] == [uid_of(item.origin, item.native_id) for item in run.items]
    assert run.asked == [search_url("", "nordnetz", GooglenewsSpider.Options(queries=("x",)))]
    assert run.complete
    assert source().visit(lambda url: FEED).items[0].native_id == "googlenews CBMiAbc"


def test_the_address_asked_for():
    options = GooglenewsSpider.Options(queries=("a",))
    assert search_url("https://news.google.com/rss/search", "a&b", options) == (
        "https://news.google.com/rss/search?q=a%26b+when%3A1d&hl=de&gl=DE&ceid=DE%3Ade"
    )
    assert GooglenewsSpider.interval >= timedelta(minutes=15)


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (b"", Answer.ERROR),
        (b"<html><form action='https://consent.google.com/save'></form></html>", Answer.CHALLENGE),
        (b"<html></html>", Answer.ERROR),
        (b"<rss><channel></channel></rss>", Answer.EMPTY),
        (b"<rss><channel><item><title>x</title></item></channel></rss>", Answer.LAYOUT_CHANGED),
        (b"<rss><chan", Answer.EMPTY),
    ],
)
def test_other_answers(body, state):
    assert parse(page(body)).state is state


def test_consent_and_refusal_are_losses():
    wall = b"<html><form action='https://consent.google.com/save'></form></html>"
    assert source().visit(lambda url: wall).lost[0].answer is Answer.CHALLENGE
    assert (source().visit(lambda url: 429).lists, source().visit(lambda url: wall).lists) == ([], [])
