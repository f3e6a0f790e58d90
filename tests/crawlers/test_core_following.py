"""Looking again at pages that carried mentions: edits, deletions, walls, and what is remembered of it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from crawlers import following
from crawlers.following import Followed, Revisit
from crawlers.parsing import Links, Parsed, ParsedItem
from pipeline.identity import uid_of
from pipeline.state.tables import removal, revisit
from pipeline.words import Answer, Kind, Reading


def page_of(*ids: int, first: bool | None = None, more: bool = False) -> Parsed:
    items = tuple(ParsedItem(kind=Kind.POST, id=f"p{n}", text="x") for n in ids)
    links = Links(next=("http://a.example/2",)) if more else Links()
    return Parsed(state=Answer.OK, items=items, first_page=first, links=links)


def thing(number: int, thread: str | None = None) -> Followed:
    return Followed(f"p{number}", "a.example", f"/ p{number}", Kind.POST, "d", thread=thread)


@pytest.mark.parametrize(
    ("parsed", "gone"),
    [
        (page_of(4, 6), [5]),
        (page_of(4, 5, 6), []),
        (page_of(6, 7), []),  # it may stand on the page before by now
        (page_of(6, 7, first=True), [5]),
        (page_of(3, 4), [5]),  # it was the last of its thread
        (page_of(3, 4, more=True), []),
        (page_of(), []),
    ],
)
def test_only_neighbours_prove_that_something_is_gone(parsed: Parsed, gone: list[int]) -> None:
    found = following.vanished(Revisit("u", 0, (thing(5),)), parsed, None)
    assert [item.id for item in found] == [f"p{n}" for n in gone]


def test_another_thread_proves_nothing() -> None:
    there = Revisit("u", 0, (thing(5, "/ t1"),))
    assert list(following.vanished(there, page_of(4, 6), "/ t2")) == []
    assert [item.id for item in following.vanished(there, page_of(4, 6), "/ t1")] == ["p5"]


@pytest.fixture
def board(world: Any, pages: Any) -> Any:
    """A thread with three posts, whose spider follows what it gave."""
    plain = world.spiders["threads"]

    class Followable(plain):  # type: ignore[misc, valid-type]
        @staticmethod
        def parser(page: Any) -> Parsed:
            data = json.loads(page.body)
            parsed = plain.parser(page)
            texts = data.get("texts", {})
            items = [msgspec.structs.replace(one, text=texts.get(one.id, one.text)) for one in parsed.items]
            return msgspec.structs.replace(parsed, items=tuple(items), first_page=True)

        def shown_at(self, parsed_item: Any, response: Any) -> str:
            return str(response.url)

        def item_again(self, found: Any, parsed: Any, response: Any, *, first: bool) -> Any:
            native = f"/ {found.id}"
            return self.item(found, parsed, response, reading=Reading.FULL, native_id=native, thread="/ t1")

    world.spiders["threads"] = Followable
    world.site.pages |= {"/list": pages.listing({"t1": 3}), "/thread/t1": pages.posts(1, 2, 3)}
    world.visit()
    return world


def remembered(world: Any) -> list[Any]:
    with world.state.read() as connection:
        return list(connection.execute(sa.select(revisit)).all())


def later(world: Any, **span: float) -> None:
    world.clock.advance(**span)
    world.site.asked.clear()
    world.visit()


def item(world: Any, number: int) -> Any:
    return world.pipeline.items[uid_of(world.site.host, f"/ p{number}")]


def test_pages_with_mentions_are_looked_at_after_hours_a_week_and_a_month(board: Any) -> None:
    (row,) = remembered(board)
    wait = row.due - board.clock.now()
    assert row.page.endswith("/thread/t1") and timedelta(hours=3.9) < wait < timedelta(hours=6)
    later(board, hours=3)
    assert "/thread/t1" not in board.site.paths()
    for span, step in ((timedelta(hours=4), 1), (timedelta(days=7, hours=1), 2)):
        later(board, seconds=span.total_seconds())
        assert board.site.paths().count("/thread/t1") == 1 and remembered(board)[0].step == step
    later(board, days=31)
    assert board.site.paths().count("/thread/t1") == 1 and remembered(board) == []


def test_what_became_no_mention_is_not_followed(world: Any, board: Any) -> None:
    with world.state.begin() as connection:
        connection.execute(sa.delete(revisit))
    world.pipeline.known = lambda uids: {uid: False for uid in uids if uid == uid_of(world.site.host, "/ p2")}
    world.site.pages["/list"] = world.site.pages["/list"]
    with world.state.begin() as connection:
        from pipeline.state.tables import thread_cursor

        connection.execute(sa.delete(thread_cursor))
    world.visit()
    assert [one[0] for one in remembered(world)[0].items] == ["p2"]


def test_an_edit_gives_the_same_item_with_its_new_text(board: Any, pages: Any) -> None:
    body = {"posts": [1, 2, 3], "texts": {"p2": "Nachgetragen: der Techniker kam doch."}}
    board.site.pages["/thread/t1"] = pages.reply(json.dumps(body).encode())
    before = sum(board.pipeline.batches)
    later(board, hours=7)
    assert item(board, 2).text == "Nachgetragen: der Techniker kam doch."
    assert sum(board.pipeline.batches) == before + 1 and not item(board, 2).deleted


def test_what_is_gone_from_between_its_neighbours_is_deleted(board: Any, pages: Any) -> None:
    board.pipeline.own.add(uid_of(board.site.host, "/ p2"))
    with board.state.begin() as connection:
        (row,) = connection.execute(sa.select(revisit.c["items"])).scalars()
        own = [[*one[:7], one[0] == "p2"] for one in row]
        connection.execute(sa.update(revisit).values(items=own))
    board.site.pages["/thread/t1"] = pages.posts(1, 3)
    later(board, hours=7)
    assert [item(board, n).deleted for n in (1, 2, 3)] == [False, True, False]
    with board.state.read() as connection:
        (noted,) = connection.execute(sa.select(removal)).all()
    assert (noted.source, noted.uid) == ("board", uid_of(board.site.host, "/ p2"))
    assert [one[0] for one in remembered(board)[0].items] == ["p1", "p3"]


@pytest.mark.parametrize("status", [404, 410])
def test_a_page_that_is_gone_takes_all_with_it(board: Any, pages: Any, status: int) -> None:
    board.site.pages["/thread/t1"] = pages.reply(b"", status)
    later(board, hours=7)
    assert all(item(board, n).deleted for n in (1, 2, 3)) and remembered(board) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 403),
        (b"", 429),
        (b"", 500),
        (b"<title>Just a moment...</title>", 200),
        (b'{"posts": []}', 200),
        (b"<html>a new layout</html>", 200),
    ],
)
def test_walls_challenges_and_new_layouts_delete_nothing(board: Any, pages: Any, body: bytes, status: int) -> None:
    board.site.pages["/thread/t1"] = pages.reply(body, status)
    later(board, hours=7)
    assert not any(item(board, n).deleted for n in (1, 2, 3))
    (row,) = remembered(board)
    assert row.step == 0 and row.due > board.clock.now() and board.row().last_answer is not None


def test_a_site_that_is_gone_as_a_whole_deletes_nothing(board: Any, pages: Any) -> None:
    board.site.pages |= {"/thread/t1": pages.reply(b"", 404), "/list": pages.reply(b"", 404)}
    later(board, hours=7)
    assert not any(item(board, n).deleted for n in (1, 2, 3)) and len(remembered(board)) == 1


def test_nothing_is_written_while_findings_are_not_durable(board: Any, pages: Any) -> None:
    board.site.pages["/thread/t1"] = pages.posts(1, 3)
    board.pipeline.broken = OSError("full")
    later(board, hours=7)
    assert remembered(board)[0].step == 0
    board.pipeline.broken = None
    later(board, hours=7)
    assert item(board, 2).deleted
