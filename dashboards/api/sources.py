"""``/api/sources``: how every source stands."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from crawlers.facts import facts, manners
from dashboards.api.answers import RESPONSES, HouseHere, Problem, as_row, json_answer
from pipeline.state.sources import SourceRow, list_sources, recent_fetches

router = APIRouter(prefix="/api/sources", tags=["sources"], responses=RESPONSES)


@router.get("")
def every(house: HouseHere) -> Response:
    """All sources."""
    with house.state().read() as connection:
        return json_answer({"sources": [_row(house, row) for row in list_sources(connection)]})


@router.get("/{identifier}")
def one(house: HouseHere, identifier: str, limit: Annotated[int, Query(ge=1, le=500)] = 50) -> Response:
    """One source with its last fetches."""
    with house.state().read() as connection:
        found = [row for row in list_sources(connection) if row.id == identifier]
        if not found:
            raise Problem(404, f"no source {identifier}", "identifier")
        row = _row(house, found[0])
        row |= facts(connection, found[0], house.load().sources.get(identifier), house.clock.now())
        fetches = [as_row(row) for row in recent_fetches(connection, identifier, limit)]
    return json_answer(row | {"fetches": fetches})


def _row(house: HouseHere, row: SourceRow) -> dict[str, Any]:
    """A source with its pace and what is to be minded there."""
    configuration, now = house.load(), house.clock.now()
    return as_row(row) | manners(row, configuration.sources.get(row.id), now)
