"""Identity: one address of one thing gives one uid, whichever spider, feed or search found it."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from urllib.parse import urlsplit


def origin_of(url: str) -> str:
    """Lower-case host[:port] without ``www.`` of an absolute URL; default ports are dropped.

    Raises ValueError where the URL has no host.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower().removeprefix("www.")
    if not host:
        raise ValueError(f"no host in URL {url!r}")
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return host if parts.port in (None, default) else f"{host}:{parts.port}"


def uid_of(origin: str, native_id: str) -> str:
    """32 hex of blake2b-128(origin + newline + native id)."""
    return hashlib.blake2b(f"{origin}\n{native_id}".encode(), digest_size=16).hexdigest()


def pseudonym(key: bytes, origin: str, account: str) -> str:
    """32 hex that stand for one account at one origin: HMAC-SHA256 cut to 128 bits.

    ``account`` is the account id where the page has one, else the name, which is folded here.
    """
    folded = unicodedata.normalize("NFKC", account).strip().casefold()
    return hmac.new(key, f"{origin}\n{folded}".encode(), hashlib.sha256).hexdigest()[:32]
