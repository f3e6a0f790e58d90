"""A first look at an address: which spider reads it, and what it would find. One polite request, nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

from crawlers.urls import robots_url

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

    from crawlers.guard import Guard

MAX_BYTES = 5_000_000
MAX_HOPS = 5
REDIRECTS = frozenset({301, 302, 303, 307, 308})
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


def fetcher(contact: str, allow: Sequence[str] = ()) -> Fetch:
    """Fetches over the network as the crawler would introduce itself, where robots.txt and the guard allow it.

    ``allow``: hosts, addresses and networks that are not public and may be asked all the same.
    """

    def fetch(url: str) -> Fetched:
        import asyncio

        import aiohttp

        from crawlers.guard import Refused

        try:
            return asyncio.run(asyncio.wait_for(_fetched(url, contact, allow), 2 * TIMEOUT))
        except (aiohttp.ClientError, OSError, ValueError, Refused) as error:
            raise NoAnswer(str(error) or type(error).__name__) from error

    return fetch


async def _fetched(url: str, contact: str, allow: Sequence[str]) -> Fetched:
    """The page behind every redirect, each of them checked like an address that was typed."""
    import aiohttp

    from crawlers.guard import Guard, GuardedResolver

    guard = Guard(allow)
    agent = f"Sturmwarte (+{contact})" if contact else "Sturmwarte"
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(resolver=GuardedResolver(guard)),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": agent},
        timeout=aiohttp.ClientTimeout(total=TIMEOUT),
    ) as session:
        status, found = await _followed(session, guard, url, robots=True)
    if status != HTTPStatus.OK:
        raise NoAnswer(f"the server answers {status}")
    return found


async def _followed(session: ClientSession, guard: Guard, url: str, *, robots: bool) -> tuple[int, Fetched]:
    for _ in range(MAX_HOPS + 1):
        guard.check_url(url)
        if robots:
            await _allowed(session, guard, url)
        async with session.get(url, allow_redirects=False) as response:
            target = response.headers.get("Location") if response.status in REDIRECTS else None
            if target is None:
                headers = {name.lower(): value for name, value in response.headers.items()}
                return response.status, Fetched(url, await _body(response), headers)
        url = urljoin(url, target)
    raise NoAnswer(f"more than {MAX_HOPS} redirects")


async def _allowed(session: ClientSession, guard: Guard, url: str) -> None:
    from protego import Protego

    status, robots = await _followed(session, guard, robots_url(url), robots=False)
    rules = Protego.parse(robots.body.decode("utf-8", "replace") if status == HTTPStatus.OK else "")
    if not rules.can_fetch(url, "Sturmwarte"):
        raise NoAnswer(f"robots.txt of {urlsplit(url).hostname} forbids it")


async def _body(response: ClientResponse) -> bytes:
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BYTES:
            raise NoAnswer(f"more than {MAX_BYTES} bytes")
    return body
