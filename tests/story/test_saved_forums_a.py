"""Saved pages of WoltLab, XenForo and vBulletin boards, read by their parsers: what INDEX.md says of each is found."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from rehearsal import BERLIN, page

from crawlers.parse import detect
from crawlers.parsing import Parsed
from crawlers.registry import spiders
from pipeline.words import Answer, Kind

PAGES = Path(__file__).parents[3] / "shared" / "data" / "pages"

pytestmark = pytest.mark.skipif(not PAGES.exists(), reason="the saved pages are not part of the project")


def read(spider: str, file: str, url: str) -> Parsed:
    """The page as its own spider reads it, which is also the one that recognises it."""
    saved = page((PAGES / file).read_bytes(), url)
    assert detect(saved)[0] == spider
    parsed: Parsed = spiders()[spider].parser(saved)
    assert parsed.state is Answer.OK, parsed.reason
    return parsed


def test_a_thread_of_vbulletin_4():
    url = "https://www.pocketpc.ch/windows-phone-7-allgemein/122760-microsoft-beginnt-34.html"
    parsed = read("vbulletin", "vbulletin/pocketpc.ch_vb4_thread_p34.html", url)
    assert [item.id for item in (parsed.items[0], parsed.items[-1])] == ["p949757", "p949908"]
    assert len(parsed.items) == 20
    first = parsed.items[0]
    assert (first.author, first.author_id, first.position) == ("Predator", "71187", 661)
    assert first.published.at == datetime(2011, 3, 3, 14, 17, tzinfo=BERLIN)
    assert first.text == "Das war noch nicht das Update, sondern nur die Vorbereitung. Warum auch immer"
    assert (first.parent, first.parent_author, first.quotes_removed) == ("p949745", "TheFreeman", 1)
    assert (parsed.thread, parsed.first_page) == ("t122760", False)
    assert [link.rpartition("-")[2] for link in (*parsed.links.previous, *parsed.links.next)] == ["33.html", "35.html"]


def test_lists_of_vbulletin():
    index = read("vbulletin", "vbulletin/mindfactory_de_index.html", "https://forum.mindfactory.de/")
    assert len(index.boards) == 60
    assert (index.boards[0].title, index.boards[0].last_item) == ("Wichtig! Bitte lesen!", "p705549")
    assert index.boards[0].last_time == datetime(2010, 6, 22, 14, 42, tzinfo=BERLIN)
    forum = read(
        "vbulletin", "vbulletin/mindfactory_de_forumdisplay_p1.html", "https://forum.mindfactory.de/f42-bestellungen"
    )
    assert len(forum.threads) == 33
    assert [row.sticky for row in forum.threads] == [True] * 3 + [False] * 30
    assert (forum.threads[0].id, forum.threads[0].last_item, forum.threads[0].replies) == ("t78242", "p941034", 2)
    assert forum.links.next == ("https://forum.mindfactory.de/f42-bestellungen-2.html",)
    old = read("vbulletin", "vbulletin/macrumors_vb387_index.html", "http://forums.macrumors.com/")
    assert len(old.boards) == 34
    assert (old.boards[0].title, old.boards[0].last_item) == ("MacRumors.com News Discussion", "p20445640")
    assert all(board.last_time for board in old.boards if board.last_item)


def test_threads_of_xenforo():
    url = "https://www.katzen-forum.net/threads/jede-nacht-verliert-pepe-soviel-dreck-aus-dem-fell.230143/"
    cats = read("xenforo", "xenforo/katzen-forum.net_xf2_thread.html", url)
    assert (len(cats.items), cats.thread, cats.lang) == (18, "t230143", "de")
    assert cats.thread_title == "Jede Nacht verliert Pepe soviel Dreck aus dem Fell"
    assert (cats.items[0].author, cats.items[0].author_id) == ("Pepemaus", "81656")
    assert cats.items[0].published.at == datetime(2018, 9, 27, 12, 51, 9, tzinfo=UTC)
    assert cats.items[-1].published.at == datetime(2019, 8, 17, 8, 48, 30, tzinfo=UTC)
    assert cats.items[0].text.startswith("Hallo, Pepe schläft nachts mit mir im Schlafzimmer auf seine")
    url = "https://forums.oneplus.net/threads/marsh-cm13.405700/"
    phones = read("xenforo", "xenforo/oneplus_xf1_thread_p1.html", url)
    assert (len(phones.items), phones.thread, phones.thread_title) == (20, "t405700", "Marsh [CM13]")
    assert (phones.items[0].author, phones.items[0].published.at) == (
        "Aaahh",
        datetime(2015, 11, 14, 4, 23, tzinfo=BERLIN),
    )
    assert phones.items[0].text.startswith("Hello, I decided to start my own rom, which I build off what")
    assert phones.links.next == ("https://forums.oneplus.net/threads/marsh-cm13.405700/page-2",)


def test_a_conversation_of_woltlab():
    truth = json.loads((PAGES / "live" / "content.json").read_text("utf-8"))["topics"][0]["posts"]
    pages = [
        read("woltlab", f"live/woltlab/conversation_1_p{n}.html", f"http://127.0.0.1/index.php?conversation/1-x/{more}")
        for n, more in ((1, ""), (2, "&pageNo=2"))
    ]
    assert [len(parsed.items) for parsed in pages] == [20, 7]
    posts = [item for parsed in pages for item in parsed.items]
    assert [(p.author, p.text, p.published.at, p.quotes_removed) for p in posts] == [
        (t["author"], t["text"], datetime.fromisoformat(t["iso"]), int(t["quote"] is not None)) for t in truth
    ]
    assert [parsed.first_page for parsed in pages] == [True, False]
    assert [bool(parsed.links.next) for parsed in pages] == [True, False]
    listed = read("woltlab", "live/woltlab/conversation_list.html", "http://127.0.0.1/index.php?conversation-list/")
    assert [row.id for row in listed.threads] == ["conversation-3", "conversation-1", "conversation-2"]


def test_an_article_of_woltlab():
    parsed = read("woltlab", "live/woltlab/article_1.html", "http://127.0.0.1/index.php?article/1-x/")
    article, *comments = parsed.items
    assert (article.kind, article.author, article.views) == (Kind.ARTICLE, "admin", 1)
    assert article.published.at == datetime(2026, 11, 6, 10, 15, tzinfo=UTC)
    assert len(comments) == 11
    assert {comment.kind for comment in comments} == {Kind.COMMENT}
    assert (comments[0].id, comments[0].author) == ("comment-11", "ThomasB")
    listed = read("woltlab", "live/woltlab/article_list.html", "http://127.0.0.1/index.php?article-list/")
    assert [(row.id, row.replies) for row in listed.threads] == [("article-1", 11)]


def test_the_feed_of_woltlab():
    saved = page(
        (PAGES / "live" / "woltlab" / "article_feed.rss").read_bytes(), "http://127.0.0.1/index.php?article-feed/"
    )
    assert detect(saved)[0] == "feed"
    assert len(spiders()["feed"].parser(saved).items) == 1


def test_the_index_of_an_old_burning_board():
    parsed = read("woltlab", "woltlab/ddl-board.org_wbb40_index.html", "http://ddl-board.org/")
    assert [board.title for board in parsed.boards][:3] == [
        "Unauthorized Zone",
        "Guest only - Hinweise & Tipps",
        "Guest only - Guest helps Guest",
    ]
    assert parsed.boards[1].last_time == datetime(2014, 12, 7, 15, 24, tzinfo=BERLIN)
    assert parsed.threads[0].id == "t120500"
