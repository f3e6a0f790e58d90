"""A day of crawling: what is written at many small sites, the web that shows it, and a crawl that can be killed.

``python day.py web PLAN LOG`` serves; ``python day.py crawl PLAN FOLDER`` forks, for each line ``live``, a child that
runs the crawl as the service does. Both read their plan from a file of JSON and run by the same scaled clock.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import msgspec

from pipeline.clock import ScaledClock

KINDS = ("phpbb", "feed", "reviews")
HISTORY = 3
"""Posts of each source from before the day."""
SLOW, REFUSING = 0, 1
"""Numbers of the host with a Crawl-delay and of the one that answers 429 now and then."""
EVERY = 5
"""The refusing host refuses each request of this number, and the first one after the day has ended."""
Post = tuple[int, datetime, str]
HEADS = {"phpbb": "/viewforum.php?f={}", "feed": "/feed/{}", "reviews": "/reviews/{}"}


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes and times of a day; all seconds are the clock's."""

    port: int
    start: datetime
    hours: float
    factor: float
    anchor: float
    sources: int
    hosts: int
    interval: float
    gap: float
    delay: float
    crawl_delay: float
    retry_after: int

    @property
    def clock(self) -> ScaledClock:
        return ScaledClock(self.start, self.anchor, self.factor)

    @property
    def end(self) -> datetime:
        """Nothing is written from then on."""
        return self.start + timedelta(hours=self.hours)

    def kind(self, number: int) -> str:
        return KINDS[number // self.hosts % len(KINDS)]

    def host(self, number: int) -> str:
        return f"127.0.0.{number % self.hosts + 1}"

    def url(self, number: int) -> str:
        return f"http://{self.host(number)}:{self.port}{HEADS[self.kind(number)].format(number + 1)}"

    def posts(self, number: int, until: datetime) -> list[Post]:
        """What has been written at a source by then, oldest first."""
        step = timedelta(seconds=self.gap)
        first = self.start - HISTORY * step + step * (number / self.sources)
        posts = []
        while (at := first + len(posts) * step) < min(until, self.end):
            own = number * 1_000 + len(posts) + 1_000
            posts.append((own, at.replace(microsecond=0), f"Nordnetz war heute gut zu haben. Beitrag {own} von hier."))
        return posts

    def configuration(self) -> dict[str, Any]:
        every = f"{self.interval:.0f}s"
        return {
            "contact": "betrieb@nordnetz.example",
            "brands": {"nordnetz": {"name": "Nordnetz"}},
            "sources": {
                f"source-{n:03}": {"spider": self.kind(n), "url": self.url(n), "interval": every, "backfill": "30d"}
                for n in range(self.sources)
            },
            "crawl": {"delay": self.delay, "budget": 1_000_000, "allow_private": ["127.0.0.0/8"], "timeout": "20s"},
        }


# --- pages --------------------------------------------------------------------------------------------------------


def page_of(plan: Plan, path: str) -> tuple[str, bytes] | None:
    """Content type and body; None where nothing is there."""
    digits = "".join(sign for sign in path if sign.isdigit())
    number = int(digits or 0) - 1
    if path.startswith("/viewtopic.php?p="):
        number = int(digits) // 1_000 - 1
    if not 0 <= number < plan.sources:
        return None
    posts = plan.posts(number, plan.clock.now())
    if path.startswith("/viewforum.php?f="):
        return "text/html", _board(number + 1, posts).encode()
    if path.startswith("/viewtopic.php?"):
        return "text/html", _topic(number + 1, posts).encode()
    if path.startswith("/feed/"):
        return "application/rss+xml", _feed(posts).encode()
    return ("text/html", _reviews(posts).encode()) if path.startswith("/reviews/") else None


def _board(thread: int, posts: list[Post]) -> str:
    last, at, _ = posts[-1]
    return f"""<!DOCTYPE html><html lang="de"><body id="phpbb" class="section-viewforum"><ul class="topiclist topics">
<li class="row"><dl class="row-item"><dt><a href="./viewtopic.php?t={thread}" class="topictitle">Thema {thread}</a></dt>
<dd class="posts">{len(posts) - 1}</dd><dd class="lastpost"><span>von <a class="username">Erika</a>
<a href="./viewtopic.php?p={last}#p{last}"><time datetime="{at.isoformat()}">eben</time></a></span></dd></dl></li></ul>
</body></html>"""


def _topic(thread: int, posts: list[Post]) -> str:
    shown = "".join(
        f"""<div id="p{own}" class="post"><div class="postbody"><p class="author">von <strong><span class="username">
Erika</span></strong> &raquo; <time datetime="{at.isoformat()}">eben</time></p><div class="content">{text}</div></div>
</div>"""
        for own, at, text in posts
    )
    return f"""<!DOCTYPE html><html lang="de"><body id="phpbb" class="section-viewtopic"><h2 class="topic-title">
<a href="./viewtopic.php?t={thread}">Thema {thread}</a></h2>{shown}</body></html>"""


def _feed(posts: list[Post]) -> str:
    entries = "".join(
        f"<item><title>Meldung {own}</title><guid isPermaLink='false'>{own}</guid>"
        f"<pubDate>{format_datetime(at)}</pubDate><content:encoded>{text}</content:encoded></item>"
        for own, at, text in reversed(posts)
    )
    space = "xmlns:content='http://purl.org/rss/1.0/modules/content/'"
    return f"<rss version='2.0' {space}><channel><title>Bote</title>{entries}</channel></rss>"


def _reviews(posts: list[Post]) -> str:
    reviews = [
        {
            "@type": "Review",
            "@id": f"#r{own}",
            "author": {"@type": "Person", "name": f"Person {own}"},
            "datePublished": at.isoformat(),
            "reviewBody": text,
            "reviewRating": {"@type": "Rating", "ratingValue": 4},
        }
        for own, at, text in reversed(posts)
    ]
    data = {"@context": "https://schema.org", "@type": "Organization", "name": "Nordnetz", "review": reviews}
    return f"<html lang='de'><body><script type='application/ld+json'>{json.dumps(data)}</script></body></html>"


# --- the web ------------------------------------------------------------------------------------------------------


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """A request as the server saw it, by the machine's clock."""

    at: float
    host: str
    path: str
    status: int


def asked(log: Path) -> Iterator[Asked]:
    """What was asked, in order."""
    for line in log.read_bytes().splitlines():
        yield msgspec.json.decode(line, type=Asked)


async def web(plan_file: Path, log: Path) -> None:
    """Serve every host; the plan is read when the first request comes. Prints the port."""
    counts: dict[tuple[str, bool], int] = {}
    written = log.open("wb", buffering=0)

    def reply(host: str, path: str) -> tuple[int, str, bytes, str]:
        plan = _plan(plan_file)
        if path == "/robots.txt":
            slow = f"Crawl-delay: {plan.crawl_delay:g}\n" if host == plan.host(SLOW) else ""
            return 200, "text/plain", f"User-agent: *\n{slow}Allow: /\n".encode(), ""
        if (page := page_of(plan, path)) is None:
            return 404, "text/plain", b"", ""
        over = plan.clock.now() >= plan.end
        counts[host, over] = counts.get((host, over), 0) + 1
        if host == plan.host(REFUSING) and (counts[host, over] == 1 if over else counts[host, over] % EVERY == 0):
            return 429, "text/plain", b"slow down", f"Retry-After: {plan.retry_after}\r\n"
        return 200, page[0], page[1], ""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("sockname")[0]
        try:
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
                at = time.time()
                status, kind, body, more = reply(host, path)
                written.write(msgspec.json.encode(Asked(at, host, path, status)) + b"\n")
                head = (
                    f"HTTP/1.1 {status} X\r\nContent-Type: {kind}; charset=utf-8\r\n{more}Content-Length: {len(body)}"
                )
                writer.write(head.encode() + b"\r\n\r\n" + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    first = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = first.sockets[0].getsockname()[1]
    kept = [first, *[await asyncio.start_server(answer, f"127.0.0.{n}", port) for n in range(2, 101)]]
    print(port, flush=True)
    await asyncio.Event().wait()
    del kept


_PLANS: dict[Path, Plan] = {}


def _plan(path: Path) -> Plan:
    if path not in _PLANS:
        _PLANS[path] = msgspec.json.decode(path.read_bytes(), type=Plan)
    return _PLANS[path]


# --- the crawl ----------------------------------------------------------------------------------------------------


def crawl(plan_file: Path, folder: Path) -> None:
    """A child for each line ``live``; everything is imported before the first."""
    from mortal import warm_up

    from pipeline.configuration import Configuration
    from sturmwarte import logs

    logs.configure()
    warm_up(Configuration())
    print("ready", flush=True)
    for _ in iter(sys.stdin.readline, ""):
        child = os.fork()
        if child == 0:
            _live(_plan(plan_file), folder)
            os._exit(1)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("dead", flush=True)


def _live(plan: Plan, folder: Path) -> None:
    from crawlers.service import crawl_forever
    from pipeline.configuration import Configuration

    settled = Configuration.model_validate(plan.configuration())
    crawl_forever(lambda: settled, folder, plan.clock, threading.Event())


if __name__ == "__main__":
    if sys.argv[1] == "web":
        asyncio.run(web(Path(sys.argv[2]), Path(sys.argv[3])))
    else:
        crawl(Path(sys.argv[2]), Path(sys.argv[3]))
