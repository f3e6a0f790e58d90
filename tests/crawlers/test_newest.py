"""Lists that are read newest first: whatever cuts a visit short, all of it is read in the end, and once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from crawlers.api import ApiSpider
from crawlers.newest import NewestFirst
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from pipeline.item import Published
from pipeline.words import Answer, Channel, Kind, Precision

SIZE = 5
AT = datetime(2026, 11, 22, 11, tzinfo=UTC)


def parse(page: PageFile) -> Parsed:
    told = json.loads(page.body)
    items = tuple(
        ParsedItem(
            kind=Kind.REVIEW,
            id=f"r{number}",
            text=text,
            published=Published(at=AT + timedelta(minutes=number - 100), precision=Precision.SECOND),
        )
        for number, text in told["rows"]
    )
    following = page.url.rpartition("/")[0] + told["next"] if told["next"] else ""
    return Parsed(
        state=Answer.OK if items else Answer.EMPTY, items=items, links=Links(next=(following,) if following else ())
    )


class ListSpider(NewestFirst):
    name = "list"
    platform = "list"
    channel = Channel.REVIEW
    parser: ClassVar[Any] = staticmethod(parse)

    def over(self, item: ParsedItem, response: Any) -> Mapping[str, Any]:
        return {"native_id": item.id, "thread": None, "parent": None}


class KeyedSpider(ApiSpider):
    name = "keyed"
    platform = "keyed"
    channel = Channel.REVIEW
    key_name = "KEYED_KEY"
    parser: ClassVar[Any] = staticmethod(parse)

    def over(self, item: ParsedItem, response: Any) -> Mapping[str, Any]:
        return {"native_id": item.id, "thread": None, "parent": None}


class Shelf:
    """A list on the site whose pages are numbered, so that what is new shifts all that is older."""

    def __init__(self, world: Any, pages: Any) -> None:
        self.world, self.reply, self.texts = world, pages.reply, dict[int, str]()

    def put(self, *numbers: int, text: str = "gut") -> None:
        self.texts |= dict.fromkeys(numbers, text)
        order = sorted(self.texts, reverse=True)
        shown = [order[start : start + SIZE] for start in range(0, len(order), SIZE)]
        for index, numbers_ in enumerate(shown):
            following = f"/list{index + 1}" if index + 1 < len(shown) else ""
            body = json.dumps({"rows": [(n, self.texts[n]) for n in numbers_], "next": following})
            self.world.site.pages[f"/list{index or ''}"] = self.reply(body.encode())

    def read(self) -> set[int]:
        return {int(item.native_id.removeprefix("r")) for item in self.world.pipeline.items.values()}


@pytest.fixture
def shelf(world: Any, pages: Any) -> Shelf:
    world.spiders = {"list": ListSpider, "keyed": KeyedSpider}
    world.sources["board"] = {"spider": "list", "url": f"{world.site.url}/list", "interval": "5m"}
    return Shelf(world, pages)


def test_a_gap_is_filled_although_what_is_new_shifts_the_pages(shelf: Shelf) -> None:
    shelf.put(*range(10))
    assert shelf.world.visit().complete
    shelf.world.crawl["max_pages"] = 3
    shelf.put(*range(10, 40))
    assert not shelf.world.visit().complete
    shelf.put(*range(40, 45))
    while not shelf.world.visit().complete:
        pass
    assert shelf.read() == set(range(45))


def test_two_cuts_in_a_row_leave_two_gaps_and_both_are_filled(shelf: Shelf) -> None:
    shelf.put(*range(5))
    assert shelf.world.visit().complete
    shelf.world.crawl["max_pages"] = 2
    shelf.put(*range(5, 40))
    assert not shelf.world.visit().complete
    shelf.put(*range(40, 80))
    assert not shelf.world.visit().complete
    assert any(shelf.world.visit().complete for _ in range(40))
    assert shelf.read() == set(range(80))
    asked = len(shelf.world.site.asked)
    assert shelf.world.visit().complete
    assert [one.path for one in shelf.world.site.asked[asked:]] == ["/list"]


def test_an_edited_review_among_new_ones_does_not_end_the_reading(shelf: Shelf) -> None:
    shelf.put(*range(10))
    assert shelf.world.visit().complete
    shelf.put(*range(10, 29))
    shelf.texts[28], shelf.texts[9] = "gut", "doch nicht"
    order = [28, 9, *range(27, 9, -1), *range(8, -1, -1)]
    for index in range(0, len(order), SIZE):
        part = order[index : index + SIZE]
        following = f"/list{index // SIZE + 1}" if index + SIZE < len(order) else ""
        body = json.dumps({"rows": [(n, shelf.texts[n]) for n in part], "next": following})
        shelf.world.site.pages[f"/list{index // SIZE or ''}"] = shelf.reply(body.encode())
    assert shelf.world.visit().complete
    assert shelf.read() == set(range(29))
    changed = {item.native_id: item.text for item in shelf.world.pipeline.items.values()}
    assert changed["r9"] == "doch nicht"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_in_the_middle_of_a_list_is_not_its_end(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("KEYED_KEY", "k")
    shelf.world.sources["board"]["spider"] = "keyed"
    shelf.put(*range(20))
    good = shelf.world.site.pages["/list2"]
    shelf.world.site.pages["/list2"] = shelf.reply(b"{}", status)
    assert not shelf.world.visit().complete
    shelf.world.site.pages["/list2"] = good
    assert shelf.world.visit().complete
    assert shelf.read() == set(range(20))


def test_a_quota_that_ends_in_the_middle_is_gone_on_from(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYED_KEY", "k")
    shelf.world.sources["board"] |= {"spider": "keyed", "quota": 3}
    shelf.put(*range(30))
    report = shelf.world.visit()
    assert (report.complete, len(shelf.read())) == (False, 15)
    assert "the quota of 3 is spent until" in report.reason
    assert not shelf.world.visit().complete
    assert len(shelf.world.site.paths()) == 3
    shelf.world.sources["board"]["quota"] = 100
    assert shelf.world.visit().complete
    assert shelf.read() == set(range(30))
    assert shelf.world.site.paths().count("/list1") == 1


def test_a_key_follows_no_redirect(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYED_KEY", "k")
    shelf.world.sources["board"]["spider"] = "keyed"
    shelf.world.site.pages["/list"] = shelf.reply(b"", 307, Location="/elsewhere")
    assert not shelf.world.visit().complete
    assert shelf.world.site.paths() == ["/list"]
