"""The demonstration in steps of ten minutes: alone in its folder, or on servers with processes of its own.

At each step the web stands still at a full ten minutes, every source is visited once, and only then the clock of the
rules and of the pages moves on, to four minutes and fifty seconds later. What is fed within a step falls into the same
five minutes however long the machine takes, so that two demonstrations tell the same numbers, whatever keeps them.

``python stepped_demo.py PART FILE FOLDER CLOCK`` is one process of the service under the clock of such a step.
"""

from __future__ import annotations

import email
import email.policy
import os
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from clocks import RunningClock

from alerts.delivery import Delivery
from alerts.facts import Facts
from alerts.notifiers.registry import build as notifiers
from alerts.situation import facts
from alerts.watcher import Watcher
from crawlers.service import build, crawl_once
from pipeline.clock import ManualClock
from pipeline.configuration import Configuration
from pipeline.erasure import erased_in
from pipeline.state.opening import open_state
from pipeline.state.sources import list_sources, make_due
from pipeline.state.tables import incident, lease, outbox
from pipeline.store.opening import open_store
from pipeline.toml import load
from pipeline.words import OutboxState
from sturmwarte.demo import configuration as demo_configuration
from sturmwarte.demo.ports import free_port
from sturmwarte.demo.run import STORM, Stage, morning, stage
from sturmwarte.registry import build_registry
from sturmwarte.service import child_environment, prepare

START = morning(datetime(2026, 11, 20, 12, tzinfo=UTC))
STEP, LOOK = timedelta(minutes=10), timedelta(minutes=4, seconds=50)
FACTOR = 20.0
ROOM = timedelta(minutes=4, seconds=20)
PATIENCE = 300.0
"""Seconds of the wall clock that a step may take before the test fails."""
BRAND = "nordnetz"


class StepClock:
    """A moment that a file names, for several processes; while a crawl waits its turn time runs on, ``FACTOR`` times
    as fast, but after ``ROOM`` of it so slowly that the step does not leave its five minutes.
    """

    def __init__(self, file: Path, *, running: bool) -> None:
        self._file, self._running = file, running

    def set(self, moment: datetime) -> None:
        """All who hold this clock are at that moment now."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{moment.isoformat()} {time.monotonic()}", "ascii")
        new.replace(self._file)

    def now(self) -> datetime:
        moment, since = self._file.read_text("ascii").split()
        if not self._running:
            return datetime.fromisoformat(moment)
        gone, fast = time.monotonic() - float(since), ROOM.total_seconds() / FACTOR
        return datetime.fromisoformat(moment) + timedelta(seconds=min(gone, fast) * FACTOR + max(gone - fast, 0) / 4)

    def real(self, seconds: float) -> float:
        return seconds / FACTOR


class Stepped(ABC):
    """A demonstration that goes on by ``step`` only."""

    def __init__(self, scene: Stage, resources: ExitStack) -> None:
        self.scene, self.at = scene, START
        self.configuration: Configuration = load(scene.toml, build_registry())
        self.folder = self.configuration.data
        self.crawl_clock = StepClock(scene.folder / "crawl.clock", running=True)
        self.watch_clock = StepClock(scene.folder / "watch.clock", running=False)
        self._web = ManualClock(START)
        scene.clock = self._web
        self.crawl_clock.set(START)
        self.watch_clock.set(START)
        prepare(self.configuration, self.folder, self.watch_clock)
        self.state = resources.enter_context(closing(open_state(self.folder, self.configuration.state)))
        store = open_store(self.folder, self.configuration.store, clock=self.watch_clock, erased=erased_in(self.state))
        self.store = resources.enter_context(closing(store))

    def look_back(self, until: timedelta, number: int = 1) -> None:
        """The two quiet weeks are read and looked at; then that much time has passed since the start, unseen.

        ``number``: how many processes of each kind there are from then on, where there are any.
        """
        crawl_once(self.configuration, self.folder, RunningClock(START, FACTOR))
        self.start(number)
        self.look(START)
        self.at = START + until - STEP

    def step(self) -> Facts:
        """Ten minutes pass, everything is read, the rules look, mails go out; how the brand stands then."""
        self.at += STEP
        self._web.set(self.at)
        self.crawl_clock.set(self.at)
        self.crawl()
        self.watch_clock.set(self.at + LOOK)
        self.look(self.at + LOOK)
        assert self.crawl_clock.now() < self.at + LOOK, "the step took too long to be comparable"
        self.store.refresh()
        return facts(self.configuration, self.store, self.state, BRAND, self.at + LOOK)

    def until_a_mail_tells_a_share(self) -> list[Facts]:
        """Steps until the minimum for a share is passed and a mail that is not the first goes out."""
        told: list[Facts] = []
        while self.at < START + STORM + timedelta(hours=2):
            before = len(self.mails())
            told.append(self.step())
            if len(self.mails()) > max(before, 1) and told[-1].share:
                return told
        raise AssertionError(f"no mail with a share: {told}")

    @abstractmethod
    def crawl(self) -> None:
        """Every source is visited once."""

    @abstractmethod
    def look(self, moment: datetime) -> None:
        """The rules look at that moment, which it is now for them, and what is due is sent."""

    @abstractmethod
    def start(self, number: int) -> None:
        """So many processes of each kind, where there are any."""

    def mails(self) -> list[EmailMessage]:
        """The mailbox, oldest first: a Maildir counts in its names how many came before (``….M1P2Q3.host``)."""
        files = self.scene.folder.glob("mailbox/new/*")
        ordered = sorted(files, key=lambda file: int(file.name.split(".")[1].rpartition("Q")[2]))
        return [_read(file) for file in ordered]

    def incidents(self) -> int:
        with self.state.read() as connection:
            return int(connection.scalar(sa.select(sa.func.count()).select_from(incident)) or 0)


class Embedded(Stepped):
    """In its folder, without any process."""

    def start(self, number: int) -> None:
        """There are none."""

    def crawl(self) -> None:
        with closing(build(self.configuration, self.state, self.folder, self.crawl_clock)) as pipeline:
            crawl_once(self.configuration, self.folder, self.crawl_clock, pipeline=pipeline)

    def look(self, moment: datetime) -> None:
        clock = self.watch_clock
        Watcher(self.configuration, self.store, self.state, clock, self.folder).tick()
        Delivery(self.configuration, self.state, clock, notifiers(self.configuration), worker="test").tick()


class OnServers(Stepped):
    """On Elasticsearch and PostgreSQL, with a number of crawlers, watchers and web processes."""

    def __init__(self, scene: Stage, resources: ExitStack) -> None:
        super().__init__(scene, resources)
        self._resources = resources
        self._watchers: list[subprocess.Popen[bytes]] = []
        self._all: list[subprocess.Popen[bytes]] = []
        self.ports: list[int] = []

    def start(self, number: int) -> None:
        self.ports = [self.configuration.web.port, *(free_port() for _ in range(number - 1))]
        tomls = [self.scene.toml]
        tomls += [demo_configuration.beside(self.scene.toml, n, port) for n, port in enumerate(self.ports[1:], start=2)]
        for toml in tomls:
            self._process("crawl", toml, "crawl.clock")
            self._watchers.append(self._process("watch", toml, "watch.clock"))
            self._process("serve", toml, "watch.clock")
        self._wait(lambda: len(self._brands_held()) == number, "the brands to be shared by the watchers")

    def crawl(self) -> None:
        with self.state.begin() as connection:
            for name in self.configuration.sources:
                make_due(connection, name, self.at)
        self._wait(self._visited, "every source to be visited")

    def look(self, moment: datetime) -> None:
        self._wait(lambda: all(self._looks(one, moment) >= 2 for one in self._watchers), "the watchers to look twice")
        self._wait(lambda: not self._unsent(moment), "the mails to be sent")

    def workers(self, table: sa.Table, column: str) -> set[str]:
        """Who has worked, by a column of the state."""
        with self.state.read() as connection:
            return {str(name) for name in connection.scalars(sa.select(table.c[column]).distinct()) if name}

    def output(self, part: str = "*") -> list[str]:
        """What each process said, or each of one part."""
        files = sorted(self.scene.folder.glob(f"output.{part}.*"))
        return [file.read_text("utf-8", "replace") for file in files]

    def _process(self, part: str, toml: Path, clock: str) -> subprocess.Popen[bytes]:
        words = [part, str(toml), str(self.folder), str(self.scene.folder / clock)]
        file = self.scene.folder / f"output.{part}.{toml.stem}"
        output = self._resources.enter_context(file.open("wb"))
        child = subprocess.Popen(
            [sys.executable, str(Path(__file__).absolute()), *words],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            env=child_environment(os.environ),
            start_new_session=True,
        )
        self._resources.callback(_end, child)
        self._all.append(child)
        return child

    def _wait(self, reached: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not reached():
            if time.monotonic() >= end or any(one.poll() is not None for one in self._all):
                said = "\n".join(text[-3000:] for text in self.output())
                raise AssertionError(f"waited in vain for {what}:\n{said}")
            time.sleep(0.1)

    def _brands_held(self) -> set[str]:
        with self.state.read() as connection:
            return {row.worker for row in connection.execute(sa.select(lease).where(lease.c.kind == "brand"))}

    def _visited(self) -> bool:
        with self.state.read() as connection:
            rows = list_sources(connection)
        return all(row.last_start and row.last_start >= self.at and row.worker is None for row in rows)

    def _looks(self, watcher: subprocess.Popen[bytes], moment: datetime) -> int:
        """How many looks a watcher has completed that began at that moment."""
        with suppress(FileNotFoundError):
            lines = (self.scene.folder / f"looks.{watcher.pid}").read_text("ascii").splitlines()
            return lines.count(moment.isoformat())
        return 0

    def _unsent(self, moment: datetime) -> bool:
        waiting = sa.select(outbox.c.id).where(outbox.c.state == OutboxState.READY, outbox.c.next_try <= moment)
        with self.state.read() as connection:
            return connection.execute(waiting.limit(1)).first() is not None


def _read(file: Path) -> EmailMessage:
    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(60)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    if child.stdin is not None:
        child.stdin.close()


@contextmanager
def embedded(folder: Path) -> Iterator[Embedded]:
    """One without servers."""
    with ExitStack() as resources:
        scene = resources.enter_context(stage(folder, start=START))
        _slow_down(scene.toml)
        yield Embedded(scene, resources)


@contextmanager
def on_servers(folder: Path, elastic_url: str, prefix: str, state_url: str) -> Iterator[OnServers]:
    """One on servers; its processes are ended with the block."""
    tables = (
        f'\n[store]\nengine = "elasticsearch"\nurls = ["{elastic_url}"]\nprefix = "{prefix}"\n'
        f'\n[state]\nurl = "{state_url}"\n'
    )
    with ExitStack() as resources:
        scene = resources.enter_context(stage(folder, start=START, databases=tables))
        _slow_down(scene.toml)
        _share(scene.toml)
        yield OnServers(scene, resources)


def _slow_down(toml: Path) -> None:
    """Every source has the interval of a step: no visit but the one of the step."""
    lines = toml.read_text("utf-8").splitlines()
    toml.write_text("\n".join('interval = "10m"' if line.startswith("interval") else line for line in lines), "utf-8")


def _share(toml: Path) -> None:
    """One crawler reads half of the six sources at a time, so that the other finds something to do."""
    text = toml.read_text("utf-8")
    assert "\n[crawl]\n" in text
    toml.write_text(text.replace("\n[crawl]\n", "\n[crawl]\nthreads = 3\n"), "utf-8")


def main(part: str, toml: Path, folder: Path, file: Path) -> None:
    """One process of the service. A watcher writes down when each look began that it has completed."""
    from sturmwarte import child, watch

    clock = StepClock(file, running=part == "crawl")
    child.clock_from = lambda environment=os.environ: clock  # type: ignore[assignment]
    looked = watch.look

    def look(*arguments: Any, **named: Any) -> None:
        began = clock.now()
        looked(*arguments, **named)
        with (file.parent / f"looks.{os.getpid()}").open("a", encoding="ascii") as log:
            log.write(f"{began.isoformat()}\n")

    watch.look = look
    child.main(part, toml, folder)


if __name__ == "__main__":
    main(sys.argv[1], *(Path(word) for word in sys.argv[2:5]))
