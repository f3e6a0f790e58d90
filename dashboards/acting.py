"""What people do about an incident, from page and interface alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from fastapi import HTTPException

from alerts.incidents import IncidentClosed, UnknownIncident, acknowledge, note, resolve
from alerts.silences import add
from dashboards.house import House
from pipeline.state.database import State

ACTIONS = ("acknowledge", "false_alarm", "resolve", "silence", "note")
SILENCE = timedelta(hours=4)
LONGEST_NOTE = 4000

Act = Callable[[State, int, str, str, datetime], object]


def act_on(house: House, number: int, action: str, *, by: str, text: str, now: datetime) -> None:
    """Do one of ACTIONS. Raises HTTPException 404, 409 where it is over, 422 for a note without words."""
    acts: dict[str, Act] = {
        "acknowledge": lambda state, n, by, text, now: acknowledge(state, n, by, now),
        "false_alarm": lambda state, n, by, text, now: resolve(state, n, by, now, True),
        "resolve": lambda state, n, by, text, now: resolve(state, n, by, now, False),
        "silence": _silence,
        "note": _note,
    }
    if action not in acts:
        raise HTTPException(404)
    try:
        acts[action](house.state(), number, by[:200], text[:LONGEST_NOTE].strip(), now)
    except UnknownIncident:
        raise HTTPException(404) from None
    except IncidentClosed:
        raise HTTPException(409, "incident") from None


def _silence(state: State, number: int, by: str, text: str, now: datetime) -> object:
    reason = text or "4 h"
    return add(state, brand=None, rule=None, incident=number, by=by, reason=reason, ends=now + SILENCE, now=now)


def _note(state: State, number: int, by: str, text: str, now: datetime) -> None:
    if not text:
        raise HTTPException(422, "text")
    note(state, number, by, text, now)
