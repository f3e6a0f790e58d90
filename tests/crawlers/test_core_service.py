"""The crawl as a service: what is due is visited until told to stop, whatever happens to one source or process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from scrapy.core.engine import ExecutionEngine

from crawlers import service
from crawlers.pacing import Pacer
from crawlers.service import crawl_forever
from crawlers.visiting import Visitor
from pipeline.clock import ScaledClock
from pipeline.configuration import Configuration
from pipeline.state.sources import make_due
from pipeline.state.tables import source, thread_cursor
from pipeline.words import SourceState


def eventually(holds: Callable[[], bool], seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not come true"
        time.sleep(0.02)


@pytest.fixture
def board(world: Any, pages: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A board with two threads; the configuration is looked at often."""
    monkeypatch.setattr(service, "_RELOAD", 0.1)
    monkeypatch.setattr(service, "_TICK", 0.05)
    world.sources["board"]["interval"] = "5m"
    world.site.pages |= {
        "/list": pages.listing({"a": 2, "b": 3}),
        "/thread/a": pages.posts(1, 2),
        "/thread/b": pages.posts(3),
    }
    return world


@contextmanager
def running(world: Any, load: Callable[[], Configuration] | None = None) -> Iterator[threading.Event]:
    """The service in a thread, stopped and joined at the end."""
    stop, failures = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            crawl_forever(
                load or (lambda: world.configuration),
                world.folder,
                world.clock,
                stop,
                lambda *_: world.pipeline,
                spiders=world.spiders,
            )
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(90)
    assert not thread.is_alive() and failures == []


def exists(world: Any, name: str = "board") -> bool:
    with world.state.read() as connection:
        return bool(connection.scalar(sa.select(source.c.id).where(source.c.id == name)))


def visited(world: Any, name: str = "board") -> bool:
    return exists(world, name) and world.row(name).last_end is not None


def read_up_to(world: Any, name: str = "board") -> datetime | None:
    """The source's watermark: it follows the visit's end in a transaction of its own."""
    return world.row(name).watermark if exists(world, name) else None


def test_visits_what_is_due_and_again_when_it_is_due_again(board: Any, pages: Any) -> None:
    with running(board):
        eventually(lambda: read_up_to(board) is not None)
        first = board.row()
        board.site.pages |= {"/list": pages.listing({"a": 4, "b": 3}), "/thread/a": pages.posts(1, 2, 4)}
        with board.state.begin() as connection:
            make_due(connection, "board", board.clock.now())
        eventually(lambda: board.row().watermark > first.watermark)
    assert board.pipeline.natives == ["/ p1", "/ p2", "/ p3", "/ p4"]


def test_a_demonstration_clock_visits_often(board: Any) -> None:
    board.clock = ScaledClock(datetime(2026, 11, 22, tzinfo=UTC), time.time(), 300)
    with running(board):
        eventually(lambda: board.site.paths().count("/list") >= 4)
        eventually(lambda: board.row().state is SourceState.HEALTHY)


def test_a_source_that_is_due_again_before_its_report_is_taken_is_not_locked_away(
    board: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crawlers.visiting import Visitor

    visit = Visitor.visit

    async def lingering(self: Any, row: Any) -> Any:
        report = await visit(self, row)
        await asyncio.sleep(0.3)
        return report

    monkeypatch.setattr(Visitor, "visit", lingering)
    board.clock = ScaledClock(datetime(2026, 11, 1, tzinfo=UTC), time.time(), 20_000)
    with running(board):
        eventually(lambda: board.site.paths().count("/list") >= 3)


def test_a_changed_configuration_is_taken_over_and_a_broken_one_is_not(board: Any) -> None:
    broken, refused = threading.Event(), threading.Event()

    def load() -> Configuration:
        if broken.is_set():
            refused.set()
            raise ValueError("line 3: brand missspelt")
        return board.configuration

    with running(board, load):
        eventually(lambda: visited(board))
        broken.set()
        assert refused.wait(90)
        board.sources["second"] = {"spider": "threads", "url": f"{board.site.url}/list?second"}
        broken.clear()
        eventually(lambda: visited(board, "second"))
        del board.sources["board"]
        eventually(lambda: board.row().state is SourceState.RETIRED)


def test_without_contact_the_service_waits_and_says_so(board: Any) -> None:
    board.contact = ""
    with running(board):
        eventually(lambda: exists(board) and board.row().state is SourceState.PAUSED)
        assert "contact" in board.row().reason and board.site.asked == []
        board.contact = "a@example.org"
        eventually(lambda: visited(board))


def test_stopping_in_the_middle_keeps_what_was_read_and_is_no_failure(
    board: Any, pages: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the fifth thread on the server answers nothing until the crawl has been told to end."""
    ending, asked = threading.Event(), list[str]()
    names = [f"t{n}" for n in range(30)]
    close = Pacer.close

    def closing(self: Pacer) -> None:
        close(self)
        ending.set()

    def slow(handler: Any) -> None:
        asked.append(handler.path)
        assert len(asked) < 5 or ending.wait(90)
        pages.posts(int(handler.path.rpartition("t")[2]))(handler)

    monkeypatch.setattr(Pacer, "close", closing)
    board.site.pages |= {"/list": pages.listing(dict.fromkeys(names, 1))} | {f"/thread/{name}": slow for name in names}
    with running(board):
        eventually(lambda: len(asked) >= 5)
    row = board.row()
    assert (row.failures, row.watermark, row.worker, row.first_contact_at) == (0, None, None, None)
    with board.state.read() as connection:
        marks = set(connection.scalars(sa.select(thread_cursor.c.thread)))
    assert 0 < len(marks) < 30
    assert {f"/ p{name[1:]}" for name in marks} == set(board.pipeline.natives)


def test_a_crawl_that_is_only_opening_does_not_keep_the_service_from_stopping(
    board: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, ending, stopped = threading.Event(), threading.Event(), threading.Event()
    close, stop, begin = Pacer.close, Visitor.stop, ExecutionEngine.open_spider_async

    def closing(self: Pacer) -> None:
        close(self)
        ending.set()

    async def stopping(self: Visitor) -> None:
        await stop(self)
        stopped.set()

    async def begun(self: ExecutionEngine, **given: Any) -> None:
        await begin(self, **given)
        opening.set()
        await asyncio.to_thread(ending.wait, 90)
        await asyncio.to_thread(stopped.wait, 90)

    monkeypatch.setattr(Pacer, "close", closing)
    monkeypatch.setattr(Visitor, "stop", stopping)
    monkeypatch.setattr(ExecutionEngine, "open_spider_async", begun)
    with running(board):
        assert opening.wait(90)
    row = board.row()
    assert (board.site.asked, row.failures, row.worker) == ([], 0, None)


def test_leases_are_renewed_while_every_common_thread_waits(board: Any, pages: Any, monkeypatch: Any) -> None:
    """The visit hangs at its first thread; all threads that the event loop lends out hang, too."""
    ended, slow = threading.Event(), threading.Event()

    def hang(handler: Any) -> None:
        slow.set()
        assert ended.wait(90)
        pages.posts(1, 2)(handler)

    async def occupied(self: Any) -> None:
        if not slow.is_set():
            await tick(self)
            return
        await asyncio.gather(*(asyncio.to_thread(ended.wait, 90) for _ in range(100)))

    tick = service.Crawl._tick
    monkeypatch.setattr(service.Crawl, "_tick", occupied)
    monkeypatch.setattr(service.scheduling, "LEASE", timedelta(seconds=1))
    monkeypatch.setattr(service, "_LEASE_REAL", 1.0)
    board.site.pages["/thread/a"] = hang
    with running(board):
        eventually(slow.is_set)
        first = board.row().leased_until
        eventually(lambda: board.row().leased_until > first + timedelta(seconds=1))
        ended.set()
        eventually(lambda: visited(board))


def test_a_source_nobody_visits_is_late(board: Any) -> None:
    board.run()
    with board.state.begin() as connection:
        past, future = board.clock.now() - timedelta(hours=1), board.clock.now() + timedelta(hours=1)
        connection.execute(sa.update(source).values(last_ok=past, leased_until=future))
    with running(board):
        eventually(lambda: board.row().state is SourceState.LATE)


def test_sources_with_and_without_an_interval_of_their_own_are_taken_over_together(board: Any) -> None:
    board.sources["second"] = {"spider": "threads", "url": f"{board.site.url}/list?second"}
    with running(board):
        eventually(lambda: visited(board) and visited(board, "second"))


def test_a_failing_visit_does_not_end_the_service(board: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    board.sources["second"] = {"spider": "threads", "url": f"{board.site.url}/list?second"}
    from crawlers.visiting import Visitor

    visit = Visitor.visit

    async def failing(self: Any, row: Any) -> Any:
        if row.id == "board":
            raise RuntimeError("a mistake of ours")
        return await visit(self, row)

    monkeypatch.setattr(Visitor, "visit", failing)
    with running(board):
        eventually(lambda: visited(board, "second"))
        eventually(lambda: board.row().worker is None and board.row().next_due > board.clock.now())


KILLED = """
import os, sys
from datetime import datetime
from pathlib import Path
sys.path[:0] = {paths!r}
import conftest
from clocks import RunningClock
from crawlers import ledger
from crawlers.service import crawl_once
from pipeline.configuration import Configuration

class Dying(conftest.Remembering):
    def feed(self, items):
        with open({fed!r}, "a") as file:
            file.writelines(item.native_id + "\\n" for item in items)
        return super().feed(items)

def die(*_):
    os._exit(9)

ledger.Ledger.apply = die
configuration = Configuration.model_validate_json({configuration!r})
clock = RunningClock(datetime.fromisoformat({now!r}))
crawl_once(configuration, Path({folder!r}), clock, None, Dying(), spiders={{"threads": conftest.ThreadsSpider}})
"""


def test_kill_between_feed_and_cursor(board: Any) -> None:
    """The findings were durable, the cursor had not moved: the next run reads them again, at once."""
    fed = board.folder / "fed"
    here = Path(__file__).parent
    script = KILLED.format(
        paths=[str(here), str(here.parent / "support")],
        now=board.clock.now().isoformat(),
        fed=str(fed),
        folder=str(board.folder),
        configuration=board.configuration.model_dump_json(),
    )
    died = subprocess.run([sys.executable, "-c", script], timeout=150, capture_output=True, text=True)
    assert died.returncode == 9, died.stderr
    assert sorted(fed.read_text().split("\n")) == ["", "/ p1", "/ p2", "/ p3"]
    row = board.row()
    assert row.worker is not None and (row.cursor, row.watermark, row.items_seen) == ({}, None, 0)
    assert board.visit().complete
    assert board.pipeline.natives == ["/ p1", "/ p2", "/ p3"]


def test_scrapy_finds_the_project() -> None:
    root = Path(__file__).parents[2]
    listed = subprocess.run(
        [sys.executable, "-m", "scrapy", "list"], cwd=root, timeout=150, capture_output=True, text=True
    )
    assert listed.returncode == 0, listed.stderr
