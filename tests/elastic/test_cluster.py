"""Three nodes, of which the elected master is killed while mentions are written: nothing is lost, nobody notices."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from building import NOON, mention, uid
from elastic import skipping, three_nodes
from servers import wait_for

from pipeline.clock import ManualClock
from pipeline.configuration import StoreTable
from pipeline.query.tree import EVERYTHING
from pipeline.store.opening import open_store

BATCHES, SIZE, KILLED_AFTER = 30, 100, 10


@pytest.mark.long
def test_the_elected_master_is_killed_while_mentions_are_written(tmp_path: Path) -> None:
    with skipping(), three_nodes() as nodes:
        table = StoreTable(
            engine="elasticsearch",
            urls=tuple(node.url for node in nodes),
            replicas=1,
            patience=timedelta(minutes=2),
        )
        written: set[str] = set()
        with closing(open_store(tmp_path, table, clock=ManualClock(NOON + timedelta(hours=1)))) as store:
            for number in range(BATCHES):
                if number == KILLED_AFTER:
                    with nodes[0].client() as client:
                        name = client.cat.master(format="json")[0]["node"]  # type: ignore[call-overload,index]
                    dead = next(node for node in nodes if node.folder.name == name)
                    alive = next(node for node in nodes if node is not dead)
                    dead.kill()
                names = [f"{number}.{each}" for each in range(SIZE)]
                done = store.write([mention(each, author=f"{each:>32}") for each in names])
                assert done.refused == ()
                assert {*done.created, *done.unchanged} == {uid(each) for each in names}
                written |= {uid(each) for each in names}
            assert len(written) == BATCHES * SIZE
            assert {found.uid for found in store.scan(EVERYTHING)} == written
            dead.restart(nodes=3)
            with alive.client() as client:
                wait_for(lambda: client.cluster.health()["status"] == "green", "a green cluster", 180)
            assert store.count(EVERYTHING) == (BATCHES * SIZE, BATCHES * SIZE)
            assert store.check() == []
