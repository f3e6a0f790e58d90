"""What is never asked: reserved pages, blocked domains, hostile addresses; and the count of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from crawlers import tdm
from crawlers.guard import Guard, Refused
from pipeline.state import blocking
from pipeline.state.sources import recent_fetches
from pipeline.state.tables import host
from pipeline.words import Answer, SourceState

FILE = "/.well-known/tdmrep.json"


@pytest.fixture
def board(world: Any, pages: Any) -> Any:
    world.site.pages |= {"/list": pages.listing({"t1": 1, "t2": 2})}
    world.site.pages |= {f"/thread/t{n}": pages.posts(n) for n in (1, 2)}
    return world


def reasons(world: Any) -> dict[str, tuple[Answer, str]]:
    with world.state.read() as connection:
        rows = recent_fetches(connection, "board", 100)
    return {row.url.removeprefix(world.site.url): (row.answer, row.reason) for row in rows}


def refused(world: Any) -> dict[str, int]:
    with world.state.read() as connection:
        return blocking.counted(connection)


# --- reservations -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "fit"),
    [
        ("/", "/a/b", True),
        ("/a", "/b", False),
        ("/a*", "/abc", True),
        ("/*.html$", "/x/y.html", True),
        ("/*.html$", "/x/y.html?z", False),
        ("/a/*/c", "/a/b/c/d", True),
        ("/a/*/c", "/a/b", False),
        ("/x$", "/x", True),
        ("/x$", "/xy", False),
        ("/ab*ab$", "/ab", False),
        ("*", "/", True),
    ],
)
def test_path_patterns(pattern: str, path: str, fit: bool) -> None:
    assert tdm.fits(pattern, path) is fit


@pytest.mark.parametrize("body", [b"", b"{}", b"[1, null, {}]", b'[{"location": 5}]', b"[" * 100_000, b"\xff\xfe"])
def test_a_broken_file_reserves_nothing(body: bytes) -> None:
    assert tdm.rules_of(body) == []


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b'<meta name="tdm-reservation" content="1">', "meta tdm-reservation"),
        (b"<META content='1' NAME=tdm-reservation />", "meta tdm-reservation"),
        (b'<meta name="tdm-reservation" content="0"><meta name="x" content="1">', ""),
        (b"they wrote tdm-reservation and 1", ""),
    ],
)
def test_the_meta_element(body: bytes, where: str) -> None:
    assert tdm.said("", body, "text/html; charset=utf-8") == where
    assert tdm.said("", body, "application/json") == ""


def test_the_file_of_a_host_is_asked_once_a_day_and_obeyed(board: Any, pages: Any) -> None:
    rules = [
        {"location": "/thread/t1", "tdm-reservation": 0},
        {"location": "/thread/*", "tdm-reservation": 1, "tdm-policy": "https://a.example/policy.json"},
    ]
    board.site.pages[FILE] = pages.reply(json.dumps(rules).encode())
    board.visit()
    board.visit()
    asked = board.site.paths(robots=True)
    assert asked.count(FILE) == 1 and "/thread/t1" in asked and "/thread/t2" not in asked
    assert reasons(board)["/thread/t2"] == (Answer.GATED, f"the site reserves text and data mining ({FILE})")
    with board.state.read() as connection:
        row = connection.execute(sa.select(host)).one()
    assert row.tdm == [["/thread/t1", False], ["/thread/*", True]] and row.tdm_at is not None
    board.clock.advance(hours=25)
    board.visit()
    assert board.site.paths(robots=True).count(FILE) == 2


def test_a_reserved_answer_is_not_read(board: Any, pages: Any) -> None:
    board.site.pages["/list"] = pages.reply(b'{"threads": {"t1": 1}}', tdm_reservation="1")
    report = board.visit()
    assert (report.state, report.answer, report.items) == (SourceState.BLIND, Answer.GATED, 0)
    assert reasons(board)["/list"] == (Answer.GATED, "the site reserves text and data mining (tdm-reservation: 1)")
    assert "/thread/t1" not in board.site.paths()


def test_a_reserved_page_is_not_read(board: Any, pages: Any) -> None:
    body = b'<html><head><meta name="tdm-reservation" content="1"></head></html>'
    board.site.pages["/thread/t1"] = pages.reply(body, Content_Type="text/html")
    assert board.visit().items == 1
    assert reasons(board)["/thread/t1"] == (
        Answer.GATED,
        "the site reserves text and data mining (meta tdm-reservation)",
    )


# --- domains ----------------------------------------------------------------------------------------------------


def test_a_blocked_domain_is_read_no_more_until_unblocked(board: Any) -> None:
    with board.state.begin() as connection:
        blocking.block(connection, "http://127.0.0.1/", "asked for by its operator", "Erika", board.clock.now())
    report = board.visit()
    assert (report.state, report.answer) == (SourceState.BLIND, Answer.GATED) and board.site.asked == []
    assert board.row().reason.startswith("127.0.0.1 is blocked: asked for by its operator")
    assert refused(board) == {"blocked_domain": 1}
    with board.state.begin() as connection:
        assert [one.domain for one in blocking.blocked(connection)] == ["127.0.0.1"]
        assert blocking.unblock(connection, "127.0.0.1") and not blocking.unblock(connection, "127.0.0.1")
    assert board.visit().complete


def test_a_block_holds_below_a_domain_and_on_redirects(board: Any, pages: Any) -> None:
    domains = {"example.org": "x"}
    assert blocking.covering(domains, "Forum.Example.org.") == "example.org"
    assert blocking.covering(domains, "notexample.org") is None
    with board.state.begin() as connection:
        blocking.block(connection, "www.example.org", "x", "Erika", board.clock.now())
    board.site.pages["/thread/t1"] = pages.reply(b"", 302, Location="http://forum.example.org/t1")
    board.visit()
    assert reasons(board)["http://forum.example.org/t1"] == (Answer.GATED, "example.org is blocked: x")


@pytest.mark.parametrize("word", ["", "  ", "http://", "a b"])
def test_what_is_no_domain_cannot_be_blocked(word: str) -> None:
    with pytest.raises(ValueError, match="is no domain"):
        blocking.plain(word)


# --- hostile addresses ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "rule"),
    [
        ("file:///etc/passwd", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("data:text/html,x", "scheme"),
        ("ftp://a.example/", "scheme"),
        ("http://me:secret@a.example/", "credentials"),
        ("http://10.0.0.1/", "private_address"),
        ("http://[::1]/", "private_address"),
        ("http://169.254.169.254/latest/meta-data/", "private_address"),
        ("http://[::ffff:127.0.0.1]/", "private_address"),
        ("http://2130706433/", "odd_host"),
    ],
)
def test_each_is_refused_by_a_rule_of_its_own(url: str, rule: str) -> None:
    with pytest.raises(Refused) as found:
        Guard().check_url(url)
    assert found.value.rule == rule


HOSTILE = ["file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", "http://10.0.0.1/", "mailto:a@b.example"]


def test_hostile_links_are_counted_and_break_nothing(board: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spider = board.spiders["threads"]
    read_list = spider.read_list

    def with_traps(self: Any, response: Any) -> Any:
        yield from read_list(self, response)
        for url in HOSTILE:
            yield self.request(url, self.read_thread, gone=self.thread_gone, row=None)

    monkeypatch.setattr(spider, "read_list", with_traps)
    report = board.visit()
    assert report.items == 2 and refused(board) == {"private_address": 1, "scheme": 4}
    assert {url for url in reasons(board) if not url.startswith("/")} == set(HOSTILE)
    board.visit()
    assert refused(board) == {"private_address": 2, "scheme": 8}


def test_redirects_to_hostile_addresses_are_counted(board: Any, pages: Any) -> None:
    board.site.pages["/thread/t1"] = pages.reply(b"", 302, Location="http://192.168.0.1/")
    board.visit()
    assert refused(board) == {"private_address": 1}


def test_refusals_are_counted_by_day(board: Any) -> None:
    now = board.clock.now()
    with board.state.begin() as connection:
        blocking.count(connection, {"scheme": 2}, now - timedelta(days=9))
        blocking.count(connection, {"scheme": 3}, now)
        assert blocking.counted(connection, now - blocking.WEEK) == {"scheme": 3}
        assert blocking.counted(connection) == {"scheme": 5}
