"""Events, result lists and series on a real server: strict, each once, gone with the erased, written later if need."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alerting import World
from elastic import Node, plain_node, remove_indices, skipping
from elasticsearch import BadRequestError, Elasticsearch

from alerts import chronicle, incidents
from pipeline.clock import ManualClock
from pipeline.configuration import StoreTable
from pipeline.erasure import erase_mentions
from pipeline.identity import uid_of
from pipeline.maintenance import purge
from pipeline.state import tables as t
from pipeline.store.elastic.client import connect
from pipeline.store.elastic.names import Names
from pipeline.store.elastic.side import MAPPINGS, ElasticSide, alias_of, index_of, prepare
from pipeline.store.elastic.store import ElasticStore
from pipeline.store.protocol import StoreError
from pipeline.store.side import ROWS, Event, EventKind, Hour, Result, SideIndex, meanings, side_of

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)


def event(number: int = 1, **over: Any) -> Event:
    return Event(**{"at": AT, "kind": EventKind.NOTE, "what": "note", "identity": str(number), **over})


def result(position: int = 1, **over: Any) -> Result:
    fields = {"source": "s", "query": "q", "uid": uid_of("r", str(position)), "url": "https://x.example/"}
    more = {"title": "T", "snippet": "S", "engines": ("a",), "domain": "x.example", "position": position}
    return Result(**{"at": AT, **fields, **more, **over})


@pytest.fixture
def names(elastic_prefix: str) -> Names:
    return Names(elastic_prefix)


@pytest.fixture
def side(elastic_client: Elasticsearch, names: Names) -> ElasticSide:
    return ElasticSide(elastic_client, names)


def documents(client: Elasticsearch, names: Names, index: SideIndex) -> dict[str, dict[str, Any]]:
    """Everything in an index, by id."""
    alias = alias_of(names, index)
    client.indices.refresh(index=alias)
    hits = client.search(index=alias, size=5000, query={"match_all": {}})["hits"]["hits"]
    return {hit["_id"]: hit["_source"] for hit in hits}


@pytest.mark.parametrize("index", SideIndex)
def test_every_field_of_a_row_is_mapped_and_explained(index: SideIndex) -> None:
    assert set(MAPPINGS[index]) == set(ROWS[index].__struct_fields__) == set(meanings(index))
    assert all(said.endswith((".", "…")) for said in meanings(index).values())


def test_indices_are_strict_and_stand_behind_aliases(elastic_client: Elasticsearch, names: Names) -> None:
    prepare(elastic_client, names)
    prepare(elastic_client, names)  # a second process
    for index in SideIndex:
        found = elastic_client.indices.get(index=alias_of(names, index))
        assert list(found) == [index_of(names, index)]
        assert found[index_of(names, index)]["mappings"]["dynamic"] == "strict"
        with pytest.raises(BadRequestError, match="strict_dynamic_mapping_exception"):
            elastic_client.index(index=alias_of(names, index), document={"unknown": 1})


def test_an_index_of_another_make_is_refused(elastic_client: Elasticsearch, names: Names) -> None:
    name = index_of(names, SideIndex.SERIES)
    elastic_client.indices.create(index=name, mappings={"properties": {"brand": {"type": "long"}}})
    with pytest.raises(StoreError, match=f"{name} has another mapping"):
        prepare(elastic_client, names)


def test_rows_are_written_once(elastic_client: Elasticsearch, names: Names, side: ElasticSide) -> None:
    rows = [event(1), event(2, brand="acme", level=0), result(1), Hour(at=AT, brand="acme", posts=0)]
    assert side.put(rows, AT) == 4
    assert side.put(rows, AT) == 0, "known as they are"
    assert ElasticSide(elastic_client, names).put(rows, AT) == 4, "another process"
    events = documents(elastic_client, names, SideIndex.EVENTS)
    assert events[rows[1].id] == {
        "at": "2026-11-20T12:00:00Z",
        "kind": "note",
        "what": "note",
        "text": "",
        "brand": "acme",
        "level": 0,
        "identity": "2",
    }
    assert len(events) == 2
    assert len(documents(elastic_client, names, SideIndex.RESULTS)) == 1
    (hour,) = documents(elastic_client, names, SideIndex.SERIES).values()
    assert (hour["posts"], hour["level"], "expected" in hour) == (0, 0, False)


def test_what_is_known_later_replaces_and_never_the_other_way(
    elastic_client: Elasticsearch, names: Names, side: ElasticSide
) -> None:
    later = AT + timedelta(seconds=1)
    hour = Hour(at=AT, brand="acme", posts=1)
    side.put([hour], AT)
    side.put([msgspec.structs.replace(hour, posts=2)], later)
    slow = ElasticSide(elastic_client, names)
    slow.put([hour], AT)
    assert [one["posts"] for one in documents(elastic_client, names, SideIndex.SERIES).values()] == [2]
    slow.put([msgspec.structs.replace(hour, posts=3)], later)
    assert [one["posts"] for one in documents(elastic_client, names, SideIndex.SERIES).values()] == [3]


def test_what_has_no_time_of_its_own_keeps_the_first(
    elastic_client: Elasticsearch, names: Names, side: ElasticSide
) -> None:
    begun = event(kind=EventKind.LEARNING, what="begun")
    side.put([begun], AT)
    side.put([msgspec.structs.replace(begun, at=AT + timedelta(hours=1))], AT + timedelta(hours=1))
    assert [one["at"] for one in documents(elastic_client, names, SideIndex.EVENTS).values()] == [
        "2026-11-20T12:00:00Z"
    ]


def test_one_row_too_odd_for_the_server_does_not_hold_up_the_rest(
    elastic_client: Elasticsearch, names: Names, side: ElasticSide
) -> None:
    """A keyword may have 32766 bytes."""
    side.put([event(1), event(2, brand="x" * 40_000), event(3)], AT)
    assert {one["identity"] for one in documents(elastic_client, names, SideIndex.EVENTS).values()} == {"1", "3"}


def test_an_index_taken_away_is_made_again_strictly(
    elastic_client: Elasticsearch, names: Names, side: ElasticSide
) -> None:
    side.put([event(1)], AT)
    elastic_client.indices.delete(index=index_of(names, SideIndex.EVENTS))
    side.put([event(2)], AT)
    assert {one["identity"] for one in documents(elastic_client, names, SideIndex.EVENTS).values()} == {"2"}
    mapping = elastic_client.indices.get_mapping(index=index_of(names, SideIndex.EVENTS))
    assert mapping[index_of(names, SideIndex.EVENTS)]["mappings"]["dynamic"] == "strict"


def test_rows_go_with_the_erased_and_with_time(elastic_client: Elasticsearch, names: Names, side: ElasticSide) -> None:
    assert side.forget(["a" * 32]) == 0 == side.purge(AT), "nothing is there yet"
    side.put([result(1), result(2), result(3, at=AT - timedelta(days=9)), event(1, at=AT - timedelta(days=9))], AT)
    side.put([event(4, uid=uid_of("r", "1"))], AT)
    assert side.forget([uid_of("r", "1")]) == 2
    assert side.purge(AT - timedelta(days=1)) == 2
    left = documents(elastic_client, names, SideIndex.RESULTS)
    assert [one["position"] for one in left.values()] == [2]
    assert documents(elastic_client, names, SideIndex.EVENTS) == {}
    side.put([result(1)], AT + timedelta(seconds=1))
    side.remove([result(1), result(77)])
    assert [one["position"] for one in documents(elastic_client, names, SideIndex.RESULTS).values()] == [2]


# --- with the watcher -----------------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path: Path, side: ElasticSide) -> Iterator[World]:
    made = World(tmp_path)
    made.quiet()
    made.store.side = side  # type: ignore[attr-defined]
    yield made
    made.close()


def storm(world: World) -> incidents.Incident:
    world.burst(30)
    for _ in range(2):
        world.watcher().tick()
        world.clock.advance(minutes=5)
        world.crawl()
    with world.state.read() as conn:
        (found,) = incidents.list_incidents(conn)
    return found


def told(world: World) -> chronicle.Written:
    return chronicle.write(world.configuration, world.store, world.state, world.now)


def results(world: World, *urls: str) -> None:
    with world.state.begin() as conn:
        head = {"source": "search", "query": "acme", "at": world.now, "unresponsive": []}
        number = conn.execute(t.result_list.insert().values(**head)).inserted_primary_key[0]
        for position, url in enumerate(urls, 1):
            row = {"url": url, "title": "T", "snippet": "S", "engines": ["a"], "uid": uid_of("r", url)}
            conn.execute(t.result.insert().values(list=number, position=position, **row))


def test_a_storm_as_kibana_sees_it(elastic_client: Elasticsearch, names: Names, world: World) -> None:
    incident = storm(world)
    told(world)
    events = documents(elastic_client, names, SideIndex.EVENTS)
    series = documents(elastic_client, names, SideIndex.SERIES)
    with world.state.begin() as conn:  # a death before it was noted how far it had come, and a new process
        conn.execute(t.rule_state.delete().where(t.rule_state.c.rule == chronicle.RULE))
    world.store.side = ElasticSide(elastic_client, names)  # type: ignore[attr-defined]
    told(world)
    assert documents(elastic_client, names, SideIndex.EVENTS) == events
    assert documents(elastic_client, names, SideIndex.SERIES) == series
    marks = elastic_client.search(
        index=alias_of(names, SideIndex.EVENTS), query={"term": {"kind": "level"}}, sort=[{"at": "asc"}]
    )
    assert [(hit["_source"]["incident"], hit["_source"]["level"]) for hit in marks["hits"]["hits"]] == [
        (incident.name, incident.level)
    ]
    band = elastic_client.search(
        index=alias_of(names, SideIndex.SERIES),
        size=0,
        query={"term": {"brand": "acme"}},
        aggs={
            "hours": {
                "date_histogram": {"field": "at", "fixed_interval": "1h"},
                "aggs": {name: {"max": {"field": name}} for name in ("persons", "high", "level")},
            }
        },
    )
    buckets = band["aggregations"]["hours"]["buckets"]
    loudest = max(buckets, key=lambda bucket: bucket["persons"]["value"])
    assert (loudest["persons"]["value"], loudest["level"]["value"]) == (30, incident.peak)
    assert loudest["persons"]["value"] > loudest["high"]["value"]
    assert sum(bucket["doc_count"] for bucket in buckets) == len(series) == len(buckets)


def test_both_stores_tell_the_same_hours_and_events(
    elastic_client: Elasticsearch, elastic_url: str, names: Names, world: World, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = World(tmp_path / "other")
    other.store.close()
    store = ElasticStore(connect(StoreTable(urls=(elastic_url,))), names.prefix, clock=other.clock)
    other.store = store  # type: ignore[assignment]
    other.quiet()
    beside = Names(f"{names.prefix}-beside")
    world.store.side = ElasticSide(elastic_client, beside)  # type: ignore[attr-defined]
    for one in (world, other):
        storm(one)
        told(one)
    for index in SideIndex:
        assert documents(elastic_client, names, index) == documents(elastic_client, beside, index)
    assert len(documents(elastic_client, names, SideIndex.SERIES)) > 300
    other.close()


def test_erasure_and_retention_reach_the_result_lists(
    elastic_client: Elasticsearch, names: Names, world: World
) -> None:
    results(world, "https://eins.example/", "https://zwei.example/")
    told(world)
    gone = uid_of("r", "https://eins.example/")
    erase_mentions(world.state, world.store, world.folder, [gone], reason="asked", by="anna", clock=world.clock)
    told(world)
    left = documents(elastic_client, names, SideIndex.RESULTS)
    assert [one["url"] for one in left.values()] == ["https://zwei.example/"]
    purge(world.configuration, world.store, world.state, world.now + world.configuration.retention.mentions * 2)
    for index in SideIndex:
        assert documents(elastic_client, names, index) == {}


def test_an_engine_of_our_own_has_such_a_place(elastic_url: str, names: Names) -> None:
    store = ElasticStore(connect(StoreTable(urls=(elastic_url,))), names.prefix, clock=ManualClock(AT))
    assert isinstance(side_of(store), ElasticSide)
    store.close()


def test_the_shipped_roles_write_and_read_what_stands_beside(elastic_secured: Node) -> None:
    """The service's role writes all three; people with the viewer's read them, and search as Kibana would."""
    names, roles = Names(f"t{uuid.uuid4().hex[:12]}"), Path(__file__).parents[2] / "docker/cluster"
    with elastic_secured.client() as admin:

        def client(role: str) -> Elasticsearch:
            document = json.loads(
                (roles / f"{role}.json").read_text("utf-8").replace('"sturmwarte-', f'"{names.prefix}-')
            )
            limits = {role: {name: document[name] for name in ("cluster", "indices")}}
            key = admin.security.create_api_key(name=role, expiration="1h", role_descriptors=limits)["encoded"]
            return Elasticsearch(elastic_secured.url, api_key=key, ca_certs=str(elastic_secured.ca_file))

        with client("role") as own, client("viewer") as viewer:
            side = ElasticSide(own, names)
            side.put([event(1), result(1), Hour(at=AT, brand="acme", persons=3)], AT)
            assert side.forget([uid_of("r", "1")]) == 1
            own.indices.refresh(index=alias_of(names, SideIndex.SERIES))
            found = viewer.search(
                index=alias_of(names, SideIndex.SERIES), query={"kql": {"query": 'brand:"acme" and persons >= 3'}}
            )
            assert [hit["_source"]["persons"] for hit in found["hits"]["hits"]] == [3]
            with pytest.raises(StoreError, match="does not allow it"):
                ElasticSide(viewer, names).put([event(2)], AT)
        remove_indices(admin, names.prefix)


@pytest.fixture
def mortal() -> Iterator[Node]:
    with skipping(), plain_node() as node:
        yield node


def test_while_the_server_is_away_the_watcher_goes_on(mortal: Node, tmp_path: Path) -> None:
    names = Names("sturmwarte")
    table = StoreTable(urls=(mortal.url,), patience=timedelta(0))  # type: ignore[arg-type]
    world = World(tmp_path)
    world.quiet()
    world.store.side = ElasticSide(connect(table), names)  # type: ignore[attr-defined]
    told(world)
    before = world.now
    mortal.kill()
    incident = storm(world)
    for _ in range(12):
        world.clock.advance(minutes=15)
        world.crawl()
        world.watcher().tick()
    with pytest.raises(StoreError, match="cannot be reached"):
        told(world)
    mortal.restart()
    told(world)
    client = mortal.client()
    opened = [one for one in documents(client, names, SideIndex.EVENTS).values() if one["what"] == "opened"]
    assert [(one["incident"], one["at"]) for one in opened] == [
        (incident.name, incident.opened.isoformat().replace("+00:00", "Z"))
    ]
    hours = sorted(one["at"] for one in documents(client, names, SideIndex.SERIES).values())
    missed = [at for at in hours if datetime.fromisoformat(at) > before]
    assert len(missed) == len(set(missed)) == 3, "every hour it was away is there, once"
    client.close()
    world.close()
