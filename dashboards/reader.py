"""The person who reads a page: language, zone, the present moment, and the token of their forms."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, cast
from urllib.parse import quote, unquote

from babel import negotiate_locale
from fastapi import Depends, HTTPException, Request
from fastapi.datastructures import FormData
from fastapi.responses import Response

from dashboards.access import FORM_COOKIE, Gate
from dashboards.house import House
from pipeline.configuration import Configuration, Language
from pipeline.i18n import Speech

LANGUAGES: tuple[Language, ...] = ("de", "en")
LANGUAGE_COOKIE, NAME_COOKIE = "sturmwarte_lang", "sturmwarte_name"


@dataclass(frozen=True)
class Reader:
    """One request's person and moment. ``form_cookie`` binds forms to a browser; ``new_cookie``: it must be set."""

    request: Request
    house: House
    configuration: Configuration
    speech: Speech
    now: datetime
    form_cookie: str
    new_cookie: bool
    gate: Gate

    @property
    def language(self) -> str:
        return self.speech.language

    @property
    def form_token(self) -> str:
        """What every form on the page carries."""
        return self.gate.form_token(self.form_cookie)

    @property
    def name(self) -> str:
        """How this person is named in records: as they last called themselves, else as somebody at the pages."""
        return unquote(self.request.cookies.get(NAME_COOKIE, "")) or self.speech.say("pages.person.web")

    @property
    def own_name(self) -> str:
        """The name they gave, for the form; empty where they gave none."""
        return unquote(self.request.cookies.get(NAME_COOKIE, ""))


def reader(request: Request) -> Reader:
    """The reader of this request (a FastAPI dependency)."""
    house: House = request.app.state.house
    configuration = house.load()
    cookie = request.cookies.get(FORM_COOKIE, "")
    return Reader(
        request=request,
        house=house,
        configuration=configuration,
        speech=Speech(language_of(request, configuration.language), configuration.timezone),
        now=house.clock.now(),
        form_cookie=cookie or secrets.token_urlsafe(24),
        new_cookie=not cookie,
        gate=request.app.state.gate,
    )


ReaderHere = Annotated[Reader, Depends(reader)]


def language_of(request: Request, default: Language) -> str:
    """``?lang=``, then what was chosen before, then the browser's wish, then the configured language."""
    for wish in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if wish in LANGUAGES:
            return cast(str, wish)
    wishes = [part.split(";")[0].strip() for part in request.headers.get("accept-language", "").split(",")]
    return negotiate_locale([wish.split("-")[0] for wish in wishes if wish], LANGUAGES) or default


async def form(request: Request) -> FormData:
    """The posted form, after its token was checked. Raises HTTPException 403."""
    fields = await request.form()
    gate: Gate = request.app.state.gate
    token = fields.get("token")
    if not isinstance(token, str) or not gate.is_form_token(request.cookies.get(FORM_COOKIE, ""), token):
        raise HTTPException(403, "token")
    return fields


FormHere = Annotated[FormData, Depends(form)]


def field(fields: FormData, name: str) -> str:
    """A text field of a form, stripped; empty where there is none."""
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""


def remember_name(answer: Response, name: str) -> Response:
    """The answer with the name the person gave, for their next form."""
    if name:
        answer.set_cookie(NAME_COOKIE, quote(name[:200]), max_age=31_536_000, httponly=True, samesite="lax")
    return answer
