"""What every request passes before a page sees it: host name, own origin, sign-in; and the headers of every answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from dashboards.access import SESSION_COOKIE, Gate, Patience
from dashboards.hosts import allowed_hosts, host_of, password_needed, same_origin
from pipeline.clock import Clock
from pipeline.configuration import Configuration

OPEN_PATHS = ("/healthz", "/static/", "/sign-in", "/api/items", "/api/hooks/")
"""Not behind the password: the last two ask for a token or a signature of their own."""
CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""What a proxy adds: the request came from elsewhere, whatever host name the proxy passes on."""

Next = Callable[[Request], Awaitable[Response]]


def install(app: FastAPI, load: Callable[[], Configuration], gate: Gate, patience: Patience, clock: Clock) -> None:
    """Put the guard before every route of the application."""

    @app.middleware("http")
    async def guarded(request: Request, call_next: Next) -> Response:
        configuration = load()
        refusal = host_refusal(configuration, request) or origin_refusal(request)
        if refusal is None and needs_sign_in(configuration, request):
            refusal = await run_in_threadpool(sign_in_refusal, configuration, request, gate, patience, clock)
        response = refusal or await call_next(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


def host_refusal(configuration: Configuration, request: Request) -> Response | None:
    """400 for a Host header that is none of our names (a re-bound name of a hostile page)."""
    if host_of(request.headers.get("host", "")) in allowed_hosts(configuration):
        return None
    return PlainTextResponse("Unknown host name. Set public_url to the address of this server.", 400)


def origin_refusal(request: Request) -> Response | None:
    """403 for a change that another site's page asks for."""
    if request.method in SAFE_METHODS or same_origin(dict(request.headers)):
        return None
    return problem(403, "This request comes from another site's page.", None)


def needs_sign_in(configuration: Configuration, request: Request) -> bool:
    """Whether this path asks for the password at this host."""
    path = request.url.path
    if any(path == place or (place.endswith("/") and path.startswith(place)) for place in OPEN_PATHS):
        return False
    if any(name in request.headers for name in FORWARDED):
        return True
    return password_needed(configuration, request.headers.get("host", ""))


def sign_in_refusal(
    configuration: Configuration, request: Request, gate: Gate, patience: Patience, clock: Clock
) -> Response | None:
    """None for somebody who is in; else the way to the sign-in page, or 401 for programs."""
    if gate.is_session(configuration, request.cookies.get(SESSION_COOKIE, "")):
        return None
    if gate.secret(configuration) is None:
        return problem(503, "No password is set: set [web] password_file, or listen on 127.0.0.1.", "web.password_file")
    header = request.headers.get("authorization")
    if header:
        return header_refusal(configuration, header, address_of(request), gate, patience, clock)
    if request.url.path.startswith("/api") or request.url.path == "/metrics":
        return unauthorised()
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/sign-in?next={quote(target, safe='')}", 303)


def header_refusal(
    configuration: Configuration, header: str, address: str, gate: Gate, patience: Patience, clock: Clock
) -> Response | None:
    """None where the Authorization header carries the password; 401, or 429 after too many wrong ones."""
    if patience.exhausted(address, clock.now()):
        return problem(429, "Too many wrong passwords from this address; wait five minutes.", None)
    if gate.authorised(configuration, header):
        return None
    patience.note(address, clock.now())
    return unauthorised()


def address_of(request: Request) -> str:
    """Who is asking, as far as the connection tells."""
    return request.client.host if request.client else "unknown"


def unauthorised() -> Response:
    """401 with the way to answer it."""
    response = problem(401, "A password is needed: HTTP Basic with any name, or a bearer token.", None)
    response.headers["WWW-Authenticate"] = 'Basic realm="Sturmwarte", charset="UTF-8"'
    return response


def problem(status: int, message: str, field: str | None, position: int | None = None) -> JSONResponse:
    """The one shape of an error in the interface."""
    return JSONResponse({"message": message, "field": field, "position": position}, status)
