"""``/api/situation``: the numbers of mail and page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from dashboards.api.answers import RESPONSES, HouseHere, Problem, json_answer
from dashboards.situations import situation, situations

router = APIRouter(prefix="/api/situation", tags=["situation"], responses=RESPONSES)


@router.get("")
def every(house: HouseHere, brand: Annotated[str, Query(description="One brand only.")] = "") -> Response:
    """The situation of every brand, strongest first."""
    now = house.clock.now()
    if brand and brand not in house.load().brands:
        raise Problem(404, f"no brand {brand}", "brand")
    found = [situation(house, brand, now)] if brand else situations(house, now)
    return json_answer({"at": now, "brands": found})
