"""``/healthz``: whether both databases answer."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError

from dashboards.house import House, NotReady
from pipeline.query.tree import EVERYTHING
from pipeline.state.opening import StateUnavailable
from pipeline.state.tables import source
from pipeline.store.protocol import StoreError

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
def healthz(request: Request) -> JSONResponse:
    """200 when mentions and state can be read, else 503; either way what was found."""
    house: House = request.app.state.house
    found = {"mentions": mentions_answer(house), "state": state_answer(house)}
    well = all(answer == "ok" for answer in found.values())
    body = {"status": "ok" if well else "unavailable", "time": house.clock.now().isoformat(), **found}
    return JSONResponse(body, 200 if well else 503)


def mentions_answer(house: House) -> str:
    """``ok``, or why the mention store does not answer."""
    now = house.clock.now()
    try:
        house.store().search(EVERYTHING, start=now - timedelta(hours=1), limit=1)
    except (NotReady, StoreError, OSError) as error:
        return str(error)
    return "ok"


def state_answer(house: House) -> str:
    """``ok``, or why the state database does not answer."""
    try:
        with house.state().read() as connection:
            connection.execute(sa.select(source.c.id).limit(1)).all()
    except (NotReady, StateUnavailable) as error:
        return str(error)
    except SQLAlchemyError as error:
        return str(error).splitlines()[0]
    return "ok"
