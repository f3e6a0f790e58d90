"""Who works: a name per process, and whether the process behind a name is surely gone."""

from __future__ import annotations

import os
import secrets
import socket


def worker_name() -> str:
    """``machine:process:nonce``; new at each start."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def is_dead(worker: str, living: str) -> bool:
    """Whether a worker of this machine is surely gone; False where that cannot be told from here."""
    machine, _, rest = worker.partition("/")[0].partition(":")
    here, _, own = living.partition(":")
    process = rest.partition(":")[0]
    if machine != here or not process.isdigit() or rest.partition("/")[0] == own:
        return False
    return process == own.partition(":")[0] or not _runs(int(process))


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
