"""The forum programs: the same short quarrel, as each of them writes it down."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from crawlers.parse import parse_document, readers
from crawlers.parsing import PageFile
from crawlers.spider import native_id_of

PAGES = Path(__file__).parent / "pages"
NOW = datetime(2026, 11, 20, 20, tzinfo=UTC)
THREADS = {
    "xenforo_thread": "https://forum.example/threads/kein-rueckruf.99/",
    "xenforo_first": "https://forum.example/threads/no-callback.99/",
    "woltlab_thread": "https://forum.example/thread/99-kein-rueckruf/",
    "vbulletin_thread": "https://forum.example/showthread.php?99-Kein-Rueckruf",
    "vbulletin_third": "https://forum.example/showthread.php?t=99",
    "mybb_thread": "https://forum.example/showthread.php?tid=99",
    "smf_thread": "https://forum.example/index.php?topic=99.0",
    "invision_thread": "https://forum.example/topic/99-kein-rueckruf/",
    "vanilla_thread": "https://forum.example/discussion/99/kein-rueckruf",
}
LISTS = {
    "xenforo_list": "https://forum.example/forums/service.2/",
    "woltlab_list": "https://forum.example/board/2-service/",
    "vbulletin_list": "https://forum.example/forumdisplay.php?2-Service",
    "mybb_list": "https://forum.example/forumdisplay.php?fid=2",
    "smf_list": "https://forum.example/index.php?board=2.0",
    "invision_list": "https://forum.example/forum/2-service/",
    "vanilla_list": "https://forum.example/discussions",
}


def told(name: str, url: str) -> dict[str, Any]:
    body = (PAGES / f"{name}.html").read_bytes()
    return parse_document("auto", PageFile(url=url, body=body, now=NOW, zone=ZoneInfo("Europe/Berlin")))


@pytest.mark.parametrize(("name", "url"), THREADS.items())
def test_a_thread(name: str, url: str) -> None:
    document = told(name, url)
    english = name in ("xenforo_first", "vbulletin_third")
    first, second = (item for item in document["items"] if not item["deleted"])
    assert (document["spider"], document["state"], document["thread"]) == (name.partition("_")[0], "ok", "t99")
    assert document["thread_title"].endswith("No callback" if english else "Kein Rückruf")
    assert [first["author"], second["author"]] == ["Joe M" if english else "Jörg M", "Ada"]
    beginning = "The hotline never calls back." if english else "Die Hotline ruft nicht zurück."
    assert first["text"].startswith(beginning)
    assert "Gruß" not in first["text"]
    assert second["text"] == ("Same here." if english else "Bei mir auch nicht.")
    assert (second["quotes_removed"], second["parent_author"]) == (1, first["author"])
    times = [datetime.fromisoformat(item["published"]).astimezone(UTC) for item in (first, second)]
    hour, minute = (3, 23) if name == "xenforo_first" else (8, 15)
    assert times[0] == datetime(2026, 11, 20, hour, minute, tzinfo=UTC)
    assert times[1] == datetime(2026, 11, 20, 9, 23 if name == "xenforo_first" else 0, tzinfo=UTC)
    natives = [native_id_of(item["id"], item["url"]) for item in (first, second) if item["url"]]
    assert len(set(natives)) == len(natives)
    assert natives[-1] == "/ p452"


@pytest.mark.parametrize(
    ("name", "following"),
    [
        ("xenforo_thread", "https://forum.example/threads/kein-rueckruf.99/page-2"),
        ("woltlab_thread", "https://forum.example/thread/99-kein-rueckruf/?pageNo=2"),
        ("vbulletin_thread", "https://forum.example/showthread.php?99-Kein-Rueckruf/page2"),
        ("mybb_thread", "https://forum.example/showthread.php?page=2&tid=99"),
        ("smf_thread", "https://forum.example/index.php?topic=99.15"),
        ("invision_thread", "https://forum.example/topic/99-kein-rueckruf/page/2/"),
        ("vanilla_thread", "https://forum.example/discussion/99/kein-rueckruf/p2"),
    ],
)
def test_where_a_thread_goes_on(name: str, following: str) -> None:
    links = told(name, THREADS[name])["links"]
    assert (links["next"], links["previous"]) == ([following], [])


@pytest.mark.parametrize(("name", "url"), LISTS.items())
def test_a_list_of_threads(name: str, url: str) -> None:
    document = told(name, url)
    assert (document["spider"], document["state"]) == (name.partition("_")[0], "ok")
    *kept, row = document["threads"]
    assert (row["id"], row["title"], row["sticky"]) == ("t99", "Kein Rückruf", False)
    assert row["replies"] in (1204, 1200)
    assert datetime.fromisoformat(row["last_time"]).astimezone(UTC) == datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert all(one["sticky"] for one in kept)
    assert row["last_item"] in ("p452", None)


def test_a_question_with_answer_and_comment() -> None:
    document = told("stackexchange_question", "https://q.example/questions/99/no-callback")
    question, answer, comment = document["items"]
    assert (document["spider"], document["thread"], document["thread_title"]) == ("stackexchange", "t99", "No callback")
    assert (question["author"], question["votes"], question["accepted"]) == ("Joe M", 3, None)
    assert (answer["author"], answer["votes"], answer["accepted"], answer["text"]) == (
        "Ada",
        -1,
        True,
        "Try in the evening.",
    )
    assert answer["published"] == "2026-11-20T09:00:00+00:00"
    assert (comment["kind"], comment["id"], comment["parent"], comment["author"]) == (
        "comment",
        "comment-7",
        "p99",
        "Bo",
    )


@pytest.mark.parametrize(("shown", "votes"), [("-1", -1), ("--1", None), ("\u00b2", None), ("9" * 5_000, None)])
def test_votes_are_whole_numbers(shown: str, votes: int | None) -> None:
    body = (
        (PAGES / "stackexchange_question.html").read_text("utf-8").replace('data-value="-1"', f'data-value="{shown}"')
    )
    page = PageFile(url="https://q.example/questions/99/x", body=body.encode(), now=NOW, zone=ZoneInfo("UTC"))
    assert parse_document("stackexchange", page)["items"][1]["votes"] == votes


def test_an_unknown_program_by_the_shape_of_its_page() -> None:
    document = told("forum_unknown", "https://wand.example/thema/99")
    first, second = document["items"]
    assert (document["spider"], document["thread_title"]) == ("forum", "Kein Rückruf")
    assert [(item["id"], item["author"]) for item in document["items"]] == [("p451", "Jörg M"), ("p452", "Ada")]
    assert first["text"] == "Die Hotline ruft nicht zurück, seit drei Tagen."
    assert (second["text"], second["quotes_removed"], second["parent_author"]) == (
        "Bei mir auch nicht, und das seit Wochen.",
        1,
        "Jörg M",
    )
    assert [item["published"] for item in document["items"]] == [
        "2026-11-20T09:15:00+01:00",
        "2026-11-20T10:00:00+01:00",
    ]
    assert document["links"]["next"] == ["https://wand.example/thema/99?seite=2"]


@pytest.mark.parametrize(
    ("spider", "body", "state"),
    [
        ("mybb", "<html id='XF'><form action='/login/login'><input type='password'></form></html>", "gated"),
        ("woltlab", "<body data-application='wbb' data-template='board'></body>", "empty"),
        ("vbulletin", "<html><body><p>Hallo</p></body></html>", "layout_changed"),
        ("smf", "", "error"),
        ("forum", "<html><body><p>Hallo</p></body></html>", "empty"),
    ],
)
def test_a_page_without_posts_says_why(spider: str, body: str, state: str) -> None:
    page = PageFile(url="https://forum.example/", body=body.encode(), now=NOW, zone=ZoneInfo("UTC"))
    document = parse_document(spider, page)
    assert (document["state"], document["items"]) == (state, [])
    assert document["reason"]


def test_posts_without_time_are_a_changed_layout() -> None:
    body = (PAGES / "xenforo_thread.html").read_text("utf-8").replace("datetime=", "x=").replace("data-time=", "y=")
    page = PageFile(url=THREADS["xenforo_thread"], body=body.encode(), now=NOW, zone=ZoneInfo("UTC"))
    document = parse_document("xenforo", page)
    assert (document["state"], document["items"][0]["author"]) == ("layout_changed", "Jörg M")
    assert "no time" in document["reason"]


@pytest.mark.parametrize("spider", ["vbulletin", "mybb"])
@pytest.mark.parametrize(
    ("date", "known", "shown", "month"),
    [("11-20-2026", None, "MDY", 11), ("11-02-2026", None, None, 2), ("11-02-2026", "MDY", None, 11)],
)
def test_the_order_of_day_and_month_is_that_of_the_page_else_of_the_place(
    spider: str, date: str, known: Any, shown: str | None, month: int
) -> None:
    body = (PAGES / f"{spider}_thread.html").read_text("utf-8")
    body = re.sub(r"20\.11\.2026|11-20-2026", date, body).replace(" AM", "").replace('lang="en"', 'lang="de"')
    assert date in body
    page = PageFile(
        url="https://f.example/showthread.php?t=99",
        body=body.encode(),
        now=NOW,
        zone=ZoneInfo("Europe/Berlin"),
        order=known,
    )
    parsed = readers()[spider](page)
    assert parsed.order == shown
    assert parsed.items[0].published.at is not None
    assert parsed.items[0].published.at.month == month
