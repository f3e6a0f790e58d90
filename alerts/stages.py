"""From occasion to outbox in visible stages: group → restored → silence → dedup → post. Sending: ``delivery``.

Every stage takes tellings (an occasion for one receiver) and passes on those that are to go further. All of them run in
the transaction that records the state change, so a killed process leaves either all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
import sqlalchemy as sa

from alerts import silences
from alerts.message import MessageKind, Occasion
from alerts.registry import entries
from pipeline.configuration import Configuration
from pipeline.state import tables as t
from pipeline.state.restored import restored_at
from pipeline.words import OutboxState

Post = Callable[[sa.Connection, Occasion, str, Configuration, datetime], bool]
"""Composes the message to one receiver and puts it into the outbox: ``alerts.posting.post``."""

SOURCE_KINDS = frozenset({MessageKind.BLIND, MessageKind.SIGHTED})
BEFORE_RESTORE = "before_restore"
"""Kind of the journal row of what is not told because it lies before the moment of restoring."""
ENDINGS = frozenset({MessageKind.DOWN, MessageKind.UPDATE, MessageKind.ALL_CLEAR})
"""These are only of interest to those who have been told before."""


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    """An occasion on its way to one receiver."""

    occasion: Occasion
    receiver: str
    notifier: str


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What stages are given: the open transaction and the present."""

    conn: sa.Connection
    configuration: Configuration
    now: datetime


class Stage(Protocol):
    """One stage."""

    def __call__(self, context: Context, tellings: Sequence[Telling]) -> Sequence[Telling]:
        """The tellings that go on."""
        ...


def run(context: Context, occasions: Iterable[Occasion], post: Post) -> int:
    """Send occasions through all stages; how many messages came into the outbox."""
    tellings: Sequence[Telling] = group(context, occasions)
    for stage in stages(post):
        if not tellings:
            break
        tellings = stage(context, tellings)
    return len(tellings)


def stages(post: Post) -> tuple[Stage, ...]:
    """The order of things after grouping."""
    return (before_restore, silence, dedup, fold, Posting(post))


def group(context: Context, occasions: Iterable[Occasion]) -> list[Telling]:
    """Who is told: the receivers of the rule, from their lowest level on; of a source, the operators."""
    return [telling for occasion in occasions for telling in _tellings(context, occasion)]


def _tellings(context: Context, occasion: Occasion) -> list[Telling]:
    """One occasion for everybody who wants it; each message names all of them."""
    wanting = [name for name in receivers(context.configuration, occasion) if _wants(context, occasion, name)]
    named = msgspec.structs.replace(occasion, extra={**occasion.extra, "receivers": wanting})
    return [
        Telling(occasion=_first(context, named, name), receiver=name, notifier=_notifier(context, name))
        for name in wanting
    ]


def receivers(configuration: Configuration, occasion: Occasion) -> list[str]:
    """All who could be told, in the order of the configuration."""
    everyone = configuration.receivers
    if occasion.kind in SOURCE_KINDS:
        operators = [name for name, receiver in everyone.items() if receiver.operator]
        return operators or list(everyone)
    entry = entries(configuration).get(occasion.rule or "")
    chosen = entry.receivers if entry else ()
    return [name for name in everyone if not chosen or name in chosen]


def _wants(context: Context, occasion: Occasion, receiver: str) -> bool:
    if occasion.kind in SOURCE_KINDS:
        return True
    if told(context.conn, occasion.subject, receiver):
        return True
    enough = (occasion.level or 0) >= context.configuration.receivers[receiver].min_level
    return enough and (occasion.kind not in ENDINGS or _goes_on(context, occasion, receiver))


def _goes_on(context: Context, occasion: Occasion, receiver: str) -> bool:
    """An incident that began before a restore, of which they were therefore not told, and which is not over."""
    journal_row = sa.select(t.journal.c.id).where(
        t.journal.c.subject == occasion.subject,
        t.journal.c.receiver == receiver,
        t.journal.c.kind == BEFORE_RESTORE,
    )
    going_on = occasion.kind is not MessageKind.ALL_CLEAR
    return going_on and context.conn.execute(journal_row.limit(1)).first() is not None


def _first(context: Context, occasion: Occasion, receiver: str) -> Occasion:
    """A change is news to somebody who has not heard of the incident yet."""
    changes = {MessageKind.UP, MessageKind.DOWN, MessageKind.UPDATE}
    if occasion.kind in changes and not told(context.conn, occasion.subject, receiver):
        return msgspec.structs.replace(occasion, kind=MessageKind.NEW)
    return occasion


def _notifier(context: Context, receiver: str) -> str:
    return context.configuration.receivers[receiver].notifier


def told(conn: sa.Connection, subject: str, receiver: str) -> bool:
    """Whether a message of that subject to that receiver exists, sent, waiting or held."""
    return any(
        conn.execute(
            sa.select(table.c.id).where(table.c.subject == subject, table.c.receiver == receiver).limit(1)
        ).first()
        for table in (t.outbox, t.pending_message)
    )


def before_restore(context: Context, tellings: Sequence[Telling]) -> list[Telling]:
    """Journal what lies before the moment of restoring and send it no more: it was told before the backup was lost."""
    moment = restored_at(context.conn)
    if moment is None:
        return list(tellings)
    going = []
    for telling in tellings:
        until = telling.occasion.counted_until
        if until is None or until > moment:
            going.append(telling)
        elif not (_known(context.conn, telling) or _journalled(context.conn, telling)):
            journal(context, telling, BEFORE_RESTORE, "")
    return going


def _journalled(conn: sa.Connection, telling: Telling) -> bool:
    row = sa.select(t.journal.c.id).where(
        t.journal.c.subject == telling.occasion.subject,
        t.journal.c.number == telling.occasion.number,
        t.journal.c.receiver == telling.receiver,
        t.journal.c.kind == BEFORE_RESTORE,
    )
    return conn.execute(row.limit(1)).first() is not None


def silence(context: Context, tellings: Sequence[Telling]) -> list[Telling]:
    """Hold back what a silence covers; it is released when the silence ends."""
    in_force = silences.active(context.conn, context.now)
    going = []
    for telling in tellings:
        covering = next((one for one in in_force if one.covers(telling.occasion)), None)
        if covering is None:
            going.append(telling)
        elif not _known(context.conn, telling):
            _hold(context, telling, covering)
    return going


def _hold(context: Context, telling: Telling, covering: silences.Silence) -> None:
    occasion = telling.occasion
    context.conn.execute(
        t.pending_message.insert().values(
            subject=occasion.subject,
            number=occasion.number,
            receiver=telling.receiver,
            notifier=telling.notifier,
            kind=occasion.kind,
            held_for="silence",
            release_at=covering.ends,
            created=context.now,
            facts=msgspec.to_builtins(occasion),
        )
    )
    journal(context, telling, "silenced", covering.reason)


def dedup(context: Context, tellings: Sequence[Telling]) -> list[Telling]:
    """Drop what has been composed before: (subject, number, receiver, notifier) is told once."""
    return [telling for telling in tellings if not _known(context.conn, telling)]


def _known(conn: sa.Connection, telling: Telling) -> bool:
    key = (telling.occasion.subject, telling.occasion.number, telling.receiver, telling.notifier)
    return any(
        conn.execute(
            sa.select(table.c.id).where(
                sa.tuple_(table.c.subject, table.c.number, table.c.receiver, table.c.notifier) == sa.tuple_(*key)
            )
        ).first()
        for table in (t.outbox, t.pending_message)
    )


def fold(context: Context, tellings: Sequence[Telling]) -> list[Telling]:
    """Take along what is still held of the same subject: one message, the overtaken ones journalled as folded."""
    return [_folded(context, telling) for telling in tellings]


def _folded(context: Context, telling: Telling) -> Telling:
    held = context.conn.execute(
        sa.select(t.pending_message).where(
            t.pending_message.c.subject == telling.occasion.subject,
            t.pending_message.c.receiver == telling.receiver,
            t.pending_message.c.held_for == "silence",
        )
    ).all()
    for row in held:
        old = msgspec.convert(row.facts, Occasion)
        journal(context, Telling(occasion=old, receiver=row.receiver, notifier=row.notifier), "folded", "")
    context.conn.execute(t.pending_message.delete().where(t.pending_message.c.id.in_([row.id for row in held])))
    if not held:
        return telling
    return msgspec.structs.replace(telling, occasion=_with_folded(telling.occasion, len(held)))


def _with_folded(occasion: Occasion, count: int) -> Occasion:
    return msgspec.structs.replace(occasion, extra={**occasion.extra, "folded": count})


class Posting:
    """The last stage before delivery: compose and put into the outbox."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def __call__(self, context: Context, tellings: Sequence[Telling]) -> list[Telling]:
        return [telling for telling in tellings if self._one(context, telling)]

    def _one(self, context: Context, telling: Telling) -> bool:
        return self._post(context.conn, telling.occasion, telling.receiver, context.configuration, context.now)


def release(context: Context, post: Post) -> int:
    """Compose what no silence holds any more: per subject and receiver the newest, the others folded into it."""
    in_force = silences.active(context.conn, context.now)
    newest: dict[tuple[str, str], Telling] = {}
    table = t.pending_message
    query = sa.select(table).where(table.c.held_for == "silence").order_by(table.c.number, table.c.id)
    for row in context.conn.execute(query).all():
        occasion = msgspec.convert(row.facts, Occasion)
        telling = Telling(occasion=occasion, receiver=row.receiver, notifier=row.notifier)
        if row.receiver not in context.configuration.receivers:
            _drop(context, telling, row.id)
        elif not any(one.covers(occasion) for one in in_force):
            newest[row.subject, row.receiver] = telling
    going = [_released(context, telling) for telling in newest.values()]
    posted = Posting(post)(context, going)
    _keep_held(context, posted)
    return len(posted)


def _drop(context: Context, telling: Telling, row: int) -> None:
    """Nobody waits for it any more: the receiver has left the configuration while it was held."""
    context.conn.execute(t.pending_message.delete().where(t.pending_message.c.id == row))
    journal(context, telling, "failed", f"receiver {telling.receiver!r} is no longer in the configuration")


def _released(context: Context, telling: Telling) -> Telling:
    """Out of the held ones; the others of its subject are folded into it."""
    table, occasion = t.pending_message, telling.occasion
    context.conn.execute(
        table.delete().where(
            table.c.subject == occasion.subject,
            table.c.receiver == telling.receiver,
            table.c.number == occasion.number,
        )
    )
    present = msgspec.structs.replace(telling, occasion=_at_present(context, occasion))
    return _folded(context, present)


def _at_present(context: Context, occasion: Occasion) -> Occasion:
    """What is said of the time to come is said from the moment of release, and by whom it was taken meanwhile."""
    extra = dict(occasion.extra)
    waited = context.now - occasion.at
    if (until := extra.get("acknowledge_by")) is not None:
        extra["acknowledge_by"] = (datetime.fromisoformat(until) + waited).isoformat()
    if (at := extra.get("next_update")) is not None and datetime.fromisoformat(at) <= context.now:
        del extra["next_update"]
    if by := _taken_by(context.conn, occasion):
        extra.pop("acknowledge_by", None)
        extra["acknowledged_by"] = by
    return msgspec.structs.replace(occasion, extra=extra)


def _taken_by(conn: sa.Connection, occasion: Occasion) -> str | None:
    taken = sa.select(t.incident.c.acknowledged_by).where(t.incident.c.id == occasion.incident)
    by: str | None = conn.execute(taken).scalar_one_or_none() if occasion.incident is not None else None
    return by


def _keep_held(context: Context, posted: Sequence[Telling]) -> None:
    """What waited since before a restore waits on, now for a person: ``sturmwarte mail release``."""
    moment = restored_at(context.conn)
    for telling in posted:
        if moment is not None and telling.occasion.at <= moment:
            this = (t.outbox.c.subject == telling.occasion.subject, t.outbox.c.number == telling.occasion.number)
            mine = t.outbox.c.receiver == telling.receiver
            context.conn.execute(t.outbox.update().where(*this, mine).values(state=OutboxState.HELD))


def journal(context: Context, telling: Telling, kind: str, text: str) -> None:
    """What became of a message that is not sent as it was meant."""
    context.conn.execute(
        t.journal.insert().values(
            at=context.now,
            kind=kind,
            subject=telling.occasion.subject,
            number=telling.occasion.number,
            receiver=telling.receiver,
            notifier=telling.notifier,
            text=text,
        )
    )
