"""Many brands looked at in one tick of our watcher on Elasticsearch, beside ElastAlert 2 with a ``spike`` rule each.

Ours: the watcher as it runs, with the default rule (``surge``), sources whose watermarks move on by five minutes from
tick to tick, mentions that come in between, and the state in PostgreSQL. At the first tick every brand is new and is
looked at; from then on those that cannot raise anything rest (``alerts.resting``). Since all lay down together their
rests end within the second half of a day, twice as many in a tick as later on: ticks are measured then.

ElastAlert: a few dozen rules on the same index, each with the cheapest question there is (``use_count_query``), run the
way its scheduler runs them, one after the other. It gets an environment of its own, made by pip and removed.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import sqlalchemy as sa
from msgspec.structs import replace

from alerts.resting import Rest
from alerts.watcher import Watcher
from benchmarks.elastic_server import LeftOut, Server, say, state_server
from benchmarks.material import items
from benchmarks.search import mention_of
from pipeline.clock import ManualClock
from pipeline.configuration import Brand, Configuration, Source, StateTable, StoreTable
from pipeline.item import Published
from pipeline.mention import Mention
from pipeline.state.database import State
from pipeline.state.opening import open_state
from pipeline.state.tables import source
from pipeline.store.opening import open_store
from pipeline.store.protocol import Store
from pipeline.words import SourceState

SOURCES = 20
PER_BRAND = 5
"""Mentions of each brand within the last day."""
EVERY = timedelta(minutes=5)
TICKS = 3
"""Of ElastAlert."""
ASLEEP, MEASURED = 144, 24
"""Ticks of five minutes of ours after the first: twelve hours until rests begin to end, then two that are measured."""
RULES = 36
"""Of ElastAlert."""
PACKAGES = ("elastalert2==2.19.0", "pytz", "setuptools<81")
"""The latter two are imported by it and not named among what it needs."""

_DRIVER = """
import datetime, json, sys, time
from elastalert.elastalert import ElastAlerter
client = ElastAlerter(["--config", sys.argv[1]])
end = datetime.datetime.fromisoformat(sys.argv[2])
for tick in range(int(sys.argv[3])):
    client.args.end = (end + tick * datetime.timedelta(minutes=5)).isoformat()
    took = []
    for rule in client.rules:
        start = time.perf_counter()
        client.handle_rule_execution(rule)
        took.append(time.perf_counter() - start)
    print(json.dumps(took), flush=True)
"""


def watched(count: int, table: StoreTable, state: StateTable) -> Configuration:
    """So many brands, at twenty sources."""
    return Configuration(
        contact="bench@example.org",
        brands={f"brand-{number}": Brand(name=f"Marke {number}") for number in range(count)},
        sources={
            f"source{number}": Source(spider="phpbb", url=f"https://forum{number}.example/")
            for number in range(SOURCES)
        },
        store=table,
        state=state,
    )


def mentions(count: int, start: datetime, end: datetime, first: int = 0) -> Iterator[Mention]:
    """Of every brand in turn, so many that each is spoken of ``PER_BRAND`` times a day; ``first`` numbers them."""
    step = timedelta(days=1) / (count * PER_BRAND)
    chance, drawn = random.Random(first), list(items(500))
    for number in range(first, first + (end - start) // step):
        at = start + step * (number - first)
        base, where = drawn[number % len(drawn)], chance.randrange(SOURCES)
        item = replace(
            base,
            source=f"source{where}",
            origin=f"forum{where}.example",
            native_id=f"/ p{number}",
            fetched=at + timedelta(minutes=1),
            published=Published(at=at, precision=base.published.precision),
            watermark=start,
        )
        made = mention_of(item, chance, {})
        opinion = replace(made.analysis.opinions[0], brand=f"brand-{number * 7919 % count}")
        yield replace(made, analysis=replace(made.analysis, opinions=(opinion,)))


def fill_state(state: State, now: datetime) -> None:
    """Sources that are well and have been read for a month."""
    rows = [
        {
            "id": f"source{number}",
            "spider": "phpbb",
            "url": f"https://forum{number}.example/",
            "channel": "forum",
            "state": SourceState.HEALTHY,
            "state_since": now - timedelta(days=30),
            "complete_from": now - timedelta(days=2),
            "first_contact_at": now - timedelta(days=30),
            "watermark": now,
            "last_ok": now,
            "next_due": now,
            "interval_s": 600.0,
            "cursor": {},
        }
        for number in range(SOURCES)
    ]
    with state.begin() as connection:
        connection.execute(sa.insert(source), rows)


def tick(configuration: Configuration, store: Store, state: State, clock: ManualClock, rest: Rest) -> tuple[int, float]:
    """Brands looked at, and the seconds it took."""
    with state.begin() as connection:
        connection.execute(sa.update(source).values(watermark=clock.now(), last_ok=clock.now()))
    watcher = Watcher(configuration, store, state, clock, rest=rest)
    start = time.perf_counter()
    report = watcher.tick()
    return report.brands, time.perf_counter() - start


def fill(store: Store, found: Iterator[Mention]) -> int:
    """Write them all; how many there were."""
    count = 0
    while batch := list(islice(found, 1_000)):
        store.write(batch)
        count += len(batch)
    return count


def ours(table: StoreTable, state_table: StateTable, count: int, now: datetime) -> float:
    """Fill, let ticks pass, print them; seconds of a tick, the middle one of those measured."""
    configuration, clock, rest = watched(count, table, state_table), ManualClock(now), Rest()
    took: list[float] = []
    looked: list[int] = []
    with (
        tempfile.TemporaryDirectory() as name,
        closing(open_state(Path(name), state_table)) as state,
        closing(open_store(Path(name), table, clock=clock)) as store,
    ):
        say(f"{count * PER_BRAND:,} mentions of {count:,} brands are written")
        written = fill(store, mentions(count, now - timedelta(days=1), now))
        fill_state(state, now)
        say("the first tick looks at every brand")
        for number in range(1 + ASLEEP + MEASURED):
            brands, seconds = tick(configuration, store, state, clock, rest)
            if number == 0:
                each = f"{seconds / max(brands, 1) * 1000:.2f} ms each"
                print(f"  Sturmwarte, first tick: {brands:,} brands in {seconds:,.1f} s, {each}", flush=True)
            took.append(seconds)
            looked.append(brands)
            start = clock.now()
            clock.advance(minutes=EVERY // timedelta(minutes=1))
            written += fill(store, mentions(count, start, clock.now(), written))
    for title, span in (("at rest", slice(1, ASLEEP + 1)), ("while rests end", slice(ASLEEP + 1, None))):
        middle, longest, awake = statistics.median(took[span]), max(took[span]), statistics.median(looked[span])
        print(
            f"  Sturmwarte, {len(took[span])} ticks ({title}): {awake:,.0f} of {count:,} brands looked at, "
            f"{middle:.2f} s (longest {longest:.2f}), {middle / count * 1000:.3f} ms per brand watched",
            flush=True,
        )
    return statistics.median(took[ASLEEP + 1 :])


def environment(folder: Path) -> Path:
    """A Python that has ElastAlert 2. Raises LeftOut where it cannot be had."""
    python = folder / "venv/bin/python"
    say(f"{PACKAGES[0]} is installed into an environment of its own")
    for command in (
        [sys.executable, "-m", "venv", str(folder / "venv")],
        [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LeftOut(f"ElastAlert 2 cannot be installed: {' '.join(done.stderr.split())[-300:]}")
    return python


def write_rules(server: Server, table: StoreTable, folder: Path) -> Path:
    """The configuration of ElastAlert and its rules, as JSON, which is YAML too."""
    host = urlsplit(server.url)
    rules = folder / "rules"
    rules.mkdir()
    for number in range(RULES):
        rule = {
            "name": f"brand-{number}",
            "type": "spike",
            "index": f"{table.prefix}-mentions",
            "timestamp_field": "event_time",
            "timeframe": {"hours": 1},
            "spike_height": 3,
            "spike_type": "up",
            "threshold_cur": 5,
            "use_count_query": True,
            "filter": [{"term": {"brand_tone": f"brand-{number}:negative"}}],
            "alert": ["debug"],
        }
        (rules / f"brand-{number}.yaml").write_text(json.dumps(rule), "utf-8")
    configuration = {
        "es_host": host.hostname,
        "es_port": host.port,
        "use_ssl": host.scheme == "https",
        "rules_folder": str(rules),
        "run_every": {"minutes": 5},
        "buffer_time": {"minutes": 15},
        "writeback_index": f"{table.prefix}-elastalert",
        "alert_time_limit": {"days": 1},
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(configuration), "utf-8")
    return path


def elastalert(server: Server, table: StoreTable, now: datetime) -> float:
    """Seconds per rule and tick: the middle one of all rules and ticks but the first. Raises LeftOut."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = environment(folder)
        path = write_rules(server, table, folder)
        say(f"ElastAlert 2 runs {RULES} spike rules for {TICKS + 2} ticks")
        _run([str(python), "-W", "ignore", "-m", "elastalert.create_index", "--config", str(path)], folder)
        start = (now - (TICKS + 2) * EVERY).isoformat()
        told = _run([str(python), "-W", "ignore", "-c", _DRIVER, str(path), start, str(TICKS + 2)], folder)
    ticks: list[list[float]] = [json.loads(line) for line in told.splitlines() if line.startswith("[")]
    took = [seconds for tick in ticks[1:] for seconds in tick]
    if len(took) != RULES * (TICKS + 1):
        raise LeftOut(f"ElastAlert 2 ran {len(took)} times instead of {RULES * (TICKS + 1)}")
    return statistics.median(took)


def _run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise LeftOut(f"ElastAlert 2 does not run: {' '.join(done.stderr.split())[-500:]}")
    return done.stdout


def measure(server: Server, count: int) -> None:
    """Ours, then theirs on what ours has written. Raises LeftOut without PostgreSQL."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    with state_server() as database, server.store() as table:
        print(f"\n{count:,} brands per tick, {SOURCES} sources, {PER_BRAND} mentions of each brand a day")
        each = ours(table, database(), count, now) / count
        try:
            rule = elastalert(server, table, now)
        except LeftOut as reason:
            print(f"  left out: {reason}")
            return
    print(
        f"  ElastAlert 2, spike: {rule * 1000:.2f} ms per rule and tick, measured on {RULES} rules; "
        f"{count:,} rules would take {rule * count:,.0f} s"
    )
    print(f"  per brand watched ours is {rule / each:,.0f} times as fast (aim: 50)")
