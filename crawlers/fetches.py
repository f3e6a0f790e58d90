"""What each request of a visit brought, kept until the visit is written to the table ``fetch``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipeline.words import Answer


def said(error: BaseException) -> str:
    """What went wrong in words; of a database's error without the statement and its values."""
    cause = getattr(error, "orig", None) or error
    return str(cause) or type(cause).__name__


@dataclass(slots=True)
class Fetch:
    """One request and its answer. The spider's reading may still turn ``ok`` into ``empty`` or ``layout_changed``."""

    url: str
    at: datetime
    answer: Answer
    status: int | None = None
    bytes: int | None = None
    ms: int | None = None
    items: int | None = None
    reason: str = ""
    sha256: str | None = None
    rule: str = ""
    """By which rule of ours it was refused, if it was."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Something a visit should have read and could not: the visit is not complete."""

    url: str
    answer: Answer
    reason: str
    waits: bool = False
    """Not refused and not broken: it is to be read later, by our own rule."""


class NotRead(Exception):
    """Carried to the spider's errback where a request brought nothing readable; ``str()`` is the reason."""

    rule = ""
    """Our own rule that refused it, if one did."""

    def __init__(self, answer: Answer, reason: str, status: int | None = None, body: bytes = b"") -> None:
        super().__init__(reason)
        self.answer, self.status, self.body = answer, status, body


class OverBudget(NotRead):
    """A host has had the requests it gets within this hour: what is left waits for the next."""
