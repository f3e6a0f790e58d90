"""Flarum: its documents, its pages for people, and what a visit asks for."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from rehearsal import NOW, Source, page

from crawlers.flarum_pages import place_of, posts_url
from crawlers.parse import detect
from crawlers.spiders.flarum import FlarumSpider, parse
from pipeline.words import Answer

PAGES = Path(__file__).parent / "pages"
ROOT = "https://forum.example/"
POSTS = f"{ROOT}api/posts?filter[discussion]=7&filter[type]=comment&sort=number&page[limit]=50"


class Forum:
    """A forum as its interface shows it. Every tenth number of a topic is no post: it was renamed or closed."""

    def __init__(self, topics: dict[int, int]) -> None:
        self.posts: dict[int, list[tuple[int, datetime, str]]] = {topic: [] for topic in topics}
        at = NOW - timedelta(hours=sum(topics.values()))
        for topic, count in topics.items():
            for _ in range(count):
                at += timedelta(minutes=50)
                self.post(topic, at)

    def post(self, topic: int, at: datetime, text: str = "") -> int:
        told = self.posts[topic]
        number = told[-1][0] + 1 if told else 1
        number += number % 10 == 0
        told.append((number, at, text or f"Beitrag {number} zum Thema {topic}"))
        return number

    def __call__(self, url: str) -> bytes | int:
        parts = urlsplit(url)
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        size, start = int(asked.get("page[limit]", 20)), int(asked.get("page[offset]", 0))
        if parts.path == "/api/discussions":
            newest = sorted(self.posts, key=lambda topic: self.posts[topic][-1][1], reverse=True)
            return json.dumps({"data": [self._topic(topic) for topic in newest[start : start + size]]}).encode()
        topic = int(asked["filter[discussion]"])
        if topic not in self.posts:
            return 404
        shown = [self._post(topic, *one) for one in self.posts[topic][start : start + size]]
        author = {"type": "users", "id": "3", "attributes": {"displayName": "Käthe"}}
        return json.dumps({"data": shown, "included": [self._topic(topic), author]}).encode()

    def _topic(self, topic: int) -> dict:
        told = self.posts[topic]
        values = {"title": f"Thema {topic}", "slug": f"{topic}-thema", "commentCount": len(told)}
        values |= {"lastPostedAt": told[-1][1].isoformat(), "lastPostNumber": told[-1][0]}
        return {"type": "discussions", "id": str(topic), "attributes": values}

    def _post(self, topic: int, number: int, at: datetime, text: str) -> dict:
        values = {"number": number, "createdAt": at.isoformat(), "contentType": "comment"}
        return {
            "type": "posts",
            "id": str(1000 * topic + number),
            "attributes": values | {"contentHtml": f"<p>{text}</p>"},
            "relationships": {
                "discussion": {"data": {"type": "discussions", "id": str(topic)}},
                "user": {"data": {"type": "users", "id": "3"}},
            },
        }


def test_the_posts_of_a_topic():
    parsed = parse(page((PAGES / "flarum_posts.json").read_bytes(), POSTS))
    opening, second, answer, gone = parsed.items
    assert (parsed.state, parsed.thread, parsed.thread_title) == (Answer.OK, "t7", "Hotline taub & stumm")
    assert (parsed.solved, parsed.first_page, parsed.links.next) == (True, True, ())
    assert (opening.id, opening.url) == ("t7-1", f"{ROOT}d/7-hotline-taub-stumm/1")
    assert (opening.author, opening.author_id, opening.votes) == ("Käthe Größl", "3", 2)
    assert opening.text == "Seit drei Stunden nur Musik bei der Nordstrom. 😡"
    assert opening.published.at == datetime(2026, 11, 20, 8, tzinfo=UTC)
    assert (second.text, second.quotes_removed, second.author) == ("Bei mir auch.", 1, "ole")
    assert (second.parent, second.parent_author) == ("t7-1", "Käthe Größl")
    assert (answer.text, answer.parent, answer.parent_author) == ("Wir rufen zurück, @kaethe!", "t7-3", "Ole")
    assert (answer.staff, answer.accepted, answer.votes) == (True, True, 5)
    assert (gone.id, gone.deleted, gone.text) == ("t7-5", True, "")


def test_a_list_of_topics():
    parsed = parse(page((PAGES / "flarum_topics.json").read_bytes(), f"{ROOT}api/discussions?sort=-lastPostedAt"))
    kept, row = parsed.threads
    assert (kept.sticky, kept.url) == (True, f"{ROOT}d/2-willkommen")
    assert (row.id, row.title, row.url) == ("t7", "Hotline taub & stumm", f"{ROOT}d/7-hotline-taub-stumm")
    assert (row.last_item, row.replies, row.sticky) == ("t7-61", 53, False)
    assert row.last_url == posts_url(ROOT, 7, 50)
    assert row.last_time == datetime(2026, 11, 21, 19, 30, tzinfo=UTC)
    assert parsed.links.next == (f"{ROOT}api/discussions?sort=-lastPostedAt&page%5Boffset%5D=20",)


def test_a_page_for_people_holds_its_document():
    body = (PAGES / "flarum_topic.html").read_bytes()
    parsed = parse(page(body, f"{ROOT}d/7-hotline-taub-stumm"))
    assert (parsed.state, parsed.thread, parsed.lang) == (Answer.OK, "t7", "de")
    assert [item.id for item in parsed.items] == ["t7-1", "t7-3"]
    assert parsed.links.next == (f"{ROOT}d/7-hotline-taub-stumm?page=2",)


@pytest.mark.parametrize("name", ["flarum_posts.json", "flarum_topics.json", "flarum_topic.html"])
def test_its_pages_are_known(name):
    assert detect(page((PAGES / name).read_bytes(), ROOT))[0] == "flarum"


@pytest.mark.parametrize(
    ("body", "state", "reason"),
    [
        (b"", Answer.ERROR, "empty"),
        (b"{", Answer.LAYOUT_CHANGED, "no document"),
        (b"[]", Answer.LAYOUT_CHANGED, "no document"),
        (b'{"data": []}', Answer.EMPTY, "no posts"),
        (b'{"data": [{"type": "posts", "attributes": {"number": 1}}]}', Answer.LAYOUT_CHANGED, "no post was found"),
        (b'{"data": [{"type": "users", "id": "1"}]}', Answer.LAYOUT_CHANGED, "no list"),
        (b'{"errors": [{"status": "403", "code": "permission_denied"}]}', Answer.GATED, "permission_denied"),
        (b'{"errors": [{"status": "500"}]}', Answer.ERROR, "500"),
        (b"<html><body><p>Hallo</p></body></html>", Answer.LAYOUT_CHANGED, "no page of Flarum"),
        (b'<script id="flarum-json-payload">{"apiDocument": 3}</script>', Answer.LAYOUT_CHANGED, "no document"),
    ],
)
def test_what_is_no_list_says_why(body, state, reason):
    parsed = parse(page(body, f"{ROOT}api/posts"))
    assert parsed.state is state
    assert reason in parsed.reason


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://x.de/", "https://x.de/"),
        ("https://x.de/forum/t/support", "https://x.de/forum/"),
        ("https://x.de/forum/d/5-titel/12", "https://x.de/forum/"),
        ("https://x.de/forum/api/posts?sort=number", "https://x.de/forum/"),
        ("https://x.de/all", "https://x.de/"),
    ],
)
def test_where_a_forum_lies(url, place):
    assert place_of(url) == place


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        (ROOT, f"{ROOT}api/discussions?sort=-lastPostedAt&page[limit]=50"),
        (
            f"{ROOT}t/f%C3%BCr-alle",
            f"{ROOT}api/discussions?filter[tag]=für-alle&sort=-lastPostedAt&page[limit]=50",
        ),
        (
            f"{ROOT}?q=Nordstrom%20AG",
            f"{ROOT}api/discussions?filter[q]=Nordstrom AG&sort=-lastPostedAt&page[limit]=50",
        ),
        (f"{ROOT}d/7-hotline/12", POSTS),
    ],
)
def test_what_a_source_asks_for(url, asked):
    run = Source(FlarumSpider, url).visit(lambda _: b'{"data": []}')
    assert [unquote(one) for one in run.asked] == [asked]


def test_a_forum_is_read_and_then_only_what_is_new():
    forum, watched = Forum({1: 3, 2: 120, 3: 2}), Source(FlarumSpider, ROOT)
    first = watched.visit(forum)
    assert (first.complete, len(first.items), len(first.asked)) == (True, 125, 6)
    assert {item.native_id for item in first.items} >= {"/ t1-1", "/ t2-132", "/ t3-2"}
    assert {item.thread for item in first.items} == {"/ t1", "/ t2", "/ t3"}

    idle = watched.visit(forum)
    assert (idle.items, idle.complete, len(idle.asked)) == ([], True, 1)

    number = forum.post(2, NOW + timedelta(minutes=40), "Und jetzt?")
    news = watched.visit(forum)
    assert (news.ids, news.complete, len(news.asked)) == ([f"/ t2-{number}"], True, 2)
    assert news.asked[1] == posts_url(ROOT, 2, 100)


def test_a_cap_is_behind_and_the_next_visits_go_on():
    forum, watched = Forum({1: 2, 2: 260}), Source(FlarumSpider, ROOT, max_pages=2)
    runs = [watched.visit(forum)]
    assert (runs[0].visit.behind, runs[0].complete) == (True, False)
    while not runs[-1].complete:
        assert len(runs) < 8
        runs.append(watched.visit(forum))
    found = [name for run in runs for name in run.ids]
    assert len(set(found)) == 262


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (403, Answer.GATED),
        (429, Answer.ERROR),
        (b'{"errors": [{"status": "403", "code": "permission_denied"}]}', Answer.GATED),
        (b"<html><title>Just a moment...</title></html>", Answer.LAYOUT_CHANGED),
    ],
)
def test_what_cannot_be_read_is_no_quiet_forum(answer, state):
    forum, watched = Forum({1: 3}), Source(FlarumSpider, ROOT)
    watched.visit(forum)
    run = watched.visit(lambda _: answer)
    assert (run.complete, run.items, [one.answer for one in run.lost]) == (False, [], [state])


def test_one_topic_can_be_a_source():
    forum, watched = Forum({7: 60}), Source(FlarumSpider, f"{ROOT}d/7-thema")
    assert len(watched.visit(forum).items) == 60
    number = forum.post(7, NOW + timedelta(minutes=5))
    run = watched.visit(forum)
    assert (run.ids, run.complete) == ([f"/ t7-{number}"], True)
