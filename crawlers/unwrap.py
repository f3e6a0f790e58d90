"""Addresses within the redirects of search engines, as their result pages and news feeds give them."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import urlsplit

from crawlers.select import absolute, parameter


def unwrapped(url: str) -> str:
    """The address that a search engine's link leads to, taken out of its redirect without asking anybody."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    host, inner = parts.hostname or "", None
    if re.search(r"(?:^|\.)google\.[a-z.]{2,6}$", host) and parts.path == "/url":
        inner = parameter(url, "q") or parameter(url, "url")
    elif host.endswith("bing.com") and parts.path == "/ck/a":
        inner = _based(parameter(url, "u") or "")
    elif host.endswith("bing.com") and parts.path.lower() == "/news/apiclick.aspx":
        inner = parameter(url, "url")
    elif host.endswith("duckduckgo.com") and parts.path in ("/l/", "/l"):
        inner = parameter(url, "uddg")
    return absolute(url, inner) or url if inner and inner.startswith("http") else url


def _based(coded: str) -> str | None:
    """What Bing writes as ``a1`` and base64 without its padding."""
    plain = coded.removeprefix("a1")
    try:
        return base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4)).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
