"""Moving everything between the engines: both hold the same afterwards, whatever happened on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path

import pytest
from building import NOON, mention, uid
from elasticsearch import Elasticsearch
from moving import contents, fill, whole_copy

from pipeline.clock import ManualClock
from pipeline.configuration import StoreTable
from pipeline.mention import Mention
from pipeline.query.tree import EVERYTHING, Field, Query
from pipeline.steps.story import week_of
from pipeline.store.copying import CopyRefused, copy
from pipeline.store.elastic.client import PatientTransport
from pipeline.store.elastic.store import ElasticStore
from pipeline.store.opening import open_store
from pipeline.store.protocol import Store, StoreError, Window
from pipeline.store.sqlite.store import SqliteStore

Opened = Callable[[], ElasticStore]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON + timedelta(hours=6))


@pytest.fixture
def files(tmp_path: Path, clock: ManualClock) -> Iterator[Callable[[str], SqliteStore]]:
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(closing(SqliteStore(tmp_path / f"{name}.db", clock=clock)))


@pytest.fixture
def indices(elastic_url: str, elastic_prefix: str, clock: ManualClock) -> Iterator[Opened]:
    """Opens the store of this test's prefix, each time with a client of its own, as processes do."""
    with ExitStack() as stack:

        def opened() -> ElasticStore:
            client = Elasticsearch(elastic_url, request_timeout=60)
            return stack.enter_context(closing(ElasticStore(client, elastic_prefix, clock=clock)))

        yield opened


def answers(store: Store) -> list[object]:
    """What people see of a store."""
    window = Window(brand="telekom", start=NOON - timedelta(days=90), end=NOON + timedelta(days=1))
    uids = [uid(number) for number in range(60)]
    return [
        list(store.scan(EVERYTHING)),
        store.count(EVERYTHING),
        store.persons(window),
        store.series("telekom", window.start, window.end, width=timedelta(days=1)),
        [store.history(name) for name in uids],
        store.stories(uids),
        store.count(Query(Field("story", (uid(2),)))),
        [m.uid for m in store.story_members(uid(2))],
        store.facets(EVERYTHING, "author"),
    ]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_into_elasticsearch_and_back(
    files: Callable[[str], SqliteStore], indices: Opened, clock: ManualClock, seed: int
) -> None:
    first, second, third = files("first"), indices(), files("third")
    fill(first, clock, seed=seed)
    there = whole_copy(first, second, clock)
    assert contents(second) == contents(first)
    assert answers(second) == answers(first)
    assert second.check() == []
    back = whole_copy(second, third, clock)
    assert contents(third) == contents(first)
    assert [(p.part, p.source, p.target) for p in back.parts] == [(p.part, p.source, p.target) for p in there.parts]
    assert third.check() == []


def test_a_copy_of_any_size_is_not_kept_in_memory_and_its_stories_are_found(
    files: Callable[[str], SqliteStore], indices: Opened, clock: ManualClock
) -> None:
    first, second = files("first"), indices()
    each = mention("a")
    first.write([each])
    week = week_of(each.event_time)
    first.note_signatures({uid("a"): [1, 2]}, week)
    whole_copy(first, second, clock)
    assert second.access.noted.remembered == 0
    assert second.story_of({"x": [2]}, week) == {"x": [uid("a")]}


def test_between_two_prefixes(elastic_url: str, elastic_prefix: str, indices: Opened, clock: ManualClock) -> None:
    first = indices()
    fill(first, clock, seed=7)
    with closing(
        ElasticStore(Elasticsearch(elastic_url, request_timeout=60), f"{elastic_prefix}b", clock=clock)
    ) as second:
        whole_copy(first, second, clock)
        assert contents(second) == contents(first)
        assert answers(second) == answers(first)


class Died(Exception):
    pass


def interrupted(source: Store, target: Store, clock: ManualClock, after: int) -> None:
    """A copy that dies when so many mentions have been moved."""
    moved = 0

    def count(mentions: int) -> None:
        nonlocal moved
        moved += mentions
        if moved >= after:
            raise Died

    with pytest.raises(Died):
        copy(source, target, clock=clock, moved=count)


@pytest.mark.parametrize("after", [1, 60])
def test_a_copy_that_died_goes_on_and_nobody_else_writes(
    files: Callable[[str], SqliteStore], indices: Opened, clock: ManualClock, after: int
) -> None:
    source, target, other = files("source"), indices(), indices()
    fill(source, clock)
    interrupted(source, target, clock, after)
    for write in (
        lambda: other.write([mention("new")]),
        lambda: other.erase([uid(7)], "x"),
        lambda: other.join_stories(uid(5), uid(6)),
        lambda: other.note_signatures({uid(5): [1]}, 2968),
        lambda: other.purge(NOON),
    ):
        with pytest.raises(StoreError, match=r"unfinished copy of sqlite .*source\.db.*sturmwarte store copy"):
            write()
    assert "unfinished copy" in other.check()[0]
    clock.advance(minutes=5)
    fill(source, clock, seed=99)  # more is stored, changed, erased and joined before it goes on
    source.erase([uid(10)], "later")
    source.join_stories(uid(20), uid(0))
    source.purge(NOON - timedelta(days=60))
    whole_copy(source, indices(), clock)
    assert contents(target) == contents(source)
    assert answers(target) == answers(source)
    assert target.check() == []
    assert len(other.write([mention("new")]).created) == 1


def test_what_was_erased_meanwhile_is_not_copied_back(
    files: Callable[[str], SqliteStore], indices: Opened, clock: ManualClock
) -> None:
    old, middle, new = files("old"), indices(), files("new")
    mentions: list[Mention] = [mention(number, at=NOON - timedelta(days=number)) for number in range(30)]
    old.write(mentions)
    whole_copy(old, middle, clock)
    middle.erase([uid(1), uid(29)], "asked for")
    new.erase([uid(2)], "asked for here")
    outcome = whole_copy(middle, new, clock)
    assert sum(part.barred for part in outcome.parts) == 1
    gone = {uid(1), uid(2), uid(29)}
    assert {m.uid for m in new.scan(EVERYTHING)} == {m.uid for m in mentions} - gone
    assert {u for u, _ in new.write(mentions).refused} == gone
    assert new.transfer().barred([m.uid for m in mentions]) == gone


def test_two_copies_of_one_mention_are_joined_before_they_are_counted(
    files: Callable[[str], SqliteStore], indices: Opened, clock: ManualClock
) -> None:
    """Two writers created it in two months without seeing each other."""
    one, other, target = indices(), indices(), files("target")
    early = mention("a", at=NOON - timedelta(days=40), fetched=NOON - timedelta(days=1))
    late = mention("a", at=NOON, source="feed", fetched=NOON)
    one.refresh()
    one.write([early])
    other.write([late])
    whole_copy(one, target, clock)
    [found] = target.scan(EVERYTHING)
    assert found.sources == ("feed", "forum")
    assert contents(target) == contents(one)


def test_a_target_with_other_data_is_refused(
    files: Callable[[str], SqliteStore], indices: Opened, clock: ManualClock
) -> None:
    source, target = files("source"), indices()
    source.write([mention("a")])
    target.write([mention("b")])
    with pytest.raises(CopyRefused, match="holds data already"):
        copy(source, target, clock=clock)
    with pytest.raises(CopyRefused, match="the same store"):
        copy(target, indices(), clock=clock)
    assert [m.uid for m in target.scan(EVERYTHING)] == [uid("b")]


def intervals(client: Elasticsearch, prefix: str) -> set[str | None]:
    """The refresh intervals of its indices of mentions, history and stories; None is the server's own."""
    found = client.indices.get_settings(index=[f"{prefix}-{kind}-v*" for kind in ("mentions", "history", "stories")])
    return {settings["settings"]["index"].get("refresh_interval") for settings in found.body.values()}


def test_nothing_is_refreshed_until_it_is_asked_for_and_afterwards_as_before(
    files: Callable[[str], SqliteStore],
    indices: Opened,
    clock: ManualClock,
    elastic_client: Elasticsearch,
    elastic_prefix: str,
) -> None:
    source, target = files("source"), indices()
    fill(source, clock)
    interrupted(source, target, clock, 60)
    assert intervals(elastic_client, elastic_prefix) == {"-1"}
    whole_copy(source, indices(), clock)
    assert intervals(elastic_client, elastic_prefix) == {None}


def test_an_interval_that_somebody_chose_is_left(
    files: Callable[[str], SqliteStore],
    indices: Opened,
    clock: ManualClock,
    elastic_client: Elasticsearch,
    elastic_prefix: str,
) -> None:
    source, target = files("source"), indices()
    source.write([mention("a")])
    index = f"{elastic_prefix}-stories-v2"
    elastic_client.indices.put_settings(index=index, settings={"refresh_interval": "7s"})
    whole_copy(source, target, clock)
    assert intervals(elastic_client, elastic_prefix) == {None, "7s"}


def test_a_copy_waits_longer_for_its_server(
    files: Callable[[str], SqliteStore], elastic_url: str, elastic_prefix: str, tmp_path: Path, clock: ManualClock
) -> None:
    source = files("source")
    source.write([mention("a")])
    table = StoreTable.model_validate({"engine": "elasticsearch", "urls": [elastic_url], "prefix": elastic_prefix})
    with closing(open_store(tmp_path, table, clock=clock)) as target:
        assert isinstance(target, ElasticStore)
        transport = target.access.client.transport
        assert isinstance(transport, PatientTransport)
        before, seen = transport.patience, list[float]()
        whole_copy(source, target, clock, compared=lambda part: seen.append(transport.patience))
        assert seen == [300.0] and before < 300.0
        assert transport.patience == before
        dump = target.transfer().dump("2026-11")
        next(dump)
        assert transport.patience == 300.0
        dump.close()  # type: ignore[attr-defined]
        assert transport.patience == before
