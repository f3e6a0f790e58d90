"""Identity: one address of one thing gives one uid, whichever spider, feed or search found it."""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Iterable
from urllib.parse import urlsplit

from pipeline.addresses import canonical_url, native_id, without_page

__all__ = [
    "canonical_url",
    "folded_letters",
    "identify",
    "native_id",
    "origin_of",
    "permalink_id",
    "pseudonym",
    "signed_id",
    "uid_of",
    "without_page",
]


def origin_of(url: str) -> str:
    """Lower-case host[:port] without ``www.`` of an absolute URL; default ports are dropped.

    Raises ValueError where the URL has no host.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    host = host.removeprefix("www.") or host  # "https://www./" is an address, too
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
    return hmac.digest(key, f"{origin}\n{folded}".encode(), "sha256").hex()[:32]


def folded_letters(text: str, limit: int | None = None) -> str:
    """The letters and digits of a text, compatibility-folded and case-folded, without marks; at most ``limit``."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    letters = "".join(sign for sign in plain if sign.isalnum())
    return letters if limit is None else letters[:limit]


def permalink_id(url: str) -> str:
    """Native id of a thing known by its own address alone: path and query of the canonical URL.

    Host and scheme are left out: the origin is hashed beside it, and ``http`` and ``https`` are one place.
    """
    parts = urlsplit(canonical_url(url))
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def signed_id(url: str, account: str | None, text: str) -> str:
    """Native id of an item without an address: where it stands (without page number), who wrote it, how it begins."""
    thing = permalink_id(without_page(url))
    return f"{thing} by {folded_letters(account or '')} {folded_letters(text, 40)}"


def identify(urls: Iterable[str | None], *, permalink: str | None = None, foreign: str | None = None) -> str | None:
    """The first id there is: a number in one of the URLs, the item's own permalink, its API id or guid; else None."""
    known = (native_id(url) for url in urls if url)
    found = next((one for one in known if one), None)
    if found is None and permalink:
        found = permalink_id(permalink)
    return found or foreign
