"""The watcher from quiet to storm to all clear, killed at every step and doubled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alerting import CONFIGURATION, NOW, World, mention

from alerts import incidents, outbox, silences
from alerts.message import MessageKind
from alerts.posting import post
from alerts.resting import Rest
from alerts.situation import facts
from alerts.windforce import UPDATE_AFTER
from pipeline.configuration import StateTable
from pipeline.state import tables as t
from pipeline.state.restored import RESTORED
from pipeline.words import Channel, IncidentState, ToneLabel

STEPS = ("read", "evaluated", "before_commit", "after_commit")


class Killed(BaseException):
    """The process died here."""


@pytest.fixture
def world(tmp_path: Path, state_table: StateTable | None) -> Iterator[World]:
    made = World(tmp_path, table=state_table)
    made.quiet()
    yield made
    made.close()


def ticks(world: World, count: int = 2) -> None:
    for _ in range(count):
        world.watcher().tick()
        world.clock.advance(minutes=5)
        world.crawl()


def the_incident(world: World) -> incidents.Incident:
    with world.state.read() as conn:
        (found,) = incidents.list_incidents(conn)
    return found


def test_back_fill_teaches_and_raises_nothing(world: World) -> None:
    assert world.told() == []
    assert world.rows(t.incident) == world.rows(t.evaluation) == []
    assert {row.source for row in world.rows(t.fed)} == {"forum", "portal"}
    assert facts(world.configuration, world.store, world.state, "acme", world.now).state == "normal"


def test_thirty_persons_in_two_channels_are_a_fresh_breeze(world: World) -> None:
    storm = world.burst(30)
    ticks(world)
    incident = the_incident(world)
    assert incident.level >= 3
    assert incident.state is IncidentState.OPEN
    assert incident.started <= NOW + timedelta(minutes=30)
    assert world.told() == [(f"incident:{incident.id}", 1, "pr", "new")]
    with world.state.read() as conn:
        assert {m.uid for m in storm} <= incidents.members(conn, incident.id)
        (opened,) = incidents.events(conn, incident.id)
        recorded = incidents.evaluations(conn, incident.id)
    assert (opened.kind, opened.by) == ("opened", "sturmwarte")
    assert recorded[-1].facts["observed"] == 30
    assert recorded[-1].facts["persons"] >= 30
    assert recorded[-1].facts["high"] < 30
    assert incident.first_message_id == world.rows(t.outbox)[0].message_id


def test_the_incident_is_named_by_what_critics_say_that_they_did_not_say_before(world: World) -> None:
    """All speak of the hotline, as ever; the tickets are new. What is said later changes no name."""
    world.burst(30, text="Hotline von Acme: mein Störungsticket wurde einfach geschlossen, wieder ein Ticket weg")
    ticks(world)
    incident = the_incident(world)
    assert incident.topic == "Störungsticket"
    (told,) = world.occasions
    assert told.extra["topic"] == "Störungsticket"
    world.burst(60, text="Hotline von Acme: Und nun auch noch Datenleck!")
    ticks(world)
    assert the_incident(world).topic == "Störungsticket"


def test_an_incident_in_which_nothing_is_new_has_no_topic(world: World) -> None:
    world.burst(30)
    ticks(world)
    assert the_incident(world).topic == ""


def test_it_began_with_the_first_voice_of_the_unusual_hours(world: World) -> None:
    """Not with the window that happened to be the rarest, nor with a lone voice hours before."""
    lone = mention(world.number(), world.now - timedelta(hours=6), person="lone")
    world.write(lone)
    trickle = [
        mention(world.number(), world.now + timedelta(minutes=m), person=f"early {m}") for m in (2, 12, 31, 58, 80)
    ]
    world.write(*trickle)
    world.clock.advance(minutes=90)
    world.crawl()
    world.burst(40)
    ticks(world)
    assert the_incident(world).started == trickle[0].fed_bin


def test_mail_and_page_show_the_same_numbers(world: World) -> None:
    world.burst(30)
    world.watcher().tick()
    (told,) = world.occasions
    now = facts(world.configuration, world.store, world.state, "acme", world.now)
    assert told.facts is not None
    assert told.kind is MessageKind.NEW
    assert told.facts == now
    assert now.persons >= 30
    assert now.state == "firing"
    assert now.persons_high is not None and now.persons_high < 10
    assert dict(now.by_source) == {"forum": 15, "portal": now.persons - 15}
    assert now.reasons[0][0] == "rules.surge.volume"


def test_two_persons_however_loud_open_nothing(world: World) -> None:
    world.burst(30, persons=2)
    ticks(world, 3)
    assert world.rows(t.incident) == []
    assert world.told() == []


def test_chronic_critics_stay_at_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    past = [
        mention(world.number(), NOW - timedelta(weeks=week, hours=who), person=f"voice {who}", historic=True)
        for week in range(1, 7)
        for who in range(6)
    ]
    world.write(*past)
    world.quiet()
    world.burst(30, persons=6)
    ticks(world, 3)
    assert the_incident(world).level == 1
    assert world.told() == []
    world.close()


def test_friendly_volume_is_no_surge(world: World) -> None:
    world.burst(80, tone=ToneLabel.POSITIVE)
    ticks(world, 3)
    assert world.rows(t.incident) == []


def test_old_posts_found_today_raise_nothing(world: World) -> None:
    world.burst(60, historic=True)
    ticks(world, 3)
    assert world.rows(t.incident) == world.told() == []


def test_a_storm_passes_with_one_message_per_change(world: World) -> None:
    world.burst(40)
    world.watcher().tick()
    first = the_incident(world).level
    world.calm(36, step=20)
    incident = the_incident(world)
    assert incident.state is IncidentState.RESOLVED
    assert (incident.level, incident.peak) == (0, first)
    kinds = [kind for _, _, receiver, kind in world.told() if receiver == "pr"]
    assert kinds[0] == "new" and kinds[-1] == "all_clear"
    assert set(kinds[1:-1]) <= {"down", "update"} and kinds.count("down") >= 1
    numbers = [number for _, number, receiver, _ in world.told() if receiver == "pr"]
    assert numbers == sorted(set(numbers))
    assert incident.transitions == numbers[-1]


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_and_started_again_tells_once(world: World, step: str) -> None:
    def fault(here: str) -> None:
        if here == step:
            raise Killed(step)

    world.burst(30)
    with pytest.raises(Killed):
        world.watcher(fault).tick()
    assert len(world.told()) == (1 if step == "after_commit" else 0)
    ticks(world, 3)
    assert [row[1:] for row in world.told()] == [(1, "pr", "new")]
    assert len(world.rows(t.incident)) == 1
    assert len({row.message_id for row in world.rows(t.outbox)}) == 1
    assert the_incident(world).transitions == 1


@pytest.mark.parametrize("step", ["read", "evaluated"])
def test_a_second_watcher_at_the_same_moment_writes_nothing(world: World, step: str) -> None:
    def meanwhile(here: str) -> None:
        if here == step:
            world.watcher().tick()

    world.burst(30)
    report = world.watcher(meanwhile).tick()
    assert report.overtaken == 1
    assert [row[1:] for row in world.told()] == [(1, "pr", "new")]
    assert len(world.rows(t.incident)) == len(world.rows(t.evaluation)) == 1


def test_a_blind_source_is_told_once_and_sighted_once(world: World) -> None:
    world.source("portal", state="blind")
    world.watcher().tick()
    assert world.told() == []
    for _ in range(3):
        world.clock.advance(minutes=20)
        world.crawl("forum")
        world.watcher().tick()
    assert world.told() == [("source:portal", 1, "ops", "blind")]
    world.crawl("portal")
    world.watcher().tick()
    world.watcher().tick()
    assert world.told()[1:] == [("source:portal", 2, "ops", "sighted")]


def test_a_blind_source_inhibits_the_all_clear_and_no_rise(world: World) -> None:
    world.source("portal", state="blind", mark=world.now)
    world.clock.advance(minutes=1)
    for number in range(30):
        at = world.now + timedelta(seconds=40 * number)
        world.write(mention(world.number(), at, person=f"v{number}"))
    world.clock.advance(minutes=25)
    world.crawl("forum")
    world.watcher().tick()
    before = the_incident(world)
    assert before.level >= 2
    for _ in range(40):
        world.clock.advance(minutes=30)
        world.crawl("forum")
        world.watcher().tick()
    after = the_incident(world)
    assert (after.state, after.level) == (IncidentState.OPEN, before.level)
    world.calm(30, step=30)
    assert the_incident(world).state is IncidentState.RESOLVED


def test_posts_of_a_blind_source_are_lower_bounds_that_raise(world: World) -> None:
    mark = world.now
    world.burst(30, sources=("portal",))
    world.source("portal", state="blind", mark=mark)
    world.watcher().tick()
    assert the_incident(world).level >= 2
    assert {row.source: row.until for row in world.rows(t.fed)}["portal"] == mark


def test_silence_holds_and_releases_one_folded_message(world: World) -> None:
    silences.add(
        world.state, brand="acme", by="kern", reason="Umbau", ends=world.now + timedelta(hours=9), now=world.now
    )
    world.burst(30)
    world.watcher().tick()
    assert world.told() == []
    assert the_incident(world).level >= 3
    shown = facts(world.configuration, world.store, world.state, "acme", world.now)
    assert shown.state == "suppressed"
    world.calm(8.2)
    held = world.rows(t.pending_message)
    assert len(held) >= 2 and world.told() == []
    world.calm(0.5)
    _, number, receiver, kind = world.told()[0]
    assert (number, receiver, kind) == (held[-1].number, "pr", held[-1].kind)
    released = next(occasion for occasion in world.occasions if occasion.number == number)
    assert released.extra["folded"] == len(held) - 1
    assert world.rows(t.pending_message) == []
    kinds = [row.kind for row in world.rows(t.journal)]
    assert kinds.count("silenced") == len(held) and kinds.count("folded") == len(held) - 1


def test_a_person_resolves_and_those_told_hear_of_it_once(world: World) -> None:
    world.burst(30)
    world.watcher().tick()
    number = the_incident(world).id
    incidents.resolve(world.state, number, "kern", world.now, false_alarm=True)
    ticks(world, 3)
    assert [row[1:] for row in world.told()] == [(1, "pr", "new"), (2, "pr", "all_clear")]
    assert world.occasions[-1].extra["false_alarm"] is True
    assert len(world.rows(t.incident)) == 1


def test_while_learning_the_level_is_capped(tmp_path: Path) -> None:
    world = World(tmp_path)
    for name in ("forum", "portal"):
        world.source(name, begin=NOW - timedelta(days=2))
    world.watcher().tick()
    world.burst(80, channel=None)
    ticks(world, 3)
    incident = the_incident(world)
    assert 2 <= incident.level <= 3
    shown = facts(world.configuration, world.store, world.state, "acme", world.now)
    assert ("rules.level.learning", {"cap": 3}) in shown.reasons
    world.close()


def test_keyword_trips_once(tmp_path: Path) -> None:
    rules = {"recall": {"rule": "keyword", "query": "Rückruf", "level": 3}}
    configuration = CONFIGURATION.model_validate({**CONFIGURATION.model_dump(), "rules": rules})
    world = World(tmp_path, configuration=configuration)
    world.crawl()
    ticks(world, 1)
    world.write(mention(1, world.now, text="Acme plant wohl einen Rückruf der Geräte"))
    world.write(mention(2, world.now, text="Bei Acme ist alles wie immer"))
    ticks(world, 4)
    assert [row[1:] for row in world.told()] == [(1, "pr", "keyword")]
    assert the_incident(world).level == 3
    with world.state.read() as conn:
        assert len(incidents.members(conn, 1)) == 1
        assert [row.key for row in conn.execute(sa.select(t.alert))] == list(incidents.members(conn, 1))
    world.close()


def test_news_reports_count_as_outlets(world: World) -> None:
    world.burst(30)
    reports = [
        mention(world.number(), world.now - timedelta(minutes=20), source=f"blatt{n}", channel=Channel.NEWS)
        for n in range(3)
    ]
    world.write(*reports)
    world.watcher().tick()
    shown = facts(world.configuration, world.store, world.state, "acme", world.now)
    assert shown.outlets == 3


class AsNamed(Rest):
    """Nobody rests, and all are looked at in the order of the configuration."""

    def awake(self, brands: Sequence[str], *_: object) -> list[str]:
        return list(brands)


def test_one_brand_that_fails_does_not_keep_the_others_from_being_watched(tmp_path: Path) -> None:
    brands = {"broken": {"name": "Broken"}, "acme": {"name": "Acme"}}
    world = World(
        tmp_path, configuration=CONFIGURATION.model_validate({**CONFIGURATION.model_dump(), "brands": brands})
    )
    world.quiet()
    world.burst(30)
    seen = []

    def fault(step: str) -> None:
        seen.append(step)
        if len(seen) == 1:
            raise RuntimeError("broken brand")

    with pytest.raises(RuntimeError, match="broken brand"):
        world.watcher(fault, rest=AsNamed()).tick()
    assert [row[1:] for row in world.told()] == [(1, "pr", "new")]
    world.close()


def test_updates_come_when_the_mail_said_and_only_with_something_new(world: World) -> None:
    world.burst(30)
    world.watcher().tick()
    promised = datetime.fromisoformat(world.occasions[0].extra["next_update"])
    assert promised == world.now + UPDATE_AFTER[world.occasions[0].level or 0]
    while world.now <= promised:
        world.calm(1 / 6)
    assert [told.kind for told in world.occasions] == [MessageKind.NEW]
    world.burst(35, minutes=5)
    level = the_incident(world).level
    world.watcher().tick()
    assert the_incident(world).level == level
    assert [told.kind for told in world.occasions] == [MessageKind.NEW, MessageKind.UPDATE]


def test_what_lies_before_a_restore_is_evaluated_without_mail(world: World) -> None:
    world.burst(30)
    moment = world.now + timedelta(minutes=1)
    with world.state.begin() as conn:
        conn.execute(t.meta.insert().values(key=RESTORED, value=moment.isoformat()))
    world.watcher().tick()
    incident = the_incident(world)
    assert incident.level >= 3 and world.told() == []
    assert [(row.kind, row.receiver) for row in world.rows(t.journal)] == [("before_restore", "pr")]
    world.clock.advance(minutes=20)
    world.burst(60, minutes=20)
    ticks(world, 3)
    assert the_incident(world).id == incident.id
    assert [(receiver, kind) for _, _, receiver, kind in world.told()] == [("pr", "new")]


def test_later_mails_refer_to_the_first_of_their_incident(world: World) -> None:
    world.burst(30)
    world.watcher(post=post).tick()
    (first,) = world.rows(t.outbox)
    world.burst(250, minutes=40)
    ticks(world, 4)
    incident = the_incident(world)
    assert incident.first_message_id == first.message_id
    with world.state.read() as conn:
        for receiver in {row.receiver for row in world.rows(t.outbox)}:
            told = outbox.references(conn, f"incident:{incident.id}", receiver, "email")
            assert told[0] == incident.first_message_id
