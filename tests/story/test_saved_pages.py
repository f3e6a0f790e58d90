"""Pages that real programs served, read by the real spiders over HTTP, down to the mentions in the store."""

import json
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clocks import RunningClock
from loopback import loopback
from lxml import html

from crawlers.service import crawl_once
from pipeline.configuration import Configuration, StoreTable
from pipeline.examples import EXAMPLE_BRANDS
from pipeline.query.tree import EVERYTHING
from pipeline.store.opening import open_store

PAGES = Path(__file__).parents[3] / "shared" / "data" / "pages"
NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not PAGES.exists(), reason="the saved pages are not part of the project")


def configuration(sources: dict[str, dict[str, object]]) -> Configuration:
    return Configuration.model_validate(
        {
            "contact": "test@example.org",
            "brands": EXAMPLE_BRANDS,
            "sources": sources,
            "crawl": {"delay": 0, "allow_private": ["127.0.0.1"]},
            "retention": {"mentions": "9999d"},
        }
    )


class Board:
    """The saved phpBB: a list page and a topic of three pages; can be changed like a living one."""

    def __init__(self) -> None:
        folder = PAGES / "live" / "phpbb"
        self.list = (folder / "viewforum_f2.html").read_text("utf-8")
        self.topic = [(folder / f"viewtopic_t2_p{n}.html").read_text("utf-8") for n in (1, 2, 3)]

    def __call__(self, path: str, query: dict[str, str]) -> tuple[int, str, bytes]:
        page = None
        if path == "/viewforum.php":
            page = self.list
        elif query.get("t") == "2":
            page = self.topic[int(query.get("start", 0)) // 10]
        elif "p" in query:
            page = next((p for p in self.topic if f'<div id="p{query["p"]}"' in p), None)
        return (200, "text/html; charset=UTF-8", page.encode()) if page else (404, "text/html", b"")

    def only_the_telekom_topic(self) -> None:
        rows = re.findall(r'<li class="row.*?</dl>\s*</li>', self.list, re.S)
        for row in rows:
            if "viewtopic.php?t=2&" not in row:
                self.list = self.list.replace(row, "")

    def append_and_edit(self) -> None:
        """One post more on page 3 and one changed there; the list shows the new one."""
        page = html.fromstring(self.topic[2])
        *_, edited, last = page.cssselect("div.post[id^=p]")
        old = last.get("id")
        appended = html.fromstring(html.tostring(last, encoding="unicode").replace(old, "p999"))
        for link in appended.iter("a"):
            link.set("href", re.sub(rf"p={old[1:]}\b", "p=999", link.get("href", "")))
        for shown in appended.iter("time"):
            shown.set("datetime", "2026-11-05T18:22:00+00:00")
        self._say(appended, NEW_TEXT)
        self._say(edited, EDITED_TEXT)
        last.addnext(appended)
        self.topic[2] = html.tostring(page, encoding="unicode")
        self.list = (
            self.list.replace(f"p={old[1:]}", "p=999").replace(f"#{old}", "#p999").replace("17:22:00", "18:22:00")
        )
        self.list = self.list.replace('<dd class="posts">26', '<dd class="posts">27')

    @staticmethod
    def _say(post: html.HtmlElement, text: str) -> None:
        [content] = post.cssselect("div.content")
        content.clear()
        content.set("class", "content")
        content.text = text


NEW_TEXT = "Ein ganz neuer Beitrag: die Telekom hat endlich angerufen."
EDITED_TEXT = "Nachtrag: Die App der DB Navigator stürzt jetzt nur noch selten ab."


BY_HAND = {
    "telekom name": (0, 3, 13, 15, 18),
    "telekom thread": (1, 4, 6, 8, 12, 14, 16, 19, 21, 23),
    "1und1 name": (2, 5, 11, 17, 20, 26),
    "bahn name": (7, 9, 22, 24),
    "bahn alias": (10, 25),
}


def test_the_telekom_topic_and_then_one_new_post_and_one_edit(tmp_path):
    truth = json.loads((PAGES / "live" / "content.json").read_text("utf-8"))["topics"][0]["posts"]
    board, clock = Board(), RunningClock(NOW)
    board.only_the_telekom_topic()
    with loopback(board) as web:
        told = configuration({"forum": {"spider": "phpbb", "url": f"{web.url}/viewforum.php?f=2"}})
        crawl_once(told, tmp_path, clock)
        with closing(open_store(tmp_path, StoreTable(), clock=clock)) as store:
            mentions = sorted(store.scan(EVERYTHING), key=lambda mention: mention.event_time)
        assert [m.crawled.text for m in mentions] == [post["text"] for post in truth]
        assert [m.event_time for m in mentions] == [datetime.fromisoformat(post["iso"]) for post in truth]
        authors = [post["author"] for post in truth]
        pseudonyms = [m.crawled.author for m in mentions]
        assert len(set(zip(authors, pseudonyms, strict=True))) == len(set(authors)) == len(set(pseudonyms))
        found = {
            index: {f"{opinion.brand} {opinion.via}" for opinion in mention.analysis.opinions}
            for index, mention in enumerate(mentions)
        }
        assert found == {index: {what} for what, indices in BY_HAND.items() for index in indices}

        clock.advance(minutes=30)
        before = clock.now()
        clock.advance(minutes=1)
        board.append_and_edit()
        web.asked.clear()
        crawl_once(told, tmp_path, clock)
        assert len(web.asked) <= 3, web.asked
        clock.advance(minutes=1)
        with closing(open_store(tmp_path, StoreTable(), clock=clock)) as store:
            after = {m.uid: m for m in store.scan(EVERYTHING)}
            known = {m.uid: m for m in mentions}
            new = [m for uid, m in after.items() if uid not in known]
            changed = [uid for uid in known if after[uid].revision > known[uid].revision]
            assert [m.crawled.text for m in new] == [NEW_TEXT]
            assert len(changed) == 1
            assert after[changed[0]].crawled.text == EDITED_TEXT
            old = store.get(changed, as_of=before)[changed[0]]
            assert old.crawled.text == known[changed[0]].crawled.text


def test_a_run_without_changes_stores_nothing_and_asks_for_the_list_alone(tmp_path):
    board, clock = Board(), RunningClock(NOW)
    board.only_the_telekom_topic()
    with loopback(board) as web:
        told = configuration({"forum": {"spider": "phpbb", "url": f"{web.url}/viewforum.php?f=2"}})
        crawl_once(told, tmp_path, clock)
        clock.advance(hours=1)
        web.asked.clear()
        crawl_once(told, tmp_path, clock)
        assert web.asked == ["/viewforum.php?f=2"]
    with closing(open_store(tmp_path, StoreTable(), clock=clock)) as store:
        assert store.count(EVERYTHING)[0] == 27
        assert {m.revision for m in store.scan(EVERYTHING)} == {1}


FEEDS = {
    "wordpress": ("live/wordpress/post_27_comments.rss", "application/rss+xml"),
    "phpbb": ("live/phpbb/feed.xml", "application/atom+xml"),
    "woltlab": ("live/woltlab/article_feed.rss", "application/rss+xml"),
    "search": ("live/searxng/search_telekom.json", "application/json"),
    "searx": ("live/searx_debian/search_telekom.json", "application/json"),
}


@pytest.mark.parametrize(("name", "expected"), [("wordpress", 10), ("phpbb", 15), ("woltlab", 1)])
def test_feeds_of_real_programs(tmp_path, name, expected):
    file, kind = FEEDS[name]
    clock = RunningClock(NOW)
    with loopback(lambda path, query: (200, kind, (PAGES / file).read_bytes())) as web:
        about = {"about": "telekom"}  # everything becomes a mention, so that nothing read is missed
        told = configuration({"feed": {"spider": "feed", "url": f"{web.url}/feed", "full_text": False, **about}})
        [report] = crawl_once(told, tmp_path, clock)
    with closing(open_store(tmp_path, StoreTable(), clock=clock)) as store:
        assert store.count(EVERYTHING)[0] == expected, report


@pytest.mark.parametrize(("name", "expected"), [("search", 13), ("searx", 3)])
def test_result_lists_of_real_searches(tmp_path, name, expected):
    file, kind = FEEDS[name]
    count = len(json.loads((PAGES / file).read_text("utf-8"))["results"])
    clock = RunningClock(NOW)
    with loopback(lambda path, query: (200, kind, (PAGES / file).read_bytes())) as web:
        source = {"spider": "searxng", "url": f"{web.url}/search", "queries": ["telekom"], "about": "telekom"}
        crawl_once(configuration({"search": source}), tmp_path, clock)
    with closing(open_store(tmp_path, StoreTable(), clock=clock)) as store:
        assert 0 < store.count(EVERYTHING)[0] <= count


def test_articles_of_german_newspapers(tmp_path):
    """Each saved article behind a feed that only teases: date, author and text as the truth beside it says."""
    truths = {path.name.removesuffix(".truth.json"): json.loads(path.read_text("utf-8"))
              for path in (PAGES / "news_de").glob("*.truth.json")}  # fmt: skip
    assert truths
    clock = RunningClock(NOW + timedelta(days=1))

    def site(path: str, query: dict[str, str]) -> tuple[int, str, bytes]:
        if path == "/feed":
            items = "".join(
                f"<item><title>{name}</title><link>{web.url}/{name}</link><description>…</description></item>"
                for name in pages
            )
            return 200, "application/rss+xml", f'<rss version="2.0"><channel>{items}</channel></rss>'.encode()
        return 200, "text/html", pages[path.strip("/")].read_bytes()

    pages = {
        path.stem.removesuffix(".html"): path for path in (PAGES / "news_de").iterdir() if "truth" not in path.name
    }
    with loopback(site) as web:
        feed = {"spider": "feed", "url": f"{web.url}/feed", "channel": "news", "about": "telekom", "backfill": "9999d"}
        crawl_once(configuration({"news": feed}), tmp_path, clock)
        with closing(open_store(tmp_path, StoreTable(), clock=clock)) as store:
            mentions = list(store.scan(EVERYTHING))
    assert len(mentions) == len(pages)
    assert all(len(mention.crawled.text) > 500 for mention in mentions)
