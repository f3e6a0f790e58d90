"""A first look at an address: which spider reads it, and what it would find. One polite request, nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

MAX_BYTES = 5_000_000
TIMEOUT = 10.0


class NoAnswer(Exception):
    """The address could not be read; the message says why."""


@dataclass(frozen=True)
class Fetched:
    """An answer: where it came from in the end, its bytes and headers (lower-case names)."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Fetch = Callable[[str], Fetched]


@dataclass(frozen=True)
class Preview:
    """What an address is. ``spider`` is None where nobody can read it; ``problem`` says why."""

    url: str
    spider: str | None
    items: tuple[Mapping[str, Any], ...] = ()
    problem: str = ""
    threads: int = 0
    """Threads that a list of them leads to."""


def look_at(url: str, fetch: Fetch, now: datetime, zone: ZoneInfo, spider: str = "auto") -> Preview:
    """What would be found at an address. A page that is no list of anything leads to the feed that it names."""
    from crawlers.parse import ARTICLE, parse_document
    from crawlers.parsing import PageFile

    try:
        answer = fetch(url)
        page = PageFile(url=answer.url, body=answer.body, now=now, zone=zone, headers=answer.headers)
        document = parse_document(spider, page)
        if document["spider"] == ARTICLE:
            feeds = parse_document("feed", page)["links"]["feeds"]
            if not feeds:
                return Preview(url, None, problem="no posts, reviews, threads or feed were recognised")
            return look_at(feeds[0], fetch, now, zone, "feed")
    except NoAnswer as error:
        return Preview(url, None, problem=str(error))
    good = document["state"] in ("ok", "empty")
    problem = "" if good else str(document.get("reason") or document["state"])
    name = str(document["spider"]) if good else None
    return Preview(url, name, tuple(document["items"]), problem, len(document["links"]["threads"]))


def fetcher(contact: str) -> Fetch:
    """Fetches over the network as the crawler would introduce itself, where robots.txt allows it."""

    def fetch(url: str) -> Fetched:
        import httpx2
        from protego import Protego

        agent = f"Sturmwarte (+{contact})" if contact else "Sturmwarte"
        headers = {"User-Agent": agent}
        try:
            with httpx2.Client(headers=headers, timeout=TIMEOUT, follow_redirects=True, max_redirects=5) as client:
                robots = client.get(urljoin(url, "/robots.txt"))
                rules = Protego.parse(robots.text if robots.status_code == 200 else "")
                if not rules.can_fetch(url, "Sturmwarte"):
                    raise NoAnswer(f"robots.txt of {urlsplit(url).hostname} forbids it")
                return _read(client, url)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            raise NoAnswer(str(error) or type(error).__name__) from error

    return fetch


def _read(client: Any, url: str) -> Fetched:
    with client.stream("GET", url) as response:
        if response.status_code != 200:
            raise NoAnswer(f"the server answers {response.status_code}")
        body = b""
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MAX_BYTES:
                raise NoAnswer(f"more than {MAX_BYTES} bytes")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Fetched(str(response.url), body, headers)
