"""What one look leaves in the state database, in the caller's transaction, and what is to be told of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from alerts import books
from alerts.incidents import WHO, Incident, get_incident, record
from alerts.look import Look, ending, evaluation, extra, incident_row
from alerts.message import MessageKind, Occasion, subject_of
from pipeline.i18n import Speech
from pipeline.mention import Mention
from pipeline.state import tables as t


def enter(conn: sa.Connection, look: Look, speech: Speech) -> tuple[int | None, list[Occasion]]:
    """Write everything down; the number of the incident, if there is one, and the occasions to be told."""
    _rules(conn, look)
    occasions = [_owed(conn, incident, look) for incident in look.books.owed]
    number = _incident(conn, look, speech)
    _alerts(conn, look, number)
    if look.decision is not None and number is not None and look.decision.kind is not None:
        occasions.append(_occasion(conn, look, number))
    return number, occasions


def _rules(conn: sa.Connection, look: Look) -> None:
    for name, until in look.fed.items():
        books.write_fed(conn, name, look.rules[name].version, look.brand, until, look.books.fed[name])
    for name, blob in look.blobs.items():
        version, new = look.rules[name].version, name not in look.books.blobs
        books.write_blob(conn, name, version, look.brand, blob, look.now, new=new)
    if look.decision is not None and look.decision.memory != look.books.remembered:
        blob, new = msgspec.json.encode(look.decision.memory), look.books.memory is None
        books.write_blob(conn, books.MEMORY, books.MEMORY_VERSION, look.brand, blob, look.now, new=new)


def _alerts(conn: sa.Connection, look: Look, number: int | None) -> None:
    for name, alert in look.alerts:
        if books.known_alerts(conn, name, look.brand, [alert.key]):
            continue
        facts = msgspec.to_builtins(alert)
        row = {"rule": name, "stream": look.brand, "key": alert.key, "version": alert.version}
        conn.execute(t.alert.insert().values(**row, brand=look.brand, at=look.now, incident=number, facts=facts))


def _incident(conn: sa.Connection, look: Look, speech: Speech) -> int | None:
    """Incident, members, evaluation and history; its number, if there is one."""
    decision, incident = look.decision, look.books.incident
    if decision is None:
        return None
    number = incident.id if incident else None
    if decision.level is not None:
        row = incident_row(look)
        if number is None:
            made = conn.execute(t.incident.insert().values(**row))
            number = int(made.inserted_primary_key[0])  # type: ignore[index]
        else:
            conn.execute(t.incident.update().where(t.incident.c.id == number).values(**row))
        _join(conn, number, look.members, look.now)
        _history(conn, number, look, speech)
    if look.force is not None:
        _record(conn, look, number)
    return number


def _join(conn: sa.Connection, number: int, members: Sequence[Mention], now: datetime) -> None:
    """Store membership; who belongs already stays with the time of joining."""
    table = t.incident_member
    known = set(conn.execute(sa.select(table.c.uid).where(table.c.incident == number)).scalars())
    new = sorted({mention.uid for mention in members} - known)
    if new:
        conn.execute(table.insert(), [{"incident": number, "uid": uid, "since": now} for uid in new])


def _history(conn: sa.Connection, number: int, look: Look, speech: Speech) -> None:
    decision, before = look.decision, look.books.incident
    assert decision is not None
    if decision.kind is None:
        return
    kind = "opened" if before is None else str(decision.kind)
    numbers = {
        "level": decision.level or 0,
        "previous": before.level if before else 0,
        "persons": look.signs.persons if look.signs else 0,
        "query": look.query,
    }
    record(conn, number, kind, WHO, speech.say(f"rules.event.{kind}", **numbers), look.now, **numbers)
    audit = {"at": look.now, "who": WHO, "what": f"incident.{kind}", "details": {"incident": number}}
    conn.execute(t.audit.insert().values(**audit))


def _record(conn: sa.Connection, look: Look, number: int | None) -> None:
    facts = evaluation(look)
    row = {"rule": facts["entry"], "version": facts["rule_version"] or 0, "brand": look.brand}
    conn.execute(t.evaluation.insert().values(**row, at=look.now, incident=number, level=look.level, facts=facts))


def _occasion(conn: sa.Connection, look: Look, number: int) -> Occasion:
    decision, before, incident = look.decision, look.books.incident, get_incident(conn, number)
    assert decision is not None and decision.kind is not None
    rule = look.leading
    return Occasion(
        subject=subject_of(incident=number),
        number=incident.transitions,
        kind=decision.kind,
        at=look.now,
        brand=look.brand,
        level=decision.level,
        previous_level=before.level if before else None,
        incident=number,
        facts=look.facts and msgspec.structs.replace(look.facts, incident=number),
        rule=rule,
        rule_version=look.rules[rule].version if rule in look.rules else None,
        counted_until=look.counted_until,
        extra=extra(look, incident),
    )


def _owed(conn: sa.Connection, incident: Incident, look: Look) -> Occasion:
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
        extra=ending(incident),
    )


def first_message(conn: sa.Connection, number: int) -> None:
    """Once messages are in the outbox: references of later ones name the incident's first."""
    first = (
        sa.select(t.outbox.c.message_id)
        .where(t.outbox.c.subject == subject_of(incident=number))
        .order_by(t.outbox.c.number, t.outbox.c.id)
        .limit(1)
        .scalar_subquery()
    )
    mine = (t.incident.c.id == number, t.incident.c.first_message_id.is_(None))
    conn.execute(t.incident.update().where(*mine).values(first_message_id=first))
