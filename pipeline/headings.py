"""Headings: tells a post's own heading from the thread's title it merely repeats."""

from __future__ import annotations

import re

_REPLY = re.compile(r"^\s*(?:(?:re|aw|antw|antwort|fwd?|wg)\s*(?:\[\d+\]|\(\d+\)|\^\d+)?\s*:\s*)+", re.IGNORECASE)
_COMMENT = re.compile(
    r"^\s*(?:(?:neuer\s+)?(?:kommentar|antwort)\s+(?:zu|auf|zum thema)"
    r"|(?:comment|reply)\s+(?:on|to)|(?:von|by):?\s+[^:]{1,60}?\s+(?:zu|on))\s*:?\s*",
    re.IGNORECASE,
)
_AUTHOR = re.compile(r"\s+(?:von|by)\s+\S[^:]{0,60}$", re.IGNORECASE)
_MARKS = re.compile(r"^\s*(?:\[[^\]]{1,30}\]|\((?:gelöst|solved)\))\s*", re.IGNORECASE)
_QUOTES = "\"'„“”‚‘’«»›‹ "
_LONGEST = 500
"""Headings are cut here: they are compared, not kept."""


def own_title(heading: str, thread_title: str) -> str:
    """The heading, or an empty string where it is the thread's title behind ``Re:``, ``Board •`` and the like.

    >>> own_title("Re: DSL seit Tagen tot", "DSL seit Tagen tot")
    ''
    >>> own_title("Bei mir ging es", "DSL seit Tagen tot")
    'Bei mir ging es'
    """
    heading = " ".join(heading.split())
    thread = _key(thread_title)
    if not heading or not thread:
        return "" if not heading or _is_bare_reply(heading) else heading
    return "" if any(_same(_key(form), thread) for form in _forms(heading)) else heading


def plain_thread_title(title: str) -> str:
    """A thread's title without reply marks."""
    return _REPLY.sub("", " ".join(title.split()))


def _is_bare_reply(heading: str) -> bool:
    """Whether a heading says that it repeats another one, where the thread's title is unknown."""
    return _REPLY.match(heading) is not None


def _forms(heading: str) -> list[str]:
    """The heading and what is left of it after each thing that software puts around a thread's title."""
    cut = heading[:_LONGEST]
    forms = [cut, *_parts(cut)]
    forms += [_COMMENT.sub("", form) for form in forms]
    forms += [_AUTHOR.sub("", form) for form in forms]
    return [_MARKS.sub("", _REPLY.sub("", form)) for form in forms]


def _parts(heading: str) -> list[str]:
    """What stands right or left of a board's name: ``Board • Re: Title``, ``Title - Board``, ``Title | Board``."""
    parts: list[str] = []
    for mark in (" • ", " · ", " » ", " › ", " | ", " - ", " – ", " :: "):
        if mark in heading:
            parts += [heading.split(mark, 1)[1], heading.rsplit(mark, 1)[0], heading.rsplit(mark, 1)[1]]
    return parts


def _key(title: str) -> str:
    bare = _MARKS.sub("", _REPLY.sub("", " ".join(title.split())[:_LONGEST]))
    return bare.strip(_QUOTES).casefold()


def _same(heading: str, thread: str) -> bool:
    """Equal, or one is the other cut off with an ellipsis (16 letters at least)."""
    for one, other in ((heading, thread), (thread, heading)):
        cut = one.rstrip("….").rstrip()
        if cut != one and len(cut) >= 16 and other.startswith(cut):
            return True
    return bool(heading) and heading == thread
