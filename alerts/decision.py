"""What becomes of a brand's incident after one evaluation: opened, raised, lowered, resolved, told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from alerts.books import Memory
from alerts.incidents import Incident
from alerts.message import MessageKind
from alerts.rule import Alert
from alerts.windforce import UPDATE_AFTER, Calm, Force, Signs, settle

SURE_DAYS = 100.0
"""So rare a surge needs no second look; what has been watched for less than ten days cannot say so."""
PENDING_FOR = timedelta(hours=1)
"""A first look is forgotten after so long."""
CALM_FOR = timedelta(hours=3)
KEYWORD_HOLDS = timedelta(hours=4)
KEYWORD_AGAIN = timedelta(hours=1)
"""A keyword that keeps coming up is told so often at most."""
ALL_CLEAR_LEVEL = 1
"""The all clear is given from this level down."""


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One evaluation of a brand."""

    incident: Incident | None
    memory: Memory
    surge: Alert | None
    """The rarest alert of rules that count."""
    tripwires: Sequence[Alert] = ()
    """New alerts about single mentions."""
    signs: Signs
    force: Force
    now: datetime
    blind: bool = False
    """A source is blind: inhibits lowering and the all clear, never a rise."""
    end: datetime | None = None
    """End of the window that is counted."""
    restored: datetime | None = None
    """When the data folder was restored from a backup."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be written. ``level`` is that of the incident afterwards; without one there is no incident."""

    memory: Memory
    level: int | None = None
    resolve: bool = False
    kind: MessageKind | None = None
    """The transition, if there is something to tell."""


def decide(given: Input) -> Decision:
    """The next state of the incident and what is told."""
    memory = _remember(given)
    if given.incident is None:
        return _maybe_open(given, memory)
    return _go_on(given, given.incident, memory)


def _remember(given: Input) -> Memory:
    """The memory with this evaluation in it, before any decision."""
    memory = msgspec.structs.replace(given.memory, evaluated=given.now)
    hint = max((alert.level_hint for alert in given.tripwires), default=0)
    if hint:
        floor = max(hint, _floor(memory, given.now))
        memory = msgspec.structs.replace(memory, floor=floor, floor_until=given.now + KEYWORD_HOLDS)
    if given.surge and given.surge.return_period_days is not None:
        rarest = max(memory.rarest_days or 0.0, given.surge.return_period_days)
        memory = msgspec.structs.replace(memory, rarest_days=rarest)
    return memory


def _floor(memory: Memory, now: datetime) -> int:
    return memory.floor if memory.floor_until and now < memory.floor_until else 0


def _maybe_open(given: Input, memory: Memory) -> Decision:
    if given.tripwires:
        level = max(_floor(memory, given.now), given.force.level if given.surge else 0)
        return _opened(given, memory, level, MessageKind.KEYWORD)
    if given.surge is None:
        return Decision(memory=msgspec.structs.replace(memory, pending=None))
    if not _confirmed(given.surge, memory, given.now):
        return Decision(memory=msgspec.structs.replace(memory, pending=given.now))
    return _opened(given, memory, max(1, given.force.level), MessageKind.NEW)


def _confirmed(surge: Alert, memory: Memory, now: datetime) -> bool:
    """Seen a second time, or too rare to doubt."""
    again = memory.pending is not None and memory.pending < now <= memory.pending + PENDING_FOR
    return again or (surge.return_period_days or 0.0) >= SURE_DAYS


def _opened(given: Input, memory: Memory, level: int, kind: MessageKind) -> Decision:
    fresh = msgspec.structs.replace(memory, pending=None, calm=Calm(), calm_since=None)
    return Decision(memory=_told(given, fresh, kind), level=level, kind=kind)


def _go_on(given: Input, incident: Incident, memory: Memory) -> Decision:
    floor = _floor(memory, given.now)
    level, calm = settle(incident.level, given.force, memory.calm, given.now, blind=given.blind)
    level = max(level, min(incident.level, floor), floor if given.tripwires else 0)
    since = _calm_since(given, memory, floor)
    memory = msgspec.structs.replace(memory, calm=calm, calm_since=since)
    if since and given.now - since >= CALM_FOR and level <= ALL_CLEAR_LEVEL:
        return Decision(memory=Memory(), level=0, resolve=True, kind=MessageKind.ALL_CLEAR)
    kind = _kind(given, incident, memory, level)
    return Decision(memory=_told(given, memory, kind) if kind else memory, level=level, kind=kind)


def _calm_since(given: Input, memory: Memory, floor: int) -> datetime | None:
    """Since when nothing fires and criticism is below twice the usual."""
    calm = given.surge is None and not floor and given.signs.observed < max(3.0, 2 * given.signs.expected)
    return (memory.calm_since or given.now) if calm and not given.blind else None


def _kind(given: Input, incident: Incident, memory: Memory, level: int) -> MessageKind | None:
    if level > incident.level:
        return MessageKind.UP
    if level < incident.level:
        return MessageKind.DOWN
    quiet_until = memory.told_keyword + KEYWORD_AGAIN if memory.told_keyword else given.now
    if given.tripwires and given.now >= quiet_until:
        return MessageKind.KEYWORD
    due = memory.told_at is not None and given.now - memory.told_at >= UPDATE_AFTER[level]
    changed = due and given.signs.persons != memory.told_persons
    return MessageKind.UPDATE if changed or _passes_restore(given, memory) else None


def _passes_restore(given: Input, memory: Memory) -> bool:
    """The first look beyond the moment of restoring: what was evaluated without mail, and goes on, is told now."""
    if given.restored is None or given.end is None or memory.last_end is None:
        return False
    return memory.last_end <= given.restored < given.end


def _told(given: Input, memory: Memory, kind: MessageKind) -> Memory:
    keyword = given.now if kind is MessageKind.KEYWORD else memory.told_keyword
    return msgspec.structs.replace(memory, told_at=given.now, told_persons=given.signs.persons, told_keyword=keyword)
