"""Calendars, pages of thousands of links, boards without end: refused by a rule, counted, never walked on and on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from rehearsal import NOW, Source

from crawlers.parsing import ThreadRow
from crawlers.spiders.forum import ForumSpider
from crawlers.spiders.phpbb import PhpbbSpider
from crawlers.traps import DEEPEST, MOST_LINKS, Traps, is_calendar
from pipeline.state import blocking

ROOT = "https://forum.example/"


@pytest.mark.parametrize(
    "url",
    [
        "https://x.de/calendar.php?do=getinfo&day=2026-11-22&c=1",
        "https://x.de/calendar.php",
        "https://x.de/index.php?action=calendar;year=2026;month=12",
        "https://x.de/index.php?calendar/&year=2026",
        "https://x.de/forum/kalender/2026/11/",
        "https://x.de/termine/2026/11/22",
        "https://x.de/termine/2026-12/",
        "https://x.de/termine?monat=12&jahr=2026",
        "https://x.de/app.php/calendar/",
    ],
)
def test_days_and_months_are_a_calendar(url: str) -> None:
    assert is_calendar(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://x.de/viewforum.php?f=2&start=50",
        "https://x.de/viewtopic.php?t=2026&p=12",
        "https://x.de/threads/kalender-2026.12/",
        "https://x.de/forum/kalender-und-termine/",
        "https://x.de/topic/5/2026-11-22/",
        "https://x.de/2026/11/22/was-die-bahn-plant/",
        "https://x.de/forumdisplay.php?fid=3&datecut=9999&order=desc",
        "https://x.de/index.php?board=1.20",
        "https://x.de/c/support/2026/70",
        "https://x.de/tags?tag=2026",
        "https://[x",
    ],
)
def test_what_forums_have_is_none(url: str) -> None:
    assert not is_calendar(url)


def row(number: int, **over: Any) -> ThreadRow:
    return ThreadRow(**({"id": f"t{number}", "url": f"{ROOT}thema/{number}", "title": f"Thema {number}"} | over))


def test_ten_thousand_links_of_one_page_are_a_part_of_them() -> None:
    traps = Traps(ROOT, NOW)
    found = list(traps.rows(row(n) for n in range(10_000)))
    assert [one.id for one in found] == [f"t{n}" for n in range(MOST_LINKS)]
    assert traps.refused == {"many_links": 10_000 - MOST_LINKS}


def test_what_a_person_named_is_read_though_it_looks_like_a_calendar() -> None:
    link = row(1, url=f"{ROOT}termine/2026/11/")
    assert list(Traps(f"{ROOT}termine/2026/10/", NOW).rows([link])) == [link]
    assert list(Traps(ROOT, NOW).rows([link])) == []


def month(number: int, links: int = 400) -> bytes:
    """A page of dates to come, each with a title, and the way to the next month."""
    day = NOW + timedelta(days=30 * number)
    dates = "".join(
        f'<li class="termin"><h3><a href="/treffen/{number}-{n}">Treffen der Gruppe {n} im Monat {number}</a></h3>'
        f' <b class="username">Anna</b> <time datetime="{(day + timedelta(hours=n)).isoformat()}">bald</time></li>'
        for n in range(links)
    )
    onward = f'<a rel="next" href="/termine/blatt-{number + 1}">weiter</a>'
    return f"<html><body><h1>Termine</h1><ul>{dates}</ul>{onward}</body></html>".encode()


def test_a_calendar_is_not_walked_into_the_future() -> None:
    def site(url: str) -> bytes:
        return month(int(url.rpartition("-")[2])) if "blatt-" in url else b"<html><body><p>Treffen</p></body></html>"

    watched = Source(ForumSpider, f"{ROOT}termine/blatt-1", max_pages=5)
    run = watched.visit(site)
    assert [url for url in run.asked if "blatt-" in url] == [f"{ROOT}termine/blatt-1"]
    assert run.visit.refused == {"calendar": 1}
    assert run.visit.notice == "links that lead on without end were not followed: 1"


PHPBB = """<html><body id="phpbb"><ul class="topiclist forums">{rows}</ul></body></html>"""
BOARD = """<li class="row"><dl><dt><a class="forumtitle" href="viewforum.php?f={n}">Forum {n}</a></dt>
<dd class="lastpost"><span>von <a class="username" href="#">Anna</a>
<a href="viewtopic.php?p={n}#p{n}">20. Nov 2026, 10:00</a></span></dd></dl></li>"""


def test_boards_within_boards_end() -> None:
    def site(url: str) -> bytes:
        below = int(url.rpartition("f=")[2]) + 1 if "f=" in url else 1
        return PHPBB.format(rows=BOARD.format(n=below)).encode()

    run = Source(PhpbbSpider, f"{ROOT}index.php").visit(site)
    assert run.asked == [f"{ROOT}index.php", *(f"{ROOT}viewforum.php?f={n}" for n in range(1, DEEPEST + 1))]
    assert run.visit.refused == {"endless": 1}
    assert run.complete


@pytest.mark.parametrize("visits", [1, 2])
def test_refused_links_are_counted_in_the_state(world: Any, pages: Any, visits: int, monkeypatch: Any) -> None:
    read_list = world.spiders["threads"].read_list

    def refusing(self: Any, response: Any) -> Any:
        self.visit.refused["calendar"] += 7
        yield from read_list(self, response)

    monkeypatch.setattr(world.spiders["threads"], "read_list", refusing)
    world.site.pages |= {"/list": pages.listing({"t1": 1}), "/thread/t1": pages.posts(1)}
    for _ in range(visits):
        world.visit()
    with world.state.read() as connection:
        assert blocking.counted(connection) == {"calendar": 7 * visits}
