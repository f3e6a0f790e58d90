"""Erasure through the whole house: what a person wrote is gone from every place, and cannot come back."""

from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from crawlers.raw import RawPages, note
from pipeline import erasure, maintenance
from pipeline.build import build_pipeline
from pipeline.clock import ManualClock
from pipeline.configuration import Configuration, StoreTable
from pipeline.identity import uid_of
from pipeline.item import Item, Published
from pipeline.query.tree import EVERYTHING
from pipeline.quoting import WITHDRAWN
from pipeline.spool import Quarantined, Spool, Waiting
from pipeline.state.opening import open_state
from pipeline.state.tables import audit, incident_member, journal, outbox, pending_message, raw_page, result
from pipeline.state.tables import erasure as erased_table
from pipeline.store.opening import open_store
from pipeline.words import Channel, Kind, OutboxState, Precision, Reading
from sturmwarte.service import prepare

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CLOCK = ManualClock(NOW)
TOLD = Configuration.model_validate({"brands": {"nordnetz": {"name": "Nordnetz"}}})
BAD = uid_of("forum.example", "/ p1")
GOOD = uid_of("forum.example", "/ p2")
SPOOLED = uid_of("forum.example", "/ p3")
WORDS = b"Quittenbrot"


def item(number: int, author: str, page: str, text: str = "", minutes: int = 0) -> Item:
    return Item(
        source="forum", platform="phpbb", channel=Channel.FORUM, kind=Kind.POST, reading=Reading.FULL,
        origin="forum.example", native_id=f"/ p{number}", fetched=NOW + timedelta(minutes=minutes), author=author,
        text=text or f"Nordnetz hat mein Quittenbrot Nummer {number} verloren.", raw_sha256=page,
        published=Published(at=NOW - timedelta(minutes=10), precision=Precision.MINUTE),
    )  # fmt: skip


class House:
    """A data folder with two authors: one in store, history, spool, raw pages and a result list."""

    def __init__(self, folder, stack):
        self.folder = folder
        self.state = stack.enter_context(closing(open_state(folder)))
        self.store = stack.enter_context(closing(self.opened()))
        self.raw = RawPages(folder)
        self.pages = {
            name: self.raw.keep(name.encode() * 9 + WORDS)
            for name in ("thread", "again", "list", "other", "frozen", "before")
        }
        self._note("forum", "thread", "https://forum.example/t1", NOW)
        self._note("forum", "again", "https://forum.example/t1", NOW - timedelta(days=1))
        self._note("forum", "list", "https://forum.example/f1", NOW + timedelta(hours=1))
        self._note("forum", "frozen", "https://forum.example/f2", NOW, NOW + timedelta(days=90))
        self._note("forum", "before", "https://forum.example/f1", NOW - timedelta(days=2))
        self._note("elsewhere", "other", "https://elsewhere.example/", NOW)
        pipeline = build_pipeline(TOLD, self.store, self.state, folder=folder, clock=CLOCK)
        pipeline.feed([item(1, "Elif", self.pages["thread"]), item(2, "Jo", self.pages["other"])])
        pipeline.feed([item(1, "Elif", self.pages["thread"], "Nordnetz: Quittenbrot gefunden.", minutes=5)])
        self.bad = self.store.get([BAD])[BAD]
        self.author = self.bad.crawled.author or ""
        Spool(folder / "spool").append([Waiting(mention=replace(self.bad, uid=SPOOLED))])
        found = {"list": 1, "position": 1, "engines": [], "uid": BAD}
        with self.state.begin() as connection:
            words = {"url": "https://forum.example/t1#p1", "title": "Quittenbrot", "snippet": "Quittenbrot"}
            connection.execute(sa.insert(result).values(**found, **words))

    def opened(self):
        return open_store(self.folder, StoreTable(), clock=CLOCK, erased=erasure.erased_in(self.state))

    def erase(self):
        names = {"reason": "asked for by mail", "by": "chris"}
        return erasure.erase_author(self.state, self.store, self.folder, self.author, clock=CLOCK, **names)

    def kept_pages(self):
        return {name for name, sha256 in self.pages.items() if self.raw.load(sha256) is not None}

    def rows(self, *columns):
        with self.state.read() as connection:
            return [tuple(row) for row in connection.execute(sa.select(*columns))]

    def _note(self, source, name, url, at, frozen_until=None):
        with self.state.begin() as connection:
            note(connection, source, {self.pages[name]: (url, 1)}, at)
            mine = sa.update(raw_page).where(raw_page.c.sha256 == self.pages[name])
            connection.execute(mine.values(frozen_until=frozen_until))


@pytest.fixture
def house(tmp_path):
    with ExitStack() as stack:
        yield House(tmp_path / "data", stack)


def test_an_erased_person_is_gone_from_every_place(house):
    assert len(house.store.history(BAD)) == 2
    assert house.erase() == sorted([BAD, SPOOLED])
    assert [mention.uid for mention in house.store.scan(EVERYTHING)] == [GOOD]
    assert (house.store.history(BAD), list(Spool(house.folder / "spool").waiting())) == ([], [])
    assert house.kept_pages() == {"other", "frozen", "before"}
    assert house.rows(result.c.url, result.c.title, result.c.snippet, result.c.uid) == [("", "", "", BAD)]
    wanted = [(uid, "asked for by mail", NOW) for uid in sorted([BAD, SPOOLED])]
    assert sorted(house.rows(erased_table.c.uid, erased_table.c.reason, erased_table.c.at)) == wanted
    assert ("chris", "erasure") in house.rows(audit.c.who, audit.c.what)
    assert house.erase() == []


def test_the_erased_stay_out_of_a_store_that_never_knew_of_it(house):
    house.erase()
    (house.folder / "mentions.db").rename(house.folder / "lost.db")
    with closing(house.opened()) as store:
        assert store.write([house.bad]).refused == ((BAD, "erased"),)


def test_an_erasure_cut_short_is_finished_at_the_next_start(house, monkeypatch):
    def died(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "remove_pages", died)
        with pytest.raises(KeyboardInterrupt):
            house.erase()
    assert house.store.get([BAD])
    assert erasure.apply_erasures(house.state, house.store, house.folder, CLOCK) == 2
    assert (house.store.get([BAD]), list(Spool(house.folder / "spool").waiting())) == ({}, [])
    assert erasure.apply_erasures(house.state, house.store, house.folder, CLOCK) == 0


def test_an_older_backup_does_not_bring_the_erased_back(house, tmp_path):
    copy = maintenance.backup(house.folder, tmp_path / "copy.tar", clock=CLOCK)
    house.erase()
    house.store.close()
    house.state.close()
    maintenance.restore(copy, house.folder, clock=CLOCK, force=True)
    prepare(TOLD, house.folder, CLOCK)
    with closing(open_store(house.folder, StoreTable(), clock=CLOCK, read_only=True)) as store:
        assert [mention.uid for mention in store.scan(EVERYTHING)] == [GOOD]
    assert list(Spool(house.folder / "spool").waiting()) == []


def letter(subject: str, number: int, state: OutboxState, payload: bytes = b"words", composed: datetime = NOW) -> dict:
    return {
        "subject": subject, "number": number, "receiver": "pr", "notifier": "email", "kind": "up", "state": state.value,
        "message_id": f"<{subject}-{number}@sturmwarte>", "payload": payload,
        "composed": composed, "next_try": composed,
    }  # fmt: skip


def test_messages_that_quote_the_erased_lose_their_words_and_are_not_sent(house):
    link = f"http://localhost/mentions/{BAD[:9]}=\r\n{BAD[9:]}".encode()
    member, other = "incident:1", "incident:2"
    early = NOW - timedelta(days=1)
    voices = [{"uid": uid, "quote": "Quittenbrot", "why": "earliest"} for uid in (BAD, GOOD)]
    with house.state.begin() as connection:
        for uid, number in ((BAD, 1), (GOOD, 2)):
            connection.execute(sa.insert(incident_member).values(incident=number, uid=uid, since=NOW))
        letters = [
            letter(member, 1, OutboxState.SENT),
            letter(member, 2, OutboxState.READY),
            letter(member, 3, OutboxState.HELD),
            letter(member, 4, OutboxState.SENT, composed=early),
            letter(other, 1, OutboxState.SENT, link),
            letter(other, 2, OutboxState.READY, f"http://localhost/mentions/{GOOD}".encode()),
        ]
        connection.execute(sa.insert(outbox), letters)
        facts = {"kind": "up", "facts": {"voices": voices}, "extra": {"mentions": voices}}
        more = {"held_for": "silence", "created": NOW, "facts": facts}
        key = {"subject": member, "number": 9, "receiver": "pr", "notifier": "email", "kind": "up"}
        connection.execute(sa.insert(pending_message).values(**key, **more))
    house.erase()
    good = [voices[1]]
    assert house.rows(outbox.c.subject, outbox.c.number, outbox.c.state, outbox.c.payload, outbox.c.last_error) == [
        (member, 1, "sent", b"", ""),
        (member, 2, "failed", b"", WITHDRAWN),
        (member, 3, "failed", b"", WITHDRAWN),
        (member, 4, "sent", b"words", ""),
        (other, 1, "sent", b"", ""),
        (other, 2, "ready", letters[5]["payload"], ""),
    ]
    noted = house.rows(journal.c.kind, journal.c.number, journal.c.text, journal.c.at)
    assert noted == [("failed", 2, WITHDRAWN, NOW), ("failed", 3, WITHDRAWN, NOW)]
    assert house.rows(pending_message.c.facts) == [
        ({"kind": "up", "facts": {"voices": good}, "extra": {"mentions": good}},)
    ]


def test_the_erased_leave_the_quarantine_also_after_a_death(house):
    spool = Spool(house.folder / "spool")
    bad, good = (msgspec.Raw(msgspec.json.encode(replace(item(number, "", ""), author=None))) for number in (1, 2))
    records = [bad, good, msgspec.Raw(b"{}")]
    spool.quarantine([Quarantined(at=NOW, reason="broken", record=record) for record in records])
    assert spool.quarantined() == {BAD, GOOD}
    house.erase()
    assert (spool.quarantined(), spool.sizes()) == ({GOOD}, (0, 2))
    spool.quarantine([Quarantined(at=NOW, reason="broken", record=bad)])
    assert erasure.apply_erasures(house.state, house.store, house.folder, CLOCK) == 1
    assert (spool.quarantined(), spool.sizes()) == ({GOOD}, (0, 2))
