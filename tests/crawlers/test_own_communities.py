"""Communities that are read with their operator's own key: Khoros, and Gainsight (inSided)."""

from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from rehearsal import BERLIN, NOW, Source, page

from crawlers.parse import detect
from crawlers.spiders.insided import InsidedSpider
from crawlers.spiders.insided import parse as parse_insided
from crawlers.spiders.khoros import KhorosSpider
from crawlers.spiders.khoros import parse as parse_khoros
from pipeline.words import Answer

PAGES = Path(__file__).parent / "pages"
MESSAGES = (PAGES / "khoros_messages.json").read_bytes()
QUESTIONS = (PAGES / "insided_questions.json").read_bytes()
REPLIES = (PAGES / "insided_replies.json").read_bytes()
SEARCH = "https://community.example/api/2.0/search?q="
API = "https://api2-eu-west-1.insided.com/v2/"


def test_messages_of_khoros():
    answer, opening = parse_khoros(page(MESSAGES, f"{SEARCH}SELECT%20id%20FROM%20messages%20LIMIT%202")).items
    assert (answer.id, answer.author, answer.text, answer.quotes_removed) == (
        "p13",
        "Maja_Team",
        "Wir prüfen die Leitung.",
        1,
    )
    assert (answer.parent, answer.parent_author, answer.thread) == ("p11", "Käthe", "t11")
    assert (answer.accepted, answer.votes, answer.views) == (True, 3, None)
    assert answer.published.at == NOW.replace(day=20, hour=10, minute=45, tzinfo=BERLIN)
    assert (opening.views, opening.votes, opening.accepted, opening.position) == (512, 0, False, 1)


def test_older_messages_of_khoros_are_further_down_the_same_query():
    parsed = parse_khoros(page(MESSAGES, f"{SEARCH}SELECT%20id%20FROM%20messages%20LIMIT%202%20OFFSET%204"))
    assert parse_qs(urlsplit(parsed.links.next[0]).query)["q"] == ["SELECT id FROM messages LIMIT 2 OFFSET 6"]
    assert parse_khoros(page(MESSAGES, f"{SEARCH}SELECT%20id%20FROM%20messages%20LIMIT%203")).links.next == ()


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (b"", Answer.ERROR),
        (b'{"status":"error","message":"no","http_code":403,"data":{"type":"error_data"}}', Answer.GATED),
        (b'{"status":"error","message":"slow","http_code":429,"data":{"type":"error_data"}}', Answer.RATE_LIMITED),
        (b'{"data":{"items":[]}}', Answer.EMPTY),
        (b'{"data":{"items":[{"id":[]}]}}', Answer.LAYOUT_CHANGED),
        (b'{"data":[1]}', Answer.LAYOUT_CHANGED),
    ],
)
def test_other_answers_of_khoros(body, state):
    parsed = parse_khoros(page(body, f"{SEARCH}SELECT"))
    assert parsed.state is state
    assert parsed.reason


def test_khoros_is_asked_with_the_key_and_repeats_nothing(monkeypatch):
    source = Source(KhorosSpider, "https://community.example/", options={"boards": ("Internet", "x' OR '1")})
    keyless = source.visit(lambda url: MESSAGES)
    assert (keyless.asked, keyless.lost[0].answer) == ([], Answer.GATED)
    monkeypatch.setenv("STURMWARTE_KHOROS_KEY", "geheim")
    first = source.visit(lambda url: MESSAGES)
    assert first.ids == ["/ p13", "/ p11"]
    assert [item.opens_thread for item in first.items] == [False, True]
    query = parse_qs(urlsplit(first.asked[0]).query)["q"][0]
    assert query.endswith("FROM messages WHERE board.id IN ('Internet') ORDER BY post_time DESC LIMIT 100")
    assert "geheim" not in "".join(first.asked)
    assert source.visit(lambda url: MESSAGES).items == []
    assert (source.visit(lambda url: 401).complete, source.visit(lambda url: 401).lost[0].answer) == (
        False,
        Answer.GATED,
    )


def test_topics_and_answers_of_insided():
    topics = parse_insided(page(QUESTIONS, f"{API}questions?page=1&pageSize=50&community=community.example"))
    [topic] = topics.items
    assert (topic.id, topic.title, topic.text, topic.views, topic.votes) == (
        "t42",
        "Router startet neu",
        "Jede Nacht um drei.",
        120,
        2,
    )
    assert topic.url == "https://community.example/internet-3/router-startet-neu-42"
    assert (topics.threads[0].url, topics.threads[0].replies) == (f"{API}questions/42/replies", 1)
    [reply] = parse_insided(page(REPLIES, f"{API}questions/42/replies?page=1")).items
    assert (reply.id, reply.thread, reply.parent, reply.author) == ("p100", "t42", "t42", "Maja")
    assert (reply.text, reply.accepted, reply.staff) == ("Bitte die Firmware erneuern.", True, True)


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (b"", Answer.ERROR),
        (b'{"code": 401, "message": "token expired"}', Answer.GATED),
        (b'{"result": []}', Answer.EMPTY),
        (b'{"result": [{"id": {}}]}', Answer.LAYOUT_CHANGED),
        (b"[]", Answer.LAYOUT_CHANGED),
    ],
)
def test_other_answers_of_insided(body, state):
    parsed = parse_insided(page(body, f"{API}questions"))
    assert parsed.state is state
    assert parsed.reason


def test_insided_reads_answers_of_changed_topics_once(monkeypatch):
    monkeypatch.setenv("STURMWARTE_INSIDED_SECRET", "geheim")
    options = {"client_id": "7", "kinds": ("questions",)}
    source = Source(InsidedSpider, "https://community.example/", options=options, backfill=timedelta(days=9))

    def site(url: str) -> bytes:
        if url.endswith("/oauth2/token"):
            return b'{"access_token": "marke"}'
        return REPLIES if "/replies" in url else QUESTIONS

    first = source.visit(site)
    assert (first.ids, first.complete) == (["/ t42", "/ p100"], True)
    assert {item.origin for item in first.items} == {"community.example"}
    assert {item.thread for item in first.items} == {"/ t42"}
    assert not any("geheim" in url or "marke" in url for url in first.asked)
    second = source.visit(site)
    assert (second.items, len(second.asked)) == ([], 2)
    refused = source.visit(lambda url: b'{"error": "invalid_client"}')
    assert (refused.complete, refused.lost[0].reason) == (False, "signing in gave no token")


@pytest.mark.parametrize(("body", "name"), [(MESSAGES, "khoros"), (QUESTIONS, "insided")])
def test_their_answers_are_known(body, name):
    assert detect(page(body, "https://community.example/x"))[0] == name
