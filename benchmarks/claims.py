"""Sources handed out per second: 10,000 due ones, claimed and written down again by 1, 2 and 4 workers at a time.

Each worker is a process and does what a crawler does in the state database for a visit, with the crawler's own code: a
claim of as many sources as it has hands, two turns at a host for each (robots.txt apart), and the entry of the visit
with two fetches. Nothing is fetched. PostgreSQL is started for it, durable as it comes, or ``--url`` names an empty
database of another.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from crawlers import hosts, scheduling
from crawlers.fetches import Fetch
from crawlers.ledger import Finished, Ledger
from crawlers.visit import Visit
from pipeline.clock import SystemClock
from pipeline.configuration import StateTable
from pipeline.state.opening import open_state
from pipeline.state.tables import source
from pipeline.words import Answer

HANDS = 8
LEASE = timedelta(minutes=2)


def fill(folder: Path, table: StateTable | None, sources: int) -> None:
    """Sources that are all due now."""
    now = datetime.now(UTC) - timedelta(hours=1)
    rows = [
        {
            "id": f"source-{number:06}",
            "spider": "feed",
            "url": f"https://host-{number}.example/feed",
            "channel": "news",
            "state": "healthy",
            "state_since": now,
            "next_due": now + timedelta(milliseconds=number % 1000),
            "interval_s": 600.0,
            "cursor": {"last": number},
        }
        for number in range(sources)
    ]
    with closing(open_state(folder, table)) as state, state.begin() as connection:
        connection.execute(sa.delete(source))
        connection.execute(sa.insert(source), rows)


def work(folder: str, url: str, name: str, seconds: float, start: float, told: multiprocessing.Queue[object]) -> None:
    """One worker, from ``start`` on; tells its sources, how long each claim took, and its processor time."""
    table = StateTable(url=url) if url else None
    clock, claims, done = SystemClock(), list[float](), 0
    with closing(open_state(Path(folder), table)) as state:
        ledger = Ledger(state, clock, random.Random(name))
        time.sleep(max(start - time.time(), 0))
        processor = time.process_time()
        while time.time() < start + seconds:
            before = time.perf_counter()
            with state.begin(by_rows=True) as connection:
                rows = scheduling.claim(connection, name, clock.now(), LEASE, limit=HANDS)
            claims.append(time.perf_counter() - before)
            if not rows:
                break
            for row in rows:
                now = clock.now()
                host = row.url.split("/")[2]
                for turn in range(2):
                    with state.begin(by_rows=True) as connection:
                        hosts.claim(connection, host, f"{name}/{turn}", now, now + LEASE, now)
                    with state.begin(by_rows=True) as connection:
                        hosts.give_back(connection, host, f"{name}/{turn}", now, well=True)
                fetches = [Fetch(at=now, url=f"{row.url}?{n}", answer=Answer.OK, status=200) for n in range(2)]
                visit = Visit(complete=True, cursor={"last": done})
                ledger.apply(Finished(row=row, started=now, visit=visit, fetches=fetches), name)
                done += 1
    told.put((done, claims, time.process_time() - processor))


def measure(
    folder: Path, url: str, sources: int, workers: int, seconds: float
) -> tuple[float, float, float, int, float]:
    """Sources per second, p50 and p95 of one claim in milliseconds, all sources, the workers' processor seconds."""
    fill(folder, StateTable(url=url) if url else None, sources)
    spawn = multiprocessing.get_context("spawn")
    told, start = spawn.Queue(), time.time() + 5.0
    arguments = [(str(folder), url, f"machine-{number}:1:x", seconds, start, told) for number in range(workers)]
    processes = [spawn.Process(target=work, args=each) for each in arguments]
    for process in processes:
        process.start()
    answers = [told.get(timeout=seconds + 300) for _ in processes]
    elapsed = min(time.time() - start, seconds)
    for process in processes:
        process.join()
    claims = sorted(claim for _, each, _ in answers for claim in each)
    total = sum(done for done, _, _ in answers)
    ours = sum(processor for _, _, processor in answers)
    return total / elapsed, 1000 * claims[len(claims) // 2], 1000 * claims[len(claims) * 95 // 100], total, ours


def report(
    engine: str, folder: Path, url: str, options: argparse.Namespace, server: Callable[[], float] = lambda: 0.0
) -> None:
    """One line for each number of workers. ``server`` tells the processor seconds the server has used."""
    for workers in options.workers:
        before = server()
        speed, middle, slow, total, ours = measure(folder, url, options.sources, workers, options.seconds)
        theirs = server() - before
        print(
            f"{engine:<12} {workers:>7} {speed:>10.0f} {middle:>13.1f} {slow:>8.1f} "
            f"{1000 * ours / total:>11.1f} {1000 * theirs / total:>10.1f}",
            flush=True,
        )


def processor_of(process: int) -> float:
    """Processor seconds of a process and of its children that have ended."""
    fields = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sources", type=int, default=10_000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--url", default="", help="PostgreSQL to measure, an empty database; else one is started")
    options = parser.parse_args(arguments)
    print(f"{options.sources:,} due sources, {HANDS} taken at a time")
    print("engine       workers  sources/s  claim p50 ms   p95 ms  our ms each  server's")
    with tempfile.TemporaryDirectory() as name:
        report("SQLite", Path(name), "", options)
        if options.url:
            report("PostgreSQL", Path(name), options.url, options)
            return
        sys.path.append("tests/support")  # the server of the tests, which is no part of the program
        from postgres import running_postgres

        with running_postgres(durable=True) as server:
            report("PostgreSQL", Path(name), server.database(), options, lambda: processor_of(server.process))


if __name__ == "__main__":
    main(sys.argv[1:])
