"""``/api/mentions/UID/tone``: a person's word on the tone."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from pydantic import Field

from dashboards.api.answers import RESPONSES, Body, HouseHere, Problem, json_answer, only_json
from pipeline.corrections import UnknownMention, correct
from pipeline.rows import mention_row
from pipeline.words import ToneLabel

router = APIRouter(prefix="/api/mentions", tags=["corrections"], responses=RESPONSES)


class ToneBody(Body):
    """A correction: the tone towards one brand, or towards all."""

    tone: ToneLabel
    brand: str | None = None
    by: str = Field("api", min_length=1, max_length=200)


@router.post("/{uid}/tone", dependencies=[Depends(only_json)])
def set_tone(house: HouseHere, uid: str, body: ToneBody) -> Response:
    """Record the correction and answer with the mention as it stands then."""
    if house.mention(uid) is None:
        raise Problem(404, f"no mention {uid}", "uid")
    try:
        with house.writing_store() as store:
            correct(house.state(), store, uid, body.brand, body.tone, body.by, house.clock)
            return json_answer(mention_row(store.get([uid])[uid]))
    except UnknownMention as error:
        raise Problem(404, str(error.args[0]), "uid") from None
