"""One data folder, one running service; or any number of its parts, each a process of its own."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "service.lock"
WAIT = 15.0
"""Seconds to wait for the children of a service that was killed; they end when they notice."""


class AlreadyRunning(Exception):
    """Another service works on the folder; ``pid`` is its process, 0 where that cannot be told."""

    def __init__(self, folder: Path, pid: int) -> None:
        super().__init__(f"{folder}: a service is running already" + (f" (process {pid})" if pid else ""))
        self.folder, self.pid = folder, pid


@contextmanager
def service_lock(folder: Path, wait: float = WAIT, *, beside_others: bool = False) -> Iterator[int]:
    """Hold the folder; yields the descriptor that children inherit, so that it stays held while any of them lives.

    ``beside_others``: together with others that say so, too; a whole service and single parts exclude each other.
    Raises AlreadyRunning, at once where the holder lives, else after ``wait`` seconds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(descriptor, folder, wait, fcntl.LOCK_SH if beside_others else fcntl.LOCK_EX)
        held = [pid for pid in _pids(descriptor) if _alive(pid)] if beside_others else []
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, "".join(f"{pid}\n" for pid in [*held, os.getpid()]).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, folder: Path, wait: float, kind: int) -> None:
    deadline = time.monotonic() + wait
    while not _try(descriptor, kind):
        pid = _pid(descriptor)
        if pid or time.monotonic() >= deadline:
            raise AlreadyRunning(folder, pid)
        time.sleep(0.1)


def running_service(folder: Path) -> int | None:
    """A process that holds the folder; None where nobody does, 0 where those who do cannot be told from here.

    Those are children of a service that was killed, which are about to end, or processes of another machine.
    """
    try:
        descriptor = os.open(folder / FILE, os.O_RDWR)
    except OSError:
        return None
    try:
        return None if _try(descriptor) else _pid(descriptor)
    finally:
        os.close(descriptor)


def _try(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _pid(descriptor: int) -> int:
    """The first that is written down and lives; 0 where none does."""
    return next((pid for pid in _pids(descriptor) if _alive(pid)), 0)


def _pids(descriptor: int) -> list[int]:
    return [int(word) for word in os.pread(descriptor, 4096, 0).split() if word.isdigit()]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0
