"""NodeBB: the JSON behind its pages, the pages themselves, and what a visit asks for."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from rehearsal import NOW, Source, page

from crawlers.nodebb_pages import place_of
from crawlers.parse import detect
from crawlers.spiders.nodebb import NodebbSpider, parse
from pipeline.item import Media
from pipeline.words import Answer

PAGES = Path(__file__).parent / "pages"
ROOT = "https://forum.example/"


class Forum:
    """A forum whose topics have ten posts on a page."""

    def __init__(self) -> None:
        self.topics: dict[int, list[tuple[int, datetime, str]]] = {}
        self.next = 1

    def post(self, topic: int, hours: float, text: str = "") -> int:
        number, self.next = self.next, self.next + 1
        self.topics.setdefault(topic, []).append((number, NOW - timedelta(hours=hours), text or f"Beitrag {number}"))
        return number

    def __call__(self, url: str) -> bytes | int:
        parts = urlsplit(url)
        if parts.path == "/api/recent":
            newest = sorted(self.topics, key=lambda t: self.topics[t][-1][1], reverse=True)
            rows = [self._row(topic) for topic in newest]
            return json.dumps({"topics": rows, "pagination": {"currentPage": 1, "pageCount": 1}}).encode()
        _, _, _, tid, *rest = parts.path.split("/")
        if int(tid) not in self.topics:
            return 404
        page_ = int(parse_qs(parts.query).get("page", ["1"])[0])
        return self._topic(int(tid), (int(rest[1]) - 1) // 10 + 1 if len(rest) == 2 else page_)

    def _row(self, topic: int) -> dict:
        number, at, _ = self.topics[topic][-1]
        stamp, count = int(at.timestamp() * 1000), len(self.topics[topic])
        return {
            "tid": topic,
            "mainPid": self.topics[topic][0][0],
            "title": f"Thema {topic}",
            "postcount": count,
            "lastposttime": stamp,
            "lastposttimeISO": at.isoformat(),
            "teaser": {"pid": number, "timestamp": stamp},
        }

    def _topic(self, topic: int, page_: int) -> bytes:
        posts = self.topics[topic]
        shown = [
            {
                "pid": n,
                "tid": topic,
                "uid": n % 3,
                "content": f"<p>{text}</p>",
                "timestampISO": at.isoformat(),
                "index": i,
                "user": {"username": f"Autor{n % 3}"},
            }
            for i, (n, at, text) in enumerate(posts)
        ][(page_ - 1) * 10 : page_ * 10]
        paging = {"currentPage": page_, "pageCount": (len(posts) - 1) // 10 + 1}
        answer = {"tid": topic, "mainPid": posts[0][0], "title": f"Thema {topic}", "posts": shown, "pagination": paging}
        return json.dumps(answer).encode()


def test_a_topic_as_json():
    parsed = parse(page((PAGES / "nodebb_topic.json").read_bytes(), f"{ROOT}api/topic/14?page=2"))
    opening, answer, gone = parsed.items
    assert (parsed.state, parsed.thread, parsed.solved, parsed.first_page) == (Answer.OK, "t14", True, True)
    assert parsed.thread_title == "Kündigung wird nicht bestätigt"
    assert parsed.links.next == (f"{ROOT}topic/14?page=3",)
    assert parsed.links.previous == (f"{ROOT}topic/14",)
    assert (opening.id, opening.url, opening.author, opening.author_id) == ("p90", f"{ROOT}post/90", "Jörg", "3")
    assert (opening.text, opening.views, opening.votes) == ("Drei Wochen warte ich schon.", 512, 5)
    assert opening.media == (Media(kind="image", url="/assets/uploads/brief.png", text="Brief der Hotline"),)
    assert opening.published.at == datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
    assert answer.text == "Das tut uns leid, wir prüfen es."
    assert (answer.parent, answer.parent_author, answer.quotes_removed) == ("p90", "Jörg", 1)
    assert (answer.accepted, answer.staff, answer.votes) == (True, True, -1)
    assert (gone.deleted, gone.author) == (True, None)


def test_a_list_names_the_last_post_only_where_the_teaser_is_the_last():
    parsed = parse(page((PAGES / "nodebb_recent.json").read_bytes(), f"{ROOT}api/recent"))
    assert [(row.id, row.last_item, row.replies, row.sticky) for row in parsed.threads] == [
        ("t14", "p130", 22, False),
        ("t15", "p99", 0, True),
        ("t16", None, 8, False),
    ]
    assert parsed.threads[0].title == "Kündigung & Bestätigung"
    assert parsed.links.next == (f"{ROOT}recent?page=2",)


def test_the_page_for_people():
    parsed = parse(page((PAGES / "nodebb_topic.html").read_bytes(), f"{ROOT}topic/14/kuendigung"))
    first, second = parsed.items
    assert (parsed.thread, parsed.thread_title, parsed.lang) == ("t14", "Kündigung wird nicht bestätigt", "de")
    assert parsed.links.next == (f"{ROOT}topic/14/kuendigung?page=2",)
    assert (first.id, first.author, first.text, first.votes) == ("p90", "Jörg", "Drei Wochen warte ich schon.", 5)
    assert (second.text, second.parent_author, second.votes) == ("Wir prüfen es.", "Jörg", None)


@pytest.mark.parametrize(
    ("body", "state", "reason"),
    [
        (b"", Answer.ERROR, "empty"),
        (b'{"status": {"code": "not-authorised", "message": "x"}}', Answer.GATED, "not-authorised"),
        (b'{"topics": []}', Answer.EMPTY, "no topics"),
        (b'{"posts": [{"pid": 1, "tid": 2}]}', Answer.LAYOUT_CHANGED, "0 of 1"),
        (b"[1]", Answer.LAYOUT_CHANGED, "no answer"),
        (b"<html><p>Rezepte</p></html>", Answer.LAYOUT_CHANGED, "no page"),
    ],
)
def test_what_is_no_page_of_it_says_why(body, state, reason):
    parsed = parse(page(body, f"{ROOT}api/topic/2"))
    assert parsed.state is state
    assert reason in parsed.reason


@pytest.mark.parametrize("name", ["nodebb_topic.json", "nodebb_recent.json", "nodebb_topic.html"])
def test_its_pages_are_known(name):
    assert detect(page((PAGES / name).read_bytes(), ROOT))[0] == "nodebb"


def test_where_a_forum_lies():
    assert place_of("https://x.de/community/api/topic/2?page=3") == "https://x.de/community/"
    assert place_of("https://x.de/category/2/netz") == "https://x.de/"


def test_changed_topics_are_read_from_the_end_and_nothing_twice():
    forum = Forum()
    for hours in range(30, 5, -1):
        forum.post(1, hours)
    forum.post(2, 4)
    source = Source(NodebbSpider, ROOT)
    first = source.visit(forum)
    assert (len(first.items), first.complete) == (26, True)
    assert first.asked[0] == f"{ROOT}api/recent"
    assert {item.thread for item in first.items} == {"/ t1", "/ t2"}
    assert source.visit(forum).items == []
    new = forum.post(1, -0.4)
    third = source.visit(forum)
    assert (third.ids, third.asked) == ([f"/ p{new}"], [f"{ROOT}api/recent", f"{ROOT}api/topic/1/-/26"])
    assert source.visit(forum).asked == [f"{ROOT}api/recent"]


def test_a_closed_topic_counts_as_read_and_a_closed_forum_does_not():
    forum = Forum()
    forum.post(1, 4)
    site = lambda url: 403 if "/topic/" in url else forum(url)  # noqa: E731
    assert Source(NodebbSpider, ROOT).visit(site).complete
    run = Source(NodebbSpider, ROOT).visit(lambda url: 401)
    assert (run.complete, run.lost[0].answer) == (False, Answer.GATED)
