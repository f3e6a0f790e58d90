"""Three nodes that are killed while a source goes on talking: the cluster, the source, what must hold in the end."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from elastic import Node
from elasticsearch import Elasticsearch
from servers import wait_for

from pipeline.build import build_pipeline
from pipeline.clock import Clock
from pipeline.configuration import Configuration, StateTable
from pipeline.erasure import erased_in
from pipeline.identity import uid_of
from pipeline.item import Item, Published
from pipeline.mention import Mention
from pipeline.query.tree import EVERYTHING
from pipeline.run import Fed
from pipeline.spool import Spool
from pipeline.state.opening import open_state
from pipeline.state.tables import source
from pipeline.store.opening import open_store
from pipeline.store.protocol import Store, Written
from pipeline.words import Channel, Kind, Precision, Reading

BRAND, SOURCE, ORIGIN = "nordnetz", "forum", "forum.example"
PATIENCE = 300.0
"""Seconds that a cluster may take to come up or to be green again on a machine that does other things."""
_FIRST = ("ber", "dol", "fen", "gar", "hul", "kam", "lin", "mor", "nes", "pil", "rod", "sun", "tal")
_SECOND = ("an", "ek", "im", "os", "ut", "ard", "eld", "ing", "orn", "uft", "aspe", "ikel", "onde")
_WORDS = [first + second for first in _FIRST for second in _SECOND]


class Cluster:
    """Three nodes. Nodes end with the thread that starts them: start them in the one of the test."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self.nodes = nodes
        self.dead: list[Node] = []

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(node.url for node in self.nodes)

    @contextmanager
    def client(self) -> Iterator[Elasticsearch]:
        """To look from outside, at a node that lives."""
        with next(node for node in self.nodes if node not in self.dead).client() as client:
            yield client

    def kill_master(self) -> Node:
        """``kill -9`` of the elected master; returns it."""
        with self.client() as client:
            (row,) = client.cat.master(format="json").body
        master = next(node for node in self.nodes if node.folder.name == row["node"])
        self.dead.append(master)
        master.kill()
        return master

    def kill(self) -> None:
        """``kill -9`` of all."""
        for node in self.nodes:
            if node not in self.dead:
                node.kill()
        self.dead = list(self.nodes)

    def start(self) -> None:
        """Start what is dead; it is not waited for."""
        for node in self.dead:
            node.start()
        self.dead = []

    def heal(self) -> None:
        """All three are up, and every index has its copies."""
        self.start()
        for node in self.nodes:
            node.ready(len(self.nodes), PATIENCE)
        with self.client() as client:
            wait_for(lambda: client.cluster.health()["status"] == "green", "a green cluster", PATIENCE)


class Talk:
    """A source that says so many things a second; ``read`` gives what has been said since."""

    def __init__(self, rate: float, clock: Clock, *, name: str = SOURCE, seed: int = 1) -> None:
        self.rate, self._clock, self._name, self._chance = rate, clock, name, random.Random(seed)
        self.uids: list[str] = []
        """In the order they were said."""
        self._begin, self._before = time.monotonic(), 0

    def pause(self) -> None:
        """Nothing was said up to now but what was read."""
        self._begin, self._before = time.monotonic(), len(self.uids)

    def read(self) -> list[Item]:
        """What has been said since the last time; it is read once a second."""
        while (due := self._before + int((time.monotonic() - self._begin) * self.rate)) < len(self.uids) + self.rate:
            time.sleep(0.05)
        at = self._clock.now()
        return [self.item(at) for _ in range(due - len(self.uids))]

    def item(self, at: datetime, *, bad: bool = True, **over: Any) -> Item:
        """One more thing that somebody else says about the brand."""
        number = len(self.uids) + 1
        words = " ".join(self._chance.choice(_WORDS) for _ in range(24))
        said = "ist eine Frechheit, furchtbare Hotline, alles kaputt" if bad else "hat den Anschluss umgestellt"
        native = f"/ p{number}"
        self.uids.append(uid_of(ORIGIN, native))
        facts: dict[str, Any] = {
            "source": self._name, "platform": "phpbb", "channel": Channel.FORUM, "kind": Kind.POST,
            "reading": Reading.FULL, "origin": ORIGIN, "native_id": native, "fetched": at,
            "url": f"https://{ORIGIN}/p{number}", "text": f"Nordnetz {said}: {words}.", "author": f"person {number}",
            "published": Published(at=at, precision=Precision.SECOND), "thread": f"/ t{number % 50}",
        }  # fmt: skip
        return Item(**{**facts, **over})


class Noted:
    """A store that notes what it has taken, in order; ``begin`` is called before each write."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.taken: dict[str, None] = {}
        self.begin: Callable[[], None] = lambda: None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def write(self, mentions: Sequence[Mention]) -> Written:
        self.begin()
        written = self.store.write(mentions)
        self.taken.update(dict.fromkeys(mention.uid for mention in mentions))
        return written


@dataclass
class Home:
    """The real pipeline of a data folder, whose store is on the cluster, and one source in its state database."""

    configuration: Configuration
    folder: Path
    clock: Clock
    marks: list[tuple[datetime, int]] = field(default_factory=list)
    """(watermark, how many mentions the store had taken by then) each time it was set."""
    promised: dict[datetime, int] = field(default_factory=dict)
    """Watermark → how many mentions it promises."""

    def open(self) -> None:
        self.state = open_state(self.folder, self.configuration.state)
        table, erased = self.configuration.store, erased_in(self.state)
        self.store = Noted(open_store(self.folder, table, clock=self.clock, erased=erased))
        store: Any = self.store
        self.pipeline = build_pipeline(self.configuration, store, self.state, folder=self.folder, clock=self.clock)
        plain = self.pipeline._set_watermark

        def noted(name: str, at: datetime) -> None:
            plain(name, at)
            self.marks.append((self.watermark(), len(self.store.taken)))

        self.pipeline._set_watermark = noted

    def close(self) -> None:
        self.pipeline.close()
        self.state.close()

    def source(self, complete_from: datetime) -> None:
        """There is a source, read from then on up to now."""
        now = self.clock.now()
        row = {
            "id": SOURCE, "spider": "feed", "url": f"https://{ORIGIN}/", "channel": str(Channel.FORUM),
            "state": "healthy", "reason": "", "state_since": complete_from, "complete_from": complete_from,
            "watermark": now, "next_due": now, "interval_s": 300.0, "cursor": {},
        }  # fmt: skip
        with self.state.begin() as connection:
            connection.execute(sa.insert(source).values(**row))

    def watermark(self) -> datetime:
        """How far the source is known to be read."""
        with self.state.read() as connection:
            found: datetime = connection.execute(sa.select(source.c.watermark)).scalar_one()
        return found

    def visit(self, talk: Talk) -> tuple[Fed, bool]:
        """One visit: what was said is fed, then the watermark; what became of both."""
        began = self.clock.now()
        fed = self.pipeline.feed(talk.read())
        self.promised[began] = len(talk.uids)
        return fed, self.pipeline.spool_watermark(SOURCE, began)

    def waiting(self) -> list[str]:
        """What is in the spool, as whoever opens it after a death of this process finds it."""
        return [mention.uid for mention in Spool(self.folder / "spool").waiting()]

    def drain(self) -> None:
        """As the crawl does now and then, until nothing waits."""
        wait_for(lambda: self.pipeline.drain() >= 0 and not self.pipeline.spool.segments(), "an empty spool", PATIENCE)

    def check(self, talk: Talk) -> None:
        """Everything that was said is there, once, and nothing else; no watermark came before what it promises."""
        assert [at for at, taken in self.marks if taken < self.promised[at]] == []
        assert self.pipeline.spool.sizes() == (0, 0)
        with closing(open_store(self.folder, self.configuration.store, clock=self.clock)) as fresh:
            fresh.refresh()
            found = [mention.uid for mention in fresh.scan(EVERYTHING)]
            assert len(found) == len(set(found)), "double"
            assert set(found) == set(talk.uids), "lost or invented"
            assert fresh.count(EVERYTHING)[0] == len(talk.uids)
            assert fresh.check() == []


@contextmanager
def home(folder: Path, configuration: Configuration, clock: Clock) -> Iterator[Home]:
    """An open one."""
    made = Home(configuration, folder, clock)
    made.open()
    with closing(made):
        yield made


def configured(cluster: Cluster, prefix: str, state: StateTable | None = None, **over: Any) -> Configuration:
    """Three nodes, one copy beside the first, and otherwise what a configuration says by itself."""
    return Configuration.model_validate(
        {
            "contact": "betrieb@nordnetz.example",
            "brands": {BRAND: {"name": "Nordnetz"}},
            "sources": {SOURCE: {"spider": "feed", "url": f"https://{ORIGIN}/"}},
            "store": {"engine": "elasticsearch", "urls": cluster.urls, "prefix": prefix, "replicas": 1},
            "state": state or StateTable(),
            **over,
        }
    )


class Asking:
    """A thread that puts the questions of the pages, one after the other, and notes what fails."""

    def __init__(self, configuration: Configuration, folder: Path, clock: Clock) -> None:
        self.answered, self.slowest, self.failed = 0, 0.0, list[str]()
        self._store = open_store(folder, configuration.store, clock=clock, read_only=True)
        self._clock, self._stop = clock, threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        store = self._store
        questions: list[Callable[[datetime], object]] = [
            lambda now: store.search(EVERYTHING, limit=20),
            lambda now: store.count(EVERYTHING),
            lambda now: store.series(BRAND, now - timedelta(hours=2), now),
            lambda now: store.facets(EVERYTHING, "source"),
            lambda now: store.search(EVERYTHING, start=now - timedelta(hours=1), end=now, limit=5),
        ]
        while not self._stop.is_set():
            for question in questions:
                begun = time.monotonic()
                try:
                    question(self._clock.now())
                    self.answered += 1
                except Exception as error:
                    self.failed.append(repr(error))
                self.slowest = max(self.slowest, time.monotonic() - begun)

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
        self._store.close()


def now() -> datetime:
    """The machine's time."""
    return datetime.now(UTC)
