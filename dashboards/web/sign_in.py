"""``/sign-in``: the password page, only there where the pages are reached over the network."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from dashboards.access import SESSION_AGE, SESSION_COOKIE, Patience
from dashboards.guard import address_of
from dashboards.reader import FormHere, Reader, ReaderHere, field
from dashboards.web.rendering import back, page

router = APIRouter(include_in_schema=False)


def local_target(target: str) -> str:
    """A path of ours; anything else becomes the first page."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"


@router.get("/sign-in", response_class=HTMLResponse)
def show(reader: ReaderHere) -> HTMLResponse:
    """The form."""
    return asked(reader, reader.request.query_params.get("next", "/"), None, 200)


def asked(reader: Reader, target: str, finding: str | None, status: int) -> HTMLResponse:
    """The form with what was wrong."""
    return page(reader, "sign_in.html", status, target=local_target(target), finding=finding)


@router.post("/sign-in")
def sign_in(reader: ReaderHere, fields: FormHere, request: Request) -> Response:
    """A session for the right password; patience for wrong ones."""
    patience: Patience = request.app.state.patience
    target, address = local_target(field(fields, "next")), address_of(request)
    if patience.exhausted(address, reader.now):
        return asked(reader, target, "pages.sign_in.exhausted", 429)
    if not reader.gate.fits(reader.configuration, field(fields, "password")):
        patience.note(address, reader.now)
        return asked(reader, target, "pages.sign_in.wrong", 403)
    answer = back(target)
    answer.set_cookie(
        SESSION_COOKIE,
        reader.gate.session(reader.configuration),
        max_age=int(SESSION_AGE.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/sign-out")
def sign_out(reader: ReaderHere, fields: FormHere) -> Response:
    """Forget the session."""
    answer = back("/sign-in")
    answer.delete_cookie(SESSION_COOKIE)
    return answer
