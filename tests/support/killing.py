"""The world around a process that is killed: forum, mail server, data folder, and what must hold after a death."""

from __future__ import annotations

import email
import email.policy
import os
import queue
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from aiosmtpd.controller import Controller
from pydantic import SecretStr

from pipeline.clock import ManualClock
from pipeline.configuration import Configuration, StateTable, StoreTable
from pipeline.identity import native_id, uid_of
from pipeline.mention import Mention
from pipeline.query.tree import EVERYTHING
from pipeline.spool import Spool, Waiting, _records
from pipeline.state.opening import open_state
from pipeline.state.tables import incident, journal, outbox, source, thread_cursor
from pipeline.store.opening import open_store
from pipeline.store.protocol import Store
from pipeline.words import OutboxState
from sturmwarte.demo.ports import free_port
from sturmwarte.demo.script import Post, Thread, World
from sturmwarte.demo.web import Sites, Web

START = datetime(2026, 11, 19, 8, tzinfo=UTC)
QUIET = timedelta(days=14)
PARTS = ("crawl", "watch", "deliver")
RECEIVERS = ("presse", "vorstand", "technik")
PATIENCE = 120.0
"""Seconds of the wall clock after which a silent child counts as hung."""


def written() -> World:
    """A forum: two quiet weeks, then a complaint every minute from START on, for a day. Every post names the brand."""
    chance = random.Random(11)
    threads = {n: Thread(n, f"Nordnetz, Thema {n}", 2) for n in range(1, 7)}
    posts: list[Post] = []

    def say(at: datetime, thread: int, text: str) -> None:
        number = 101 + len(posts)
        text = f"{text} Das ist Beitrag {number}, geschrieben am {at:%d.%m.} um {at:%H:%M} Uhr."
        posts.append(Post("forum", number, thread, f"person_{number}", at, text))

    at = START - QUIET
    while at < START:
        say(at, chance.randint(1, 3), "Nordnetz hat den Anschluss umgestellt, der Techniker war pünktlich da.")
        at += timedelta(hours=chance.uniform(3, 9))
        at = at.replace(second=0, microsecond=0)
    for minute in range(24 * 60):
        at = START + timedelta(minutes=minute)
        say(at, chance.randint(4, 6), "Nordnetz ist eine Frechheit, furchtbare Hotline, alles kaputt und gelogen.")
    return World(threads, tuple(posts))


class Forum(Sites):
    """The forum at a moment set by hand. Every third complaint is edited after four minutes."""

    def __init__(self) -> None:
        self.now = START
        super().__init__(written(), lambda: self.now, ZoneInfo("Europe/Berlin"))

    def shown(self) -> list[Post]:
        """All posts as they stand now."""
        return [
            replace(post, text=post.text + " Nachtrag: noch immer nichts.")
            if post.number % 3 == 0 and post.at >= START and self.now - post.at >= timedelta(minutes=4)
            else post
            for post in self._world.visible(self.now)
        ]

    def _said(self, place: str) -> list[Post]:
        return [post for post in self.shown() if post.place == place]


class MailServer:
    """Accepts every mail and keeps it, with its receiver, in memory."""

    def __init__(self) -> None:
        self.accepted: list[tuple[str, bytes]] = []
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, ready_timeout=60)
        self._controller.start()

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.accepted += [(receiver, envelope.content) for receiver in envelope.rcpt_tos]
        return "250 accepted"

    def ids(self) -> Counter[str]:
        """How often each Message-ID was accepted."""
        return Counter(message_id(content) for _, content in self.accepted)

    def close(self) -> None:
        self._controller.stop()


def message_id(content: bytes) -> str:
    return str(email.message_from_bytes(content, policy=email.policy.default)["Message-ID"])


class Mortal:
    """The process: born, given rounds, killed. See ``mortal.py``."""

    def __init__(self, configuration: Path, folder: Path, parts: Sequence[str] = (), state_url: str = "") -> None:
        script = Path(__file__).with_name("mortal.py")
        paths = os.pathsep.join((str(script.parent), str(script.parents[2])))
        environment = {**os.environ, "PYTHONPATH": paths, "TZ": "UTC", "SCRAPY_SETTINGS_MODULE": "crawlers.settings"}
        if state_url:
            environment["STURMWARTE_STATE_URL"] = state_url
        self._log = (folder.parent / f"mortal{'-'.join(['', *parts])}.log").open("wb")
        command = [sys.executable, str(script), str(configuration), str(folder), *parts]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env=environment
        )
        self._said: queue.Queue[str] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._child: int | None = None
        assert self.hear() == "ready"

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._said.put(line.decode().rstrip("\n"))

    def hear(self, seconds: float = PATIENCE) -> str | None:
        """The next thing it says; None after that long."""
        try:
            said = self._said.get(timeout=seconds)
        except queue.Empty:
            return None
        assert not said.startswith("failed"), said.replace("\t", "\n")
        return said

    def start(self, at: datetime, step: str = "-") -> None:
        """Begin a round at that time, in a new life if there is none."""
        if self._child is None:
            self._write("live")
            said = self.hear()
            assert said and said.startswith("born ")
            self._child = int(said.removeprefix("born "))
        self._write(f"round {at.isoformat()} {step}")

    def kill(self) -> None:
        """SIGKILL, now."""
        assert self._child is not None
        os.kill(self._child, signal.SIGKILL)
        while (said := self.hear()) != "dead":
            assert said is not None
        self._child = None

    def close(self) -> None:
        if self._child is not None:
            self.kill()
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._listener.join(60)
        self._process.stdout.close()
        self._log.close()

    def _write(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        self._process.stdin.flush()


class Trial:
    """Forum, mail server, data folder and process; time passes by ``pass_time`` alone.

    With a store on ``servers`` there is a process for each part, and the state is at ``state_url``.
    """

    def __init__(
        self,
        folder: Path,
        web: Web,
        forum: Forum,
        mails: MailServer,
        servers: StoreTable | None = None,
        state_url: str = "",
    ) -> None:
        self.folder, self.web, self.forum, self.mails = folder, web, forum, mails
        self._table, self._state = servers or StoreTable(), StateTable(url=SecretStr(state_url))
        self.origin = web.forum.removeprefix("http://")
        self.windows: set[str] = set()
        """Message-IDs that were accepted when the process died before it had written so."""
        self.deaths = 0
        configuration = folder.parent / "configuration.json"
        configuration.write_text(self._configuration().model_dump_json(), "utf-8")
        self._processes = ExitStack()
        self.mortals = {
            part: self._processes.enter_context(closing(Mortal(configuration, folder, (part,), state_url)))
            for part in (PARTS if servers else ())
        }
        if not servers:
            self.mortal = self._processes.enter_context(closing(Mortal(configuration, folder)))

    def close(self) -> None:
        """End the processes."""
        self._processes.close()

    def _configuration(self) -> Configuration:
        return Configuration.model_validate(
            {
                "contact": "betrieb@nordnetz.example",
                "zone": "Europe/Berlin",
                "brands": {"nordnetz": {"name": "Nordnetz"}},
                "sources": {
                    "forum": {"spider": "phpbb", "url": f"{self.web.forum}/viewforum.php?f=2", "backfill": "21d"}
                },
                "rules": {"anstieg": {"rule": "surge"}},
                "receivers": {name: {"address": f"{name}@nordnetz.example"} for name in RECEIVERS},
                "mail": {"server": "127.0.0.1", "port": self.mails.port, "security": "none"},
                "store": self._table.model_dump(),
                "crawl": {"delay": 0, "allow_private": ["127.0.0.1"]},
            }
        )

    # --- doing ------------------------------------------------------------------------------------------------

    def pass_time(self, minutes: float = 3) -> None:
        self.forum.now += timedelta(minutes=minutes)

    def round(self) -> None:
        """A whole round; of several processes each has its own, at the same time."""
        ours = list(self.mortals.values()) or [self.mortal]
        for one in ours:
            one.start(self.forum.now)
        for one in ours:
            assert one.hear() == "done"

    def die_at(self, step: str, rounds: int = 40) -> None:
        """Rounds until that step is reached; death there."""
        for _ in range(rounds):
            self.pass_time()
            self.mortal.start(self.forum.now, step)
            if self.mortal.hear() == f"at {step}":
                break
        else:
            raise AssertionError(f"{step} was never reached")
        self._die()

    def die_after(self, seconds: float) -> None:
        """A round that is cut off after that long; a round that is faster is followed by others."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.pass_time()
            self.mortal.start(self.forum.now)
            if self.mortal.hear(left) is None:
                break
        self._die()

    def part_dies_after(self, part: str, seconds: float) -> None:
        """Rounds of all processes, in which one of them is killed after that long; the others end theirs."""
        end = time.monotonic() + seconds
        victim, others = self.mortals[part], [one for name, one in self.mortals.items() if name != part]
        killed = False
        while not killed:
            self.pass_time()
            for one in self.mortals.values():
                one.start(self.forum.now)
            if victim.hear(max(end - time.monotonic(), 0.001)) is None:
                victim.kill()
                killed = True
            for one in others:
                assert one.hear() == "done"
        self.deaths += 1
        self.pass_time(1)
        self.check_books()

    def _die(self) -> None:
        self.mortal.kill()
        self.deaths += 1
        self.pass_time(1)
        self.check_books()

    @contextmanager
    def store_down(self) -> Iterator[None]:
        """The store takes nothing in this block."""
        flag = self.folder / "down"
        flag.touch()
        try:
            yield
        finally:
            flag.unlink()

    def finish(self) -> None:
        """Life goes on unharmed until everything is read and sent."""
        for minutes in (5, 5, 70):
            self.pass_time(minutes)
            self.round()
        self.round()

    # --- what must hold ---------------------------------------------------------------------------------------

    def uid(self, post: Post) -> str:
        native = native_id(f"{self.web.forum}/viewtopic.php?p={post.number}#p{post.number}")
        assert native is not None
        return uid_of(self.origin, native)

    def check_books(self) -> None:
        """Right after a death: what cursor and watermark say is read, is there."""
        with self._store() as store, self._rows() as rows:
            known = set(_all(store))
            waiting = self._waiting()
            posts = self.forum.shown()
            (row,) = rows(source) or [None]
            if row is not None and row.watermark is not None:
                missing = [post.number for post in posts if post.at < row.watermark and self.uid(post) not in known]
                assert missing == [], f"watermark {row.watermark} is ahead of the store"
            for mark in rows(thread_cursor):
                number, last = int(mark.thread.split()[-1].lstrip("t")), int(mark.last_item.lstrip("p"))
                read = {self.uid(post) for post in posts if post.thread == number and post.number <= last}
                assert read <= known | waiting, f"the mark of thread {number} is ahead of store and spool"
            unsent = {row.message_id for row in rows(outbox) if row.state != OutboxState.SENT}
        self.windows |= unsent & set(self.mails.ids())

    def check(self) -> None:
        """In the end: everything is there once, and everything was told once."""
        with self._store() as store, self._rows() as rows:
            self._check_mentions(store)
            self._check_messages(rows)
            assert len(rows(incident)) == 1
        assert Spool(self.folder / "spool").segments() == []
        assert not (self.folder / "spool" / "quarantine.ndjson").exists()

    def _check_mentions(self, store: Store) -> None:
        assert store.check() == []
        found, shown = _all(store), {self.uid(post): post for post in self.forum.shown()}
        assert set(found) == set(shown), "lost or invented"
        urls = Counter(mention.crawled.url for mention in found.values())
        assert max(urls.values()) == 1, "double"
        texts = {self.uid(post): post.text for post in self.forum._world.posts}
        for uid, mention in found.items():
            assert mention.crawled.text.removesuffix(" Nachtrag: noch immer nichts.") == texts[uid]
            _check_chain(store, mention)
        assert any(mention.revision > 1 for mention in found.values())

    def _check_messages(self, rows: Callable[[sa.Table], list[Any]]) -> None:
        letters = rows(outbox)
        keys = Counter((row.subject, row.number, row.receiver, row.notifier) for row in letters)
        assert len(letters) >= len(RECEIVERS) and max(keys.values()) == 1
        ids = {row.message_id for row in letters}
        assert len(ids) == len(letters), "one Message-ID for each key"
        assert {row.state for row in letters} == {OutboxState.SENT}
        counted = self.mails.ids()
        assert set(counted) == ids
        assert len(set(self.mails.accepted)) == len(letters), "the same Message-ID with other bytes, or to another"
        assert {one for one, times in counted.items() if times > 1} <= self.windows
        sent = Counter(row.message_id for row in rows(journal) if row.kind == "sent")
        assert set(sent) == ids and max(sent.values()) == 1
        for receiver in RECEIVERS:
            numbers = sorted(row.number for row in letters if row.receiver == receiver)
            assert numbers == list(range(1, len(numbers) + 1)), "a change of state was left out"

    def _waiting(self) -> set[str]:
        segments = Spool(self.folder / "spool").segments()
        return {record.mention.uid for path in segments for record in _records(path) if isinstance(record, Waiting)}

    @contextmanager
    def _store(self) -> Iterator[Store]:
        with closing(open_store(self.folder, self._table, clock=ManualClock(self.forum.now))) as store:
            store.refresh()
            yield store

    @contextmanager
    def _rows(self) -> Iterator[Callable[[sa.Table], list[Any]]]:
        with closing(open_state(self.folder, self._state)) as state, state.read() as connection:
            yield lambda table: list(connection.execute(sa.select(table)))


def _all(store: Store) -> dict[str, Mention]:
    found: list[Mention] = []
    after: str | None = None
    while True:
        page = store.search(EVERYTHING, limit=500, after=after)
        found += page.mentions
        after = page.after
        if after is None:
            break
    assert len({mention.uid for mention in found}) == len(found)
    return {mention.uid: mention for mention in found}


def _check_chain(store: Store, mention: Mention) -> None:
    """Revisions 1, 2, … without gap or overlap in time, no two alike, the last the current one."""
    chain = store.history(mention.uid)
    assert [one.mention.revision for one in chain] == list(range(1, len(chain) + 1))
    assert chain[-1].mention == mention and chain[-1].known_to is None
    for old, new in pairwise(chain):
        assert old.known_to == new.known_from and old.known_from <= new.known_from
        assert old.mention.crawled != new.mention.crawled or old.mention.sources != new.mention.sources


@contextmanager
def trial(folder: Path, servers: StoreTable | None = None, state_url: str = "") -> Iterator[Trial]:
    """A trial in ``folder``, at START, with the quiet weeks not yet read."""
    data = folder / "data"
    data.mkdir()
    with ExitStack() as resources:
        forum = Forum()
        web = resources.enter_context(closing(Web(forum)))
        mails = resources.enter_context(closing(MailServer()))
        yield resources.enter_context(closing(Trial(data, web, forum, mails, servers, state_url)))
