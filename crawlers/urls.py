"""Addresses as the crawl sees them: which host paces a request, where its robots.txt is, what may be asked at all."""

from __future__ import annotations

from urllib.parse import urldefrag, urlsplit

NO_ADDRESS = "about:blank"
"""Stands for what a page gave as an address and is none, so that it is refused and recorded like any other."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


def host_key(url: str) -> str:
    """Lower-case host:port of a URL: the unit of politeness. Raises ValueError where there is no host."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    if not host:
        raise ValueError(f"no host in URL {url!r}")
    return f"{host}:{parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)}"


def robots_url(url: str) -> str:
    """Where the robots.txt of a URL is. Raises ValueError where there is no host."""
    host_key(url)
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/robots.txt"


def is_web(url: str) -> bool:
    """Whether a URL is http or https with a host and without credentials; nothing else is ever asked."""
    try:
        parts = urlsplit(url)
        return parts.scheme in _DEFAULT_PORTS and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False


def without_fragment(url: str) -> str:
    """The URL as it is sent."""
    return urldefrag(url).url
