"""What lies in quarantine is told and tried again: what goes through leaves it, everything else stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from building import mention

from pipeline.build import build_pipeline
from pipeline.clock import ManualClock
from pipeline.configuration import Configuration, StoreTable
from pipeline.draft import Draft
from pipeline.identity import uid_of
from pipeline.item import Item, Published
from pipeline.quarantine import entries, retry
from pipeline.query.tree import EVERYTHING
from pipeline.run import Pipeline
from pipeline.spool import Quarantined, Waiting
from pipeline.state.opening import open_state
from pipeline.store.opening import open_store
from pipeline.store.protocol import REJECTED, StoreError, Written
from pipeline.words import Channel, Kind, Precision, Reading

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOLD = Configuration.model_validate({"contact": "test@example.org", "brands": {"nordnetz": {"name": "Nordnetz"}}})


def item(number: int, text: str) -> Item:
    return Item(
        source="forum",
        platform="phpbb",
        channel=Channel.FORUM,
        kind=Kind.POST,
        reading=Reading.FULL,
        origin="forum.example",
        native_id=f"/ p{number}",
        fetched=NOW,
        url=f"https://forum.example/p{number}",
        text=text,
        author="Elif",
        published=Published(at=NOW - timedelta(minutes=10), precision=Precision.MINUTE),
    )


class Breaking:
    """A step that cannot take some texts, until it is mended."""

    name = "breaking"

    def __init__(self) -> None:
        self.mended = False

    def __call__(self, drafts: list[Draft]) -> list[Draft]:
        for draft in drafts:
            if "kaputt" in draft.item.text and not self.mended:
                raise ValueError("cannot take this text")
        return drafts


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def breaking() -> Breaking:
    return Breaking()


@pytest.fixture
def pipeline(tmp_path: Path, clock: ManualClock, breaking: Breaking) -> Iterator[Pipeline]:
    with closing(open_state(tmp_path)) as state, closing(open_store(tmp_path, StoreTable(), clock=clock)) as store:
        built = build_pipeline(TOLD, store, state, folder=tmp_path, clock=clock)
        built.steps = (breaking, *built.steps)
        yield built


def texts(pipeline: Pipeline) -> set[str]:
    return {found.crawled.text for found in pipeline.store.scan(EVERYTHING)}


def test_entries_say_when_why_and_what(pipeline: Pipeline) -> None:
    pipeline.feed([item(1, "Nordnetz ist kaputt."), item(2, "Nordnetz läuft.")])
    [entry] = entries(pipeline.spool)
    assert (entry.at, entry.reason) == (NOW, "ValueError('cannot take this text')")
    assert entry.uid == uid_of("forum.example", "/ p1")
    assert (entry.source, entry.url) == ("forum", "https://forum.example/p1")
    assert isinstance(entry.thing, Item) and entry.thing.author is None


def test_what_goes_through_leaves_the_quarantine(pipeline: Pipeline, breaking: Breaking) -> None:
    pipeline.feed([item(1, "Nordnetz ist kaputt."), item(2, "Nordnetz läuft."), item(3, "Alles kaputt hier.")])
    assert pipeline.spool.sizes() == (0, 2)
    first = retry(pipeline)
    assert (first.stored, [reason for _, reason in first.left]) == (0, ["ValueError('cannot take this text')"] * 2)
    assert pipeline.spool.sizes() == (0, 2)
    assert [entry.at for entry in entries(pipeline.spool)] == [NOW, NOW]
    breaking.mended = True
    told: list[int] = []
    second = retry(pipeline, tried=told.append)
    assert (second.stored, second.ignored, second.left, told) == (1, 1, (), [1, 1])
    assert texts(pipeline) == {"Nordnetz läuft.", "Nordnetz ist kaputt."}
    assert pipeline.spool.sizes() == (0, 0)
    assert list(entries(pipeline.spool)) == []
    assert retry(pipeline).stored == 0


def test_copies_are_found_among_what_is_tried_again(pipeline: Pipeline, breaking: Breaking) -> None:
    long = "Nordnetz ist seit heute früh wieder einmal kaputt und niemand weiß warum das so ist"
    pipeline.feed([item(1, long), item(2, long + " leider")])
    breaking.mended = True
    assert retry(pipeline).stored == 2
    first, second = (pipeline.store.get([uid_of("forum.example", f"/ p{n}")]).popitem()[1] for n in (1, 2))
    assert (second.is_copy, second.story) == (True, first.uid)


def test_mentions_and_lines_of_the_spool_are_tried_as_well(pipeline: Pipeline) -> None:
    waiting = msgspec.json.encode(Waiting(mention=mention("a", text="Nordnetz war weg."))).decode()
    records = [
        msgspec.json.encode(mention("b", text="Nordnetz ist da.", author=None)),
        msgspec.json.encode(waiting),
        msgspec.json.encode("{'no': 'json'}\n"),
        b'{"what":"is this"}',
    ]
    pipeline.spool.quarantine([Quarantined(at=NOW, reason="then", record=msgspec.Raw(r)) for r in records])
    told = retry(pipeline)
    assert told.stored == 2
    assert [(entry.uid, reason) for entry, reason in told.left] == [("", "then"), ("", "then")]
    assert texts(pipeline) == {"Nordnetz war weg.", "Nordnetz ist da."}
    assert pipeline.spool.sizes() == (0, 2)


def test_what_the_store_rejects_again_stays(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    record = msgspec.Raw(msgspec.json.encode(item(1, "Nordnetz läuft.")))
    pipeline.spool.quarantine([Quarantined(at=NOW, reason="before", record=record)])

    def rejecting(mentions: Any) -> Written:
        return Written(refused=tuple((m.uid, f"{REJECTED}too large") for m in mentions))

    with monkeypatch.context() as patch:
        patch.setattr(pipeline.store, "write", rejecting)
        [(_, reason)] = retry(pipeline).left
    assert reason == f"{REJECTED}too large"
    assert retry(pipeline).stored == 1


def test_what_was_erased_meanwhile_leaves_the_quarantine_unstored(pipeline: Pipeline, breaking: Breaking) -> None:
    pipeline.feed([item(1, "Nordnetz ist kaputt.")])
    pipeline.store.erase([uid_of("forum.example", "/ p1")], "asked for")
    breaking.mended = True
    told = retry(pipeline)
    assert (told.stored, told.ignored, told.left) == (0, 1, ())
    assert texts(pipeline) == set()
    assert pipeline.spool.sizes() == (0, 0)


def test_while_the_store_is_away_nothing_is_lost(
    pipeline: Pipeline, breaking: Breaking, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline.feed([item(n, f"Nordnetz ist kaputt {n}.") for n in range(5)])
    breaking.mended = True
    write, left = pipeline.store.write, iter([1, 2])

    def failing(mentions: Any) -> Written:
        if next(left, None) is None:
            raise StoreError("the store is away")
        return write(mentions)

    with monkeypatch.context() as patch:
        patch.setattr(pipeline.store, "write", failing)
        with pytest.raises(StoreError, match="away"):
            retry(pipeline)
    assert pipeline.spool.sizes() == (0, 3)
    assert retry(pipeline).stored == 3
    assert len(texts(pipeline)) == 5
