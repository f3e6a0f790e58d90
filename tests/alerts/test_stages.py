"""Who is told, what is held, what is folded, what is said once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alerting import CONFIGURATION, NOW, World

from alerts import silences, stages
from alerts.message import MessageKind, Occasion
from pipeline.configuration import Configuration, StateTable
from pipeline.state import tables as t
from pipeline.state.restored import RESTORED


@pytest.fixture
def world(tmp_path: Path, state_table: StateTable | None) -> Iterator[World]:
    made = World(tmp_path, table=state_table)
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
        return stages.release(stages.Context(conn=conn, configuration=world.configuration, now=world.now), world.post)


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
    assert world.occasions[-1].extra == {"receivers": ["pr"], "folded": 1}


def test_level_five_breaks_the_silence_and_takes_the_held_along(world: World) -> None:
    silence(world)
    run(world, occasion(1))
    assert run(world, occasion(2, level=5)) == [(2, "pr", "up"), (2, "boss", "new")]
    assert world.rows(t.pending_message) == []
    assert [row.number for row in world.rows(t.journal) if row.kind == "folded"] == [1]
    world.clock.advance(hours=5)
    assert release(world) == 0


def restored(world: World, at: datetime) -> None:
    with world.state.begin() as conn:
        conn.execute(t.meta.insert().values(key=RESTORED, value=at.isoformat()))


def test_every_message_names_all_who_get_it(world: World) -> None:
    run(world, occasion(1, level=5))
    assert [told.extra["receivers"] for told in world.occasions] == [["pr", "boss"]] * 2
    run(world, occasion(2, MessageKind.UPDATE, level=2))
    assert world.occasions[-1].extra["receivers"] == ["pr", "boss"]


def test_what_lies_before_a_restore_is_journalled_and_not_sent(world: World) -> None:
    restored(world, NOW + timedelta(minutes=30))
    before = occasion(1, MessageKind.NEW, counted_until=NOW)
    assert run(world, before) == run(world, before) == []
    assert [(row.kind, row.number, row.receiver) for row in world.rows(t.journal)] == [("before_restore", 1, "pr")]
    assert run(world, occasion(2, MessageKind.ALL_CLEAR, counted_until=NOW + timedelta(hours=1))) == []
    assert run(world, occasion(3, counted_until=NOW + timedelta(hours=1))) == [(3, "pr", "new")]


def test_what_began_before_a_restore_and_goes_on_is_news(world: World) -> None:
    restored(world, NOW)
    run(world, occasion(1, MessageKind.NEW, counted_until=NOW))
    later = NOW + timedelta(hours=2)
    assert run(world, occasion(2, MessageKind.UPDATE, counted_until=later)) == [(2, "pr", "new")]
    assert run(world, occasion(3, MessageKind.UPDATE, counted_until=later))[1:] == [(3, "pr", "update")]


def test_an_update_is_no_news_to_those_never_told(world: World) -> None:
    assert run(world, occasion(2, MessageKind.UPDATE)) == []


def test_silenced_before_a_restore_waits_for_a_person_afterwards(world: World) -> None:
    silence(world)
    run(world, occasion(1))
    world.clock.advance(hours=5)
    restored(world, NOW + timedelta(hours=4))
    assert release(world) == 1
    assert [(row.number, row.state) for row in world.rows(t.outbox)] == [(1, "held")]


def test_released_words_speak_of_the_time_from_then_on(world: World) -> None:
    extra = {
        "acknowledge_by": (NOW + timedelta(minutes=45)).isoformat(),
        "next_update": (NOW + timedelta(hours=2)).isoformat(),
    }
    silence(world)
    run(world, occasion(1, extra=extra))
    world.clock.advance(hours=4)
    release(world)
    said = world.occasions[-1].extra
    assert said["acknowledge_by"] == (NOW + timedelta(hours=4, minutes=45)).isoformat()
    assert "next_update" not in said


def test_released_words_know_who_took_it_meanwhile(world: World) -> None:
    silence(world)
    row = {"brand": "acme", "level": 3, "peak": 3, "started": NOW, "opened": NOW, "updated": NOW, "facts": {}}
    with world.state.begin() as conn:
        conn.execute(t.incident.insert().values(id=1, state="acknowledged", acknowledged_by="kim", **row))
    run(world, occasion(1, extra={"acknowledge_by": NOW.isoformat()}))
    world.clock.advance(hours=4)
    release(world)
    assert world.occasions[-1].extra == {"receivers": ["pr"], "acknowledged_by": "kim"}


def test_a_receiver_who_has_left_meanwhile_holds_nobody_up(world: World) -> None:
    silence(world)
    run(world, occasion(1))
    world.clock.advance(hours=4)
    kept = {name: one for name, one in CONFIGURATION.receivers.items() if name != "pr"}
    world.configuration = CONFIGURATION.model_copy(update={"receivers": kept})
    assert release(world) == 0
    assert world.rows(t.pending_message) == []
    last = world.rows(t.journal)[-1]
    assert (last.receiver, last.kind) == ("pr", "failed")
