"""The two stores, given the same mentions, give the same answers: every search, every count, every moment of the past.

The random searches are sentences of the language, made from fixed seeds; a failure prints the sentence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
from elastic import remove_indices
from elasticsearch import Elasticsearch
from random_mentions import Asker, World, populate

from pipeline.clock import ManualClock
from pipeline.mention import Mention
from pipeline.query.tree import EVERYTHING, Query
from pipeline.store.elastic import asking, counting, faceting, reading
from pipeline.store.elastic.store import ElasticStore
from pipeline.store.protocol import BIN, Store, Window
from pipeline.store.sqlite.store import SqliteStore

SEED = 20261122
QUERIES = 2_000
RETENTION = timedelta(days=400)
FACETS = ("source", "platform", "channel", "kind", "lang", "author", "domain", "thread", "story")
FACETS += ("aspect", "severity", "purpose", "topic")
OPINION_FACETS = ("brand", "tone", "via", "voice")


@dataclass(frozen=True)
class Pair:
    """Both stores and what was done to them."""

    sqlite: SqliteStore
    elastic: ElasticStore
    world: World

    def asker(self, number: int) -> Asker:
        """Searches from a seed of their own, printed where a test fails."""
        seed = SEED + number
        print(f"seed {seed}")
        return Asker(Random(seed), self.world)


@pytest.fixture(scope="module")
def pair(elastic_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    clock = ManualClock(datetime(2026, 11, 22, 9, 0, tzinfo=UTC))
    prefix = "t" + "".join(Random().choices("0123456789abcdef", k=12))
    folder: Path = tmp_path_factory.mktemp("two")
    sqlite = SqliteStore(folder / "mentions.db", clock=clock, retention=RETENTION, limit=60)
    client = Elasticsearch(elastic_url, request_timeout=60)
    elastic = ElasticStore(client, prefix, clock=clock, retention=RETENTION, limit=60)
    world = World(clock)
    print(f"seed {SEED}")
    populate([sqlite, elastic], Random(SEED), world)
    clock.advance(minutes=1)
    yield Pair(sqlite, elastic, world)
    sqlite.close()
    with Elasticsearch(elastic_url, request_timeout=60) as cleaner:
        remove_indices(cleaner, prefix)
    elastic.close()


def _pages(store: Store, query: Query, size: int, span: tuple[datetime | None, datetime | None]) -> list[Mention]:
    found: list[Mention] = []
    after: str | None = None
    while True:
        page = store.search(query, start=span[0], end=span[1], limit=size, after=after)
        found += page.mentions
        after = page.after
        if after is None:
            return found
        assert len(page.mentions) == size


@pytest.mark.timeout(600)
def test_both_hold_the_same(pair: Pair) -> None:
    ours, theirs = list(pair.sqlite.scan(EVERYTHING)), list(pair.elastic.scan(EVERYTHING))
    assert theirs == ours
    assert len(ours) > 350
    assert len({f"{m.event_time:%Y-%m}" for m in ours}) >= 5
    revised = [m for m in ours if m.revision > 1]
    assert len(revised) > 100
    for mention in pair.world.given:
        assert pair.elastic.history(mention.uid) == pair.sqlite.history(mention.uid)
    assert pair.elastic.get(pair.world.uids) == pair.sqlite.get(pair.world.uids)
    assert pair.elastic.check() == []


@pytest.mark.timeout(600)
def test_every_search_finds_the_same_in_the_same_order(pair: Pair) -> None:
    asker, everything = pair.asker(1), pair.sqlite.count(EVERYTHING)[0]
    outcomes: Counter[str] = Counter()
    for number in range(QUERIES):
        query, span = asker.query(), asker.span()
        ours = _pages(pair.sqlite, query, 500, span)
        size = asker.random.choice((1_000, 1_000, max(7, len(ours) // 3)))
        theirs = _pages(pair.elastic, query, size, span)
        assert [m.uid for m in theirs] == [m.uid for m in ours], (query.text, span)
        assert theirs == ours, (query.text, span)
        if number % 2:
            counts = [store.count(query, start=span[0], end=span[1]) for store in (pair.sqlite, pair.elastic)]
            assert counts[1] == counts[0], (query.text, span)
            assert counts[0][0] == len(ours), (query.text, span)
        if asker.random.random() < 0.05:
            assert list(pair.elastic.scan(query, start=span[0], end=span[1])) == ours, (query.text, span)
        outcomes["past"] += query.as_of is not None
        outcomes["some" if 0 < len(ours) < everything else "none or all"] += 1
    print(dict(outcomes))
    assert outcomes["some"] + outcomes["none or all"] == QUERIES
    assert outcomes["some"] * 2 >= QUERIES
    assert outcomes["past"] >= QUERIES // 20


def test_every_facet_is_the_same(pair: Pair) -> None:
    asker, filled = pair.asker(2), 0
    for number in range(200):
        query, span = asker.query(), asker.span()
        field = (*FACETS, *OPINION_FACETS)[number % 17]
        over = {"start": span[0], "end": span[1], "limit": asker.random.choice((1, 3, 20, 200))}
        ours, theirs = (store.facets(query, field, **over) for store in (pair.sqlite, pair.elastic))
        assert theirs == ours, (query.text, field, over)
        filled += len(ours) > 1
    assert filled > 60


def test_every_term_is_the_same(pair: Pair) -> None:
    asker, filled = pair.asker(6), 0
    for _ in range(60):
        query, background = asker.query(), asker.query()
        over = {"start": asker.window().start, "days": asker.random.choice((7, 28, 90))}
        ours, theirs = (store.terms(query, background, **over) for store in (pair.sqlite, pair.elastic))
        assert theirs == ours, (query.text, background.text, over)
        filled += bool(ours)
    assert filled > 10


def test_every_window_counts_the_same(pair: Pair) -> None:
    asker, filled = pair.asker(3), Counter[str]()
    for _ in range(150):
        window = asker.window()
        width = asker.random.choice((BIN, 3 * BIN, timedelta(hours=1), timedelta(days=1), timedelta(minutes=7)))
        answers = [_counted(store, window, width) for store in (pair.sqlite, pair.elastic)]
        for name, ours in answers[0].items():
            assert answers[1][name] == ours, (name, window, width)
            filled[name] += bool(ours)
        assert answers[0]["posts"] == len(answers[0]["in_window"])
    print(dict(filled))
    assert min(filled.values()) > 40


def _counted(store: SqliteStore | ElasticStore, window: Window, width: timedelta) -> dict[str, object]:
    span = (window.brand, window.start, window.end)
    persons = store.persons(window)
    return {
        "persons": persons.persons and persons,
        "posts": persons.posts,
        "by_bin": store.persons_by_bin(window, width=width),
        "in_window": store.in_window(window),
        "the oldest": store.in_window(window, limit=2),
        "series": store.series(*span, width=width),
        "hours": store.hours(*span),
        "days": store.days(*span),
    }


def test_answers_in_many_pieces_are_the_same(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that only large stores reach, made so small that answers take several requests or are estimates.

    Estimates of the few hundred persons here are exact.
    """
    monkeypatch.setattr(asking, "COMPOSITE", 3)
    monkeypatch.setattr(counting, "EXACT_ROWS", 30)
    monkeypatch.setattr(faceting, "SHARD_SIZES", (1, 4, 1_000))
    monkeypatch.setattr(faceting, "_TOGETHER", 6)
    for module in (reading, counting):
        monkeypatch.setattr(module, "PAGE", 9)
    for module in (asking, faceting, reading, counting):
        monkeypatch.setattr(module, "EXACT_PERSONS", 5)
    asker = pair.asker(5)
    for number in range(51):
        query, span = asker.query(), asker.span()
        over = {"start": span[0], "end": span[1]}
        assert list(pair.elastic.scan(query, **over)) == list(pair.sqlite.scan(query, **over)), (query.text, span)
        searched = [store.search(query, limit=50, **over).mentions for store in (pair.sqlite, pair.elastic)]
        assert searched[1] == searched[0], (query.text, span)
        assert pair.elastic.count(query, **over) == pair.sqlite.count(query, **over), (query.text, span)
        field = (*FACETS, *OPINION_FACETS)[number % 17]
        assert pair.elastic.facets(query, field, **over) == pair.sqlite.facets(query, field, **over), (query.text, span)
        window = asker.window()
        if number % 4 == 0:
            narrow = Window(brand=window.brand, start=window.end - 288 * 20 * BIN, end=window.end, tone=window.tone)
            counted = [_counted(store, narrow, timedelta(days=1)) for store in (pair.sqlite, pair.elastic)]
            assert counted[1] == counted[0], narrow


def test_the_past_is_the_same(pair: Pair) -> None:
    asker, differing = pair.asker(4), 0
    now = pair.elastic.get(pair.world.uids)
    for _ in range(60):
        at = asker.moment()
        ours, theirs = (store.get(pair.world.uids, as_of=at) for store in (pair.sqlite, pair.elastic))
        assert theirs == ours, at
        differing += ours != now
        known = (store.first_stored_since(at, limit=50) for store in (pair.sqlite, pair.elastic))
        first, second = known
        assert second == first, at
    assert differing > 40


def test_stories_have_the_same_members(pair: Pair) -> None:
    known = pair.sqlite.stories(pair.world.uids)
    assert pair.elastic.stories(pair.world.uids) == known
    sizes = []
    for story in sorted(set(known.values())):
        members = pair.sqlite.story_members(story)
        assert pair.elastic.story_members(story) == members
        sizes.append(len(members))
    assert max(sizes) > 3
