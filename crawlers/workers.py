"""Taking back what dead crawlers of the same machine still hold."""

from __future__ import annotations

import sqlalchemy as sa

from pipeline.state.tables import host, source
from pipeline.state.workers import is_dead


def take_back(conn: sa.Connection, living: str) -> int:
    """End the leases of dead workers, on sources and hosts, in a writing transaction; returns how many."""
    ended = 0
    for table, column in ((source, source.c.worker), (host, host.c.lease)):
        for holder in conn.scalars(sa.select(column).where(column.is_not(None)).distinct()).all():
            if is_dead(holder, living):
                freed = sa.update(table).where(column == holder).values({column.name: None, "leased_until": None})
                ended += conn.execute(freed).rowcount
    return ended
