"""What people do to incidents and silences leaves its trace, once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from alerting import NOW, World

from alerts import incidents, silences
from alerts.message import MessageKind, Occasion
from pipeline.configuration import StateTable
from pipeline.state import tables as t
from pipeline.words import IncidentState


@pytest.fixture
def world(tmp_path: Path, state_table: StateTable | None) -> Iterator[World]:
    made = World(tmp_path, table=state_table)
    with made.state.begin() as conn:
        row = {"brand": "acme", "state": "open", "level": 3, "peak": 3, "facts": {}}
        conn.execute(t.incident.insert().values(**row, started=NOW, opened=NOW, updated=NOW))
    yield made
    made.close()


def kinds(world: World) -> list[tuple[str, str]]:
    with world.state.read() as conn:
        return [(event.kind, event.by) for event in incidents.events(conn, 1)]


def test_names() -> None:
    assert incidents.incident_name(127) == "R-0127"
    assert incidents.incident_number(" r-0127 ") == incidents.incident_number("127") == 127
    with pytest.raises(incidents.UnknownIncident):
        incidents.incident_number("Q-1")


def test_life_by_hand(world: World) -> None:
    taken = incidents.acknowledge(world.state, 1, "kern", NOW + timedelta(minutes=5))
    assert (taken.state, taken.acknowledged_by) == (IncidentState.ACKNOWLEDGED, "kern")
    again = incidents.acknowledge(world.state, 1, "other", NOW + timedelta(minutes=9))
    assert again.acknowledged_by == "kern"
    incidents.note(world.state, 1, "kern", " Hotline verstärkt ", NOW + timedelta(minutes=10))
    done = incidents.resolve(world.state, 1, "kern", NOW + timedelta(hours=1), false_alarm=True)
    assert (done.state, done.false_alarm, done.is_open) == (IncidentState.RESOLVED, True, False)
    assert kinds(world) == [("acknowledged", "kern"), ("note", "kern"), ("false_alarm", "kern")]
    assert [row.what for row in world.rows(t.audit)] == [
        "incident.acknowledged",
        "incident.note",
        "incident.false_alarm",
    ]
    with pytest.raises(incidents.IncidentClosed):
        incidents.resolve(world.state, 1, "kern", NOW)
    with world.state.read() as conn:
        assert incidents.list_incidents(conn, open_only=True) == []
        assert incidents.open_incident(conn, "acme") is None
        assert [one.name for one in incidents.list_incidents(conn)] == ["R-0001"]


def test_unknown_and_empty_are_errors(world: World) -> None:
    with pytest.raises(incidents.UnknownIncident):
        incidents.acknowledge(world.state, 7, "kern", NOW)
    with pytest.raises(ValueError):
        incidents.note(world.state, 1, "kern", "  ", NOW)
    assert kinds(world) == []


def test_silences_need_owner_reason_and_end(world: World) -> None:
    for bad in ({"by": ""}, {"reason": " "}, {"ends": NOW}):
        with pytest.raises(ValueError):
            silences.add(
                world.state, **{"by": "kern", "reason": "x", "ends": NOW + timedelta(hours=4), "now": NOW, **bad}
            )
    number = silences.add(world.state, by="kern", reason="Umbau", ends=NOW + timedelta(hours=4), now=NOW, incident=1)
    with world.state.read() as conn:
        (silence,) = silences.active(conn, NOW + timedelta(hours=1))
        assert silences.active(conn, NOW + timedelta(hours=4)) == []
    assert (silence.id, silence.incident) == (number, 1)
    assert kinds(world) == [("silenced", "kern")]
    assert silences.end(world.state, number, "kern", NOW + timedelta(hours=2)) is True
    assert silences.end(world.state, number, "kern", NOW + timedelta(hours=3)) is False


@pytest.mark.parametrize(
    ("wanted", "level", "covers"),
    [
        ({}, 3, True),
        ({}, 5, False),
        ({"brand": "acme"}, 4, True),
        ({"brand": "other"}, 2, False),
        ({"rule": "surge", "incident": 1}, 2, True),
        ({"incident": 2}, 2, False),
    ],
)
def test_what_a_silence_covers(wanted: dict[str, object], level: int, covers: bool) -> None:
    fields = {"brand": None, "rule": None, "incident": None, **wanted}
    silence = silences.Silence(id=1, by="k", reason="r", created=NOW, ends=NOW, **fields)  # type: ignore[arg-type]
    occasion = Occasion(
        subject="incident:1",
        number=1,
        kind=MessageKind.UP,
        at=NOW,
        brand="acme",
        level=level,
        incident=1,
        rule="surge",
    )
    assert silence.covers(occasion) is covers
    blind = Occasion(subject="source:forum", number=1, kind=MessageKind.BLIND, at=NOW)
    assert silence.covers(blind) is False
