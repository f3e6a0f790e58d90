"""``/incidents`` and ``/incidents/R-0001``: what happened, what is known, what people do. Links change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse, Response

from alerts.facts import Facts
from alerts.incidents import (
    WHO,
    Evaluation,
    Event,
    Incident,
    UnknownIncident,
    evaluations,
    events,
    get_incident,
    incident_name,
    incident_number,
    list_incidents,
    members,
)
from alerts.silences import active
from dashboards.acting import ACTIONS, act_on
from dashboards.house import NotReady
from dashboards.reader import FormHere, Reader, ReaderHere, field, remember_name
from dashboards.searching import LARGEST
from dashboards.situations import situation
from dashboards.web.mentions import rows_of
from dashboards.web.rendering import back, page
from dashboards.web.verdict import card_of
from pipeline.query.tree import EVERYTHING
from pipeline.reasons import in_words
from pipeline.state.tables import journal, outbox

router = APIRouter(include_in_schema=False)

SHOWN_MEMBERS, SHOWN_EVALUATIONS = 20, 12


@router.get("/incidents", response_class=HTMLResponse)
def show(reader: ReaderHere) -> HTMLResponse:
    """All incidents, open ones first, strongest first."""
    try:
        with reader.house.state().read() as connection:
            every = list_incidents(connection, open_only=False)
    except NotReady:
        return page(reader, "waiting.html")
    running = sorted((one for one in every if one.resolved is None), key=lambda one: (-one.level, -one.id))
    closed = sorted((one for one in every if one.resolved is not None), key=lambda one: -one.id)
    return page(reader, "incidents.html", running=running, closed=closed, name_of=incident_name)


@router.get("/incidents/{name}", response_class=HTMLResponse)
def show_one(reader: ReaderHere, name: str) -> HTMLResponse:
    """One incident; with ``?action=`` the question whether that is to be done, and nothing else."""
    number, incident = incident_of(reader, name)
    asked = reader.request.query_params.get("action", "").replace("-", "_")
    facts = facts_of(reader, incident)
    store = reader.house.store()
    with reader.house.state().read() as connection:
        history = events(connection, number)
        uids = sorted(members(connection, number))
        silences = [one for one in active(connection, reader.now) if one.incident == number]
        judged = evaluations(connection, number, limit=SHOWN_EVALUATIONS)
        messages = sent_messages(connection, number)
    mentions = sorted(store.get(uids[:2000]).values(), key=lambda mention: (mention.event_time, mention.uid))
    return page(
        reader,
        "incident.html",
        incident=incident,
        name=incident_name(number),
        card=card_of(reader, facts) if facts else None,
        asked=asked if asked in ACTIONS else None,
        history=history,
        members=len(uids),
        rows=rows_of(reader, store, EVERYTHING, tuple(mentions[-SHOWN_MEMBERS:][::-1])),
        silences=silences,
        evaluations=judged,
        messages=messages,
        event_words=lambda event: event_words(reader, event),
        message_words=lambda row: message_words(reader, row),
        message_remark=lambda row: message_remark(reader, row),
        persons_span=lambda one: span_words(reader, window_width(one)),
        posts_span=lambda one: span_words(reader, posts_width(one)),
        figure=lambda value: "–" if value is None else reader.speech.number(value),
        receiver_name=lambda receiver: receiver_name(reader, receiver),
    )


def window_width(one: Evaluation) -> timedelta | None:
    """Over how long persons were counted; None where it was not recorded."""
    start, end = one.facts.get("window_start"), one.facts.get("window_end")
    return datetime.fromisoformat(end) - datetime.fromisoformat(start) if start and end else None


def posts_width(one: Evaluation) -> timedelta | None:
    """Over how long posts were counted: a rule may look at less than the window whose persons are shown."""
    minutes = one.facts.get("counted_minutes")
    return None if minutes is None else timedelta(minutes=minutes)


def span_words(reader: Reader, width: timedelta | None) -> str:
    """“in 3 Stunden”; nothing where it is not known."""
    return "" if width is None else reader.speech.say("pages.incident.in_span", span=width)


def event_words(reader: Reader, event: Event) -> str:
    """One line of the history: what happened, and a person's words about it; our own words once."""
    if event.kind == "note":
        return event.text
    said = phrase(reader, f"rules.event.{event.kind}", event.kind, event.details)
    return said if event.by == WHO or not event.text else f"{said}: {event.text}"


def message_words(reader: Reader, row: sa.Row[Any]) -> str:
    """Of which kind a message is, and what became of it."""
    kinds = (row.text, row.kind) if row.kind in ("composed", "held") and row.text else (row.what, row.kind)
    return ", ".join(phrase(reader, f"pages.message.{kind}", kind, {}) for kind in kinds if kind)


def message_remark(reader: Reader, row: sa.Row[Any]) -> str:
    """Why a message was not taken, or a person's reason to hold it."""
    return "" if row.kind in ("composed", "held") else in_words(row.text, reader.speech)


def phrase(reader: Reader, key: str, otherwise: str, values: Mapping[str, Any]) -> str:
    """The phrase of a key; where there is none, or a value is missing, the word itself."""
    try:
        return reader.speech.say(key, **values)
    except KeyError:
        return otherwise


def receiver_name(reader: Reader, receiver: str) -> str:
    """What people read for a receiver."""
    entry = reader.configuration.receivers.get(receiver)
    return (entry.name if entry else "") or receiver


def number_of(name: str) -> int:
    """1 of ``R-0001``. Raises HTTPException 404."""
    try:
        number = incident_number(name)
    except UnknownIncident:
        raise HTTPException(404) from None
    if number >= LARGEST:
        raise HTTPException(404)
    return number


def incident_of(reader: Reader, name: str) -> tuple[int, Incident]:
    """Number and incident. Raises HTTPException 404."""
    number = number_of(name)
    try:
        with reader.house.state().read() as connection:
            return number, get_incident(connection, number)
    except (NotReady, UnknownIncident):
        raise HTTPException(404) from None


def facts_of(reader: Reader, incident: Incident) -> Facts | None:
    """The numbers of the incident's brand: now while it runs, else as they were when it ended."""
    if incident.brand not in reader.configuration.brands:
        return None
    moment: datetime = reader.now if incident.resolved is None else incident.updated
    return situation(reader.house, incident.brand, moment)


def sent_messages(connection: sa.Connection, number: int) -> list[sa.Row[Any]]:
    """What was, or is to be, sent about it: (at, kind, receiver, state or journal kind, text), oldest first.

    That a try was begun is left out: what came of it follows.
    """
    subject = f"incident:{number}"
    waiting = sa.select(
        outbox.c.composed.label("at"), outbox.c.kind.label("what"), outbox.c.receiver, outbox.c.state.label("kind"),
        outbox.c.last_error.label("text"),
    ).where(outbox.c.subject == subject, outbox.c.state != "sent")  # fmt: skip
    told = sa.select(
        journal.c.at, sa.literal("").label("what"), journal.c.receiver, journal.c.kind, journal.c.text
    ).where(journal.c.subject == subject, journal.c.kind != "trying")
    return sorted([*connection.execute(told).all(), *connection.execute(waiting).all()], key=lambda row: row.at)


@router.post("/incidents/{name}/{action}")
def act(reader: ReaderHere, fields: FormHere, name: str, action: str) -> Response:
    """Do what a person asked for, and go back to the incident."""
    number, _ = incident_of(reader, name)
    by = field(fields, "by") or reader.name
    act_on(reader.house, number, action, by=by, text=field(fields, "text"), now=reader.now)
    answer = back(f"/incidents/{incident_name(number)}")
    return remember_name(answer, field(fields, "by"))
