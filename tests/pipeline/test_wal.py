"""Processes that open a new data folder at the same moment wait for each other."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pipeline.clock import SystemClock
from pipeline.state.database import State, sqlite_url
from pipeline.store.sqlite.store import SqliteStore
from pipeline.wal import write_ahead


@contextmanager
def switching(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that is about to write the first page of the file."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def opens_store(path: Path) -> None:
    SqliteStore(path, clock=SystemClock()).close()


def opens_state(path: Path) -> None:
    with closing(State(sqlite_url(path.parent))) as state, state.read() as connection:
        connection.exec_driver_sql("SELECT 1")


@pytest.mark.parametrize(("name", "opens"), [("mentions.db", opens_store), ("state.db", opens_state)])
def test_who_finds_the_file_taken_waits(tmp_path: Path, name: str, opens: Callable[[Path], None]) -> None:
    path = tmp_path / name
    with switching(path) as other:
        later = threading.Timer(0.5, lambda: other.execute("ROLLBACK"))
        later.start()
        opens(path)
        later.join()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_refusal_at_once_is_tried_again() -> None:
    answers: list[Exception | None] = [sqlite3.OperationalError("database is locked")] * 3 + [None]
    asked = []

    def execute(statement: str) -> None:
        asked.append(statement)
        if refused := answers.pop(0):
            raise refused

    write_ahead(execute, sqlite3.OperationalError, patience=60)
    assert asked == ["PRAGMA journal_mode=WAL"] * 4


def test_patience_ends_and_other_errors_are_told_at_once() -> None:
    def locked(_: str) -> None:
        raise sqlite3.OperationalError("database is locked")

    def full(_: str) -> None:
        tries.append(1)
        raise sqlite3.OperationalError("disk I/O error")

    tries: list[int] = []
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        write_ahead(locked, sqlite3.OperationalError, patience=0)
    with pytest.raises(sqlite3.OperationalError, match="disk"):
        write_ahead(full, sqlite3.OperationalError, patience=60)
    assert tries == [1]
