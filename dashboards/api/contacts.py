"""``/api/contacts``: how many customers called or wrote, and what was said in public beside it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import Field

from dashboards.api.answers import RESPONSES, Body, HouseHere, Problem, as_row, json_answer, only_json
from pipeline.contacts import days, parse_contacts, record

router = APIRouter(prefix="/api/contacts", tags=["contacts"], responses=RESPONSES)


class CountBody(Body):
    """Contacts of one brand and day."""

    brand: str
    day: str = Field(description="Such as 2026-11-20.")
    kind: str = Field("phone", description="phone, mail, chat, letter, visit or other.")
    count: int = Field(ge=0)


class ContactsBody(Body):
    """Counts; a later one of the same brand, day and kind takes the place of the earlier."""

    contacts: list[CountBody] = Field(min_length=1, max_length=10_000)
    by: str = Field("api", min_length=1, max_length=200)


@router.get("")
def every(house: HouseHere, brand: str | None = None, limit: Annotated[int, Query(ge=1, le=400)] = 60) -> Response:
    """The newest days that have counts, newest first."""
    with house.state().read() as connection:
        found = days(connection, house.store(), house.load().timezone, brand=brand, limit=limit)
    return json_answer({"days": [as_row(day) for day in found]})


@router.post("", dependencies=[Depends(only_json)])
def tell(house: HouseHere, body: ContactsBody) -> Response:
    """Write counts down: all of them or, where one is wrong, none."""
    brands, rows = list(house.load().brands), []
    for number, one in enumerate(body.contacts):
        try:
            rows.append(parse_contacts(one.model_dump() | {"count": str(one.count)}, brands))
        except ValueError as error:
            raise Problem(422, f"contact {number}: {error}", f"contacts.{number}") from None
    with house.state().begin() as connection:
        return json_answer({"recorded": record(connection, rows, body.by, house.clock.now())})
