"""Connections to the file: one writer at a time, a pool of readers, a time limit, errors people can act on."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.store.protocol import QueryTimeout, StoreError
from pipeline.store.sqlite.functions import register
from pipeline.wal import write_ahead

BUSY_MS = 30_000
CACHE_KIB = 64 * 1024
STEPS_BETWEEN_LOOKS = 5_000


class Connections:
    """All connections of one process to one file. ``sqlite`` is the module to use: sqlite3 or pysqlite3."""

    def __init__(self, path: Path, *, sqlite: Any = sqlite3, read_only: bool = False, limit: float = 10.0) -> None:
        self.path, self.sqlite, self.read_only, self.limit = path, sqlite, read_only, limit
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._pool_lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._closed = False

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that holds the file's write lock from its start; rolled back on an exception."""
        if self.read_only:
            raise StoreError(f"{self.path} was opened for reading only")
        with self._lock, self._explained():
            connection = self._writer = self._writer or self._open_writer()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def alone(self) -> Iterator[sqlite3.Connection]:
        """The writing connection outside any transaction, for what SQLite allows only so."""
        with self._lock, self._explained():
            self._writer = self._writer or self._open_writer()
            yield self._writer

    @contextmanager
    def reading(self, *, limited: bool = True) -> Iterator[sqlite3.Connection]:
        """A connection that cannot write, seeing one consistent state of the file."""
        with self._explained():
            connection = self._borrow()
            try:
                deadline = time.monotonic() + self.limit
                look = (lambda: time.monotonic() > deadline) if limited else None
                connection.set_progress_handler(look, STEPS_BETWEEN_LOOKS)
                connection.execute("BEGIN")
                yield connection
            finally:
                self._give_back(connection)

    def close(self) -> None:
        """Close everything that is not in use; what is in use closes when it is given back."""
        with self._lock, self._pool_lock:
            self._closed = True
            for connection in self._idle:
                connection.close()
            self._idle.clear()
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def _borrow(self) -> sqlite3.Connection:
        with self._pool_lock:
            if self._closed:
                raise StoreError(f"the mention store {self.path} is closed")
            if self._idle:
                return self._idle.pop()
        return self._open_reader()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(None, 0)
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        with self._pool_lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()

    def _open_reader(self) -> sqlite3.Connection:
        return self._prepared(f"{self.path.absolute().as_uri()}?mode=ro")

    def _open_writer(self) -> sqlite3.Connection:
        if self._closed:
            raise StoreError(f"the mention store {self.path} is closed")
        connection = self._prepared(f"{self.path.absolute().as_uri()}?mode=rwc")
        try:
            write_ahead(connection.execute, self.sqlite.OperationalError, BUSY_MS / 1000)
            connection.execute("PRAGMA synchronous=FULL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepared(self, uri: str) -> sqlite3.Connection:
        connection: sqlite3.Connection = self.sqlite.connect(
            uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_MS / 1000, cached_statements=256
        )
        connection.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        register(connection)
        return connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except self.sqlite.Error as error:
            raise explain(error, self.path, self.limit) from error


def explain(error: Exception, path: Path, limit: float) -> StoreError:
    """A sentence that says what is wrong and what to do."""
    text = str(error).lower()
    if "interrupted" in text:
        return QueryTimeout(f"the search took longer than {limit:g} s: narrow its time range or add a word")
    advice = {
        "locked": f"another process has held {path} for more than {BUSY_MS // 1000} s: see what is writing to it",
        "full": f"the disk that holds {path} is full: free some space; nothing of this batch was stored",
        "malformed": f"{path} is damaged: restore the last backup with `sturmwarte restore`",
        "not a database": f"{path} is no mention store",
        "unable to open": f"{path} cannot be opened: check that the folder exists and may be read and written",
        "readonly": f"{path} may not be written: check the rights of the file and its folder",
        "disk i/o": f"the disk that holds {path} reports an error: {error}",
    }
    for word, sentence in advice.items():
        if word in text:
            return StoreError(sentence)
    return StoreError(f"the mention store {path} failed: {error}")
