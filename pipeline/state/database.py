"""Opening the state database and its transactions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa


class State:
    """The state database behind an SQLAlchemy URL. Safe to use from several threads and processes."""

    def __init__(self, url: str) -> None:
        self.url = url
        # what was to be written stays out of error messages, and so out of logs and reasons: it quotes people
        self.engine = sa.create_engine(url, hide_parameters=True)
        if self.engine.dialect.name == "sqlite":
            _prepare_sqlite(self.engine)

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A writing transaction, committed durably at the end, rolled back on an exception."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A reading transaction: one consistent view, never blocks a writer."""
        with self.engine.connect() as connection:
            if self.engine.dialect.name == "sqlite":
                connection = connection.execution_options(reading=True)
            yield connection
            connection.rollback()

    def close(self) -> None:
        self.engine.dispose()


def _prepare_sqlite(engine: sa.Engine) -> None:
    """WAL, full durability, and BEGIN IMMEDIATE for writers (a late lock upgrade would fail, not wait)."""

    @sa.event.listens_for(engine, "connect")
    def connected(connection, _record):  # type: ignore[no-untyped-def]
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=30000", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def begun(connection: sa.Connection) -> None:
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def sqlite_url(folder: Path) -> str:
    """URL of the state database in a data folder."""
    return f"sqlite:///{folder / 'state.db'}"
