"""``/``: the situation. Who has ten seconds reads the first card: how strong, which brand, how many, what is usual."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from alerts.incidents import list_incidents
from dashboards.house import NotReady
from dashboards.reader import Reader, ReaderHere
from dashboards.situations import situations
from dashboards.web.rendering import page
from dashboards.web.strip import source_rows
from dashboards.web.verdict import card_of
from pipeline.contacts import days

CONTACT_DAYS = 3
"""Newest days whose calls and letters are shown beside the criticism."""
router = APIRouter(include_in_schema=False)


@router.get("/", response_class=HTMLResponse)
def show(reader: ReaderHere) -> HTMLResponse:
    """The situation of every brand, strongest first."""
    try:
        cards = [card_of(reader, facts) for facts in situations(reader.house, reader.now)]
    except NotReady:
        return page(reader, "waiting.html")
    with reader.house.state().read() as connection:
        incidents = list_incidents(connection, open_only=True)
        contacts = days(connection, reader.house.store(), reader.configuration.timezone, limit=CONTACT_DAYS)
    incidents = sorted(incidents, key=lambda one: (one.state != "open", -one.level, one.id))
    return page(reader, "situation.html", cards=cards, incidents=incidents, sources=squares(reader), contacts=contacts)


def squares(reader: Reader) -> list[dict[str, str]]:
    """One square per source: its id, state and what a pointer reads."""
    say, name = reader.speech.say, reader.configuration.source_name
    return [
        {"id": row.id, "state": row.state, "title": f"{name(row.id)}: {say(f'state.{row.state}')}"}
        for row in source_rows(reader)
    ]
