"""Items per second into Elasticsearch: all our steps, beside two things that users write instead.

(a) A script: vaderSentiment on each text, ``helpers.bulk``. No matching, no German, no copies, no history, no spool.
(b) A Scrapy item pipeline with one ``es.index`` per item, which nothing but stores it.

The same texts go to the same server, everything with the durability it comes with (an answer means: on disk).
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from elasticsearch import helpers
from msgspec.structs import replace

from benchmarks.elastic_server import Server, say
from benchmarks.material import NOW, configuration, items
from pipeline.build import build_pipeline
from pipeline.clock import ManualClock
from pipeline.item import Item
from pipeline.state.opening import open_state
from pipeline.store.opening import open_store

WARMING = 500
"""Other items of the same months before the clock runs: models are loaded, indices made, the server's code compiled."""
ONE_BY_ONE = 3_000
"""Of the items, so many at most go to (b): its rate is a matter of the round trip."""
ROUNDS = 2


Rate = tuple[float, float]
"""Items per second on the clock, and microseconds of processor time that each cost on the client's side."""


class Watch:
    """A clock that runs from now on."""

    def __init__(self) -> None:
        self._start, self._busy = time.perf_counter(), time.process_time()

    def rate(self, count: int) -> Rate:
        """So many were done since."""
        return count / (time.perf_counter() - self._start), (time.process_time() - self._busy) / count * 1e6


def ours(server: Server, warming: Sequence[Item], material: Sequence[Item]) -> Rate:
    """Through clean, match, language, tone, story and store."""
    clock = ManualClock(NOW)
    with server.store() as table, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with closing(open_state(folder)) as state, closing(open_store(folder, table, clock=clock)) as store:
            pipeline = build_pipeline(configuration(), store, state, folder=folder, clock=clock)
            pipeline.feed(warming)
            watch = Watch()
            fed = pipeline.feed(material)
            rate = watch.rate(len(material))
        if fed.spooled or fed.quarantined:
            raise RuntimeError(f"not everything was stored: {fed}")
    return rate


def document(item: Item) -> dict[str, Any]:
    """What a user would keep of an item."""
    at = item.published.at
    return {
        "url": item.url,
        "author": item.author,
        "source": item.source,
        "published": at and at.isoformat(),
        "text": item.text,
    }


def script(server: Server, warming: Sequence[Item], material: Sequence[Item]) -> Rate:
    """Peer (a)."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    vader = SentimentIntensityAnalyzer()

    def actions(some: Sequence[Item], index: str) -> Iterator[dict[str, Any]]:
        for item in some:
            compound = vader.polarity_scores(item.text)["compound"]
            yield {"_index": index, "_id": item.url, **document(item), "compound": compound}

    with server.prefix() as index, server.client() as client:
        helpers.bulk(client, actions(warming, index))
        watch = Watch()
        helpers.bulk(client, actions(material, index))
        return watch.rate(len(material))


class IndexingPipeline:
    """Peer (b), as in tutorials: a Scrapy item pipeline."""

    def __init__(self, server: Server, index: str) -> None:
        self._server, self._index = server, index

    def open_spider(self, spider: object) -> None:
        self._client = self._server.client()

    def close_spider(self, spider: object) -> None:
        self._client.close()

    def process_item(self, item: dict[str, Any], spider: object) -> dict[str, Any]:
        self._client.index(index=self._index, id=item["url"], document=item)
        return item


def one_by_one(server: Server, warming: Sequence[Item], material: Sequence[Item]) -> Rate:
    """Peer (b)."""
    some = material[:ONE_BY_ONE]
    with server.prefix() as index:
        pipeline = IndexingPipeline(server, index)
        pipeline.open_spider(None)
        for item in warming:
            pipeline.process_item(document(item), None)
        watch = Watch()
        for item in some:
            pipeline.process_item(document(item), None)
        rate = watch.rate(len(some))
        pipeline.close_spider(None)
    return rate


def measure(server: Server, count: int) -> None:
    """Every candidate in turn, twice; the better one of each counts."""
    say(f"{count:,} texts are made")
    material = list(items(count))
    warming = [replace(item, native_id=f"{item.native_id}w", url=f"{item.url}w") for item in items(WARMING, seed=2)]
    gc.freeze()  # the material is no part of what is measured
    candidates: dict[str, Callable[[Server, Sequence[Item], Sequence[Item]], Rate]] = {
        "Sturmwarte, all steps": ours,
        "(a) vaderSentiment + helpers.bulk": script,
        "(b) Scrapy pipeline, one es.index each": one_by_one,
    }
    rates: dict[str, list[Rate]] = {name: [] for name in candidates}
    for number in range(ROUNDS):
        for name, run in candidates.items():
            say(f"ingest, round {number + 1} of {ROUNDS}: {name}")
            rates[name].append(run(server, warming, material))
    print(f"\ningest into Elasticsearch, {count:,} items (at most {ONE_BY_ONE:,} for b), better of {ROUNDS} rounds")
    print(f"  {'':40} {'items/s':>9} {'rounds':>17} {'ours is':>9} {'client µs/item':>16}")
    best, _ = max(rates["Sturmwarte, all steps"])
    for name, found in rates.items():
        each = " ".join(f"{rate:,.0f}" for rate, _ in found)
        fastest, busy = max(found)
        print(f"  {name:40} {fastest:9,.0f} {each:>17} {best / fastest:8.2f}x {busy:16,.0f}")
    print("  aims: 1 x (a), 10 x (b)")
