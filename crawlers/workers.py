"""Who works: a name per process, and taking back what a dead one of the same machine still holds."""

from __future__ import annotations

import os
import secrets
import socket

import sqlalchemy as sa

from pipeline.state.tables import host, source


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


def take_back(conn: sa.Connection, living: str) -> int:
    """End the leases of dead workers, on sources and hosts, in a writing transaction; returns how many."""
    ended = 0
    for table, column in ((source, source.c.worker), (host, host.c.lease)):
        for holder in conn.scalars(sa.select(column).where(column.is_not(None)).distinct()).all():
            if is_dead(holder, living):
                freed = sa.update(table).where(column == holder).values({column.name: None, "leased_until": None})
                ended += conn.execute(freed).rowcount
    return ended


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
