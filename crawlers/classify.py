"""What an answer is before anybody parses it: a pure function of status, headers and the start of the body.

"No hits" on a page that asks whether we are a robot is the worst silent failure there is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from pipeline.words import Answer

PREFIX = 60_000
"""Bytes of a body that are looked at."""

_CHALLENGE_HEADERS = {"cf-mitigated": "challenge", "x-amzn-waf-action": "", "x-datadome": "", "x-sucuri-block": ""}
_CHALLENGE_TITLES = re.compile(
    rb"<title[^>]*>\s*(just a moment|verifying connection|attention required! \| cloudflare|human verification"
    rb"|access to this page has been denied|are you a robot|please wait\.\.\. \| cloudflare"
    rb"|robot or human|ddos-guard|security check|checking your browser|sorry\.\.\.)",
    re.IGNORECASE,
)
_CHALLENGE_MARKS = (
    b"/cdn-cgi/challenge-platform/h/",
    b"_cf_chl_opt",
    b"cf-challenge",
    b"awswafcookiedomainlist",
    b"window.gokuprops",
    b"geo.captcha-delivery.com",
    b"_incapsula_resource",
    b'id="px-captcha"',
    b'id="captcha-form"',
    b'action="/sorry/index"',
    b'class="anomaly-modal',
    b"sgcaptcha",
)
_UNUSUAL = re.compile(rb"(unusual traffic|ungew\S{1,8}hnlichen? datenverkehr) (from|aus)", re.IGNORECASE)
_NOT_TEXT = re.compile(rb"<(script|style|noscript)\b.*?(</\1\s*>|\Z)|<[^>]*>", re.IGNORECASE | re.DOTALL)
_LOGIN = re.compile(
    r"/(log-?in|sign-?in|users/connect|anmelden|session/new)(/|\.\w+)?$|[?&]mode=login\b", re.IGNORECASE
)
_MUCH_TEXT = 3_000


def classify(
    status: int, headers: Mapping[str, str], body: bytes, *, url: str = "", redirected: bool = False
) -> tuple[Answer, str]:
    """(answer, reason) of a response with lower-case header names. ``url`` and ``redirected`` tell where it ended."""
    if status == 304:
        return Answer.NOT_MODIFIED, ""
    challenge = _challenge(headers, body[:PREFIX], status)
    if challenge:
        return Answer.CHALLENGE, challenge
    if status == 429 or (status == 503 and "retry-after" in headers):
        return Answer.RATE_LIMITED, f"the host asks us to slow down (status {status})"
    if status in (401, 403, 407, 451):
        return Answer.GATED, f"reading needs a permission we do not have (status {status})"
    if redirected and _is_login(url):
        return Answer.GATED, "redirected to a login page"
    if status in (200, 203):
        return Answer.OK, ""
    return Answer.ERROR, _REASONS.get(status, f"status {status}")


_REASONS = {404: "not found (status 404)", 410: "gone (status 410)", 503: "unavailable (status 503)"}


def _challenge(headers: Mapping[str, str], start: bytes, status: int) -> str:
    for name, value in _CHALLENGE_HEADERS.items():
        if name in headers and value in headers[name].lower() and (value or status != 200):
            return f"the site asks for a browser check ({name})"
    folded = start.lower()
    if not any(mark in folded for mark in _CHALLENGE_MARKS) and not _CHALLENGE_TITLES.search(folded):
        return "the search engine suspects a robot" if _says_unusual_traffic(folded) else ""
    if status == 200 and len(_text(start)) > _MUCH_TEXT:
        return ""
    return "the site asks for a browser check"


def _says_unusual_traffic(folded: bytes) -> bool:
    """On a page of its own: in a long text somebody may be quoting it."""
    return bool(_UNUSUAL.search(folded)) and len(_text(folded)) <= _MUCH_TEXT


def _text(markup: bytes) -> bytes:
    return b" ".join(_NOT_TEXT.sub(b" ", markup).split())


def _is_login(url: str) -> bool:
    parts = urlsplit(url)
    return bool(_LOGIN.search(parts.path) or _LOGIN.search(f"?{parts.query}"))
