"""The whole way as a process that can be killed: ``python mortal.py CONFIGURATION.json FOLDER [PART…]``.

Everything is imported once. Then, for every line ``live``, a child is forked; it opens the data folder and makes one
round of its parts (``crawl``, ``watch``, ``deliver``; all, if none is named) for each line ``round TIME STEP``. At that
step (``-``: none) it says so and stands still, for its parent to kill it. While a file ``down`` is in the folder, the
store takes nothing.
"""

from __future__ import annotations

import os
import pkgutil
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from clocks import RunningClock

from alerts.delivery import Delivery
from alerts.notifiers.registry import build as notifiers
from alerts.posting import post as post_message
from alerts.watcher import Watcher
from crawlers import service
from crawlers.ledger import Finished, Ledger
from crawlers.registry import spiders
from pipeline.build import build_pipeline
from pipeline.clock import Clock
from pipeline.configuration import Configuration
from pipeline.erasure import erased_in
from pipeline.mention import Mention
from pipeline.run import Pipeline
from pipeline.spool import Record, Spool
from pipeline.state.database import State
from pipeline.state.opening import open_state
from pipeline.store.opening import open_store
from pipeline.store.protocol import Store, StoreError, Written
from sturmwarte import logs

Reach = Callable[[str], None]
"""Called at every named step."""
PARTS = ("crawl", "watch", "deliver")


class MortalStore:
    """A store with steps around its writes, which can be down."""

    def __init__(self, store: Store, down: Path, reach: Reach) -> None:
        self._store, self._down, self._reach = store, down, reach

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, mentions: Sequence[Mention]) -> Written:
        if self._down.exists():
            raise StoreError("the store is down")
        self._reach("before_write")
        written = self._store.write(mentions)
        self._reach("after_write")
        return written

    def note_signatures(self, signatures: Any, week: int) -> None:
        self._store.note_signatures(signatures, week)
        self._reach("after_signatures")


def nothing() -> None:
    """Done before or after, where nobody asks for it."""


class MortalSpool(Spool):
    """A spool with steps around appending, and within a drain."""

    def __init__(self, folder: Path, reach: Reach) -> None:
        super().__init__(folder)
        self._reach = reach

    def append(self, records: Sequence[Record], before: Callable[[], None] = nothing) -> None:
        self._reach("before_spool")
        super().append(records, before)
        self._reach("after_spool")

    def drain(
        self,
        write: Callable[[list[Mention]], None],
        mark: Callable[[str, datetime], None],
        empty: Callable[[], None] = nothing,
    ) -> int:
        def written(mentions: list[Mention]) -> None:
            write(mentions)
            self._reach("after_drained_write")

        def marked(source: str, at: datetime) -> None:
            self._reach("before_drained_watermark")
            mark(source, at)
            self._reach("after_drained_watermark")

        drained = super().drain(written, marked, empty)
        self._reach("after_drain")
        return drained


class MortalLedger(Ledger):
    """Books with steps before, within and after the transaction that moves marks and cursor."""

    reach: Reach

    def apply(self, finished: Finished, worker: str) -> Any:
        self.reach("before_cursor")
        applied = super().apply(finished, worker)
        self.reach("after_cursor")
        return applied

    def _write_marks(self, connection: sa.Connection, finished: Finished, now: datetime) -> None:  # type: ignore[override]
        super()._write_marks(connection, finished, now)
        self.reach("within_cursor")


class Life:
    """One child: an open data folder, and rounds over it."""

    def __init__(self, configuration: Configuration, folder: Path, parts: Sequence[str]) -> None:
        self._configuration, self._folder, self._parts = configuration, folder, parts
        # slow: however long a round takes, its clock stays within the minute in which the forum stands still
        self._clock = RunningClock(datetime(2026, 11, 1, tzinfo=UTC), factor=0.1)
        self._wanted, self._composed = "-", False
        self._state = open_state(folder, configuration.state)
        if {"crawl", "watch"} & set(parts):
            opened = open_store(folder, configuration.store, clock=self._clock, erased=erased_in(self._state))
            self._store: Any = MortalStore(opened, folder / "down", self.reach)
        if "crawl" in parts:
            self._pipeline = self._mortal_pipeline(self._store, self._state, self._clock)

    def _mortal_pipeline(self, store: Any, state: State, clock: Clock) -> Pipeline:
        pipeline = build_pipeline(self._configuration, store, state, folder=self._folder, clock=clock)
        pipeline.spool = MortalSpool(pipeline.spool.folder, self.reach)
        plain = pipeline.spool_watermark

        def spool_watermark(source: str, at: datetime) -> bool:
            self.reach("before_watermark")
            done = plain(source, at)
            self.reach("after_watermark")
            return done

        pipeline.spool_watermark = spool_watermark  # type: ignore[method-assign]
        MortalLedger.reach = staticmethod(self.reach)
        return pipeline

    def reach(self, step: str) -> None:
        """Stand still where the parent wants to kill."""
        if step == self._wanted:
            say(f"at {step}")
            while True:
                time.sleep(60)

    def round(self, at: datetime, step: str) -> None:
        """Crawl, watch, deliver; of these its parts."""
        self._wanted = step
        self._clock.advance(seconds=(at - self._clock.now()).total_seconds())
        configuration, folder, state, clock = self._configuration, self._folder, self._state, self._clock
        if "crawl" in self._parts:
            service.crawl_once(configuration, folder, clock, None, self._pipeline)
        if "watch" in self._parts:
            hooks: Any = {"post": self._post, "fault": self._watched}
            Watcher(configuration, self._store, state, clock, folder, **hooks).tick()
        if "deliver" in self._parts:
            Delivery(configuration, state, clock, notifiers(configuration), self.reach, worker="watch").tick()

    def _post(self, *message: Any) -> bool:
        """As the watcher's own, with a step while its transaction, with the message, is still open."""
        put = post_message(*message)
        self._composed = True
        self.reach("composed")
        return put

    def _watched(self, step: str) -> None:
        self.reach(step)
        if step == "after_commit" and self._composed:
            self.reach("after_composed")
            self._composed = False


def say(words: str) -> None:
    os.write(1, f"{words}\n".encode())


def live(configuration: Configuration, folder: Path, parts: Sequence[str], commands: Any) -> None:
    """A life: rounds until killed, or until the parent hangs up."""
    life = Life(configuration, folder, parts)
    for line in commands:
        _, at, step = line.decode().split()
        try:
            life.round(datetime.fromisoformat(at), step)
            say("done")
        except Exception:
            say("failed " + traceback.format_exc().replace("\n", "\t"))


def warm_up(configuration: Configuration) -> None:
    """Import what is imported late, so that it need not be in every life."""
    spiders()
    if configuration.store.engine == "elasticsearch":
        import_module("pipeline.store.elastic.store")
        import_module("psycopg")
    for package in ("scrapy.downloadermiddlewares", "scrapy.spidermiddlewares", "scrapy.extensions", "crawlers"):
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            with suppress(Exception):
                import_module(module.name)
    for name in (
        "scrapy.core.downloader.handlers.http11",
        "scrapy.squeues",
        "aiohttp.web",
        "py3langid.langid",
        "smtplib",
    ):
        import_module(name)


def main() -> None:

    configuration = Configuration.model_validate_json(Path(sys.argv[1]).read_bytes())
    service.Ledger = MortalLedger  # type: ignore[misc]
    logs.configure()
    warm_up(configuration)
    commands = open(0, "rb", buffering=0)  # noqa: SIM115  shared with the children: none may read ahead
    say("ready")
    for command in iter(commands.readline, b""):
        if command != b"live\n":
            continue  # a round whose child was killed before it had read so far
        child = os.fork()
        if child == 0:
            say(f"born {os.getpid()}")
            live(configuration, Path(sys.argv[2]), sys.argv[3:] or PARTS, commands)
            os._exit(0)
        os.waitpid(child, 0)
        say("dead")


if __name__ == "__main__":
    main()
