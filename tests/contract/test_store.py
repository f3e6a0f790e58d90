"""One body that every mention store must pass: random work on a store and on a plain-Python model, then compared."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from building import NOON, bin_of, mention, opinion, uid
from elastic_stores import Pool
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from store_model import ModelStore

from pipeline.analysis import exact_tokens, stem_variants
from pipeline.clock import ManualClock
from pipeline.item import Media, Published
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
from pipeline.words import Aspect, Channel, Kind, Precision, Purpose, Reading, Severity, ToneLabel, Via, Voice

RETENTION = timedelta(days=400)
Opener = Callable[[Path, ManualClock], Any]


def _sqlite(module: Any) -> Opener:
    return lambda folder, clock: SqliteStore(folder / "mentions.db", clock=clock, retention=RETENTION, sqlite=module)


@pytest.fixture(scope="module")
def pool(elastic_url: str) -> Iterator[Pool]:
    made = Pool(elastic_url)
    yield made
    made.close()


@pytest.fixture(params=["sqlite3", "pysqlite3", "elasticsearch"])
def open_engine(request: pytest.FixtureRequest) -> Opener:
    """How to open a store of each engine in a folder."""
    if request.param == "elasticsearch":
        pool: Pool = request.getfixturevalue("pool")
        return lambda folder, clock: pool.open(folder, clock, RETENTION)
    return _sqlite(pytest.importorskip(request.param))


@pytest.fixture
def effort(request: pytest.FixtureRequest) -> int:
    """How many times fewer examples are enough: a server answers a hundred times slower than a file."""
    return 6 if "elasticsearch" in request.node.name else 1


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
FACETS = ["source", "platform", "channel", "kind", "lang", "author", "domain", "story", "brand", "tone", "via", "voice"]
FACETS += ["aspect", "severity", "purpose", "topic"]
TOPICS = ["hotlin", "storung", "netz", "rechnung"]
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
        media=draw(st.sampled_from([(), (Media(kind="image", text="Foto"),), (Media(kind="video"),)])),
        views=draw(st.sampled_from([None, 0, 7])),
        verified=draw(st.sampled_from([None, True, False])),
        accepted=draw(st.sampled_from([None, True, False])),
        version=draw(st.integers(1, 2)),
        severity=draw(st.sampled_from([None, *Severity])),
        staff_threat=draw(st.booleans()),
        aspects=tuple(draw(st.lists(st.sampled_from(Aspect), unique=True, max_size=2))),
        purpose=draw(st.sampled_from([None, *Purpose])),
        topics=tuple(draw(st.lists(st.sampled_from(TOPICS), unique=True, max_size=3))),
        why=draw(st.sampled_from([(), (("preis", ("teuer", "Wucher")),)])),
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
    st.sampled_from(["image", "link", "threat", "staff_threat"]).map(lambda thing: Field("has", (thing,))),
    st.sampled_from(Aspect).map(lambda aspect: Field("aspect", (aspect.value,))),
    st.sampled_from([("none",), ("insult", "threat")]).map(lambda values: Field("severity", values)),
    st.sampled_from(Purpose).map(lambda purpose: Field("purpose", (purpose.value,))),
    st.sampled_from(TOPICS).map(lambda topic: Field("topic", (topic, "hotline"))),
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
bands = st.sets(st.integers(0, 2**64 - 1), max_size=3)
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
        _moved(self)
        self.store.close()
        self._folder.cleanup()

    @initialize(batch=st.lists(mentions(), min_size=12, max_size=14, unique_by=lambda mention: mention.uid))
    def begin(self, batch: list[Mention]) -> None:
        self.write(batch, 0)

    @rule(batch=st.lists(mentions(), min_size=1, max_size=8), pause=st.integers(0, 30))
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

    @rule(name=st.sampled_from(UIDS), bands=bands, week=st.integers(2965, 2970))
    def note_signatures(self, name: str, bands: set[int], week: int) -> None:
        if self.store.get([name]):
            self.store.note_signatures({name: sorted(bands)}, week)
            assert all(name in self.store.story_of({"x": [band]}, week)["x"] for band in bands)

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
        field=st.sampled_from(FACETS),
    )
    def facets(self, asked: Query, field: str) -> None:
        assert self.store.facets(asked, field) == self.model.facets(asked, field)

    @rule(asked=queries, background=queries, start=instants, open_end=st.booleans(), days=st.sampled_from([0, 28]))
    def terms(self, asked: Query, background: Query, start: Any, open_end: bool, days: int) -> None:
        end = None if open_end else start + timedelta(hours=1)
        found = self.store.terms(asked, background, start=start, end=end, days=days)
        assert found == self.model.terms(asked, background, start, end, days)

    @rule(window=windows, width=st.sampled_from([BIN, 3 * BIN, timedelta(hours=1)]))
    def count_opinions(self, window: Window, width: timedelta) -> None:
        store, model = self.store, self.model
        assert store.persons(window) == model.persons(window)
        assert store.persons_by_bin(window, width=width) == model.persons_by_bin(window, width)
        assert [m.uid for m in store.in_window(window)] == model.in_window(window)
        whole = Window(brand=window.brand, start=NOON - 100 * BIN, end=NOON + 20 * BIN, tone=window.tone)
        assert store.persons(whole) == model.persons(whole)
        halved = Window(brand=window.brand, start=NOON - 25 * BIN, end=NOON + 20 * BIN, tone=window.tone)
        assert store.persons(halved) == model.persons(halved)
        span = (window.brand, window.start, window.end)
        assert store.series(*span, width=width) == model.series(*span, width=width)
        day = timedelta(days=1)
        assert store.hours(window.brand, NOON - day, NOON + day) == model.hours(window.brand)
        assert store.days(window.brand, NOON - day, NOON + day) == model.days(window.brand)


def _moved(work: Work) -> None:
    """Everything into another store, in small batches of any order and some of it twice: it is the same store."""
    work.clock.advance(seconds=1)
    with tempfile.TemporaryDirectory() as folder:
        other = type(work).opener(Path(folder), work.clock)
        try:
            _move(work.store, other, random.Random(len(work.model.revisions)), 7)
            _same_parts(work.store, other)
            assert list(other.scan(EVERYTHING)) == work.model.current()
            assert [other.history(name) for name in UIDS] == [work.model.history(name) for name in UIDS]
            assert other.stories(UIDS) == work.store.stories(UIDS)
            assert other.first_stored_since(NOON) == work.store.first_stored_since(NOON)
            assert other.transfer().barred(UIDS) == work.model.erased
            assert other.check() == []
        finally:
            other.close()


def _move(store: Store, other: Store, order: random.Random, size: int) -> None:
    giver, taker = store.transfer(), other.transfer()
    for part in giver.parts():
        records = list(giver.dump(part))
        order.shuffle(records)
        records += records[: size // 2]
        for start in range(0, len(records), size):
            taker.load(records[start : start + size])


def _same_parts(store: Store, other: Store) -> None:
    giver, taker = store.transfer(), other.transfer()
    assert giver.parts() == taker.parts()
    for part in giver.parts():
        assert sorted(map(msgspec.json.encode, taker.dump(part))) == sorted(map(msgspec.json.encode, giver.dump(part)))


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


def _work(opener: Opener, examples: int, steps: int, *, thorough: bool = False) -> None:
    machine = type("Work", (Work,), {"opener": staticmethod(opener)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=set(Phase) - {Phase.shrink, Phase.explain} if not thorough else set(Phase),
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_does_what_the_model_does(open_engine: Opener, effort: int) -> None:
    _work(open_engine, 25 // effort, 20)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_does_what_the_model_does_for_long(open_engine: Opener, effort: int) -> None:
    _work(open_engine, 400 // effort, 40, thorough=True)


# --- examples: the same bodies, one meaning each ------------------------------------------------------------------


def _names(page: Any, *names: str) -> list[str]:
    known = {uid(name): name for name in names}
    return [known[found.uid] for found in page.mentions]


def test_order_is_newest_second_first_then_uid(store: Store) -> None:
    names = ["a", "b", "c", "d"]
    same = [mention(name, at=NOON + timedelta(milliseconds=n)) for n, name in enumerate(names[:3])]
    store.write([*same, mention("d", at=NOON - timedelta(seconds=1))])
    expected = [*sorted(uid(n) for n in "abc"), uid("d")]
    assert [m.uid for m in store.search(EVERYTHING).mentions] == expected
    assert [m.uid for m in store.scan(EVERYTHING)] == expected


def test_the_end_of_a_time_range_is_left_out(store: Store) -> None:
    store.write([mention("a"), mention("b", at=NOON + timedelta(minutes=1))])
    assert _names(store.search(EVERYTHING, start=NOON, end=NOON + timedelta(minutes=1)), "a", "b") == ["a"]


def test_an_excluded_tone_speaks_of_the_same_opinion(store: Store) -> None:
    mixed = (opinion("telekom", "negative"), opinion("bahn", "positive"))
    store.write([mention("a", opinions=mixed), mention("b", opinions=(opinion("bahn", "negative"),))])
    not_negative = Query(OneOpinion((("brand", ("bahn",)),), (("tone", ("negative",)),)))
    assert _names(store.search(not_negative), "a", "b") == ["a"]
    negative = Query(OneOpinion((("brand", ("bahn",)), ("tone", ("negative",)))))
    assert _names(store.search(negative), "a", "b") == ["b"]


def test_a_mention_with_two_fitting_opinions_is_one_hit(store: Store) -> None:
    both = (opinion("telekom", "negative"), opinion("bahn", "negative"))
    store.write([mention(n, opinions=(opinion(),)) for n in range(5)])
    store.write([mention("a", opinions=both)])
    earned = Query(OneOpinion((("voice", ("earned",)),)))
    assert len(store.search(earned).mentions) == store.count(earned)[0] == 6
    brands = Query(OneOpinion((("brand", ("telekom", "bahn")), ("tone", ("negative",)))))
    assert _names(store.search(brands), "a") == ["a"]


def test_the_past_is_as_it_was_known_then(store: Store, clock: ManualClock) -> None:
    first = clock.now()
    store.write([mention(text="Die Telekom war langsam.")])
    clock.advance(minutes=10)
    second = clock.now()
    store.write([mention(text="Die Telekom war schnell.", fetched=NOON + timedelta(minutes=1))])
    clock.advance(minutes=10)
    slow, fast = Query(Words((("langsam",),))), Query(Words((("schnell",),)))
    before, just, at = second - timedelta(microseconds=1), first - timedelta(microseconds=1), second
    assert [store.count(slow, as_of=t)[0] for t in (just, first, before, at)] == [0, 1, 1, 0]
    assert [store.count(fast, as_of=t)[0] for t in (just, first, before, at)] == [0, 0, 0, 1]
    assert store.get([uid("one")], as_of=before)[uid("one")].revision == 1
    assert store.get([uid("one")], as_of=at)[uid("one")].revision == 2


def test_the_past_ends_ten_seconds_ago(store: Store, clock: ManualClock) -> None:
    store.write([mention()])
    assert store.count(EVERYTHING, as_of=clock.now()) == (0, 0)
    clock.advance(seconds=10)
    assert store.count(EVERYTHING, as_of=clock.now() + timedelta(days=1)) == (1, 1)


def test_historic_mentions_are_drawn_and_alarm_nobody(store: Store) -> None:
    store.write([mention("a", historic=True), mention("b", author="b" * 32)])
    window = Window(brand="telekom", start=NOON, end=NOON + BIN)
    assert (store.persons(window).persons, len(store.in_window(window))) == (1, 1)
    assert store.persons_by_bin(window, width=BIN) == {NOON: 2}
    assert store.series("telekom", NOON, NOON + BIN)[0].posts == 2


def test_first_time_looks_back_four_weeks(store: Store) -> None:
    old = [mention(days, at=NOON - timedelta(days=days), author=str(days) * 16) for days in (27, 29)]
    store.write([*old, mention("a", author="27" * 16), mention("b", author="29" * 16)])
    found = store.persons(Window(brand="telekom", start=NOON, end=NOON + BIN))
    assert (found.persons, found.first_time) == (2, 1)


def test_nameless_authors_are_one_person_per_story(store: Store) -> None:
    copies = [mention(n, author=None, story=uid("s"), opinions=(opinion(),)) for n in ("s", "t", "u")]
    store.write([*copies, mention("v", author=None)])
    window = Window(brand="telekom", start=NOON, end=NOON + BIN)
    assert (store.persons(window).persons, store.persons(window).without_author) == (2, 2)
    store.join_stories(uid("s"), uid("v"))
    assert store.persons(window).persons == 1
    assert store.count(EVERYTHING) == (4, 1)
    assert {m.uid for m in store.story_members(uid("v"))} == {uid(n) for n in "stuv"}
    assert store.count(Query(Field("story", (uid("v"),)))) == (4, 1)


def test_a_story_is_found_by_each_of_its_ids(store: Store, clock: ManualClock) -> None:
    told = {"first": None, "copy": uid("first"), "other": None, "another": uid("other"), "alone": None}
    store.write([mention(name, story=story) for name, story in told.items()])
    clock.advance(minutes=1)
    before = clock.now()
    clock.advance(minutes=1)
    store.write([mention("copy", text="Die Telekom schweigt.", story=uid("first"), fetched=NOON + BIN)])
    clock.advance(minutes=1)
    asked = {name: Query(Field("story", (uid(name),))) for name in told}
    assert [store.count(query)[0] for query in asked.values()] == [2, 0, 2, 0, 1]
    store.join_stories(uid("first"), uid("other"))
    assert [store.count(query)[0] for query in asked.values()] == [4, 0, 4, 0, 1]
    assert [store.count(query, as_of=before)[0] for query in asked.values()] == [4, 0, 4, 0, 1]
    assert store.count(Query(Not(asked["other"].root)))[0] == 1
    assert [facet.posts for facet in store.facets(EVERYTHING, "story")] == [4, 1]


def test_a_term_is_told_by_persons_against_the_weeks_before(store: Store) -> None:
    """Five persons say what nobody said before; one person says much; what everybody always says is no news."""
    early = [
        mention(f"e{n}", at=NOON - timedelta(days=3, minutes=n), author=f"{n:032x}", topics=("netz",)) for n in range(9)
    ]
    late = [mention(f"l{n}", at=NOON, author=f"{n:032x}", topics=("netz", "ticket")) for n in range(5)]
    loud = [mention(f"x{n}", at=NOON, author="f" * 32, topics=("schloss",)) for n in range(7)]
    older = mention("older", at=NOON - timedelta(days=40), author="e" * 32, topics=("ticket",))
    store.write([*early, *late, *loud, older])
    [ticket] = store.terms(EVERYTHING, EVERYTHING, start=NOON - timedelta(hours=1))
    assert (ticket.value, ticket.persons, ticket.before, ticket.new) == ("ticket", 5, 0, True)
    assert ticket.significance == pytest.approx(14.468, abs=0.001)
    [wider, netz] = store.terms(EVERYTHING, EVERYTHING, start=NOON - timedelta(hours=1), days=60)
    assert (wider.value, wider.before, wider.new) == ("ticket", 1, False)
    assert (netz.value, netz.before) == ("netz", 9)
    assert netz.significance < 0.1
    assert store.terms(EVERYTHING, EVERYTHING, start=NOON - timedelta(days=60), end=NOON - timedelta(days=20)) == []


def test_what_was_deleted_keeps_its_labels_and_loses_its_words(store: Store) -> None:
    labels = {"severity": Severity.INSULT, "aspects": (Aspect.PREIS,), "purpose": Purpose.COMPLAINT}
    store.write([mention(**labels, topics=("wucher",), why=(("preis", ("Wucher",)),))])
    store.delete_at_source(uid("one"), NOON + timedelta(hours=1))
    bare = store.get([uid("one")])[uid("one")].analysis
    assert {name: getattr(bare, name) for name in labels} == labels
    assert (bare.topics, bare.why) == ((), ())
    assert store.facets(EVERYTHING, "topic") == []


def test_the_same_batch_twice_revises_nothing(store: Store) -> None:
    batch = [mention(n, at=NOON - timedelta(minutes=n)) for n in range(50)]
    assert len(store.write(batch).created) == 50
    again = store.write(batch)
    assert (again.created, again.revised, len(again.unchanged)) == ((), (), 50)


def test_a_replay_of_the_erased_is_refused(store: Store) -> None:
    store.write([mention("a"), mention("b", author="b" * 32)])
    assert store.written_by("a" * 32) == [uid("a")]
    assert store.erase_author("a" * 32, "asked for") == [uid("a")]
    assert store.write([mention("a")]).refused == ((uid("a"), "erased"),)
    assert store.history(uid("a")) == []
    assert _names(store.search(EVERYTHING), "b") == ["b"]


def test_what_is_older_than_the_retention_is_refused(store: Store, clock: ManualClock) -> None:
    old = mention("a", at=clock.now() - RETENTION - timedelta(seconds=1))
    assert store.write([old]).refused == ((uid("a"), "older than the retention"),)


def test_bands_are_found_in_this_week_and_the_last(store: Store) -> None:
    store.write([mention("a"), mention("b")])
    store.note_signatures({uid("a"): [1, 2**64 - 1], uid("b"): [3]}, 10)
    wanted = {"x": [2**64 - 1, 7], "y": [3, 1], uid("a"): [1]}
    both = sorted([uid("a"), uid("b")])
    assert store.story_of(wanted, 10) == {"x": [uid("a")], "y": both, uid("a"): []}
    assert store.story_of(wanted, 11)["y"] == both
    assert store.story_of(wanted, 12)["y"] == []


def test_first_stored_since_knows_the_first_revision(store: Store, clock: ManualClock) -> None:
    store.write([mention("a")])
    clock.advance(minutes=1)
    moment = clock.now()
    store.write([mention("b"), mention("a", text="anders", fetched=NOON + BIN)])
    assert [m.uid for m in store.first_stored_since(moment)] == [uid("b")]
    assert len(store.first_stored_since(moment - BIN)) == 2
    brand = mention("b").analysis.opinions[0].brand
    assert [m.uid for m in store.first_stored_since(moment, brand=brand)] == [uid("b")]
    assert store.first_stored_since(moment - BIN, brand="nobody") == []


def test_written_since_knows_every_revision(store: Store, clock: ManualClock) -> None:
    store.write([mention("a"), mention("b"), mention("c")])
    clock.advance(minutes=1)
    moment = clock.now()
    store.write([mention("b"), mention("a", text="anders", fetched=NOON + BIN), mention("d")])
    assert {(m.uid, m.revision) for m in store.written_since(moment)} == {(uid("a"), 2), (uid("d"), 1)}
    assert len(store.written_since(moment - BIN)) == 4
    assert len(store.written_since(moment - BIN, limit=3)) == 3
    clock.advance(minutes=1)
    assert store.written_since(clock.now()) == []
    store.delete_at_source(uid("c"), clock.now())
    assert {(m.uid, m.revision) for m in store.written_since(clock.now())} == {(uid("c"), 2)}


def test_a_backup_is_a_store_of_its_own(open_engine: Opener, store: Store, tmp_path: Path, clock: ManualClock) -> None:
    store.write([mention("a"), mention("b")])
    folder = tmp_path / "copy"
    folder.mkdir()
    store.backup(folder / "mentions.db")
    store.erase([uid("a")], "later")
    copy = open_engine(folder, clock)
    assert copy.count(EVERYTHING) == (2, 1)
    assert copy.check() == []
    copy.close()


def test_a_strange_cursor_is_an_error(store: Store) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        store.search(EVERYTHING, after="'; DROP TABLE mention")


def test_pages_stay_put_while_others_write(store: Store) -> None:
    store.write([mention(n, at=NOON - timedelta(minutes=n)) for n in range(6)])
    first = store.search(EVERYTHING, limit=3)
    store.write([mention("new", at=NOON + timedelta(minutes=1))])
    second = store.search(EVERYTHING, limit=3, after=first.after)
    assert [m.uid for m in (*first.mentions, *second.mentions)] == [uid(n) for n in range(6)]
    assert second.after is None
