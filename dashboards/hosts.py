"""Which names this server answers to, and whether a request comes from this machine's own browser."""

from __future__ import annotations

from urllib.parse import urlsplit

from pipeline.configuration import Configuration

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
ANYWHERE = frozenset({"0.0.0.0", "::", ""})


def host_of(header: str) -> str:
    """The host of a Host header without port and brackets, lower case; empty where it is none."""
    try:
        return (urlsplit(f"//{header}").hostname or "").lower()
    except ValueError:
        return ""


def allowed_hosts(configuration: Configuration) -> frozenset[str]:
    """Names in a Host header that are answered; everything else is a re-bound name."""
    public = (urlsplit(configuration.public_url).hostname or "").lower()
    own = {public, configuration.web.host.lower()} - ANYWHERE
    return LOOPBACK | own


def password_needed(configuration: Configuration, header: str) -> bool:
    """Whether a request to that host must be signed in: everything but loopback to loopback."""
    return configuration.web.host.lower() not in LOOPBACK or host_of(header) not in LOOPBACK


def same_origin(headers: dict[str, str]) -> bool:
    """Whether a browser's request was made by a page of ours; programs that send no such headers pass.

    ``headers`` has lower-case names.
    """
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == headers.get("host", "").lower()
    except ValueError:
        return False
