"""Items per second through all steps into SQLite on one core, with the share of each step, beside a plain script.

The peer does what a user would write in an afternoon: vaderSentiment on each text, one INSERT into one table with
an FTS5 index, a commit per thousand rows. No matching, no German, no copies, no history.
"""

from __future__ import annotations

import argparse
import gc
import os
import sqlite3
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from benchmarks.material import NOW, configuration, items
from pipeline.build import build_pipeline
from pipeline.clock import ManualClock
from pipeline.configuration import StoreTable
from pipeline.draft import Draft, Step
from pipeline.item import Item
from pipeline.state.opening import open_state
from pipeline.store.opening import open_store


class Timed:
    """A step that notes the seconds it takes."""

    def __init__(self, step: Step, seconds: dict[str, float]) -> None:
        self.name, self._step, self._seconds = step.name, step, seconds

    def __call__(self, batch: list[Draft]) -> list[Draft]:
        start = time.process_time()
        try:
            return self._step(batch)
        finally:
            self._seconds[self.name] += time.process_time() - start


def ours(material: Sequence[Item], folder: Path) -> tuple[float, dict[str, float]]:
    """Seconds for everything, and per step (processor time)."""
    clock, seconds = ManualClock(NOW), defaultdict[str, float](float)
    with closing(open_state(folder)) as state, closing(open_store(folder, StoreTable(), clock=clock)) as store:
        pipeline = build_pipeline(configuration(), store, state, folder=folder, clock=clock)
        pipeline.feed(material[:200])  # models are loaded on first use
        pipeline.steps = tuple(Timed(step, seconds) for step in pipeline.steps)
        gc.freeze()  # the material is no part of what is measured
        start, start_cpu = time.perf_counter(), time.process_time()
        pipeline.feed(material[200:])
        elapsed = time.perf_counter() - start
        seconds["store and the rest"] = time.process_time() - start_cpu - sum(seconds.values())
    return elapsed, seconds


def peer(material: Sequence[Item], folder: Path) -> tuple[float, float]:
    """Seconds of the plain script, and of the processor alone."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    vader = SentimentIntensityAnalyzer()
    with closing(sqlite3.connect(folder / "peer.db")) as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE VIRTUAL TABLE post USING fts5(url, author, text, compound UNINDEXED)")
        start, start_cpu = time.perf_counter(), time.process_time()
        for number, item in enumerate(material[200:]):
            compound = vader.polarity_scores(item.text)["compound"]
            database.execute("INSERT INTO post VALUES (?, ?, ?, ?)", (item.url, item.author, item.text, compound))
            if number % 1000 == 999:
                database.commit()
        database.commit()
        return time.perf_counter() - start, time.process_time() - start_cpu


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--items", type=int, default=20_000)
    chosen = parser.parse_args(arguments)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    material = list(items(chosen.items + 200))
    with tempfile.TemporaryDirectory() as name:
        elapsed, seconds = ours(material, Path(name))
        plain, plain_cpu = peer(material, Path(name))
    total = sum(seconds.values())
    print(f"ingest, {chosen.items:,} items, one core: {_rates(chosen.items, elapsed, total)}")
    for step, spent in sorted(seconds.items(), key=lambda pair: -pair[1]):
        print(f"  {step:20} {spent / total:6.1%}  {spent / chosen.items * 1e6:8.0f} µs/item")
    print(
        f"  plain vaderSentiment + FTS5 script: {_rates(chosen.items, plain, plain_cpu)}; ratio {plain_cpu / total:.2f}"
    )


def _rates(items: int, elapsed: float, busy: float) -> str:
    """Items per second on the clock, and per second in which the processor was ours (others share it)."""
    return f"{items / elapsed:,.0f} items/s, {items / busy:,.0f} per second of processor time"


if __name__ == "__main__":
    main()
