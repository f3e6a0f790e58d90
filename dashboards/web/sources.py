"""``/sources`` and ``/sources/ID``: how every source stands, and what a person can do about it."""

from __future__ import annotations

import sqlalchemy as sa
from fastapi import APIRouter, HTTPException
from fastapi.responses import HTMLResponse, Response

from crawlers.facts import facts
from dashboards.house import NotReady
from dashboards.reader import FormHere, Reader, ReaderHere, field
from dashboards.web.rendering import back, page
from pipeline.state.sources import SourceRow, list_sources, make_due, recent_fetches, set_paused
from pipeline.state.tables import audit
from pipeline.words import SourceState

router = APIRouter(include_in_schema=False)

URGENCY = ("blind", "behind", "late", "learning", "healthy", "paused", "retired")
FETCHES = 40


@router.get("/sources", response_class=HTMLResponse)
def show(reader: ReaderHere) -> HTMLResponse:
    """All sources, those that need a person first."""
    try:
        rows = read_sources(reader)
    except NotReady:
        return page(reader, "waiting.html")
    rows = sorted(rows, key=lambda row: (URGENCY.index(str(row.state)), row.id))
    counts = {state: sum(row.state == state for row in rows) for state in URGENCY}
    return page(reader, "sources.html", sources=rows, counts=counts)


@router.get("/sources/{identifier}", response_class=HTMLResponse)
def show_one(reader: ReaderHere, identifier: str) -> HTMLResponse:
    """One source: its state, holes, and last fetches."""
    row = one_source(reader, identifier)
    with reader.house.state().read() as connection:
        fetches = recent_fetches(connection, identifier, FETCHES)
        entry = reader.house.load().sources.get(identifier)
        found = facts(connection, row, entry, reader.now)
    return page(reader, "source.html", source=row, fetches=fetches, facts=found)


def read_sources(reader: Reader) -> list[SourceRow]:
    """All sources. Raises NotReady."""
    with reader.house.state().read() as connection:
        return list_sources(connection)


def one_source(reader: Reader, identifier: str) -> SourceRow:
    """One source. Raises HTTPException 404."""
    try:
        return next(row for row in read_sources(reader) if row.id == identifier)
    except (StopIteration, NotReady):
        raise HTTPException(404) from None


@router.post("/sources/{identifier}/{action}")
def act(reader: ReaderHere, fields: FormHere, identifier: str, action: str) -> Response:
    """Pause, resume, or read now; then back to the source."""
    row = one_source(reader, identifier)
    change_source(reader, row, action)
    return back("/sources" if field(fields, "back") == "list" else f"/sources/{identifier}")


def change_source(reader: Reader, row: SourceRow, action: str) -> None:
    """Do one of ``pause``, ``resume``, ``read``, and record who did. Raises HTTPException 404, 409."""
    if action not in {"pause", "resume", "read"}:
        raise HTTPException(404)
    if row.state == SourceState.RETIRED or (action == "read" and row.state == SourceState.PAUSED):
        raise HTTPException(409, "source")
    with reader.house.state().begin() as connection:
        if action == "read":
            make_due(connection, row.id, reader.now)
        else:
            set_paused(connection, row.id, action == "pause", reader.now)
        record(connection, reader, f"source.{action}", {"source": row.id})


def record(connection: sa.Connection, reader: Reader, what: str, details: dict[str, object]) -> None:
    """One line of the audit."""
    connection.execute(sa.insert(audit).values(at=reader.now, who=reader.name, what=what, details=details))
