"""OAuth 2 for interfaces that want it: a token is asked for when one is needed and stays in the visit's memory.

Neither secrets nor tokens stand in an address; answers with tokens are not kept as evidence and never logged.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from scrapy.http import Request, Response

from crawlers.answers_json import number, word
from crawlers.api import unforwarded
from crawlers.review_api import ReviewApi
from crawlers.spider import Yield
from crawlers.structured import json_of
from pipeline.words import Answer

MARGIN = timedelta(seconds=30)
"""A token is renewed so long before it ends: a request may wait for its host's turn."""
SERVICE_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class OAuthSpider(ReviewApi):
    """Base of spiders whose interface takes a bearer token that is bought with the operator's secret."""

    _token = ""
    _token_until: datetime | None = None

    def token_url(self) -> str:
        """Where tokens are given out."""
        raise NotImplementedError

    def grant(self) -> Mapping[str, str]:
        """What is sent for a token. Raises ValueError, with a reason free of secrets, where that cannot be made."""
        raise NotImplementedError

    def unready(self) -> str:
        try:
            why = super().unready()
            if not why and self.key():
                self.grant()
        except ValueError as error:
            return str(error)
        return why

    def ask(self, url: str, callback: Any, **given: Any) -> Request:
        """The page, or first a token for it."""
        page = super().ask(url, callback, **given)
        if self._token_until is not None and self.job.now() < self._token_until:
            return self._signed(page)
        form = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        body = urlencode(self.grant())
        return unforwarded(
            self.request(self.token_url(), self._granted, method="POST", headers=form, body=body, page=page)
        )

    def _granted(self, response: Response, page: Request) -> Iterator[Yield]:
        """The token, or why there is none; what the answer says beside is nobody's business."""
        self.visit.answers.append(Answer.OK)
        try:
            told = json_of(response.body.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            told = None
        token = word(told, "access_token")
        if not token:
            self.lose(response.url, Answer.GATED, "the answer holds no access token")
            return
        life = timedelta(seconds=min(max(number(told, "expires_in") or 300.0, 0.0), 86_400.0))
        self._token, self._token_until = token, self.job.now() + max(life - MARGIN, life / 2)
        yield self._signed(page)

    def _signed(self, page: Request) -> Request:
        page.headers["Authorization"] = f"Bearer {self._token}"
        return page


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
