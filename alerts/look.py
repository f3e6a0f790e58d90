"""One look at a brand: what was read and evaluated, what was decided, and what is recorded and told of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from alerts.books import Books, Memory
from alerts.decision import Decision
from alerts.evidence import SPAN, is_negative
from alerts.facts import Facts
from alerts.incidents import Incident
from alerts.message import MessageKind
from alerts.rule import Alert, Rule, Usual
from alerts.situation import Places, last_known, trend
from alerts.voices import quoted
from alerts.windforce import ACKNOWLEDGE_WITHIN, UPDATE_AFTER, Force, Reason, Signs, held, missing
from pipeline.mention import Mention
from pipeline.words import IncidentState, SourceState


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One brand as it was read and evaluated; everything the writing transaction needs."""

    brand: str
    now: datetime
    rules: Mapping[str, Rule]
    books: Books
    places: Places
    fed: Mapping[str, Mapping[str, datetime]]
    """Rule entry → source → until, where it goes on."""
    blobs: Mapping[str, bytes]
    """Of the rules that have learned something."""
    alerts: Sequence[tuple[str, Alert]]
    """(rule entry, alert), new ones only."""
    slack: int
    """Critical posts that may still come before a rule could raise anything."""
    usual: Usual | None
    signs: Signs | None = None
    force: Force | None = None
    decision: Decision | None = None
    members: Sequence[Mention] = ()
    began: datetime | None = None
    """When the criticism began that opens an incident."""
    facts: Facts | None = None
    topic: str = ""
    """What the criticism is about, where that was looked for."""

    @property
    def surge(self) -> tuple[str, Alert] | None:
        """The rarest alert of the rules that count."""
        counted = [pair for pair in self.alerts if not pair[1].uids]
        return max(counted, key=lambda pair: pair[1].return_period_days or 0.0, default=None)

    @property
    def tripwires(self) -> list[Alert]:
        """Alerts about single mentions."""
        return [alert for _, alert in self.alerts if alert.uids]

    @property
    def surged(self) -> bool:
        """Whether all criticism of the window belongs to the incident; a tripwire alone takes its own mentions only."""
        incident = self.books.incident
        return self.surge is not None or (incident is not None and bool(incident.facts.get("surged")))

    @property
    def concerns(self) -> bool:
        """Whether there is an incident, an alert, or one that waits for confirmation."""
        books = self.books
        return bool(self.alerts) or books.incident is not None or books.remembered.pending is not None

    @property
    def blind(self) -> bool:
        """A source that has been read before is blind now."""
        return any(view.state == SourceState.BLIND and view.watermark is not None for view in self.places.views)

    @property
    def window(self) -> tuple[datetime, datetime]:
        """Over what is counted: three hours or more, to the alert's end or the newest crawled bin, never backwards."""
        memory, surge = self.books.remembered, self.surge
        going_on = self.books.incident is not None
        end = surge[1].window_end if surge else last_known(self.places.views, self.now)
        if self.tripwires:
            end = max(end, *(alert.window_end for alert in self.tripwires))
        span = max(SPAN, memory.span if going_on else SPAN)
        if surge:
            span = max(span, surge[1].window_end - surge[1].window_start)
        if going_on and memory.last_end is not None:
            end = max(end, memory.last_end)
        return end - span, end

    @property
    def level(self) -> int:
        """The level after this look; 0 without an incident."""
        return self.decision.level or 0 if self.decision else 0

    @property
    def leading(self) -> str:
        """The rule entry that speaks: of the surge, else of the first alert, else the one that opened the incident."""
        if self.surge:
            return self.surge[0]
        if self.alerts:
            return self.alerts[0][0]
        return str(self.books.incident.facts.get("entry", "")) if self.books.incident else ""

    @property
    def query(self) -> str:
        """The search of the tripwire, as written in the alert; kept with the incident for later."""
        for alert in self.tripwires:
            for _, numbers in alert.reasons:
                if "query" in numbers:
                    return str(numbers["query"])
        return str(self.books.incident.facts.get("query", "")) if self.books.incident else ""

    @property
    def counted_until(self) -> datetime:
        """End of what is told: of the mentions that tripped a wire, else of the window that was counted."""
        if self.decision is not None and self.decision.kind is MessageKind.KEYWORD:
            return max(alert.window_end for alert in self.tripwires)
        return self.window[1]


# --- what is recorded -----------------------------------------------------------------------------------------


def evaluation(look: Look) -> dict[str, Any]:
    """Observed, expected, band, reasons of a judged look. Plain data.

    Persons are those of the window; observed, expected and band are posts of its last ``counted_minutes``.
    """
    seen, earned, surge = look.signs, look.force, look.surge
    assert seen is not None and earned is not None
    start, end = look.window
    counted = surge[1].window_end - surge[1].window_start if surge else SPAN
    memory = look.decision.memory if look.decision else Memory()
    kinds = {name: rule.name for name, rule in look.rules.items()}
    entry = look.leading
    return {
        "rule": kinds.get(entry, entry),
        "rule_version": look.rules[entry].version if entry in look.rules else None,
        "entry": entry,
        "window_start": start.isoformat(),
        "window_end": end.isoformat(),
        "counted_minutes": counted // timedelta(minutes=1),
        "observed": surge[1].observed if surge else seen.observed,
        "expected": round(surge[1].expected if surge else seen.expected, 3),
        "low": surge[1].low if surge else None,
        "high": surge[1].high if surge else None,
        "persons": seen.persons,
        "earned": earned.level,
        "points": earned.points,
        "fires": bool(look.alerts),
        "return_period_days": memory.rarest_days,
        "reasons": [[key, dict(numbers)] for key, numbers in _reasons(look)],
        "next_level": [[key, dict(numbers)] for key, numbers in missing(seen, look.level)],
    }


def _reasons(look: Look) -> list[Reason]:
    found = list(look.surge[1].reasons) if look.surge else []
    if look.tripwires:
        found.append(("rules.keyword.hit", {"n": len(look.tripwires), "query": look.query}))
    memory = look.decision.memory if look.decision else Memory()
    floor = memory.floor if memory.floor_until and look.now < memory.floor_until else 0
    if look.force:
        found += look.force.reasons
        found += held(look.level, max(floor, look.force.level))
    if floor:
        found.append(("rules.level.keyword", {"query": look.query, "level": floor}))
    return found


def incident_row(look: Look) -> dict[str, Any]:
    """The columns of the incident that this look leaves behind; ``decision.level`` must be set."""
    decision, incident = look.decision, look.books.incident
    assert decision is not None and decision.level is not None
    level = decision.level
    negative = [mention for mention in look.members if is_negative(mention, look.brand)]
    told = {"entry": look.leading, "query": look.query, "surged": look.surged}
    state = incident.state if incident else IncidentState.OPEN
    return {
        "brand": look.brand,
        "state": IncidentState.RESOLVED if decision.resolve else state,
        "topic": (incident.topic if incident else "") or look.topic,
        "level": level,
        "peak": max(level, incident.peak if incident else 0),
        "trend": trend(negative, *look.window),
        "started": incident.started if incident else look.began or _first_voice(look),
        "opened": incident.opened if incident else look.now,
        "updated": look.now,
        "below_since": decision.memory.calm.below_since,
        "resolved": look.now if decision.resolve else None,
        "transitions": (incident.transitions if incident else 0) + (decision.kind is not None),
        "facts": {**(incident.facts if incident else {}), **told},
    }


def _first_voice(look: Look) -> datetime:
    """The first voice within the window that raised the alarm."""
    begin = look.surge[1].window_start if look.surge else look.window[0]
    found = [mention.fed_bin for mention in look.members if mention.fed_bin >= begin]
    return min(found, default=begin)


def incident_after(look: Look) -> Incident:
    """The incident as it will be once this look is written; number 0 where it is a new one."""
    empty = ("below_since", "acknowledged", "acknowledged_by", "resolved", "resolved_by", "first_message_id")
    base = look.books.incident
    known = msgspec.structs.asdict(base) if base else {"id": 0, **dict.fromkeys(empty)}
    return Incident(**{"false_alarm": False, "all_clear_owed": False, **known, **incident_row(look)})


# --- what is told ---------------------------------------------------------------------------------------------


def extra(look: Look, incident: Incident) -> dict[str, Any]:
    """What the message says beside the facts. ``incident`` as it was written."""
    decision = look.decision
    assert decision is not None
    if decision.resolve:
        return ending(incident)
    level = incident.level
    told: dict[str, Any] = {"topic": incident.topic, "next_update": (look.now + UPDATE_AFTER[level]).isoformat()}
    if incident.acknowledged_by:
        told["acknowledged_by"] = incident.acknowledged_by
    elif level in ACKNOWLEDGE_WITHIN:
        told["acknowledge_by"] = (look.now + ACKNOWLEDGE_WITHIN[level]).isoformat()
    if look.tripwires:
        told |= {"query": look.query, "count": len(look.tripwires), "mentions": quoted(_tripped(look))}
    return told


def _tripped(look: Look) -> list[Mention]:
    uids = {uid for alert in look.tripwires for uid in alert.uids}
    return [mention for mention in look.members if mention.uid in uids]


def ending(incident: Incident) -> dict[str, Any]:
    """What an all clear says beside the facts."""
    return {
        "started": incident.started.isoformat(),
        "peak": incident.peak,
        "false_alarm": incident.false_alarm,
        "resolved_by": incident.resolved_by,
    }
