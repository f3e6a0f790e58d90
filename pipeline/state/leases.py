"""What one process does alone for a while: leases with an end, renewed by the living, taken over from the dead.

Every function takes an open transaction of ``State.begin()``, which lets in one writer at a time.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa

from pipeline.state.tables import lease
from pipeline.state.workers import is_dead

_MANY = 500


def share(
    conn: sa.Connection, kind: str, names: Sequence[str], worker: str, now: datetime, until: datetime
) -> list[str]:
    """This worker's share of ``names`` until then, in their order; the others' are left to them.

    Whoever asks is present until then, too. All who are present get the same number, rounded up; who has more gives
    the rest back, who has fewer takes what is free, expired, or held by a dead worker of this machine.
    """
    _set(conn, _present(kind), worker, worker, until)
    fair = -(-len(names) // max(len(_living(conn, kind, worker, now)), 1))
    held = {row.name: row for row in conn.execute(sa.select(lease).where(lease.c.kind == kind))}
    mine = [name for name in names if name in held and held[name].worker == worker]
    taken = {name for name, row in held.items() if row.worker == worker or not _is_free(row, worker, now)}
    free = [name for name in names if name not in taken][: max(fair - len(mine), 0)]
    _renew(conn, kind, worker, mine[:fair], until)
    for name in free:
        _set(conn, kind, name, worker, until)
    keep = {*mine[:fair], *free}
    _drop(conn, kind, worker, [name for name, row in held.items() if row.worker == worker and name not in keep])
    return [name for name in names if name in keep]


def take(conn: sa.Connection, kind: str, name: str, worker: str, now: datetime, until: datetime) -> bool:
    """Take or renew one lease; False where another living worker has it."""
    row = conn.execute(sa.select(lease).where(lease.c.kind == kind, lease.c.name == name)).one_or_none()
    if row is not None and row.worker != worker and not _is_free(row, worker, now):
        return False
    _set(conn, kind, name, worker, until)
    return True


def holds(conn: sa.Connection, kind: str, name: str, worker: str) -> bool:
    """Whether it is still this worker's, expired or not: nobody else has taken it meanwhile."""
    mine = sa.select(lease.c.worker).where(lease.c.kind == kind, lease.c.name == name)
    return conn.execute(mine).scalar_one_or_none() == worker


def holders(conn: sa.Connection, kind: str, now: datetime) -> dict[str, str]:
    """Name → worker of the leases that have not ended."""
    rows = conn.execute(sa.select(lease).where(lease.c.kind == kind, lease.c.until > now).order_by(lease.c.name))
    return {row.name: row.worker for row in rows}


def leave(conn: sa.Connection, worker: str) -> None:
    """Give everything back, at the end of a worker."""
    conn.execute(sa.delete(lease).where(lease.c.worker == worker))


def _present(kind: str) -> str:
    return f"{kind} worker"


def _living(conn: sa.Connection, kind: str, worker: str, now: datetime) -> list[str]:
    """Who shares; who is gone is forgotten."""
    rows = conn.execute(sa.select(lease).where(lease.c.kind == _present(kind))).all()
    gone = [row.name for row in rows if _is_free(row, worker, now)]
    conn.execute(sa.delete(lease).where(lease.c.kind == _present(kind), lease.c.name.in_(gone)))
    return [row.name for row in rows if row.name not in gone]


def _is_free(row: sa.Row[tuple[object, ...]], worker: str, now: datetime) -> bool:
    return bool(row.until <= now or is_dead(row.worker, worker))


def _set(conn: sa.Connection, kind: str, name: str, worker: str, until: datetime) -> None:
    mine = (lease.c.kind == kind, lease.c.name == name)
    if conn.execute(sa.update(lease).where(*mine).values(worker=worker, until=until)).rowcount == 0:
        conn.execute(sa.insert(lease).values(kind=kind, name=name, worker=worker, until=until))


def _renew(conn: sa.Connection, kind: str, worker: str, names: Sequence[str], until: datetime) -> None:
    """All at once: every watcher does this at each look, with thousands of brands."""
    mine = (lease.c.kind == kind, lease.c.worker == worker)
    for at in range(0, len(names), _MANY):
        some = lease.c.name.in_(names[at : at + _MANY])
        conn.execute(sa.update(lease).where(*mine, some).values(until=until))


def _drop(conn: sa.Connection, kind: str, worker: str, names: Collection[str]) -> None:
    mine = (lease.c.kind == kind, lease.c.worker == worker, lease.c.name.in_(names))
    conn.execute(sa.delete(lease).where(*mine))
