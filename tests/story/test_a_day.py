"""A day of many sources by a fast clock: polite at every host, fair to every source, and whole after SIGKILL."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import day
import msgspec
import pytest
import sqlalchemy as sa
from day import HEADS, REFUSING, SLOW, Asked, Plan

from pipeline.clock import ManualClock
from pipeline.configuration import StateTable, StoreTable
from pipeline.query.tree import EVERYTHING
from pipeline.state.opening import open_state
from pipeline.state.tables import source, thread_cursor
from pipeline.store.opening import open_store

START = datetime(2026, 11, 20, 8, tzinfo=UTC)
PATIENCE = 300.0
"""Seconds of the machine's clock after the end of the day, until the last post must have been read."""
ROUNDING = 0.001
"""Seconds of the machine's clock."""
TIMES_MORE = 5
"""So often another source with the same interval may be visited while one waits: twice is the aim, and each death has
the sources visited again that were in hand."""


class Process:
    """A child of the test that speaks in lines."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        script = Path(day.__file__)
        paths = os.pathsep.join((str(script.parent), str(script.parents[2])))
        environment = {**os.environ, "PYTHONPATH": paths, "TZ": "UTC", "SCRAPY_SETTINGS_MODULE": "crawlers.settings"}
        self._log = (folder / f"{arguments[0]}.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, str(script), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
            text=True,
        )

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self._log.close()


class Crawl(Process):
    """A crawl that is killed and lives again."""

    child = 0

    def live(self) -> None:
        self.tell("live")
        self.child = int(self.hear())

    def kill(self) -> float:
        os.kill(self.child, signal.SIGKILL)
        at, self.child = time.time(), 0
        assert self.hear() == "dead"
        return at

    def close(self) -> None:
        if self.child:
            self.kill()
        super().close()


def lived(folder: Path, seed: int, **sizes: Any) -> tuple[Plan, list[Asked], list[float]]:
    """A day with two deaths; returns the plan, what was asked, and when the crawl was killed."""
    chance, log, plan_file, data = random.Random(seed), folder / "asked", folder / "plan.json", folder / "data"
    data.mkdir()
    with (
        closing(Process(folder, "web", plan_file, log)) as web,
        closing(Crawl(folder, "crawl", plan_file, data)) as crawl,
    ):
        port = int(web.hear())
        assert crawl.hear() == "ready"
        plan = Plan(port=port, start=START, anchor=time.time(), **sizes)
        plan_file.write_bytes(msgspec.json.encode(plan))
        length = plan.hours * 3600 / plan.factor
        deaths = []
        crawl.live()
        for part in (0.2, 0.55):
            moment = plan.anchor + length * (part + chance.uniform(0, 0.25))
            time.sleep(max(moment - time.time(), 0.1))
            deaths.append(crawl.kill())
            crawl.live()
        time.sleep(max(plan.anchor + length - time.time(), 0))
        wait_until_read(plan, data)
        crawl.kill()
    return plan, list(day.asked(log)), deaths


def wait_until_read(plan: Plan, data: Path) -> None:
    """Until a visit to each source that began after the end of the day has read everything."""
    deadline = time.monotonic() + PATIENCE
    left = sa.select(source.c.id, source.c.reason).where(
        sa.or_(source.c.last_ok.is_(None), source.c.last_ok <= plan.end)
    )
    late = left.union(sa.select(source.c.id, source.c.reason).where(source.c.last_start <= plan.end))
    with closing(open_state(data, StateTable())) as state:
        while True:
            with state.read() as connection:
                rows = connection.execute(late).all()
            if not rows:
                return
            assert time.monotonic() < deadline, f"{len(rows)} sources are still unread: {rows[:3]}"
            time.sleep(0.5)


# --- what must hold -----------------------------------------------------------------------------------------------


def check_spacing(plan: Plan, seen: Sequence[Asked]) -> None:
    """Each request comes to its host at least the delay after the one before, however busy the machine."""
    hosts = defaultdict[str, list[Asked]](list)
    for one in seen:
        hosts[one.host].append(one)
    assert len(hosts) == plan.hosts
    for host, requests in hosts.items():
        for one, after in pairwise(requests):
            assert after.at - one.at >= _gap(plan, one) - ROUNDING, (host, after.at - one.at, one, after)


def _gap(plan: Plan, one: Asked) -> float:
    """Real seconds that are promised after a request. Before robots.txt is read, nobody knows what it asks for."""
    slow = one.host == plan.host(SLOW) and one.path != "/robots.txt"
    return (plan.crawl_delay if slow else plan.delay) / plan.factor


def check_refusals(plan: Plan, seen: Sequence[Asked], deaths: Sequence[float]) -> None:
    """After a 429 nothing is asked until the time is over. One that died of hearing it cannot know."""
    requests = [one for one in seen if one.host == plan.host(REFUSING)]
    heard = 0
    for one, after in pairwise(requests):
        if one.status == 429 and not any(one.at <= death < one.at + 2 for death in deaths):
            heard += 1
            assert after.at - one.at >= plan.retry_after / plan.factor, (one, after)
    assert heard >= 1


def check_fairness(plan: Plan, seen: Sequence[Asked]) -> None:
    """While a source waits for its next visit, no other one of the same interval is visited over and over."""
    heads = {(plan.host(n), HEADS[plan.kind(n)].format(n + 1)): n for n in range(plan.sources)}
    visits = [(one.at, heads[one.host, one.path]) for one in seen if (one.host, one.path) in heads]
    assert {number for _, number in visits} == set(range(plan.sources))
    since = {number: Counter[int]() for number in range(plan.sources)}
    for _, number in visits:
        since[number].clear()
        for other, counts in since.items():
            if other != number and plan.host(other) != plan.host(REFUSING):
                counts[number] += 1
                assert counts[number] <= TIMES_MORE, (
                    f"source {other} waits while source {number} is read again and again"
                )


def check_posts(plan: Plan, data: Path) -> None:
    """Every post is there once, with the words it was written in."""
    written = Counter(text for n in range(plan.sources) for _, _, text in plan.posts(n, plan.end))
    found = Counter[str]()
    with closing(open_store(data, StoreTable(), clock=ManualClock(plan.clock.now()))) as store:
        assert store.check() == []
        after: str | None = None
        while True:
            page = store.search(EVERYTHING, limit=500, after=after)
            found.update(mention.crawled.text for mention in page.mentions)
            after = page.after
            if after is None:
                break
    assert found == written, f"lost: {list(written - found)[:3]}, double or invented: {list(found - written)[:3]}"


def check_cursors(plan: Plan, data: Path) -> None:
    """Each stands at the newest post of its source."""
    with closing(open_state(data, StateTable())) as state, state.read() as connection:
        rows = {row.id: row for row in connection.execute(sa.select(source))}
        marks = {row.source: row.last_item for row in connection.execute(sa.select(thread_cursor))}
    for number in range(plan.sources):
        name, posts = f"source-{number:03}", plan.posts(number, plan.end)
        row, newest, kind = rows[name], posts[-1][0], plan.kind(number)
        assert row.watermark is not None and row.watermark > posts[-1][1], name
        if kind == "phpbb":
            assert marks[name] == f"p{newest}", name
        elif kind == "feed":
            assert len(row.cursor["entries"]) == len(posts), name
        else:
            assert len(row.cursor["lists"][""]["known"]) == len(posts), name


@contextmanager
def told(plan: Plan, seen: Sequence[Asked], deaths: Sequence[float]) -> Iterator[None]:
    """What a run came to, for who reads its output."""
    span = (seen[-1].at - plan.anchor) * plan.factor / 3600
    refused = sum(one.status == 429 for one in seen)
    print(f"{plan.sources} sources, {plan.hosts} hosts, {len(seen)} requests in {span:.1f} h of the clock")
    print(f"{refused} refusals; killed at {[round((at - plan.anchor) * plan.factor / 3600, 2) for at in deaths]} h")
    yield


def check(folder: Path, seed: int, **sizes: Any) -> None:
    plan, seen, deaths = lived(folder, seed, **sizes)
    with told(plan, seen, deaths):
        check_spacing(plan, seen)
        check_refusals(plan, seen, deaths)
        check_fairness(plan, seen)
        check_posts(plan, folder / "data")
        check_cursors(plan, folder / "data")


@pytest.mark.long
def test_two_hours_of_forty_sources(tmp_path: Path) -> None:
    sizes = {"hours": 2, "factor": 360, "sources": 40, "hosts": 12, "interval": 1_800, "gap": 700}
    check(tmp_path, random.randrange(2**32), **sizes, delay=180, crawl_delay=270, retry_after=900)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_day_of_five_hundred_sources(tmp_path: Path) -> None:
    sizes = {"hours": 24, "factor": 240, "sources": 500, "hosts": 60, "interval": 4 * 3600, "gap": 5_000}
    check(tmp_path, random.randrange(2**32), **sizes, delay=120, crawl_delay=200, retry_after=1_800)
