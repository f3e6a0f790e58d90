"""SQLite's write-ahead log, switched on by several processes that open a new file at the same moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

PAUSE = 0.02
"""Seconds between two tries."""


def write_ahead(execute: Callable[[str], Any], error: type[Exception], patience: float) -> None:
    """Switch a connection's file to the write-ahead log; ``execute`` runs a statement, ``error`` is what it raises.

    SQLite asks no busy timeout where two switch at once, since each would wait for the other: one of them is refused at
    once and has to come again. Raises ``error`` where the file is still locked after ``patience`` seconds.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            execute("PRAGMA journal_mode=WAL")
        except error as refused:
            if "locked" not in str(refused) or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE)
        else:
            return
