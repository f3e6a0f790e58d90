"""Messages quote what people wrote. What is taken back of them: the bytes of those done with, quotes of those held."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

import sqlalchemy as sa

from pipeline.state.tables import incident_member, journal, outbox, pending_message
from pipeline.words import OutboxState

WITHDRAWN = "withdrawn: it quoted what was erased since"
_UNSENT = outbox.c.state.in_([OutboxState.READY, OutboxState.HELD])
_LINK, _FOLD = re.compile(rb"/mentions/([0-9a-f]{32})"), re.compile(rb"=\r?\n")
_MANY = 500
T = TypeVar("T")


def blank_messages(connection: sa.Connection, *which: sa.ColumnElement[bool]) -> int:
    """Drop the bytes of messages that are sent or given up; returns how many.

    The rows stay: that a message was sent is what keeps it from being sent again.
    """
    done = outbox.c.state.in_([OutboxState.SENT, OutboxState.FAILED])
    quoting = sa.update(outbox).where(done, outbox.c.payload != b"", *which).values(payload=b"")
    return connection.execute(quoting).rowcount


def withdraw_quotes(connection: sa.Connection, uids: Collection[str], since: datetime | None, now: datetime) -> None:
    """Take erased mentions out of all messages composed since then (None: whenever).

    A message may quote them where it names one of them or tells of an incident one of them belongs to. Sent ones lose
    their bytes. Unsent ones are frozen and cannot be composed anew: they are given up, with a row in the journal, and
    the doctor shows them; the next message of their incident goes out as usual. Those held as facts lose the quotes.
    """
    _shorten_held(connection, set(uids))
    for part in _parts(_quoting(connection, set(uids), since)):
        _give_up(connection, part, now)
        blank_messages(connection, outbox.c.id.in_(part))


def _quoting(connection: sa.Connection, uids: set[str], since: datetime | None) -> list[int]:
    subjects = set[str]()
    for part in _parts(sorted(uids)):
        numbers = sa.select(incident_member.c.incident).where(incident_member.c.uid.in_(part)).distinct()
        subjects.update(f"incident:{number}" for number in connection.scalars(numbers))
    rows = sa.select(outbox.c.id, outbox.c.subject, outbox.c.payload).where(outbox.c.payload != b"")
    if since is not None:
        rows = rows.where(outbox.c.composed >= since)
    found = connection.execute(rows, execution_options={"yield_per": 20})
    return [id for id, subject, payload in found if subject in subjects or not uids.isdisjoint(_linked(payload))]


def _linked(payload: bytes) -> Iterator[str]:
    """uids of the mentions a message leads to: each quote has its link. Long lines are folded in mails."""
    for match in _LINK.finditer(_FOLD.sub(b"", payload)):
        yield match[1].decode()


def _give_up(connection: sa.Connection, ids: Sequence[int], now: datetime) -> None:
    key = (outbox.c.subject, outbox.c.number, outbox.c.receiver, outbox.c.notifier, outbox.c.message_id)
    mine = (outbox.c.id.in_(ids), _UNSENT)
    rows = [dict(row) for row in connection.execute(sa.select(*key).where(*mine).with_for_update()).mappings()]
    given_up = {"state": OutboxState.FAILED.value, "last_error": WITHDRAWN, "worker": None, "leased_until": None}
    connection.execute(sa.update(outbox).where(*mine).values(**given_up))
    if rows:
        connection.execute(
            sa.insert(journal), [{**row, "at": now, "kind": "failed", "text": WITHDRAWN} for row in rows]
        )


def _shorten_held(connection: sa.Connection, uids: set[str]) -> None:
    rows = connection.execute(sa.select(pending_message.c.id, pending_message.c.facts)).all()
    for id, facts in rows:
        shorter = _without(facts, uids)
        if shorter != facts:
            mine = sa.update(pending_message).where(pending_message.c.id == id)
            connection.execute(mine.values(facts=shorter))


def _without(value: Any, uids: set[str]) -> Any:
    """The same JSON without the entries of lists that are about one of these mentions."""
    if isinstance(value, dict):
        return {key: _without(below, uids) for key, below in value.items()}
    if isinstance(value, list):
        return [_without(one, uids) for one in value if not (isinstance(one, dict) and one.get("uid") in uids)]
    return value


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), _MANY):
        yield values[start : start + _MANY]
