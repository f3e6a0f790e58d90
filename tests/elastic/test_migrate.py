"""From an older mapping to the present one: nothing is lost, readers are undisturbed, writers wait."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from building import NOON, mention, uid
from elasticsearch import Elasticsearch
from elasticsearch.helpers import bulk, scan
from moving import contents, fill

from pipeline.analysis import stem_variants
from pipeline.clock import ManualClock
from pipeline.query.tree import EVERYTHING, Query, Words
from pipeline.store.elastic.migrating import Migration
from pipeline.store.elastic.names import MAPPING_VERSION, Names
from pipeline.store.elastic.store import ElasticStore
from pipeline.store.protocol import StoreError
from pipeline.store.side import Event, EventKind
from sturmwarte import command

LONG = ("known_us", "known_to_us", "first_known_us", "event_us", "event_second")
KEPT: dict[str, Any] = {
    **{name: {"type": "long"} for name in LONG},
    "uid": {"type": "keyword"},
    "revision": {"type": "integer"},
    "event_time": {"type": "date"},
    "doc": {"type": "keyword", "index": False, "doc_values": False},
}
"""What every version has; all else may have been different."""
OLD: dict[str, Any] = {
    "dynamic": "strict",
    "_meta": {"mapping_version": 0},
    "properties": {**KEPT, "colour": {"type": "keyword"}},
}
WORDS = Query(Words(stem_variants("Störung")))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON + timedelta(hours=6))


class House:
    """A store whose indices are put back to a version 0."""

    def __init__(self, client: Elasticsearch, url: str, prefix: str, clock: ManualClock, stack: ExitStack) -> None:
        self.client, self._url, self._prefix, self._clock, self._stack = client, url, prefix, clock, stack
        self.names, self.old = Names(prefix), Names(prefix, version=0)

    def open(self) -> ElasticStore:
        client = Elasticsearch(self._url, request_timeout=60)
        return self._stack.enter_context(closing(ElasticStore(client, self._prefix, clock=self._clock)))

    def migration(self) -> Migration:
        return Migration(self.client, self._prefix, clock=self._clock)

    def indices(self, version: int) -> list[str]:
        found = self.client.indices.get(index=f"{self._prefix}-*")
        return sorted(index for index in found if f"-v{version}" in index)

    def age(self) -> None:
        """Everything into indices of version 0, with another mapping; then nothing of the present version is left."""
        for alias, pattern in zip((self.names.mentions, self.names.history), self.old.of_months, strict=True):
            self.client.indices.put_index_template(
                name=alias, index_patterns=[pattern], priority=500, template={"mappings": OLD, "aliases": {alias: {}}}
            )
        young = self.indices(MAPPING_VERSION)
        self.client.indices.refresh(index=young)
        for index in young:
            old = index.replace(f"-v{MAPPING_VERSION}", "-v0")
            of_month = "-mentions-" in index or "-history-" in index
            if not of_month:
                mapping = self.client.indices.get_mapping(index=index)[index]["mappings"]
                name = index.removesuffix(f"-v{MAPPING_VERSION}")
                alias = {name: {}} if name.endswith(("events", "results", "series")) else {}
                self.client.indices.create(index=old, mappings=mapping, aliases=alias)
            bulk(self.client, self._aged(index, old, of_month))
        self.client.indices.delete(index=young)
        self.client.update(index=self.names.meta, id="store", doc={"mapping_version": 0, "made_of": "v0"}, refresh=True)
        self.client.indices.refresh(index=self.indices(0))

    def _aged(self, index: str, old: str, of_month: bool) -> Iterator[dict[str, Any]]:
        for hit in scan(self.client, index=index):
            source = hit["_source"]
            if of_month:
                source = {name: source[name] for name in KEPT if name in source} | {"colour": "green"}
            yield {"_index": old, "_id": hit["_id"], "_source": source}


@pytest.fixture
def house(elastic_client: Elasticsearch, elastic_url: str, elastic_prefix: str, clock: ManualClock) -> Iterator[House]:
    with ExitStack() as stack:
        yield House(elastic_client, elastic_url, elastic_prefix, clock, stack)


def test_everything_is_there_after_a_migration(house: House, clock: ManualClock) -> None:
    store = house.open()
    fill(store, clock, seed=3)
    event = Event(at=NOON, identity="e1", kind=EventKind.NOTE, what="begun", text="Umzug")
    store.side.put([event], clock.now())
    before, hits = contents(store), [m.uid for m in store.scan(WORDS)]
    assert len(hits) > 5
    house.age()
    with pytest.raises(StoreError, match=r"mapping version 0, this release needs 2: run `sturmwarte store migrate`"):
        house.open()
    migration = house.migration()
    assert (migration.before, migration.now, migration.due) == (0, MAPPING_VERSION, True)
    mentions, told = migration.mentions(), []
    parts = migration.run(told.append)
    assert all(part.agrees and part.copied for part in parts)
    assert sum(told) == 2 * mentions > 100
    after = house.open()
    assert contents(after) == before
    assert [m.uid for m in after.scan(WORDS)] == hits
    assert after.check() == []
    assert house.indices(0) == []
    house.client.indices.refresh(index=f"{house.names.prefix}-events")
    assert house.client.count(index=f"{house.names.prefix}-events")["count"] == 1
    assert len(after.write([mention("new")]).created) == 1
    assert len(after.write([mention("old", at=NOON - timedelta(days=200))]).created) == 1
    assert after.count(EVERYTHING)[0] == mentions + 2
    again = house.migration()
    assert (again.due, again.run()) == (False, ())


class Died(Exception):
    pass


@pytest.mark.parametrize("after", [1, 60, 100])
def test_readers_are_undisturbed_and_writers_wait_until_one_that_died_is_done(
    house: House, clock: ManualClock, after: int
) -> None:
    store = house.open()
    fill(store, clock, seed=4)
    before, mentions = contents(store), store.count(EVERYTHING)[0]
    house.age()
    seen: list[int] = []

    def look(moved: int) -> None:
        seen.append(house.client.count(index=house.names.mentions)["count"])
        if sum(seen) >= after * mentions / 30 and after < 100:
            raise Died

    if after < 100:
        with pytest.raises(Died):
            house.migration().run(look)
    else:
        house.migration().run(look)
    assert set(seen) == {mentions}
    if after < 100:
        for index in (house.old.mentions_of("2026.11"), house.old.history_of("2031.01"), house.old.erased):
            answer = house.client.options(ignore_status=403).index(index=index, document={"uid": "x"})
            assert answer["error"]["type"] == "cluster_block_exception"
        with pytest.raises(StoreError, match="sturmwarte store migrate"):
            store.write([mention("new")])
        assert house.client.count(index=house.names.mentions)["count"] == mentions
        parts = house.migration().run()
        assert all(part.agrees for part in parts)
    assert contents(house.open()) == before
    assert store.get([uid(5)]) == house.open().get([uid(5)])
    assert len(store.write([mention("new")]).created) == 1


def test_a_newer_store_is_left_alone(house: House, clock: ManualClock) -> None:
    house.open()
    house.client.update(index=house.names.meta, id="store", doc={"mapping_version": MAPPING_VERSION + 1}, refresh=True)
    with pytest.raises(StoreError, match=r"mapping version 3, this release knows 2 at most"):
        house.migration()


def test_without_a_store_there_is_nothing_to_migrate(house: House) -> None:
    with pytest.raises(StoreError, match="no mention store under the name"):
        house.migration()


def test_the_command_tells_what_it_did(
    house: House, clock: ManualClock, elastic_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = house.open()
    fill(store, clock, seed=5)
    mentions = store.count(EVERYTHING)[0]
    house.age()
    base = f'data = "{tmp_path}"\ncontact = "a@b.example"\n[brands.telekom]\nname = "Telekom"\n'
    table = f'[store]\nengine = "elasticsearch"\nurls = ["{elastic_url}"]\nprefix = "{house.names.prefix}"\n'
    (tmp_path / "told.toml").write_text(base + table, "utf-8")
    (tmp_path / "file.toml").write_text(base.replace(str(tmp_path), str(tmp_path / "file")), "utf-8")
    with_file = ["--config", str(tmp_path / "told.toml")]
    assert command.invoke(["mentions", "", *with_file]) == 3
    assert "run `sturmwarte store migrate`" in capsys.readouterr().err
    assert command.invoke(["store", "migrate", "--json", *with_file]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["from"], told["to"], told["mentions"]) == (0, MAPPING_VERSION, mentions)
    assert sum(part["mentions"] for part in told["parts"]) == mentions
    assert command.invoke(["store", "migrate", *with_file]) == 0
    assert command.invoke(["store", "check", *with_file]) == 0
    assert command.invoke(["store", "reindex", *with_file]) == 0
    assert command.invoke(["store", "copy", "--to", str(tmp_path / "file.toml"), "--json", *with_file]) == 0
    *_, last = capsys.readouterr().out.partition("{")
    copied = json.loads("{" + last)
    assert (copied["mentions"], copied["whole"]) == (mentions, True)
