"""Who works: a name per process, and whether the process behind a name is surely gone."""

from __future__ import annotations

import os
import re
import secrets
import socket
from pathlib import Path

_NAMESPACE = Path("/proc/self/ns/pid")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def worker_name() -> str:
    """``machine:process:nonce``; new at each start.

    ``machine`` is the host name and, where the system tells them, the boot and the space that the process number is of:
    containers of one host name see each other's processes no more than other machines do.
    """
    return f"{_machine()}:{os.getpid()}:{secrets.token_hex(4)}"


def is_dead(worker: str, living: str) -> bool:
    """Whether a worker of this machine is surely gone; False where that cannot be told from here."""
    machine, _, rest = worker.partition("/")[0].partition(":")
    here, _, own = living.partition(":")
    process = rest.partition(":")[0]
    if machine != here or not process.isdigit() or rest.partition("/")[0] == own:
        return False
    return process == own.partition(":")[0] or not _runs(int(process))


def _machine() -> str:
    return "+".join([socket.gethostname(), *_space()])


def _space() -> list[str]:
    """Of the boot the first eight digits: two hosts count their spaces alike. After a boot leases run out by time."""
    try:
        boot, space = _BOOT.read_text("ascii")[:8], re.search(r"\d+", str(_NAMESPACE.readlink()))
    except OSError:  # no Linux, or no /proc
        return []
    return [boot, space[0]] if space else []


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
