"""Search, series and persons on a large store: p50 and p95 in milliseconds, beside a plain FTS5 join.

Mentions are generated and written directly (no steps), so that a million take minutes and not an hour. The folder
is kept with ``--folder`` and used again.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from benchmarks.material import COMMON, DAYS, MEDIUM, NOW, RARE, configuration, items
from pipeline.clock import ManualClock
from pipeline.configuration import StoreTable
from pipeline.identity import pseudonym, uid_of
from pipeline.item import Item
from pipeline.mention import Analysis, Crawled, Mention, Opinion, Tone, text_hash
from pipeline.query.parse import parse
from pipeline.store.opening import open_store
from pipeline.store.protocol import Store, Window
from pipeline.times import place
from pipeline.words import ToneLabel, Via, Voice

LABELS = list(ToneLabel)


def mention_of(item: Item, chance: random.Random, brands: dict[str, str]) -> Mention:
    """A mention with a tone by chance: this benchmark is about the store."""
    uid = uid_of(item.origin, item.native_id)
    placed = place(uid, item.published, item.fetched, watermark=item.watermark)
    label, p = chance.choice(LABELS), chance.random()
    brand = next((brand for name, brand in brands.items() if name in item.text), "nordnetz")
    opinion = Opinion(
        brand=brand, via=Via.NAME, voice=Voice.EARNED, tone=label, p_negative=p, p_neutral=0.5 * (1 - p),
        p_positive=0.5 * (1 - p),
    )  # fmt: skip
    tone = Tone(label=label, p_negative=p, p_neutral=0.5 * (1 - p), p_positive=0.5 * (1 - p), compound=1 - 2 * p)
    crawled = Crawled(
        source=item.source, reading=item.reading, fetched=item.fetched, platform=item.platform, channel=item.channel,
        kind=item.kind, url=item.url, text=item.text, author=pseudonym(b"k", item.origin, item.author or ""),
        thread=f"{item.origin} {item.thread}", thread_title=item.thread_title,
    )  # fmt: skip
    analysis = Analysis(
        text_hash=text_hash("", item.text), analyser="bench", version=1, lang="de", tone=tone, opinions=(opinion,)
    )
    return Mention(
        uid=uid, origin=item.origin, crawled=crawled, published=placed.published, seen=item.fetched,
        event_time=placed.event_time, fed_bin=placed.fed_bin, analysis=analysis, sources=(item.source,),
        first_source=item.source, story=uid,
    )  # fmt: skip


def fill(store: Store, count: int) -> float:
    """Write ``count`` mentions; rows per second of the writes alone."""
    chance, brands = random.Random(2), {brand.name: key for key, brand in configuration().brands.items()}
    source, spent = items(count), 0.0
    while batch := [mention_of(item, chance, brands) for item in islice(source, 1000)]:
        start = time.perf_counter()
        store.write(batch)
        spent += time.perf_counter() - start
    return count / spent


def quantiles(run: Callable[[int], object], rounds: int) -> str:
    """p50 and p95 over ``rounds`` calls on the clock, and p50 and p95 of the processor's time alone."""
    for number in range(5):
        run(number)
    elapsed, busy = [], []
    for number in range(rounds):
        start, start_cpu = time.perf_counter(), time.process_time()
        run(number)
        busy.append((time.process_time() - start_cpu) * 1000)
        elapsed.append((time.perf_counter() - start) * 1000)
    return "  ".join(
        f"{statistics.median(times):7.2f} {statistics.quantiles(times, n=20)[18]:7.2f}" for times in (elapsed, busy)
    )


def measure(store: Store, rounds: int) -> None:
    """Print one line per kind of question."""
    chance, zone, brands = random.Random(3), ZoneInfo("Europe/Berlin"), list(configuration().brands)

    def search(words: Sequence[str], extra: str = "") -> Callable[[int], object]:
        queries = [parse(f"{word} brand:{brand}{extra}", now=NOW, zone=zone) for word in words for brand in brands]
        return lambda _: store.search(chance.choice(queries), limit=50)

    def persons(days: int) -> Callable[[int], object]:
        def ask(_: int) -> object:
            end = NOW - timedelta(days=chance.randrange(DAYS - days))
            brand = chance.choice(brands)
            return store.persons(
                Window(brand=brand, start=end - timedelta(days=days), end=end, tone=ToneLabel.NEGATIVE)
            )

        return ask

    def series(_: int) -> object:
        end = NOW - timedelta(days=chance.randrange(DAYS - 1))
        return store.series(chance.choice(brands), end - timedelta(days=1), end)

    print(f"  {'milliseconds':38} {'p50':>7} {'p95':>7}  {'of processor time':>15}")
    for name, run in (
        ("common word + brand, newest 50", search(COMMON)),
        ("medium word + brand, newest 50", search(MEDIUM)),
        ("rare word + brand, newest 50", search(RARE)),
        ("common word + brand + tone", search(COMMON, " tone:negative")),
        ("24 h of one brand in 5-minute bins", series),
        ("critical persons, 1 day", persons(1)),
        ("critical persons, 7 days", persons(7)),
    ):
        print(f"  {name:38} {quantiles(run, rounds)}")


def peer(path: Path, rounds: int) -> None:
    """The same common-word search in a plain FTS5 table joined to its rows, ordered by time."""
    chance = random.Random(4)
    sql = (
        "SELECT post.* FROM words JOIN post ON post.id = words.rowid WHERE words MATCH ? AND post.brand = ? "
        "ORDER BY post.at DESC LIMIT 50"
    )
    with closing(sqlite3.connect(path)) as database:
        brands = [row[0] for row in database.execute("SELECT DISTINCT brand FROM post")]
        ask = lambda _: database.execute(sql, (chance.choice(COMMON), chance.choice(brands))).fetchall()  # noqa: E731
        print(f"  {'plain FTS5 join, common word + brand':38} {quantiles(ask, max(10, rounds // 10))}")


def fill_peer(path: Path, count: int) -> None:
    brands = {brand.name: key for key, brand in configuration().brands.items()}
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "PRAGMA journal_mode=WAL; CREATE TABLE post (id INTEGER PRIMARY KEY, brand, at, text);"
            "CREATE INDEX post_brand ON post(brand, at); CREATE VIRTUAL TABLE words USING fts5(text, content='')"
        )
        for number, item in enumerate(items(count)):
            brand = next((key for name, key in brands.items() if name in item.text), "nordnetz")
            at = item.published.at
            database.execute("INSERT INTO post VALUES (?,?,?,?)", (number, brand, at and at.timestamp(), item.text))
            database.execute("INSERT INTO words(rowid, text) VALUES (?, ?)", (number, item.text))
        database.commit()


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill a store if it is empty, then measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.search", description=__doc__)
    parser.add_argument("--mentions", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--folder", type=Path, help="keep the store here and use it again")
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = chosen.folder or Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        with closing(open_store(folder, StoreTable(), clock=ManualClock(NOW))) as store:
            there = int(store.statistics()["mentions"])
            if there == 0:
                print(f"filling: {fill(store, chosen.mentions):,.0f} mentions/s written")
            count = int(store.statistics()["mentions"])
            print(f"search, {count:,} mentions, {int(store.statistics()['bytes']) / 1e6:,.0f} MB")
            measure(store, chosen.rounds)
        if not (folder / "peer.db").exists():
            fill_peer(folder / "peer.db", count)
        peer(folder / "peer.db", chosen.rounds)


if __name__ == "__main__":
    main()
