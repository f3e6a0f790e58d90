"""A small site on loopback, a spider of its own for it, and a pipeline that only remembers."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from clocks import RunningClock
from scrapy.http import Request, Response

from crawlers.ledger import VisitReport
from crawlers.parsing import PageFile, Parsed, ParsedItem, ThreadRow
from crawlers.service import crawl_once
from crawlers.spider import SourceSpider
from crawlers.visit import ThreadMark
from pipeline.clock import Clock
from pipeline.configuration import Configuration, StateTable
from pipeline.identity import uid_of
from pipeline.item import Item, Published
from pipeline.run import Fed
from pipeline.state.database import State
from pipeline.state.opening import open_state
from pipeline.state.sources import SourceRow, get_source
from pipeline.state.tables import source
from pipeline.words import Answer, Channel, Kind, Precision, Reading

Page = Callable[[BaseHTTPRequestHandler], None]
HOUSE_RULES = ("/robots.txt", "/.well-known/tdmrep.json")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
"""When every test begins: what is read here does not depend on the day, nor on a jump of the machine's clock."""


@dataclass
class Asked:
    """A request as the server saw it; times are seconds of ``time.monotonic()``."""

    path: str
    begun: float
    answered: float | None = None


class Site:
    """A web server: pages by path, and when each request came and was answered.

    All of that is written down before the answer goes out: whoever has read the answer finds it here.
    """

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.asked: list[Asked] = []
        self.headers: list[dict[str, str]] = []
        self.open = self.most_open = 0
        site, lock = self, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.asked = Asked(self.path, time.monotonic())
                with lock:
                    site.open += 1
                    site.most_open = max(site.most_open, site.open)
                    site.headers.append(dict(self.headers))
                    site.asked.append(self.asked)
                try:
                    site.pages.get(self.path, reply(b"not here", 404))(self)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True
                finally:
                    self._answers()

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.do_GET()

            def send_response(self, code: int, message: str | None = None) -> None:
                self._answers()
                super().send_response(code, message)

            def _answers(self) -> None:
                with lock:
                    if self.asked.answered is None:
                        self.asked.answered = time.monotonic()
                        site.open -= 1

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def paths(self, *, robots: bool = False) -> list[str]:
        return [asked.path for asked in self.asked if robots or asked.path not in HOUSE_RULES]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def reply(body: bytes, status: int = 200, **headers: str) -> Page:
    """A page with a fixed answer; underscores in header names stand for dashes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def listing(threads: dict[str, int]) -> Page:
    """A list of threads: name → number of its newest post, with addresses /thread/NAME."""
    return reply(json.dumps({"threads": threads}).encode())


def posts(*numbers: int) -> Page:
    return reply(json.dumps({"posts": list(numbers)}).encode())


def parse(page: PageFile) -> Parsed:
    """The parser of the test spider."""
    data = json.loads(page.body)
    at = datetime(2026, 11, 20, 12, tzinfo=UTC)
    items = tuple(
        ParsedItem(
            kind=Kind.POST,
            id=f"p{number}",
            author="Erika",
            text=f"Beitrag {number}",
            published=Published(at=at + timedelta(minutes=number), precision=Precision.MINUTE),
        )
        for number in data.get("posts", [])
    )
    base = page.url.rpartition("/")[0]
    threads = tuple(
        ThreadRow(id=name, url=f"{base}/thread/{name}", title=name, last_item=f"p{last}")
        for name, last in data.get("threads", {}).items()
    )
    state = Answer.OK if items or threads else Answer.EMPTY
    return Parsed(state=state, items=items, threads=threads)


class ThreadsSpider(SourceSpider):
    """Reads a list at the source's address and every thread that has changed."""

    name = "threads"
    platform = "threads"
    channel = Channel.FORUM
    interval = timedelta(minutes=5)
    parser = staticmethod(parse)

    async def start(self) -> AsyncIterator[Any]:
        yield self.request(self.job.url, self.read_list, conditional=True)

    def read_list(self, response: Response) -> Iterator[Request]:
        parsed = self.read(response)
        if parsed.state is Answer.NOT_MODIFIED:
            self.visit.cursor = dict(self.job.cursor)
        else:
            self.visit.cursor = {"threads": len(parsed.threads)}
            self.visit.complete_from = datetime(2026, 11, 1, tzinfo=UTC)
        self.visit.complete = True
        for row in parsed.threads:
            mark = self.job.thread_mark(row.id)
            if mark is None or mark.last_item != row.last_item:
                yield self.request(row.url, self.read_thread, gone=self.thread_gone, row=row)

    def read_thread(self, response: Response, row: ThreadRow) -> Iterator[Item]:
        parsed = self.read(response)
        for found in parsed.items:
            native = f"/ {found.id}"
            yield self.item(found, parsed, response, reading=Reading.FULL, native_id=native, thread=f"/ {row.id}")
        self.visit.threads[row.id] = ThreadMark(last_item=row.last_item, count=len(parsed.items))

    def thread_gone(self, url: str, status: int, row: ThreadRow) -> None:
        self.visit.threads[row.id] = ThreadMark(last_item=row.last_item, extra={"gone": status})


class Remembering:
    """A pipeline that keeps items in memory. ``broken`` is raised instead; ``spooling`` only spools."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.batches: list[int] = []
        self.broken: Exception | None = None
        self.own: set[str] = set()
        self.spooling = False
        self.spooled: list[tuple[str, datetime]] = []
        self.state: State | None = None

    def feed(self, items: Sequence[Item]) -> Fed:
        if self.broken is not None:
            raise self.broken
        self.batches.append(len(items))
        for item in items:
            self.items[uid_of(item.origin, item.native_id)] = item
        return Fed(spooled=len(items)) if self.spooling else Fed(stored=len(items))

    def drain(self) -> int:
        return 0

    def known(self, uids: Sequence[str]) -> dict[str, bool] | None:
        return {uid: uid in self.own for uid in uids if uid in self.items and not self.items[uid].deleted}

    def spool_watermark(self, name: str, at: datetime) -> bool:
        if self.spooling:
            self.spooled.append((name, at))
            return False
        assert self.state is not None
        forward = sa.or_(source.c.watermark.is_(None), source.c.watermark < at)
        with self.state.begin() as connection:
            connection.execute(sa.update(source).where(source.c.id == name, forward).values(watermark=at))
        return True

    def close(self) -> None:
        pass

    @property
    def natives(self) -> list[str]:
        return sorted(item.native_id for item in self.items.values())


@dataclass
class World:
    """A site, a data folder, and runs of the crawl over both."""

    site: Site
    folder: Path
    state: State
    clock: Clock = field(default_factory=lambda: RunningClock(NOW))
    pipeline: Remembering = field(default_factory=Remembering)
    spiders: dict[str, type[SourceSpider]] = field(default_factory=lambda: {"threads": ThreadsSpider})
    crawl: dict[str, Any] = field(default_factory=lambda: {"delay": 0.0, "allow_private": ("127.0.0.1",)})
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    contact: str = "operator@example.org"
    table: StateTable = field(default_factory=StateTable)

    def __post_init__(self) -> None:
        self.pipeline.state = self.state
        self.sources.setdefault("board", {"spider": "threads", "url": f"{self.site.url}/list"})

    @property
    def configuration(self) -> Configuration:
        settings = {"contact": self.contact, "crawl": self.crawl, "sources": self.sources, "state": self.table}
        return Configuration.model_validate(settings)

    def run(self, *names: str) -> list[VisitReport]:
        return crawl_once(
            self.configuration, self.folder, self.clock, names or None, self.pipeline, spiders=self.spiders
        )

    def visit(self, name: str = "board") -> VisitReport:
        (report,) = self.run(name)
        return report

    def row(self, name: str = "board") -> SourceRow:
        with self.state.read() as connection:
            row = get_source(connection, name)
        assert row is not None
        return row


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site()
    yield server
    server.close()


@pytest.fixture
def world(site: Site, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    """With the state in a file; on the server where a test is parametrised so."""
    server = getattr(request, "param", "sqlite") == "postgresql"
    table = request.getfixturevalue("postgres_table") if server else StateTable()
    state = open_state(tmp_path, table)
    yield World(site, tmp_path, state, table=table)
    state.close()


@pytest.fixture
def pages() -> Any:
    """The makers of pages, by name."""

    class Pages:
        reply = staticmethod(reply)
        listing = staticmethod(listing)
        posts = staticmethod(posts)

    return Pages
