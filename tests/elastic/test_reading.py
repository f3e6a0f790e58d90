"""Reading from a real server where it is not straightforward: halves of writes, copies, limits, wide searches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from building import NOON, mention, opinion, uid
from elastic_stores import Pool, Pooled

from pipeline.clock import ManualClock
from pipeline.mention import Mention
from pipeline.query.evaluate import matches
from pipeline.query.tree import EVERYTHING, All, Field, Node, Not, OneOpinion, Query, Some, Uids, Words
from pipeline.store.elastic import asking, faceting
from pipeline.store.elastic.access import Access
from pipeline.store.elastic.documents import document
from pipeline.store.elastic.names import history_id
from pipeline.store.elastic.reading import cursor
from pipeline.store.measures import micros
from pipeline.store.protocol import QueryTimeout, StoreError

SLOW, FAST = Query(Words((("langsam",),), "exact")), Query(Words((("schnell",),), "exact"))


@pytest.fixture(scope="module")
def pool(elastic_url: str) -> Iterator[Pool]:
    made = Pool(elastic_url)
    yield made
    made.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON + timedelta(hours=6))


@pytest.fixture
def store(pool: Pool, tmp_path: Path, clock: ManualClock) -> Iterator[Pooled]:
    opened = pool.open(tmp_path, clock)
    yield opened
    opened.close()


# --- what a dying or a losing writer leaves -----------------------------------------------------------------------


def _three_revisions(store: Pooled, clock: ManualClock) -> list[Mention]:
    """One mention whose second revision alone is fast, each revision a minute long."""
    for number, word in enumerate(("langsam", "schnell", "langsam")):
        text = f"Die Telekom war {word}."
        store.write([mention(text=text, fetched=NOON + timedelta(minutes=number), author=None)])
        clock.advance(minutes=1)
    return [revision.mention for revision in store.history(uid("one"))]


def _answers(store: Pooled, clock: ManualClock) -> list[Any]:
    """All that depends on the history, at moments before, in and after each revision."""
    moments = [NOON + timedelta(hours=6, seconds=30 * half - 30) for half in range(7)]
    searches = [(store.search(q, as_of=t).mentions, store.count(q, as_of=t)) for t in moments for q in (SLOW, FAST)]
    return [store.history(uid("one")), searches, [store.get([uid("one")], as_of=t) for t in moments]]


def _open_again(store: Pooled, revision: int) -> None:
    """As if the writer had died before he closed the row."""
    names, client = store.access.names, store.access.client
    place = {"index": names.history_of("2026.11"), "id": history_id(uid("one"), revision)}
    row = client.get(**place)["_source"]
    assert row["known_to_us"] > row["known_us"]
    kept = next(found.mention for found in store.history(uid("one")) if found.mention.revision == revision)
    client.index(**place, document=document(kept, row["story"], row["first_known_us"]), refresh=True)


def test_a_row_that_was_never_closed_ends_where_the_next_revision_begins(store: Pooled, clock: ManualClock) -> None:
    assert [m.revision for m in _three_revisions(store, clock)] == [1, 2, 3]
    clock.advance(minutes=1)
    before = _answers(store, clock)
    slow = [len(page) for page, _ in before[1][::2]]
    fast = [len(page) for page, _ in before[1][1::2]]
    assert (slow, fast) == ([0, 1, 1, 0, 0, 1, 1], [0, 0, 0, 1, 1, 0, 0])
    for revision in (1, 2):  # first the oldest, which a closed row follows; then that one too
        _open_again(store, revision)
        assert _answers(store, clock) == before


def test_a_row_of_what_is_still_current_is_no_revision(store: Pooled, clock: ManualClock) -> None:
    current = _three_revisions(store, clock)[-1]
    clock.advance(minutes=1)
    before = _answers(store, clock)
    row = document(current, current.uid, micros(NOON))
    index = store.access.names.history_of("2026.11")
    store.access.client.index(index=index, id=history_id(current.uid, 3), document=row, refresh=True)
    assert _answers(store, clock) == before


def test_pages_of_the_past_are_full_though_rows_drop_out(store: Pooled, clock: ManualClock) -> None:
    names = [f"m{number}" for number in range(9)]
    at = {name: NOON - timedelta(minutes=number) for number, name in enumerate(names)}
    store.write([mention(name, at=at[name]) for name in names])
    clock.advance(minutes=1)
    moment = clock.now()
    clock.advance(minutes=1)
    store.write([mention(n, at=at[n], text="Die Telekom schweigt.", fetched=at[n] + timedelta(1)) for n in names[::2]])
    clock.advance(minutes=1)
    for name in names[1::2]:
        current = store.get([uid(name)])[uid(name)]
        place = {"index": store.access.names.history_of("2026.11"), "id": history_id(uid(name), 1)}
        store.access.client.index(**place, document=document(current, uid(name), micros(NOON)), refresh=True)
    seen: list[str] = []
    after: str | None = None
    while True:
        page = store.search(EVERYTHING, limit=2, after=after, as_of=moment)
        seen += [m.uid for m in page.mentions]
        after = page.after
        if after is None:
            break
        assert len(page.mentions) == 2
    assert seen == [uid(name) for name in names]
    assert store.count(EVERYTHING, as_of=moment) == (9, 1)


def test_a_page_of_the_past_may_end_between_two_rows_of_one_mention(store: Pooled, clock: ManualClock) -> None:
    _three_revisions(store, clock)
    moment = clock.now() - timedelta(seconds=30)  # the third revision was known
    store.write([mention(text="Die Telekom schweigt.", fetched=NOON + timedelta(minutes=3), author=None)])
    clock.advance(minutes=1)
    for revision in (1, 2):
        _open_again(store, revision)
    place = {"index": store.access.names.history_of("2026.11"), "id": history_id(uid("one"), 3)}
    closed = store.access.client.get(**place)["_source"]
    store.access.client.index(**place, document=closed, refresh=True)  # as the last of the rows on the disk
    page = store.search(EVERYTHING, limit=1, as_of=moment)  # rows are read by two: the third is alone
    assert ([m.revision for m in page.mentions], page.after) == ([3], None)
    assert store.search(EVERYTHING, limit=1, after=cursor(page.mentions[0]), as_of=moment).mentions == ()


def test_of_two_copies_one_is_read(store: Pooled) -> None:
    store.write([mention(n, at=NOON - timedelta(minutes=n)) for n in range(3)])
    known = store.get([uid(1)])[uid(1)]
    names, client = store.access.names, store.access.client
    client.indices.create(index=names.mentions_of("2026.10"), error_trace=False)
    client.index(index=names.mentions_of("2026.10"), id=known.uid, document=document(known, known.uid, 0), refresh=True)
    expected = [uid(n) for n in range(3)]
    assert [m.uid for m in store.search(EVERYTHING).mentions] == expected
    assert [m.uid for m in store.search(EVERYTHING, limit=3).mentions] == expected
    assert [m.uid for m in store.scan(EVERYTHING)] == expected
    assert list(store.get(expected)) == expected


# --- long and wide ------------------------------------------------------------------------------------------------


def test_a_scan_is_one_view_however_much_changes(store: Pooled) -> None:
    many = [mention(n, at=NOON - timedelta(seconds=n)) for n in range(2_300)]
    for start in range(0, len(many), 1_000):
        store.write(many[start : start + 1_000])
    scanned = store.scan(EVERYTHING)
    seen = [next(scanned).uid]
    store.erase([uid(n) for n in range(0, 2_300, 2)], "asked for")
    store.write([mention("new", at=NOON - timedelta(seconds=2_000))])
    seen += [m.uid for m in scanned]
    assert seen == [uid(n) for n in range(2_300)]
    assert store.count(EVERYTHING)[0] == 1_151


def test_searches_as_deep_as_the_language_allows(store: Pooled) -> None:
    texts = ["Netz gestört", "Netz", "Hotline", "", "gestört Hotline"]
    store.write([mention(n, text=t, opinions=(opinion(tone="negative"),)) for n, t in enumerate(texts)])
    everything = list(store.scan(EVERYTHING))
    netz, hotline = (Words(((word,),), "exact") for word in ("netz", "hotline"))
    leaves: list[Node] = [netz, hotline, OneOpinion((("tone", ("negative",)), ("via", ("name",)))), Not(netz)]
    deep: Node = Words((("gestoert",),), "exact")
    for level in range(50):
        leaf = leaves[level % 4]
        deep = [All((leaf, deep)), Some((leaf, deep)), Not(All((deep, leaf))), Some((Not(deep), leaf))][level % 4]
        found = [m.uid for m in store.search(Query(deep)).mentions]
        assert found == [m.uid for m in everything if matches(deep, m)], level


def test_more_uids_than_one_clause_takes(store: Pooled) -> None:
    store.write([mention(n) for n in range(3)])
    many = frozenset(uid(n) for n in range(1, 120_000))
    assert store.count(Query(Uids(many)))[0] == 2
    assert store.count(Query(Not(Uids(many))))[0] == 1


def test_a_beginning_stands_for_all_its_words_or_is_refused(store: Pooled) -> None:
    words = [f"x{number:05}" for number in range(20_000)]
    for start in range(0, len(words), 5_000):
        chunk = words[start : start + 5_000]
        store.write([mention((start, n), text="netz " + " netz ".join(chunk[n : n + 50])) for n in range(0, 5_000, 50)])
    some = Words((("netz", "x0012"),), "exact", True)
    assert store.count(Query(some))[0] == 1
    thousands = Words((("netz", "x00"),), "exact", True)
    assert store.count(Query(thousands))[0] == 20
    assert store.count(Query(Words((("x",),), "exact", True)))[0] == 400
    try:  # how many words are too many depends on the server's memory; what counts is that none is left out
        assert store.count(Query(Words((("netz", "x"),), "exact", True)))[0] == 400
    except QueryTimeout as refused:
        assert "write more letters before the *" in str(refused)
    with pytest.raises(QueryTimeout, match="at most 1,000 letters"):
        store.count(Query(Words((("x" * 1_500,),), "exact", True)))


@pytest.mark.parametrize(
    "cursor", ["", "abc", "17-xyz", f"1e9-{'a' * 32}", f"--1-{'a' * 32}", f"١-{'a' * 32}", "4f00a"]
)
def test_only_our_cursors_are_taken(store: Pooled, cursor: str) -> None:
    with pytest.raises(ValueError, match="no cursor"):
        store.search(EVERYTHING, after=cursor)


def test_a_facet_that_cannot_be_exact_is_refused(store: Pooled, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write([mention(n, origin=f"h{n % 5}.example") for n in range(20)])
    assert [facet.posts for facet in store.facets(EVERYTHING, "domain", limit=2)] == [4, 4]
    month = timedelta(days=40)
    store.write([mention(("old", n), at=NOON - month, origin=f"h{n % 5}.example") for n in range(20)])
    monkeypatch.setattr(faceting, "SHARD_SIZES", (1,))
    with pytest.raises(StoreError, match="narrow the time range"):
        store.facets(EVERYTHING, "domain", limit=2)
    with pytest.raises(ValueError, match="no facets of 'rating'"):
        store.facets(EVERYTHING, "rating")


# --- never half an answer -----------------------------------------------------------------------------------------


class _Body:
    def __init__(self, body: dict[str, Any]) -> None:
        self.body = body


class _Server:
    """A client whose every answer is the same."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body

    def options(self, **options: Any) -> _Server:
        return self

    def search(self, **asked: Any) -> _Body:
        return _Body(self._body)


HIT = {"hits": {"hits": [{"_source": {"doc": "{}"}, "sort": [0, "a"]}]}}


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"timed_out": True}, QueryTimeout, "took longer than 10 s"),
        ({"timed_out": False, "terminated_early": True}, QueryTimeout, "took longer than 10 s"),
        (
            {"_shards": {"failed": 1, "failures": [{"reason": {"type": "x", "reason": "node left"}}]}},
            StoreError,
            "1 parts of the mention store did not answer: node left",
        ),
    ],
)
def test_part_of_an_answer_is_none(store: Pooled, answer: dict[str, Any], kind: type, words: str) -> None:
    server: Any = _Server({**HIT, **answer})
    access = Access(server, store.access.names, store.access.clock)
    with pytest.raises(kind, match=words):
        asking.ask(access, access.names.mentions, [])


def test_the_time_limit_covers_all_requests_of_a_question(store: Pooled) -> None:
    hasty = Access(store.access.client, store.access.names, store.access.clock, timeout_seconds=1e-9)
    with pytest.raises(QueryTimeout, match="narrow its time range or add a word"):
        asking.ask(hasty, hasty.names.mentions, [])


def test_what_is_not_in_the_language_is_an_error(store: Pooled) -> None:
    with pytest.raises(ValueError, match="cannot search for the field 'answered'"):
        store.search(Query(Field("answered", ("x",))))


def test_an_alias_without_an_index_is_an_empty_store(store: Pooled) -> None:
    names, client = store.access.names, store.access.client
    client.indices.delete(index=[names.mentions_of("2026.11"), names.history_of("2026.11")])
    asked: list[Callable[[], Any]] = [
        lambda: store.search(EVERYTHING).mentions,
        lambda: store.search(EVERYTHING, as_of=NOON).mentions,
        lambda: tuple(store.scan(EVERYTHING)),
        lambda: tuple(store.facets(EVERYTHING, "source")),
        lambda: tuple(store.get([uid(1)])),
    ]
    try:
        assert [ask() for ask in asked] == [(), (), (), (), ()]
        assert store.count(EVERYTHING) == store.count(EVERYTHING, as_of=NOON) == (0, 0)
    finally:
        store.write([mention("again")])
