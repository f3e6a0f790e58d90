"""What is wrong with a configuration, and where: one finding per line, for people and for machines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from difflib import get_close_matches
from typing import Any
from zoneinfo import ZoneInfo

from pipeline.i18n import Speech

_SHOWN = 40
"""Longest value that is repeated in a message."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong (or, as a warning, doubtful). Never holds a secret."""

    file: str
    line: int | None
    field: str
    """Path of keys, such as ``brands.telekom.nmaes``."""
    problem: str
    """Key of the phrase, below ``finding.``."""
    value: str | None = None
    """The wrong word as it stands in the file; None where it might be a secret."""
    nearest: str | None = None
    details: Mapping[str, str] = attribute(default_factory=dict)
    warning: bool = False

    def text(self, speech: Speech) -> str:
        """``sturmwarte.toml:12: brands.telekom.nmaes: unknown key, did you mean "names"?``."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        said = self.said(speech)
        if self.warning:
            said = speech.say("finding.warning", text=said)
        return ": ".join(part for part in (place, self.field, said) if part)

    def said(self, speech: Speech) -> str:
        """The message without its place."""
        said = speech.say(f"finding.{self.problem}", value=self.value or "", **self.details)
        return said + (speech.say("finding.nearest", word=self.nearest) if self.nearest else "")

    @property
    def message(self) -> str:
        """The message in English, for logs."""
        return self.said(Speech("en", ZoneInfo("UTC")))

    def document(self, speech: Speech) -> dict[str, Any]:
        """The finding as plain data."""
        return {
            "file": self.file,
            "line": self.line,
            "field": self.field,
            "problem": self.problem,
            "message": self.said(speech),
            "value": self.value,
            "nearest": self.nearest,
            "severity": "warning" if self.warning else "error",
        }


class ConfigurationError(Exception):
    """The configuration cannot be used; ``findings`` says all that is wrong with it."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(self.text(Speech("en", ZoneInfo("UTC"))))

    def text(self, speech: Speech) -> str:
        """All findings, one per line."""
        return "\n".join(finding.text(speech) for finding in self.findings)


def nearest_word(word: object, known: Iterable[str]) -> str | None:
    """The known word most like ``word``, upper and lower case alike; None where none is near."""
    words = {known_word.casefold(): known_word for known_word in known}
    close = get_close_matches(str(word)[:80].casefold(), list(words), n=1, cutoff=0.6)
    return words[close[0]] if close else None


def without_credentials(text: str) -> str:
    """A text in which addresses have lost their names and passwords."""
    return re.sub(r"://[^/\s]*@", "://…@", text)


def shown(value: object, path: Iterable[str | int]) -> str | None:
    """A value short enough to be repeated; None for structures and where a key of ``path`` sounds like a secret."""
    secret = any(mark in str(key).casefold() for key in path for mark in ("passw", "secret", "token", "key"))
    if secret or not isinstance(value, str | int | float):
        return None
    text = without_credentials(str(value))
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
