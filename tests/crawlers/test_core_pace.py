"""How often sources are visited: the adapted pace, event mode, silence, budgets of hosts, and turns among sources."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from crawlers import hosts, scheduling
from crawlers.fetches import OverBudget
from pipeline.state.sources import mark_late, set_hot
from pipeline.state.tables import source
from pipeline.words import Answer, SourceState

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def board(world: Any, pages: Any) -> Any:
    """A board whose one thread has a post a minute, 20 of them."""
    world.site.pages["/list"] = pages.listing({"t1": 20})
    world.site.pages["/thread/t1"] = pages.posts(*range(1, 21))
    return world


def set_row(world: Any, **values: Any) -> None:
    with world.state.begin() as connection:
        connection.execute(sa.update(source).values(**values))


def test_the_pace_follows_what_is_posted(board: Any) -> None:
    board.visit()
    row = board.row()
    assert (row.gap, row.newest_at) == (timedelta(minutes=1), datetime(2026, 11, 20, 12, 20, tzinfo=UTC))
    quiet = row.last_end - row.newest_at
    assert row.pace == pytest.approx(quiet / 8, abs=timedelta(seconds=1))
    assert abs((row.next_due - row.last_start) / row.pace - 1) <= 0.101


def test_an_interval_of_the_configuration_is_fixed(board: Any) -> None:
    board.visit()
    assert board.row().pace is not None
    board.sources["board"]["interval"] = "7m"
    board.visit()
    row = board.row()
    assert (row.pace, row.in_force, row.gap) == (None, timedelta(minutes=7), timedelta(minutes=1))


def test_lateness_goes_by_the_pace_in_force(board: Any) -> None:
    board.visit()
    set_row(board, pace_s=3600.0)
    ended = board.row().last_ok
    with board.state.begin() as connection:
        assert mark_late(connection, ended + timedelta(hours=2, minutes=1)) == []
        assert mark_late(connection, ended + timedelta(hours=2, minutes=3)) == ["board"]


def test_event_mode_is_faster_for_a_window_and_due_at_once(board: Any) -> None:
    board.visit()
    until = board.clock.now() + timedelta(hours=2)
    with board.state.begin() as connection:
        assert set_hot(connection, "board", timedelta(seconds=30), until)
        assert not set_hot(connection, "nobody", timedelta(seconds=30), until)
    assert board.row().next_due <= board.clock.now()
    board.visit()
    row = board.row()
    assert row.next_due - row.last_start <= timedelta(seconds=34)
    assert row.every(until) == row.pace
    with board.state.begin() as connection:
        set_hot(connection, "board", None, None)
    assert board.row().every(row.last_start) == row.pace


def test_a_source_that_has_fallen_silent_says_so(board: Any) -> None:
    board.visit()
    seen = {"items_seen": 200, "gap_s": 4 * 3600.0, "complete_from": NOW - timedelta(days=40)}
    set_row(board, newest_at=NOW - timedelta(days=9), **seen)
    report = board.visit()
    row = board.row()
    assert (report.complete, row.state) == (True, SourceState.LATE)
    assert row.reason == "nothing new for 9 days where something comes every 4 hours: is it still alive?"
    set_row(board, newest_at=NOW - timedelta(days=9), **(seen | {"gap_s": 2 * 86400.0}))
    assert board.visit().state is not SourceState.LATE


def test_entries_without_text_are_a_changed_layout(world: Any, pages: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import msgspec

    spider = world.spiders["threads"]
    plain = spider.parser

    def worse(page: Any) -> Any:
        parsed = plain(page)
        items = [msgspec.structs.replace(i, text="") if n % 3 == 0 else i for n, i in enumerate(parsed.items)]
        return msgspec.structs.replace(parsed, items=tuple(items))

    monkeypatch.setattr(spider, "parser", staticmethod(worse))
    world.site.pages |= {"/list": pages.listing({"t1": 12}), "/thread/t1": pages.posts(*range(12))}
    report = world.visit()
    assert (report.state, report.answer) == (SourceState.BLIND, Answer.LAYOUT_CHANGED)
    assert report.reason.startswith("4 of 12 entries have no text") and report.items == 12


# --- budgets ----------------------------------------------------------------------------------------------------


def test_a_budget_is_counted_by_the_hour(world: Any) -> None:
    for _ in range(3):
        with world.state.begin() as connection:
            hosts.spend(connection, "a:80", NOW, 3)
    with pytest.raises(OverBudget, match="a:80 gets 3 requests an hour"), world.state.begin() as connection:
        hosts.spend(connection, "a:80", NOW, 3)
    with world.state.begin() as connection:
        assert (hosts.spent(connection, "a:80", NOW), hosts.spent(connection, "b:80", NOW)) == (3, 0)
        hosts.spend(connection, "a:80", NOW + timedelta(hours=1), 3)


def test_a_host_over_its_budget_makes_sources_wait_and_loses_nothing(world: Any, pages: Any) -> None:
    world.crawl["budget"] = 6
    world.site.pages["/list"] = pages.listing({f"t{n}": n for n in range(1, 7)})
    world.site.pages |= {f"/thread/t{n}": pages.posts(n) for n in range(1, 7)}
    report = world.visit()
    row = world.row()
    assert (report.complete, report.answer, report.items) == (False, Answer.RATE_LIMITED, 3)
    assert "gets 6 requests an hour" in row.reason and len(world.site.asked) == 6
    assert (row.failures, row.next_due) == (0, hosts.hour(world.clock.now()) + timedelta(hours=1))
    for _ in range(3):
        assert world.visit().state is not SourceState.BLIND
    world.clock.advance(hours=1)
    assert world.visit().complete
    assert world.pipeline.natives == [f"/ p{n}" for n in range(1, 7)]


def test_who_waited_longest_is_next_when_a_budget_is_there_again(world: Any) -> None:
    world.sources |= {name: {"spider": "threads", "url": f"{world.site.url}/{name}"} for name in "ab"}
    world.run("a")
    with world.state.begin() as connection:
        for name, ok in (("a", 1), ("b", 3), ("board", 2)):
            values = {"next_due": NOW, "last_ok": NOW - timedelta(hours=ok)}
            connection.execute(sa.update(source).where(source.c.id == name).values(**values))
        rows = scheduling.claim(connection, "one", NOW, timedelta(minutes=2), limit=9)
    assert [row.id for row in rows] == ["b", "board", "a"]


def test_sources_of_one_host_leave_room_for_others(world: Any) -> None:
    world.sources |= {f"a{n}": {"spider": "threads", "url": f"http://a.example/{n}"} for n in range(40)}
    world.sources |= {"z": {"spider": "threads", "url": "http://z.example/"}}
    world.run("board")
    with world.state.begin() as connection:
        connection.execute(sa.update(source).values(next_due=NOW))
        held: dict[str, Any] = {"without": ["a0", "a1"], "busy": ["a.example:80"] * 2, "per_host": 2}
        rows = scheduling.claim(connection, "one", NOW, timedelta(minutes=2), limit=3, **held)
        assert [row.id for row in rows] == ["board", "z"]
        more = scheduling.claim(connection, "one", NOW, timedelta(minutes=2), limit=8, per_host=2)
    assert [row.id for row in more] == ["a0", "a1"]
