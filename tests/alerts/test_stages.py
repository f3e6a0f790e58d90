"""Who is told, what is held, what is folded, what is said once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alerting import CONFIGURATION, NOW, World

from alerts import silences, stages
from alerts.message import MessageKind, Occasion
from pipeline.configuration import Configuration
from pipeline.state import tables as t


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def occasion(number: int, kind: MessageKind = MessageKind.UP, level: int = 3, **over: Any) -> Occasion:
    fields = {"subject": "incident:1", "at": NOW, "brand": "acme", "incident": 1, "rule": "surge", **over}
    return Occasion(number=number, kind=kind, level=level, **fields)


def run(world: World, *occasions: Occasion, configuration: Configuration = CONFIGURATION) -> list[tuple[int, str, str]]:
    with world.state.begin() as conn:
        context = stages.Context(conn=conn, configuration=configuration, now=world.now)
        stages.run(context, occasions, world.post)
    return [(number, receiver, kind) for _, number, receiver, kind in world.told()]


def release(world: World) -> int:
    with world.state.begin() as conn:
        return stages.release(stages.Context(conn=conn, configuration=CONFIGURATION, now=world.now), world.post)


def silence(world: World, hours: int = 4) -> None:
    silences.add(world.state, brand="acme", by="k", reason="r", ends=world.now + timedelta(hours=hours), now=world.now)


def test_lowest_levels_and_first_word(world: World) -> None:
    assert run(world, occasion(1, MessageKind.NEW, level=1)) == []
    assert run(world, occasion(2, level=2)) == [(2, "pr", "new")]
    assert run(world, occasion(3, level=5))[1:] == [(3, "pr", "up"), (3, "boss", "new")]
    assert run(world, occasion(4, MessageKind.DOWN, level=1))[3:] == [(4, "pr", "down"), (4, "boss", "down")]


def test_the_same_occasion_is_told_once(world: World) -> None:
    once = run(world, occasion(1))
    assert run(world, occasion(1)) == once == [(1, "pr", "new")]
    assert len(world.occasions) == 1


def test_receivers_of_the_rule(world: World) -> None:
    rules = {"surge": {"rule": "surge", "receivers": ["ops"]}}
    configuration = Configuration.model_validate({**CONFIGURATION.model_dump(), "rules": rules})
    assert run(world, occasion(1, level=6), configuration=configuration) == [(1, "ops", "new")]


def test_operators_hear_of_sources_and_all_where_there_is_none(world: World) -> None:
    word = Occasion(subject="source:forum", number=1, kind=MessageKind.BLIND, at=NOW)
    assert stages.receivers(CONFIGURATION, word) == ["ops"]
    nobody = {"pr": {"address": "pr@example.org"}, "boss": {"address": "b@example.org"}}
    configuration = Configuration.model_validate({**CONFIGURATION.model_dump(), "receivers": nobody})
    assert stages.receivers(configuration, word) == ["pr", "boss"]


def test_held_overtaken_and_released_as_one(world: World) -> None:
    silence(world)
    assert run(world, occasion(1), occasion(2, level=4)) == []
    assert [row.number for row in world.rows(t.pending_message)] == [1, 2]
    assert release(world) == 0
    assert run(world, occasion(2, level=4)) == []
    assert len(world.rows(t.pending_message)) == 2
    world.clock.advance(hours=4)
    assert release(world) == 1
    assert release(world) == 0
    assert [row[1] for row in world.told()] == [2]
    assert [(row.kind, row.number) for row in world.rows(t.journal) if row.kind in ("silenced", "folded")] == [
        ("silenced", 1),
        ("silenced", 2),
        ("folded", 1),
    ]
    assert world.occasions[-1].extra == {"folded": 1}


def test_level_five_breaks_the_silence_and_takes_the_held_along(world: World) -> None:
    silence(world)
    run(world, occasion(1))
    assert run(world, occasion(2, level=5)) == [(2, "pr", "up"), (2, "boss", "new")]
    assert world.rows(t.pending_message) == []
    assert [row.number for row in world.rows(t.journal) if row.kind == "folded"] == [1]
    world.clock.advance(hours=5)
    assert release(world) == 0
