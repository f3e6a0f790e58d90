"""One body that every mention store must pass: random work on a store and on a plain-Python model, then compared."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from building import NOON, bin_of, mention, opinion, uid
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from store_model import ModelStore

from pipeline.analysis import exact_tokens, stem_variants
from pipeline.clock import ManualClock
from pipeline.item import Published
from pipeline.mention import Correction, Mention
from pipeline.query.tree import (
    EVERYTHING,
    All,
    Everything,
    Field,
    Node,
    Not,
    OneOpinion,
    Query,
    Range,
    Some,
    ThreadWords,
    Uids,
    Words,
)
from pipeline.store.protocol import BIN, Store, Window
from pipeline.store.sqlite.store import SqliteStore
from pipeline.words import Channel, Kind, Precision, Reading, ToneLabel, Via, Voice

RETENTION = timedelta(days=400)
Opener = Callable[[Path, ManualClock], Any]


def _sqlite(module: Any) -> Opener:
    return lambda folder, clock: SqliteStore(folder / "mentions.db", clock=clock, retention=RETENTION, sqlite=module)


@pytest.fixture(params=["sqlite3", "pysqlite3"])
def open_engine(request: pytest.FixtureRequest) -> Opener:
    """How to open a store of each engine in a folder."""
    return _sqlite(pytest.importorskip(request.param))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON + timedelta(hours=6))


@pytest.fixture
def store(open_engine: Opener, tmp_path: Path, clock: ManualClock) -> Iterator[Store]:
    opened = open_engine(tmp_path, clock)
    yield opened
    opened.close()


# --- what is written and asked ------------------------------------------------------------------------------------

NAMES = [f"m{number}" for number in range(14)]
UIDS = [uid(name) for name in NAMES]
SOURCES, BRANDS, AUTHORS = ["forum", "tele-news", "rss_1"], ["telekom", "1und1"], ["a" * 32, "b" * 32, "c" * 32]
TEXTS = [
    "Seit heute früh ist das Netz der Telekom gestört.",
    "Die Störung im Netz dauert an, die Hotline schweigt.",
    "Störungen überall! Siehe https://netz.example/karte",
    "The network is down again and support keeps promising.",
    "Großes Lob an die Hotline.",
    "",
]
WORDS = ["netz", "störung", "Stoerungen", "hotline", "networks", "promise", "telekom", "die", "lob", "schweigt"]
PHRASES = ["Störung im Netz", "das Netz", "Hotline schweigt", "network is down", "Lob telekom"]
THREADS = ["", "Störung im Netz seit heute", "Kündigung und Hotline"]
instants = st.integers(0, 40).map(lambda n: NOON - n * timedelta(minutes=7, seconds=n % 3))


@st.composite
def mentions(draw: st.DrawFn) -> Mention:
    """A reading of one of a few mentions; all fields vary, so that any of them may change on a second reading."""
    at = draw(instants)
    source = draw(st.sampled_from(SOURCES))
    opinions = [
        opinion(
            brand,
            draw(st.sampled_from([*ToneLabel, None])),
            voice=draw(st.sampled_from([Voice.EARNED, Voice.EARNED, Voice.OWNED])),
            via=draw(st.sampled_from([Via.NAME, Via.THREAD])),
        )
        for brand in draw(st.lists(st.sampled_from(BRANDS), unique=True, min_size=1))
    ]
    name = draw(st.sampled_from(NAMES))
    return mention(
        name,
        at=at,
        title=draw(st.sampled_from(["", "Telekom"])),
        text=draw(st.sampled_from(TEXTS)),
        source=source,
        reading=draw(st.sampled_from([Reading.FULL, Reading.FULL, Reading.SNIPPET])),
        fetched=at + timedelta(minutes=draw(st.integers(0, 9))),
        author=draw(st.sampled_from([*AUTHORS, None])),
        channel=draw(st.sampled_from([Channel.FORUM, Channel.NEWS])),
        kind=draw(st.sampled_from([Kind.POST, Kind.POST, Kind.RESULT])),
        lang=draw(st.sampled_from(["de", "en", None])),
        thread_title=draw(st.sampled_from(THREADS)),
        rating=draw(st.sampled_from([None, 0.0, 0.25, 1.0])),
        images=draw(st.integers(0, 1)),
        version=draw(st.integers(1, 2)),
        opinions=tuple(opinions),
        published=Published(at=at, precision=draw(st.sampled_from(Precision))),
        fed_bin=bin_of(at + draw(st.sampled_from([timedelta(), timedelta(minutes=30)]))),
        story=draw(st.sampled_from([None, None, UIDS[0], UIDS[1]])),
        is_copy=draw(st.booleans()),
        historic=draw(st.sampled_from([False, False, True])),
        late=draw(st.booleans()),
        corrections=tuple(draw(st.lists(corrections, max_size=1))),
    )


corrections = st.builds(
    Correction,
    tone=st.sampled_from(ToneLabel),
    at=instants,
    by=st.just("anna"),
    brand=st.sampled_from([None, "telekom"]),
)
words = st.sampled_from(WORDS).map(lambda word: Words(stem_variants(word)))
leaves: st.SearchStrategy[Node] = st.one_of(
    words,
    st.sampled_from(WORDS).map(lambda word: Words((tuple(exact_tokens(word)),), "exact")),
    st.sampled_from(WORDS).map(lambda word: Words((tuple(exact_tokens(word[:3])),), "exact", True)),
    st.sampled_from(PHRASES).map(lambda phrase: Words(stem_variants(phrase))),
    st.sampled_from(["Störung", "im Netz", "und hotline", "netz im"]).map(
        lambda t: ThreadWords(tuple(exact_tokens(t)))
    ),
    st.sampled_from(SOURCES).map(lambda source: Field("source", (source,))),
    st.sampled_from([("de",), ("en", "none")]).map(lambda langs: Field("lang", langs)),
    st.sampled_from(AUTHORS).map(lambda author: Field("author", (author,))),
    st.sampled_from(["forum", "news"]).map(lambda channel: Field("channel", (channel,))),
    st.sampled_from(["post", "result"]).map(lambda kind: Field("kind", (kind,))),
    st.sampled_from(["copy", "historic", "late", "corrected", "deleted"]).map(lambda flag: Field("is", (flag,))),
    st.sampled_from(["image", "link"]).map(lambda thing: Field("has", (thing,))),
    st.builds(Range, st.just("rating"), st.sampled_from([None, 0.1]), st.sampled_from([None, 0.3]), st.booleans()),
    st.builds(Range, st.sampled_from(["seen", "published"]), instants, st.none(), st.booleans(), st.booleans()),
    st.sets(st.sampled_from(UIDS), max_size=5).map(lambda uids: Uids(frozenset(uids))),
    st.builds(
        OneOpinion,
        st.lists(
            st.one_of(
                st.sampled_from(BRANDS).map(lambda brand: ("brand", (brand,))),
                st.sampled_from([*ToneLabel, "none"]).map(lambda tone: ("tone", (str(tone),))),
                st.sampled_from(["earned", "owned"]).map(lambda voice: ("voice", (voice,))),
                st.sampled_from(["true", "false"]).map(lambda counted: ("counted", (counted,))),
            ),
            min_size=1,
            max_size=2,
            unique_by=lambda condition: condition[0],
        ).map(tuple),
        st.sampled_from([(), (("tone", ("negative",)),), (("via", ("thread",)),)]),
    ),
    st.just(Everything()),
)


def _grow(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    parts = st.lists(nodes, min_size=1, max_size=3).map(tuple)
    return st.one_of(parts.map(All), parts.map(Some), nodes.map(Not))


queries = st.recursive(leaves, _grow, max_leaves=5).map(lambda root: Query(root))
windows = st.builds(
    lambda brand, start, length, tone, sources: Window(
        brand=brand, start=bin_of(start), end=bin_of(start) + length * BIN, tone=tone, sources=sources
    ),
    st.sampled_from(BRANDS),
    instants,
    st.integers(1, 40),
    st.sampled_from([None, *ToneLabel]),
    st.sampled_from([None, ("forum",), ("rss_1", "tele-news")]),
)


class Work(RuleBasedStateMachine):
    """Does the same to both and asks both the same."""

    opener: Opener

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.clock = ManualClock(NOON + timedelta(hours=6))
        self.store = type(self).opener(Path(self._folder.name), self.clock)
        self.model = ModelStore(self.clock, RETENTION)

    def teardown(self) -> None:
        assert self.store.check() == []
        self.store.close()
        self._folder.cleanup()

    @rule(batch=st.lists(mentions(), min_size=1, max_size=12), pause=st.integers(0, 30))
    def write(self, batch: list[Mention], pause: int) -> None:
        self.clock.advance(seconds=pause)
        written, expected = self.store.write(batch), self.model.write(batch)
        assert written == expected
        everything = self.store.search(EVERYTHING, limit=100)
        assert list(everything.mentions) == self.model.current()

    @rule(name=st.sampled_from(UIDS), at=instants, ahead=st.booleans())
    def delete_at_source(self, name: str, at: Any, ahead: bool) -> None:
        at = at + timedelta(hours=1) if ahead else at
        assert self.store.delete_at_source(name, at) == self.model.delete_at_source(name, at)
        assert self.store.history(name) == self.model.history(name)

    @rule(uids=st.sets(st.sampled_from(UIDS), min_size=1, max_size=2))
    def erase(self, uids: set[str]) -> None:
        assert self.store.erase(sorted(uids), "asked for") == self.model.erase(sorted(uids))

    @rule(author=st.sampled_from(AUTHORS))
    def erase_author(self, author: str) -> None:
        assert self.store.erase_author(author, "asked for") == self.model.erase_author(author)

    @rule(before=instants)
    def purge(self, before: Any) -> None:
        before = before - timedelta(hours=3)
        assert self.store.purge(before) == self.model.purge(before)

    @rule(older=st.sampled_from(UIDS[:4]), newer=st.sampled_from(UIDS[:4]))
    def join_stories(self, older: str, newer: str) -> None:
        self.store.join_stories(older, newer)
        self.model.join_stories(older, newer)
        assert [m.uid for m in self.store.story_members(newer)] == self.model.story_members(newer)
        known = self.store.stories(UIDS)
        assert known == {m.uid: self.model.story(m) for m in self.model.current()}

    @rule(asked=st.lists(queries, min_size=4, max_size=8), start=instants, size=st.integers(1, 4))
    def search(self, asked: list[Query], start: Any, size: int) -> None:
        for query in asked:
            end = start + timedelta(hours=2)
            assert list(self.store.scan(query)) == self.model.hits(query)
            assert _paged(self.store, query, size) == self.model.hits(query)
            inside = self.store.search(query, start=start, end=end, limit=100)
            assert list(inside.mentions) == self.model.hits(query, start, end)
            assert self.store.count(query) == self.model.count(query)

    @rule(asked=queries, back=st.integers(0, 90), size=st.integers(1, 4))
    def search_the_past(self, asked: Query, back: int, size: int) -> None:
        at = self.clock.now() - timedelta(seconds=back)
        assert _paged(self.store, asked, size, as_of=at) == self.model.hits(asked, as_of=at)
        assert self.store.count(asked, as_of=at) == self.model.count(asked, as_of=at)
        assert self.store.get(UIDS, as_of=at) == self.model.get(UIDS, as_of=at)

    @rule(
        asked=queries,
        field=st.sampled_from(["source", "platform", "channel", "kind", "lang", "author", "domain", "brand", "tone"]),
    )
    def facets(self, asked: Query, field: str) -> None:
        assert self.store.facets(asked, field) == self.model.facets(asked, field)

    @rule(window=windows, width=st.sampled_from([BIN, 3 * BIN, timedelta(hours=1)]))
    def count_opinions(self, window: Window, width: timedelta) -> None:
        store, model = self.store, self.model
        assert store.persons(window) == model.persons(window)
        assert store.persons_by_bin(window, width=width) == model.persons_by_bin(window, width)
        assert [m.uid for m in store.in_window(window)] == model.in_window(window)
        span = (window.brand, window.start, window.end)
        assert store.series(*span, width=width) == model.series(*span, width=width)
        day = timedelta(days=1)
        assert store.hours(window.brand, NOON - day, NOON + day) == model.hours(window.brand)
        assert store.days(window.brand, NOON - day, NOON + day) == model.days(window.brand)


def _paged(store: Store, query: Query, size: int, **over: Any) -> list[Mention]:
    found: list[Mention] = []
    after: str | None = None
    while True:
        page = store.search(query, limit=size, after=after, **over)
        found += page.mentions
        after = page.after
        if after is None:
            return found
        assert len(page.mentions) == size


def _work(opener: Opener, examples: int, steps: int) -> None:
    machine = type("Work", (Work,), {"opener": staticmethod(opener)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_does_what_the_model_does(open_engine: Opener) -> None:
    _work(open_engine, 12, 12)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_does_what_the_model_does_for_long(open_engine: Opener) -> None:
    _work(open_engine, 400, 40)
