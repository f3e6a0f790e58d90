"""Which engine keeps the mentions of a data folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from pipeline.clock import Clock
from pipeline.store.protocol import Store, StoreError
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
