"""Making foreign words harmless, and marking what is to be read first. Used by everything that composes."""

from __future__ import annotations

import re
import unicodedata

from markupsafe import Markup, escape

_OPEN, _CLOSE = "\ue000", "\ue001"
_STRONG = re.compile(f"{_OPEN}([^{_OPEN}{_CLOSE}]*){_CLOSE}")


def clean(text: object, limit: int = 200) -> str:
    """One line without control, direction-changing or private characters, at most ``limit`` long."""
    kept = "".join(" " if _is_break(char) else char for char in str(text) if not _is_hidden(char))
    return shorten(" ".join(kept.split()), limit)


def _is_break(char: str) -> bool:
    return unicodedata.category(char) in {"Zl", "Zp", "Zs"} or char in "\r\n\t\v\f"


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cf", "Co", "Cs", "Cn"} and char not in "\r\n\t\v\f\u200d"


def shorten(text: str, limit: int) -> str:
    """At most ``limit`` characters, an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def strong(text: str) -> str:
    """Marks words that HTML shows heavier; the marks travel inside sentences."""
    return f"{_OPEN}{text}{_CLOSE}"


def as_text(text: str) -> str:
    """Without marks."""
    return text.replace(_OPEN, "").replace(_CLOSE, "")


def as_html(text: str) -> Markup:
    """Escaped, marks as ``<strong>``."""
    heavier = Markup("<strong>{}</strong>")
    pieces = enumerate(_STRONG.split(text))
    return Markup("").join(heavier.format(piece) if index % 2 else escape(piece) for index, piece in pieces)
