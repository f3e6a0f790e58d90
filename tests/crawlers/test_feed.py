"""Feeds: what entries say, which articles are fetched, and what a feed can no longer tell."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rehearsal import NOW, Source, page

from crawlers.feeds import discover
from crawlers.spiders.feed import FeedSpider, parse
from pipeline.words import Answer, Kind, Reading

PAGES = Path(__file__).parent / "pages"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "pages"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the saved pages are not part of the project")
ARTICLE = (PAGES / "article.html").read_bytes()


def feed_of(*numbers: int, teaser: bool = False, words: str = "Ganzer Text") -> bytes:
    """Entry n was published n hours before NOW."""
    entries = "".join(
        f"<item><title>Meldung {n}</title><link>https://bote.example/m/{n}/</link>"
        f"<pubDate>{(NOW - timedelta(hours=n)).strftime('%a, %d %b %Y %H:%M:%S +0000')}</pubDate>"
        + (
            f"<description>{words} {n} …</description>"
            if teaser
            else f"<content:encoded>{words} {n}.</content:encoded>"
        )
        + "</item>"
        for n in numbers
    )
    return (
        '<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel><title>Bote</title>'
        f"{entries}</channel></rss>"
    ).encode()


def source(**over) -> Source:
    return Source(FeedSpider, "https://bote.example/feed/", **over)


def test_entries_of_a_news_feed():
    parsed = parse(page((PAGES / "feed_news.rss").read_bytes(), "https://bote.example/feed/"))
    teased, whole, future, past = parsed.items
    assert (parsed.state, parsed.lang) == (Answer.OK, "de")
    assert (teased.id, teased.kind, teased.title, teased.author) == (
        "/2026/11/netz-fuer-alle/", Kind.ARTICLE, "Netz für alle?", "Änne Schmidt",
    )  # fmt: skip
    assert (teased.teaser, whole.teaser) == (True, False)
    assert whole.text == "Der volle Text steht schon hier.\n\nMit zwei Absätzen."
    assert whole.published.at == datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert (future.published.at.year, past.published.at.year) == (2030, 1970)


def test_a_comment_knows_its_article_and_is_named_without_its_writer():
    [comment] = parse(page((PAGES / "feed_comments.rss").read_bytes(), "https://bote.example/comments/feed/")).items
    assert (comment.kind, comment.id) == (Kind.COMMENT, "/2026/11/netz-fuer-alle/ comment-27")
    assert (comment.thread, comment.thread_title) == ("/2026/11/netz-fuer-alle/", "Netz für alle?")
    assert (comment.author, comment.text, comment.title) == (
        "Jörg von Aue",
        "Bei uns geht gar nichts.",
        "Netz für alle?",
    )


def test_a_post_in_a_boards_feed_is_the_post_the_board_shows():
    [post] = parse(page((PAGES / "feed_phpbb.xml").read_bytes(), "https://forum.example/app.php/feed")).items
    assert (post.kind, post.id, post.author, post.author_id) == (Kind.POST, "/ p103", "Käthe Größl", "7")
    assert (post.text, post.quotes_removed) == ("Bei mir nicht.", 1)
    assert (post.title, post.thread_title) == (
        "Rechnungen • Re: Rechnung doppelt abgebucht",
        "Rechnung doppelt abgebucht",
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (ARTICLE, "HTML page, not a feed; its feed is https://bote.example/feed/"),
        (b"<html><body>nichts</body></html>", "names no feed"),
        (b'{"items": []}', "no feed"),
        (b"\x00\xff\xfe\x13", "no feed"),
        (b"<rss><channel><item><title>x", "no feed"),
        (b"<rss><channel>" + b"<i>" * 200_000, "more than 150000 tags"),
    ],
)
def test_what_is_no_feed_says_so(body, reason):
    parsed = parse(page(body, "https://bote.example/"))
    assert (parsed.state, parsed.items) == (Answer.ERROR, ())
    assert reason in parsed.reason


def test_feeds_a_page_names_come_before_comment_feeds_and_usual_places():
    named = discover(page(ARTICLE, "https://bote.example/2026/"))
    assert named == ("https://bote.example/feed/", "https://bote.example/comments/feed/")
    assert discover(page('<body id="phpbb">', "https://x.de/forum/")) == ("https://x.de/forum/app.php/feed",)


def test_first_contact_reads_all_and_the_next_visit_what_is_new_or_edited():
    news, feed = source(), feed_of(1, 2, 3)
    first = news.visit(lambda url: feed)
    assert first.ids == ["/m/1/", "/m/2/", "/m/3/"]
    assert (first.complete, first.visit.complete_from) == (True, NOW - timedelta(hours=3))
    assert news.visit(lambda url: feed).items == []
    edited = feed_of(0, 1, 2).replace(b"Ganzer Text 2", b"Berichtigter Text 2")
    again = news.visit(lambda url: edited)
    assert [item.text for item in again.items] == ["Ganzer Text 0.", "Berichtigter Text 2."]
    assert {item.reading for item in again.items} == {Reading.FEED}
    assert again.visit.holes == []


def test_a_feed_is_parsed_once_in_a_visit(monkeypatch):
    parsed = []
    monkeypatch.setattr(FeedSpider, "parser", staticmethod(lambda page: parsed.append(page.url) or parse(page)))
    assert source().visit(lambda url: feed_of(1, 2)).ids == ["/m/1/", "/m/2/"]
    assert parsed == ["https://bote.example/feed/"]


def test_an_unchanged_feed_is_a_complete_visit_and_keeps_its_cursor():
    news = source()
    news.visit(lambda url: feed_of(1, 2))
    before = dict(news.cursor)
    run = news.visit(lambda url: 304)
    assert (run.complete, run.visit.answers, news.cursor) == (True, [Answer.NOT_MODIFIED], before)


def test_a_teased_article_is_read_whole_and_asked_for_once():
    news = source()
    feed = feed_of(1, teaser=True)
    site = {"https://bote.example/feed/": feed, "https://bote.example/m/1/": ARTICLE}
    run = news.visit(site.get)
    [item] = run.items
    assert (item.reading, item.author, item.title) == (Reading.FULL, "Änne Schmidt", "Meldung 1")
    assert item.text.startswith("Der Ausbau des schnellen Netzes")
    assert item.native_id == "/m/1/"
    assert run.complete
    assert news.visit(site.get).asked == ["https://bote.example/feed/"]


def test_full_text_can_be_switched_off():
    run = source(options={"full_text": False}).visit(lambda url: feed_of(1, teaser=True))
    assert [(item.reading, item.text) for item in run.items] == [(Reading.FEED, "Ganzer Text 1 …")]


@pytest.mark.parametrize(("status", "asked_again"), [(403, False), (410, False), (500, True)])
def test_the_feeds_words_stand_for_an_article_that_cannot_be_read(status, asked_again):
    news, feed = source(), feed_of(1, teaser=True)
    site = {"https://bote.example/feed/": feed, "https://bote.example/m/1/": status}
    run = news.visit(site.get)
    assert [(item.reading, item.text) for item in run.items] == [(Reading.FEED, "Ganzer Text 1 …")]
    assert run.complete
    assert ("https://bote.example/m/1/" in news.visit(site.get).asked) is asked_again


def test_a_feed_that_does_not_reach_back_leaves_a_hole_and_the_watermark_goes_on():
    news = source()
    news.visit(lambda url: feed_of(30, 31, 32))
    news.now = NOW + timedelta(hours=10)
    run = news.visit(lambda url: feed_of(-8, -7, -6))
    assert run.visit.holes == [(NOW, NOW + timedelta(hours=6), "the feed no longer reached back to the last visit")]
    assert run.complete
    assert news.watermark == NOW + timedelta(hours=10)


def test_a_feed_that_can_be_paged_is_read_back_instead():
    pages = {"feed/": feed_of(30, 31)}
    news = source(options={"paged": True})
    site = lambda url: pages.get(url.removeprefix("https://bote.example/"), 404)  # noqa: E731
    news.visit(site)
    news.now = NOW + timedelta(hours=10)
    pages |= {"feed/": feed_of(-8, -7), "feed/?paged=2": feed_of(-6, -5), "feed/?paged=3": feed_of(-4, 30)}
    run = news.visit(site)
    assert run.ids == [f"/m/{n}/" for n in (-8, -7, -6, -5, -4)]
    assert (run.visit.holes, run.complete) == ([], True)
    assert run.asked[-1] == "https://bote.example/feed/?paged=3"


def paged_site(newest: int, oldest: int):
    """Two entries a page, one an hour; 404 behind the last page."""
    numbers = list(range(newest, oldest + 1))
    pages = [feed_of(*numbers[start : start + 2]) for start in range(0, len(numbers), 2)]
    site = {f"https://bote.example/feed/?paged={n}": body for n, body in enumerate(pages, 1)}
    site["https://bote.example/feed/"] = pages[0]
    return lambda url: site.get(url, 404)


@pytest.mark.parametrize("max_pages", [1, 2, 3])
def test_the_back_fill_of_a_paged_feed_goes_on_where_the_cap_stopped_it(max_pages):
    news = source(options={"paged": True})
    news.max_pages = max_pages
    runs = [news.visit(paged_site(1 - n, 12)) for n in range(12)]
    done = next(n for n, run in enumerate(runs) if run.complete)
    assert [run.visit.behind for run in runs[:done]] == [True] * done
    assert done >= 2
    assert sorted(i for run in runs for i in run.ids) == sorted(f"/m/{n}/" for n in range(-10, 13))
    assert all(run.complete and run.asked == ["https://bote.example/feed/"] for run in runs[done + 1 :])


@pytest.mark.parametrize("max_pages", [2, 3, 5])
def test_a_gap_longer_than_the_cap_is_filled_and_leaves_no_hole(max_pages):
    news = source(options={"paged": True})
    news.visit(paged_site(30, 33))
    news.max_pages, news.now = max_pages, NOW + timedelta(hours=40)
    runs = [news.visit(paged_site(-30, 33))]
    assert (runs[0].visit.behind, runs[0].visit.holes, news.watermark) == (True, [], NOW)
    while not runs[-1].complete:
        assert len(runs) < 40
        runs.append(news.visit(paged_site(-30 - len(runs), 33)))
    read = [i for run in runs for i in run.ids]
    assert len(read) == len(set(read))
    assert {f"/m/{n}/" for n in range(-29 - len(runs), 0)} <= set(read)
    assert [run.visit.holes for run in runs] == [[]] * len(runs)
    assert news.watermark > NOW + timedelta(hours=40)


def test_a_pages_address_leads_to_its_feed():
    news = Source(FeedSpider, "https://bote.example/2026/")
    site = {"https://bote.example/2026/": ARTICLE, "https://bote.example/feed/": feed_of(1)}
    run = news.visit(site.get)
    assert (run.ids, run.complete, run.asked) == (["/m/1/"], True, list(site))
    assert news.visit(site.get).asked == ["https://bote.example/feed/"]


def test_html_where_a_feed_was_is_an_error_and_loses_nothing():
    news = source()
    news.visit(lambda url: feed_of(1))
    run = news.visit(lambda url: b"<html><body>Wartung</body></html>")
    assert (run.visit.answers, run.complete, run.visit.complete) == ([Answer.ERROR], False, False)
    assert news.watermark == NOW


@needs_shared
@pytest.mark.parametrize(
    ("file", "count", "first"),
    [
        ("live/wordpress/feed.rss", 7, "/2026/11/hello-world/"),
        ("live/wordpress/comments_feed.rss", 10, "/2026/11/hello-world/ comment-1"),
        (
            "live/wordpress/post_27_comments.rss",
            10,
            "/2026/11/telekom-standige-dsl-ausfalle-seit-dem-wochenende/ comment-27",
        ),
        ("live/phpbb/feed.xml", 15, "/ p1"),
        ("live/woltlab/article_feed.rss", 1, "/ article-1"),
        ("live/smf/feed_recent_atom.xml", 30, "/ p58"),
        ("live/nodebb/topic_27.rss", 24, "/ p28"),
        ("live/mybb/feed_rss2.xml", 6, "/ t6"),
    ],
)
def test_feeds_of_real_programs(file, count, first):
    parsed = parse(page((SHARED / file).read_bytes(), "http://127.0.0.1/feed"))
    assert (parsed.state, len(parsed.items), parsed.items[0].id) == (Answer.OK, count, first)
    assert all(item.text and item.published.at and item.author for item in parsed.items)


BING = "https://www.bing.com/news/search?q=nordnetz&format=rss"


def test_bings_news_are_a_feed_whose_links_hold_the_real_address():
    parsed = parse(page((PAGES / "feed_bingnews.rss").read_bytes(), BING))
    cologne, prices = parsed.items
    assert (cologne.kind, cologne.id, cologne.url) == (
        Kind.ARTICLE,
        "/2026/11/stoerung-koeln/",
        "https://www.bote.example/2026/11/stoerung-koeln/",
    )
    assert (cologne.title, cologne.author) == ("NordNetz: Störung in Köln hält an", "Der Bote")
    assert cologne.published.at == datetime(2026, 11, 22, 5, 40, tzinfo=UTC)
    assert (prices.url, prices.teaser) == ("https://paper.example/news?id=27&lang=en", True)


def test_articles_that_bing_finds_are_read_at_their_outlet_and_bing_is_asked_once():
    site = lambda url: (PAGES / "feed_bingnews.rss").read_bytes() if url == BING else ARTICLE  # noqa: E731
    bing = Source(FeedSpider, BING)
    run = bing.visit(site)
    assert run.asked == [
        BING,
        "https://www.bote.example/2026/11/stoerung-koeln/",
        "https://paper.example/news?id=27&lang=en",
    ]
    assert {item.origin for item in run.items} == {"bote.example", "paper.example"}
    assert {item.reading for item in run.items} == {Reading.FULL}
    assert bing.visit(site).items == []
