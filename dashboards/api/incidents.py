"""``/api/incidents``: incidents and what people do about them."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import Field

from alerts.incidents import UnknownIncident, events, get_incident, incident_name, list_incidents, members
from dashboards.acting import act_on
from dashboards.api.answers import RESPONSES, Body, HouseHere, Problem, as_row, json_answer, only_json
from dashboards.house import House

router = APIRouter(prefix="/api/incidents", tags=["incidents"], responses=RESPONSES)


class ActBody(Body):
    """Who does it, and a word about it."""

    by: str = Field("api", min_length=1, max_length=200)
    text: str = ""


class ResolveBody(ActBody):
    """The end of an incident."""

    false_alarm: bool = False


class NoteBody(ActBody):
    """A note; it needs words."""

    text: str = Field(min_length=1)


@router.get("")
def every(house: HouseHere, open_only: bool = False) -> Response:
    """All incidents, newest first."""
    with house.state().read() as connection:
        rows = [plain(one) for one in list_incidents(connection, open_only=open_only)]
    return json_answer({"incidents": sorted(rows, key=lambda row: -row["id"])})


@router.get("/{name}")
def one(house: HouseHere, name: str) -> Response:
    """One incident with its events and the uids of its mentions."""
    number = number_of(house, name)
    with house.state().read() as connection:
        row = plain(get_incident(connection, number))
        history = [as_row(event) for event in events(connection, number)]
        uids = sorted(members(connection, number))
    return json_answer(row | {"events": history, "members": uids})


def plain(incident: Any) -> dict[str, Any]:
    """An incident with its name."""
    row = as_row(incident)
    return {"name": incident_name(row["id"]), **{k: msgspec.to_builtins(v, enc_hook=str) for k, v in row.items()}}


def number_of(house: House, name: str) -> int:
    """The number of an existing incident, of ``R-0001`` or ``1``. Raises Problem."""
    digits = name.upper().removeprefix("R-")
    number = int(digits) if digits.isdecimal() and len(digits) < 12 else 0
    with house.state().read() as connection:
        try:
            get_incident(connection, number)
        except UnknownIncident:
            raise Problem(404, f"no incident {name}", "name") from None
    return number


@router.post("/{name}/acknowledge", dependencies=[Depends(only_json)])
def acknowledge(house: HouseHere, name: str, body: ActBody) -> Response:
    """Somebody takes it on."""
    return acted(house, name, "acknowledge", body)


@router.post("/{name}/resolve", dependencies=[Depends(only_json)])
def resolve(house: HouseHere, name: str, body: ResolveBody) -> Response:
    """It is over, or was a false alarm."""
    return acted(house, name, "false_alarm" if body.false_alarm else "resolve", body)


@router.post("/{name}/note", dependencies=[Depends(only_json)])
def note(house: HouseHere, name: str, body: NoteBody) -> Response:
    """A note in its history."""
    return acted(house, name, "note", body)


@router.post("/{name}/silence", dependencies=[Depends(only_json)])
def silence(house: HouseHere, name: str, body: ActBody) -> Response:
    """No mails about it for four hours."""
    return acted(house, name, "silence", body)


def acted(house: House, name: str, action: str, body: ActBody) -> Response:
    """Do it and answer with the incident as it stands then."""
    act_on(house, number_of(house, name), action, by=body.by, text=body.text, now=house.clock.now())
    return one(house, name)
