"""A backup holds the mentions of a server, too, and goes back to a server or into a file."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from building import BIN, NOON, mention, uid
from elastic import remove_indices
from elasticsearch import Elasticsearch
from postgres import Postgres, server_table

from pipeline import maintenance
from pipeline.clock import ManualClock
from pipeline.configuration import StoreTable
from pipeline.query.tree import EVERYTHING
from pipeline.state.opening import open_state
from pipeline.store.opening import open_store
from pipeline.store.protocol import Store

CLOCK = ManualClock(NOON + timedelta(hours=6))
FILE = StoreTable()


@pytest.fixture
def server(elastic_url: str, elastic_prefix: str) -> StoreTable:
    return StoreTable(engine="elasticsearch", urls=(elastic_url,), prefix=elastic_prefix)


@pytest.fixture
def other_server(server: StoreTable, elastic_client: Elasticsearch) -> Iterator[StoreTable]:
    prefix = f"{server.prefix}-other"
    yield server.model_copy(update={"prefix": prefix})
    remove_indices(elastic_client, prefix)


def filled(folder: Path, table: StoreTable) -> Path:
    """A data folder with mentions, one of them revised and one erased."""
    folder.mkdir()
    clock = ManualClock(NOON + timedelta(hours=5))
    with closing(open_state(folder)), closing(open_store(folder, table, clock=clock)) as store:
        store.write([mention("a"), mention("b", at=NOON - timedelta(days=40)), mention("c")])
        clock.advance(minutes=1)
        store.write([mention("a", text="anders", fetched=NOON + BIN)])
        store.erase([uid("c")], "asked for")
    return folder


def check_restored(store: Store) -> None:
    store.refresh()
    assert [(m.uid, m.revision) for m in store.scan(EVERYTHING)] == [(uid("a"), 2), (uid("b"), 1)]
    assert [r.mention.crawled.text for r in store.history(uid("a"))] == ["Die Telekom hat geantwortet.", "anders"]
    assert store.write([mention("c")]).refused == ((uid("c"), "erased"),)
    assert store.check() == []


def test_a_backup_of_a_server_goes_to_another_server_or_into_a_file(
    server: StoreTable, other_server: StoreTable, tmp_path: Path
) -> None:
    folder = filled(tmp_path / "data", server)
    saved = maintenance.backup(folder, tmp_path / "saved.tar", clock=CLOCK, store=server)
    with tarfile.open(saved) as archive:
        assert {"state.db", "mentions.ndjson.gz", "manifest.json"} <= set(archive.getnames())
    maintenance.restore(saved, tmp_path / "elsewhere", clock=CLOCK, store=other_server)
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == ["state.db"]
    with closing(open_store(tmp_path / "elsewhere", other_server, clock=CLOCK)) as store:
        check_restored(store)
    maintenance.restore(saved, tmp_path / "file", clock=CLOCK, store=FILE)
    with closing(open_store(tmp_path / "file", FILE, clock=CLOCK)) as store:
        check_restored(store)


def test_a_backup_of_a_file_goes_to_a_server(server: StoreTable, tmp_path: Path) -> None:
    folder = filled(tmp_path / "data", FILE)
    saved = maintenance.backup(folder, tmp_path / "saved.tar", clock=CLOCK, store=FILE)
    maintenance.restore(saved, tmp_path / "restored", clock=CLOCK, store=server)
    assert not (tmp_path / "restored" / "mentions.db").exists()
    with closing(open_store(tmp_path / "restored", server, clock=CLOCK)) as store:
        check_restored(store)


def test_mentions_on_a_server_are_not_mixed_with_those_of_a_backup(server: StoreTable, tmp_path: Path) -> None:
    folder = filled(tmp_path / "data", server)
    saved = maintenance.backup(folder, tmp_path / "saved.tar", clock=CLOCK, store=server)
    before = sorted(path.name for path in folder.iterdir())
    with pytest.raises(maintenance.BackupError, match="holds mentions already"):
        maintenance.restore(saved, folder, clock=CLOCK, force=True, store=server)
    assert sorted(path.name for path in folder.iterdir()) == before
    with closing(open_store(folder, server, clock=CLOCK)) as store:
        check_restored(store)


def test_a_restore_that_one_target_refuses_writes_to_none(
    server: StoreTable, postgres: Postgres, tmp_path: Path
) -> None:
    folder = filled(tmp_path / "data", FILE)
    saved = maintenance.backup(folder, tmp_path / "saved.tar", clock=CLOCK, store=FILE)
    used, fresh = server_table(postgres, empty=True), server_table(postgres, empty=True)
    maintenance.restore(saved, tmp_path / "first", clock=CLOCK, table=used)
    with pytest.raises(maintenance.BackupError, match="is not empty"):
        maintenance.restore(saved, tmp_path / "restored", clock=CLOCK, table=used, store=server)
    assert not (tmp_path / "restored").exists()
    maintenance.restore(saved, tmp_path / "restored", clock=CLOCK, table=fresh, store=server)
    with closing(open_store(tmp_path / "restored", server, clock=CLOCK)) as store:
        check_restored(store)
    with closing(open_state(tmp_path / "restored", fresh)) as state, state.read() as connection:
        assert maintenance.restored_at(connection) == CLOCK.now()
