"""One of several processes on one state database: ``python hands.py watch|send WORKER FOLDER URL [STEP]``.

What it does is written to tables of the same database, each line for itself, so that the test can read it however the
process ends: ``busy`` (brand, worker) while it evaluates, ``overlap`` where it found somebody else at it, ``looked``
(brand, worker) per evaluation, ``posted`` (message, bytes, worker) per message that the mail server accepted.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import psycopg

from alerts.delivery import Delivery
from alerts.turns import Share
from alerts.watcher import Watcher
from pipeline.clock import SystemClock
from pipeline.configuration import Configuration, Receiver, StateTable
from pipeline.state.database import State
from pipeline.state.opening import open_state
from pipeline.state.workers import worker_name
from pipeline.store.sqlite.store import SqliteStore

BRANDS = ("asar", "borea", "cirrus", "drift", "eira", "fern")
SPAN = timedelta(seconds=15)
CONFIGURATION = Configuration.model_validate(
    {
        "brands": {name: {"name": name.title()} for name in BRANDS},
        "sources": {"forum": {"spider": "feed", "url": "https://forum.example/"}},
        "rules": {"surge": {"rule": "surge"}},
        "receivers": {name: {"address": f"{name}@example.org"} for name in ("pr", "boss", "ops")},
    }
)
TABLES = (
    "CREATE TABLE busy (brand text PRIMARY KEY, worker text NOT NULL)",
    "CREATE TABLE overlap (brand text NOT NULL, worker text NOT NULL, other text NOT NULL)",
    "CREATE TABLE looked (id bigserial PRIMARY KEY, brand text NOT NULL, worker text NOT NULL)",
    "CREATE TABLE posted (id bigserial PRIMARY KEY, message bytea NOT NULL, worker text NOT NULL)",
)


class Notes:
    """Lines in the database, each committed at once."""

    def __init__(self, url: str, worker: str) -> None:
        self.connection, self.worker = psycopg.connect(url, autocommit=True), worker

    def enter(self, brand: str) -> None:
        done = self.connection.execute(
            "INSERT INTO busy VALUES (%s, %s) ON CONFLICT DO NOTHING", (brand, self.worker)
        ).rowcount
        if not done:
            self.connection.execute(
                "INSERT INTO overlap SELECT brand, %s, worker FROM busy WHERE brand = %s", (self.worker, brand)
            )
        self.connection.execute("INSERT INTO looked (brand, worker) VALUES (%s, %s)", (brand, self.worker))

    def leave(self, brand: str) -> None:
        self.connection.execute("DELETE FROM busy WHERE brand = %s AND worker = %s", (brand, self.worker))


class NotedShare(Share):
    """A share that notes which brand is being evaluated, from its turn to the next."""

    def __init__(self, state: State, worker: str, notes: Notes) -> None:
        super().__init__(state, SystemClock(), worker, SPAN)
        self._notes, self._at = notes, ""

    def done(self) -> None:
        if self._at:
            self._notes.leave(self._at)
            self._at = ""

    def take(self, brands: Sequence[str]) -> Sequence[str]:
        self.done()
        return super().take(brands)

    def keep(self, brand: str) -> bool:
        self.done()
        mine = super().keep(brand)
        if mine:
            self._at = brand
            self._notes.enter(brand)
        return mine


class NotedMail:
    """A mail server that notes what it accepted."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    def send(self, payload: bytes, receiver: Receiver) -> None:
        self._notes.connection.execute(
            "INSERT INTO posted (message, worker) VALUES (%s, %s)", (payload, self._notes.worker)
        )


def watch(worker: str, folder: Path, state: State, notes: Notes) -> None:
    """Look at what is ours, for ever."""
    clock = SystemClock()
    store = SqliteStore(folder / "mentions.db", clock=clock)
    turns = NotedShare(state, worker, notes)
    while True:
        Watcher(CONFIGURATION, store, state, clock, folder, turns=turns).tick()
        turns.done()
        time.sleep(0.2)


def send(worker: str, state: State, notes: Notes, step: str) -> None:
    """Deliver until nothing is due; die at once where ``step`` says."""

    def fault(point: str) -> None:
        if point == step:
            os.kill(os.getpid(), signal.SIGKILL)

    delivery = Delivery(CONFIGURATION, state, SystemClock(), {"email": NotedMail(notes)}, fault, worker=worker)
    while delivery.tick():
        pass


def main(role: str, worker: str, folder: Path, url: str, step: str = "") -> None:
    worker = worker or worker_name()
    notes = Notes(url, worker)
    state = open_state(folder, StateTable(url=url))
    os.write(1, b"ready\n")
    sys.stdin.readline()
    if role == "watch":
        watch(worker, folder, state, notes)
    else:
        send(worker, state, notes, step)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), *sys.argv[4:])
