"""Several processes on one PostgreSQL do what one would: each source read once, each brand watched by one, each
message sent once; and go on by themselves when one of them, or the server, is killed."""

from __future__ import annotations

import http.server
import itertools
import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import hands
import pytest
import sqlalchemy as sa
from postgres import Postgres

from alerts import outbox
from alerts.message import MessageKind, Occasion, subject_of
from pipeline.clock import ScaledClock
from pipeline.configuration import StateTable
from pipeline.state import leases
from pipeline.state.database import State
from pipeline.state.opening import open_state
from pipeline.state.tables import meta, source
from sturmwarte.demo.ports import free_port
from sturmwarte.watch import WATCHED

PATIENCE = 90.0
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)


def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)
    return found


@contextmanager
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    pipe.close()


def hand(role: str, worker: str, folder: Path, table: StateTable, step: str = "") -> subprocess.Popen[bytes]:
    """A process of ``hands``, ready and waiting for a line."""
    command = [sys.executable, hands.__file__, role, worker, str(folder), table.url.get_secret_value(), step]
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(root)}
    )
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    return process


def go(*started: subprocess.Popen[bytes]) -> None:
    for process in started:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()


@pytest.fixture
def state(tmp_path: Path, postgres_table: StateTable) -> Iterator[State]:
    with closing(open_state(tmp_path, postgres_table)) as opened:
        with opened.begin() as connection:
            for table in hands.TABLES:
                connection.exec_driver_sql(table)
        yield opened


def rows(state: State, query: str) -> list[Any]:
    with state.read() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


# --- watching -------------------------------------------------------------------------------------------------


def test_each_brand_has_one_watcher_and_a_dead_ones_go_over(
    tmp_path: Path, state: State, postgres_table: StateTable
) -> None:
    workers = [f"machine-{number}:1:x" for number in range(3)]  # as on three machines: nobody can see who is dead
    with processes() as running:
        for worker in workers:
            running.append(hand("watch", worker, tmp_path, postgres_table))
        go(*running)

        def shares() -> list[int]:
            with state.read() as connection:
                holders = leases.holders(connection, "brand", datetime.now(UTC))
            return sorted(Counter(holders.values()).values())

        until(lambda: shares() == [2, 2, 2], "fair shares")
        running[0].kill()
        running[0].wait()
        until(lambda: shares() == [3, 3], "the dead one's brands with the others")
        (before,) = rows(state, "SELECT coalesce(max(id), 0) FROM looked")[0]
        until(
            lambda: len(rows(state, f"SELECT DISTINCT brand FROM looked WHERE id > {before}")) == len(hands.BRANDS),
            "every brand evaluated",
        )
        later = rows(state, f"SELECT DISTINCT worker FROM looked WHERE id > {before} ORDER BY worker")
        assert later == [(workers[1],), (workers[2],)]
    # the killed one may have left its mark on a brand; nobody alive ever met anybody alive
    assert [row for row in rows(state, "SELECT brand, worker, other FROM overlap") if row[2] != workers[0]] == []


# --- sending --------------------------------------------------------------------------------------------------


def compose(state: State, incidents: int, numbers: int) -> list[bytes]:
    """Messages in order, to three receivers each; returns their bytes."""
    made = []
    with state.begin() as conn:
        for number in range(1, numbers + 1):
            for incident in range(incidents):
                told = Occasion(subject=subject_of(incident=incident), number=number, kind=MessageKind.UPDATE, at=NOW)
                for receiver in hands.CONFIGURATION.receivers:
                    payload = f"{incident} {receiver} {number}".encode()
                    fixed = outbox.message_id(told, receiver, "email", "")
                    assert outbox.put(conn, told, receiver, "email", payload, fixed, NOW)
                    made.append(payload)
    return made


def posted(state: State) -> list[tuple[bytes, str]]:
    return [
        (bytes(message), worker) for message, worker in rows(state, "SELECT message, worker FROM posted ORDER BY id")
    ]


def test_three_senders_send_each_message_once_and_in_order(
    tmp_path: Path, state: State, postgres_table: StateTable
) -> None:
    messages = compose(state, incidents=5, numbers=4)
    with processes() as running:
        for number in range(3):
            running.append(hand("send", f"machine-{number}:1:x", tmp_path, postgres_table))
        go(*running)
        until(lambda: len(posted(state)) >= len(messages), "all messages")
        assert [process.wait(PATIENCE) for process in running] == [0, 0, 0]
    sent = [message for message, _ in posted(state)]
    assert sorted(sent) == sorted(messages)
    for incident in range(5):
        for receiver in hands.CONFIGURATION.receivers:
            ours = [message for message in sent if message.startswith(f"{incident} {receiver} ".encode())]
            assert ours == [f"{incident} {receiver} {number}".encode() for number in range(1, 5)]
    with state.read() as connection:
        assert outbox.counts(connection)["sent"] == len(messages)


def test_only_a_death_after_the_servers_250_repeats_and_then_the_same_bytes(
    tmp_path: Path, state: State, postgres_table: StateTable
) -> None:
    messages = compose(state, incidents=4, numbers=1)
    with processes() as running:
        dying = [hand("send", "", tmp_path, postgres_table, step) for step in ("after_send", "before_send", "claimed")]
        running += dying
        go(*dying)
        for process in dying:
            process.wait(PATIENCE)
        (first,) = posted(state)
        with state.begin() as conn:
            assert outbox.take_back(conn, hands.worker_name()) == 3
        heir = hand("send", "", tmp_path, postgres_table)
        running.append(heir)
        go(heir)
        assert heir.wait(PATIENCE) == 0
    times = Counter(message for message, _ in posted(state))
    assert set(times) == set(messages)
    assert {message: n for message, n in times.items() if n != 1} == {first[0]: 2}


# --- the real processes ---------------------------------------------------------------------------------------

SOURCES = [f"feed{number}" for number in range(6)]
FACTOR, DELAY = 20.0, 4.0


class Feeds(http.server.ThreadingHTTPServer):
    """A site with feeds that notes who is in it at the same time, and when they came."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock, self.inside, self.most = threading.Lock(), 0, 0
        self.asked: Counter[str] = Counter()
        self.came: list[float] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    server: Feeds

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.inside += 1
            self.server.most = max(self.server.most, self.server.inside)
            self.server.asked[self.path] += 1
            self.server.came.append(time.monotonic())
        time.sleep(0.03)
        known = self.path.startswith("/feed")
        body = FEED if known else b""
        with self.server.lock:
            self.server.inside -= 1
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "application/rss+xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: Any) -> None:
        pass


FEED = b"""<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/">
<channel><title>Bote</title><link>http://127.0.0.1/</link>
<item><title>Asar</title><link>http://127.0.0.1/a</link><guid>http://127.0.0.1/a</guid>
<pubDate>Sun, 22 Nov 2026 08:00:00 +0000</pubDate><content:encoded>Asar antwortet nicht.</content:encoded></item>
</channel></rss>"""


class Service:
    """Two crawlers, a watcher and a server of pages, each a real process, on one PostgreSQL."""

    def __init__(self, folder: Path, table: StateTable, site: Feeds) -> None:
        self.port = free_port()
        self.file = folder / "sturmwarte.toml"
        url = f"http://127.0.0.1:{site.server_address[1]}"
        feeds = "".join(
            f'[sources.{name}]\nspider = "feed"\nurl = "{url}/{name}"\ninterval = "4h"\n' for name in SOURCES
        )
        self.file.write_text(
            f'contact = "a@example.org"\ndata = "{folder / "data"}"\n[brands.asar]\nname = "Asar"\n{feeds}'
            f'[crawl]\ndelay = {DELAY}\nthreads = 2\nallow_private = ["127.0.0.1"]\n[web]\nport = {self.port}\n',
            "utf-8",
        )
        clock = ScaledClock(datetime(2026, 11, 22, 10, tzinfo=UTC), time.time(), FACTOR)
        settings = {"STURMWARTE_STATE_URL": table.url.get_secret_value(), "STURMWARTE_CLOCK": str(clock)}
        self.environment = {**os.environ, **settings, "TZ": "UTC", "SCRAPY_SETTINGS_MODULE": "crawlers.settings"}
        self.folder = folder / "data"

    def start(self, part: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "sturmwarte.child", part, str(self.file), str(self.folder)]
        with (self.file.parent / f"{part}.log").open("ab") as log:
            return subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log, stdout=log, env=self.environment)

    def health(self) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=20) as answer:
                return {"code": answer.status, **json.load(answer)}
        except urllib.error.HTTPError as refused:
            return {"code": refused.code, **json.load(refused)}
        except OSError:
            return {"code": 0}


def visited(state: State, since: datetime) -> int:
    with state.read() as connection:
        return int(connection.scalar(sa.select(sa.func.count()).where(source.c.last_ok > since)) or 0)


def make_all_due(state: State) -> datetime:
    """Every source, now; returns when its last visit ended."""
    with state.begin() as connection:
        last: datetime = connection.scalar(sa.select(sa.func.max(source.c.last_end)))
        connection.execute(sa.update(source).values(next_due=source.c.last_end))
    return last


def connected(state: State, processes: list[subprocess.Popen[bytes]]) -> bool:
    """Whether each of them talks to the server."""
    names = {name for (name,) in rows(state, "SELECT DISTINCT application_name FROM pg_stat_activity")}
    return {f"sturmwarte:{process.pid}" for process in processes} <= names


def watched(state: State) -> str | None:
    with state.read() as connection:
        found: str | None = connection.scalar(sa.select(meta.c.value).where(meta.c.key == WATCHED))
    return found


def test_real_processes_share_the_work_and_outlive_the_server(
    tmp_path: Path, state: State, postgres_table: StateTable, postgres: Postgres
) -> None:
    site = Feeds()
    service = Service(tmp_path, postgres_table, site)
    with closing(site.socket), processes() as running:
        running += [service.start("crawl"), service.start("crawl")]
        until(lambda: connected(state, running), "both crawlers")
        until(lambda: visited(state, NOW) == len(SOURCES), "every source read")
        assert {name: site.asked[f"/{name}"] for name in SOURCES} == dict.fromkeys(SOURCES, 1)
        running += [service.start("watch"), service.start("serve")]
        until(lambda: watched(state), "an evaluation")
        until(lambda: service.health()["code"] == 200, "the pages")

        postgres.kill()
        told = until(lambda: (found := service.health())["code"] == 503 and found, "the pages to say so")
        assert told["mentions"] == "ok"
        postgres.start()
        looked = until(lambda: watched(state), "the server")
        until(lambda: connected(state, running[:2]), "both crawlers again")
        last = make_all_due(state)
        until(lambda: visited(state, last) == len(SOURCES), "every source read again")
        until(lambda: watched(state) != looked, "another evaluation")
        until(lambda: service.health()["code"] == 200, "the pages again")
        assert [process.poll() for process in running] == [None] * 4
        assert {name: site.asked[f"/{name}"] for name in SOURCES} == dict.fromkeys(SOURCES, 2)
        site.shutdown()
    assert site.most == 1  # never two visitors at one host
    gaps = [later - earlier for earlier, later in itertools.pairwise(site.came)]
    assert len(gaps) >= 2 * len(SOURCES) and min(gaps) >= DELAY / FACTOR
