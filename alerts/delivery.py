"""Delivery: what is due in the outbox goes out, each try journalled before and after. The last step of the flow.

At least once: only a death between the server's acceptance (``after_send``) and our commit (``after_mark``) repeats a
message, and then the same bytes under the same Message-ID.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Literal

import structlog

from alerts import outbox
from alerts.notifiers import Notifier, PermanentFailure, TemporaryFailure
from alerts.outbox import Letter
from pipeline.clock import Clock
from pipeline.configuration import Configuration
from pipeline.state.database import State

Point = Literal["claimed", "before_send", "after_send", "after_mark"]
_AT_ONCE = 100
"""Most messages of one tick, so that a tick ends."""


def no_fault(point: Point) -> None:
    """Nothing goes wrong. Tests put a function here that does."""


class Delivery:
    """One worker of the outbox. A ``worker`` name that outlives a restart gets back at once what it had in hand."""

    def __init__(
        self,
        configuration: Configuration,
        state: State,
        clock: Clock,
        notifiers: Mapping[str, Notifier],
        fault: Callable[[Point], None] = no_fault,
        *,
        worker: str | None = None,
    ) -> None:
        self.configuration, self.state, self.clock, self.notifiers = configuration, state, clock, notifiers
        self._fault = fault
        self._worker = worker or f"{socket.gethostname()}:{os.getpid()}"
        self._log = structlog.get_logger(component="delivery")
        if worker:
            with state.begin() as conn:
                outbox.reclaim(conn, worker)

    def tick(self) -> int:
        """Try everything due once, in order; returns how many messages were accepted."""
        down: set[str] = set()
        accepted = 0
        for _ in range(_AT_ONCE):
            letter = self._claim(down)
            if letter is None:
                break
            accepted += self._deliver(letter, down)
        return accepted

    def _claim(self, down: set[str]) -> Letter | None:
        """One at a time, so that the lease covers just the one in hand. It is long in real time, whatever the clock."""
        lease = timedelta(seconds=outbox.LEASE.total_seconds() / self.clock.real(1))
        with self.state.begin(by_rows=True) as conn:
            letters = outbox.claim(conn, self.clock.now(), self._worker, limit=1, lease=lease, without=down)
        if not letters:
            return None
        self._fault("claimed")
        return letters[0]

    def _deliver(self, letter: Letter, down: set[str]) -> bool:
        try:
            self._fault("before_send")
            self._send(letter)
        except TemporaryFailure as failure:
            if failure.everyone:
                down.add(letter.notifier)
            self._failed(letter, str(failure), temporary=True)
            return False
        except PermanentFailure as failure:
            self._failed(letter, str(failure), temporary=False)
            return False
        self._fault("after_send")
        with self.state.begin(by_rows=True) as conn:
            outbox.mark_sent(conn, letter, self.clock.now())
        self._fault("after_mark")
        return True

    def _send(self, letter: Letter) -> None:
        """Hand over. A receiver or a way that is no longer configured is a permanent failure with a name."""
        receiver = self.configuration.receivers.get(letter.receiver)
        if receiver is None:
            raise PermanentFailure(f"receiver {letter.receiver!r} is no longer in the configuration")
        notifier = self.notifiers.get(letter.notifier)
        if notifier is None:
            raise PermanentFailure(f"notifier {letter.notifier!r} is not there")
        notifier.send(letter.payload, receiver)

    def _failed(self, letter: Letter, error: str, *, temporary: bool) -> None:
        with self.state.begin(by_rows=True) as conn:
            outbox.mark_failed(conn, letter, self.clock.now(), error, temporary=temporary)
        self._log.warning("not sent", message=letter.message_id, receiver=letter.receiver, error=error, again=temporary)
