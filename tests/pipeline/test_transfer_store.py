"""A whole store moved to another file: everything arrives, nothing else is touched, and it may be interrupted."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from building import NOON, mention, uid
from moving import contents, fill, whole_copy
from msgspec.structs import replace

from pipeline.clock import ManualClock
from pipeline.query.tree import EVERYTHING
from pipeline.store import transfer
from pipeline.store.copying import Compared, CopyRefused, copy
from pipeline.store.protocol import Store, StoreError
from pipeline.store.sqlite.store import SqliteStore
from pipeline.store.transfer import Checksum, Kept, Record


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON + timedelta(hours=6))


@pytest.fixture
def source(tmp_path: Path, clock: ManualClock) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "source.db", clock=clock)) as store:
        yield store


@pytest.fixture
def target(tmp_path: Path, clock: ManualClock) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "target.db", clock=clock)) as store:
        yield store


@pytest.mark.parametrize("seed", range(5))
def test_everything_goes_over(source: SqliteStore, target: SqliteStore, clock: ManualClock, seed: int) -> None:
    fill(source, clock, seed=seed)
    outcome = whole_copy(source, target, clock)
    assert contents(target) == contents(source)
    assert outcome.mentions == source.count(EVERYTHING)[0] > 50
    assert sum(part.source.revisions for part in outcome.parts) > outcome.mentions
    assert [part.part for part in outcome.parts][:2] == ["erased", "aliases"]
    months = [part.part for part in outcome.parts][2:]
    assert months == sorted(months, reverse=True) and len(months) >= 3
    assert list(target.scan(EVERYTHING)) == list(source.scan(EVERYTHING))
    for each in source.scan(EVERYTHING):
        assert target.history(each.uid) == source.history(each.uid)
        for back in (timedelta(minutes=1), timedelta(minutes=7), timedelta(minutes=15)):
            then = clock.now() - back
            assert target.get([each.uid], as_of=then) == source.get([each.uid], as_of=then)
    assert target.stories([uid(n) for n in range(60)]) == source.stories([uid(n) for n in range(60)])
    assert target.check() == []


def test_what_is_erased_is_barred_at_the_target_too(
    source: SqliteStore, target: SqliteStore, clock: ManualClock
) -> None:
    source.write([mention("a"), mention("b")])
    source.erase([uid("a")], "asked for")
    whole_copy(source, target, clock)
    assert target.write([mention("a")]).refused == ((uid("a"), "erased"),)
    with closing(sqlite3.connect(target.path)) as connection:
        assert connection.execute("SELECT lower(hex(uid)), reason FROM erased").fetchall() == [(uid("a"), "asked for")]


def test_what_the_target_has_erased_does_not_come_back(source: SqliteStore, tmp_path: Path, clock: ManualClock) -> None:
    source.write([mention("a"), mention("b"), mention("c")])
    source.note_signatures({uid("a"): [1], uid("b"): [1], uid("c"): [1]}, 2968)
    path = tmp_path / "barring.db"
    with closing(SqliteStore(path, clock=clock, erased=lambda uids: {uid("c")}.intersection(uids))) as target:
        target.erase([uid("a")], "asked for here")
        outcome = whole_copy(source, target, clock)
        assert [m.uid for m in target.scan(EVERYTHING)] == [uid("b")]
        assert target.story_of({"x": [1]}, 2968) == {"x": [uid("b")]}
        assert [(p.part, p.barred) for p in outcome.parts] == [("erased", 0), ("2026-11", 2)]
        assert outcome.mentions == 1


def test_a_month_is_that_of_the_event_in_utc() -> None:
    last = datetime(2026, 10, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert transfer.month_of(last) == "2026-10"
    assert transfer.month_of(last + timedelta(microseconds=1)) == "2026-11"
    assert transfer.bounds("2026-10") == (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
    assert transfer.bounds("2026-12")[1] == datetime(2027, 1, 1, tzinfo=UTC)
    assert transfer.month_of(datetime(1969, 7, 20, tzinfo=UTC)) == transfer.FIRST_MONTH
    assert transfer.bounds(transfer.FIRST_MONTH)[0] is None


@pytest.mark.parametrize("month", ["1970-01", "1970-02", "2026-10", "2026-11", "2027-02"])
def test_every_week_belongs_to_one_month(month: str) -> None:
    first, end = transfer.weeks(month)
    assert transfer.month_of_week(end - 1) == month
    assert transfer.month_of_week(end) > month
    if month != transfer.FIRST_MONTH:
        assert transfer.month_of_week(first) == month
        assert transfer.month_of_week(first - 1) < month


def test_times_before_1970_move_as_well(source: SqliteStore, target: SqliteStore, clock: ManualClock) -> None:
    source.write([mention("old", at=datetime(1969, 7, 20, tzinfo=UTC)), mention("a"), mention("b", at=NOON)])
    outcome = whole_copy(source, target, clock)
    assert [part.part for part in outcome.parts] == ["2026-11", "1970-01"]
    assert contents(target) == contents(source)


def test_a_checksum_knows_no_order_and_sees_every_change() -> None:
    one = Kept(mention=mention("a"), first_known=NOON)
    two = Kept(mention=mention("b"), first_known=NOON)

    def checksum(*records: Record) -> Checksum:
        made = Checksum()
        for record in records:
            made.add(record)
        return made

    assert checksum(one, two) == checksum(two, one)
    assert checksum(one, one) != checksum()
    assert checksum(one, two) != checksum(one, replace(two, first_known=NOON + timedelta(microseconds=1)))
    assert checksum(one) != checksum(Kept(mention=mention("a", text="anders"), first_known=NOON))
    assert (checksum(one, two).mentions, checksum(one, two).revisions) == (2, 2)


# --- interrupted --------------------------------------------------------------------------------------------------


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


@pytest.mark.parametrize("after", [1, 40, 70])
def test_a_copy_that_died_goes_on(source: SqliteStore, target: SqliteStore, clock: ManualClock, after: int) -> None:
    fill(source, clock)
    interrupted(source, target, clock, after)
    for write in (
        lambda: target.write([mention("new")]),
        lambda: target.erase([uid(7)], "x"),
        lambda: target.join_stories(uid(5), uid(6)),
        lambda: target.purge(NOON),
    ):
        with pytest.raises(StoreError, match=r"unfinished copy of sqlite .*source\.db.*sturmwarte store copy"):
            write()
    assert "unfinished copy" in target.check()[0]
    with pytest.raises(StoreError, match="unfinished copy"):
        transfer.refuse_half_a_copy(target)
    there = set(target.transfer().parts())
    outcome = whole_copy(source, target, clock)
    assert contents(target) == contents(source)
    assert target.check() == []
    assert {part.part for part in outcome.parts if not part.copied} <= there
    assert len(target.write([mention("new")]).created) == 1


def test_months_that_agree_are_skipped(source: SqliteStore, target: SqliteStore, clock: ManualClock) -> None:
    fill(source, clock)
    interrupted(source, target, clock, 60)
    again = {part.part: part.copied for part in whole_copy(source, target, clock).parts}
    newest = max(part for part in again if part[0].isdigit())
    assert again[newest] is False
    assert True in [copied for part, copied in again.items() if part[0].isdigit()]


def test_what_has_changed_since_the_interruption_is_brought_up_to_date(
    source: SqliteStore, target: SqliteStore, clock: ManualClock
) -> None:
    fill(source, clock)
    interrupted(source, target, clock, 100)
    clock.advance(minutes=5)
    fill(source, clock, seed=99)
    source.erase([uid(10), uid(11)], "later")
    source.purge(NOON - timedelta(days=60))
    whole_copy(source, target, clock)
    assert contents(target) == contents(source)
    assert target.check() == []


def test_a_source_that_is_written_meanwhile_is_not_whole(
    source: SqliteStore, target: SqliteStore, clock: ManualClock
) -> None:
    fill(source, clock)
    clock.advance(seconds=1)
    told: list[Compared] = []

    def write_more(part: Compared) -> None:
        if not told:
            source.write([mention("meanwhile", at=NOON)])
        told.append(part)

    outcome = copy(source, target, clock=clock, compared=write_more)
    assert (outcome.source_changed, outcome.whole) == (True, False)
    with pytest.raises(StoreError, match="unfinished copy"):
        target.write([mention("new")])
    whole_copy(source, target, clock)
    assert contents(target) == contents(source)


@pytest.mark.parametrize("change", ["revised", "erased"])
def test_what_changes_or_goes_at_the_source_meanwhile_is_copied_by_the_next_run(
    source: SqliteStore, target: SqliteStore, clock: ManualClock, change: str
) -> None:
    source.write([mention("a", at=NOON), mention("b", at=NOON)])
    clock.advance(seconds=1)

    def meddle(part: Compared) -> None:
        if change == "erased":
            source.erase([uid("a")], "meanwhile")
        else:
            assert source.delete_at_source(uid("a"), clock.now())

    outcome = copy(source, target, clock=clock, compared=meddle)
    assert (outcome.source_changed, outcome.whole) == (True, False)
    whole_copy(source, target, clock)
    assert contents(target) == contents(source)


# --- refused ------------------------------------------------------------------------------------------------------


def test_a_target_with_other_data_is_refused_and_left_alone(
    source: SqliteStore, target: SqliteStore, clock: ManualClock
) -> None:
    source.write([mention("a")])
    target.write([mention("b")])
    before = contents(target)
    with pytest.raises(CopyRefused, match="holds data already"):
        copy(source, target, clock=clock)
    assert contents(target) == before
    assert len(target.write([mention("c")]).created) == 1


def test_a_finished_copy_is_data_like_any_other(source: SqliteStore, target: SqliteStore, clock: ManualClock) -> None:
    source.write([mention("a")])
    whole_copy(source, target, clock)
    with pytest.raises(CopyRefused, match="holds data already"):
        copy(source, target, clock=clock)


def test_a_copy_of_another_store_is_not_gone_on_with(
    source: SqliteStore, target: SqliteStore, tmp_path: Path, clock: ManualClock
) -> None:
    fill(source, clock)
    interrupted(source, target, clock, 1)
    with closing(SqliteStore(tmp_path / "third.db", clock=clock)) as third:
        with pytest.raises(CopyRefused, match=r"unfinished copy of sqlite .*source\.db"):
            copy(third, target, clock=clock)
        with pytest.raises(CopyRefused, match="itself an unfinished copy"):
            copy(target, third, clock=clock)
    with pytest.raises(CopyRefused, match="the same store"):
        copy(source, source, clock=clock)


def test_a_file_of_another_analysis_takes_nothing(source: SqliteStore, target: SqliteStore, clock: ManualClock) -> None:
    source.write([mention("a")])
    with closing(sqlite3.connect(target.path)) as connection, connection:
        connection.execute("UPDATE meta SET value = '0' WHERE key = 'analysis_version'")
    with pytest.raises(StoreError, match="sturmwarte store reindex"):
        copy(source, target, clock=clock)
