"""Which engine keeps the mentions of a data folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from pipeline.clock import Clock
from pipeline.store.protocol import Store, StoreError
from pipeline.store.sqlite.migrations import schema_version, upgrade, version_of
from pipeline.store.sqlite.store import SqliteStore, none_erased

FILE = "mentions.db"


def open_store(
    folder: Path,
    engine: str,
    *,
    clock: Clock,
    retention: timedelta | None = None,
    read_only: bool = False,
    erased: Callable[[Sequence[str]], set[str]] = none_erased,
) -> Store:
    """The store of a data folder. Raises StoreError for an unknown engine or a file of another release."""
    if engine != "sqlite":
        raise StoreError(f"unknown store engine {engine!r}; known: sqlite")
    return SqliteStore(folder / FILE, clock=clock, retention=retention, read_only=read_only, erased=erased)


def schema_of(folder: Path) -> tuple[int, int]:
    """(schema of the file in the folder, schema of this release); without a file the two are equal."""
    path = folder / FILE
    if not path.exists():
        return schema_version, schema_version
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        return version_of(connection), schema_version


def upgrade_store(folder: Path) -> None:
    """Bring the file in the folder to this release's schema. Raises StoreError."""
    if (folder / FILE).exists():
        upgrade(folder / FILE)
