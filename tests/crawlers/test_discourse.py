"""Discourse: what its answers say, and what a visit asks for."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from rehearsal import NOW, Source, page

from crawlers.discourse_pages import place_of, topic_of
from crawlers.parse import detect
from crawlers.spiders.discourse import DiscourseSpider, parse
from pipeline.item import Media
from pipeline.words import Answer, Reading

PAGES = Path(__file__).parent / "pages"
ROOT = "https://forum.example/"


def read(name: str, url: str):
    return parse(page((PAGES / name).read_bytes(), url))


class Forum:
    """A forum whose newest posts are asked for in windows of 50 ids."""

    def __init__(self, *posts: dict) -> None:
        self.posts = list(posts)

    def post(self, number: int, hours: float, *, topic: int = 12, category: int = 5, text: str = "") -> None:
        self.posts.append(
            {
                "id": number,
                "username": f"Autor{number % 3}",
                "created_at": (NOW - timedelta(hours=hours)).isoformat(),
                "cooked": f"<p>{text or f'Beitrag {number}'}</p>",
                "post_number": number,
                "post_type": 1,
                "topic_id": topic,
                "topic_slug": "netz",
                "topic_title": "Netz &amp; Ausfälle",
                "category_id": category,
            }
        )

    def __call__(self, url: str) -> bytes | int:
        parts = urlsplit(url)
        if parts.path == "/posts.json":
            top = int(parse_qs(parts.query).get("before", ["999999"])[0])
            newest = max((p["id"] for p in self.posts), default=0)
            low = min(top, newest) - 50
            window = [p for p in self.posts if low < p["id"] <= top]
            return json.dumps({"latest_posts": sorted(window, key=lambda p: -p["id"])}).encode()
        topic, _ = topic_of(url)
        stream = [p for p in self.posts if str(p["topic_id"]) == topic]
        if not stream:
            return 404
        found = {"id": int(topic or 0), "title": "Netz", "slug": "netz", "views": 40, "accepted_answer": None}
        found["post_stream"] = {"posts": stream, "stream": [p["id"] for p in stream]}
        return json.dumps(found).encode()


def test_a_topic_gives_own_words_whom_they_answer_and_what_the_place_says():
    parsed = read("discourse_topic.json", f"{ROOT}t/77.json")
    opening, answer, hidden = parsed.items
    assert (parsed.state, parsed.thread, parsed.thread_title) == (Answer.OK, "t77", "DSL fällt ständig aus")
    assert (parsed.solved, parsed.first_page) == (True, True)
    assert parsed.links.next == (f"{ROOT}t/77.json?page=2",)
    assert (opening.id, opening.author, opening.author_id, opening.position) == ("t77-1", "käthe_g", "31", 1)
    assert opening.url == f"{ROOT}t/dsl-faellt-aus/77/1"
    assert opening.text == "Seit gestern fällt das DSL ständig aus :rage:"
    assert (opening.images, opening.media) == (
        1,
        (Media(kind="image", url="/uploads/router_small.jpeg", text="Router mit roter Lampe"),),
    )
    assert (opening.views, opening.votes, opening.accepted, opening.staff) == (268, 4, False, False)
    assert opening.published.at == datetime(2026, 11, 20, 8, 15, 0, 120000, tzinfo=UTC)
    assert answer.text == "Hallo @käthe_g, bitte den Router neu starten."
    assert (answer.parent, answer.parent_author, answer.quotes_removed) == ("t77-1", "käthe_g", 1)
    assert (answer.accepted, answer.staff, answer.votes, answer.views) == (True, True, None, None)
    assert (hidden.id, hidden.deleted, hidden.text) == ("t77-4", True, "")


def test_the_page_for_crawlers_is_read_too():
    parsed = read("discourse_crawler.html", f"{ROOT}t/dsl-faellt-aus/77")
    first, second = parsed.items
    assert (parsed.state, parsed.thread, parsed.lang, parsed.first_page) == (Answer.OK, "t77", "de", True)
    assert parsed.links.next == (f"{ROOT}t/dsl-faellt-aus/77?page=2",)
    assert (first.id, first.author, first.text, first.votes) == ("t77-1", "Hänsel", "Es geht nichts mehr.", 2)
    assert (second.text, second.parent, second.parent_author) == ("Bei mir auch nicht.", "t77-1", "hansi")


def test_lists_and_searches():
    latest = read("discourse_latest.json", f"{ROOT}latest.json")
    assert [(row.id, row.last_item, row.replies, row.sticky) for row in latest.threads] == [
        ("t77", "t77-6", 5, False),
        ("t5", "t5-1", 0, True),
    ]
    assert latest.threads[1].title == "Regeln & Hinweise"
    assert latest.links.next == (f"{ROOT}latest.json?no_definitions=true&page=1",)
    found = read("discourse_search.json", f"{ROOT}search.json?q=telekom")
    assert [(hit.id, hit.text, hit.votes, hit.teaser) for hit in found.items] == [
        ("t77-8", "…die Telekom hat angerufen…", 3, True)
    ]
    assert found.links.next == (f"{ROOT}search.json?q=telekom&page=2",)


@pytest.mark.parametrize(
    ("body", "state", "reason"),
    [
        (b"", Answer.ERROR, "empty"),
        (b'{"latest_posts": []}', Answer.EMPTY, "no posts"),
        (
            b'{"errors": ["Sie m\\u00fcssen angemeldet sein."], "error_type": "not_logged_in"}',
            Answer.GATED,
            "angemeldet",
        ),
        (b'{"a": 1}', Answer.LAYOUT_CHANGED, "none of a Discourse"),
        (b'{"latest_posts": [{"id": 1, "topic_id": 2, "post_number": 1}]}', Answer.LAYOUT_CHANGED, "0 of 1"),
        (b'{"latest_posts": [[1], null, {"id": "x", "topic_id": [], "post_number": {}}]}', Answer.EMPTY, "no posts"),
        (b"<html><h1>Kochrezepte</h1></html>", Answer.LAYOUT_CHANGED, "no page"),
    ],
)
def test_what_is_no_list_of_posts_says_why(body, state, reason):
    parsed = parse(page(body, f"{ROOT}posts.json"))
    assert parsed.state is state
    assert reason in parsed.reason


@pytest.mark.parametrize(
    "name", ["discourse_topic.json", "discourse_latest.json", "discourse_search.json", "discourse_crawler.html"]
)
def test_its_pages_are_known(name):
    assert detect(page((PAGES / name).read_bytes(), ROOT))[0] == "discourse"


def test_places_and_topics_of_addresses():
    assert place_of("https://x.de/forum/t/netz/12/3") == "https://x.de/forum/"
    assert place_of("https://x.de/forum/posts.json?before=3") == "https://x.de/forum/"
    assert place_of("https://x.de") == "https://x.de/"
    assert topic_of("https://x.de/t/12/3.json") == ("12", 3)
    assert topic_of("https://x.de/c/netz/5") == (None, None)


def test_one_request_finds_every_new_post_and_nothing_twice():
    forum = Forum()
    for number in range(1, 121):
        forum.post(number, 130 - number)
    source = Source(DiscourseSpider, ROOT)
    first = source.visit(forum)
    assert (len(first.items), first.complete, len(first.asked)) == (120, True, 3)
    assert first.visit.complete_from == NOW - timedelta(hours=129)
    assert (first.items[0].native_id, first.items[0].thread, first.items[0].thread_title) == (
        "/ t12-120",
        "/ t12",
        "Netz & Ausfälle",
    )
    assert [item.native_id for item in first.items if item.opens_thread] == ["/ t12-1"]
    forum.post(121, 0.1)
    second = source.visit(forum)
    assert (second.ids, second.asked) == (["/ t12-121"], [f"{ROOT}posts.json"])
    forum.posts[-1]["cooked"] = "<p>Nachtrag: es geht wieder.</p>"
    third = source.visit(forum)
    assert [item.text for item in third.items] == ["Nachtrag: es geht wieder."]
    assert source.visit(forum).items == []


def test_a_window_that_holds_nothing_for_us_is_not_the_end():
    forum = Forum()
    forum.post(10, 30)
    forum.post(200, 1)
    run = Source(DiscourseSpider, ROOT).visit(forum)
    assert run.ids == ["/ t12-200", "/ t12-10"]
    assert run.complete


def test_a_visit_cut_short_goes_on_where_it_stood():
    forum = Forum()
    for number in range(1, 201):
        forum.post(number, 300 - number)
    source = Source(DiscourseSpider, ROOT, max_pages=2)
    first = source.visit(forum)
    assert (len(first.items), first.visit.behind, first.complete) == (100, True, False)
    found = {*first.ids}
    for _ in range(4):
        found |= {*source.visit(forum).ids}
    assert len(found) == 200


def test_a_category_leaves_its_posts_only():
    forum = Forum()
    forum.post(1, 5, category=5)
    forum.post(2, 4, category=6)
    run = Source(DiscourseSpider, f"{ROOT}c/netz/5").visit(forum)
    assert (run.ids, run.asked[0]) == (["/ t12-1"], f"{ROOT}posts.json?category=5")


def test_topics_are_read_whole_where_that_is_asked_for():
    forum = Forum()
    forum.post(1, 5)
    forum.post(2, 4)
    source = Source(DiscourseSpider, ROOT, options={"topics": True})
    run = source.visit(forum)
    assert run.asked == [f"{ROOT}posts.json", f"{ROOT}t/12.json"]
    assert run.complete
    assert {item.views for item in run.items if item.opens_thread} == {None, 40}
    assert {item.accepted for item in run.items} == {None, False}
    assert source.visit(forum).asked == [f"{ROOT}posts.json"]


def test_one_topic_and_one_search():
    forum = Forum()
    forum.post(1, 5)
    topic = Source(DiscourseSpider, f"{ROOT}t/netz/12").visit(forum)
    assert (topic.ids, topic.asked) == (["/ t12-1"], [f"{ROOT}t/12/9999999.json"])
    answer = (PAGES / "discourse_search.json").read_bytes()
    search = Source(DiscourseSpider, f"{ROOT}search?q=telekom").visit(
        lambda url: answer if "page" not in url else b'{"posts": [], "grouped_search_result": {}}'
    )
    assert [(item.native_id, item.reading) for item in search.items] == [("/ t77-8", Reading.SNIPPET)]
    assert search.asked[0] == f"{ROOT}search.json?q=telekom%20order%3Alatest"


@pytest.mark.parametrize(
    ("answer", "state"), [(403, Answer.GATED), (429, Answer.ERROR), (b"<p>x", Answer.LAYOUT_CHANGED)]
)
def test_what_cannot_be_read_moves_nothing(answer, state):
    source = Source(DiscourseSpider, ROOT)
    forum = Forum()
    forum.post(1, 5)
    source.visit(forum)
    known = source.cursor
    run = source.visit(lambda url: answer)
    assert (run.items, run.complete, source.cursor) == ([], False, known)
    assert run.lost[0].answer is state
