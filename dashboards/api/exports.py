"""``/api/exports``: a search as a file, streamed, and recorded."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from dashboards.api.answers import RESPONSES, HouseHere, Problem
from dashboards.api.mentions import asked
from dashboards.exporting import Form, file_name, lines, media_type
from dashboards.house import House, NotReady
from dashboards.memberships import lookup
from dashboards.searching import Search
from pipeline.state.tables import audit

router = APIRouter(prefix="/api/exports", tags=["exports"], responses=RESPONSES)


@router.get("")
def export(
    request: Request,
    house: HouseHere,
    form: Annotated[Form, Query(description="csv for machines, excel for double-clicking, jsonl for everything.")],
    q: Annotated[str, Query(max_length=2000)] = "",
    start: Annotated[str, Query(alias="from")] = "",
    end: Annotated[str, Query(alias="to")] = "",
    as_of: str = "",
) -> StreamingResponse:
    """All hits, newest first, without a limit. Authors are pseudonyms."""
    wanted, query = asked(request, house)
    if wanted.as_of or query.as_of:
        raise Problem(400, "an export shows what is known now; leave out as_of", "as_of")
    store, zone, now = house.store(), house.load().timezone, house.clock.now()
    noted(house, form, wanted)
    mentions = store.scan(query, start=wanted.start, end=wanted.end)
    headers = {"Content-Disposition": f'attachment; filename="{file_name(form, now)}"'}
    return StreamingResponse(lines(form, mentions, lookup(house), zone), media_type=media_type(form), headers=headers)


def noted(house: House, form: Form, wanted: Search) -> None:
    """One line of the audit: what left the house."""
    details = {"form": form, "query": wanted.text}
    row = {"at": house.clock.now(), "who": "web", "what": "export", "details": details}
    try:
        with house.state().begin() as connection:
            connection.execute(sa.insert(audit).values(row))
    except NotReady:
        return
