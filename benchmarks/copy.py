"""Moving a whole store SQLite → Elasticsearch → SQLite: mentions per second, and whether all three hold the same.

Generated mentions are written directly (no steps), one in twenty is read again with another text, and each has the
eight bands of near-copies. ``--url`` or ``ES_URL`` names an Elasticsearch; ``make elasticsearch`` starts one.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path

from elasticsearch import Elasticsearch
from msgspec.structs import replace

from benchmarks.material import NOW, configuration, items
from benchmarks.search import mention_of
from pipeline.clock import ManualClock
from pipeline.configuration import StoreTable
from pipeline.mention import text_hash
from pipeline.steps.story import BANDS, week_of
from pipeline.store.copying import Compared, Copied, copy
from pipeline.store.opening import open_store
from pipeline.store.protocol import Revision, Store
from pipeline.store.transfer import Kept, Record, Signature


def records(count: int) -> Iterator[Record]:
    """What a store of ``count`` mentions holds, oldest first."""
    chance, brands = random.Random(2), {brand.name: key for key, brand in configuration().brands.items()}
    for number, item in enumerate(items(count)):
        first = replace(mention_of(item, chance, brands), revision=1, known_from=item.fetched)
        kept = Kept(mention=first, first_known=item.fetched)
        if number % 20 == 0:
            again = item.fetched + timedelta(hours=1)
            text = f"{first.crawled.text} Nachtrag."
            crawled = replace(first.crawled, text=text, fetched=again)
            analysis = replace(first.analysis, text_hash=text_hash("", text))
            second = replace(first, crawled=crawled, analysis=analysis, revision=2, known_from=again)
            before = Revision(mention=first, known_from=item.fetched, known_to=again)
            kept = Kept(mention=second, first_known=item.fetched, earlier=(before,))
        yield kept
        bands = tuple(sorted(chance.getrandbits(63) for _ in range(BANDS)))
        yield Signature(uid=first.uid, week=week_of(first.event_time), bands=bands)


def fill(store: Store, count: int) -> float:
    """Records per second of mentions written as they would have been over the months."""
    taker, source = store.transfer(), records(count)
    start = time.perf_counter()
    while batch := list(islice(source, 1000)):
        taker.load(batch)
    return count / (time.perf_counter() - start)


def moved(name: str, source: Store, target: Store, clock: ManualClock, server: Callable[[], float]) -> Copied:
    """Copy, and print how fast: each month when it is compared, and what a mention cost on both sides."""
    start, start_cpu, start_server = time.perf_counter(), time.process_time(), server()
    last = start

    def compared(part: Compared) -> None:
        nonlocal last
        seconds, last = time.perf_counter() - last, time.perf_counter()
        print(f"    {part.part}  {part.target.mentions:>9,}  {part.target}  {seconds:7.1f} s", flush=True)

    outcome = copy(source, target, clock=clock, compared=compared)
    seconds, busy, there = time.perf_counter() - start, time.process_time() - start_cpu, server() - start_server
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    each, end = 1e6 / max(outcome.mentions, 1), "whole" if outcome.whole else "NOT WHOLE"
    print(
        f"  {name:26} {outcome.mentions / seconds:8,.0f}/s  {seconds:7.1f} s, processor per mention "
        f"{busy * each:.0f} µs here and {there * each:.0f} µs there, peak {memory} MB, {end}",
        flush=True,
    )
    return outcome


def processor_of(client: Elasticsearch) -> float:
    """Seconds of processor time that the servers have used since they were started."""
    nodes = client.nodes.stats(metric="process")["nodes"].values()
    return float(sum(node["process"]["cpu"]["total_in_millis"] for node in nodes)) / 1000


@contextmanager
def removed_afterwards(url: str, prefix: str) -> Iterator[StoreTable]:
    """A prefix of our own."""
    try:
        yield StoreTable.model_validate({"engine": "elasticsearch", "urls": [url], "prefix": prefix})
    finally:
        with Elasticsearch(url, request_timeout=60) as client:
            client.indices.delete(index=sorted(client.indices.get(index=f"{prefix}-*")))
            for template in client.indices.get_index_template(name=f"{prefix}-*")["index_templates"]:
                client.indices.delete_index_template(name=template["name"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.copy", description=__doc__)
    parser.add_argument("--mentions", type=int, default=100_000)
    parser.add_argument("--url", default=os.environ.get("ES_URL"))
    chosen = parser.parse_args(arguments)
    if not chosen.url:
        parser.error("--url or ES_URL must name an Elasticsearch")
    clock = ManualClock(NOW + timedelta(days=1))
    with (
        tempfile.TemporaryDirectory() as name,
        Elasticsearch(chosen.url, request_timeout=60) as client,
        removed_afterwards(chosen.url, f"bench{uuid.uuid4().hex[:8]}") as table,
    ):
        server = partial(processor_of, client)
        first, last = Path(name, "first"), Path(name, "last")
        first.mkdir()
        last.mkdir()
        with closing(open_store(first, StoreTable(), clock=clock)) as source:
            print(f"{chosen.mentions:,} mentions", flush=True)
            print(f"  {'made':26} {fill(source, chosen.mentions):8,.0f}/s", flush=True)
            with (
                closing(open_store(first, table, clock=clock)) as indices,
                closing(open_store(last, StoreTable(), clock=clock)) as target,
            ):
                there = moved("SQLite → Elasticsearch", source, indices, clock, server)
                back = moved("Elasticsearch → SQLite", indices, target, clock, server)
        parts = [(part.part, part.source, part.target) for part in there.parts]
        again = [(part.part, part.source, part.target) for part in back.parts]
        same = parts == again and there.whole and back.whole
        print("  identical checksums on all three" if same else "  CHECKSUMS DIFFER")


if __name__ == "__main__":
    main()
