"""Pages that only a script fills: run in the system's Chromium, which asks for nothing by itself.

The browser is cut off from the network; each request its page makes is looked at here and, where it may be made, made
by us like any other: through address guard, robots.txt and pace, and into the record of fetches.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext, Playwright, Route

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WANTED = frozenset({"document", "script", "xhr", "fetch"})
"""What a page may ask for: no pictures, fonts, films, styles."""
MOST_REQUESTS = 40
"""Of one page; what it asks for beyond is refused."""
SECONDS = 60.0
"""How long a page may take to fill itself, in time of the wall clock."""
CLOSING = 10.0
"""How long a page or the browser may take to give its content or to close."""
_CUT_OFF = (
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-background-networking",
    "--disable-gpu",
)


class NoBrowser(Exception):
    """Pages cannot be run here; the message says what is missing."""


class Asked(Protocol):
    """A request of a page, as its browser tells it."""

    url: str
    method: str
    resource_type: str
    post_data_buffer: bytes | None
    headers: dict[str, str]


@dataclass(frozen=True)
class Loaded:
    """An answer to a request of a page."""

    body: bytes
    headers: Mapping[str, str]


Load = Callable[[Asked], Awaitable[Loaded | None]]
"""Makes a request for a page; None where it may not be made or came to nothing."""


def program(named: Path | None) -> str:
    """Path of the browser: the named one, else the system's. Raises NoBrowser."""
    found = str(named) if named else next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None or not Path(found).is_file():
        raise NoBrowser("js = true needs Chromium: install it (Debian: chromium), or name it as [crawl] browser")
    return found


class Pages:
    """One browser for the pages of one visit, started at the first of them."""

    def __init__(self, browser: Path | None, agent: str, zone: str) -> None:
        self._program, self._agent, self._zone = browser, agent, zone
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None

    async def filled(self, url: str, page: Loaded, load: Load) -> bytes:
        """The page as it stands once its scripts have come to rest, or after ``SECONDS``. Raises NoBrowser."""
        from playwright.async_api import Error

        browser = await self._started()
        context = await browser.new_context(
            user_agent=self._agent,
            locale="de-DE",
            timezone_id=self._zone,
            service_workers="block",
            accept_downloads=False,
        )
        try:
            await context.route("**/*", _Answering(url, page, load).answer)
            opened = await context.new_page()
            try:
                await opened.goto(url, wait_until="networkidle", timeout=SECONDS * 1000)
            except Error as error:
                if "Timeout" not in str(error):
                    raise NoBrowser(f"the browser gave the page up: {str(error).splitlines()[0][:200]}") from None
            async with asyncio.timeout(CLOSING):  # a page in an endless loop answers nothing any more
                return (await opened.content()).encode("utf-8", "replace")
        except TimeoutError:
            await self._end()
            raise NoBrowser("the page never comes to rest") from None
        finally:
            await self._leave(context)

    async def _leave(self, context: BrowserContext) -> None:
        """Close a context; one that does not close ends with its browser."""
        try:
            async with asyncio.timeout(CLOSING):
                await context.close()
        except Exception:
            await self._end()

    async def _end(self) -> None:
        """End the browser however it is."""
        browser, self._browser = self._browser, None
        if browser is not None:
            with suppress(Exception):
                async with asyncio.timeout(CLOSING):
                    await browser.close()

    async def close(self) -> None:
        """End the browser."""
        await self._end()
        playwright, self._playwright = self._playwright, None
        if playwright is not None:
            with suppress(Exception):
                async with asyncio.timeout(CLOSING):
                    await playwright.stop()

    async def _started(self) -> Browser:
        if self._browser is None:
            try:
                from playwright.async_api import Error, async_playwright
            except ImportError:
                raise NoBrowser("js = true needs the extra: pip install 'sturmwarte[js]'") from None
            path = program(self._program)
            sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has none for root
            self._playwright = self._playwright or await async_playwright().start()
            try:
                self._browser = await self._playwright.chromium.launch(executable_path=path, args=[*_CUT_OFF, *sandbox])
            except Error as error:
                await self.close()
                raise NoBrowser(f"{path} does not start: {str(error).splitlines()[0][:200]}") from None
        return self._browser


class _Answering:
    """Answers what one page asks for."""

    def __init__(self, url: str, page: Loaded, load: Load) -> None:
        self._url, self._page, self._load = url, page, load
        self._asked = 0

    async def answer(self, route: Route) -> None:
        asked: Any = route.request
        loaded = await self._loaded(asked)
        if loaded is None:
            await route.abort()
        else:
            await route.fulfill(status=200, headers=dict(loaded.headers), body=loaded.body)

    async def _loaded(self, asked: Asked) -> Loaded | None:
        if asked.resource_type == "document":  # frames show other pages
            return self._page if asked.url.partition("#")[0] == self._url.partition("#")[0] else None
        if asked.resource_type not in WANTED or self._asked >= MOST_REQUESTS:
            return None
        self._asked += 1
        return await self._load(asked)
