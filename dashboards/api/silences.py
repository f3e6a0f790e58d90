"""``/api/silences``: what is kept quiet, by whom, why and until when."""

from __future__ import annotations

from datetime import timedelta

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import Field

from alerts.silences import active, add, end
from dashboards.api.answers import RESPONSES, Body, HouseHere, Problem, as_row, json_answer, only_json

router = APIRouter(prefix="/api/silences", tags=["silences"], responses=RESPONSES)


class SilenceBody(Body):
    """A silence of a brand, a rule, or both."""

    brand: str | None = None
    rule: str | None = None
    by: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1)
    hours: float = Field(gt=0, le=24 * 30)


class EndBody(Body):
    """Who ends it."""

    by: str = Field("api", min_length=1, max_length=200)


@router.get("")
def every(house: HouseHere) -> Response:
    """All that hold now."""
    with house.state().read() as connection:
        rows = [as_row(one) for one in active(connection, house.clock.now())]
    return json_answer({"silences": rows})


@router.post("", dependencies=[Depends(only_json)])
def begin(house: HouseHere, body: SilenceBody) -> Response:
    """Keep quiet about a brand or a rule for some hours."""
    configuration, now = house.load(), house.clock.now()
    if body.brand is None and body.rule is None:
        raise Problem(422, "name a brand or a rule", "brand")
    if body.brand is not None and body.brand not in configuration.brands:
        raise Problem(422, f"no brand {body.brand}", "brand")
    if body.rule is not None and body.rule not in configuration.rules:
        raise Problem(422, f"no rule {body.rule}", "rule")
    ends = now + timedelta(hours=body.hours)
    add(
        house.state(),
        brand=body.brand,
        rule=body.rule,
        incident=None,
        by=body.by,
        reason=body.reason,
        ends=ends,
        now=now,
    )
    return every(house)


@router.post("/{identifier}/end", dependencies=[Depends(only_json)])
def finish(house: HouseHere, identifier: int, body: EndBody) -> Response:
    """End a silence now."""
    now = house.clock.now()
    with house.state().read() as connection:
        if identifier not in {one.id for one in active(connection, now)}:
            raise Problem(404, f"no silence {identifier}", "identifier")
    end(house.state(), identifier, body.by, now)
    return every(house)
