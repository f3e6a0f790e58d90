"""Politeness and safety as the server sees them."""

from __future__ import annotations

import gzip
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from clocks import RunningClock

from crawlers import hosts
from crawlers.pacing import Pacer
from pipeline.state.sources import recent_fetches
from pipeline.words import Answer, SourceState

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def fetched(world: Any, name: str = "board") -> dict[str, Any]:
    """Path → the record of its last request."""
    with world.state.read() as connection:
        rows = recent_fetches(connection, name, 100)
    return {row.url.removeprefix(world.site.url): row for row in reversed(rows)}


class Turns:
    """Every turn at a host that was granted: when on the clock of the crawl, and on that of the machine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.granted: list[tuple[datetime, float]] = []
        enter = Pacer.enter

        async def entered(pacer: Pacer, name: str, crawl_delay: float | None = None) -> str:
            turn = await enter(pacer, name, crawl_delay)
            self.granted.append((pacer._clock.now(), time.monotonic()))
            return turn

        monkeypatch.setattr(Pacer, "enter", entered)

    def gaps(self) -> list[float]:
        """Seconds between them, on the clock of the crawl."""
        return [(later - earlier).total_seconds() for (earlier, _), (later, _) in pairwise(self.granted)]

    def hold(self, site: Any) -> bool:
        """Whether every request came to the server within a turn of its own."""
        begins = [begun for _, begun in self.granted]
        ends = [*begins[1:], time.monotonic()]
        came = [asked.begun for asked in site.asked]
        return len(came) == len(begins) and all(a <= at <= b for a, at, b in zip(begins, came, ends, strict=True))


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Turns:
    return Turns(monkeypatch)


@pytest.fixture
def busy(world: Any, pages: Any) -> Any:
    """A board with five threads."""
    world.site.pages["/list"] = pages.listing({f"t{n}": n for n in range(5)})
    world.site.pages |= {f"/thread/t{n}": pages.posts(n) for n in range(5)}
    return world


def test_one_request_at_a_time_with_delay_over_all_sources_of_a_host(busy: Any, turns: Turns) -> None:
    busy.crawl["delay"] = 0.2
    busy.sources["again"] = {"spider": "threads", "url": f"{busy.site.url}/list"}
    assert [report.complete for report in busy.run()] == [True, True]
    assert len(busy.site.asked) >= 1 + 6 + 6 and busy.site.most_open == 1
    assert min(turns.gaps()) >= 0.2 and turns.hold(busy.site)


def test_a_slow_host_rests_as_long_as_it_worked(busy: Any, pages: Any) -> None:
    def slow(handler: Any) -> None:
        time.sleep(0.3)
        pages.posts(1)(handler)

    busy.site.pages |= {"/list": pages.listing({"t1": 1, "t2": 2}), "/thread/t1": slow, "/thread/t2": slow}
    assert busy.visit().complete
    one, other = (asked for asked in busy.site.asked if asked.path.startswith("/thread"))
    assert other.begun - one.answered >= one.answered - one.begun >= 0.3


def test_crawl_delay_is_kept_to(busy: Any, pages: Any, turns: Turns) -> None:
    busy.site.pages |= {
        "/robots.txt": pages.reply(b"User-agent: sturmwarte\nCrawl-delay: 0.4\n"),
        "/list": pages.listing({"t1": 1, "t2": 2}),
    }
    assert busy.visit().complete
    assert min(turns.gaps()[1:]) >= 0.4 and turns.hold(busy.site)


def test_robots_txt_is_asked_once_and_obeyed(busy: Any, pages: Any) -> None:
    rules = b"User-agent: *\nDisallow: /\n\nUser-agent: Sturmwarte\nDisallow: /thread/t3\n"
    busy.site.pages["/robots.txt"] = pages.reply(rules)
    busy.visit()
    busy.visit()
    assert busy.site.paths(robots=True).count("/robots.txt") == 1
    assert "/thread/t3" not in busy.site.paths() and "/thread/t4" in busy.site.paths()
    record = fetched(busy)["/thread/t3"]
    assert (record.answer, record.status) == (Answer.GATED, None) and "robots.txt" in record.reason
    assert busy.row().state is SourceState.HEALTHY


def test_walls_behind_every_entry_blind(busy: Any, pages: Any) -> None:
    busy.site.pages["/robots.txt"] = pages.reply(b"User-agent: *\nDisallow: /thread/\n")
    report = busy.visit()
    assert report.state is SourceState.BLIND and "behind a wall" in report.reason
    busy.site.pages |= {"/robots.txt": pages.reply(b"", 404)} | {f"/thread/t{n}": pages.posts(n) for n in range(5)}
    with busy.state.begin() as connection:
        hosts.set_robots(connection, busy.site.host, hosts.Robots(text="", at=busy.clock.now()))
    assert busy.visit().items == 5


def test_a_forbidden_list_blinds(busy: Any, pages: Any) -> None:
    busy.site.pages["/robots.txt"] = pages.reply(b"User-agent: *\nDisallow: /list\n")
    assert busy.visit().state is SourceState.BLIND and busy.site.paths() == []


@pytest.mark.parametrize(("status", "reads"), [(404, True), (403, True), (500, False), (503, False), (429, False)])
def test_robots_txt_that_cannot_be_had(busy: Any, pages: Any, status: int, reads: bool) -> None:
    busy.site.pages["/robots.txt"] = pages.reply(b"", status)
    assert busy.visit().complete is reads
    assert bool(busy.site.paths()) is reads


def test_robots_txt_is_looked_up_once_in_a_visit(busy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looked, look = [], hosts.robots_of

    def looking(conn: Any, name: str) -> Any:
        looked.append(name)
        return look(conn, name)

    monkeypatch.setattr(hosts, "robots_of", looking)
    busy.visit()
    assert len(busy.site.paths()) > 2 and looked == [busy.site.host]


def test_unreachable_robots_txt_is_tried_again_later(busy: Any, pages: Any) -> None:
    busy.site.pages["/robots.txt"] = pages.reply(b"", 500)
    busy.visit()
    busy.visit()
    assert busy.site.paths(robots=True) == ["/robots.txt"]
    with busy.state.begin() as connection:
        earlier = busy.clock.now() - timedelta(minutes=11)
        hosts.set_robots(connection, busy.site.host, hosts.Robots(text=None, at=earlier))
    busy.site.pages["/robots.txt"] = pages.reply(b"", 404)
    assert busy.visit().complete


def test_retry_after_is_kept_across_runs(busy: Any, pages: Any) -> None:
    good = busy.site.pages["/list"]
    busy.site.pages["/list"] = pages.reply(b"", 429, Retry_After="3600")
    before = busy.clock.now()
    report = busy.visit()
    assert (report.answer, report.complete) == (Answer.RATE_LIMITED, False)
    assert busy.row().next_due >= before + timedelta(hours=1)
    busy.site.pages["/list"] = good
    asked = len(busy.site.asked)
    assert "left alone" in busy.visit().reason
    assert len(busy.site.asked) == asked
    with busy.state.begin() as connection:
        hosts._update(connection, busy.site.host, backoff_until=busy.clock.now())
    assert busy.visit().complete
    with busy.state.read() as connection:
        assert hosts.backoff_until(connection, busy.site.host) is None


def test_503_in_the_middle_ends_the_visit_and_doubles_the_next_time(busy: Any, pages: Any) -> None:
    busy.site.pages["/thread/t2"] = pages.reply(b"", 503)
    assert not busy.visit().complete
    after = busy.site.paths().index("/thread/t2")
    assert len(busy.site.paths()) == after + 1
    with busy.state.begin() as connection:
        now = busy.clock.now()
        assert hosts.back_off(connection, busy.site.host, now, None) >= now + timedelta(minutes=2) - timedelta(
            seconds=9
        )


def test_a_scaled_clock_scales_waiting(busy: Any, turns: Turns) -> None:
    busy.clock = RunningClock(NOW, 1000)
    busy.crawl["delay"] = 100.0
    begun = time.monotonic()
    assert busy.visit().complete
    assert min(turns.gaps()) >= 100 and turns.hold(busy.site)
    assert len(turns.granted) == 8 and time.monotonic() - begun < 100, "unscaled it would be ten minutes"


def test_says_who_asks(busy: Any) -> None:
    busy.visit()
    agents = {headers["User-Agent"] for headers in busy.site.headers}
    (agent,) = agents
    assert agent.startswith("Sturmwarte/") and agent.endswith("(+mailto:operator@example.org)")
    assert all("Cookie" not in headers and "Referer" not in headers for headers in busy.site.headers)


def test_redirects_are_followed_but_not_in_circles(busy: Any, pages: Any) -> None:
    busy.site.pages |= {
        "/old": pages.reply(b"", 301, Location="/list"),
        "/round": pages.reply(b"", 302, Location="/and"),
        "/and": pages.reply(b"", 302, Location="/round"),
    }
    busy.sources |= {name: {"spider": "threads", "url": f"{busy.site.url}/{name}"} for name in ("old", "round")}
    assert busy.visit("old").complete
    report = busy.visit("round")
    assert "max redirections" in report.reason and len([p for p in busy.site.paths() if p in ("/round", "/and")]) <= 7
    assert fetched(busy, "round")


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2:{port}/list",
        "http://10.0.0.1/list",
        "http://[::1]:{port}/list",
        "http://[::ffff:127.0.0.2]:{port}/list",
        "http://169.254.169.254/latest/meta-data/",
        "http://2130706434:{port}/list",
        "http://0.0.0.0:{port}/list",
        "http://user:secret@127.0.0.1:{port}/list",
    ],
)
def test_redirects_to_private_addresses_are_refused(busy: Any, pages: Any, target: str) -> None:
    port = busy.site.url.rpartition(":")[2]
    busy.site.pages["/list"] = pages.reply(b"", 302, Location=target.format(port=port))
    report = busy.visit()
    assert not report.complete and busy.site.paths() == ["/list"]
    assert any(word in report.reason for word in ("not a public address", "only http", "no canonical")), report.reason
    assert busy.pipeline.items == {}


def test_a_redirect_to_a_file_is_not_read(busy: Any, pages: Any) -> None:
    busy.site.pages["/list"] = pages.reply(b"", 302, Location="file:///etc/passwd")
    assert not busy.visit().complete and busy.pipeline.items == {}


def test_loopback_is_refused_unless_configured(busy: Any) -> None:
    busy.crawl["allow_private"] = ()
    assert "not a public address" in busy.visit().reason and busy.site.asked == []


def test_names_are_checked_where_they_are_connected_to(busy: Any) -> None:
    busy.crawl["allow_private"] = ()
    busy.sources["board"]["url"] = busy.site.url.replace("127.0.0.1", "localhost") + "/list"
    busy.visit()
    assert busy.site.asked == []
    busy.crawl["allow_private"] = ("localhost",)
    busy.sources["board"]["url"] += "?now=allowed"
    busy.visit()
    assert busy.site.asked != []


def endless(handler: Any) -> None:
    """100 MB, as long as somebody listens."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.close_connection = True
    handler.sent = 0
    for _ in range(1600):
        handler.wfile.write(b" " * 65_536)
        handler.server.sent = getattr(handler.server, "sent", 0) + 65_536


def test_a_huge_page_is_cut_off(busy: Any) -> None:
    busy.site.pages["/list"] = endless
    report = busy.visit()
    assert not report.complete and "5000000" in report.reason.replace(" ", "").replace(",", "")
    assert busy.site._server.sent < 30_000_000


def test_an_announced_huge_page_is_not_even_begun(busy: Any) -> None:
    def huge(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000000")
        handler.end_headers()

    busy.site.pages["/list"] = huge
    assert "100000000" in busy.visit().reason


@pytest.mark.parametrize("layers", [1, 2])
def test_a_gzip_bomb_does_not_go_off(busy: Any, pages: Any, layers: int) -> None:
    body = bytes(50_000_000)
    for _ in range(layers):
        body = gzip.compress(body, 1)
    busy.site.pages["/list"] = pages.reply(body, Content_Encoding=", ".join(["gzip"] * layers))
    report = busy.visit()
    assert not report.complete and "DOWNLOAD_MAXSIZE" in report.reason
    assert fetched(busy)["/list"].answer is Answer.ERROR


def test_a_page_that_never_ends_is_given_up(busy: Any) -> None:
    def trickle(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        for _ in range(1000):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)

    with busy.state.begin() as connection:
        hosts.set_robots(connection, busy.site.host, hosts.Robots(text="", at=busy.clock.now()))
    busy.crawl["timeout"] = "0.5s"
    busy.site.pages["/list"] = trickle
    began = time.monotonic()
    report = busy.visit()
    assert "longer than 0.5" in report.reason and time.monotonic() - began < 60


@pytest.mark.parametrize("body", [b"<html>no JSON</html>", b'{"posts": 5}', b"\xff\xfe\x00", b"[]"])
def test_content_that_does_not_fit_is_a_changed_layout(busy: Any, pages: Any, body: bytes) -> None:
    busy.site.pages["/thread/t1"] = pages.reply(body)
    report = busy.visit()
    assert (report.complete, report.answer) == (False, Answer.LAYOUT_CHANGED)
    assert len(busy.pipeline.items) == 4


def test_a_server_that_is_not_there_is_an_error(busy: Any) -> None:
    busy.sources["board"]["url"] = "http://127.0.0.1:1/list"
    report = busy.visit()
    assert report.answer is Answer.ERROR and report.reason
