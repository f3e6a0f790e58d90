"""The spool: what waits while the store is down."""

import os
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.item import Published
from pipeline.mention import Analysis, Crawled, Mention
from pipeline.spool import Quarantined, Spool, Waiting, Watermark
from pipeline.words import Channel, Kind, Reading

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def waiting(number: int, author: str | None = None) -> Waiting:
    uid = f"{number:032x}"
    crawled = Crawled(
        source="forum",
        reading=Reading.FULL,
        fetched=NOW,
        platform="phpbb",
        channel=Channel.FORUM,
        kind=Kind.POST,
        text=f"Text {number}",
        author=author,
    )
    return Waiting(
        mention=Mention(
            uid=uid,
            origin="forum.example",
            crawled=crawled,
            published=Published(),
            seen=NOW,
            event_time=NOW,
            fed_bin=NOW,
            analysis=Analysis(text_hash="", analyser="none", version=1),
            sources=("forum",),
            first_source="forum",
        )
    )


def drained(spool: Spool) -> tuple[list[str], list[tuple[str, int]]]:
    uids: list[str] = []
    marks: list[tuple[str, int]] = []
    spool.drain(lambda batch: uids.extend(m.uid for m in batch), lambda name, at: marks.append((name, len(uids))))
    return uids, marks


def test_what_waits_comes_back_in_order_and_watermarks_after_their_mentions(tmp_path):
    spool = Spool(tmp_path)
    spool.append([waiting(1), waiting(2), Watermark(source="forum", at=NOW)])
    spool.append([waiting(3)])
    assert spool.sizes() == (3, 0)
    uids, marks = drained(spool)
    assert uids == [f"{n:032x}" for n in (1, 2, 3)]
    assert marks == [("forum", 3)]
    assert spool.sizes() == (0, 0)


def test_many_short_visits_come_back_in_few_writes_and_with_the_newest_watermark_of_each_source(tmp_path):
    spool = Spool(tmp_path)
    for number in range(600):
        at = NOW + timedelta(seconds=number)
        spool.append([waiting(number), Watermark(source=("forum", "portal")[number % 2], at=at)])
    told: list[int | tuple[str, datetime]] = []
    spool.drain(lambda batch: told.append(len(batch)), lambda name, at: told.append((name, at)))
    newest = [(name, NOW + timedelta(seconds=n)) for name, n in (("forum", 498), ("portal", 497))]
    last = [(name, NOW + timedelta(seconds=n)) for name, n in (("portal", 599), ("forum", 598))]
    assert told == [500, *newest, 100, *last]


def test_a_drain_that_fails_loses_nothing(tmp_path):
    spool = Spool(tmp_path)
    spool.append([waiting(n) for n in range(3)])

    def refuse(batch):
        raise RuntimeError("store still down")

    with pytest.raises(RuntimeError):
        spool.drain(refuse, lambda name, at: None)
    assert len(drained(spool)[0]) == 3


def test_a_line_torn_by_a_death_was_never_acknowledged(tmp_path):
    spool = Spool(tmp_path)
    spool.append([waiting(1)])
    segment = spool.segments()[0]
    with segment.open("ab") as file:
        file.write(b'{"type":"mention","ment')
    spool.append([waiting(2)])
    assert drained(spool)[0] == [f"{n:032x}" for n in (1, 2)]


def test_a_full_disk_acknowledges_nothing_and_keeps_what_was_there(tmp_path, monkeypatch):
    spool = Spool(tmp_path)
    spool.append([waiting(1)])

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            spool.append([waiting(2)])
    assert drained(spool)[0] == [f"{1:032x}"]


def test_an_erased_person_leaves_the_spool_too(tmp_path):
    spool = Spool(tmp_path)
    spool.append([waiting(1, "a" * 32), waiting(2, "b" * 32), Watermark(source="forum", at=NOW)])
    assert spool.forget(lambda mention: mention.crawled.author == "a" * 32) == 1
    assert drained(spool) == ([f"{2:032x}"], [("forum", 1)])


def test_what_a_death_left_of_an_erasure_comes_not_back(tmp_path):
    spool = Spool(tmp_path)
    spool.append([waiting(1, "a" * 32), waiting(2, "b" * 32)])
    segment = spool.segments()[0]
    segment.with_suffix(".new").write_bytes(segment.read_bytes())
    assert spool.forget(lambda mention: mention.crawled.author == "a" * 32) == 1
    assert drained(spool)[0] == [f"{2:032x}"]


def test_the_quarantine_is_counted_apart(tmp_path):
    import msgspec

    spool = Spool(tmp_path)
    spool.quarantine([Quarantined(at=NOW, reason="ValueError('x')", record=msgspec.Raw(b"{}"))])
    assert spool.sizes() == (0, 1)


def test_a_line_of_another_release_is_put_aside_and_holds_up_nothing(tmp_path):
    spool = Spool(tmp_path)
    spool.append([waiting(1)])
    with spool.segments()[0].open("ab") as file:
        file.write(b'{"type":"mention","mention":{"uid":7}}\nno json at all\n')
    spool.append([waiting(2), Watermark(source="forum", at=NOW)])
    assert spool.forget(lambda mention: mention.uid == f"{1:032x}") == 1
    assert drained(spool) == ([f"{2:032x}"], [("forum", 1)])
    assert spool.sizes() == (0, 2)
