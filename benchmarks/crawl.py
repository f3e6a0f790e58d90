"""Pages per second of our crawl beside bare Scrapy, from a web server on loopback that has nothing to do but answer.

Both read the same pages, one request at a time for each host, and run the same parser (phpBB's) over each; politeness
(``delay = 0``), storing and all steps are left out. The peer is a plain ``scrapy.Spider`` with Scrapy's own settings:
it is given every address in advance, keeps no books, asks for no robots.txt and keeps no page. Server, crawl and
peer are a process each; of several rounds, in turn, the middle one counts.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import logging
import multiprocessing
import os
import pkgutil
import statistics
import tempfile
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

from benchmarks.elastic_server import running
from benchmarks.material import items
from pipeline.clock import SystemClock
from pipeline.configuration import Configuration
from pipeline.item import Item
from pipeline.run import Fed
from pipeline.state.opening import open_state

POSTS, ROWS, HOSTS = 20, 50, 8
ZONE = ZoneInfo("Europe/Berlin")
PATIENCE = 600.0
Measured = tuple[int, float, float, dict[str, float]]
"""Pages, seconds, seconds of the processor, and of it by phase."""

# --- the web ------------------------------------------------------------------------------------------------------


def post(number: int, item: Item, at: datetime) -> str:
    """One post in prosilver's markup."""
    return f"""<div id="p{number}" class="post has-profile bg2"><div class="inner">
<dl class="postprofile" id="profile{number}"><dt><a href="./memberlist.php?mode=viewprofile&amp;u={number % 90 + 2}"
class="username">{item.author}</a></dt><dd class="posts"><strong>Beiträge:</strong> {number % 700}</dd></dl>
<div class="postbody"><div id="post_content{number}"><h3><a href="#p{number}">Re: Erfahrungen</a></h3>
<ul class="post-buttons"><li><a href="./posting.php?mode=quote&amp;p={number}" class="button">
<span>Zitat</span></a></li></ul>
<p class="author"><a class="unread" href="./viewtopic.php?p={number}#p{number}"><span>Beitrag</span></a>
<span class="responsive-hide">von <strong><a href="./memberlist.php?mode=viewprofile&amp;u={number % 90 + 2}"
class="username">{item.author}</a></strong> &raquo; </span>
<time datetime="{at.isoformat()}">{at:%d.%m.%Y, %H:%M}</time></p>
<div class="content"><blockquote><div><cite>Erika hat geschrieben:</cite>Wer kennt das?</div></blockquote>
{item.text}</div>
<div id="sig{number}" class="signature">Früher war mehr Lametta</div></div></div></div></div>"""


def topic(thread: int, material: Sequence[Item], now: datetime) -> bytes:
    """A thread of one page."""
    first = thread * POSTS
    posts = "\n".join(
        post(first + n, material[(first + n) % len(material)], now - timedelta(minutes=POSTS - n)) for n in range(POSTS)
    )
    return f"""<!DOCTYPE html><html dir="ltr" lang="de"><head><meta charset="utf-8"><title>Thema {thread}</title></head>
<body id="phpbb" class="section-viewtopic"><h2 class="topic-title">
<a href="./viewtopic.php?t={thread}">Thema {thread}</a>
</h2><div class="pagination">{POSTS} Beiträge</div>{posts}</body></html>""".encode()


def board(start: int, threads: int, now: datetime) -> bytes:
    """A page of the list of threads."""
    shown = range(start, min(start + ROWS, threads))
    rows = "".join(
        f"""<li class="row bg1"><dl class="row-item topic_read"><dt><div class="list-inner"><a
href="./viewtopic.php?t={t}" class="topictitle">Thema {t}</a></div></dt><dd class="posts">{POSTS - 1}</dd>
<dd class="lastpost"><span>von <a class="username" href="./memberlist.php?u=3">Erika</a>
<a href="./viewtopic.php?p={(t + 1) * POSTS - 1}#p{(t + 1) * POSTS - 1}">
<time datetime="{now.isoformat()}">eben</time></a>
</span></dd></dl></li>"""
        for t in shown
    )
    after = start + ROWS
    onward = f"""<li class="arrow next"><a rel="next" href="./viewforum.php?f=1&amp;start={after}">Nächste</a></li>"""
    paging = f'<div class="pagination"><ul>{onward if after < threads else ""}</ul></div>'
    return f"""<!DOCTYPE html><html dir="ltr" lang="de"><head><meta charset="utf-8"><title>Brett</title></head>
<body id="phpbb" class="section-viewforum"><h2 class="forum-title"><a href="./viewforum.php?f=1">Brett</a></h2>{paging}
<ul class="topiclist topics">{rows}</ul></body></html>""".encode()


def paths(threads: int) -> list[str]:
    """Every page of a host."""
    lists = [f"/viewforum.php?f=1{f'&start={n}' if n else ''}" for n in range(0, threads, ROWS)]
    return lists + [f"/viewtopic.php?t={number}" for number in range(threads)]


def serve(threads: int, told: multiprocessing.Queue[int]) -> None:
    """The web: the same board at every address of loopback; all pages are made before the first is asked for."""
    now, material = datetime.now(UTC), list(items(2_000, seed=12))
    pages = {path: _page(path, threads, material, now) for path in paths(threads)}
    asyncio.run(_serve(pages, told))


def _page(path: str, threads: int, material: Sequence[Item], now: datetime) -> bytes:
    query = {name: int(values[0]) for name, values in parse_qs(urlsplit(path).query).items()}
    return topic(query["t"], material, now) if "t" in query else board(query.get("start", 0), threads, now)


async def _serve(pages: dict[str, bytes], told: multiprocessing.Queue[int]) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = pages.get(head.split(b" ", 2)[1].decode())
                status = b"200 OK" if body is not None else b"404 Not Found"
                length = str(len(body or b"")).encode()
                kind = b"Content-Type: text/html; charset=utf-8\r\n"
                writer.write(b"HTTP/1.1 " + status + b"\r\n" + kind + b"Content-Length: " + length + b"\r\n\r\n")
                writer.write(body or b"")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    first = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = first.sockets[0].getsockname()[1]
    others = [await asyncio.start_server(answer, f"127.0.0.{n}", port) for n in range(2, HOSTS + 1)]
    told.put(port)
    await asyncio.Event().wait()
    del others


def hosts(port: int, count: int) -> list[str]:
    """Addresses of so many hosts."""
    return [f"http://127.0.0.{n}:{port}" for n in range(1, count + 1)]


# --- ours ---------------------------------------------------------------------------------------------------------


class Remembering:
    """A pipeline that only counts."""

    items = 0

    def feed(self, batch: Sequence[Item]) -> Fed:
        self.items += len(batch)
        return Fed(stored=len(batch))

    def drain(self) -> int:
        return 0

    def known(self, uids: Sequence[str]) -> dict[str, bool]:
        return {}

    def spool_watermark(self, source: str, at: datetime) -> bool:
        return True

    def close(self) -> None:
        pass


def ours(port: int, count: int, pages: int, told: multiprocessing.Queue[Measured], phases: bool) -> None:
    """The crawl as ``sturmwarte crawl`` makes it, of one board at each host."""
    import structlog

    from crawlers.registry import spiders
    from crawlers.service import crawl_once

    warnings.simplefilter("ignore")
    _imported()
    os.environ["SCRAPY_SETTINGS_MODULE"] = "crawlers.settings"
    logging.disable(logging.WARNING)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    sources = {
        f"board-{n}": {"spider": "phpbb", "url": f"{host}/viewforum.php?f=1"}
        for n, host in enumerate(hosts(port, count))
    }
    crawl = {"delay": 0, "allow_private": ["127.0.0.0/8"], "max_pages": pages + 1, "threads": max(count, 8)}
    settled = Configuration.model_validate({"contact": "o@example.org", "crawl": crawl, "sources": sources})
    pipeline, seconds, known = Remembering(), defaultdict[str, float](float), spiders()
    with tempfile.TemporaryDirectory() as name, timing(seconds, known["phpbb"]) if phases else _untimed():
        open_state(Path(name)).close()  # made once, when it is installed
        start, start_cpu = time.perf_counter(), time.process_time()
        reports = crawl_once(settled, Path(name), SystemClock(), None, pipeline, spiders=known)
        elapsed, busy = time.perf_counter() - start, time.process_time() - start_cpu
    if not all(report.complete for report in reports) or pipeline.items != count * _threads(pages) * POSTS:
        raise RuntimeError(f"the crawl did not read everything: {pipeline.items} posts, {reports[0].reason}")
    told.put((count * pages, elapsed, busy, dict(seconds)))


def _imported() -> None:
    """What Scrapy imports late is no part of what is measured."""
    for package in ("scrapy.downloadermiddlewares", "scrapy.spidermiddlewares", "scrapy.extensions", "crawlers"):
        for module in pkgutil.walk_packages(import_module(package).__path__, f"{package}."):
            with suppress(Exception):
                import_module(module.name)
    for name in ("scrapy.core.downloader.handlers.http11", "scrapy.squeues", "aiohttp.web"):
        import_module(name)


@contextmanager
def _untimed() -> Iterator[None]:
    yield


@contextmanager
def timing(seconds: dict[str, float], spider: Any) -> Iterator[None]:
    """Note the processor time of parts of the crawl, in whatever thread they run."""
    from crawlers.ledger import Ledger
    from crawlers.middlewares.answers import AnswersMiddleware
    from crawlers.middlewares.robots import RobotsMiddleware
    from crawlers.middlewares.tdm import TdmMiddleware
    from crawlers.pacing import Pacer
    from crawlers.raw import RawPages
    from crawlers.spider import SourceSpider

    parts: list[tuple[str, Any, str]] = [
        ("turn at the host: taken", Pacer, "_claim"),
        ("turn at the host: given back", Pacer, "_give_back"),
        ("robots.txt: rules looked up", RobotsMiddleware, "_rules"),
        ("tdmrep.json: rules looked up", TdmMiddleware, "_known"),
        ("reservation in the answer", TdmMiddleware, "process_response"),
        ("answers classified", AnswersMiddleware, "process_response"),
        ("raw page kept", RawPages, "keep"),
        ("page parsed", spider, "parser"),
        ("items made", SourceSpider, "item"),
        ("items noted for the feed", SourceSpider, "note"),
        ("visit written down", Ledger, "apply"),
    ]
    before = [(owner, name, owner.__dict__[name]) for _, owner, name in parts]
    for (phase, owner, name), (_, _, plain) in zip(parts, before, strict=True):
        wrapped = _timed(getattr(plain, "__func__", plain), phase, seconds)
        setattr(owner, name, staticmethod(wrapped) if isinstance(plain, staticmethod) else wrapped)
    try:
        yield
    finally:
        for owner, name, plain in before:
            setattr(owner, name, plain)


def _timed(function: Callable[..., Any], phase: str, seconds: dict[str, float]) -> Callable[..., Any]:
    @functools.wraps(function)
    def timed(*given: Any, **named: Any) -> Any:
        start = time.thread_time()
        try:
            return function(*given, **named)
        finally:
            seconds[phase] += time.thread_time() - start

    return timed


# --- bare Scrapy --------------------------------------------------------------------------------------------------


def peer(port: int, count: int, pages: int, told: multiprocessing.Queue[Measured], phases: bool) -> None:
    """What a user would write: a spider with a list of addresses that calls the parser and yields what it finds."""
    import scrapy
    from scrapy.crawler import CrawlerProcess

    from crawlers.parsing import PageFile
    from crawlers.spiders.phpbb import PhpbbSpider

    warnings.simplefilter("ignore")
    _imported()
    parse, now, found = PhpbbSpider.parser, datetime.now(UTC), [0, 0]
    chosen = [host + path for path in paths(_threads(pages)) for host in hosts(port, count)]

    class Plain(scrapy.Spider):
        name = "plain"

        async def start(self) -> Any:
            for url in chosen:
                yield scrapy.Request(url)

        def parse(self, response: Any, **given: Any) -> Any:
            parsed = parse(PageFile(url=response.url, body=response.body, now=now, zone=ZONE))
            found[0] += 1
            found[1] += len(parsed.items)
            yield from parsed.items

    settings = {"CONCURRENT_REQUESTS_PER_DOMAIN": 1, "LOG_LEVEL": "ERROR", "TELNETCONSOLE_ENABLED": False}
    start, start_cpu = time.perf_counter(), time.process_time()
    process = CrawlerProcess(settings)
    process.crawl(Plain)
    process.start()
    elapsed, busy = time.perf_counter() - start, time.process_time() - start_cpu
    if found != [count * pages, count * _threads(pages) * POSTS]:
        raise RuntimeError(f"bare Scrapy did not read everything: {found}")
    told.put((count * pages, elapsed, busy, {}))


# --- the table ----------------------------------------------------------------------------------------------------


def _threads(pages: int) -> int:
    """So many threads that they and their lists are that many pages."""
    return next(threads for threads in range(pages, 0, -1) if threads + -(-threads // ROWS) <= pages)


def _whole(pages: int) -> int:
    threads = _threads(pages)
    return threads + -(-threads // ROWS)


def _run(what: Callable[..., None], *given: Any, phases: bool = False) -> Measured:
    spawn = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[Measured] = spawn.Queue()
    child = spawn.Process(target=what, args=(*given, told, phases))
    with running(child):
        while told.empty():
            child.join(0.05)
            if not child.is_alive() and told.empty():
                raise RuntimeError(f"{what.__name__} ended with status {child.exitcode}")
        return told.get(timeout=PATIENCE)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print rates, ratio, and where our time goes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crawl", description=__doc__)
    parser.add_argument("--pages", type=int, default=800, help="pages of one round")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args(arguments)
    for count in (1, HOSTS):
        pages = _whole(max(chosen.pages // count, 3))
        with _web(_threads(pages)) as port:
            both = [(_run(ours, port, count, pages), _run(peer, port, count, pages)) for _ in range(chosen.rounds)]
            print(f"crawl, {count * pages:,} pages of {POSTS} posts, hosts: {count}, one request at a time each")
            for name, runs in (("ours", [one for one, _ in both]), ("bare Scrapy", [one for _, one in both])):
                rate = statistics.median(run[0] / run[1] for run in runs)
                busy = statistics.median(run[0] / run[2] for run in runs)
                print(f"  {name:12} {rate:7.1f} pages/s, {busy:7.1f} per second of processor time")
            clock = statistics.median(their[1] / our[1] for our, their in both)
            processor = statistics.median(their[2] / our[2] for our, their in both)
            print(f"  ratio {clock:.2f} by the clock, {processor:.2f} by processor time (aim: 0.9)", flush=True)
            if count == 1:
                _print_phases(_run(ours, port, count, pages, phases=True))


def _print_phases(run: Measured) -> None:
    pages, _, busy, seconds = run
    rest = {"Scrapy and the rest": busy - sum(seconds.values())}
    print(f"  where our processor time goes, one host ({busy / pages * 1e3:.2f} ms a page):")
    for phase, spent in sorted((seconds | rest).items(), key=lambda pair: -pair[1]):
        print(f"    {phase:34} {spent / busy:6.1%} {spent / pages * 1e3:8.2f} ms")


@contextmanager
def _web(threads: int) -> Iterator[int]:
    spawn = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[int] = spawn.Queue()
    web = spawn.Process(target=serve, args=(threads, told))
    with running(web):
        yield told.get(timeout=PATIENCE)


if __name__ == "__main__":
    main()
