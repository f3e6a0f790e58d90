"""Taking back what dead crawlers of the same machine still hold."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import sqlalchemy as sa

from crawlers import hosts
from pipeline.state.tables import source
from pipeline.state.workers import is_dead


def take_back(conn: sa.Connection, living: str, now: datetime) -> int:
    """End the leases of dead workers, on sources and hosts, in a writing transaction; returns how many."""
    gone = partial(is_dead, living=living)
    holders = conn.scalars(sa.select(source.c.worker).where(source.c.worker.is_not(None)).distinct()).all()
    theirs = source.c.worker.in_([holder for holder in holders if gone(holder)])
    ended = conn.execute(sa.update(source).where(theirs).values(worker=None, leased_until=None)).rowcount
    return ended + hosts.take_back(conn, gone, now)
