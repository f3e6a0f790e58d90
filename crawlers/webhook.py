"""What a spider says of its portal's webhook: how the sender is known, and what a call brings."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from crawlers.parsing import PageFile, ParsedItem


@dataclass(frozen=True)
class Webhook:
    """Pure functions over one call; both take anything and never raise."""

    is_genuine: Callable[[str, Mapping[str, str], bytes], bool]
    """(secret, headers with lower-case names, body) → whether the portal sent it."""
    items: Callable[[bytes], tuple[ParsedItem, ...] | None]
    """What the body says; None where it is none of the portal's calls."""
    place: str = ""
    """Address of the portal, where items without an address of their own belong."""


def signed(*names: str) -> Callable[[str, Mapping[str, str], bytes], bool]:
    """Whether a header of one of these names (lower case) holds the hex of the body's HMAC-SHA256 under the secret."""

    def is_genuine(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        made = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        given = next((headers[name] for name in names if name in headers), "")
        plain = given.strip().removeprefix("sha256=").lower()
        return bool(secret) and hmac.compare_digest(made.encode(), plain.encode("utf-8", "replace"))

    return is_genuine


def message_page(url: str, body: bytes) -> PageFile:
    """A message as parsers get it. Its times are absolute: none counts from ``now``."""
    return PageFile(url=url, body=body, now=datetime(1970, 1, 1, tzinfo=UTC), zone=ZoneInfo("UTC"))
