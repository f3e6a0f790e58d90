"""An export of hundreds of thousands of rows takes no more memory than one of a few thousand, on either engine."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from building import mention
from msgspec.structs import replace

from pipeline.clock import ManualClock
from pipeline.configuration import StoreTable
from pipeline.secrets import author_key
from pipeline.state.opening import open_state
from pipeline.store.opening import open_store
from pipeline.store.protocol import Store
from pipeline.store.transfer import Kept

ROWS = int(os.environ.get("EXPORT_ROWS", "300000"))
FEW = 2_000
START = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=40)
GROWTH_MB = 100
"""SQLite alone keeps up to 64 MB of pages; the rows as they are written are several hundred."""
PROGRAM = """
import resource, sys
from sturmwarte import command
code = command.invoke(sys.argv[1:])
print(code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def fill(store: Store) -> None:
    """Rows that are all different, without the merging that writing would do."""
    taker = store.transfer()
    pattern = mention("pattern", text="Die Telekom hat heute wieder nicht geantwortet. " * 8)
    for first in range(0, ROWS, 1000):
        batch = []
        for number in range(first, min(first + 1000, ROWS)):
            at = START + STEP * number
            made = mention(number, at=at, crawled=replace(pattern.crawled, fetched=at, author=f"{number % 5000:032x}"))
            batch.append(Kept(mention=replace(made, revision=1, known_from=at), first_known=at))
        taker.load(batch)


def exported(folder: Path, form: str, *more: str) -> tuple[int, int]:
    """(rows without a heading, peak memory in MB) of an export in a process of its own."""
    out = folder / f"out-{len(more)}.{form}"
    words = ["export", "", "--out", str(out), "--format", form, "--config", str(folder / "sturmwarte.toml"), *more]
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=False)
    code, peak = done.stdout.split()
    assert code == "0", done.stderr
    with out.open(encoding="utf-8", newline="") as file:
        rows = sum(1 for _ in csv.reader(file)) - 1 if form == "csv" else sum(1 for line in file if json.loads(line))
    out.unlink()
    return rows, int(peak)


@pytest.fixture(params=["sqlite", "elasticsearch"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A data folder with its configuration, filled."""
    lines = [f'data = "{tmp_path}"', 'contact = "a@b.example"', '[brands.telekom]\nname = "Telekom"']
    table = StoreTable()
    if request.param == "elasticsearch":
        url, prefix = request.getfixturevalue("elastic_url"), request.getfixturevalue("elastic_prefix")
        lines.append(f'[store]\nengine = "elasticsearch"\nurls = ["{url}"]\nprefix = "{prefix}"')
        table = StoreTable.model_validate({"engine": "elasticsearch", "urls": [url], "prefix": prefix})
    (tmp_path / "sturmwarte.toml").write_text("\n".join(lines) + "\n", "utf-8")
    author_key(tmp_path, data_present=False)
    clock = ManualClock(START + STEP * ROWS)
    with closing(open_state(tmp_path)), closing(open_store(tmp_path, table, clock=clock)) as store:
        fill(store)
    yield tmp_path


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_memory_does_not_grow_with_the_rows(folder: Path, form: str) -> None:
    until = (START + STEP * FEW).isoformat()
    few, before = exported(folder, form, "--to", until)
    many, after = exported(folder, form)
    print(f"{form}: {few} rows {before} MB, {many} rows {after} MB")
    assert (few, many) == (FEW, ROWS)
    assert after - before < GROWTH_MB
