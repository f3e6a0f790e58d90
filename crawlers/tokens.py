"""Tokens that interfaces give for a name and a secret: kept in memory while they last, nowhere else.

An answer with a token is never read as a page: it is no evidence, is not parsed, and stands in no log.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from crawlers.payload import at, text_at

MARGIN = timedelta(minutes=2)
"""So long before its end a token is asked for anew; where it lasts for less than twice that, after half of its life."""
FORM = "application/x-www-form-urlencoded"
SERVICE_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """How a token is asked for: one request, whose answer has it in ``field``."""

    url: str
    account: str
    """Whose token it is; not secret."""
    body: str
    headers: dict[str, str] = {}
    """Beside the kind of the body and of the answer."""
    field: str = "access_token"
    lasts: timedelta = timedelta(hours=1)
    """Where the answer does not say how long (``expires_in``)."""

    def __repr__(self) -> str:
        return f"SignIn({self.url!r}, {self.account!r})"

    @property
    def name(self) -> tuple[str, str]:
        """Key under which its token is kept."""
        return self.url, self.account


@dataclass(slots=True)
class Tokens:
    """The tokens of one process. Thread-safe as far as single dictionary operations are."""

    _kept: dict[tuple[str, str], tuple[str, datetime]] = field(default_factory=dict, repr=False)

    def get(self, sign_in: SignIn, now: datetime) -> str | None:
        """A token that still holds, or None."""
        token, until = self._kept.get(sign_in.name, ("", now))
        return token if token and now < until else None

    def keep(self, sign_in: SignIn, body: bytes, now: datetime) -> str | None:
        """The token of an answer, remembered until it ends; None where there is none in it."""
        try:
            answer = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        token = text_at(answer, sign_in.field)
        if not token:
            return None
        lasts = at(answer, "expires_in")
        known = isinstance(lasts, (int, float)) and not isinstance(lasts, bool) and 0 < lasts < 1e9
        life = timedelta(seconds=lasts) if known else sign_in.lasts
        self._kept[sign_in.name] = token, now + life - min(MARGIN, life / 2)
        return token

    def forget(self, sign_in: SignIn) -> None:
        """The interface no longer takes it."""
        self._kept.pop(sign_in.name, None)


def by_form(url: str, account: str, form: Mapping[str, str], **headers: str) -> SignIn:
    """Signing in as OAuth 2 has it: by a form."""
    return SignIn(url=url, account=account, body=urlencode(form), headers={"Content-Type": FORM} | headers)


def service_assertion(account: str, scope: str, audience: str, now: datetime) -> str:
    """The signed statement that a Google service account's key file (JSON) makes for a token of one hour (RFC 7523).

    Raises ValueError where the text is no such key file.
    """
    try:
        told = json.loads(account)
        key = load_pem_private_key(told["private_key"].encode(), None)
        issuer = str(told["client_email"])
    except (ValueError, KeyError, TypeError, AttributeError, UnsupportedAlgorithm):
        raise ValueError("the key is no key file of a service account") from None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("the key of a service account is RSA, and this one is not")
    since = int(now.timestamp())
    claims = {"iss": issuer, "scope": scope, "aud": audience, "iat": since, "exp": since + 3_600}
    said = f"{_packed({'alg': 'RS256', 'typ': 'JWT'})}.{_packed(claims)}"
    return f"{said}.{_coded(key.sign(said.encode(), PKCS1v15(), SHA256()))}"


def _packed(value: Mapping[str, Any]) -> str:
    return _coded(json.dumps(value, separators=(",", ":")).encode())


def _coded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
