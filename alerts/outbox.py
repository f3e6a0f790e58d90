"""The outbox: each message once, its bytes frozen, in order per subject. Between ``compose`` and ``delivery``.

A state machine in rows: ready (or held) → leased by a worker → sent, or ready again later, or failed.
Every function takes an open transaction of the state database; the caller commits.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa

from alerts.message import Occasion
from pipeline.state.tables import outbox

LEASE = timedelta(minutes=5)
FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a worker may send now."""

    id: int
    subject: str
    number: int
    receiver: str
    notifier: str
    message_id: str
    payload: bytes
    attempts: int
    """Tries before this one."""


def message_id(occasion: Occasion, receiver: str, notifier: str, public_url: str) -> str:
    """The one Message-ID of that message: the same for the same transition, whenever it is asked for.

    The time of the transition is part of it, so that a new data folder, which counts from 1 again, does not repeat
    ids that mail servers have seen and would drop as duplicates.
    """
    key = "\n".join((occasion.subject, str(occasion.number), receiver, notifier, occasion.at.isoformat()))
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    host = urlsplit(public_url).hostname or ""
    named = "." in host and not host.replace(".", "").isdigit()
    return f"<{digest}@{host if named else 'sturmwarte'}>"


def references(conn: sa.Connection, subject: str, receiver: str, notifier: str) -> tuple[str, ...]:
    """Message-ID of the first message of that subject to that receiver, or nothing: what a thread hangs on."""
    first = (
        sa.select(outbox.c.message_id)
        .where(outbox.c.subject == subject, outbox.c.receiver == receiver, outbox.c.notifier == notifier)
        .order_by(outbox.c.number)
        .limit(1)
    )
    return tuple(conn.execute(first).scalars())


def put(
    conn: sa.Connection,
    occasion: Occasion,
    receiver: str,
    notifier: str,
    payload: bytes,
    message_id: str,
    now: datetime,
    *,
    held: bool = False,
) -> bool:
    """Freeze a message for delivery. False, and nothing done, where (subject, number, receiver, notifier) is there."""
    raise NotImplementedError


def claim(conn: sa.Connection, now: datetime, worker: str, limit: int = 20) -> list[Letter]:
    """Lease due messages to a worker, oldest first; at most one per (subject, receiver, notifier), the lowest open."""
    raise NotImplementedError


def mark_sent(conn: sa.Connection, letter: Letter, now: datetime, text: str = "") -> None:
    """The server has it: never to be tried again."""
    raise NotImplementedError


def mark_failed(conn: sa.Connection, letter: Letter, now: datetime, error: str, *, temporary: bool) -> None:
    """Not sent: temporary is tried again after 1 min, 2 min, … 1 h; permanent is given up and shown."""
    raise NotImplementedError


def hold(conn: sa.Connection, now: datetime) -> int:
    """Hold everything unsent, as after a restore; returns how many."""
    raise NotImplementedError


def release(conn: sa.Connection, now: datetime) -> int:
    """Let held messages go; returns how many."""
    raise NotImplementedError
