"""What goes wrong, told as it is: JSON to programs, a page to people."""

from __future__ import annotations

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from dashboards.api.answers import Problem
from dashboards.guard import problem
from dashboards.house import NotReady
from dashboards.reader import reader
from dashboards.web.rendering import page
from pipeline.secrets import SecretMissing
from pipeline.state.opening import StateUnavailable
from pipeline.store.protocol import StoreError

KNOWN = (403, 404, 405, 409, 422, 503)
MESSAGES = {403: "not allowed", 404: "not found", 405: "method not allowed", 409: "not possible now", 422: "not valid"}


def install(app: FastAPI) -> None:
    """Give the application its error answers."""

    @app.exception_handler(Problem)
    def told(request: Request, error: Problem) -> Response:
        return problem(error.status, error.message, error.field, error.position)

    @app.exception_handler(NotReady)
    def waiting(request: Request, error: NotReady) -> Response:
        if for_programs(request):
            return problem(503, str(error), None)
        return page(reader(request), "waiting.html", 503)

    @app.exception_handler(OperationalError)
    def stateless(request: Request, error: OperationalError) -> Response:
        return failed(request, 503, "the state database does not answer", None)

    @app.exception_handler(StateUnavailable)
    @app.exception_handler(StoreError)
    @app.exception_handler(SecretMissing)
    def unavailable(request: Request, error: Exception) -> Response:
        return failed(request, 503, str(error), None)

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> Response:
        return failed(request, error.status_code, MESSAGES.get(error.status_code, str(error.detail)), None)

    @app.exception_handler(RequestValidationError)
    def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return failed(request, 422, first["msg"], ".".join(str(part) for part in first["loc"][1:]) or None)


def for_programs(request: Request) -> bool:
    """Whether a program asked."""
    return request.url.path.startswith("/api/") or request.url.path in {"/metrics", "/healthz"}


def failed(request: Request, status: int, message: str, field: str | None) -> Response:
    """The error as this asker reads it."""
    if for_programs(request):
        return problem(status, message, field)
    return page(reader(request), "error.html", status, status_key=status if status in KNOWN else 400, message=message)
