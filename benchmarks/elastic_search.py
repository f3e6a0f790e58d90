"""Searches, series and facets on many mentions in Elasticsearch: p50 and p95 in milliseconds on the clock.

Mentions are written directly, without the steps, by two processes at once. Their texts are halves of others put
together anew: to draw each word of a million texts would take longer than to store them.
"""

from __future__ import annotations

import multiprocessing
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from benchmarks.elastic_server import Server, running, say, spans
from benchmarks.material import COMMON, DAYS, MEDIUM, NOW, RARE, configuration, items
from benchmarks.search import mention_of
from pipeline.clock import ManualClock
from pipeline.configuration import StoreTable
from pipeline.item import Item, Published
from pipeline.query.parse import parse
from pipeline.query.tree import EVERYTHING
from pipeline.store.elastic.store import ElasticStore
from pipeline.store.opening import open_store

WRITERS = 2
BATCH = 1_000
DRAWN = 5_000
"""Texts whose halves the others are made of."""


def material(count: int, part: int) -> Iterator[Item]:
    """Every ``WRITERS``-th item of ``count``, in order of time."""
    chance, drawn = random.Random(part), list(items(DRAWN))
    halves = [(item.text[: len(item.text) // 2], item.text[len(item.text) // 2 :]) for item in drawn]
    step = timedelta(days=DAYS) / count
    for number in range(part, count, WRITERS):
        at = NOW - timedelta(days=DAYS) + step * number
        base = drawn[number % DRAWN]
        yield replace(
            base,
            native_id=f"/ p{number}",
            url=f"https://{base.origin}/viewtopic.php?p={number}#p{number}",
            text=chance.choice(halves)[0] + chance.choice(halves)[1],
            fetched=at + timedelta(minutes=4),
            published=Published(at=at, precision=base.published.precision),
            thread=f"/ t{number // 30}",
            watermark=at - timedelta(minutes=5),
        )


def write(table: StoreTable, folder: str, count: int, part: int, told: multiprocessing.Queue[int]) -> None:
    """One writer; tells after each batch how many it has written."""
    chance, brands = random.Random(part), {brand.name: key for key, brand in configuration().brands.items()}
    source = material(count, part)
    with closing(open_store(Path(folder), table, clock=ManualClock(NOW))) as store:
        while batch := [mention_of(item, chance, brands) for item in islice(source, BATCH)]:
            store.write(batch)
            told.put(len(batch))


def fill(table: StoreTable, folder: str, count: int) -> float:
    """Write the mentions; per second from the first batch to the last, the making of mentions included."""
    spawn = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[int] = spawn.Queue()
    writers = [spawn.Process(target=write, args=(table, folder, count, part, told)) for part in range(WRITERS)]
    with running(*writers):
        first = done = _next(told, writers)
        start = shown = time.perf_counter()
        while done < count:
            done += _next(told, writers)
            if time.perf_counter() - shown > 15:
                shown = time.perf_counter()
                say(f"{done:,} of {count:,} mentions written, {(done - first) / (shown - start):,.0f}/s")
        elapsed = time.perf_counter() - start
        for writer in writers:
            writer.join()
    return (count - first) / elapsed if count > first else 0.0


def _next(told: multiprocessing.Queue[int], writers: Sequence[multiprocessing.process.BaseProcess]) -> int:
    """Raises RuntimeError where a writer has failed."""
    from queue import Empty

    while True:
        try:
            return told.get(timeout=2.0)
        except Empty:
            if any(writer.exitcode for writer in writers):
                raise RuntimeError("a writer has ended with an error") from None


Question = tuple[str, Callable[[int], object], str]
"""What is asked, how, and what a first draft of these indices needed (p50 / p95) where that was measured."""


def questions(store: ElasticStore) -> list[Question]:
    """Each with other values every time: the server keeps answers to what was asked before."""
    chance, zone, brands = random.Random(3), ZoneInfo("Europe/Berlin"), list(configuration().brands)
    uids = [mention.uid for mention in store.search(EVERYTHING, limit=1000).mentions]

    def search(words: Sequence[str]) -> Callable[[int], object]:
        queries = [parse(f"{word} brand:{brand}", now=NOW, zone=zone) for word in words for brand in brands]
        return lambda _: store.search(chance.choice(queries), limit=50)

    def hourly(_: int) -> object:
        end = NOW - timedelta(hours=chance.randrange((DAYS - 90) * 24))
        return store.hours(chance.choice(brands), end - timedelta(days=90), end)

    def bins(among: Sequence[str]) -> object:
        end = NOW - timedelta(minutes=5 * chance.randrange((DAYS - 1) * 288))
        return [store.series(brand, end - timedelta(days=1), end) for brand in among]

    def facet(_: int) -> object:
        end = NOW - timedelta(hours=chance.randrange((DAYS - 90) * 24))
        query = parse(f"brand:{chance.choice(brands)}", now=NOW, zone=zone)
        return store.facets(query, "source", start=end - timedelta(days=90), end=end)

    return [
        ("common word + brand, newest 50 of 180 days", search(COMMON), "10.6 / 17.5"),
        ("medium word + brand, newest 50", search(MEDIUM), "7.7 / 11.5"),
        ("rare word + brand, newest 50", search(RARE), "6.2 / 10.4"),
        ("90 days by hour and tone, one brand", hourly, "48 / 78"),
        ("24 h in 5-minute bins, source and tone, one brand", lambda _: bins([chance.choice(brands)]), ""),
        (f"the same for all {len(brands)} brands, one by one", lambda _: bins(brands), "14 / 24"),
        ("facet by source with persons, one brand, 90 days", facet, "6.4 / 10"),
        ("read 100 mentions by uid", lambda _: store.get(chance.sample(uids, min(100, len(uids)))), "10.6 / 14.5"),
    ]


def measure(server: Server, count: int, rounds: int) -> None:
    """Fill a store, ask, print."""
    with server.store() as table, tempfile.TemporaryDirectory() as name:
        with closing(open_store(Path(name), table, clock=ManualClock(NOW))):
            pass  # templates and indices are made before two writers look for them
        say(f"{count:,} mentions are written by {WRITERS} processes")
        rate = fill(table, name, count)
        server.settle(table.prefix)
        with closing(open_store(Path(name), table, clock=ManualClock(NOW), read_only=True)) as store:
            assert isinstance(store, ElasticStore)
            there = int(store.statistics()["mentions"])
            size = server.bytes(table.prefix) / 1e6
            print(f"\nfill: {rate:,.0f} mentions/s by store.write, {WRITERS} processes (without the steps)")
            print(f"questions on {there:,} mentions in Elasticsearch, {size:,.0f} MB; {rounds} of each, milliseconds")
            print(f"  {'':52} {'p50':>7} {'p95':>7}   first draft p50 / p95")
            for title, run, aim in questions(store):
                say(title)
                middle, slow = spans(run, rounds)
                print(f"  {title:52} {middle:7.1f} {slow:7.1f}   {aim}", flush=True)
