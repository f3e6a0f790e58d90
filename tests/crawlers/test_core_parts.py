"""The small parts: what an answer is, which addresses are asked, how long to wait, what is kept."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from clocks import RunningClock
from hypothesis import given
from hypothesis import strategies as st

from crawlers import hosts, pacing, urls
from crawlers.classify import classify
from crawlers.fetches import NotRead
from crawlers.guard import Guard, GuardedResolver, Refused
from crawlers.pacing import Pacer, parse_retry_after
from crawlers.raw import RawPages
from crawlers.settings import for_visit, user_agent
from crawlers.sink import Sink, store_results
from crawlers.spider import SourceSpider, beside
from pipeline.configuration import Configuration, StateTable
from pipeline.item import Item, RankedResult, ResultList
from pipeline.state.database import State
from pipeline.state.opening import open_state
from pipeline.state.tables import result, result_list
from pipeline.words import Answer, Channel, Kind, Reading

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def state(tmp_path: Path, state_table: StateTable | None) -> Any:
    opened = open_state(tmp_path, state_table)
    yield opened
    opened.close()


# --- what an answer is ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "headers", "body", "answer"),
    [
        (200, {}, b"<p>Hallo</p>", Answer.OK),
        (203, {}, b"", Answer.OK),
        (304, {}, b"", Answer.NOT_MODIFIED),
        (401, {}, b"", Answer.GATED),
        (403, {}, b"Forbidden", Answer.GATED),
        (451, {}, b"", Answer.GATED),
        (404, {}, b"", Answer.ERROR),
        (410, {}, b"", Answer.ERROR),
        (429, {}, b"", Answer.RATE_LIMITED),
        (503, {"retry-after": "5"}, b"", Answer.RATE_LIMITED),
        (503, {}, b"", Answer.ERROR),
        (500, {}, b"", Answer.ERROR),
        (202, {"x-amzn-waf-action": "challenge"}, b"", Answer.CHALLENGE),
        (202, {}, b"", Answer.ERROR),
        (403, {"cf-mitigated": "challenge"}, b"", Answer.CHALLENGE),
        (403, {}, b"<title>Just a moment...</title><script>window._cf_chl_opt={}</script>", Answer.CHALLENGE),
        (200, {}, b"<title>Verifying Connection</title><script>x</script>", Answer.CHALLENGE),
        (200, {}, b"<script>window.awsWafCookieDomainList=[]</script>", Answer.CHALLENGE),
        (429, {}, b'<form id="captcha-form" action="index">', Answer.CHALLENGE),
        (200, {}, b"Our systems have detected unusual traffic from your network.", Answer.CHALLENGE),
        (200, {"x-datadome": "protected"}, b"<p>Ein Beitrag</p>", Answer.OK),
    ],
)
def test_answers(status: int, headers: dict[str, str], body: bytes, answer: Answer) -> None:
    found, reason = classify(status, headers, body)
    assert found is answer
    assert bool(reason) is (answer not in (Answer.OK, Answer.NOT_MODIFIED))


def test_a_long_page_that_talks_about_a_challenge_is_none() -> None:
    text = b"<p>" + b"Gestern stand dort: unusual traffic from your network. " * 80 + b"</p>"
    assert classify(200, {}, text)[0] is Answer.OK
    assert classify(200, {}, text + b"<div class='cf-challenge'></div>")[0] is Answer.OK


@pytest.mark.parametrize(
    ("url", "wall"),
    [
        ("https://x.example/login", True),
        ("https://x.example/users/connect?next=%2Fa", True),
        ("https://x.example/forum/ucp.php?mode=login&redirect=a", True),
        ("https://x.example/forum/login-tipps/", False),
        ("https://x.example/forum/viewtopic.php?t=5", False),
    ],
)
def test_a_redirect_to_a_login_page_is_a_wall(url: str, wall: bool) -> None:
    assert classify(200, {}, b"<p>x</p>", url=url, redirected=True)[0] is (Answer.GATED if wall else Answer.OK)
    assert classify(200, {}, b"<p>x</p>", url=url)[0] is Answer.OK


@given(st.integers(100, 599), st.binary(max_size=300), st.text(max_size=40))
def test_any_answer_has_a_class(status: int, body: bytes, url: str) -> None:
    assert classify(status, {}, body, url=f"http://x/{url}", redirected=True)[0] in Answer


SAVED = Path(__file__).parents[3] / "shared/data/pages"


def test_saved_challenges_and_no_other_page() -> None:
    if not SAVED.exists():
        pytest.skip("no saved pages here")
    pages = [page for page in SAVED.rglob("*") if page.is_file()]
    found = {page.name for page in pages if classify(200, {}, page.read_bytes())[0] is not Answer.OK}
    assert found == {"openserp_search_captcha_new.html", "structure_2026_waf_interstitial.html"}


# --- addresses ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://10.1.2.3/",
        "http://192.168.0.1:8080/",
        "http://169.254.169.254/",
        "http://100.64.0.1/",
        "http://0.0.0.0/",
        "http://224.0.0.1/",
        "http://[::1]/",
        "http://[fe80::1]/",
        "http://[fd00::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://2130706433/",
        "http://127.1/",
        "http://0x7f000001/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "http://",
        "http://a:b@example.org/",
        "javascript:alert(1)",
    ],
)
def test_refused_addresses(url: str) -> None:
    with pytest.raises(Refused):
        Guard().check_url(url)


@pytest.mark.parametrize("url", ["http://93.184.216.34/", "https://example.org/", "http://[2606:2800:220:1::1]/"])
def test_public_addresses(url: str) -> None:
    Guard().check_url(url)


def test_what_the_configuration_allows() -> None:
    guard = Guard(("10.0.0.0/8", "127.0.0.1", "intern.example"))
    guard.check_url("http://10.9.9.9/")
    guard.check_url("http://127.0.0.1:5/")
    guard.check_address("intern.example", hosts_address("192.168.1.1"))
    for url in ("http://127.0.0.2/", "http://192.168.1.1/"):
        with pytest.raises(Refused):
            guard.check_url(url)
    with pytest.raises(Refused):
        guard.check_address("other.example", hosts_address("192.168.1.1"))


def hosts_address(text: str) -> Any:
    from ipaddress import ip_address

    return ip_address(text)


def test_a_name_with_one_private_address_is_refused() -> None:
    class Resolver:
        async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[dict[str, Any]]:
            return [{"host": "93.184.216.34"}, {"host": "10.0.0.1"}]

        async def close(self) -> None:
            pass

    with pytest.raises(Refused, match=r"rebind\.example is 10\.0\.0\.1"):
        asyncio.run(GuardedResolver(Guard(), Resolver()).resolve("rebind.example"))  # type: ignore[arg-type]


def test_hosts_and_robots_addresses() -> None:
    assert urls.host_key("HTTPS://Www.Example.org/a?b") == "www.example.org:443"
    assert urls.host_key("http://example.org.:8080/") == "example.org:8080"
    assert urls.robots_url("http://Example.org:8080/a/b?c") == "http://Example.org:8080/robots.txt"
    with pytest.raises(ValueError, match="no host"):
        urls.host_key("/relative")


# --- waiting --------------------------------------------------------------------------------------------------


def test_turns() -> None:
    soon, past = NOW + timedelta(seconds=5), NOW - timedelta(seconds=5)
    free = {"next_at": None, "leased_until": None, "backoff_until": None}
    assert hosts.turn(NOW, **free).granted
    assert hosts.turn(NOW, **free | {"next_at": past, "leased_until": past, "backoff_until": past}).granted
    assert hosts.turn(NOW, **free | {"next_at": soon}).wait == timedelta(seconds=5)
    held = hosts.turn(NOW, **free | {"leased_until": soon, "next_at": NOW + timedelta(seconds=9)})
    assert (held.granted, held.wait) == (False, timedelta(0))
    assert hosts.turn(NOW, **free | {"backoff_until": soon}).asked_by_host


@given(st.integers(0, 10**6), st.none() | st.integers(0, 10**9))
def test_back_off_grows_within_bounds(previous: int, asked: int | None) -> None:
    wanted = None if asked is None else timedelta(seconds=asked)
    span = hosts.longer(timedelta(seconds=previous), wanted)
    assert hosts.FIRST_BACKOFF <= span <= hosts.LONGEST_RETRY_AFTER
    assert span >= min(wanted or span, hosts.LONGEST_RETRY_AFTER)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        (" 5 ", 5),
        ("Fri, 20 Nov 2026 12:01:00 GMT", 60),
        ("Fri, 20 Nov 2020 12:01:00 GMT", 0),
        ("soon", None),
        ("", None),
        (None, None),
        ("-5", None),
        ("Fri, 20 Nov 2026 12:01:00", None),
    ],
)
def test_retry_after(value: str | None, seconds: int | None) -> None:
    assert parse_retry_after(value, NOW) == (None if seconds is None else timedelta(seconds=seconds))


@given(st.text(max_size=60))
def test_retry_after_never_fails(value: str) -> None:
    assert (parse_retry_after(value, NOW) or timedelta(0)) >= timedelta(0)


def pacer(state: State, worker: str, clock: RunningClock | None = None, budget: int | None = None) -> Pacer:
    given: dict[str, Any] = {"worker": worker, "chance": random.Random(1), "budget": budget}
    return Pacer(state, clock or RunningClock(NOW), delay=0.05, timeout=30, **given)


def claims(monkeypatch: pytest.MonkeyPatch) -> list[hosts.Turn]:
    """Every answer of the table of hosts from now on."""
    answers, claim = list[hosts.Turn](), hosts.claim

    def claimed(*given: Any) -> hosts.Turn:
        answers.append(claim(*given))
        return answers[-1]

    monkeypatch.setattr(hosts, "claim", claimed)
    return answers


def row_of(state: State, name: str) -> Any:
    with state.read() as connection:
        return hosts._row(connection, name)


def test_two_workers_take_turns_at_a_host(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every turn is alone and begins at least the delay after the one before has ended."""
    clock = RunningClock(NOW)
    turns: list[tuple[datetime, datetime]] = []

    async def work(one: Pacer) -> None:
        for _ in range(4):
            turn = await one.enter("x:80")
            begun = clock.now()
            await asyncio.sleep(0.01)
            turns.append((begun, clock.now()))
            await one.leave("x:80", turn, 0.0, well=True)

    async def both() -> None:
        await asyncio.gather(*(work(pacer(state, name, clock)) for name in ("one", "two")))

    monkeypatch.setattr(pacing, "TURNS", 2)
    asyncio.run(both())
    turns.sort()
    assert len(turns) == 8
    assert min(begun - end for (_, end), (begun, _) in pairwise(turns)) >= timedelta(seconds=0.05)


def test_a_visit_pays_one_claim_for_many_turns(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = claims(monkeypatch)

    async def visit(one: Pacer) -> None:
        for number in range(pacing.TURNS + 1):
            turn = await one.enter("x:80")
            assert row_of(state, "x:80").lease is not None
            await one.leave("x:80", turn, 0.0, well=True)
            assert (row_of(state, "x:80").lease is None) == (number == pacing.TURNS - 1), "then others have a chance"
        await one.depart()

    asyncio.run(visit(pacer(state, "one")))
    assert [answer.granted for answer in answers] == [True, True]
    row = row_of(state, "x:80")
    assert (row.lease, row.leased_until) == (None, None) and row.next_at > NOW


def test_a_host_is_given_back_when_nobody_goes_on(state: State) -> None:
    async def once() -> None:
        one = pacer(state, "one")
        await one.leave("x:80", await one.enter("x:80"), 0.0, well=True)
        while row_of(state, "x:80").lease is not None:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(once(), 20))


def test_a_longer_rest_than_was_promised_is_claimed_anew(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes over from a dead one keeps to the rest that the host is owed, whatever that one did."""
    answers, clock = claims(monkeypatch), RunningClock(NOW)

    async def visit(one: Pacer) -> None:
        await one.leave("x:80", await one.enter("x:80"), 0.0, well=True)
        await one.enter("x:80", 30.0)

    asyncio.run(visit(pacer(state, "one", clock)))
    row = row_of(state, "x:80")
    assert len(answers) == 2 and row.next_at - row.leased_until == timedelta(seconds=30)
    with state.begin() as connection:
        now = clock.now()
        assert hosts.take_back(connection, lambda lease: lease.startswith("two/"), now) == 0
        assert hosts.take_back(connection, lambda lease: lease.startswith("one/"), now) == 1
    row = row_of(state, "x:80")
    assert (row.lease, row.leased_until, row.next_at) == (None, None, now + timedelta(seconds=30))


def test_what_is_left_of_a_stay_is_not_charged(state: State) -> None:
    spent = []

    async def visit(one: Pacer) -> None:
        for _ in range(3):
            turn = await one.enter("x:80")
            with state.read() as connection:
                spent.append(hosts.spent(connection, "x:80", NOW))
            await one.leave("x:80", turn, 0.0, well=True)
        await one.depart()
        with state.read() as connection:
            spent.append(hosts.spent(connection, "x:80", NOW))

    asyncio.run(visit(pacer(state, "one", budget=5)))
    assert spent == [5, 5, 5, 3]


def test_a_turn_that_is_never_given_back_keeps_the_others_waiting_for_its_lease_alone(state: State) -> None:
    clock = RunningClock(NOW)

    async def visit(one: Pacer) -> None:
        lost = await one.enter("x:80")
        one._doors["x:80"].ends = 0.0  # as if its longest time were over
        waiting = asyncio.create_task(one.enter("x:80"))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await one.leave("x:80", lost, 0.0, well=True)
        clock.advance(seconds=100)
        turn = await asyncio.wait_for(waiting, 20)
        await one.leave("x:80", lost, 0.0, well=True)
        assert one._doors["x:80"].turn == turn

    asyncio.run(visit(pacer(state, "one", clock)))


def test_a_host_that_another_process_holds_is_looked_at_less_and_less_often(state: State) -> None:
    one = pacer(state, "one")
    pauses = [one._pause(timedelta(0), held) for held in range(1, 9)]
    assert pauses == [0.01, 0.02, 0.04, 0.08, 0.16, 0.25, 0.25, 0.25]
    assert [one._pause(timedelta(seconds=wait), 0) for wait in (0.001, 0.1, 9)] == [0.005, 0.1, 0.25]


def test_a_host_that_asked_for_long_is_not_waited_for(state: State) -> None:
    one = pacer(state, "one")

    async def ask() -> None:
        await one.back_off("x:80", "600")
        with pytest.raises(NotRead, match="left alone") as refused:
            await pacer(state, "two").enter("x:80")
        assert refused.value.answer is Answer.RATE_LIMITED
        lease = await one.enter("y:80")
        waiting = asyncio.create_task(one.enter("y:80"))
        await asyncio.sleep(0.01)
        one.close()
        with pytest.raises(NotRead, match="closing"):
            await waiting
        await one.leave("y:80", lease, 0.0, well=True)

    asyncio.run(ask())


# --- what is kept ---------------------------------------------------------------------------------------------


def test_raw_pages_are_kept_once_and_whole(tmp_path: Path, state: State) -> None:
    raw = RawPages(tmp_path)
    sha256 = raw.keep("Grüße".encode())
    assert raw.keep("Grüße".encode()) == sha256 and len(sha256) == 64
    assert raw.load(sha256) == "Grüße".encode() and raw.load("0" * 64) is None
    assert raw.path(sha256) == tmp_path / "raw" / sha256[:2] / f"{sha256}.gz"
    assert raw.purge_strays(state, raw.path(sha256).stat().st_mtime - 1) == 0
    assert raw.purge_strays(state, raw.path(sha256).stat().st_mtime + 1) == 1


def test_result_lists_are_written_with_their_ranks(state: State) -> None:
    rows = (
        RankedResult(position=1, url="http://a.example/", title="A", engines=("x", "y"), uid="u1"),
        RankedResult(position=2, url="http://b.example/", title="B", snippet="…"),
        RankedResult(position=2, url="http://c.example/", title="C"),
    )
    ranks = ResultList(source="s", query="q", at=NOW, results=rows, unresponsive=(("z", "timeout"),))
    store_results(state, ranks)
    store_results(state, ResultList(source="s", query="q", at=NOW, results=()))
    with state.read() as connection:
        lists = connection.execute(result_list.select()).all()
        found = connection.execute(result.select().order_by(result.c.position)).all()
    assert [(row.query, row.unresponsive) for row in lists] == [("q", [["z", "timeout"]]), ("q", [])]
    assert [(row.list, row.position, row.title, row.engines) for row in found] == [
        (lists[0].id, 1, "A", ["x", "y"]),
        (lists[0].id, 2, "C", []),
    ]


class Slow:
    """A feed that takes its time and counts how many items it holds at once."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    async def feed(self, items: Any) -> None:
        await asyncio.sleep(0.02)
        self.batches.append(len(items))

    async def results(self, ranks: ResultList) -> None:
        raise OSError("disk full")


def item(number: int) -> Item:
    return Item(
        source="s",
        platform="p",
        channel=Channel.FORUM,
        kind=Kind.POST,
        reading=Reading.FULL,
        origin="x",
        native_id=str(number),
        fetched=NOW,
    )


class Stub:
    unfed = ""

    def note(self, item: Any) -> None:
        pass

    class job:  # noqa: N801
        source = "s"


def test_the_sink_batches_waits_and_flushes_at_the_end() -> None:
    feed, spider = Slow(), Stub()
    sink = Sink(feed, spider, batch=10, seconds=0.01)  # type: ignore[arg-type]

    async def fill() -> None:
        await asyncio.gather(*(sink.process_item(item(n)) for n in range(25)))
        assert sum(feed.batches) >= 20
        await sink.close_spider()
        assert sum(feed.batches) == 25 and max(feed.batches) == 10
        await sink.process_item(item(26))
        async with asyncio.timeout(60):
            while sum(feed.batches) < 26:
                await asyncio.sleep(0.01)
        await sink.process_item(ResultList(source="s", query="q", at=NOW, results=()))
        with pytest.raises(TypeError, match="dict"):
            await sink.process_item({})

    asyncio.run(fill())
    assert "disk full" in spider.unfed


# --- settings -------------------------------------------------------------------------------------------------


def test_user_agent_names_contact_and_organisation() -> None:
    assert user_agent(Configuration(contact="a@b.example")).endswith(" (+mailto:a@b.example)")
    agent = user_agent(Configuration(contact="https://b.example/bot", organisation="Müller\nGmbH"))
    assert agent.endswith(" (M?llerGmbH; +https://b.example/bot)") and agent.startswith("Sturmwarte/")


def test_settings_of_a_visit() -> None:
    settings = for_visit(Configuration.model_validate({"crawl": {"max_bytes": 20_000, "timeout": "7s"}}))
    assert settings.getint("DOWNLOAD_MAXSIZE") == 20_000 and settings.getfloat("DOWNLOAD_TIMEOUT") == 7
    assert settings.getint("CONCURRENT_ITEMS") <= 16, "Scrapy starts so many tasks for each answer"
    assert settings.getint("CONCURRENT_REQUESTS_PER_DOMAIN") == 1
    assert not settings.getbool("HTTPCACHE_ENABLED") and not settings.getbool("TELNETCONSOLE_ENABLED")
    assert not settings.getbool("REMOTE_CONTROL_ENABLED") and not settings.getbool("HTTPPROXY_ENABLED")


def test_a_spider_without_a_job_says_what_to_run() -> None:
    with pytest.raises(TypeError, match="sturmwarte crawl"):
        SourceSpider(name="x")


def test_things_beside_each_other() -> None:
    assert beside("/forum/ p453", "t99") == "/forum/ t99"
    assert beside("/forum/ p453", "/other/ t99") == "/other/ t99"
    assert beside("guid:5", "t99") == "t99" and beside("/ p1", None) is None and beside("/ p1", "") is None
