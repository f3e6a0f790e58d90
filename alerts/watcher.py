"""The watcher: rules → alerts → incidents → messages. One tick looks at every brand and writes each in one transaction.

Read (watermarks first, counts second), evaluate, decide; then, in one transaction and only where the books are still as
read: how far sources are fed, blobs, alerts, evaluation, incident, members, history, messages. A process killed at any
moment leaves all of it or nothing; a second watcher beside this one finds the books changed and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa

from alerts import blind, books, stages
from alerts.beginning import began
from alerts.books import Books, Memory
from alerts.decision import Decision, Input, decide
from alerts.evidence import LOOKED, RECENT, SPAN, gather, is_negative, signs
from alerts.facts import Facts
from alerts.incidents import WHO, Incident, get_incident, record
from alerts.message import MessageKind, Occasion, subject_of
from alerts.posting import post as post_message
from alerts.registry import in_force
from alerts.rule import Alert, Rule, Usual
from alerts.situation import (
    Picture,
    Places,
    build,
    last_known,
    learning_rule,
    read_picture,
    read_places,
    trend,
    usual_of,
)
from alerts.turns import Alone, Turns
from alerts.voices import quoted
from alerts.windforce import ACKNOWLEDGE_WITHIN, UPDATE_AFTER, Force, Reason, Signs, force, held, missing
from pipeline.clock import Clock
from pipeline.configuration import Configuration
from pipeline.i18n import Speech
from pipeline.mention import Mention
from pipeline.state import tables as t
from pipeline.state.database import State
from pipeline.state.restored import restored_at
from pipeline.store.protocol import Store, Window
from pipeline.words import IncidentState, SourceState, ToneLabel

EVERY = timedelta(minutes=5)
"""An incident is looked at again after so long even when nothing new has been fed."""
PERSON_LIMIT = 10_000
AGE = timedelta(seconds=10)
"""Sources are read, and what they have brought is made visible, for all brands that are looked at within so long."""


def no_fault(step: str) -> None:
    """Where tests stop the watcher: read, evaluated, before_commit, after_commit."""


class TickReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one tick did."""

    brands: int = 0
    alerts: int = 0
    opened: int = 0
    resolved: int = 0
    messages: int = 0
    overtaken: int = 0
    """Brands that another watcher was faster with."""

    def plus(self, **parts: int) -> TickReport:
        return msgspec.structs.replace(self, **{name: getattr(self, name) + more for name, more in parts.items()})


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """One brand as it was read and evaluated; everything the writing transaction needs."""

    brand: str
    now: datetime
    rules: Mapping[str, Rule]
    books: Books
    picture: Picture
    fed: Mapping[str, Mapping[str, datetime]]
    blobs: Mapping[str, bytes]
    alerts: Sequence[tuple[str, Alert]]
    """(rule entry, alert), new ones only."""
    usual: Usual | None
    window: tuple[datetime, datetime]
    signs: Signs | None = None
    force: Force | None = None
    decision: Decision | None = None
    restored: datetime | None = None
    members: Sequence[Mention] = ()
    began: datetime | None = None
    """When the criticism began that opens an incident."""
    facts: Facts | None = None

    @property
    def surge(self) -> tuple[str, Alert] | None:
        """The rarest alert of the rules that count."""
        counted = [pair for pair in self.alerts if not pair[1].uids]
        return max(counted, key=lambda pair: pair[1].return_period_days or 0.0, default=None)

    @property
    def tripwires(self) -> list[Alert]:
        return [alert for _, alert in self.alerts if alert.uids]


class Watcher:
    """See the module. ``post`` composes one message and puts it into the outbox."""

    def __init__(
        self,
        configuration: Configuration,
        store: Store,
        state: State,
        clock: Clock,
        folder: Path | None = None,
        *,
        post: stages.Post = post_message,
        fault: Callable[[str], None] = no_fault,
        turns: Turns = Alone(),
    ) -> None:
        self._configuration, self._store, self._state, self._clock = configuration, store, state, clock
        self._folder, self._post, self._fault, self._turns = folder, post, fault, turns
        self._places: tuple[datetime, Places] | None = None

    def tick(self) -> TickReport:
        """Look at everything that is ours once. Where a brand fails the others are looked at first; then it is raised.

        StoreError: the store cannot answer. Nothing is ever half written.
        """
        now, self._places = self._clock.now(), None
        report = TickReport(messages=blind.look(self._configuration, self._state, now, self._post))
        failed: list[Exception] = []
        for brand in self._turns.take(list(self._configuration.brands)):
            try:
                if self._turns.keep(brand):
                    report = self._brand(brand, now, report.plus(brands=1))
            except Exception as error:
                failed.append(error)
        report = report.plus(messages=self._release(now))
        if failed:
            raise failed[0]
        return report

    def _release(self, now: datetime) -> int:
        with self._state.begin() as conn:
            return stages.release(self._context(conn, now), self._post)

    def _context(self, conn: sa.Connection, now: datetime) -> stages.Context:
        return stages.Context(conn=conn, configuration=self._configuration, now=now)

    # --- one brand --------------------------------------------------------------------------------------------

    def _brand(self, brand: str, now: datetime, report: TickReport) -> TickReport:
        rules = in_force(self._configuration, brand)
        places = self._seen()
        with self._state.read() as conn:
            found = books.read(conn, brand, rules)
            picture = read_picture(conn, self._configuration, brand, now, places)
            restored = restored_at(conn)
        self._fault("read")
        evaluated = self._evaluate(brand, now, rules, found, picture)
        look = self._judge(msgspec.structs.replace(evaluated, restored=restored))
        self._fault("evaluated")
        if not (look.fed or look.alerts or look.decision or found.owed):
            return report
        return self._write(look, report)

    def _seen(self) -> Places:
        """The sources as they stood a moment ago; what their watermarks promise is found by the counts."""
        began = self._clock.now()
        if self._places is None or began - self._places[0] >= AGE:
            with self._state.read() as conn:
                places = read_places(conn)
            self._store.refresh()  # after the watermarks were read
            self._places = began, places
        return self._places[1]

    def _evaluate(self, brand: str, now: datetime, rules: Mapping[str, Rule], found: Books, picture: Picture) -> Look:
        """Every rule on its evidence."""
        fed: dict[str, Mapping[str, datetime]] = {}
        blobs: dict[str, bytes] = {}
        alerts: list[tuple[str, Alert]] = []
        for name, rule in rules.items():
            until = found.fed[name]
            evidence = gather(self._store, brand, rule.needs, picture.views, until, now, self._configuration.zone)
            blob, raised = rule.evaluate(found.blobs.get(name), evidence, now)
            if blob is not None and blob != found.blobs.get(name):
                blobs[name] = blob
            fed |= {name: evidence.final_until} if evidence.final_until else {}
            alerts += [(name, alert) for alert in self._new(name, brand, raised)]
        usual = usual_of(self._configuration, picture)
        look = Look(
            brand=brand,
            now=now,
            rules=rules,
            books=found,
            picture=picture,
            fed=fed,
            blobs=blobs,
            alerts=[pair for pair in alerts if not _over(pair[1], found.closed)],
            usual=usual,
            window=(now, now),
        )
        return msgspec.structs.replace(look, window=_window(look))

    def _new(self, rule: str, brand: str, raised: Sequence[Alert]) -> list[Alert]:
        """Tripwires trip once; a counting alert may repeat its key while its bin is the newest."""
        keys = [alert.key for alert in raised if alert.uids]
        if not keys:
            return list(raised)
        with self._state.read() as conn:
            known = books.known_alerts(conn, rule, brand, keys)
        return [alert for alert in raised if alert.key not in known]

    def _judge(self, look: Look) -> Look:
        """Level and decision, where there is an incident, an alert, or one that waits for confirmation."""
        memory, incident = look.books.remembered, look.books.incident
        concerns = bool(look.alerts) or incident is not None or memory.pending is not None
        counted = any(set(fed) - {LOOKED} for fed in look.fed.values())
        waited = memory.evaluated is None or look.now - memory.evaluated >= EVERY
        if not concerns or not (counted or waited or look.tripwires):
            return msgspec.structs.replace(look, alerts=())
        start, end = look.window
        surge = look.surge[1] if look.surge else None
        seen = signs(
            self._store,
            look.brand,
            look.picture.views,
            look.usual,
            start,
            end,
            min_n=self._configuration.counting.min_n,
            return_period_days=surge.return_period_days if surge else None,
            loud=surge is not None and surge.return_period_days is None,
            lasting=look.now - incident.started if incident else timedelta(0),
        )
        earned = force(seen)
        decision = decide(
            Input(
                incident=incident,
                memory=memory,
                surge=surge,
                tripwires=look.tripwires,
                signs=seen,
                force=earned,
                now=look.now,
                blind=_blind(look.picture),
                end=end,
                restored=look.restored,
            )
        )
        decision = msgspec.structs.replace(
            decision,
            memory=msgspec.structs.replace(decision.memory, span=end - start, last_end=end)
            if decision.level is not None and not decision.resolve
            else decision.memory,
        )
        judged = msgspec.structs.replace(look, signs=seen, force=earned, decision=decision)
        return self._described(judged)

    def _described(self, look: Look) -> Look:
        """With the mentions that belong to it and, where something is told, the facts."""
        decision = look.decision
        if decision is None or decision.level is None:
            return look
        start, end = look.window
        window = Window(brand=look.brand, start=start, end=end, tone=ToneLabel.NEGATIVE)
        members = list(self._store.in_window(window, limit=PERSON_LIMIT)) if _surged(look) else []
        tripped = [uid for alert in look.tripwires for uid in alert.uids]
        known = {mention.uid for mention in members}
        members += [mention for uid, mention in sorted(self._store.get(tripped).items()) if uid not in known]
        look = msgspec.structs.replace(look, members=members, began=self._began(look))
        if decision.kind is None:
            return look
        return msgspec.structs.replace(
            look, facts=build(self._configuration, self._store, self._future(look), look.now)
        )

    def _began(self, look: Look) -> datetime | None:
        """Of a surge that opens an incident: when the unusual criticism set in."""
        if look.books.incident is not None or look.surge is None:
            return None
        alert = look.surge[1]
        window = Window(
            brand=look.brand, start=alert.window_end - RECENT, end=alert.window_end, tone=ToneLabel.NEGATIVE
        )
        voices = [mention.fed_bin for mention in self._store.in_window(window, limit=PERSON_LIMIT)]
        return began(voices, look.usual, look.picture.views, alert.window_start, alert.window_end)

    def _future(self, look: Look) -> Picture:
        """The picture as it will be once this look is written."""
        row = _incident_row(look)
        base = look.books.incident
        number = base.id if base else 0
        incident = Incident(**{**_no_incident(), **(msgspec.structs.asdict(base) if base else {}), **row, "id": number})
        learning = learning_rule(self._configuration, look.brand)
        blob = look.blobs.get(learning[0]) if learning else None
        return msgspec.structs.replace(
            look.picture,
            incident=incident,
            evaluation=_evaluation(look),
            usual_blob=blob or look.picture.usual_blob,
        )

    # --- writing ----------------------------------------------------------------------------------------------

    def _write(self, look: Look, report: TickReport) -> TickReport:
        with self._state.begin() as conn:
            mine = self._turns.holds(conn, look.brand)
            if not mine or books.read(conn, look.brand, look.rules, lock=True) != look.books:
                return report.plus(overtaken=1)
            self._write_rules(conn, look)
            occasions = [self._owed(conn, incident, look) for incident in look.books.owed]
            number = self._write_incident(conn, look)
            self._write_alerts(conn, look, number)
            if look.decision is not None and number is not None and look.decision.kind is not None:
                occasions.append(self._occasion(conn, look, number))
            sent = stages.run(self._context(conn, look.now), occasions, self._post)
            if number is not None:
                _first_message(conn, number)
            self._fault("before_commit")
        self._fault("after_commit")
        opened = number is not None and look.books.incident is None
        resolved = look.decision is not None and look.decision.resolve
        return report.plus(alerts=len(look.alerts), opened=int(opened), resolved=int(resolved), messages=sent)

    def _write_rules(self, conn: sa.Connection, look: Look) -> None:
        for name, until in look.fed.items():
            books.write_fed(conn, name, look.rules[name].version, look.brand, until, look.books.fed[name])
        for name, blob in look.blobs.items():
            version, new = look.rules[name].version, name not in look.books.blobs
            books.write_blob(conn, name, version, look.brand, blob, look.now, new=new)
        if look.decision is not None and look.decision.memory != look.books.remembered:
            blob, new = msgspec.json.encode(look.decision.memory), look.books.memory is None
            books.write_blob(conn, books.MEMORY, books.MEMORY_VERSION, look.brand, blob, look.now, new=new)

    def _write_alerts(self, conn: sa.Connection, look: Look, number: int | None) -> None:
        for name, alert in look.alerts:
            if books.known_alerts(conn, name, look.brand, [alert.key]):
                continue
            facts = msgspec.to_builtins(alert)
            row = {"rule": name, "stream": look.brand, "key": alert.key, "version": alert.version}
            conn.execute(t.alert.insert().values(**row, brand=look.brand, at=look.now, incident=number, facts=facts))

    def _write_incident(self, conn: sa.Connection, look: Look) -> int | None:
        """Incident, members, evaluation and history; its number, if there is one."""
        decision, incident = look.decision, look.books.incident
        if decision is None:
            return None
        number = incident.id if incident else None
        if decision.level is not None:
            row = _incident_row(look)
            if incident is None:
                made = conn.execute(t.incident.insert().values(**{**row, **_opening(look)}))
                number = int(made.inserted_primary_key[0])  # type: ignore[index]
            else:
                conn.execute(t.incident.update().where(t.incident.c.id == number).values(**row))
            assert number is not None
            _join(conn, number, look.members, look.now)
            self._history(conn, number, look)
        if look.force is not None:
            _record_evaluation(conn, look, number)
        return number

    def _history(self, conn: sa.Connection, number: int, look: Look) -> None:
        decision, before = look.decision, look.books.incident
        assert decision is not None
        if decision.kind is None:
            return
        kind = "opened" if before is None else str(decision.kind)
        speech = Speech(self._configuration.language, self._configuration.timezone)
        numbers = {
            "level": decision.level or 0,
            "previous": before.level if before else 0,
            "persons": look.signs.persons if look.signs else 0,
            "query": _query(look),
        }
        record(conn, number, kind, WHO, speech.say(f"rules.event.{kind}", **numbers), look.now, **numbers)
        _audit(conn, f"incident.{kind}", number, look.now)

    def _occasion(self, conn: sa.Connection, look: Look, number: int) -> Occasion:
        decision, before, incident = look.decision, look.books.incident, get_incident(conn, number)
        assert decision is not None and decision.kind is not None
        rule = _leading(look)
        facts = look.facts and msgspec.structs.replace(look.facts, incident=number)
        return Occasion(
            subject=subject_of(incident=number),
            number=incident.transitions,
            kind=decision.kind,
            at=look.now,
            brand=look.brand,
            level=decision.level,
            previous_level=before.level if before else None,
            incident=number,
            facts=facts,
            rule=rule,
            rule_version=look.rules[rule].version if rule in look.rules else None,
            counted_until=_counted_until(look),
            extra=_extra(look, incident),
        )

    def _owed(self, conn: sa.Connection, incident: Incident, look: Look) -> Occasion:
        """The all clear of an incident that a person resolved."""
        number = incident.transitions + 1
        told = t.incident.update().where(t.incident.c.id == incident.id)
        conn.execute(told.values(all_clear_owed=False, transitions=number))
        return Occasion(
            subject=subject_of(incident=incident.id),
            number=number,
            kind=MessageKind.ALL_CLEAR,
            at=look.now,
            brand=look.brand,
            level=0,
            previous_level=incident.level,
            incident=incident.id,
            rule=incident.facts.get("entry"),
            counted_until=incident.resolved,
            extra=_ending(incident),
        )


# --- small parts ----------------------------------------------------------------------------------------------


def _over(alert: Alert, closed: datetime | None) -> bool:
    """Whether a person has resolved what this alert still counts; words that trip a wire are always new."""
    return closed is not None and not alert.uids and alert.window_end - SPAN < closed


def _blind(picture: Picture) -> bool:
    """A source that has been read before is blind now."""
    return any(view.state == SourceState.BLIND and view.watermark is not None for view in picture.views)


def _window(look: Look) -> tuple[datetime, datetime]:
    """Over what is counted: at least three hours, to the alert's end or to the newest crawled bin, never backwards."""
    memory, surge = look.books.remembered, look.surge
    going_on = look.books.incident is not None
    end = surge[1].window_end if surge else last_known(look.picture.views, look.now)
    if look.tripwires:
        end = max(end, *(alert.window_end for alert in look.tripwires))
    span = max(SPAN, memory.span if going_on else SPAN)
    if surge:
        span = max(span, surge[1].window_end - surge[1].window_start)
    if going_on and memory.last_end is not None:
        end = max(end, memory.last_end)
    return end - span, end


def _reasons(look: Look) -> list[Reason]:
    alerts = [look.surge[1]] if look.surge else []
    found = [reason for alert in alerts for reason in alert.reasons]
    if look.tripwires:
        found.append(("rules.keyword.hit", {"n": len(look.tripwires), "query": _query(look)}))
    memory = look.decision.memory if look.decision else Memory()
    floor = memory.floor if memory.floor_until and look.now < memory.floor_until else 0
    if look.force:
        found += look.force.reasons
        found += held(_level(look), max(floor, look.force.level))
    if floor:
        found.append(("rules.level.keyword", {"query": _query(look), "level": floor}))
    return found


def _level(look: Look) -> int:
    """The level after this look; 0 without an incident."""
    return look.decision.level or 0 if look.decision else 0


def _query(look: Look) -> str:
    """The search of the tripwire, as written in the alert; kept with the incident for later."""
    for alert in look.tripwires:
        for _, numbers in alert.reasons:
            if "query" in numbers:
                return str(numbers["query"])
    incident = look.books.incident
    return str(incident.facts.get("query", "")) if incident else ""


def _evaluation(look: Look) -> dict[str, Any]:
    """What is recorded: observed, expected, band, reasons. Plain data."""
    seen, earned, surge = look.signs, look.force, look.surge
    assert seen is not None and earned is not None
    start, end = look.window
    memory = look.decision.memory if look.decision else Memory()
    kinds = {name: rule.name for name, rule in look.rules.items()}
    entry = _leading(look)
    return {
        "rule": kinds.get(entry, entry),
        "rule_version": look.rules[entry].version if entry in look.rules else None,
        "entry": entry,
        "window_start": start.isoformat(),
        "window_end": end.isoformat(),
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
        "next_level": [[key, dict(numbers)] for key, numbers in missing(seen, _level(look))],
    }


def _leading(look: Look) -> str:
    """The rule entry that speaks: of the surge, else of the first alert, else the one that opened the incident."""
    if look.surge:
        return look.surge[0]
    return look.alerts[0][0] if look.alerts else _entry(look)


def _entry(look: Look) -> str:
    incident = look.books.incident
    return str(incident.facts.get("entry", "")) if incident else ""


def _surged(look: Look) -> bool:
    """Whether all criticism of the window belongs to the incident; a tripwire alone takes its own mentions only."""
    incident = look.books.incident
    return look.surge is not None or (incident is not None and bool(incident.facts.get("surged")))


def _no_incident() -> dict[str, Any]:
    empty = ("below_since", "acknowledged", "acknowledged_by", "resolved", "resolved_by", "first_message_id")
    return dict.fromkeys(empty) | {"false_alarm": False, "all_clear_owed": False, "topic": ""}


def _opening(look: Look) -> dict[str, Any]:
    return {"brand": look.brand, "opened": look.now}


def _incident_row(look: Look) -> dict[str, Any]:
    """The columns that an evaluation changes."""
    decision, incident = look.decision, look.books.incident
    assert decision is not None and decision.level is not None
    level = decision.level
    start, end = look.window
    negative = [mention for mention in look.members if is_negative(mention, look.brand)]
    first = look.began or _first_voice(look)
    state = incident.state if incident else IncidentState.OPEN
    facts = {**(incident.facts if incident else {}), "entry": _leading(look), "query": _query(look)}
    facts["surged"] = _surged(look)
    return {
        "brand": look.brand,
        "state": IncidentState.RESOLVED if decision.resolve else state,
        "level": level,
        "peak": max(level, incident.peak if incident else 0),
        "trend": trend(negative, start, end),
        "started": incident.started if incident else first,
        "opened": incident.opened if incident else look.now,
        "updated": look.now,
        "below_since": decision.memory.calm.below_since,
        "resolved": look.now if decision.resolve else None,
        "transitions": (incident.transitions if incident else 0) + (decision.kind is not None),
        "facts": facts,
    }


def _first_voice(look: Look) -> datetime:
    """The first voice within the window that raised the alarm."""
    begin = look.surge[1].window_start if look.surge else look.window[0]
    found = [mention.fed_bin for mention in look.members if mention.fed_bin >= begin]
    return min(found, default=begin)


def _join(conn: sa.Connection, number: int, members: Sequence[Mention], now: datetime) -> None:
    """Store membership; who belongs already stays with the time of joining."""
    table = t.incident_member
    known = set(conn.execute(sa.select(table.c.uid).where(table.c.incident == number)).scalars())
    new = sorted({mention.uid for mention in members} - known)
    if new:
        conn.execute(table.insert(), [{"incident": number, "uid": uid, "since": now} for uid in new])


def _record_evaluation(conn: sa.Connection, look: Look, number: int | None) -> None:
    facts = _evaluation(look)
    level = _level(look)
    row = {"rule": facts["entry"], "version": facts["rule_version"] or 0, "brand": look.brand}
    conn.execute(t.evaluation.insert().values(**row, at=look.now, incident=number, level=level, facts=facts))


def _first_message(conn: sa.Connection, number: int) -> None:
    """References of later messages name the incident's first."""
    first = (
        sa.select(t.outbox.c.message_id)
        .where(t.outbox.c.subject == subject_of(incident=number))
        .order_by(t.outbox.c.number, t.outbox.c.id)
        .limit(1)
        .scalar_subquery()
    )
    mine = (t.incident.c.id == number, t.incident.c.first_message_id.is_(None))
    conn.execute(t.incident.update().where(*mine).values(first_message_id=first))


def _extra(look: Look, incident: Incident) -> dict[str, Any]:
    """What the message says beside the facts."""
    decision = look.decision
    assert decision is not None
    if decision.resolve:
        return _ending(incident)
    level = incident.level
    extra: dict[str, Any] = {"topic": incident.topic, "next_update": (look.now + UPDATE_AFTER[level]).isoformat()}
    if incident.acknowledged_by:
        extra["acknowledged_by"] = incident.acknowledged_by
    elif level in ACKNOWLEDGE_WITHIN:
        extra["acknowledge_by"] = (look.now + ACKNOWLEDGE_WITHIN[level]).isoformat()
    if look.tripwires:
        extra |= {"query": _query(look), "count": len(look.tripwires), "mentions": quoted(_tripped(look))}
    return extra


def _counted_until(look: Look) -> datetime:
    """End of what is told: of the mentions that tripped a wire, else of the window that was counted."""
    decision = look.decision
    if decision is not None and decision.kind is MessageKind.KEYWORD:
        return max(alert.window_end for alert in look.tripwires)
    return look.window[1]


def _tripped(look: Look) -> list[Mention]:
    uids = {uid for alert in look.tripwires for uid in alert.uids}
    return [mention for mention in look.members if mention.uid in uids]


def _ending(incident: Incident) -> dict[str, Any]:
    return {
        "started": incident.started.isoformat(),
        "peak": incident.peak,
        "false_alarm": incident.false_alarm,
        "resolved_by": incident.resolved_by,
    }


def _audit(conn: sa.Connection, what: str, number: int, now: datetime) -> None:
    conn.execute(t.audit.insert().values(at=now, who=WHO, what=what, details={"incident": number}))
