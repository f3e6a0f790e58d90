"""``/api/results``: ranked result lists, and what changed in them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from dashboards.api.answers import RESPONSES, HouseHere, json_answer
from dashboards.rankings import rankings
from pipeline.ranks import document

router = APIRouter(prefix="/api/results", tags=["results"], responses=RESPONSES)


@router.get("")
def every(house: HouseHere, query: Annotated[str, Query(description="One query only.")] = "") -> Response:
    """The latest list of every query, compared with the last whole one before it."""
    return json_answer({"results": [document(one) for one in rankings(house, query, house.clock.now())]})
