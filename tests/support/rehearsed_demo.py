"""The demonstration driven step by step: its own web, spiders, watcher and mail, under a clock that can be put forward.

No process, no waiting: an hour of demonstration time costs about ten seconds, most of it computing.
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from clocks import RunningClock

from alerts.delivery import Delivery
from alerts.notifiers.registry import build as notifiers
from alerts.watcher import Watcher
from crawlers.ledger import VisitReport
from crawlers.service import build, crawl_once
from pipeline.configuration import Configuration
from pipeline.state.opening import open_state
from pipeline.state.sources import SourceRow, list_sources
from pipeline.toml import load
from sturmwarte.demo.run import Stage, look_back, morning, stage
from sturmwarte.registry import build_registry

START = morning(datetime(2026, 11, 20, 12, tzinfo=UTC))
FACTOR = 30.0
"""The politeness of the spiders costs a thirtieth of what it says. With more haste the storm would go by while a slow
machine computes."""


class Demonstration:
    """One demonstration. Nothing happens in it but by ``look_back`` and ``watch``."""

    def __init__(self, scene: Stage, clock: RunningClock, resources: ExitStack) -> None:
        self.scene, self.clock = scene, clock
        self.configuration: Configuration = load(scene.toml, build_registry())
        self.folder = self.configuration.data
        self.state = resources.enter_context(closing(open_state(self.folder)))
        self.pipeline = resources.enter_context(closing(build(self.configuration, self.state, self.folder, clock)))
        self.store = self.pipeline.store
        self.looked_at = clock.now()

    def look_back(self) -> None:
        """The two quiet weeks."""
        look_back(self.scene)

    def step(self, minutes: float = 4) -> list[VisitReport]:
        """Some minutes pass; then what is due is crawled, the rules look, and what is due is sent."""
        self.clock.advance(minutes=minutes)
        visits = crawl_once(self.configuration, self.folder, self.clock, self._due(), self.pipeline)
        self.look()
        return visits

    def _due(self) -> list[str]:
        return [row.id for row in self.sources() if row.next_due <= self.clock.now()]

    def look(self) -> None:
        """Rules and mail, at one moment."""
        instant = RunningClock(self.clock.now(), factor=1e-9)
        self.looked_at = instant.now()
        Watcher(self.configuration, self.store, self.state, instant, self.folder).tick()
        Delivery(self.configuration, self.state, instant, notifiers(self.configuration), worker="test").tick()

    def until(self, after_start: timedelta, minutes: float = 4) -> None:
        """Steps of some minutes up to that long after the start."""
        while self.clock.now() < self.scene.start + after_start:
            self.step(minutes)

    def mentions(self) -> int:
        return int(self.store.statistics()["mentions"])

    def rows(self, table: sa.Table) -> list[sa.Row[Any]]:
        """Everything in a table of the state database."""
        with self.state.read() as connection:
            return list(connection.execute(sa.select(table)))

    def sources(self) -> list[SourceRow]:
        """How every source stands."""
        with self.state.read() as connection:
            return list_sources(connection)

    def mails(self) -> list[EmailMessage]:
        """The mailbox, oldest first."""
        files = sorted(self.scene.folder.glob("mailbox/new/*"), key=_number)
        return [_read(file) for file in files]


def _number(file: Path) -> int:
    """How many mails came before it: a Maildir counts them in their names (``1795340017.M118722P7046Q2.host``)."""
    return int(file.name.split(".")[1].rpartition("Q")[2])


def _read(file: Path) -> EmailMessage:
    message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


@contextmanager
def demonstration(folder: Path, *, storm: bool = True) -> Iterator[Demonstration]:
    """A demonstration whose time runs fast and can be put forward."""
    with ExitStack() as resources:
        scene = resources.enter_context(stage(folder, start=START, storm=storm))
        clock = RunningClock(START, FACTOR)
        scene.clock = clock
        yield Demonstration(scene, clock, resources)
