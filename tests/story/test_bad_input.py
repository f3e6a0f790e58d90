"""What the web and the machine may do to us, each through the whole way: source → crawl → mention → state, page, mail.

After each: a sentence that names what and where, a recorded state, the next source well, nothing lost.
"""

from __future__ import annotations

import csv
import email
import email.policy
import gzip
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from html import escape
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller
from clocks import RunningClock
from fastapi.testclient import TestClient
from loopback import Loopback, loopback

from crawlers.ledger import VisitReport
from crawlers.raw import RawPages
from crawlers.service import crawl_once
from dashboards.app import create
from pipeline.clock import ScaledClock
from pipeline.configuration import Configuration, StoreTable
from pipeline.mention import Mention
from pipeline.query.tree import EVERYTHING
from pipeline.spool import Spool
from pipeline.state import sources
from pipeline.state.opening import open_state
from pipeline.state.tables import outbox
from pipeline.store.opening import open_store
from pipeline.words import Answer, SourceState
from sturmwarte import command, watch
from sturmwarte.live import LiveConfiguration, Recorder, rejected_configuration
from sturmwarte.registry import build_registry
from sturmwarte.service import CLOCK

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BRANDS = {"nordnetz": {"name": "Nordnetz", "aliases": ["Nordnetz"]}}
CRAWL = {"delay": 0, "allow_private": ["127.0.0.1"], "timeout": "60s"}
GOOD = "Nordnetz läuft bei mir übrigens schon wieder."
"""The next source, which must be well whatever happens to the first."""


def feed(*entries: str, date: str = "Fri, 20 Nov 2026 11:00:00 +0000", name: str = "a") -> str:
    items = "".join(
        f"<item><title>Meldung {n}</title><link>http://blatt.example/{name}/{n}</link><pubDate>{date}</pubDate>"
        f"<description>{escape(text)}</description></item>"
        for n, text in enumerate(entries)
    )
    channel = f"<channel><title>Blatt</title><link>http://blatt.example/</link>{items}</channel>"
    return f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0">{channel}</rss>'


def reviews(*texts: str, date: str = "2026-11-20T10:00:00Z", head: str = "") -> str:
    """A page of reviews in microdata; texts are markup."""
    items = "".join(
        f'<div itemprop="review" itemscope itemtype="https://schema.org/Review">'
        f'<span itemprop="author">Kundin {n}</span><time itemprop="datePublished" datetime="{date}"></time>'
        f'<p itemprop="reviewBody">{text}</p></div>'
        for n, text in enumerate(texts)
    )
    return f'<html><head>{head}</head><body itemscope itemtype="https://schema.org/Organization">{items}</body></html>'


Page = Callable[[Any], None]


def reply(body: str | bytes, kind: str = "text/html; charset=utf-8", status: int = 200, **headers: str) -> Page:
    content = body.encode() if isinstance(body, str) else body

    def answer(request: Any) -> None:
        request.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(content)

    return answer


class World:
    """Pages by path, sources that read them, one data folder, and what is told of it all."""

    def __init__(self, folder: Path, web: Loopback, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.data, self.web, self._capsys = folder, folder / "data", web, capsys
        self.clock, self.pages = RunningClock(NOW), dict[str, Page]()
        self.sources: dict[str, dict[str, Any]] = {}
        self.over: dict[str, Any] = {}
        self.page("/well", reply(feed(GOOD, name="well"), "application/rss+xml"))
        self.source("well", "feed", "/well", full_text=False)

    def page(self, path: str, page: Page) -> None:
        self.pages[path] = page

    def source(self, name: str, spider: str, path: str, **options: Any) -> None:
        url = path if "://" in path else self.web.url + path
        self.sources[name] = {"spider": spider, "url": url, **options}

    @property
    def configuration(self) -> Configuration:
        told = {"contact": "ops@example.org", "brands": BRANDS, "crawl": CRAWL, "data": self.data}
        return Configuration.model_validate({**told, "sources": dict(sorted(self.sources.items())), **self.over})

    def crawl(self) -> dict[str, VisitReport]:
        """One visit to every source, the odd ones first; the good one must always end well."""
        reports = {report.source: report for report in crawl_once(self.configuration, self.data, self.clock)}
        assert set(reports) == set(self.sources)
        return reports

    def visit(self, page: Page | None = None, spider: str = "reviews", **options: Any) -> VisitReport:
        """A visit to ``/odd`` with that page; checks that the good source is read beside it."""
        if page is not None:
            self.page("/odd", page)
        self.sources.setdefault("odd", {"spider": spider, "url": self.web.url + "/odd", **options})
        reports = self.crawl()
        assert reports["well"].complete and GOOD in self.texts("well")
        return reports["odd"]

    def watch(self) -> None:
        """One look of the rules, one round of the post."""
        with (
            closing(open_state(self.data)) as state,
            closing(open_store(self.data, StoreTable(), clock=self.clock)) as store,
        ):
            watch.look(self.configuration, store, state, self.clock, self.data)
            watch.deliver(self.configuration, state, self.clock)

    def outbox(self) -> list[Any]:
        with closing(open_state(self.data)) as state, state.read() as connection:
            return list(connection.execute(sa.select(outbox)))

    def mentions(self, source: str = "odd") -> list[Mention]:
        with closing(open_store(self.data, StoreTable(), clock=self.clock)) as store:
            found = sorted(store.scan(EVERYTHING), key=lambda mention: (mention.event_time, mention.crawled.text))
        return [mention for mention in found if mention.first_source == source]

    def texts(self, source: str = "odd") -> list[str]:
        return [mention.crawled.text for mention in self.mentions(source)]

    def row(self, source: str = "odd") -> sources.SourceRow:
        with closing(open_state(self.data)) as state, state.read() as connection:
            row = sources.get_source(connection, source)
        assert row is not None
        return row

    def fetches(self, source: str = "odd") -> list[sources.FetchRow]:
        with closing(open_state(self.data)) as state, state.read() as connection:
            return sources.recent_fetches(connection, source)

    def command(self, *words: str) -> tuple[int, str, str]:
        self._capsys.readouterr()
        code = command.invoke(words)
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err

    def told(self, source: str = "odd") -> dict[str, Any]:
        """What ``sturmwarte sources --json`` says of a source."""
        code, out, _ = self.command("sources", "--json")
        assert code == 0
        return next(row for row in json.loads(out)["sources"] if row["id"] == source)

    def doctor(self) -> tuple[int, str]:
        code, out, _ = self.command("doctor")
        return code, out


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[World]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    monkeypatch.setenv(CLOCK, str(ScaledClock(NOW, time.time(), 1.0)))
    monkeypatch.setenv("STURMWARTE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("STURMWARTE_CONFIG", raising=False)
    pages: dict[str, Page] = {}
    with loopback(lambda path, query: pages.get(path, (404, "text/plain", b""))) as web:
        made = World(tmp_path, web, capsys)
        pages.update(made.pages)
        made.pages = pages
        yield made


def failed(world: World, report: VisitReport, *words: str, answer: Answer = Answer.ERROR) -> None:
    """The visit says what and where; the state database, the command line and the row of the request do, too."""
    assert (report.complete, report.answer) == (False, answer)
    row = world.told()
    assert (row["watermark"], row["first_contact_at"], row["last_answer"]) == (None, None, answer.value)
    for word in (*words, world.sources["odd"]["url"]):
        assert word in report.reason, report.reason
        assert word in row["reason"]
    assert world.fetches()[0].answer is answer


# --- pages ----------------------------------------------------------------------------------------------------------


def test_broken_html(world: World) -> None:
    """Tags that never close, attributes without end, bytes that are no text: what can be read is read."""
    body = reviews("Nordnetz ist <b>schon <i>wieder weg", "Nordnetz: <a href='x>kein Anschluss").encode()
    report = world.visit(reply(b"</html></div>\xff\xfe<p>" + body[:-30] + b"\x00<table><tr<td"))
    assert report.complete
    assert any("schon wieder weg" in text for text in world.texts())
    assert not any("\x00" in text for text in world.texts())


@pytest.mark.parametrize(
    ("kind", "codec", "head"),
    [
        ("text/html; charset=utf-8", "latin-1", ""),
        ("text/html", "cp1252", ""),
        ("text/html; charset=iso-8859-1", "utf-8", ""),
        ("text/html", "cp1252", '<meta charset="utf-8">'),
        ("text/html; charset=utf-8", "utf-8", '<meta charset="iso-8859-1">'),
        ("text/html; charset=no-such-thing", "utf-8", ""),
        ("text/html; charset=utf-8", "utf-16", ""),
    ],
)
def test_wrong_charset(world: World, kind: str, codec: str, head: str) -> None:
    text = "Für Nordnetz höre ich täglich Grüße, aber kein Anschluß – äh, weiß man."
    text = text.replace("–", "-") if codec == "latin-1" else text
    report = world.visit(reply(reviews(text, head=head).encode(codec), kind))
    assert report.complete
    assert world.texts() == [text]


def test_one_broken_letter_does_not_change_the_charset(world: World) -> None:
    body = reviews("Grüße, schöne Wörter und Äpfel: Nordnetz").encode().replace(b"Nordnetz", b"Nordnetz \xe4")
    assert world.visit(reply(body)).complete
    assert world.texts() == ["Grüße, schöne Wörter und Äpfel: Nordnetz \ufffd"]


@pytest.mark.parametrize("kind", ["application/rss+xml; charset=utf-8", "text/xml", "application/xml"])
def test_a_feed_in_the_wrong_charset(world: World, kind: str) -> None:
    text = "Für Nordnetz höre ich täglich Grüße."
    report = world.visit(reply(feed(text).encode("latin-1"), kind), spider="feed", full_text=False)
    assert report.complete
    assert world.texts() == [text]


def test_a_page_of_100_mb_is_cut_at_5(world: World) -> None:
    sent = 0

    def endless(request: Any) -> None:
        nonlocal sent
        request.send_response(200)
        request.send_header("Content-Type", "text/html")
        request.send_header("Connection", "close")
        request.end_headers()
        request.close_connection = True
        for _ in range(1600):
            request.wfile.write(b"<p>Nordnetz" + b" " * 65_525)
            sent += 65_536

    failed(world, world.visit(endless), "5000000")
    assert sent < 30_000_000


def test_a_page_that_says_it_has_100_mb_is_not_begun(world: World) -> None:
    failed(world, world.visit(reply(b"", Content_Length="100000000")), "100000000")


def test_a_redirect_loop(world: World) -> None:
    world.page("/round", reply(b"", status=302, Location="/odd"))
    failed(world, world.visit(reply(b"", status=302, Location="/round")), "redirect")
    assert len([path for path in world.web.asked if path in ("/odd", "/round")]) <= 7


@pytest.mark.parametrize("target", ["http://127.0.0.2/", "http://169.254.169.254/latest/meta-data/", "http://[::1]/"])
def test_a_redirect_to_a_private_address(world: World, target: str) -> None:
    failed(world, world.visit(reply(b"", status=302, Location=target)), "not a public address", "allow_private")


def test_a_gzip_bomb(world: World) -> None:
    body = gzip.compress(b"<p>Nordnetz</p>" * 7_000_000, 1)
    assert len(body) < 1_000_000
    failed(world, world.visit(reply(body, Content_Encoding="gzip")), "DOWNLOAD_MAXSIZE")


def test_half_a_gzip(world: World) -> None:
    body = gzip.compress(reviews("Nordnetz ist weg, ganz und gar.").encode())
    report = world.visit(reply(body[: len(body) // 2], Content_Encoding="gzip"))
    assert not report.complete and report.reason


def test_a_feed_that_is_html(world: World) -> None:
    report = world.visit(reply("<html><body>Wartung</body></html>"), spider="feed")
    failed(world, report, "HTML page, not a feed")
    for _ in range(2):
        report = world.visit()
    assert report.state is SourceState.BLIND
    code, said = world.doctor()
    assert code == 1 and "odd" in said and "HTML page, not a feed" in said


@pytest.mark.parametrize(
    "answer",
    [
        b"[]",
        b"7",
        b"null",
        b"{",
        b'{"results": 5}',
        b'{"results": {"url": "http://a.example/"}}',
        b'{"results": [5, null, [], {"url": 7, "title": []}]}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
        b"",
    ],
)
def test_json_with_wrong_types(world: World, answer: bytes) -> None:
    report = world.visit(reply(answer, "application/json"), spider="searxng", queries=["nordnetz"])
    assert report.complete is False or answer == b""
    assert (report.answer, world.told()["last_answer"]) == (Answer.ERROR, "error")
    assert report.reason and "/odd/search" in report.reason


def test_json_in_which_some_types_are_wrong(world: World) -> None:
    odd = {"url": "http://a.example/1", "title": 7, "content": "Nordnetz"}
    good = {"url": "http://a.example/2", "title": "Nordnetz weg", "content": None, "engines": "x", "publishedDate": 5}
    body = json.dumps({"results": [odd, good, 8], "unresponsive_engines": {"a": 1}, "query": []})
    world.page("/odd/search", reply(body, "application/json"))
    assert world.visit(spider="searxng", queries=["nordnetz"]).complete
    assert [mention.crawled.title for mention in world.mentions()] == ["Nordnetz weg"]


def test_structured_data_with_wrong_types(world: World) -> None:
    odd = {
        "@type": "Review",
        "author": [None, {"name": {}}],
        "reviewBody": ["Nordnetz ist weg."],
        "reviewRating": "viel",
    }
    lists = {"@type": ["Review", 5], "reviewBody": 8, "datePublished": {"a": 1}, "reviewRating": {"ratingValue": []}}
    script = f'<script type="application/ld+json">{json.dumps([odd, lists, None])}</script>'
    assert world.visit(reply(f"<html><head>{script}</head><body></body></html>")).complete
    assert world.texts() == ["Nordnetz ist weg."]


HALF = "\ud800"
"""Half a letter: JSON can say it, nothing can write it down."""


def test_half_letters_in_json(world: World) -> None:
    """One odd result among good ones costs nothing but its own odd signs."""
    odd = {"url": f"http://a.example/{HALF}", "title": f"Nordnetz {HALF} weg", "content": HALF, "engines": [HALF]}
    good = {"url": "http://a.example/2", "title": "Nordnetz da"}
    world.page("/odd/search", reply(json.dumps({"results": [odd, good]}), "application/json"))
    assert world.visit(spider="searxng", queries=["nordnetz"]).complete
    assert {mention.crawled.title for mention in world.mentions()} == {"Nordnetz \ufffd weg", "Nordnetz da"}


def test_half_letters_in_structured_data(world: World) -> None:
    odd = {"@type": "Review", "author": {"name": HALF, "url": f"http://a.example/{HALF}"}, "@id": HALF}
    odd |= {"reviewBody": f"Nordnetz {HALF} weg", "reviewRating": {"ratingValue": f"{HALF}4"}, "datePublished": HALF}
    good = {"@type": "Review", "author": "b", "reviewBody": "Nordnetz ist 😀 da."}
    script = f'<script type="application/ld+json">{json.dumps([odd, good])}</script>'
    assert world.visit(reply(f"<html><head>{script}</head></html>")).complete
    assert sorted(world.texts()) == ["Nordnetz ist 😀 da.", "Nordnetz \ufffd weg"]


@pytest.mark.parametrize(
    "broken",
    [
        lambda page: page.replace("Grüße", "Grüße &nbsp;&uuml; &#xD800;&#0;").replace("<b>", "&", 1),
        lambda page: page.replace("Grüße", "Gr\x07üße\x00\x0b"),
        lambda page: page[: page.index("</channel>")],
        lambda page: "Warning: mysql_connect()\n" + page,
        lambda page: page.replace("Meldung", "A & B < C"),
    ],
)
def test_a_feed_that_is_no_xml(world: World, broken: Callable[[str], str]) -> None:
    body = broken(feed("Grüße von Nordnetz, <b>und mehr.", "Nordnetz schließt Läden."))
    assert world.visit(reply(body, "application/rss+xml"), spider="feed", full_text=False).complete
    texts = " ".join(world.texts())
    assert "Grüße" in texts and "Nordnetz schließt Läden." in texts and "Ã" not in texts


# --- times ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "date",
    ["Thu, 01 Jan 1970 00:00:00 +0000", "Fri, 20 Nov 2099 11:00:00 +0000", "Mon, 32 Foo 2026 25:61:00 +9999"],
)
def test_dates_of_1970_and_of_the_future_in_a_feed(world: World, date: str) -> None:
    """The entry is kept, at the time it was found; nothing believes the date, neither baseline nor hole."""
    page = feed("Nordnetz ist weg.", date=date)
    report = world.visit(reply(page, "application/rss+xml"), spider="feed", full_text=False)
    assert report.complete
    [mention] = world.mentions()
    assert NOW <= mention.event_time <= world.clock.now()
    row = world.row()
    assert row.state is SourceState.LEARNING
    assert row.complete_from is None or NOW <= row.complete_from <= world.clock.now()
    world.clock.advance(hours=1)
    many = feed(*(f"Nordnetz, Beitrag {n}" for n in range(12)), date=date, name="b")
    world.visit(reply(many, "application/rss+xml"))
    assert all(hole.end <= world.clock.now() for hole in world.row().holes)
    assert all(m.event_time <= world.clock.now() for m in world.mentions()) and len(world.mentions()) == 13


@pytest.mark.parametrize(
    "date",
    ["1970-01-01T00:00:00Z", "2099-11-20T10:00:00Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00"],
)
def test_dates_of_1970_and_of_the_future_in_reviews(world: World, date: str) -> None:
    assert world.visit(reply(reviews("Nordnetz ist weg.", date=date))).complete
    [mention] = world.mentions()
    assert mention.clamped and NOW <= mention.event_time <= world.clock.now()
    assert world.row().state is SourceState.LEARNING


# --- pages that fall silent -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spider", "full", "bare", "kind"),
    [
        ("reviews", reviews("Nordnetz ist weg."), "<html><body><div class=neu></div></body></html>", "text/html"),
        ("reviews", reviews("Nordnetz ist weg."), reviews(), "text/html"),
        ("feed", feed("Nordnetz ist weg."), feed(), "application/rss+xml"),
    ],
)
def test_no_posts_where_there_used_to_be_some(world: World, spider: str, full: str, bare: str, kind: str) -> None:
    options = {"full_text": False} if spider == "feed" else {}
    assert world.visit(reply(full, kind), spider=spider, **options).complete
    before = world.row()
    world.clock.advance(hours=1)
    report = world.visit(reply(bare, kind))
    assert (report.complete, report.answer, report.state) == (False, Answer.LAYOUT_CHANGED, SourceState.BLIND)
    row = world.row()
    assert (row.watermark, row.cursor) == (before.watermark, before.cursor)
    code, said = world.doctor()
    assert code == 1 and "odd" in said and row.reason in said
    world.clock.advance(hours=1)
    assert world.visit(reply(full, kind)).complete
    assert world.row().state is SourceState.LEARNING and len(world.mentions()) == 1


def test_a_feed_that_never_had_an_entry_is_empty_and_well(world: World) -> None:
    report = world.visit(reply(feed(), "application/rss+xml"), spider="feed")
    assert (report.complete, report.state) == (True, SourceState.LEARNING)


# --- disks that are full --------------------------------------------------------------------------------------------


def full(*_: Any, **__: Any) -> Any:
    raise OSError(28, "No space left on device")


def full_database(*_: Any, **__: Any) -> Any:
    raise sqlite3.OperationalError("database or disk is full")


@contextmanager
def store_full(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The disk takes no more mentions."""
    with monkeypatch.context() as patch:
        patch.setattr("pipeline.store.sqlite.writing.write", full_database)
        yield


def test_a_full_disk_under_the_store_sends_mentions_to_the_spool(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.page("/odd", reply(reviews("Nordnetz ist weg.")))
    world.source("odd", "reviews", "/odd")
    with store_full(monkeypatch):
        reports = world.crawl()
    assert all(report.complete for report in reports.values())
    assert world.mentions() == world.mentions("well") == []
    row = world.row()
    assert (row.watermark, bool(row.cursor)) == (None, True)
    code, said = world.doctor()
    assert code == 1 and "2 mentions wait for the store" in said
    reports = world.crawl()
    assert (world.texts(), world.texts("well")) == (["Nordnetz ist weg."], [GOOD])
    assert world.row().watermark is not None and Spool(world.data / "spool").sizes() == (0, 0)


def test_a_full_disk_under_store_and_spool_acknowledges_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.page("/odd", reply(reviews("Nordnetz ist weg.")))
    world.source("odd", "reviews", "/odd")
    with store_full(monkeypatch), monkeypatch.context() as patch:
        patch.setattr("pipeline.spool._append_durably", full)
        reports = world.crawl()
    for name in ("odd", "well"):
        assert not reports[name].complete and "No space left on device" in reports[name].reason
        row = world.told(name)
        assert (row["watermark"], row["cursor"], row["first_contact_at"], row["items_seen"]) == (None, {}, None, 0)
        assert "No space left on device" in row["reason"]
    assert Spool(world.data / "spool").sizes() == (0, 0)
    assert all(report.complete for report in world.crawl().values())
    assert (world.texts(), world.texts("well")) == (["Nordnetz ist weg."], [GOOD])


def test_a_full_disk_under_the_state_database_quarantines_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thread contexts cannot be written: that is no fault of the posts."""
    world.page("/odd", reply(reviews("Nordnetz ist weg.")))
    world.source("odd", "reviews", "/odd")
    broken = sa.exc.OperationalError("INSERT", {"author": "x"}, sqlite3.OperationalError("database or disk is full"))

    def put(*_: Any) -> None:
        raise broken

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.steps.match.MatchStep._learn_threads", put)
        reports = world.crawl()
    assert reports["odd"].reason == "findings could not be made durable: database or disk is full"
    assert (world.row().cursor, world.row().items_seen) == ({}, 0)
    assert Spool(world.data / "spool").sizes() == (0, 0)
    assert world.crawl()["odd"].complete and world.texts() == ["Nordnetz ist weg."]


def test_visits_that_cannot_be_written_down_are_reported_and_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.page("/odd", reply(reviews("Nordnetz ist weg.")))
    world.source("odd", "reviews", "/odd")
    with monkeypatch.context() as patch:
        patch.setattr("crawlers.ledger.Ledger.apply", full_database)
        reports = world.crawl()
    assert {report.reason for report in reports.values()} == {
        "the visit could not be written down: database or disk is full"
    }
    assert (world.told()["cursor"], world.told()["reason"]) == ({}, reports["odd"].reason)
    assert all(report.complete for report in world.crawl().values())
    assert world.row().reason == "" and world.texts() == ["Nordnetz ist weg."]


def test_a_page_that_cannot_be_kept_is_read_all_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RawPages, "keep", full)
    assert world.visit(reply(reviews("Nordnetz ist weg."))).complete
    assert [mention.crawled.raw_sha256 for mention in world.mentions()] == [None]


def test_a_key_that_could_not_be_written_is_made_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr("pipeline.secrets.os.fsync", full)
        world.crawl()
    assert not [path for path in world.data.iterdir() if "key" in path.name]
    assert world.visit(reply(reviews("Nordnetz ist weg."))).complete


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_that_is_really_full(world: World) -> None:
    """A data folder of 3 MB, filled up: nothing is acknowledged; with room again everything is there."""
    disk = world.folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True)
    if mounted.returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        world.data = disk / "data"
        world.crawl()
        texts = [f"Nordnetz, Beitrag {n}: {'sehr ' * 400}ärgerlich {n}" for n in range(300)]
        world.page("/odd", reply(reviews(*texts)))
        world.source("odd", "reviews", "/odd")
        (disk / "ballast").write_bytes(bytes(shutil.disk_usage(disk).free - 200_000))
        report = world.crawl()["odd"]
        assert not report.complete and report.watermark is None, report
        assert any(word in report.reason for word in ("full", "No space")), report.reason
        subprocess.run(["mount", "-o", "remount,size=60m", str(disk)], check=True, capture_output=True)
        (disk / "ballast").unlink()
        world.clock.advance(minutes=30)
        assert all(one.complete for one in world.crawl().values())
        assert sorted(world.texts()) == sorted(texts) and world.row().watermark is not None
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False, capture_output=True)


# --- what people write ----------------------------------------------------------------------------------------------

HOSTILE = {
    "script": "Nordnetz <script>alert(1)</script><img src=x onerror=alert(2)> \" onmouseover=alert(3) '",
    "formula": "=cmd|' /C calc'!A0 Nordnetz",
    "header": "Nordnetz weg\r\nBcc: victim@example.org\r\n\r\nSubject: x",
    "direction": "Nordnetz \u202egnp.exe\u202c und \u2066nichts\u2069 \u200b\u200d\ufeff weiter",
    "nothing": "Nordnetz\x00 weg\x07\x1b[31m\x7f",
    "long": "Nordnetz " + "ärgerlich " * 11_000,
    "markup": "Nordnetz {{ 7*7 }} ${7*7} %s %(x)s &lt;b&gt; [link](javascript:alert(1))",
}
"""Kinds of texts that have done harm elsewhere."""
CONTROL = [chr(n) for n in range(32) if chr(n) not in "\n\r\t"] + list("\x7f\u202e\u202c\u2066\u2069\u200b\ufeff")


class Post:
    """An SMTP server: keeps what it takes, refuses what it is told to."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], bytes]] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            self.got.append((envelope.rcpt_tos, envelope.original_content))
        return self.answer

    @property
    def mails(self) -> list[EmailMessage]:
        return [email.message_from_bytes(body, policy=email.policy.default) for _, body in self.got]  # type: ignore[misc]


@pytest.fixture
def post(world: World) -> Iterator[Post]:
    """A running mail server; the world's configuration has a receiver behind it and a tripwire for every mention."""
    handler = Post()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port(), ready_timeout=60)
    controller.start()
    world.over = {
        "mail": {"server": "127.0.0.1", "port": controller.port, "security": "none", "timeout": "60s"},
        "receivers": {"pr": {"address": "pr@example.org"}},
        "rules": {"wire": {"rule": "keyword", "query": "nordnetz"}},
    }
    yield handler
    controller.stop()


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def hostile(world: World) -> list[Mention]:
    """A source that is known, and then brings the hostile texts."""
    fresh = {name: escape(escape(text)) for name, text in HOSTILE.items()}  # reviews are read as markup once more
    assert world.visit(reply(reviews("Alles gut."))).complete
    world.watch()
    world.clock.advance(minutes=10)
    at = world.clock.now().isoformat()
    assert world.visit(reply(reviews(*fresh.values(), date=at))).complete
    found = world.mentions()
    assert len(found) == len(HOSTILE)
    return found


def test_hostile_texts_are_stored_as_text(world: World) -> None:
    found = hostile(world)
    for mention in found:
        assert not [sign for sign in CONTROL if sign in mention.crawled.text]
        assert len(mention.crawled.text) <= 100_010
    texts = [mention.crawled.text for mention in found]
    assert any(HOSTILE["script"] == text for text in texts)
    assert Spool(world.data / "spool").sizes() == (0, 0)


def test_hostile_texts_on_the_pages(world: World) -> None:
    hostile(world)
    with TestClient(create(lambda: world.configuration, world.data, world.clock), base_url="http://127.0.0.1") as web:
        uids = [mention.uid for mention in world.mentions()]
        for path in ("/", "/mentions?q=nordnetz", "/sources", *(f"/mentions/{uid}" for uid in uids)):
            answer = web.get(path)
            assert answer.status_code == 200, path
            assert "<script>alert" not in answer.text and "<img src=x" not in answer.text
            assert 'href="javascript:' not in answer.text and not [sign for sign in CONTROL if sign in answer.text]
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"] or (
                "default-src 'self'" in answer.headers["Content-Security-Policy"]
            )
        listed = web.get("/mentions", params={"q": "nordnetz"}).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in listed and "{{ 7*7 }}" in listed


@pytest.mark.parametrize("form", ["csv", "excel"])
def test_hostile_texts_in_tables(world: World, form: str) -> None:
    found = hostile(world)
    code, _, said = world.command("export", "nordnetz", "--format", form, "--out", f"out.{form}")
    assert code == 0, said
    with (world.folder / f"out.{form}").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file, delimiter=";" if form == "excel" else ","))
    assert len(rows) == len(found) + 1  # and the good source
    for row in rows:
        for name, cell in row.items():
            assert cell is not None and not cell.startswith(("=", "@", "\t", "\r")), (name, cell[:50])
    assert any(row["text"].lstrip("'").startswith("=cmd|") for row in rows)


def test_hostile_texts_in_a_mail(world: World, post: Post) -> None:
    hostile(world)
    world.watch()
    [mail] = post.mails
    assert [to for to, _ in post.got] == [["pr@example.org"]]
    assert mail["Bcc"] is None and mail["Subject"].count("\n") == 0 and len(mail.get_all("Subject")) == 1
    plain, page = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))  # type: ignore[union-attr]
    for text in (plain, page, mail["Subject"]):
        assert not [sign for sign in CONTROL if sign in text]
    assert "<script" not in page and "<img src=x" not in page and "javascript:alert" not in _links(page)
    assert "\nBcc:" not in plain.split("\n\n", 1)[0]
    assert len(page) < 100_000


def _links(page: str) -> str:
    return " ".join(re.findall(r'(?:href|src)="([^"]*)"', page))


# --- mail servers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trouble", "state", "told"),
    [
        ("451 try again later", "ready", "451 try again later"),
        ("550 we know you", "failed", "550 we know you"),
        ("down", "ready", "cannot be reached"),
    ],
)
def test_a_mail_server_that_refuses(world: World, post: Post, trouble: str, state: str, told: str) -> None:
    """The message stays, its trouble is told, crawling goes on; what may pass is tried again and comes once."""
    port = world.over["mail"]["port"]
    if trouble == "down":
        world.over["mail"]["port"] = free_port()
    else:
        post.answer = trouble
    hostile(world)
    world.watch()
    assert post.mails == []
    [row] = world.outbox()
    assert (row.state, row.attempts) == (state, 1) and told in row.last_error and "127.0.0.1" in row.last_error
    code, said = world.doctor()
    assert code == 1 and told in said
    assert world.visit().complete
    post.answer, world.over["mail"]["port"] = "250 OK", port
    world.clock.advance(minutes=2)
    world.watch()
    world.watch()
    assert len(post.mails) == (0 if state == "failed" else 1)
    assert all(mail["Message-ID"] == row.message_id for mail in post.mails)


# --- the configuration ----------------------------------------------------------------------------------------------

TYPOS = """\
contact = "ops@example.org"
langauge = "de"
languages = ["de", "enn"]

[brands.nordnetz]
name = "Nordnetz"

[sources.forum]
spider = "phpb"
url = "https://forum.example.org/"
about = "nordnets"

[rules.sudden]
rule = "surg"
brands = ["nordnet"]
receivers = ["presse-team"]

[rules.wire]
rule = "keyword"
query = "source:forun Rückruf"

[receivers.presseteam]
address = "pr@example.org"
notifier = "emial"
"""


def test_typos_name_file_line_field_and_nearest_word(world: World) -> None:
    file = world.folder / "sturmwarte.toml"
    file.write_text(TYPOS, "utf-8")
    code, out, _ = world.command("check", "--json")
    assert code == 2
    found = {(one["line"], one["field"]): one for one in json.loads(out)["findings"]}
    nearest = {place: one["nearest"] for place, one in found.items()}
    assert nearest == {
        (2, "langauge"): "language",
        (3, "languages[1]"): "en",
        (9, "sources.forum.spider"): "phpbb",
        (11, "sources.forum.about"): "nordnetz",
        (14, "rules.sudden.rule"): "surge",
        (15, "rules.sudden.brands[0]"): "nordnetz",
        (16, "rules.sudden.receivers[0]"): "presseteam",
        (20, "rules.wire.query"): None,
        (24, "receivers.presseteam.notifier"): "email",
    }
    assert "forum" in found[20, "rules.wire.query"]["message"]
    code, out, err = world.command("crawl")
    assert (code, out) == (2, "") and len(err.splitlines()) == len(found)
    assert all(line.startswith("sturmwarte.toml:") for line in err.splitlines())


def test_without_a_contact_nothing_is_crawled_and_it_is_said(world: World) -> None:
    file = world.folder / "sturmwarte.toml"
    file.write_text(f'[sources.well]\nspider = "feed"\nurl = "{world.web.url}/well"\n', "utf-8")
    code, _, err = world.command("crawl")
    assert code == 2 and "contact" in err and world.web.asked == []
    row = world.told("well")
    assert row["state"] == "paused" and "contact" in row["reason"]
    code, _, err = world.command("check")
    assert code == 0 and "contact" in err


@pytest.mark.parametrize("public", ["http://127.0.0.1:8640", "http://localhost/", "http://[::1]:80/"])
def test_links_that_only_this_machine_can_open_are_a_warning(world: World, public: str) -> None:
    text = f'contact = "a@example.org"\npublic_url = "{public}"\n'
    file = world.folder / "sturmwarte.toml"
    file.write_text(text + '[receivers.pr]\naddress = "pr@example.org"\n', "utf-8")
    code, out, _ = world.command("check", "--json")
    assert code == 0
    assert (2, "public_url") in {(one["line"], one["field"]) for one in json.loads(out)["findings"]}
    file.write_text(text, "utf-8")
    assert "public_url" not in world.command("check", "--json")[1]


def test_a_change_is_taken_over_and_a_typo_leaves_the_last_good_one_in_force(world: World) -> None:
    """The service runs on; what is wrong is in the state, with its place, until it is mended."""
    file = world.folder / "sturmwarte.toml"
    head = f'contact = "ops@example.org"\ndata = "{world.data}"\n'
    one = f'[sources.well]\nspider = "feed"\nurl = "{world.web.url}/well"\n'
    file.write_text(head + one, "utf-8")
    with closing(open_state(world.data)) as state:
        live = LiveConfiguration(file, build_registry(), Recorder(world.clock, state), world.data)
        file.write_text(head + one + '[sources.odd]\nspidr = "feed"\n', "utf-8")
        assert set(live().sources) == {"well"}
        code, _, said = world.command("doctor")
        assert code == 2 and 'sturmwarte.toml:7: sources.odd.spidr: unknown key, did you mean "spider"?' in said
        with state.read() as connection:
            assert "sources.odd.spider" in (rejected_configuration(connection) or "")
        file.write_text(head + one + one.replace("well", "odd", 1), "utf-8")
        assert set(live().sources) == {"well", "odd"}
        with state.read() as connection:
            assert rejected_configuration(connection) is None
    code, said = world.doctor()
    assert "spidr" not in said and "cannot be opened" not in said
    assert world.told()["state"] == "learning"


def test_a_full_disk_does_not_keep_a_right_configuration_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    file = world.folder / "sturmwarte.toml"
    file.write_text(f'contact = "a@example.org"\ndata = "{world.data}"\n', "utf-8")
    with closing(open_state(world.data)) as state:
        live = LiveConfiguration(file, build_registry(), Recorder(world.clock, state), world.data)
        monkeypatch.setattr("sturmwarte.live.shutil.copyfile", full)
        file.write_text(f'contact = "other@example.org"\ndata = "{world.data}"\n', "utf-8")
        assert live().contact == "other@example.org"
