"""Pages of real programs as if nobody knew them: read by their shape or by the data they describe, with known truth."""

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from clocks import RunningClock
from loopback import loopback

from crawlers.parse import detect
from crawlers.parsing import PageFile
from crawlers.service import crawl_once
from crawlers.spiders.discussion import parse as parse_discussion
from crawlers.spiders.forum import parse as parse_forum
from pipeline.configuration import Configuration, StoreTable
from pipeline.examples import EXAMPLE_BRANDS
from pipeline.query.tree import EVERYTHING
from pipeline.store.opening import open_store
from pipeline.words import Answer

PAGES = Path(__file__).parents[3] / "shared" / "data" / "pages"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not PAGES.exists(), reason="the saved pages are not part of the project")

THREADS = {
    "live/spirit/topic_27_p1.html": ("http://127.0.0.1:8110/topic/1/x/", 0, 20),
    "live/spirit/topic_27_p2.html": ("http://127.0.0.1:8110/topic/1/x/?page=2", 20, 7),
    "live/phpbb/viewtopic_t2_p1.html": ("http://127.0.0.1:8101/viewtopic.php?t=2", 0, 10),
    "live/phpbb/viewtopic_t2_p3.html": ("http://127.0.0.1:8101/viewtopic.php?t=2&start=20", 20, 7),
    "live/nodebb/topic_27_p1.html": ("http://127.0.0.1:8102/topic/2/x", 0, 20),
    "live/nodebb/topic_27_p2.html": ("http://127.0.0.1:8102/topic/2/x?page=2", 20, 7),
    "live/smf/topic_2_p1.html": ("http://127.0.0.1:8103/index.php?topic=2.0", 0, 15),
    "live/smf/topic_2_p2.html": ("http://127.0.0.1:8103/index.php?topic=2.15", 15, 12),
    "live/mybb/showthread_1_p1.html": ("http://127.0.0.1:8104/showthread.php?tid=1", 0, 10),
    "live/woltlab/conversation_1_p1.html": ("http://127.0.0.1/index.php?conversation/1-x/", 0, 20),
    "live/woltlab/conversation_1_p2.html": ("http://127.0.0.1/index.php?conversation/1-x/&pageNo=2", 20, 7),
}
"""File → its address, and which posts of the topic about Telekom it shows."""


def saved(name: str, url: str, zone: str = "UTC") -> PageFile:
    return PageFile(url=url, body=(PAGES / name).read_bytes(), now=NOW, zone=ZoneInfo(zone))


def truth() -> list[dict[str, object]]:
    topics = json.loads((PAGES / "live" / "content.json").read_text("utf-8"))["topics"]
    return next(topic["posts"] for topic in topics if topic["title"].startswith("Telekom"))


def as_told(posts) -> list[tuple[object, ...]]:
    return [(post["author"], " ".join(post["text"].split()), datetime.fromisoformat(post["iso"])) for post in posts]


@pytest.mark.parametrize("name", THREADS)
def test_the_telekom_topic_of_seven_programs_by_its_shape_alone(name):
    url, start, count = THREADS[name]
    parsed = parse_forum(saved(name, url))
    found = [(item.author, " ".join(item.text.split()), item.published.at) for item in parsed.items]
    assert parsed.state is Answer.OK
    assert found == as_told(truth()[start : start + count])
    quotes = [post["quote"] is not None for post in truth()[start : start + count]]
    assert [item.quotes_removed > 0 for item in parsed.items] == quotes


@pytest.mark.parametrize("page", [1, 2])
def test_what_nodebb_describes_is_its_posts(page):
    name = f"live/nodebb/topic_27_p{page}.html"
    url, start, count = THREADS[name]
    found = [
        (item.author, " ".join(item.text.split()), item.published.at)
        for item in parse_discussion(saved(name, url)).items
    ]
    assert found == as_told(truth()[start : start + count])


def test_data_that_describe_the_first_post_of_xenforo_do_not_hide_the_others():
    url = "https://www.katzen-forum.net/threads/x.230143/"
    for read in (parse_forum, parse_discussion):
        parsed = read(saved("xenforo/katzen-forum.net_xf2_thread.html", url, "Europe/Berlin"))
        assert (parsed.state, len(parsed.items), parsed.items[0].author) == (Answer.OK, 18, "Pepemaus")
        assert parsed.items[0].published.at == datetime.fromisoformat("2018-09-27T14:51:09+02:00")
        assert parsed.items[-1].published.at == datetime.fromisoformat("2019-08-17T10:48:30+02:00")
        assert parsed.items[0].text.startswith("Hallo, Pepe schläft nachts mit mir im Schlafzimmer auf seine")


@pytest.mark.parametrize(
    ("name", "url", "count", "author", "first"),
    [
        ("vbulletin/pocketpc.ch_vb4_thread_p34.html", "https://www.pocketpc.ch/windows-phone-7-allgemein/122760-x-34.html",
         20, "Predator", datetime(2011, 3, 3, 14, 17, tzinfo=UTC)),
        ("xenforo/oneplus_xf1_thread_p1.html", "https://forums.oneplus.net/threads/x.405700/",
         20, "Aaahh", datetime(2015, 11, 14, 4, 23, tzinfo=UTC)),
        ("phpbb/foren.myoos.de_viewtopic.html", "https://foren.myoos.de/viewtopic.php?t=167",
         1, "r23", datetime(2009, 1, 21, 5, 42, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_threads_of_the_wild(name, url, count, author, first):
    parsed = parse_forum(saved(name, url))
    assert (parsed.state, len(parsed.items), parsed.items[0].author) == (Answer.OK, count, author)
    assert parsed.items[0].published.at == first
    assert len({item.id for item in parsed.items}) == count
    assert all(item.id.startswith("p") for item in parsed.items)


@pytest.mark.parametrize(
    ("name", "url", "rows"),
    [
        ("live/spirit/index.html", "http://127.0.0.1:8110/", 6),
        ("live/phpbb/viewforum_f2.html", "http://127.0.0.1:8101/viewforum.php?f=2", 7),
        ("live/smf/board_1.html", "http://127.0.0.1:8103/index.php?board=1.0", 7),
        ("live/mybb/forumdisplay_2.html", "http://127.0.0.1:8104/forumdisplay.php?fid=2", 6),
        ("live/nodebb/category_2.html", "http://127.0.0.1:8102/category/2/x", 7),
        ("smf/pcbheaven_smf2_board.html", "http://pcbheaven.com/forum/index.php/board,5.0.html", 20),
        ("phpbb/avalanches_phpbb3_viewforum.html", "http://x.de/viewforum.php?f=1", 50),
        ("vbulletin/mindfactory_de_forumdisplay_p1.html", "https://forum.mindfactory.de/f42-x/", 33),
    ],
)
def test_lists_of_threads(name, url, rows):
    parsed = parse_forum(saved(name, url))
    assert (parsed.state, len(parsed.threads), parsed.items) == (Answer.OK, rows, ())
    assert all(row.last_time is not None and row.title for row in parsed.threads)


def test_comments_below_an_article():
    parsed = parse_forum(saved("live/wordpress/post_27_cp1.html", "http://127.0.0.1:8105/2026/11/02/x/comment-page-1/"))
    assert len(parsed.items) == 10
    assert all(item.id.startswith("comment-") and item.author and item.published.at for item in parsed.items)
    articles = parse_forum(saved("live/woltlab/article_1.html", "http://127.0.0.1/index.php?article/1-x/"))
    assert len(articles.items) == 11


def test_news_stay_articles():
    names = [file for file in sorted((PAGES / "news_de").glob("*.html*")) if file.suffix == ".html"]
    for file in names:
        page = PageFile(
            url="https://zeitung.example/a/1", body=file.read_bytes(), now=NOW, zone=ZoneInfo("Europe/Berlin")
        )
        assert detect(page)[0] not in ("forum", "discussion"), file.name


def test_a_saved_forum_is_crawled_into_the_store_once(tmp_path):
    folder = PAGES / "live" / "spirit"
    pages = {"": "topic_27_p1.html", "2": "topic_27_p2.html"}

    def site(path: str, query: dict[str, str]) -> tuple[int, str, bytes]:
        if path == "/":
            return 200, "text/html; charset=utf-8", (folder / "index.html").read_bytes()
        if path.startswith("/topic/1/"):
            return 200, "text/html; charset=utf-8", (folder / pages[query.get("page", "")]).read_bytes()
        return 404, "text/html", b""

    clock = RunningClock(NOW)
    with loopback(site) as server:
        told = Configuration.model_validate(
            {
                "contact": "test@example.org",
                "zone": "UTC",
                "brands": EXAMPLE_BRANDS,
                "sources": {"forum": {"spider": "forum", "url": f"{server.url}/"}},
                "crawl": {"delay": 0, "allow_private": ["127.0.0.1"]},
                "retention": {"mentions": "9999d"},
            }
        )
        [first] = crawl_once(told, tmp_path, clock)
        asked = len(server.asked)
        [second] = crawl_once(told, tmp_path, clock)
    assert (first.items, first.complete) == (27, True)
    assert (second.items, len(server.asked) - asked) == (0, 1)
    with closing(open_store(tmp_path, StoreTable(), clock=clock, read_only=True)) as store:
        stored = list(store.scan(EVERYTHING))
    assert len({mention.uid for mention in stored}) == len(stored) >= 20
