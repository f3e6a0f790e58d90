"""``/api/mentions``: search and history."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from dashboards.api.answers import RESPONSES, HouseHere, Problem, json_answer
from dashboards.house import House
from dashboards.memberships import incidents_of
from dashboards.searching import BadParameter, Search, query_of, search_of
from pipeline.query.parse import QueryError
from pipeline.query.tree import Query as Tree
from pipeline.rows import mention_row
from pipeline.threads import threads_of

router = APIRouter(prefix="/api/mentions", tags=["mentions"], responses=RESPONSES)
AS_OF_DELAY = timedelta(seconds=10)


@router.get("")
def search(
    request: Request,
    house: HouseHere,
    q: Annotated[str, Query(description="Search in the query language.", max_length=2000)] = "",
    start: Annotated[str, Query(alias="from", description="Earliest event time, ISO 8601.")] = "",
    end: Annotated[str, Query(alias="to", description="Event times before this, ISO 8601.")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    after: Annotated[str, Query(description="``after`` of the page before.")] = "",
    as_of: Annotated[str, Query(description="Answer with what was known then.")] = "",
) -> Response:
    """Mentions, newest first: ``{"mentions": […], "posts": n, "persons": n, "after": …}``."""
    wanted, query = asked(request, house)
    moment = wanted.as_of or query.as_of
    moment = min(moment, house.clock.now() - AS_OF_DELAY) if moment else None
    try:
        page = house.store().search(
            query, start=wanted.start, end=wanted.end, limit=limit, after=wanted.after, as_of=moment
        )
    except ValueError as error:
        raise Problem(400, str(error), "after") from None
    posts, persons = house.store().count(query, start=wanted.start, end=wanted.end, as_of=moment)
    incidents = incidents_of(house, [mention.uid for mention in page.mentions])
    threads = {} if moment else threads_of(house.store(), page.mentions)
    rows = [mention_row(mention, incidents.get(mention.uid, []), threads) for mention in page.mentions]
    return json_answer({"mentions": rows, "posts": posts, "persons": persons, "after": page.after})


def asked(request: Request, house: House) -> tuple[Search, Tree]:
    """The search of a request; without a span of time, over all time. Raises Problem."""
    parameters = {"span": "all", **request.query_params}
    try:
        wanted = search_of(house.load(), parameters, house.clock.now())
        return wanted, query_of(house, wanted.text, house.clock.now())
    except BadParameter as error:
        raise Problem(400, str(error), error.field) from None
    except QueryError as error:
        raise Problem(400, str(error), "q", error.position) from None


@router.get("/{uid}")
def one(house: HouseHere, uid: str) -> Response:
    """One mention as it stands."""
    mention = house.mention(uid)
    if mention is None:
        raise Problem(404, f"no mention {uid}", "uid")
    threads = threads_of(house.store(), [mention])
    return json_answer(mention_row(mention, incidents_of(house, [uid]).get(uid, []), threads))


@router.get("/{uid}/history")
def history(house: HouseHere, uid: str) -> Response:
    """All revisions, oldest first, each with when it was the known one."""
    if house.mention(uid) is None:
        raise Problem(404, f"no mention {uid}", "uid")
    rows = [
        {"known_from": one.known_from, "known_to": one.known_to, "mention": mention_row(one.mention)}
        for one in house.store().history(uid)
    ]
    return json_answer({"uid": uid, "revisions": rows})
