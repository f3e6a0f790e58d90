"""In which language the command line speaks: the locale's, else the configuration's, else English."""

from __future__ import annotations

import os
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from pipeline.configuration import Configuration
from pipeline.i18n import Speech

LANGUAGES = ("de", "en")


def speech_for(configuration: Configuration | None = None, environment: Mapping[str, str] = os.environ) -> Speech:
    """How this person at this terminal is spoken to."""
    zone = configuration.timezone if configuration else ZoneInfo("Europe/Berlin")
    return Speech(_locale(environment) or (configuration.language if configuration else "en"), zone)


def _locale(environment: Mapping[str, str]) -> str | None:
    """The language of the first locale variable that is set, if we speak it (C and POSIX name none)."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := environment.get(name):
            language = value.split("_")[0].split(".")[0].lower()
            return language if language in LANGUAGES else None
    return None
