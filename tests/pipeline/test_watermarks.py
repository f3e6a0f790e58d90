"""Watermarks with several spools: none runs ahead of what waits on another machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline.build import build_pipeline
from pipeline.clock import ManualClock
from pipeline.configuration import Configuration, StateTable, StoreTable
from pipeline.item import Item, Published
from pipeline.query.tree import EVERYTHING
from pipeline.run import Pipeline
from pipeline.secrets import KEY_FILE
from pipeline.state.database import State
from pipeline.state.opening import open_state
from pipeline.state.tables import lease, source
from pipeline.state.watermarks import SPAN, Watermarks
from pipeline.store.opening import open_store
from pipeline.store.protocol import Store, StoreError
from pipeline.words import Channel, Kind, Precision, Reading

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TOLD = Configuration.model_validate(
    {
        "contact": "test@example.org",
        "brands": {"nordnetz": {"name": "Nordnetz"}},
        "sources": {"forum": {"spider": "phpbb", "url": "https://forum.example/"}},
    }
)


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
        text=text,
        author="Elif",
        published=Published(at=NOW - 10 * MINUTE, precision=Precision.MINUTE),
    )


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def state(tmp_path: Path, state_table: StateTable | None) -> Iterator[State]:
    """One source, called like the beginning of another, that has not been read yet."""
    opened = open_state(tmp_path, state_table)
    known = {"spider": "phpbb", "channel": "forum", "state": "learning", "state_since": NOW, "next_due": NOW}
    rows = [{"id": name, "url": f"https://{name}.example/", "interval_s": 600.0, **known} for name in ("for", "forum")]
    with opened.begin() as connection:
        connection.execute(sa.insert(source), [{**row, "cursor": {}} for row in rows])
    yield opened
    opened.close()


def mark(state: State, name: str = "forum") -> datetime | None:
    with state.read() as connection:
        found: datetime | None = connection.scalar(sa.select(source.c.watermark).where(source.c.id == name))
        return found


def test_a_watermark_never_moves_back(state: State, clock: ManualClock) -> None:
    marks = Watermarks(state, clock, lambda: "here")
    marks.move("forum", NOW)
    marks.move("forum", NOW - MINUTE)
    assert mark(state) == NOW


def test_a_spool_elsewhere_keeps_back_the_sources_that_it_holds_and_no_others(state: State, clock: ManualClock) -> None:
    here, there = (Watermarks(state, clock, lambda name=name: name) for name in ("here", "there"))
    there.hold(["forum", "blog_%"])
    there.hold(["forum"])
    here.move("forum", NOW)
    here.move("for", NOW)
    assert (mark(state), mark(state, "for")) == (None, NOW)
    there.move("forum", NOW - MINUTE)  # its own spool it knows better
    assert mark(state) == NOW - MINUTE
    there.let_go()
    here.move("forum", NOW)
    assert mark(state) == NOW
    with state.read() as connection:
        assert connection.execute(sa.select(lease)).all() == []


def test_a_lost_spool_keeps_nothing_back_for_ever(state: State, clock: ManualClock) -> None:
    Watermarks(state, clock, lambda: "lost").hold(["forum"])
    clock.advance(seconds=SPAN.total_seconds())
    Watermarks(state, clock, lambda: "here").move("forum", NOW)
    assert mark(state) == NOW


class Machine:
    """One crawler with a data folder of its own; ``down``: it cannot reach the store."""

    def __init__(self, folder: Path, store: Store, state: State, clock: ManualClock) -> None:
        folder.mkdir()
        (folder / KEY_FILE).write_text("0a" * 32)
        self.down, self._store = False, store
        self.pipeline: Pipeline = build_pipeline(TOLD, store, state, folder=folder, clock=clock)
        self.pipeline.store = self  # type: ignore[assignment]

    def write(self, mentions: object) -> object:
        if self.down:
            raise StoreError("no way to the store from here")
        return self._store.write(mentions)  # type: ignore[arg-type]

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


def test_what_waits_on_one_machine_is_stored_before_another_moves_the_watermark(
    state: State, clock: ManualClock, tmp_path: Path
) -> None:
    with closing(open_store(tmp_path, StoreTable(), clock=clock)) as store:
        left, right = (Machine(tmp_path / name, store, state, clock) for name in ("left", "right"))
        left.down = True
        assert left.pipeline.feed([item(1, "Nordnetz ist eine Katastrophe.")]).spooled == 1
        assert right.pipeline.feed([item(2, "Nordnetz ist schon wieder weg.")]).stored == 1
        right.pipeline.spool_watermark("forum", NOW)
        assert mark(state) is None
        left.down = False
        assert left.pipeline.drain() == 1
        right.pipeline.spool_watermark("forum", NOW)
        assert mark(state) == NOW
        assert len(list(store.scan(EVERYTHING))) == 2


def test_a_death_between_the_word_and_the_spool_is_made_good_at_the_next_start(
    state: State, clock: ManualClock, tmp_path: Path
) -> None:
    with closing(open_store(tmp_path, StoreTable(), clock=clock)) as store:
        left = Machine(tmp_path / "left", store, state, clock).pipeline
        Watermarks(state, clock, lambda: left.spool.name).hold(["forum"])
        left.drain()
        Watermarks(state, clock, lambda: "right").move("forum", NOW)
        assert mark(state) == NOW


def test_what_could_not_be_let_go_is_let_go_at_the_next_look(state: State, clock: ManualClock, tmp_path: Path) -> None:
    with closing(open_store(tmp_path, StoreTable(), clock=clock)) as store:
        left = Machine(tmp_path / "left", store, state, clock)
        left.down = True
        left.pipeline.drain()
        left.pipeline.feed([item(1, "Nordnetz ist eine Katastrophe.")])
        left.down, let_go = False, left.pipeline._let_go
        left.pipeline._settled = True  # as in another process that shares the folder

        def away() -> None:
            raise OSError("the state database is away")

        left.pipeline._let_go = away
        with pytest.raises(OSError, match="away"):
            left.pipeline.drain()
        left.pipeline._let_go = let_go
        left.pipeline.drain()
        Watermarks(state, clock, lambda: "right").move("forum", NOW)
        assert mark(state) == NOW
