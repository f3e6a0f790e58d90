"""Word of sources that bring nothing: ``blind`` once when it has lasted, ``sighted`` once when they are back."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from alerts import stages
from alerts.message import MessageKind, Occasion, subject_of
from pipeline.configuration import Configuration
from pipeline.state import tables as t
from pipeline.state.database import State
from pipeline.words import SourceState

RULE, VERSION = "blind", 1
PATIENCE = timedelta(minutes=30)
"""At least so long must it last; or two intervals of the source, if these are longer."""
UNWELL = frozenset({SourceState.BLIND, SourceState.LATE, SourceState.BEHIND})
WELL = frozenset({SourceState.HEALTHY, SourceState.LEARNING})


class Memory(msgspec.Struct, frozen=True):
    """What is remembered of a source: how many messages there were, and whether the last said blind."""

    number: int = 0
    told: bool = False
    since: datetime | None = None


def look(configuration: Configuration, state: State, now: datetime, post: stages.Post) -> int:
    """Compare every source with what was last said of it; returns how many messages came into the outbox."""
    with state.read() as conn:
        due = [row.id for row in conn.execute(sa.select(t.source)) if _turn(conn, row, now)]
    return sum(_tell(configuration, state, source, now, post) for source in due)


def _turn(conn: sa.Connection, row: sa.Row[tuple[object, ...]], now: datetime) -> MessageKind | None:
    """What is to be said of a source now, if anything."""
    memory = _memory(conn, row.id)
    if memory.told:
        return MessageKind.SIGHTED if row.state in WELL else None
    lasting = max(PATIENCE, 2 * timedelta(seconds=row.pace_s or row.interval_s))
    unwell = row.state in UNWELL and now - row.state_since >= lasting
    return MessageKind.BLIND if unwell else None


def _tell(configuration: Configuration, state: State, source: str, now: datetime, post: stages.Post) -> int:
    with state.begin() as conn:
        row = conn.execute(sa.select(t.source).where(t.source.c.id == source).with_for_update()).one()
        kind = _turn(conn, row, now)  # again inside the transaction: another watcher may have been faster
        if kind is None:
            return 0
        old = _memory(conn, source)
        since = old.since if kind is MessageKind.SIGHTED else row.state_since
        _remember(conn, source, Memory(old.number + 1, kind is MessageKind.BLIND, since), now)
        extra = {"source": source, "state": row.state, "reason": row.reason, "since": since and since.isoformat()}
        occasion = Occasion(subject=subject_of(source=source), number=old.number + 1, kind=kind, at=now, extra=extra)
        return stages.run(stages.Context(conn=conn, configuration=configuration, now=now), [occasion], post)


def _memory(conn: sa.Connection, source: str) -> Memory:
    query = sa.select(t.rule_state.c.blob).where(
        t.rule_state.c.rule == RULE, t.rule_state.c.version == VERSION, t.rule_state.c.stream == source
    )
    blob = conn.execute(query).scalar_one_or_none()
    return msgspec.json.decode(blob, type=Memory) if blob else Memory()


def _remember(conn: sa.Connection, source: str, memory: Memory, now: datetime) -> None:
    table = t.rule_state
    key = {"rule": RULE, "version": VERSION, "stream": source}
    conn.execute(table.delete().where(*(table.c[name] == value for name, value in key.items())))
    conn.execute(table.insert().values(**key, blob=msgspec.json.encode(memory), updated=now))
