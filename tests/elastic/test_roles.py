"""The roles that are shipped: enough for all that is done, and nothing beyond the own indices."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from building import NOON, mention, uid
from elastic import Node, remove_indices
from elasticsearch import Elasticsearch

from pipeline.clock import ManualClock
from pipeline.configuration import StoreTable
from pipeline.query.tree import EVERYTHING
from pipeline.store.elastic.client import connect, guarded
from pipeline.store.opening import open_store
from pipeline.store.protocol import StoreError

ROLES = Path(__file__).parents[2] / "docker/cluster"
CLOCK = ManualClock(NOON + timedelta(hours=1))


@dataclass
class House:
    """Tables for keys that may do what a shipped role says, over indices of this test alone."""

    node: Node
    prefix: str
    folder: Path
    admin: Elasticsearch

    def table(self, role: str) -> StoreTable:
        """What ``[store]`` says for a new API key limited to a role of ``docker/cluster``."""
        document = json.loads((ROLES / f"{role}.json").read_text("utf-8").replace('"sturmwarte-', f'"{self.prefix}-'))
        limits = {role: {name: document[name] for name in ("cluster", "indices")}}
        key = self.admin.security.create_api_key(name=role, expiration="1h", role_descriptors=limits)
        path = self.folder / f"{role}.key"
        path.write_text(str(key["encoded"]), "ascii")
        told: dict[str, Any] = {"engine": "elasticsearch", "urls": (self.node.url,), "prefix": self.prefix}
        return StoreTable(**told, ca_file=self.node.ca_file, api_key_file=path, patience="0s")


@pytest.fixture
def house(elastic_secured: Node, tmp_path: Path) -> Iterator[House]:
    prefix = f"t{uuid.uuid4().hex[:12]}"
    with elastic_secured.client() as admin:
        yield House(elastic_secured, prefix, tmp_path, admin)
        remove_indices(admin, prefix)


def test_the_role_is_enough_for_the_whole_store(house: House, tmp_path: Path) -> None:
    with closing(open_store(tmp_path, house.table("role"), clock=CLOCK)) as store:
        written = store.write(
            [mention("one"), mention("two", author="b" * 32), mention("old", at=NOON.replace(month=1))]
        )
        assert len(written.created) == 3
        assert store.write([mention("one", text="Die Telekom hat nicht geantwortet.", author="a" * 32)]).refused == ()
        assert store.count(EVERYTHING)[0] == 3
        store.note_signatures({uid("one"): [1, 2]}, 2900)
        assert store.story_of({"new": [1]}, 2900)["new"] == [uid("one")]
        store.join_stories(uid("one"), uid("two"))
        assert store.stories([uid("two")]) == {uid("two"): uid("one")}
        assert store.delete_at_source(uid("two"), NOON)
        assert store.purge(NOON - timedelta(days=30)) == 1
        assert store.erase_author("a" * 32, "asked for") == [uid("one")]
        assert [found.uid for found in store.scan(EVERYTHING)] == [uid("two")]
        assert store.check() == []
        assert store.statistics()["mentions"] == 1


def test_the_viewer_reads_and_changes_nothing(house: House, tmp_path: Path) -> None:
    with closing(open_store(tmp_path, house.table("role"), clock=CLOCK)) as store:
        store.write([mention("one")])
        store.refresh()
    given = house.table("viewer")
    with closing(open_store(tmp_path, given, clock=CLOCK, read_only=True)) as store:
        assert [found.uid for found in store.search(EVERYTHING).mentions] == [uid("one")]
        assert store.statistics()["mentions"] == 1
        with pytest.raises(StoreError, match="for reading only"):
            store.write([mention("two")])
    with pytest.raises(StoreError, match=r"does not allow it \(403\): give the user or API key the role of docker"):
        open_store(tmp_path, given, clock=CLOCK).write([mention("two")])
    with connect(given) as client:
        index = f"{house.prefix}-mentions-v2-2026.11"
        for forbidden in (
            lambda: client.index(index=index, document={"uid": "x"}),
            lambda: client.indices.delete(index=index),
            lambda: client.search(index=f"{house.prefix}-erased-v2"),
        ):
            with pytest.raises(StoreError, match="does not allow it"), guarded():
                forbidden()


def test_the_role_ends_at_the_own_indices(house: House) -> None:
    with connect(house.table("role")) as client:
        for forbidden in (
            lambda: client.index(index=f"another-{house.prefix}", document={"a": 1}),
            lambda: client.search(index=f"another-{house.prefix}"),
            lambda: client.cluster.put_settings(persistent={"cluster.routing.allocation.enable": "none"}),
            lambda: client.security.create_api_key(name="more"),
            lambda: client.security.put_user(username="friend", password="hunter2hunter2", roles=[]),
        ):
            with pytest.raises(StoreError, match="does not allow it"), guarded():
                forbidden()


def test_shipped_roles_name_their_indices_and_no_others() -> None:
    for name in ("role", "viewer"):
        document = json.loads((ROLES / f"{name}.json").read_text("utf-8"))
        assert set(document) == {"description", "cluster", "indices"}
        named = [index for entry in document["indices"] for index in entry["names"]]
        assert named
        assert [index for index in named if not index.startswith("sturmwarte-")] == []
    assert {privilege for entry in document["indices"] for privilege in entry["privileges"]} == {
        "read",
        "view_index_metadata",
        "monitor",
    }
