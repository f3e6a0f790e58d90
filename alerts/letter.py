"""What a mail says, before it is HTML or text: both parts are made from one ``Letter``, so they cannot differ."""

from __future__ import annotations

import msgspec

from alerts.facts import Facts


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """A voice: the words, who and when, and the address of the evidence."""

    words: str
    who: str
    url: str


class Button(msgspec.Struct, frozen=True, kw_only=True):
    """A plain link to a page that asks first."""

    label: str
    url: str
    main: bool = False


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a mail, from top to bottom. Sentences may carry marks of ``alerts.plain.strong``."""

    subject: str
    banner: str = ""
    """What must be known before any number: a test, the demonstration."""
    kicker: str
    headline: str
    level: int | None = None
    verdict: str
    """One sentence for the lock screen."""
    lead: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    """What makes the numbers incomplete."""
    facts: Facts | None = None
    """Whose chart is shown."""
    rows: tuple[tuple[str, str], ...] = ()
    quotes: tuple[Quote, ...] = ()
    buttons: tuple[Button, ...] = ()
    closing: tuple[str, ...] = ()
    """Why it was sent, what happens next, who got it."""
