"""What is written beside mentions: every alert, change, outage and hour once, whatever dies or is away meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alerting import NOW, START, World, mention

from alerts import chronicle, incidents, silences
from alerts.chronicle import events, results, write
from alerts.chronicle.series import HOUR
from alerts.detection import usual_range
from alerts.situation import facts
from pipeline.configuration import StoreTable
from pipeline.identity import uid_of
from pipeline.mention import Correction
from pipeline.state import tables as t
from pipeline.state.database import State, sqlite_url
from pipeline.store.protocol import StoreError, Window
from pipeline.store.side import EventKind, Row, SideIndex, fields_of
from pipeline.store.sqlite.store import SqliteStore
from pipeline.words import Kind, ToneLabel, Voice
from sturmwarte.doctor import Patient, examine
from sturmwarte.watch import WATCHED, remember


class MemorySide:
    """A place beside mentions as a server would be: rows under their ids, of the newest time; it may be away."""

    def __init__(self) -> None:
        self.rows: dict[tuple[SideIndex, str], tuple[datetime, Row]] = {}
        self.away = False
        self.takes = 10**9
        self.puts = 0

    def put(self, rows: Sequence[Row], at: datetime) -> int:
        self._reach()
        for row in rows:
            if self.takes == 0:
                raise StoreError("gone in the middle")
            self.takes -= 1
            key = (row.INDEX, row.id)
            if key in self.rows and (row.once or self.rows[key][0] > at):
                continue
            self.rows[key] = (at, row)
            self.puts += 1
        return len(rows)

    def remove(self, rows: Iterable[Row]) -> None:
        self._reach()
        for row in rows:
            self.rows.pop((row.INDEX, row.id), None)

    def forget(self, uids: Sequence[str]) -> int:
        raise NotImplementedError

    def purge(self, before: datetime) -> int:
        raise NotImplementedError

    def _reach(self) -> None:
        if self.away:
            raise StoreError("the server is away")

    def of(self, index: SideIndex, **wanted: Any) -> list[dict[str, Any]]:
        """Documents of an index, oldest first."""
        found = [fields_of(row) for (where, _), (_, row) in self.rows.items() if where is index]
        fitting = [one for one in found if all(one.get(name) == value for name, value in wanted.items())]
        return sorted(fitting, key=lambda one: (one["at"], str(one.get("position")), one.get("what", "")))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.quiet()
    made.store.side = MemorySide()  # type: ignore[attr-defined]
    yield made
    made.close()


@pytest.fixture
def side(world: World) -> MemorySide:
    found: MemorySide = world.store.side  # type: ignore[attr-defined]
    return found


def told(world: World) -> chronicle.Written:
    return write(world.configuration, world.store, world.state, world.now)


def storm(world: World) -> incidents.Incident:
    """Thirty voices, seen twice: an incident is open."""
    world.burst(30)
    for _ in range(2):
        world.watcher().tick()
        world.clock.advance(minutes=5)
        world.crawl()
    with world.state.read() as conn:
        (found,) = incidents.list_incidents(conn)
    return found


def result_list(world: World, at: datetime, *places: str) -> int:
    with world.state.begin() as conn:
        head = {"source": "search", "query": "acme erfahrungen", "at": at, "unresponsive": []}
        number = conn.execute(t.result_list.insert().values(**head)).inserted_primary_key[0]
        for position, url in enumerate(places, 1):
            row = {"url": url, "title": f"Titel {url}", "snippet": "…", "engines": ["a", "b"]}
            conn.execute(t.result.insert().values(list=number, position=position, uid=uid_of("r", url), **row))
    return int(number)


def test_an_engine_without_such_a_place_is_left_alone(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.quiet()
    assert told(world) == chronicle.Written()
    assert [row.rule for row in world.rows(t.rule_state) if row.rule == chronicle.RULE] == []
    world.close()


def test_hours_tell_what_the_store_counts(world: World, side: MemorySide) -> None:
    storm(world)
    told(world)
    hours = side.of(SideIndex.SERIES, brand="acme")
    assert len(hours) == len({one["at"] for one in hours})
    starts = [datetime.fromisoformat(one["at"]) for one in hours]
    assert starts == [starts[0] + HOUR * number for number in range(len(starts))], "no hour is left out"
    assert starts[-1] <= world.now < starts[-1] + HOUR
    cells = world.store.series("acme", starts[0], starts[-1] + HOUR, width=HOUR)
    for name in ("posts", "negative", "neutral", "positive"):
        assert sum(one[name] for one in hours) == sum(getattr(cell, name) for cell in cells) > 0
    assert sum(one["p_negative"] for one in hours) == pytest.approx(sum(cell.p_negative for cell in cells))
    window = Window(brand="acme", start=starts[0], end=starts[-1] + HOUR, tone=ToneLabel.NEGATIVE)
    persons = world.store.persons_by_bin(window, width=HOUR)
    assert {start: one["persons"] for start, one in zip(starts, hours, strict=True) if one["persons"]} == persons
    assert max(one["persons"] for one in hours) == 30
    whole = [one for start, one in zip(starts, hours, strict=True) if start + HOUR <= world.now]
    assert {one["exposure"] for one in whole[2:]} == {1.0}
    assert hours[-1]["exposure"] < 1


def test_the_band_is_that_of_the_pages(world: World, side: MemorySide) -> None:
    told(world)
    bar = facts(world.configuration, world.store, world.state, "acme", world.now).bars[0]
    hours = {one["at"]: one for one in side.of(SideIndex.SERIES)}
    hour = hours[bar.start.isoformat().replace("+00:00", "Z")]
    assert bar.expected is not None and hour["low"] <= hour["expected"] <= hour["high"]
    assert hour["expected"] == pytest.approx(2 * bar.expected, abs=0.03), "two half hours"
    assert usual_range(0.0, 0.25)[0] == 0


def test_the_level_stands_in_its_hour(world: World, side: MemorySide) -> None:
    incident = storm(world)
    told(world)
    levels = {one["at"]: one["level"] for one in side.of(SideIndex.SERIES) if one["level"]}
    hour = incident.opened.replace(minute=0, second=0, microsecond=0)
    assert levels == {hour.isoformat().replace("+00:00", "Z"): incident.peak}
    assert incident.peak >= 3


def test_alerts_levels_and_what_people_do_are_events(world: World, side: MemorySide) -> None:
    incident = storm(world)
    incidents.acknowledge(world.state, incident.id, "anna", world.now)
    incidents.note(world.state, incident.id, "anna", "Technik ist dran", world.now)
    told(world)
    alerts = side.of(SideIndex.EVENTS, kind="alert")
    assert alerts and len(alerts) == len(world.rows(t.alert))
    assert {(one["brand"], one["rule"], one["what"]) for one in alerts} == {("acme", "surge", "raised")}
    assert alerts[-1]["incident"] == "R-0001" and alerts[-1]["observed"] > alerts[-1]["high"]
    assert "30" in alerts[-1]["text"] and alerts[-1]["window_start"] < alerts[-1]["window_end"]
    (opened,) = side.of(SideIndex.EVENTS, kind="level")
    assert (opened["what"], opened["level"], opened["previous"]) == ("opened", incident.level, 0)
    assert opened["text"] == f"Vorgang eröffnet, Stufe {incident.level}"
    assert [one["by"] for one in side.of(SideIndex.EVENTS, kind="action", what="acknowledged")] == ["anna"]
    assert [one["text"] for one in side.of(SideIndex.EVENTS, kind="note")] == ["Technik ist dran"]
    incidents.resolve(world.state, incident.id, "anna", world.now + timedelta(minutes=1))
    world.clock.advance(minutes=10)
    told(world)
    (closed,) = side.of(SideIndex.EVENTS, what="resolved")
    assert (closed["kind"], closed["level"], closed["incident"]) == ("action", 0, "R-0001")


def test_a_rule_that_is_no_longer_installed_holds_nothing_up(world: World, side: MemorySide) -> None:
    alert = {"rule": "theirs", "stream": "acme", "key": "1", "version": 1, "brand": "acme", "at": world.now}
    with world.state.begin() as conn:
        conn.execute(t.alert.insert().values(**alert, facts={"reasons": [["theirs.words", {"n": 3}]]}))
    told(world)
    (event,) = side.of(SideIndex.EVENTS, kind="alert")
    assert (event["rule"], event["text"]) == ("theirs", "")


def test_a_silence_lasts_and_ends(world: World, side: MemorySide) -> None:
    number = silences.add(
        world.state, by="anna", reason="Übung", ends=world.now + timedelta(days=9), now=world.now, brand="acme"
    )
    told(world)
    (event,) = side.of(SideIndex.EVENTS, kind="silence")
    assert (event["text"], event["by"], event["brand"]) == ("Übung", "anna", "acme")
    assert datetime.fromisoformat(event["end"]) == NOW + timedelta(days=9)
    world.clock.advance(minutes=200)
    told(world)
    silences.end(world.state, number, "anna", world.now)
    world.clock.advance(minutes=5)
    told(world)
    (event,) = side.of(SideIndex.EVENTS, kind="silence")
    assert datetime.fromisoformat(event["end"]) == NOW + timedelta(minutes=200)


def test_an_outage_begins_changes_and_ends(world: World, side: MemorySide) -> None:
    begin = world.now
    world.source("forum", state="late")
    told(world)
    (late,) = side.of(SideIndex.EVENTS, kind="outage")
    assert (late["what"], late["source"], "end" in late) == ("late", "forum", False)
    world.clock.advance(minutes=60)
    world.source("forum", state="blind", mark=begin)
    told(world)
    world.clock.advance(minutes=60)
    world.crawl()
    told(world)
    outages = side.of(SideIndex.EVENTS, kind="outage")
    spans = [tuple(datetime.fromisoformat(one[name]) for name in ("at", "end")) for one in outages]
    assert [one["what"] for one in outages] == ["late", "blind"]
    middle, end = begin + timedelta(minutes=60), begin + timedelta(minutes=120)
    assert spans == [(begin, middle), (middle, end)]


def test_a_hole_is_an_event(world: World, side: MemorySide) -> None:
    begin = world.now - timedelta(hours=3)
    with world.state.begin() as conn:
        row = {"source": "forum", "start": begin, "end": begin + HOUR, "reason": "the feed was too short"}
        conn.execute(t.hole.insert().values(**row))
    for _ in range(2):
        told(world)
    (hole,) = side.of(SideIndex.EVENTS, kind="hole")
    assert datetime.fromisoformat(hole["end"]) - datetime.fromisoformat(hole["at"]) == HOUR


def test_learning_is_told_once(world: World, side: MemorySide) -> None:
    first = world.now
    for _ in range(3):
        told(world)
        world.clock.advance(minutes=10)
        world.crawl()
    events = side.of(SideIndex.EVENTS, kind=str(EventKind.LEARNING))
    assert [(one["what"], one["brand"], one["rule"]) for one in events] == [
        ("begun", "acme", "surge"),
        ("learned", "acme", "surge"),
    ]
    assert {datetime.fromisoformat(one["at"]) for one in events} == {first}


def test_own_statements_are_marked_without_their_words(world: World, side: MemorySide) -> None:
    at = world.now - timedelta(hours=5)
    kinds = {700: (Kind.POST, Voice.OWNED), 701: (Kind.REPLY, Voice.OWNED), 702: (Kind.POST, Voice.EARNED)}
    for number, (kind, voice) in kinds.items():
        one = mention(number, at, text="Wir arbeiten daran, die Hotline ist besetzt.")
        said = msgspec.structs.replace(one.analysis.opinions[0], voice=voice)
        analysis = msgspec.structs.replace(one.analysis, opinions=(said,))
        crawled = msgspec.structs.replace(one.crawled, kind=kind)
        world.write(msgspec.structs.replace(one, analysis=analysis, crawled=crawled))
    for _ in range(2):
        told(world)
        world.clock.advance(minutes=70)
        world.crawl()
    (statement,) = side.of(SideIndex.EVENTS, kind="statement")
    assert datetime.fromisoformat(statement["at"]) == at
    assert (statement["uid"], statement["source"]) == (uid_of("forum.example.org", "/ p700"), "forum")
    assert statement["text"] == "Eigene Stellungnahme: forum"


def test_another_way_of_scoring_is_marked_once(world: World, side: MemorySide, monkeypatch: Any) -> None:
    first = world.now
    for version in (1, 1, 2, 2):
        monkeypatch.setattr(events, "ANALYSIS_VERSION", version)
        told(world)
        world.clock.advance(minutes=30)
    models = side.of(SideIndex.EVENTS, kind="model")
    assert [(datetime.fromisoformat(one["at"]) - first, one["what"]) for one in models] == [
        (timedelta(0), "version 1"),
        (timedelta(hours=1), "version 2"),
    ]


def test_result_lists_keep_their_ranks(world: World, side: MemorySide) -> None:
    result_list(world, world.now, "https://www.eins.example/x", "https://zwei.example:8443/", "mailto:odd")
    result_list(world, world.now, "https://eins.example/x")
    told(world)
    rows = side.of(SideIndex.RESULTS)
    assert [(one["position"], one["domain"]) for one in rows] == [
        (1, "eins.example"),
        (2, "zwei.example:8443"),
        (3, ""),
    ]
    assert rows[0] | {"at": "", "url": ""} == {
        "at": "",
        "source": "search",
        "query": "acme erfahrungen",
        "position": 1,
        "uid": uid_of("r", "https://eins.example/x"),
        "url": "",
        "title": "Titel https://eins.example/x",
        "snippet": "…",
        "engines": ("a", "b"),
        "domain": "eins.example",
    }


def test_many_lists_are_written_a_few_at_a_time(world: World, side: MemorySide, monkeypatch: Any) -> None:
    monkeypatch.setattr(results, "LISTS", 2)
    for number in range(7):
        result_list(world, world.now - timedelta(days=number // 3), f"https://eins.example/{number}")
        world.clock.advance(seconds=1)
    told(world)
    assert len(side.of(SideIndex.RESULTS)) == 7


def test_who_was_erased_does_not_come_back_by_the_result_lists(world: World, side: MemorySide) -> None:
    number = result_list(world, world.now, "https://eins.example/", "https://zwei.example/")
    told(world)
    with world.state.begin() as conn:
        gone = t.result.update().where(t.result.c.list == number, t.result.c.position == 1)
        conn.execute(gone.values(url="", title="", snippet=""))
    told(world)
    assert [one["position"] for one in side.of(SideIndex.RESULTS)] == [2]


def test_the_doctor_says_up_to_when_it_is_written(world: World, side: MemorySide) -> None:
    servers = StoreTable(engine="elasticsearch", urls=("https://search.example:9200",))
    settings = world.configuration.model_copy(update={"store": servers})
    patient = Patient(settings, world.folder, world.clock)

    def said() -> tuple[bool, str]:
        state, store = State(sqlite_url(world.folder)), SqliteStore(world.folder / "mentions.db", clock=world.clock)
        (found,) = (one for one in examine(patient, lambda: state, lambda: store) if one.name == "beside")
        return found.good, found.phrase

    assert said() == (True, "never_beside")
    told(world)
    remember(world.state, WATCHED, world.now)
    assert said() == (True, "beside")
    side.away = True
    world.clock.advance(minutes=50)
    remember(world.state, WATCHED, world.now)
    assert said() == (True, "beside")
    world.clock.advance(minutes=30)
    remember(world.state, WATCHED, world.now)
    assert said() == (False, "beside")


# --- once, whatever happens -----------------------------------------------------------------------------------


def busy(world: World) -> None:
    storm(world)
    result_list(world, world.now, "https://eins.example/", "https://zwei.example/")
    world.source("portal", state="late")


def test_repetition_changes_nothing(world: World, side: MemorySide) -> None:
    busy(world)
    told(world)
    before = {key: fields_of(row) for key, (_, row) in side.rows.items()}
    with world.state.begin() as conn:  # as after a death before it was noted how far it had come
        conn.execute(t.rule_state.delete().where(t.rule_state.c.rule == chronicle.RULE))
    world.clock.advance(seconds=1)
    told(world)
    assert {key: fields_of(row) for key, (_, row) in side.rows.items()} == before


def test_a_death_at_any_row_loses_and_doubles_nothing(world: World, side: MemorySide) -> None:
    busy(world)
    told(world)
    wanted = {key: fields_of(row) for key, (_, row) in side.rows.items()}
    for row in world.rows(t.rule_state):
        assert row.rule != chronicle.RULE or row.updated == world.now
    side.rows.clear()
    with world.state.begin() as conn:
        conn.execute(t.rule_state.delete().where(t.rule_state.c.rule == chronicle.RULE))
    for takes in (0, 1, 2, 5, 40, 300, 10**9):
        side.takes = takes
        try:
            told(world)
        except StoreError:
            assert takes < 10**9
    assert {key: fields_of(row) for key, (_, row) in side.rows.items()} == wanted


def test_while_the_server_is_away_nothing_is_lost(world: World, side: MemorySide) -> None:
    told(world)
    side.away = True
    first = world.now
    incident = storm(world)
    for _ in range(30):
        world.clock.advance(minutes=10)
        world.crawl()
        world.watcher().tick()
        with pytest.raises(StoreError):
            told(world)
    side.away = False
    told(world)
    assert incident.name in {one.get("incident") for one in side.of(SideIndex.EVENTS, kind="level", what="opened")}
    assert len(side.of(SideIndex.EVENTS, kind="alert")) == len(world.rows(t.alert))
    missed = [one for one in side.of(SideIndex.SERIES) if datetime.fromisoformat(one["at"]) >= first - HOUR]
    assert len(missed) >= 5 and sum(one["persons"] for one in missed) >= 30


def test_what_an_absent_source_brings_later_stands_in_its_hours(world: World, side: MemorySide) -> None:
    world.source("forum", state="blind")
    world.crawl("portal")
    told(world)
    mark = world.now
    for _ in range(60):
        world.clock.advance(minutes=60)
        world.crawl("portal")
        told(world)
    at = mark + timedelta(hours=5, minutes=10)
    world.write(*(mention(900 + number, at, person=f"late {number}", source="forum") for number in range(4)))
    world.clock.advance(minutes=10)
    world.crawl()
    told(world)
    hour = at.replace(minute=0).isoformat().replace("+00:00", "Z")
    (row,) = side.of(SideIndex.SERIES, at=hour)
    assert (row["negative"], row["persons"], row["exposure"]) == (4, 4, 1.0)


def test_what_people_correct_is_corrected_within_the_hour(world: World, side: MemorySide) -> None:
    storm = world.burst(10)
    told(world)
    before = max(one["negative"] for one in side.of(SideIndex.SERIES))
    word = Correction(tone=ToneLabel.POSITIVE, at=world.now, by="anna")
    world.write(*(msgspec.structs.replace(one, corrections=(word,)) for one in storm[:4]))
    world.clock.advance(minutes=300)
    world.crawl()
    told(world)
    hours = side.of(SideIndex.SERIES)
    assert before == 10 and max(one["negative"] for one in hours) == 6


@pytest.mark.parametrize("waiting", [True, False])
def test_a_source_read_for_the_first_time_fills_its_past(world: World, side: MemorySide, waiting: bool) -> None:
    """Whether it was there, unread, when sources were last looked at, or came and was read within minutes."""

    def unread(**values: Any) -> None:
        with world.state.begin() as conn:
            conn.execute(t.source.update().where(t.source.c.id == "news").values(**values))

    if waiting:
        world.source("news")
        unread(watermark=None, complete_from=None)
    told(world)
    begin = world.now
    at = world.now - timedelta(days=9, minutes=7)
    world.write(*(mention(950 + n, at, person=f"new {n}", source="news", historic=True) for n in range(3)))
    world.clock.advance(minutes=10)
    world.crawl()
    world.source("news")
    unread(first_contact_at=begin, complete_from=START)
    told(world)
    hour = at.replace(minute=0, second=0, microsecond=0).isoformat().replace("+00:00", "Z")
    (row,) = side.of(SideIndex.SERIES, at=hour)
    assert row["persons"] >= 3
    world.clock.advance(minutes=10)
    world.crawl("forum", "portal", "news")
    assert told(world).hours <= 3, "once"


def test_a_slow_writer_does_not_replace_what_a_faster_one_knows_better(world: World, side: MemorySide) -> None:
    storm(world)
    told(world)
    before = dict(side.rows)
    with world.state.begin() as conn:
        conn.execute(t.rule_state.delete().where(t.rule_state.c.rule == chronicle.RULE))
    write(world.configuration, world.store, world.state, world.now - timedelta(minutes=10))
    assert {key: at for key, (at, _) in side.rows.items() if key in before} == {
        key: at for key, (at, _) in before.items()
    }


def test_what_is_noted_stays_small(world: World, side: MemorySide) -> None:
    """A row per brand: with thousands of sources it must not hold them all."""
    for number in range(300):
        world.source(f"s{number}")
    busy(world)
    told(world)
    for _ in range(4):
        world.clock.advance(minutes=30)
        world.crawl()
        told(world)
    sizes = [len(row.blob) for row in world.rows(t.rule_state) if row.rule == chronicle.RULE]
    assert len(sizes) == 2 and max(sizes) < 8_000


def test_brands_are_looked_at_every_few_minutes(world: World, side: MemorySide) -> None:
    told(world)
    world.clock.advance(minutes=2)
    world.crawl()
    assert told(world).hours == 0
    world.clock.advance(minutes=4)
    world.crawl()
    assert 1 <= told(world).hours <= 3, "only what may have changed"
