"""Tokens that interfaces give for a name and a secret: kept in memory while they last, nowhere else.

An answer with a token is never read as a page: it is no evidence, is not parsed, and stands in no log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from crawlers.payload import at, text_at

MARGIN = timedelta(minutes=2)
"""So long before its end a token is asked for anew."""


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """How a token is asked for: one request, whose answer has it in ``field``."""

    url: str
    account: str
    """Whose token it is; not secret."""
    headers: dict[str, str]
    body: str
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
        until = now + (timedelta(seconds=lasts) if known else sign_in.lasts) - MARGIN
        self._kept[sign_in.name] = token, until
        return token

    def forget(self, sign_in: SignIn) -> None:
        """The interface no longer takes it."""
        self._kept.pop(sign_in.name, None)
