"""Cursor, watermark and state after a visit; nothing is lost wherever it is broken off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from crawlers import ledger
from crawlers.service import NothingCrawled
from pipeline.state.sources import recent_fetches
from pipeline.state.tables import raw_page, thread_cursor, validator
from pipeline.words import Answer, SourceState

on_both_engines = pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def board(world: Any, pages: Any) -> Any:
    """A board with two threads."""
    world.site.pages |= {
        "/list": pages.listing({"a": 2, "b": 3}),
        "/thread/a": pages.posts(1, 2),
        "/thread/b": pages.posts(3),
    }
    return world


def marks(world: Any) -> dict[str, str]:
    with world.state.read() as connection:
        return {row.thread: row.last_item for row in connection.execute(sa.select(thread_cursor))}


def test_first_visit_reads_everything_and_sets_the_books(board: Any) -> None:
    before = board.clock.now()
    report = board.visit()
    row = board.row()
    assert (report.complete, report.items, report.state) == (True, 3, SourceState.HEALTHY)
    assert board.pipeline.natives == ["/ p1", "/ p2", "/ p3"]
    assert all(item.first_contact and item.watermark is None for item in board.pipeline.items.values())
    assert row.watermark is not None and row.watermark >= before
    assert row.watermark == row.first_contact_at == row.last_start
    assert (row.complete_from, row.cursor, row.items_seen) == (datetime(2026, 11, 1, tzinfo=UTC), {"threads": 2}, 3)
    assert row.next_due > board.clock.now() and row.worker is None and row.leased_until is None
    assert marks(board) == {"a": "p2", "b": "p3"}


@on_both_engines
def test_second_visit_reads_only_what_changed(board: Any, pages: Any) -> None:
    board.visit()
    first = board.row().watermark
    board.site.pages |= {"/list": pages.listing({"a": 4, "b": 3}), "/thread/a": pages.posts(1, 2, 4)}
    board.site.asked.clear()
    report = board.visit()
    assert board.site.paths() == ["/list", "/thread/a"]
    fresh = next(item for item in board.pipeline.items.values() if item.native_id == "/ p4")
    assert not fresh.first_contact and fresh.watermark == first
    assert report.watermark is not None and report.watermark > first


@on_both_engines
def test_a_moved_source_is_first_contact_again(board: Any, pages: Any) -> None:
    board.visit()
    before = board.row().watermark
    board.sources["board"]["url"] += "?moved"
    board.site.pages |= {"/list?moved": pages.listing({"c": 9}), "/thread/c": pages.posts(9)}
    assert board.visit().complete
    fresh = next(item for item in board.pipeline.items.values() if item.native_id == "/ p9")
    assert fresh.first_contact and fresh.watermark is None
    assert board.row().watermark > before


def test_a_lost_thread_keeps_watermark_and_cursor_but_not_what_was_read(board: Any, pages: Any) -> None:
    board.site.pages["/thread/b"] = pages.reply(b"broken", 500)
    report = board.visit()
    row = board.row()
    assert (report.complete, row.watermark, row.cursor, row.first_contact_at) == (False, None, {}, None)
    assert row.state is SourceState.BEHIND and "/thread/b" in row.reason
    assert marks(board) == {"a": "p2"}
    board.site.pages["/thread/b"] = pages.posts(3)
    board.site.asked.clear()
    assert board.visit().complete
    assert board.site.paths() == ["/list", "/thread/b"]
    assert board.row().state is SourceState.HEALTHY


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_thread_that_is_gone_counts_as_read(board: Any, pages: Any, status: int) -> None:
    board.site.pages["/thread/b"] = pages.reply(b"", status)
    assert board.visit().complete
    assert marks(board) == {"a": "p2", "b": "p3"}
    with board.state.read() as connection:
        by_url = {row.url: row.answer for row in recent_fetches(connection, "board")}
    assert by_url[f"{board.site.url}/thread/b"] in (Answer.GATED, Answer.ERROR)


def test_an_empty_list_where_posts_used_to_be_is_a_changed_layout(board: Any, pages: Any) -> None:
    board.visit()
    watermark = board.row().watermark
    board.site.pages["/list"] = pages.reply(b"{}")
    report = board.visit()
    assert (report.answer, report.state) == (Answer.LAYOUT_CHANGED, SourceState.BLIND)
    assert board.row().watermark == watermark


def test_a_wall_blinds_at_once_and_is_mended_by_a_good_visit(board: Any, pages: Any) -> None:
    good = board.site.pages["/list"]
    board.site.pages["/list"] = pages.reply(b"<title>Just a moment...</title>", 403)
    assert board.visit().state is SourceState.BLIND
    assert board.row().last_answer is Answer.CHALLENGE and board.pipeline.items == {}
    board.site.pages["/list"] = good
    assert board.visit().state is SourceState.HEALTHY


@on_both_engines
def test_errors_blind_at_the_third_time_and_back_off(board: Any, pages: Any) -> None:
    board.site.pages["/list"] = pages.reply(b"", 500)
    states = [board.visit().state for _ in range(3)]
    assert states == [SourceState.LEARNING, SourceState.LEARNING, SourceState.BLIND]
    row = board.row()
    assert row.failures == 3 and (row.next_due - row.last_start).total_seconds() > 0.9 * 8 * 300


def test_findings_that_are_not_durable_move_nothing(board: Any) -> None:
    board.pipeline.broken = OSError("disk full")
    report = board.visit()
    row = board.row()
    assert (report.applied, report.complete, row.cursor, row.watermark) == (False, False, {}, None)
    assert "disk full" in row.reason and marks(board) == {} and row.items_seen == 0
    board.pipeline.broken = None
    assert board.visit().complete and board.pipeline.natives == ["/ p1", "/ p2", "/ p3"]


def test_findings_that_are_not_durable_are_read_again_soon(board: Any) -> None:
    """The source is not at fault: it need not wait for its interval."""
    board.sources["board"]["interval"] = "6h"
    board.pipeline.broken = OSError("disk full")
    waits = []
    for _ in range(3):
        board.visit()
        row = board.row()
        waits.append((row.next_due - row.last_start) / timedelta(minutes=1))
    assert waits == [pytest.approx(minutes, rel=0.11) for minutes in (2, 4, 8)]
    board.pipeline.broken = None
    board.visit()
    assert board.row().next_due - board.row().last_start > timedelta(hours=5)


@on_both_engines
def test_spooled_is_enough_for_the_cursor_and_not_for_the_watermark(board: Any) -> None:
    board.pipeline.spooling = True
    report = board.visit()
    row = board.row()
    assert (row.cursor, row.watermark) == ({"threads": 2}, None)
    assert board.pipeline.spooled == [("board", report.watermark)]


class Killed(BaseException):
    """Stands for a death of the process at a step: nothing after it is done."""


@pytest.mark.parametrize("step", ["feed", "after feed", "marks", "values", "watermark"])
def test_death_at_any_step_loses_nothing_and_moves_no_cursor_early(
    board: Any, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*args: Any, **kwargs: Any) -> Any:
        raise Killed(step)

    with monkeypatch.context() as patch:
        if step in ("feed", "after feed"):
            patch.setattr(ledger.Ledger, "apply", die)
        if step == "feed":
            board.pipeline.broken = RuntimeError("killed")
        if step == "marks":
            patch.setattr(ledger, "_note_hole", die)
            patch.setattr(ledger.Ledger, "_write_marks", die)
        if step == "values":
            patch.setattr(ledger, "_progress", die)
        if step == "watermark":
            patch.setattr(board.pipeline, "spool_watermark", die)
        assert [report.applied for report in board.run()] == [False]
    row = board.row()
    if step == "watermark":
        assert (row.cursor, marks(board), row.watermark) == ({"threads": 2}, {"a": "p2", "b": "p3"}, None)
    else:
        assert (row.cursor, marks(board), row.watermark) == ({}, {}, None)
    board.pipeline.broken = None
    board.site.asked.clear()
    assert board.visit().complete
    assert board.pipeline.natives == ["/ p1", "/ p2", "/ p3"]
    assert board.row().watermark is not None


def test_a_spider_that_fails_becomes_a_reason(board: Any) -> None:
    class Failing(board.spiders["threads"]):  # type: ignore[misc,name-defined]
        def read_list(self, response: Any) -> Any:
            raise ZeroDivisionError("oops")

    board.spiders["threads"] = Failing
    report = board.visit()
    assert not report.complete and "ZeroDivisionError" in report.reason


def test_a_spider_that_fails_at_the_start_becomes_a_reason(board: Any) -> None:
    class Failing(board.spiders["threads"]):  # type: ignore[misc,name-defined]
        async def start(self) -> Any:
            raise ZeroDivisionError("oops")
            yield

    board.spiders["threads"] = Failing
    assert "ZeroDivisionError" in board.visit().reason


def test_unknown_spider_and_wrong_option_are_reasons(board: Any) -> None:
    board.sources["odd"] = {"spider": "nothing", "url": f"{board.site.url}/list"}
    board.sources["wrong"] = {"spider": "threads", "url": f"{board.site.url}/list", "colour": "red"}
    reasons = {report.source: report.reason for report in board.run()}
    assert "nothing" in reasons["odd"] and "colour" in reasons["wrong"] and reasons["board"] == ""


def test_a_full_page_of_items_goes_on_in_batches(world: Any, pages: Any) -> None:
    world.site.pages |= {"/list": pages.listing({"a": 1200}), "/thread/a": pages.posts(*range(1200))}
    assert world.visit().items == 1200
    assert sum(world.pipeline.batches) == 1200 and max(world.pipeline.batches) == 500


@on_both_engines
def test_not_modified_is_complete_and_validators_wait_for_a_complete_visit(board: Any, pages: Any) -> None:
    def listing(handler: Any) -> None:
        same = handler.headers.get("If-None-Match") == '"v1"'
        (pages.reply(b"", 304) if same else pages.reply(board_list, ETag='"v1"'))(handler)

    board_list = b'{"threads": {"a": 2, "b": 3}}'
    thread = board.site.pages["/thread/b"]
    board.site.pages |= {"/list": listing, "/thread/b": pages.reply(b"", 500)}
    board.visit()
    with board.state.read() as connection:
        assert connection.execute(sa.select(validator)).all() == []
    board.site.pages["/thread/b"] = thread
    board.visit()
    with board.state.read() as connection:
        assert connection.execute(sa.select(validator.c.etag)).scalars().all() == ['"v1"']
    before, board.site.asked[:] = board.row(), []
    report = board.visit()
    assert (report.complete, board.site.paths()) == (True, ["/list"])
    assert board.row().last_answer is Answer.NOT_MODIFIED and board.row().watermark > before.watermark
    assert board.row().cursor == before.cursor


@on_both_engines
def test_pages_are_kept_as_evidence(board: Any) -> None:
    from crawlers.raw import RawPages

    board.visit()
    (item,) = [item for item in board.pipeline.items.values() if item.native_id == "/ p3"]
    raw = RawPages(board.folder)
    assert raw.load(item.raw_sha256) == b'{"posts": [3]}'
    with board.state.begin() as connection:
        rows = connection.execute(sa.select(raw_page)).all()
        assert {row.url for row in rows} == {f"{board.site.url}{path}" for path in ("/list", "/thread/a", "/thread/b")}
        frozen = datetime(2200, 1, 1, tzinfo=UTC)
        keep = sa.update(raw_page).where(raw_page.c.sha256 == item.raw_sha256)
        connection.execute(keep.values(frozen_until=frozen, frozen_by="Erika"))
    future = datetime(2100, 1, 1, tzinfo=UTC)
    assert raw.purge(board.state, future, future) == 2
    assert raw.load(item.raw_sha256) is not None and len(list(raw.folder.glob("*/*.gz"))) == 1


def test_without_contact_nothing_is_crawled(board: Any) -> None:
    board.contact = ""
    with pytest.raises(NothingCrawled, match="contact"):
        board.run()
    assert board.site.asked == []


def test_unknown_source_is_named(board: Any) -> None:
    with pytest.raises(LookupError, match="baord"):
        board.run("baord")


def test_full_batches_reach_the_pipeline_though_few_items_are_in_process_at_once(world: Any, pages: Any) -> None:
    world.site.pages["/list"] = pages.listing({"a": 1_500})
    world.site.pages["/thread/a"] = pages.posts(*range(1, 1_501))
    assert world.visit().items == 1_500
    assert max(world.pipeline.batches) == 500 and sum(world.pipeline.batches) == 1_500
