"""A store as one file of lines and back: whole or not at all."""

from __future__ import annotations

import gzip
import os
from datetime import timedelta
from pathlib import Path

import pytest
from building import BIN, NOON, mention, uid

from pipeline.clock import ManualClock
from pipeline.query.tree import EVERYTHING
from pipeline.store.export import export, load
from pipeline.store.protocol import Store, StoreError
from pipeline.store.sqlite.store import SqliteStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON + timedelta(hours=6))


def _open(folder: Path, clock: ManualClock) -> SqliteStore:
    folder.mkdir(exist_ok=True)
    return SqliteStore(folder / "mentions.db", clock=clock)


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Store:
    made = _open(tmp_path / "first", clock)
    made.write([mention("a"), mention("b", at=NOON - timedelta(days=40)), mention("c")])
    clock.advance(minutes=1)
    made.write([mention("a", text="anders", fetched=NOON + BIN)])
    made.note_signatures({uid("a"): [3, 2**64 - 1]}, 2960)
    made.join_stories(uid("a"), uid("b"))
    made.erase([uid("c")], "asked for")
    return made


def test_everything_comes_back(store: Store, tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "mentions.ndjson.gz"
    records = export(store.transfer(), file)
    assert records == 5  # two mentions, bands, an alias, an erasure
    other = _open(tmp_path / "second", clock)
    assert load(other.transfer(), file) == records
    assert list(other.scan(EVERYTHING)) == list(store.scan(EVERYTHING))
    assert other.history(uid("a")) == store.history(uid("a"))
    assert other.story_of({"x": [3]}, 2960) == {"x": [uid("a")]}
    assert other.stories([uid("b")]) == {uid("b"): uid("a")}
    assert other.write([mention("c")]).refused == ((uid("c"), "erased"),)
    assert other.check() == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "mentions.ndjson.gz", "second"]


def test_what_gets_its_name_is_whole_on_the_disk(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, synced, sync = tmp_path / "mentions.ndjson.gz", list[bytes](), os.fsync

    def noted(descriptor: int) -> None:
        sync(descriptor)
        assert not file.exists()
        synced.append((tmp_path / "mentions.ndjson.gz.partial").read_bytes())

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.store.export.os.fsync", noted)
        export(store.transfer(), file)
    assert synced == [file.read_bytes()]
    assert gzip.decompress(synced[0]).splitlines()[-1] == b'{"records":5}'


def test_a_file_that_was_cut_off_is_not_loaded(store: Store, tmp_path: Path, clock: ManualClock) -> None:
    file, short = tmp_path / "whole.ndjson.gz", tmp_path / "short.ndjson.gz"
    export(store.transfer(), file)
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    other = _open(tmp_path / "second", clock)
    for content in (
        gzip.compress(b"".join(lines[:-1])),
        gzip.compress(b"".join(lines[:-2] + lines[-1:])),
        gzip.compress(b"".join(lines[1:])),
        gzip.compress(b"".join([lines[0].replace(b"mentions 1", b"mentions 2"), *lines[1:]])),
        file.read_bytes()[:-20],
        b"",
        b"no gzip",
    ):
        short.write_bytes(content)
        with pytest.raises(StoreError, match=r"short\.ndjson\.gz is no whole export of mentions"):
            load(other.transfer(), short)
    assert other.count(EVERYTHING) == (0, 0)
    assert load(other.transfer(), file) == 5


def test_mentions_that_are_there_are_not_mixed_with_others(store: Store, tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "mentions.ndjson.gz"
    export(store.transfer(), file)
    other = _open(tmp_path / "second", clock)
    other.write([mention("z")])
    with pytest.raises(StoreError, match="holds mentions already"):
        load(other.transfer(), file)
    assert other.count(EVERYTHING) == (1, 1)


def test_a_load_that_was_killed_goes_on_when_it_is_repeated(store: Store, tmp_path: Path, clock: ManualClock) -> None:
    file = tmp_path / "mentions.ndjson.gz"
    export(store.transfer(), file)
    other = _open(tmp_path / "second", clock)
    other.transfer().begin("the export mentions.ndjson.gz")
    other.transfer().load(list(store.transfer().dump(store.transfer().parts()[-1])))
    with pytest.raises(StoreError, match="unfinished copy"):
        other.write([mention("z")])
    assert load(other.transfer(), file) == 5
    assert list(other.scan(EVERYTHING)) == list(store.scan(EVERYTHING))
    assert other.write([mention("z")]).created == (uid("z"),)
