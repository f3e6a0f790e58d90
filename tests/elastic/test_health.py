"""What is wrong with the cluster is a finding of the check, index by index."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from building import NOON, mention
from elasticsearch import Elasticsearch

from pipeline.clock import ManualClock
from pipeline.configuration import StoreTable
from pipeline.store.elastic.health import troubles
from pipeline.store.opening import open_store


def test_a_store_without_troubles(
    elastic_url: str, elastic_client: Elasticsearch, elastic_prefix: str, tmp_path: Path
) -> None:
    table = StoreTable(engine="elasticsearch", urls=(elastic_url,), prefix=elastic_prefix)
    store = open_store(tmp_path, table, clock=ManualClock(NOON + timedelta(hours=1)))
    store.write([mention("one")])
    assert store.check() == troubles(elastic_client, elastic_prefix) == []
    index = f"{elastic_prefix}-mentions-v2-2026.11"
    elastic_client.indices.put_settings(index=index, settings={"index.blocks.read_only_allow_delete": True})
    assert store.check() == [
        f"the index {index} is read-only, for the disk of an Elasticsearch node is nearly full (flood stage): "
        "make room; Elasticsearch lifts the block itself when there is some"
    ]
    store.close()


def test_copies_without_a_node_are_yellow(elastic_client: Elasticsearch, elastic_prefix: str) -> None:
    nodes = elastic_client.cluster.health()["number_of_data_nodes"]
    elastic_client.indices.create(index=f"{elastic_prefix}-a", settings={"number_of_replicas": nodes})
    assert troubles(elastic_client, elastic_prefix) == [
        f"the index {elastic_prefix}-a is yellow: copies of it are on no node; start the missing nodes, "
        "or set [store] replicas to fewer than there are nodes"
    ]


def test_shards_without_a_node_are_red(elastic_client: Elasticsearch, elastic_prefix: str) -> None:
    nowhere = {"index.routing.allocation.require._name": "no such node", "number_of_shards": 2}
    elastic_client.indices.create(index=f"{elastic_prefix}-b", settings=nowhere, wait_for_active_shards=0)
    assert troubles(elastic_client, elastic_prefix) == [
        f"the index {elastic_prefix}-b is red: 2 of its 2 shards on no node; start the missing nodes, "
        "or restore the last snapshot"
    ]


@pytest.mark.parametrize("block", ["write", "read_only", "read"])
def test_blocks_are_named(elastic_client: Elasticsearch, elastic_prefix: str, block: str) -> None:
    index = f"{elastic_prefix}-c"
    elastic_client.indices.create(index=index, settings={"number_of_replicas": 0})
    assert troubles(elastic_client, elastic_prefix) == []
    elastic_client.indices.put_settings(index=index, settings={f"index.blocks.{block}": True})
    (said,) = troubles(elastic_client, elastic_prefix)
    assert said.startswith(f"the index {index} is blocked by a person or a program: ")
    assert block.replace("_", "-") in said
    elastic_client.indices.put_settings(index=index, settings={f"index.blocks.{block}": None})
