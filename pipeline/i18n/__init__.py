"""German and English words of mail, page and command line: one catalogue, local numbers and times."""

from __future__ import annotations

import tomllib
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_time
from babel.numbers import format_decimal


class UnknownPhrase(KeyError):
    """A key that no catalogue has: a programming error, found by tests."""


@lru_cache
def _catalogue(language: str) -> dict[str, str]:
    """All phrases of a language, keys joined by dots, from every ``*.toml`` of its folder."""
    phrases: dict[str, str] = {}

    def walk(table: dict[str, object], prefix: str) -> None:
        for key, value in table.items():
            if isinstance(value, dict):
                walk(value, f"{prefix}{key}.")
            else:
                phrases[prefix + key] = str(value)

    for entry in files(__package__).joinpath(language).iterdir():
        if entry.name.endswith(".toml"):
            walk(tomllib.loads(entry.read_text("utf-8")), "")
    return phrases


def phrases_below(language: str, prefix: str) -> dict[str, str]:
    """All phrases of a language whose keys begin with that."""
    return {key: phrase for key, phrase in _catalogue(language).items() if key.startswith(prefix)}


class Speech:
    """How a person is spoken to: language and time zone. Output is plain text; escaping is the template's work."""

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        self.language, self.zone = language, zone
        self.locale = Locale.parse(language if language != "en" else "en_GB")

    def say(self, key: str, **values: object) -> str:
        """The phrase of that key with its values; numbers and times are written the local way.

        ``key.one`` is taken instead where the value ``n`` is 1 and such a phrase exists.
        Raises UnknownPhrase.
        """
        phrases = _catalogue(self.language)
        phrase = phrases.get(f"{key}.one") if values.get("n") == 1 else None
        phrase = phrase or phrases.get(key) or phrases.get(f"{key}.other")
        if phrase is None:
            raise UnknownPhrase(f"{key} ({self.language})")
        return phrase.format(**{name: self._local(value) for name, value in values.items()})

    def _local(self, value: object) -> str:
        if isinstance(value, bool) or value is None:
            return str(value)
        if isinstance(value, int | float):
            return self.number(value)
        if isinstance(value, datetime):
            return self.day_time(value)
        if isinstance(value, timedelta):
            return self.span(value)
        if isinstance(value, date):
            return self.day(datetime.combine(value, time(12), self.zone))
        return str(value)

    def number(self, value: float, digits: int | None = None) -> str:
        """1.204 or 1,204; at most one digit behind the comma unless told."""
        places = digits if digits is not None else (0 if abs(value) >= 10 or value == int(value) else 1)
        pattern = "#,##0" + ("." + "0" * places if places else "")
        return str(format_decimal(round(value, places), format=pattern, locale=self.locale))

    def percent(self, share: float) -> str:
        """71 % of 0.71, with a narrow space."""
        return f"{self.number(round(share * 100), 0)}\u202f%" if self.language == "de" else f"{round(share * 100)}%"

    def clock_time(self, at: datetime) -> str:
        """09:20 in the person's zone."""
        return str(format_time(at, "HH:mm", tzinfo=self.zone, locale=self.locale))

    def day(self, at: datetime) -> str:
        """Fr 20.11.2026 or Fri 20 Nov 2026."""
        local = at.astimezone(self.zone)
        pattern = "EEE dd.MM.yyyy" if self.language == "de" else "EEE d MMM yyyy"
        return str(format_date(local.date(), pattern, locale=self.locale)).replace(".,", "").replace(". ", " ", 1)

    def day_time(self, at: datetime) -> str:
        """Fr 20.11.2026, 09:20 Uhr."""
        return f"{self.day(at)}, {self.clock_time(at)}" + (" Uhr" if self.language == "de" else "")

    def span(self, span: timedelta) -> str:
        """35 min, 4 h, 3 Tage."""
        minutes = span.total_seconds() / 60
        if minutes < 90:
            return f"{round(minutes)} min"
        if minutes < 48 * 60:
            return f"{self.number(minutes / 60)} h"
        days = self.number(minutes / 1440)
        return f"{days} Tage" if self.language == "de" else f"{days} days"
