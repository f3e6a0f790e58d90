"""What a spider says of its portal's webhook: how the sender is known, and what a call brings.

What Trustpilot and eTrusted publish describes the messages of their webhooks, but no signature that we could check
against. The defaults are the usual way: hex of the body's HMAC-SHA256 in a header named after the portal. Where a
portal signs otherwise, or not at all, ``hook_header``, ``hook_algorithm`` and ``hook_encoding`` of the source say how.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from crawlers.parsing import PageFile, ParsedItem

Algorithm = Literal["sha256", "sha1", "sha512", "none"]
Encoding = Literal["hex", "base64"]


@dataclass(frozen=True)
class Signature:
    """Where and how a portal proves who calls. ``none``: it sends the secret itself, plain, as Bearer or Basic."""

    headers: tuple[str, ...]
    """Names in small letters; the first that is there counts."""
    algorithm: Algorithm = "sha256"
    """Of the HMAC over the body, under the secret."""
    encoding: Encoding = "hex"

    def fits(self, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the portal sent it. Takes anything and never raises."""
        given = next((headers[name] for name in self.headers if name in headers), "").strip()
        return bool(secret) and hmac.compare_digest(self._made(secret, body), self._plain(given))

    def _made(self, secret: str, body: bytes) -> bytes:
        if self.algorithm == "none":
            return secret.encode()
        made = hmac.digest(secret.encode(), body, self.algorithm)
        return made.hex().encode() if self.encoding == "hex" else base64.b64encode(made)

    def _plain(self, given: str) -> bytes:
        if self.algorithm == "none":
            return _credential(given)
        bare = given.removeprefix(f"{self.algorithm}=")
        return (bare.lower() if self.encoding == "hex" else bare).encode("utf-8", "replace")


@dataclass(frozen=True)
class Webhook:
    """What a portal's calls look like."""

    signature: Signature
    """How it usually signs them."""
    items: Callable[[bytes], tuple[ParsedItem, ...] | None]
    """What the body says; None where it is none of the portal's calls. Takes anything and never raises."""
    place: str = ""
    """Address of the portal, where items without an address of their own belong."""

    def signature_for(self, options: Any) -> Signature:
        """The usual one, as far as the options of the source do not say otherwise."""
        usual, header = self.signature, str(getattr(options, "hook_header", "")).lower()
        return Signature(
            headers=(header,) if header else usual.headers,
            algorithm=getattr(options, "hook_algorithm", usual.algorithm),
            encoding=getattr(options, "hook_encoding", usual.encoding),
        )


def message_page(url: str, body: bytes) -> PageFile:
    """A message as parsers get it. Its times are absolute: none counts from ``now``."""
    return PageFile(url=url, body=body, now=datetime(1970, 1, 1, tzinfo=UTC), zone=ZoneInfo("UTC"))


def _credential(given: str) -> bytes:
    """The secret itself, or that of ``Bearer SECRET`` or of ``Basic`` with any name and the secret as password."""
    scheme, _, value = given.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip().encode("utf-8", "replace")
    if scheme.lower() != "basic":
        return given.encode("utf-8", "replace")
    try:
        return base64.b64decode(value.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
