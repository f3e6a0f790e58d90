"""A storm over the loop of the watch process, a mail server and the pipeline, in which servers may be killed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from killing import MailServer
from outages import SOURCE, Home, Talk
from sqlalchemy.exc import OperationalError

from alerts.incidents import members
from pipeline.clock import ManualClock
from pipeline.item import Published
from pipeline.query.tree import EVERYTHING
from pipeline.state.tables import incident, outbox
from pipeline.store.protocol import StoreError
from pipeline.words import OutboxState, Precision, ToneLabel
from sturmwarte import watch

START = datetime(2026, 11, 19, 8, tzinfo=UTC)
QUIET = timedelta(days=14)
RECEIVERS = ("presse", "vorstand", "technik")
PATIENCE = 300.0


class StormClock(ManualClock):
    """Stands still until told otherwise; whoever looks now and then by it looks often."""

    def real(self, seconds: float) -> float:
        return seconds / 50


class Storm:
    """Fourteen quiet days, then complaints; ``mend`` starts again what was killed, in the thread of the test."""

    def __init__(
        self,
        home: Home,
        clock: StormClock,
        mails: MailServer,
        monkeypatch: pytest.MonkeyPatch,
        mend: Callable[[], None],
    ) -> None:
        self.home, self.clock, self.mails, self._mend = home, clock, mails, mend
        self.talk = Talk(1, clock)
        self.refused: list[Exception] = []
        """What the pipeline raised and was given again."""
        self._looks: list[datetime] = []
        self._stop = threading.Event()
        plain = watch.look

        def look(*arguments: Any, **named: Any) -> None:
            began = clock.now()
            plain(*arguments, **named)
            self._looks.append(began)

        monkeypatch.setattr(watch, "look", look)
        load = lambda: home.configuration  # noqa: E731
        self._watcher = threading.Thread(target=watch.watch_forever, args=(load, home.folder, clock, self._stop))

    def begin(self) -> None:
        """Two quiet weeks are read as a new source is, and learnt from."""
        now = self.clock.now()
        step = QUIET / 168
        past = [
            self.talk.item(
                now, bad=number % 3 == 0, first_contact=True,
                published=Published(at=now - step * (number + 1), precision=Precision.SECOND),
            )
            for number in range(168)
        ]  # fmt: skip
        self.home.pipeline.feed(past)
        self.home.source(now - QUIET)
        self._watcher.start()
        self.settle()

    def step(self, minutes: float, posts: int) -> None:
        """So much time passes, so many complain, all is read, judged and sent."""
        before = self.clock.now()
        self.clock.advance(minutes=minutes)
        now, mark = self.clock.now(), self._insist(self.home.watermark)
        said = [
            self.talk.item(
                now, watermark=mark,
                published=Published(at=before + (now - before) * n / posts, precision=Precision.SECOND),
            )
            for n in range(posts)
        ]  # fmt: skip
        self.home.promised[now] = len(self.talk.uids)
        self._insist(lambda: self.home.pipeline.feed(said))
        self._insist(self._drained)
        self._insist(lambda: self.home.pipeline.spool_watermark(SOURCE, now))
        self.settle()

    def settle(self) -> None:
        """Until the watcher has looked at this moment and what is due is sent."""
        self._until(lambda: self._looks.count(self.clock.now()) >= 2, "two looks")
        self._until(lambda: {row.state for row in self.rows(outbox)} <= {OutboxState.SENT}, "the mails to be sent")

    def rows(self, table: sa.Table) -> list[Any]:
        with self.home.state.read() as connection:
            return list(connection.execute(sa.select(table)))

    def check(self) -> str:
        """One incident with all who complained, each change told once to each receiver; returns what was told."""
        self.home.check(self.talk)
        (one,) = self.rows(incident)
        letters = self.rows(outbox)
        assert {row.subject for row in letters} == {f"incident:{one.id}"}
        ids = [row.message_id for row in letters]
        assert len(set(ids)) == len(ids), "one Message-ID for each change and receiver"
        assert self.mails.ids() == Counter(ids), "every mail arrives once"
        assert Counter(receiver for receiver, _ in self.mails.accepted) == Counter(
            f"{row.receiver}@nordnetz.example" for row in letters
        )
        for receiver in RECEIVERS:
            told = sorted(row.number for row in letters if row.receiver == receiver)
            assert len(told) > 1 and told == list(range(1, len(told) + 1)), "a change of state was left out"
        with self.home.state.read() as connection:
            belong = members(connection, one.id)
        storm = [
            m
            for m in self.home.store.scan(EVERYTHING, start=START)
            if m.analysis.opinions[0].tone is ToneLabel.NEGATIVE
        ]
        assert belong >= {m.uid for m in storm if m.analysis.opinions[0].counted}
        kinds = [row.kind for row in sorted(letters, key=lambda row: row.number) if row.receiver == RECEIVERS[0]]
        return f"{len(letters)} mails ({', '.join(kinds)} to each of {len(RECEIVERS)}), incident of {len(belong)} posts"

    def close(self) -> None:
        self._stop.set()
        self._watcher.join()

    def _drained(self) -> bool:
        self.home.pipeline.drain()
        if self.home.pipeline.spool.segments():
            raise StoreError("the store is away")
        return True

    def _insist(self, work: Callable[[], Any]) -> Any:
        """As a crawler that comes again."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return work()
            except (StoreError, OSError, OperationalError) as error:
                assert time.monotonic() < end, f"waited in vain: {error}"
                self.refused.append(error)
            self._mend()
            time.sleep(0.2)

    def _until(self, reached: Callable[[], bool], what: str) -> None:
        def done() -> bool:
            assert self._watcher.is_alive()
            if not reached():
                raise StoreError(f"not yet: {what}")
            return True

        known = len(self.refused)
        self._insist(done)
        self.refused = self.refused[:known]


def told(mails: MailServer) -> dict[str, Any]:
    """What a configuration says of receivers, mail and rules."""
    return {
        "rules": {"anstieg": {"rule": "surge"}},
        "receivers": {name: {"address": f"{name}@nordnetz.example"} for name in RECEIVERS},
        "mail": {"server": "127.0.0.1", "port": mails.port, "security": "none"},
    }
