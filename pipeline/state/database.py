"""Opening the state database and its transactions."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from pipeline.wal import write_ahead

LOCK_TIMEOUT = 30
"""Seconds a writer waits for another, on either engine."""
_WRITERS = 0x53_74_75_72_6D
"""Key of PostgreSQL's advisory lock that lets one writer in at a time."""


class State:
    """The state database behind an SQLAlchemy URL. Safe to use from several threads and processes."""

    def __init__(self, url: str | sa.URL) -> None:
        # what was to be written stays out of error messages, and so out of logs and reasons: it quotes people
        address = sa.make_url(url)
        self.server = address.get_backend_name() == "postgresql"
        """Whether it is a server's, PostgreSQL's, instead of a file."""
        self.engine = _postgresql(address) if self.server else sa.create_engine(address, hide_parameters=True)
        if not self.server:
            _prepare_sqlite(self.engine)

    @contextmanager
    def begin(self, *, by_rows: bool = False) -> Iterator[sa.Connection]:
        """A writing transaction, committed durably at the end, rolled back on an exception.

        No other such transaction runs meanwhile, in any process, so that what was read still holds when it is written.
        With ``by_rows`` others may on PostgreSQL: for the short and frequent ones that lock each row they read before
        they change it, or change it in one conditional statement. The others lock the rows that these change, too.
        """
        with self.engine.begin() as connection:
            if self.server and not by_rows:
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITERS)))
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A reading transaction: one consistent view, never blocks a writer."""
        with self.engine.connect() as connection:
            if self.server:
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            else:
                connection = connection.execution_options(reading=True)
            yield connection
            connection.rollback()

    def close(self) -> None:
        self.engine.dispose()


def _postgresql(address: sa.URL) -> sa.Engine:
    """Connections that notice a dead server, and transactions that do not keep others waiting for ever.

    A statement sees what was committed before it (READ COMMITTED): in a writing transaction all of them come after
    the writers' lock, so that nothing is read that an earlier writer has changed since.
    """
    settings = {"lock_timeout": LOCK_TIMEOUT * 1000, "idle_in_transaction_session_timeout": 300_000}
    engine = sa.create_engine(
        address.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        pool_pre_ping=True,
        pool_size=8,
        max_overflow=24,
        connect_args={
            "connect_timeout": 10,
            "keepalives_idle": 30,
            "keepalives_interval": 10,
            "keepalives_count": 3,
            "application_name": f"sturmwarte:{os.getpid()}",
            "options": " ".join(f"-c {name}={value}" for name, value in settings.items()),
        },
    )

    sa.event.listen(engine, "handle_error", _without_details)
    return engine


def _without_details(context: sa.ExceptionContext) -> None:
    """The server's details quote the row; its first sentence does not. SQLAlchemy's own error repeats what it got."""
    error, ours = context.original_exception, context.sqlalchemy_exception
    sentence = getattr(getattr(error, "diag", None), "message_primary", None)
    if sentence:
        error.args = (sentence,)
        if ours is not None:
            ours.args = (f"({type(error).__module__}.{type(error).__name__}) {sentence}",)


def _prepare_sqlite(engine: sa.Engine) -> None:
    """WAL, full durability, and BEGIN IMMEDIATE for writers (a late lock upgrade would fail, not wait)."""

    @sa.event.listens_for(engine, "connect")
    def connected(connection, _record):  # type: ignore[no-untyped-def]
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={LOCK_TIMEOUT * 1000}")
        write_ahead(cursor.execute, sqlite3.OperationalError, LOCK_TIMEOUT)
        for pragma in ("synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def sqlite_url(folder: Path) -> str:
    """URL of the state database in a data folder."""
    return f"sqlite:///{folder / 'state.db'}"
