"""What a batch comes to, before any engine writes it: every reading joined to what is stored, revisions numbered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from pipeline.mention import Mention, join, same_content


@dataclass(frozen=True, slots=True)
class Change:
    """From one stored state of a mention to the next. ``old`` None: it was not known; ``keep``: ``old`` is history."""

    old: Mention | None
    new: Mention
    keep: bool = False


@dataclass(slots=True)
class Plan:
    """The changes of a batch, and its uids by what becomes of them."""

    changes: list[Change] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    revised: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)


def planned(batch: Sequence[Mention], stored: Mapping[str, Mention], now: datetime) -> Plan:
    """Join a batch to what is stored; ``now`` is the clock read inside the write."""
    merged: dict[str, Mention] = {}
    for incoming in batch:
        known = merged.get(incoming.uid) or stored.get(incoming.uid)
        merged[incoming.uid] = join(known, incoming)
    plan = Plan()
    for uid, mention in merged.items():
        _plan_one(plan, stored.get(uid), mention, now)
    return plan


def _plan_one(plan: Plan, old: Mention | None, joined: Mention, now: datetime) -> None:
    if old is None:
        plan.created.append(joined.uid)
        plan.changes.append(Change(None, replace(joined, revision=1, known_from=now)))
    elif same_content(old, joined):
        plan.unchanged.append(joined.uid)
        if joined != old:  # looked at again: remembered, but no revision
            plan.changes.append(Change(old, joined))
    else:
        plan.revised.append(joined.uid)
        plan.changes.append(Change(old, revised(old, joined, now), keep=True))


def revised(old: Mention, mention: Mention, now: datetime) -> Mention:
    """The mention as the revision after ``old``; its time never lies before that of ``old``."""
    return replace(mention, revision=old.revision + 1, known_from=max(now, old.known_from or now))
