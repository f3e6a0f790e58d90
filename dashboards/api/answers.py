"""What the interface's files share: JSON in, errors out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from dashboards.house import House


class Problem(Exception):
    """An error of the interface: status, message, the field it is about, and the position in it."""

    def __init__(self, status: int, message: str, field: str | None = None, position: int | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.field, self.position = status, message, field, position


class Error(BaseModel):
    """The one shape of an error."""

    message: str
    field: str | None = Field(description="The parameter or key it is about.")
    position: int | None = Field(description="Character of that field, from 0.")


class Body(BaseModel):
    """What a program posts; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", str_max_length=4000)


RESPONSES: dict[int | str, dict[str, Any]] = {
    code: {"model": Error} for code in (400, 401, 403, 404, 409, 422, 429, 503)
}


def house_of(request: Request) -> House:
    """The doors to the data (a FastAPI dependency)."""
    house: House = request.app.state.house
    return house


HouseHere = Annotated[House, Depends(house_of)]


def only_json(content_type: Annotated[str, Header()] = "") -> None:
    """Refuse a change that is not sent as JSON: a page of another site cannot send that unasked."""
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise Problem(415, "Send application/json.", "content-type")


def json_answer(value: object, status: int = 200) -> Response:
    """Plain data, structs and times as JSON."""
    return Response(msgspec.json.encode(value, enc_hook=str), status, media_type="application/json")


def as_row(row: Any) -> dict[str, Any]:
    """A database row or a struct as plain data."""
    if isinstance(row, msgspec.Struct):
        return msgspec.structs.asdict(row)
    mapping: Callable[[], dict[str, Any]] | None = getattr(row, "_asdict", None)
    return dict(mapping()) if mapping else dict(vars(row))
