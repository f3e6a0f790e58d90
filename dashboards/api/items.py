"""``/api/items`` and ``/api/hooks``: what other programs and portals hand in."""

from __future__ import annotations

import hmac
from dataclasses import replace
from typing import Annotated, Any, NoReturn

import structlog
from fastapi import APIRouter, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crawlers.given import GivenProblem, Intake, handed_over
from crawlers.registry import spiders
from crawlers.webhook import Webhook
from dashboards.api.answers import RESPONSES, HouseHere, Problem, as_row, json_answer, only_json
from dashboards.guard import address_of
from dashboards.house import House
from dashboards.taking_in import TakingIn
from pipeline.configuration import Source
from pipeline.item import Item
from pipeline.secrets import SecretMissing, password

log = structlog.get_logger()
router = APIRouter(prefix="/api", tags=["items"], responses=RESPONSES)
MOST = 1_000
"""Items of one call."""
MOST_BYTES = 10_000_000
"""Bytes of one call."""


class ItemsBody(BaseModel):
    """Items of one source. What may stand in an item: the columns of an import."""

    model_config = ConfigDict(extra="forbid")

    source: str = Field(description="Id of a source whose spider is push.")
    items: list[dict[str, Any]] = Field(min_length=1, max_length=MOST)


@router.post(
    "/items",
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": ItemsBody.model_json_schema()}}}
    },
)
async def hand_in(request: Request, house: HouseHere, authorization: Annotated[str, Header()] = "") -> Response:
    """All of them or, where one is wrong, none. Answered when they are durable; handing in twice does no harm.

    The token of the source stands in `Authorization: Bearer …`.
    """
    only_json(request.headers.get("content-type", ""))
    allowed = await run_in_threadpool(_shown, request, house, authorization)
    body = await _body(request)
    return await run_in_threadpool(_handed_in, request, house, allowed, body)


def _handed_in(request: Request, house: House, allowed: frozenset[str], body: bytes) -> Response:
    try:
        wanted = ItemsBody.model_validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        raise Problem(422, first["msg"], ".".join(str(part) for part in first["loc"]) or "body") from None
    entry = _source(house, wanted.source)
    if wanted.source not in allowed:
        raise Problem(403, f"this token is not that of source {wanted.source}", "source")
    intake = intake_of(house, wanted.source, entry)
    items = [_item(intake, number, fields) for number, fields in enumerate(wanted.items)]
    return json_answer(as_row(_taking_in(request).feed(items)))


async def _body(request: Request) -> bytes:
    """What was sent. Raises Problem where it is too much, before all of it is in memory."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Problem(413, f"more than {MOST_BYTES} bytes in one call")
    return body


@router.post("/hooks/{source}")
async def hook(request: Request, house: HouseHere, source: str) -> Response:
    """A portal's webhook: believed if its signature fits the secret of the source."""
    return await run_in_threadpool(_hooked, request, house, source, await _body(request))


def _hooked(request: Request, house: House, source: str, body: bytes) -> Response:
    entry = _source(house, source)
    webhook = _webhook(entry)
    secret, signature = _secret(entry, "hook_secret"), webhook.signature_for(_options(entry))
    headers = {name.lower(): value for name, value in request.headers.items()}
    _patient(request, house)
    if not secret or not signature.fits(secret, headers, body):
        _wrong(request, house, "the signature does not fit hook_secret_file of this source")
    found = webhook.items(body)
    if found is None:
        raise Problem(422, "this is no call that the portal's documents describe", "body")
    intake = replace(intake_of(house, source, entry), place=webhook.place or entry.url)
    items = [handed_over(item, intake) for item in found]
    fed = _taking_in(request).feed(items) if items else None
    return json_answer(as_row(fed) if fed else {"ignored": 0})


def intake_of(house: House, source: str, entry: Source) -> Intake:
    """Where items of a source are taken in, now."""
    configuration, spider = house.load(), spiders()[entry.spider]
    zone = configuration.model_copy(update={"zone": entry.zone or configuration.zone}).timezone
    channel = entry.channel or spider.channel
    return Intake(source, spider.platform, channel, zone, house.clock.now(), place=entry.url)


def _source(house: House, name: str) -> Source:
    entry = house.load().sources.get(name)
    if entry is None or entry.retired:
        raise Problem(404, f"no source {name}", "source")
    return entry


def _webhook(entry: Source) -> Webhook:
    spider = spiders().get(entry.spider)
    if spider is None or spider.webhook is None:
        raise Problem(404, f"spider {entry.spider} has no webhook", "source")
    return spider.webhook


def _item(intake: Intake, number: int, fields: dict[str, Any]) -> Item:
    try:
        if fields.get("source") not in (None, "", intake.source):
            raise GivenProblem("source", "one call hands in items of one source")
        return intake.item(fields)
    except GivenProblem as problem:
        raise Problem(422, f"item {number}: {problem}; nothing of this call was taken", f"items.{number}") from None


def _shown(request: Request, house: House, authorization: str) -> frozenset[str]:
    """The push sources whose token was shown. Raises Problem where it is none's."""
    _patient(request, house)
    scheme, _, offered = authorization.partition(" ")
    tokens = {
        name: _token(entry)
        for name, entry in house.load().sources.items()
        if entry.spider == "push" and not entry.retired
    }
    shown = offered.strip().encode("utf-8", "replace") if scheme.lower() == "bearer" else b""
    found = [name for name, token in tokens.items() if token and hmac.compare_digest(shown, token.encode())]
    if not found:
        _wrong(request, house, "the token of a push source is needed (its token_file): Authorization: Bearer …")
    return frozenset(found)


def _token(entry: Source) -> str:
    """The token of a source; one that cannot be read opens nothing, and closes nothing to others."""
    try:
        return _secret(entry, "token")
    except Problem:
        log.error("the token of a push source cannot be read", url=entry.url)
        return ""


def _options(entry: Source) -> BaseModel:
    return spiders()[entry.spider].Options(**entry.options)


def _secret(entry: Source, name: str) -> str:
    """The secret under ``NAME_file`` or ``NAME_env``; empty where none is set."""
    options = _options(entry)
    try:
        return password(getattr(options, f"{name}_file", None), getattr(options, f"{name}_env", "")) or ""
    except SecretMissing:
        raise Problem(503, "the secret of this source cannot be read", "source") from None


def _patient(request: Request, house: House) -> None:
    if request.app.state.patience.exhausted(address_of(request), house.clock.now()):
        raise Problem(429, "Too many wrong tokens from this address; wait five minutes.")


def _wrong(request: Request, house: House, message: str) -> NoReturn:
    request.app.state.patience.note(address_of(request), house.clock.now())
    raise Problem(401, message)


def _taking_in(request: Request) -> TakingIn:
    taking_in: TakingIn = request.app.state.taking_in
    return taking_in
