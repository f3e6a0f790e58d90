"""The outbox: each message once, its bytes frozen, in order per subject. Between ``compose`` and ``delivery``.

A state machine in rows: ready (or held) → leased by a worker → sent, or ready again later, or failed (given up).
Every function takes an open transaction of the state database; the caller commits. Kinds of journal rows:
``composed``, ``held``, ``released``, ``trying``, ``sent``, ``refused`` (not taken now, tried again), ``failed`` (given
up), ``folded``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from alerts.links import mail_host
from alerts.message import Occasion
from pipeline.state.tables import journal, outbox
from pipeline.state.workers import is_dead
from pipeline.words import OutboxState

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
    worker: str


def message_id(occasion: Occasion, receiver: str, notifier: str, public_url: str) -> str:
    """The one Message-ID of that message: the same for the same transition, whenever it is asked for.

    The time of the transition is part of it, so that a new data folder, which counts from 1 again, does not repeat
    ids that mail servers have seen and would drop as duplicates.
    """
    key = "\n".join((occasion.subject, str(occasion.number), receiver, notifier, occasion.at.isoformat()))
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"<{digest}@{mail_host(public_url) or 'sturmwarte'}>"


def references(conn: sa.Connection, subject: str, receiver: str, notifier: str) -> tuple[str, ...]:
    """What a message of that subject to that receiver refers to; nothing for the receiver's first.

    First the subject's first message to anybody, which ``incident.first_message_id`` names, so that one thread comes
    together wherever several receivers read the same mailbox; last the receiver's own first message, which is the one
    that is answered.
    """
    of_subject = sa.select(outbox.c.message_id).where(outbox.c.subject == subject)
    in_order = (outbox.c.number, outbox.c.id)
    own = of_subject.where(outbox.c.receiver == receiver, outbox.c.notifier == notifier).order_by(*in_order).limit(1)
    mine = conn.execute(own).scalar_one_or_none()
    if mine is None:
        return ()
    very_first = conn.execute(of_subject.order_by(*in_order).limit(1)).scalar_one()
    return tuple(dict.fromkeys((very_first, mine)))


def known(conn: sa.Connection, occasion: Occasion, receiver: str, notifier: str) -> bool:
    """Whether that message has been composed already."""
    key = sa.select(outbox.c.id).where(
        outbox.c.subject == occasion.subject,
        outbox.c.number == occasion.number,
        outbox.c.receiver == receiver,
        outbox.c.notifier == notifier,
    )
    return conn.execute(key).first() is not None


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
    state = OutboxState.HELD if held else OutboxState.READY
    key = {"subject": occasion.subject, "number": occasion.number, "receiver": receiver, "notifier": notifier}
    row = {**key, "message_id": message_id, "kind": str(occasion.kind), "payload": payload, "state": str(state)}
    if not _insert_once(conn, {**row, "composed": now, "next_try": now}, key):
        return False
    _note(conn, now, "held" if held else "composed", key, message_id, str(occasion.kind))
    return True


def _insert_once(conn: sa.Connection, row: dict[str, Any], key: Collection[str]) -> bool:
    insert: Any = postgresql.insert if conn.dialect.name == "postgresql" else sqlite.insert
    once = insert(outbox).values(row).on_conflict_do_nothing(index_elements=list(key)).returning(outbox.c.id)
    return conn.execute(once).first() is not None


def note_folded(conn: sa.Connection, occasion: Occasion, receiver: str, notifier: str, now: datetime, why: str) -> None:
    """Write down that a change was overtaken while it was held: it is told with a later message."""
    key = {"subject": occasion.subject, "number": occasion.number, "receiver": receiver, "notifier": notifier}
    _note(conn, now, "folded", key, None, why)


def claim(
    conn: sa.Connection,
    now: datetime,
    worker: str,
    limit: int = 20,
    *,
    lease: timedelta = LEASE,
    without: Collection[str] = (),
) -> list[Letter]:
    """Lease due messages to a worker, longest due first; of a subject and receiver only the earliest that is open.

    ``without`` names notifiers to leave alone for now. The try is journalled here, so that it is on record even if the
    worker dies with it.
    """
    earlier = outbox.alias()
    waits_for_another = sa.exists().where(
        earlier.c.subject == outbox.c.subject,
        earlier.c.receiver == outbox.c.receiver,
        earlier.c.notifier == outbox.c.notifier,
        earlier.c.number < outbox.c.number,
        earlier.c.state.in_([OutboxState.READY, OutboxState.HELD]),
    )
    due = (
        sa.select(outbox)
        .where(outbox.c.state == OutboxState.READY, outbox.c.next_try <= now, ~waits_for_another)
        .where(sa.or_(outbox.c.leased_until.is_(None), outbox.c.leased_until <= now))
        .where(outbox.c.notifier.not_in(list(without)))
        .order_by(outbox.c.next_try, outbox.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=outbox)
    )
    letters = [_letter(row, worker) for row in conn.execute(due).mappings()]
    for letter in letters:
        _update(conn, letter, worker=worker, leased_until=now + lease, attempts=letter.attempts + 1)
        _note_letter(conn, now, "trying", letter, f"{letter.attempts + 1}")
    return letters


def _letter(row: sa.RowMapping, worker: str) -> Letter:
    return Letter(worker=worker, **{name: row[name] for name in Letter.__struct_fields__ if name != "worker"})


def mark_sent(conn: sa.Connection, letter: Letter, now: datetime, text: str = "") -> None:
    """The server has it: never to be tried again. True even if the lease has gone to another worker meanwhile."""
    _update(conn, letter, state=str(OutboxState.SENT), sent=now, worker=None, leased_until=None, last_error="")
    _note_letter(conn, now, "sent", letter, text)


def mark_failed(conn: sa.Connection, letter: Letter, now: datetime, error: str, *, temporary: bool) -> None:
    """Not sent: temporary is tried again after 1 min, 2 min, … 1 h; permanent is given up and shown.

    Nothing happens where the message is no longer this worker's: another has taken it over.
    """
    mine = (outbox.c.state == OutboxState.READY, outbox.c.worker == letter.worker)
    free: dict[str, Any] = {"worker": None, "leased_until": None, "last_error": error}
    fate = {"next_try": now + back_off(letter.attempts)} if temporary else {"state": str(OutboxState.FAILED)}
    if _update(conn, letter, *mine, **free, **fate):
        _note_letter(conn, now, "refused" if temporary else "failed", letter, error)


def back_off(attempts: int) -> timedelta:
    """The wait after a failed try with that many before it."""
    return min(FIRST_WAIT * (1 << min(attempts, 10)), LONGEST_WAIT)


def reclaim(conn: sa.Connection, worker: str) -> int:
    """Take back at once what an earlier life of this worker had leased when it died; returns how many.

    Only for a worker whose name no other living process has.
    """
    mine = sa.update(outbox).where(outbox.c.worker == worker, outbox.c.state == OutboxState.READY)
    return conn.execute(mine.values(worker=None, leased_until=None)).rowcount


def take_back(conn: sa.Connection, living: str) -> int:
    """Take back at once what dead senders of this machine had leased; returns how many messages."""
    taken = outbox.c.worker.is_not(None)
    holders = conn.scalars(sa.select(outbox.c.worker).where(taken, outbox.c.state == OutboxState.READY).distinct())
    return sum(reclaim(conn, holder) for holder in holders.all() if holder and is_dead(holder, living))


def hold(conn: sa.Connection, now: datetime) -> int:
    """Hold everything unsent, as after a restore; returns how many."""
    return _move(conn, OutboxState.READY, OutboxState.HELD, now, "held")


def release(conn: sa.Connection, now: datetime) -> int:
    """Let held messages go; returns how many."""
    return _move(conn, OutboxState.HELD, OutboxState.READY, now, "released")


def _move(conn: sa.Connection, old: OutboxState, new: OutboxState, now: datetime, kind: str) -> int:
    rows = conn.execute(
        sa.select(outbox).where(outbox.c.state == old).order_by(outbox.c.id).with_for_update()
    ).mappings()
    letters = [_letter(row, "") for row in rows]
    for letter in letters:
        _update(conn, letter, state=str(new), next_try=now, worker=None, leased_until=None)
        _note_letter(conn, now, kind, letter, "")
    return len(letters)


def counts(conn: sa.Connection) -> dict[str, int]:
    """How many messages are in each state, all states named."""
    rows = conn.execute(sa.select(outbox.c.state, sa.func.count()).group_by(outbox.c.state)).all()
    return {str(state): 0 for state in OutboxState} | {str(row[0]): int(row[1]) for row in rows}


class Stuck(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps messages from going out; all zero where nothing does."""

    refused: int = 0
    """Waiting at a notifier that did not take a message at its last try; all of them are tried again."""
    since: datetime | None = None
    """When the oldest of these was composed."""
    reason: str = ""
    """What the latest of these tries came to."""
    held: int = 0
    """Kept since a restore until a person releases them."""
    failed: int = 0
    """Given up."""
    failure: str = ""
    """Why the latest of these was given up."""


def stuck(conn: sa.Connection) -> Stuck:
    """Refused, held and given-up messages."""
    found = counts(conn)
    refused = sa.and_(outbox.c.state == OutboxState.READY, outbox.c.last_error != "")
    notifiers = sa.select(outbox.c.notifier).where(refused)
    waiting = sa.and_(outbox.c.state == OutboxState.READY, outbox.c.notifier.in_(notifiers.scalar_subquery()))
    n, since = conn.execute(sa.select(sa.func.count(), sa.func.min(outbox.c.composed)).where(waiting)).one()
    return Stuck(
        refused=n,
        since=since,
        reason=_latest_error(conn, refused),
        held=found[OutboxState.HELD],
        failed=found[OutboxState.FAILED],
        failure=_latest_error(conn, outbox.c.state == OutboxState.FAILED),
    )


def _latest_error(conn: sa.Connection, these: sa.ColumnElement[bool]) -> str:
    """The error of the one that was tried last; the longer it waits, the more often it was tried."""
    latest = sa.select(outbox.c.last_error).where(these).order_by(outbox.c.next_try.desc(), outbox.c.id.desc()).limit(1)
    return str(conn.execute(latest).scalar_one_or_none() or "")


def _update(conn: sa.Connection, letter: Letter, *where: sa.ColumnElement[bool], **values: Any) -> bool:
    return conn.execute(sa.update(outbox).where(outbox.c.id == letter.id, *where).values(values)).rowcount == 1


def _note_letter(conn: sa.Connection, now: datetime, kind: str, letter: Letter, text: str) -> None:
    key = {name: getattr(letter, name) for name in ("subject", "number", "receiver", "notifier")}
    _note(conn, now, kind, key, letter.message_id, text)


def _note(
    conn: sa.Connection, now: datetime, kind: str, key: dict[str, Any], message_id: str | None, text: str
) -> None:
    conn.execute(sa.insert(journal).values(at=now, kind=kind, message_id=message_id, text=text, **key))
