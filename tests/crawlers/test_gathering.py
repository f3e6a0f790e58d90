"""What visits bring at the same time goes on together, and none suffers from what another brought."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from crawlers.gathering import Gathering
from pipeline.item import Item
from pipeline.words import Channel, Kind, Reading

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def item(name: str, source: str = "s") -> Item:
    return Item(
        source=source,
        platform="p",
        channel=Channel.FORUM,
        kind=Kind.POST,
        reading=Reading.FULL,
        origin="x",
        native_id=name,
        fetched=NOW,
    )


class Gate:
    """A pipeline whose first batch stays under way until told; breaks at the names it is given."""

    def __init__(self, *broken: str) -> None:
        self.batches: list[list[str]] = []
        self.broken, self.opened = set(broken), threading.Event()
        self.at_once = self.most = 0

    def feed(self, items: Sequence[Item]) -> None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        self.batches.append([item.native_id for item in items])
        assert self.opened.wait(60)
        self.at_once -= 1
        if found := self.broken.intersection(item.native_id for item in items):
            raise ValueError(f"broken by {sorted(found)}")


async def given(gate: Gate, visits: Sequence[Sequence[str]], *, batch: int = 500) -> list[BaseException | None]:
    """What became of each visit's items; all but the first come while the first are under way."""
    gathering = Gathering(gate.feed, batch=batch)
    tasks = [asyncio.create_task(gathering.feed([item(name) for name in visits[0]]))]
    async with asyncio.timeout(60):
        while not gate.batches:
            await asyncio.sleep(0.001)
        tasks += [asyncio.create_task(gathering.feed([item(name) for name in names])) for names in visits[1:]]
        await asyncio.sleep(0.01)
        assert not any(task.done() for task in tasks)
        gate.opened.set()
        return await asyncio.gather(*tasks, return_exceptions=True)  # type: ignore[return-value]


def test_what_comes_while_a_batch_is_under_way_goes_on_together() -> None:
    gate = Gate()
    assert asyncio.run(given(gate, [["a", "b"], ["c"], ["d", "e"], ["f"]])) == [None] * 4
    assert gate.batches == [["a", "b"], ["c", "d", "e", "f"]] and gate.most == 1


def test_a_batch_is_no_larger_than_the_steps_take() -> None:
    gate = Gate()
    assert asyncio.run(given(gate, [["a"], ["b", "c"], ["d", "e"], ["f"], list("ghijk")], batch=4)) == [None] * 5
    assert gate.batches == [["a"], ["b", "c", "d", "e"], ["f"], list("ghijk")]


def test_one_mention_that_two_visits_bring_is_in_two_batches() -> None:
    """In one batch the later would replace the earlier, instead of being merged with it."""
    gate = Gate()
    assert asyncio.run(given(gate, [["a"], ["b", "c"], ["c", "d"], ["e"]])) == [None] * 4
    assert gate.batches == [["a"], ["b", "c"], ["c", "d", "e"]]


def test_what_breaks_a_batch_fails_its_own_visit_alone() -> None:
    gate = Gate("c")
    fates = asyncio.run(given(gate, [["a"], ["b"], ["c", "d"], ["e"]]))
    assert [str(fate) for fate in fates] == ["None", "None", "broken by ['c']", "None"]
    assert gate.batches == [["a"], ["b", "c", "d", "e"], ["b"], ["c", "d"], ["e"]]


def test_it_goes_on_after_a_pause_and_after_a_failure() -> None:
    gate = Gate("a")
    gate.opened.set()
    gathering = Gathering(gate.feed)

    async def one_after_the_other() -> None:
        with pytest.raises(ValueError, match="broken by"):
            await gathering.feed([item("a")])
        await gathering.feed([item("b")])

    asyncio.run(one_after_the_other())
    assert gate.batches == [["a"], ["b"]]
