"""Mentions per second from the web into Elasticsearch by 1, 2 and 4 crawl workers, the state in PostgreSQL.

Each worker is a process with the crawl as the service runs it: it claims sources, visits them over http with robots.txt
and the turns at a host, takes the items through all steps and writes the visit down. The web is one process on loopback
with a port, so a site, for each source; each has one feed. Politeness is switched off (``delay = 0``), for it would be
the only thing measured. The clock runs from when all workers are ready to when every source has been read.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import sqlalchemy as sa

from benchmarks.elastic_server import Server, running, say, state_server
from benchmarks.material import configuration, items
from pipeline.clock import SystemClock
from pipeline.configuration import Configuration, Crawl, Source, StateTable, StoreTable
from pipeline.item import Item
from pipeline.state.database import State
from pipeline.state.opening import open_state
from pipeline.state.tables import source
from pipeline.store.opening import open_store

WORKERS = (1, 2, 4)
SITES, ENTRIES = 120, 60
WARMING = 100
"""Items that each worker takes through the steps before the clock runs."""
PATIENCE = 300.0
"""Seconds without a step forward (a worker that is ready, a site that was read) after which it is given up."""


# --- the web ------------------------------------------------------------------------------------------------------


def feed(number: int, entries: Sequence[Item]) -> bytes:
    """An RSS feed whose entries are from the last hours."""
    now = datetime.now(UTC)
    parts = [f"<rss version='2.0'><channel><title>Site {number}</title><link>http://site{number}.example/</link>"]
    for at, item in enumerate(entries):
        link = f"http://site{number}.example/posts/{at}"
        told = format_datetime(now - timedelta(minutes=3 * (len(entries) - at)))
        parts.append(
            f"<item><title>Erfahrung {at}</title><link>{link}</link><guid>{link}</guid><pubDate>{told}</pubDate>"
            f"<author>{item.author}@example.org</author><description>{escape(item.text)}</description></item>"
        )
    return "".join([*parts, "</channel></rss>"]).encode()


def serve(sites: int, entries: int, told: multiprocessing.Queue[list[int]]) -> None:
    """The web; tells the ports it has."""
    material = list(items(sites * entries, seed=9))
    pages = [feed(number, material[number * entries : (number + 1) * entries]) for number in range(sites)]
    asyncio.run(_serve(pages, told))


async def _serve(pages: Sequence[bytes], told: multiprocessing.Queue[list[int]]) -> None:
    def answering(page: bytes) -> Any:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    robots = head.split(b" ", 2)[1] == b"/robots.txt"
                    body, kind = (b"User-agent: *\nAllow: /\n", b"text/plain") if robots else (page, b"text/xml")
                    length = str(len(body)).encode()
                    writer.write(
                        b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nContent-Length: " + length + b"\r\n\r\n"
                    )
                    writer.write(body)
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        return answer

    servers = [await asyncio.start_server(answering(page), "127.0.0.1", 0) for page in pages]
    told.put([server.sockets[0].getsockname()[1] for server in servers])
    await asyncio.Event().wait()


# --- the workers --------------------------------------------------------------------------------------------------


def crawled(ports: Sequence[int], table: StoreTable, state: StateTable) -> Configuration:
    """One feed at each port; a visit is not repeated while we measure."""
    sources = {
        f"site-{number:03}": Source.model_validate(
            {"spider": "feed", "url": f"http://127.0.0.1:{port}/feed", "full_text": False, "interval": "6h"}
        )
        for number, port in enumerate(ports)
    }
    crawl = Crawl(delay=0, allow_private=("127.0.0.1",))
    return configuration().model_copy(update={"sources": sources, "crawl": crawl, "store": table, "state": state})


def work(settled: Configuration, number: int, folder: str, ready: Barrier) -> None:
    """One crawl worker, until the parent ends it."""
    import logging

    import structlog

    os.environ["SCRAPY_SETTINGS_MODULE"] = "crawlers.settings"
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        asyncio.run(_work(settled, number, Path(folder), ready))
    except BaseException:
        ready.abort()
        raise


async def _work(settled: Configuration, number: int, folder: Path, ready: Barrier) -> None:
    """As ``crawlers.service`` does it, but ready before it begins."""
    from crawlers import service
    from crawlers.raw import RawPages
    from crawlers.registry import spiders
    from crawlers.upkeep import Upkeep

    clock = SystemClock()
    state = open_state(folder, settled.state)
    pipeline = service.build(settled, state, folder, clock)
    warming: Any = list(items(WARMING, seed=100 + number))
    pipeline.feed(warming)
    crawl = service.Crawl(settled, folder, clock, state, pipeline, spiders())
    crawl.prepare()
    ready.wait()
    await crawl.run(lambda: settled, threading.Event(), Upkeep(state, clock, RawPages(folder)))


def crawl(ports: Sequence[int], table: StoreTable, state_table: StateTable, workers: int) -> tuple[int, float]:
    """Mentions that came in, and the seconds it took."""
    spawn = multiprocessing.get_context("spawn")
    settled, ready = crawled(ports, table, state_table), spawn.Barrier(workers + 1)
    with tempfile.TemporaryDirectory() as name, closing(open_state(Path(name), state_table)) as state:
        open_store(Path(name), table, clock=SystemClock()).close()
        hands = [spawn.Process(target=work, args=(settled, number, name, ready)) for number in range(workers)]
        with running(*hands):
            try:
                ready.wait(PATIENCE * workers)  # they share the cores while they start
            except threading.BrokenBarrierError as error:
                raise RuntimeError("a crawl worker has ended before it was ready, or is not ready yet") from error
            before, start = _stored(table, name), time.perf_counter()
            _wait(state, hands)
            elapsed = time.perf_counter() - start
        return _stored(table, name) - before, elapsed


def _wait(state: State, hands: Sequence[BaseProcess]) -> None:
    """Until every source has been read to the end. Raises RuntimeError where that does not come about."""
    left, deadline = _unread(state), time.perf_counter() + PATIENCE
    while left:
        if not all(hand.is_alive() for hand in hands):
            raise RuntimeError("a crawl worker has ended")
        if time.perf_counter() > deadline:
            raise RuntimeError(f"no site was read for {PATIENCE:.0f} s, {len(left)} are left: {_reasons(left)}")
        time.sleep(0.05)
        before, left = len(left), _unread(state)
        if len(left) < before:
            deadline = time.perf_counter() + PATIENCE


def _unread(state: State) -> Sequence[sa.Row[Any]]:
    """Sources that have not been read to the end."""
    wanted = sa.select(source.c.id, source.c.worker, source.c.failures, source.c.reason)
    with state.read() as connection:
        return connection.execute(wanted.where(source.c.last_ok.is_(None))).all()


def _reasons(left: Sequence[sa.Row[Any]]) -> str:
    """Of the first few; a visit that failed is repeated only after the interval."""
    said = [
        f"{row.id} {f'failed ({row.reason})' if row.failures else 'is being visited' if row.worker else 'waits'}"
        for row in left[:3]
    ]
    return ", ".join([*said, "…"] if len(left) > 3 else said)


def _stored(table: StoreTable, folder: str) -> int:
    with closing(open_store(Path(folder), table, clock=SystemClock())) as store:
        store.refresh()
        return int(store.statistics()["mentions"])


def measure(server: Server, workers: Sequence[int] = WORKERS) -> None:
    """One line for each number of workers. Raises LeftOut without PostgreSQL."""
    spawn = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[list[int]] = spawn.Queue()
    web = spawn.Process(target=serve, args=(SITES, ENTRIES, told))
    with running(web), state_server() as database:
        ports = told.get(timeout=PATIENCE)
        print(f"\ncrawl of {SITES} sites with {ENTRIES} entries each into Elasticsearch, {os.cpu_count()} cores")
        print(f"  {'workers':>7} {'mentions':>9} {'seconds':>8} {'mentions/s':>11} {'sites/s':>8}")
        for number in workers:
            say(f"crawl with {number} workers")
            with server.store() as table:
                stored, elapsed = crawl(ports, table, database(), number)
            rate = f"{stored / elapsed:11,.0f} {SITES / elapsed:8.1f}"
            print(f"  {number:>7} {stored:>9,} {elapsed:>8.1f} {rate}", flush=True)
