"""Writing to a real Elasticsearch while others write, die, erase and join: nothing is lost, doubled or comes back."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import reduce
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random
from typing import Any
from urllib.parse import urlsplit

import pytest
from building import BIN, NOON, bin_of, mention, opinion, uid
from elasticsearch import ConnectionError as NotConnected
from elasticsearch import Elasticsearch
from msgspec.structs import replace

from pipeline.analysis import stem_variants
from pipeline.clock import ManualClock, SystemClock
from pipeline.mention import Correction, Mention, join
from pipeline.query.tree import EVERYTHING, Query, Words
from pipeline.store.elastic import bulk
from pipeline.store.elastic.documents import document
from pipeline.store.elastic.locating import copies
from pipeline.store.elastic.store import ElasticStore
from pipeline.store.measures import micros
from pipeline.store.protocol import StoreError
from pipeline.words import ToneLabel

ONE, TWO, THREE = "Die Telekom war langsam.", "Die Telekom war schnell.", "Die Telekom war teuer."
OCTOBER = datetime(2026, 10, 31, 23, 59, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 1, 0, 1, tzinfo=UTC)


class Interrupted(Elasticsearch):
    """A client with something before or after its bulk requests: ``before`` and ``after`` get the request's number."""

    before: Callable[[int], None] = staticmethod(lambda number: None)
    after: Callable[[int], None] = staticmethod(lambda number: None)
    requests = 0

    def bulk(self, **over: Any) -> Any:
        self.requests += 1
        number = self.requests
        self.before(number)
        answer = super().bulk(**over)
        self.after(number)
        return answer

    def counting_from_now(self) -> None:
        self.requests = 0


@dataclass
class House:
    """Opens stores of one prefix; each has a client of its own, as processes have."""

    url: str
    prefix: str
    clock: ManualClock
    opened: list[ElasticStore] = field(default_factory=list)

    def open(self, **over: Any) -> ElasticStore:
        client = Interrupted(self.url, request_timeout=60, max_retries=0)
        store = ElasticStore(client, self.prefix, **{"clock": self.clock, "limit": 60, **over})
        self.opened.append(store)
        return store

    def reader(self) -> ElasticStore:
        """Another process that sees all that was written so far."""
        store = self.open()
        store.refresh()
        return store


@pytest.fixture
def house(elastic_url: str, elastic_prefix: str) -> Iterator[House]:
    made = House(elastic_url, elastic_prefix, ManualClock(NOON + timedelta(hours=6)))
    yield made
    for store in made.opened:
        store.close()


@pytest.fixture
def store(house: House) -> ElasticStore:
    return house.open()


def interrupted(store: ElasticStore) -> Interrupted:
    client = store.access.client
    assert isinstance(client, Interrupted)
    client.counting_from_now()
    return client


def saying(text: str, minutes: int = 0, **over: Any) -> Mention:
    return mention(text=text, fetched=NOON + timedelta(minutes=minutes), **over)


def about(text: str) -> Query:
    return Query(Words(stem_variants(text)))


def months(store: ElasticStore, alias: str) -> list[str]:
    found = store.access.client.indices.get(index=f"{store.access.names.prefix}-{alias}", features="aliases")
    return sorted(store.access.names.month_of(index) for index in found)


# --- several writers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_writers_racing_on_the_same_mentions_lose_and_double_nothing(house: House, seed: int) -> None:
    random = Random(seed)
    names = [f"race {number}" for number in range(6)]
    readings = [_reading(random, name) for name in names for _ in range(10)]
    written: list[Any] = []
    stores = [house.open(clock=SystemClock()) for _ in range(3)]
    shares = [random.sample(readings, len(readings)) for _ in stores]  # each writes everything, in an order of its own

    def work(store: ElasticStore, share: list[Mention]) -> None:
        for start in range(0, len(share), 7):
            written.append(store.write(share[start : start + 7]))

    _at_once([lambda store=store, share=share: work(store, share) for store, share in zip(stores, shares, strict=True)])
    created = Counter(uid for batch in written for uid in batch.created)
    revised = Counter(uid for batch in written for uid in batch.revised)
    assert created == Counter(map(uid, names))
    assert [refused for batch in written for refused in batch.refused] == []
    last = house.open(clock=SystemClock())
    last.refresh()
    found = {m.uid: m for m in last.scan(EVERYTHING)}
    assert last.count(EVERYTHING)[0] == len(found) == len(names)
    for name in names:
        expected = reduce(join, [m for m in readings if m.uid == uid(name)], None)
        assert expected is not None
        known = last.history(uid(name))
        assert [r.mention.revision for r in known] == list(range(1, len(known) + 1))
        assert len(known) == 1 + revised[uid(name)]
        assert [r.known_to for r in known[:-1]] == [r.known_from for r in known[1:]]
        assert known[-1].known_to is None
        assert known[-1].mention == found[uid(name)]
        assert replace(found[uid(name)], revision=0, known_from=None) == replace(expected, revision=0, known_from=None)
    assert last.check() == []


def _reading(random: Random, name: str) -> Mention:
    """Whatever differs here is settled by merging alone, whatever the order."""
    corrections = [Correction(tone=ToneLabel.POSITIVE, at=NOON, by=f"anna{random.randint(1, 3)}")]
    return saying(
        random.choice([ONE, TWO, THREE]),
        random.randint(0, 500),
        name=name,
        source=random.choice(["forum", "rss_1", "tele-news"]),
        first_source="forum",
        corrections=tuple(random.sample(corrections, random.randint(0, 1))),
    )


def _at_once(works: list[Callable[[], None]]) -> None:
    failed: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def test_what_another_writer_did_between_reading_and_writing_is_merged(house: House, store: ElasticStore) -> None:
    other = house.open()
    store.write([saying(ONE)])
    client = interrupted(store)

    def come_between(number: int) -> None:
        if number == 2:  # the old revision is in the history, the new one is not written yet
            other.write([saying(TWO, 5, corrections=(Correction(tone=ToneLabel.POSITIVE, at=NOON, by="anna"),))])

    client.before = come_between  # type: ignore[method-assign]
    house.clock.advance(minutes=1)
    assert store.write([saying(THREE, 9)]).revised == (uid("one"),)
    known = house.reader().history(uid("one"))
    assert [r.mention.crawled.text for r in known] == [ONE, TWO, THREE]
    assert known[-1].mention.corrections[0].by == "anna"
    assert house.reader().check() == []


def test_an_answer_that_was_lost_is_no_second_write(house: House, store: ElasticStore) -> None:
    """The client offers a request again whose answer it did not get: what is found then is its own."""
    client = interrupted(store)
    sent = Elasticsearch.bulk
    client.bulk = lambda **over: (sent(client, **over), sent(client, **over))[1]  # type: ignore[method-assign]
    assert store.write([saying(ONE)]).created == (uid("one"),)
    house.clock.advance(minutes=1)
    assert store.write([saying(TWO, 5)]).revised == (uid("one"),)
    assert [(r.mention.revision, r.known_to) for r in store.history(uid("one"))] == [
        (1, house.clock.now()),
        (2, None),
    ]
    rows = store.access.client.count(index=store.access.names.history, query={"exists": {"field": "known_to_us"}})
    assert rows["count"] == 1


def test_two_that_were_created_in_two_months_become_one(house: House, store: ElasticStore) -> None:
    other = house.open()
    store.write([mention("a", at=OCTOBER), mention("b", at=NOVEMBER)])
    client = store.access.client
    for month in ("2026.10", "2026.11"):  # nothing is found by a search before it is said to be
        client.indices.put_settings(index=store.access.names.mentions_of(month), settings={"refresh_interval": "-1"})
    house.clock.advance(minutes=1)
    assert store.write([saying(ONE, at=OCTOBER, name="twice")]).created == (uid("twice"),)
    assert other.write([saying(TWO, 5, at=NOVEMBER, name="twice", source="rss_1")]).created == (uid("twice"),)
    other.refresh()
    third = house.reader()
    [found] = [m for m in third.scan(EVERYTHING) if m.uid == uid("twice")]
    assert (found.crawled.text, found.sources, found.event_time) == (TWO, ("forum", "rss_1"), OCTOBER)
    assert third.count(EVERYTHING)[0] == 3
    places = {hit.mention.uid: hit.index for hit in _stored(third)}
    assert places[uid("twice")].endswith("2026.10")
    assert len(_stored(third)) == 3
    assert [r.mention.crawled.text for r in third.history(uid("twice"))] == [ONE, TWO]
    assert third.check() == []
    again = saying(THREE, 9, at=NOVEMBER, name="twice", source="rss_1")
    assert other.write([again]).revised == (uid("twice"),)  # it knows that its own is gone
    assert store.write([again]).unchanged == (uid("twice"),)


def test_a_double_whose_first_copy_is_old_is_joined_where_the_check_says(house: House, store: ElasticStore) -> None:
    store.write([saying(ONE), mention("b", at=OCTOBER)])
    store.refresh()
    [hit] = copies(store.access, [uid("one")])
    names, client = store.access.names, store.access.client
    client.index(index=names.mentions_of("2026.10"), id=uid("one"), document=document(hit.mention, uid("one"), 0))
    house.clock.advance(minutes=1)
    assert store.write([mention("a")]).created == (uid("a"),)
    store.refresh()
    assert len(copies(store.access, [uid("one")])) == 2
    [sentence] = store.check()
    assert f"mention {uid('one')} is stored twice: run `sturmwarte store reindex`" in sentence
    assert store.reindex() == 3
    assert house.reader().check() == []
    [left] = copies(store.access, [uid("one")])
    assert (left.index, left.mention.crawled.text) == (names.mentions_of("2026.10"), ONE)
    assert store.count(EVERYTHING)[0] == 3


def _stored(store: ElasticStore) -> list[Any]:
    return copies(store.access, [uid(name) for name in ("a", "b", "twice")])


# --- deaths -------------------------------------------------------------------------------------------------------


def _dies(number: int) -> Callable[[int], None]:
    def die(request: int) -> None:
        if request == number:
            raise NotConnected("the writer died here")

    return die


@pytest.mark.parametrize("death, stored", [(2, 1), (3, 2)])
def test_a_death_around_a_revision_leaves_the_past_right(
    house: House, store: ElasticStore, death: int, stored: int
) -> None:
    """Before the second request the old revision is in the history, before the third the new one is written, too."""
    first = house.clock.now()
    store.write([saying(ONE)])
    house.clock.advance(minutes=10)
    second = house.clock.now()
    client = interrupted(store)
    client.before = _dies(death)  # type: ignore[method-assign]
    with pytest.raises(StoreError):
        store.write([saying(TWO, 5)])
    house.clock.advance(minutes=10)
    other = house.reader()
    before, later = second - timedelta(seconds=1), house.clock.now() - timedelta(minutes=1)
    assert [r.mention.revision for r in other.history(uid("one"))] == list(range(1, stored + 1))
    assert [other.get([uid("one")], as_of=at)[uid("one")].crawled.text for at in (first, before)] == [ONE, ONE]
    assert other.get([uid("one")], as_of=later)[uid("one")].crawled.text == (TWO if stored == 2 else ONE)
    counts = [[other.count(about(word), as_of=at)[0] for at in (before, later)] for word in ("langsam", "schnell")]
    assert counts == ([[1, 0], [0, 1]] if stored == 2 else [[1, 1], [0, 0]])
    assert [len(other.search(about("langsam"), as_of=at).mentions) for at in (before, later)] == counts[0]
    assert other.check() == []
    again = other.write([saying(TWO, 5)])
    assert (again.revised, again.unchanged) == (((), (uid("one"),)) if stored == 2 else ((uid("one"),), ()))
    assert [r.mention.crawled.text for r in other.history(uid("one"))] == [ONE, TWO]
    assert other.check() == []


def test_a_death_before_words_were_taken_out_is_made_good_by_the_replay(house: House, store: ElasticStore) -> None:
    store.write([saying(ONE)])
    house.clock.advance(minutes=1)
    store.write([saying(TWO, 5)])
    client = interrupted(store)
    client.before = _dies(4)  # type: ignore[method-assign]
    gone = saying("", 60, deleted_at=NOON + timedelta(hours=1), opinions=())
    house.clock.advance(minutes=1)
    with pytest.raises(StoreError):
        store.write([gone])
    other = house.reader()
    assert ONE in [r.mention.crawled.text for r in other.history(uid("one"))]
    assert other.write([gone]).unchanged == (uid("one"),)
    assert [r.mention.crawled.text for r in other.history(uid("one"))] == ["", "", ""]
    assert other.check() == []


# --- erasure ------------------------------------------------------------------------------------------------------


def test_the_erased_never_come_back(house: House, store: ElasticStore) -> None:
    store.write([saying(ONE)])
    house.clock.advance(minutes=1)
    store.write([saying(TWO, 5), mention("other", author="b" * 32)])
    store.note_signatures({uid("one"): [7]}, 10)
    assert store.erase([uid("one"), uid("unknown")], "asked for") == [uid("one")]
    for writer in (store, house.open()):
        writer.refresh()
        assert writer.write([saying(THREE, 9), mention("unknown")]).refused == (
            (uid("one"), "erased"),
            (uid("unknown"), "erased"),
        )
    last = house.reader()
    assert [m.uid for m in last.scan(EVERYTHING)] == [uid("other")]
    assert (last.history(uid("one")), last.story_of({"x": [7]}, 10)) == ([], {"x": []})
    assert last.check() == []


@pytest.mark.parametrize("known", [False, True], ids=["created", "revised"])
def test_an_erasure_while_a_writer_writes_wins(house: House, store: ElasticStore, known: bool) -> None:
    other = house.open()
    if known:
        store.write([saying(ONE)])
        house.clock.advance(minutes=1)
    client = interrupted(store)

    def erase(number: int) -> None:
        if number == (2 if known else 1):
            other.erase([uid("one")], "asked for")

    client.before = erase  # type: ignore[method-assign]
    written = store.write([saying(TWO, 5), mention("other", author="b" * 32)])
    assert written.refused == ((uid("one"), "erased"),)
    assert written.created == (uid("other"),)
    last = house.reader()
    assert [m.uid for m in last.scan(EVERYTHING)] == [uid("other")]
    assert last.history(uid("one")) == []
    assert last.check() == []


# --- what the cluster does not take -------------------------------------------------------------------------------


def test_a_rejected_document_is_refused_by_itself(store: ElasticStore) -> None:
    many = tuple(opinion(f"brand-{number}") for number in range(10_001))
    written = store.write([mention("good"), mention("bad", opinions=many), mention("fine", at=OCTOBER)])
    assert set(written.created) == {uid("good"), uid("fine")}
    [(refused, reason)] = written.refused
    assert refused == uid("bad")
    assert reason.startswith("rejected: ")
    assert "nested" in reason
    assert store.count(EVERYTHING)[0] == 2
    assert store.check() == []


def test_an_oversized_document_is_refused_and_the_rest_goes_in_several_requests(
    store: ElasticStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "LARGEST_BYTES", 200_000)
    monkeypatch.setattr(bulk, "REQUEST_BYTES", 100_000)
    client = interrupted(store)
    words = " ".join(f"wort{number}" for number in range(2_000))
    batch = [mention(number, text=words) for number in range(5)]
    written = store.write([*batch, mention("huge", text=words * 4)])
    assert written.refused == ((uid("huge"), written.refused[0][1]),)
    assert written.refused[0][1].startswith("rejected: too_large")
    assert set(written.created) == {m.uid for m in batch}
    assert client.requests >= 3
    assert store.count(EVERYTHING)[0] == 5


class Narrow(BaseHTTPRequestHandler):
    """A proxy before Elasticsearch that takes no request above ``most`` bytes."""

    server: NarrowServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._pass_on()

    def do_HEAD(self) -> None:
        self._pass_on()

    def do_PUT(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if len(body) > self.server.most:
            self.server.refused += 1
            self._answer(413, {"Content-Type": "text/html"}, b"<h1>413 Request Entity Too Large</h1>")
            return
        connection = HTTPConnection(urlsplit(self.server.behind).netloc, timeout=60)
        with closing(connection):
            headers = {name: value for name, value in self.headers.items() if name != "Host"}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            kept = {"content-type", "x-elastic-product"}
            found = {name: value for name, value in answer.getheaders() if name.lower() in kept}
            self._answer(answer.status, found, answer.read())

    def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


class NarrowServer(ThreadingHTTPServer):
    def __init__(self, behind: str, most: int) -> None:
        super().__init__(("127.0.0.1", 0), Narrow)
        self.behind, self.most, self.refused = behind, most, 0
        self.url = f"http://127.0.0.1:{self.server_port}"


@pytest.fixture
def narrow(elastic_url: str) -> Iterator[NarrowServer]:
    with NarrowServer(elastic_url, 100_000) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_proxy_that_takes_only_small_requests_gets_small_ones(
    house: House, elastic_prefix: str, narrow: NarrowServer
) -> None:
    through = House(narrow.url, elastic_prefix, house.clock).open()
    house.opened.append(through)
    words = " ".join(f"wort{number}" for number in range(1_500))
    batch = [mention(number, text=words) for number in range(9)]
    written = through.write([*batch[:4], mention("huge", text=words * 6), *batch[4:]])
    assert set(written.created) == {m.uid for m in batch}
    [(refused, reason)] = written.refused
    assert refused == uid("huge") and reason.startswith("rejected: too_large")
    assert written.rejected == {uid("huge"): reason}
    assert narrow.refused >= 4
    assert house.reader().count(EVERYTHING)[0] == 9


def test_a_foreign_index_in_place_of_a_month_refuses_what_belongs_there(house: House, store: ElasticStore) -> None:
    names, client = store.access.names, store.access.client
    client.indices.delete_index_template(name=names.mentions)
    mappings = {"dynamic": "strict", "properties": {"uid": {"type": "keyword"}, "event_us": {"type": "date"}}}
    client.indices.create(index=names.mentions_of("2026.10"), mappings=mappings, aliases={names.mentions: {}})
    written = store.write([mention("a"), mention("b", at=OCTOBER)])
    assert written.created == (uid("a"),)
    [(refused, reason)] = written.refused
    assert refused == uid("b")
    assert reason.startswith("rejected: strict_dynamic_mapping_exception")
    with pytest.raises(StoreError, match=r"2026\.10 has mapping version none, this release needs 2"):
        house.open()


def test_indices_of_another_release_are_not_opened(house: House, store: ElasticStore) -> None:
    names, client = store.access.names, store.access.client
    client.update(index=names.meta, id="store", doc={"mapping_version": 3})
    with pytest.raises(StoreError, match="have mapping version 3, this release needs 2"):
        house.open()
    client.update(index=names.meta, id="store", doc={"mapping_version": 2, "analysis_version": 0})
    old = house.open()
    with pytest.raises(StoreError, match=r"analysis 0, this release uses 1: run `sturmwarte store reindex`"):
        old.write([mention()])
    assert old.reindex() == 0
    assert old.write([mention()]).created == (uid("one"),)


def test_reading_only_makes_nothing(house: House) -> None:
    with pytest.raises(StoreError, match="there is no mention store"):
        house.open(read_only=True)
    house.open().write([mention()])
    reader = house.open(read_only=True)
    reader.refresh()
    assert reader.count(EVERYTHING) == (1, 1)
    with pytest.raises(StoreError, match="opened for reading only"):
        reader.write([mention("b")])


# --- months -------------------------------------------------------------------------------------------------------


def test_the_purge_drops_whole_months_and_only_them(house: House, store: ElasticStore) -> None:
    days = {"aug": (8, 5), "sep": (9, 5), "late": (10, 20), "early": (10, 2), "new": (11, 3)}
    at = {name: datetime(2026, month, day, tzinfo=UTC) for name, (month, day) in days.items()}
    store.write([mention(name, at=moment) for name, moment in at.items()])
    house.clock.advance(minutes=1)
    store.write([mention(name, at=moment, text=TWO, fetched=moment + BIN) for name, moment in at.items()])
    store.note_signatures({uid(name): [number] for number, name in enumerate(days)}, 10)
    assert months(store, "mentions") == months(store, "history") == ["2026.08", "2026.09", "2026.10", "2026.11"]
    assert store.purge(datetime(2026, 10, 15, tzinfo=UTC)) == 3
    assert months(store, "mentions") == months(store, "history") == ["2026.10", "2026.11"]
    assert {m.uid for m in store.scan(EVERYTHING)} == {uid("late"), uid("new")}
    assert [len(store.history(uid(name))) for name in days] == [0, 0, 2, 0, 2]
    assert store.story_of({"x": list(range(5))}, 10) == {"x": sorted([uid("late"), uid("new")])}
    assert store.check() == []
    assert store.write([mention("aug", at=at["aug"])]).created == (uid("aug"),)  # a purge is no erasure
    assert house.reader().count(EVERYTHING)[0] == 3


def test_a_month_with_something_younger_is_not_dropped(store: ElasticStore) -> None:
    september, october = datetime(2026, 9, 30, 12, tzinfo=UTC), datetime(2026, 10, 20, tzinfo=UTC)
    store.write([mention("old", at=september), mention("moved", at=september)])
    hit = store.get([uid("moved")])[uid("moved")]
    access = store.access
    moved = replace(hit, event_time=october, fed_bin=bin_of(october))
    made = document(moved, hit.uid, micros(hit.known_from or october))
    access.client.index(index=access.names.mentions_of("2026.09"), id=hit.uid, document=made, refresh=True)
    assert store.purge(datetime(2026, 10, 15, tzinfo=UTC)) == 1
    assert [m.uid for m in store.scan(EVERYTHING)] == [uid("moved")]
    assert "2026.09" in months(store, "mentions")


def test_when_all_is_purged_the_store_goes_on(house: House, store: ElasticStore) -> None:
    store.write([mention("a", at=OCTOBER)])
    assert store.purge(NOON + timedelta(days=60)) == 1
    assert store.count(EVERYTHING) == (0, 0)
    assert house.reader().write([mention("a")]).created == (uid("a"),)
    store.refresh()
    assert store.write([mention("a")]).unchanged == (uid("a"),)


# --- stories ------------------------------------------------------------------------------------------------------


def _persons(store: ElasticStore, name: str) -> tuple[str, str, list[str]]:
    client, index = store.access.client, store.access.names.mentions
    client.indices.refresh(index=index)
    [hit] = client.search(index=index, query={"term": {"uid": uid(name)}})["hits"]["hits"]
    source = hit["_source"]
    return source["story"], source["person"], [entry["person"] for entry in source["opinions"]]


def test_joining_stories_rewrites_story_and_person_of_the_members(house: House, store: ElasticStore) -> None:
    store.write([mention(n, author=None, story=uid("s")) for n in ("s", "t")])
    store.write([mention(n, author=None, story=uid("v")) for n in ("v", "w")])
    house.open().join_stories(uid("s"), uid("v"))
    store.refresh()
    nameless = f"story:{uid('s')}"
    assert [_persons(store, name) for name in "stvw"] == 4 * [(uid("s"), nameless, [nameless])]
    assert store.count(EVERYTHING) == (4, 1)
    assert [m.story for m in store.get([uid("w")]).values()] == [uid("v")]  # the mention itself is as it was
    assert store.check() == []
    store.write([mention("x", author=None, story=uid("v"))])
    store.join_stories(uid("y"), uid("v"))
    assert store.stories([uid(n) for n in "stvwx"]) == {uid(n): uid("y") for n in "stvwx"}
    assert _persons(store, "x") == (uid("y"), f"story:{uid('y')}", [f"story:{uid('y')}"])
    assert store.check() == []


def test_a_member_written_while_its_story_is_joined_carries_the_root(house: House, store: ElasticStore) -> None:
    other = house.open()
    store.write([mention("s", author=None), mention("v", author=None)])
    client = interrupted(store)

    def join_them(number: int) -> None:
        if number == 1:
            other.join_stories(uid("s"), uid("v"))

    client.before = join_them  # type: ignore[method-assign]
    store.write([mention("w", author=None, story=uid("v"))])
    store.refresh()
    assert _persons(store, "w") == (uid("s"), f"story:{uid('s')}", [f"story:{uid('s')}"])
    assert store.check() == []


def test_stories_joined_both_ways_round_at_once_have_one_root(store: ElasticStore) -> None:
    names = store.access.names
    store.write([mention("s", author=None), mention("v", author=None)])
    for newer, older in (("s", "v"), ("v", "s")):
        key = f"alias.{uid(newer)}"
        alias = {"key": key, "what": "alias", "newer": uid(newer), "older": uid(older)}
        store.access.client.index(index=names.stories, id=key, document=alias, refresh=True)
    store.reindex()
    least = min(uid("s"), uid("v"))
    assert store.stories([uid("s"), uid("v")]) == {uid("s"): least, uid("v"): least}
    assert store.count(EVERYTHING) == (2, 1)
    assert {m.uid for m in store.story_members(uid("v"))} == {uid("s"), uid("v")}
    assert store.check() == []


# --- care ---------------------------------------------------------------------------------------------------------


def test_the_check_names_what_does_not_agree(store: ElasticStore) -> None:
    store.write([mention("a"), mention("b", at=OCTOBER)])
    access, client = store.access, store.access.client
    hit = client.get(index=access.names.mentions_of("2026.11"), id=uid("a"))["_source"]
    wrong = {**hit, "stem": "", "lang": "en"}
    client.index(index=access.names.mentions_of("2026.11"), id=uid("a"), document=wrong)
    client.index(index=access.names.mentions_of("2026.10"), id=uid("a"), document=hit)
    orphan = {**hit, "uid": uid("c")}
    client.index(index=access.names.history_of("2026.11"), id=f"{uid('c')}.1", document=orphan)
    client.index(index=access.names.erased, id=uid("b"), document={"reason": "asked for", "at": NOON.isoformat()})
    found = store.check()
    assert len(found) == 4
    for sentence, part in zip(
        sorted(found),
        sorted(
            [
                f"the fields lang, stem of mention {uid('a')} do not agree",
                f"mention {uid('a')} is stored twice",
                f"revision 1 of mention {uid('c')} is kept, the mention is not there",
                f"mention {uid('b')} was erased and is there again",
            ]
        ),
        strict=True,
    ):
        assert part in sentence


def test_statistics_count_mentions_and_revisions(house: House, store: ElasticStore) -> None:
    store.write([saying(ONE), mention("b", at=OCTOBER)])
    house.clock.advance(minutes=1)
    store.write([saying(TWO, 5)])
    told = store.statistics()
    assert str(told.pop("engine")).startswith("elasticsearch ")
    assert int(told.pop("bytes")) > 1_000
    assert told == {
        "version": 2,
        "mentions": 2,
        "revisions": 3,
        "first": OCTOBER.isoformat(),
        "last": NOON.isoformat(),
    }


def test_refresh_finds_what_others_wrote_each_time(house: House, store: ElasticStore) -> None:
    other = house.open()
    client = store.access.client
    for name in (store.access.names.mentions, store.access.names.history):
        client.indices.put_settings(index=name, settings={"refresh_interval": "-1"})
    reader = house.open()
    for number in range(3):
        other.write([mention(number)])
        reader.refresh()
        assert reader.count(EVERYTHING)[0] == number + 1
        reader.refresh()  # nobody wrote in between
        house.clock.advance(minutes=1)
        other.write([mention(0, text=f"zum {number}. Mal", fetched=NOON + timedelta(minutes=number + 1))])
        reader.refresh()
        assert [r.mention.revision for r in reader.history(uid(0))] == list(range(1, number + 3))
