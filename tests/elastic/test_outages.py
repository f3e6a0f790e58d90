"""Servers killed hard, in ingest and in a storm: nothing is lost, nothing is double, every change is told once."""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from elastic import remove_indices, skipping, three_nodes
from killing import PARTS, MailServer, trial
from outages import Asking, Cluster, Talk, configured, home
from postgres import Postgres, running_postgres, server_table
from servers import wait_for
from storm import START, Storm, StormClock, told
from structlog.testing import capture_logs

from alerts.posting import post
from alerts.watcher import Watcher
from pipeline.clock import SystemClock
from pipeline.configuration import StoreTable
from pipeline.run import Fed

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]
RATE = 100.0
"""What the source says in a second."""


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What is logged of every request in vain would be long."""
    with capture_logs():
        yield


@pytest.fixture(scope="module")
def nodes() -> Iterator[Cluster]:
    with ExitStack() as stack:
        with skipping():
            three = stack.enter_context(three_nodes())
        yield Cluster(three)


@pytest.fixture
def cluster(nodes: Cluster) -> Cluster:
    """Three nodes that are well."""
    nodes.heal()
    return nodes


@pytest.fixture
def prefix(cluster: Cluster) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex[:12]}"
    yield name
    cluster.heal()
    with cluster.client() as client:
        remove_indices(client, name)


# --- while items come ---------------------------------------------------------------------------------------------

BEFORE, AFTER, ASKED = 1_000, 3_000, 60


def test_the_elected_master_is_killed_while_items_come(cluster: Cluster, prefix: str, tmp_path: Path) -> None:
    clock, configuration = SystemClock(), configured(cluster, prefix)
    with (
        home(tmp_path, configuration, clock) as ours,
        closing(Asking(configuration, tmp_path, clock)) as asking,
    ):
        ours.source(clock.now())
        talk, fed = Talk(RATE, clock), Fed()
        during = threading.Event()

        def kill() -> None:
            during.wait()
            cluster.kill_master()

        killer = threading.Thread(target=kill)
        killer.start()
        began = time.monotonic()
        while len(talk.uids) < BEFORE + AFTER:
            fed += ours.visit(talk)[0]
            if len(talk.uids) >= BEFORE and not during.is_set():
                answered = asking.answered
                during.set()
        seconds = time.monotonic() - began
        killer.join()
        assert len(cluster.dead) == 1
        wait_for(lambda: asking.answered - answered >= ASKED or bool(asking.failed), "answers of two nodes", 300)
        ours.drain()
        cluster.heal()
        assert asking.failed == []
        assert fed.stored + fed.unchanged + fed.spooled == len(talk.uids)
        assert ours.watermark() == ours.marks[-1][0]
        ours.check(talk)
        print(
            f"{len(talk.uids)} items at {len(talk.uids) / seconds:.0f}/s: {fed}; {asking.answered} queries, "
            f"{asking.answered - answered} of them on two nodes, slowest {asking.slowest:.1f} s"
        )


# --- while the cluster is away ------------------------------------------------------------------------------------

AWAY = timedelta(minutes=2)


def test_the_whole_cluster_is_away_for_two_minutes(cluster: Cluster, prefix: str, tmp_path: Path) -> None:
    clock, configuration = SystemClock(), configured(cluster, prefix)
    with home(tmp_path, configuration, clock) as ours:
        ours.source(clock.now())
        talk = Talk(RATE, clock)
        while len(talk.uids) < 500:
            fed, moved = ours.visit(talk)
            assert (fed.spooled, moved) == (0, True)
        cluster.kill()
        known, mark, marks = len(talk.uids), ours.watermark(), len(ours.marks)
        visits, slowest, began = 0, 0.0, time.monotonic()
        talk.pause()
        while time.monotonic() - began < AWAY.total_seconds() or len(talk.uids) - known < AWAY.total_seconds() * RATE:
            begun = time.monotonic()
            said = len(talk.uids)
            fed, moved = ours.visit(talk)
            assert (fed.spooled, moved) == (len(talk.uids) - said, False)
            visits, slowest = visits + 1, max(slowest, time.monotonic() - begun)
        seconds = time.monotonic() - began
        assert ours.waiting() == talk.uids[known:]
        assert (ours.watermark(), len(ours.marks)) == (mark, marks)
        waited = len(talk.uids) - known

        cluster.start()
        came = time.monotonic()
        while not ours.visit(talk)[1]:  # the source goes on talking while the nodes come back
            assert time.monotonic() - came < 600, "nothing was drained"
        back = time.monotonic() - came
        ours.drain()
        assert list(ours.store.taken) == talk.uids, "in the order it was said"
        times = [at for at, _ in ours.marks]
        assert times == sorted(times) and len(times) > marks
        assert ours.watermark() == times[-1]
        ours.check(talk)
        print(
            f"{waited} items in {seconds:.0f} s ({waited / seconds:.0f}/s) waited in {visits} visits, "
            f"slowest {slowest:.1f} s; drained {back:.0f} s after the start of the nodes, {len(talk.uids)} in all"
        )


# --- in a storm ---------------------------------------------------------------------------------------------------


@pytest.fixture
def postgres_of_ours() -> Iterator[Postgres]:
    """A server that may be killed."""
    with running_postgres() as server:
        yield server


def through(storm: Storm, killing: Callable[[], object]) -> None:
    """Quiet weeks, a storm of half an hour at whose first words ``killing`` is called, and ten quiet hours."""

    def once() -> None:
        storm.home.store.begin = lambda: None
        killing()

    storm.begin()
    storm.home.store.begin = once
    for _ in range(10):
        storm.step(minutes=3, posts=20)
    for _ in range(20):
        storm.step(minutes=30, posts=0)


def test_the_elected_master_is_killed_at_the_burst(
    cluster: Cluster, prefix: str, postgres_of_ours: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StormClock(START)
    with closing(MailServer()) as mails:
        configuration = configured(cluster, prefix, server_table(postgres_of_ours), **told(mails))
        with (
            home(tmp_path, configuration, clock) as ours,
            closing(Storm(ours, clock, mails, monkeypatch, lambda: None)) as storm,
        ):
            through(storm, cluster.kill_master)
            assert len(cluster.dead) == 1
            cluster.heal()
            print(storm.check())


def test_postgresql_is_killed_at_the_burst_and_while_the_alarm_is_written(
    cluster: Cluster, prefix: str, postgres_of_ours: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, server = StormClock(START), postgres_of_ours
    killed: list[str] = []
    mended: list[str] = []

    def kill(when: str) -> None:
        server.kill()
        killed.append(when)

    def mend() -> None:
        if len(killed) > len(mended):
            server.start()
            mended.append(killed[-1])

    def post_and_kill(*arguments: Any) -> bool:
        put = post(*arguments)
        if "alarm" not in killed:
            kill("alarm")
        return put

    monkeypatch.setattr("alerts.watcher.Watcher", partial(Watcher, post=post_and_kill))
    with closing(MailServer()) as mails:
        configuration = configured(cluster, prefix, server_table(server), **told(mails))
        with (
            home(tmp_path, configuration, clock) as ours,
            closing(Storm(ours, clock, mails, monkeypatch, mend)) as storm,
        ):
            through(storm, lambda: kill("burst"))
            assert killed == mended == ["burst", "alarm"]
            print(storm.check(), f"; the crawl was refused {len(storm.refused)} times")


# --- any worker ---------------------------------------------------------------------------------------------------

DEATHS = 50


def test_any_worker_is_killed_fifty_times(
    cluster: Cluster, prefix: str, postgres_of_ours: Postgres, tmp_path: Path
) -> None:
    seed = int(os.environ.get("STURMWARTE_SEED", "0")) or random.randrange(1, 1_000_000)
    print(f"seed {seed}")
    chance, died = random.Random(seed), Counter[str]()
    servers = StoreTable(engine="elasticsearch", urls=cluster.urls, prefix=prefix, replicas=1)
    with trial(tmp_path, servers, postgres_of_ours.database()) as one:
        one.pass_time()
        one.round()
        for _ in range(DEATHS):
            part = chance.choice(PARTS)
            one.part_dies_after(part, chance.uniform(0.02, 4.0))
            died[part] += 1
        one.finish()
        one.check()
        doubled = sum(one.mails.ids().values()) - len(one.mails.ids())
        print(
            f"deaths {dict(died)}; {len(one.mails.ids())} mails, {doubled} of them twice, "
            f"{len(one.windows)} died between the server's 250 and the commit"
        )
        assert one.deaths == DEATHS and set(died) == set(PARTS)
