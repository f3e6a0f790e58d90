"""What readers of portals' messages share: a message is a page that came by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from crawlers.parsing import PageFile


def message_page(url: str, body: bytes) -> PageFile:
    """A message as parsers get it. Its times are absolute: none counts from ``now``."""
    return PageFile(url=url, body=body, now=datetime(1970, 1, 1, tzinfo=UTC), zone=ZoneInfo("UTC"))
