"""vBulletin: what pages of its versions say, and which pages a visit asks for."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from forums import LivingBoard, fill
from rehearsal import BERLIN, NOW, Source, page

from crawlers.look import Look
from crawlers.parsing import Parsed
from crawlers.spiders.vbulletin import VbulletinSpider, parse
from pipeline.words import Answer

PAGES = Path(__file__).parent / "pages"


def read(name: str, url: str) -> Parsed:
    return parse(page((PAGES / name).read_bytes(), url))


def test_a_thread_of_version_4():
    parsed = read("vbulletin_thread4.html", "https://forum.example/showthread.php?41-Rechnung-doppelt")
    first, second = parsed.items
    assert (parsed.state, parsed.thread, parsed.thread_title) == (Answer.OK, "t41", "Rechnung doppelt")
    assert (parsed.lang, parsed.first_page) == ("de", True)
    assert parsed.links.next == ("https://forum.example/showthread.php?41-Rechnung-doppelt/page2",)
    assert (first.id, first.author, first.author_id, first.position) == ("p100", "Käthe Größl", "7", 1)
    assert first.text == "Mir wurde zweimal abgebucht!\n\nWer kennt das?"
    assert first.published.at == datetime(2026, 11, 12, 14, 15, tzinfo=BERLIN)
    assert "0123456789abcdef" not in (first.url or "")
    assert (second.author, second.text, second.quotes_removed) == ("Hilfe", "Das Geld kommt zurück.", 1)
    assert (second.parent, second.parent_author, second.staff) == ("p100", "Käthe Größl", True)
    assert second.published.at == datetime(2026, 11, 21, 18, 5, tzinfo=BERLIN)


def test_a_thread_of_version_3_in_the_zone_of_its_footer():
    parsed = read("vbulletin_thread3.html", "https://forum.example/showthread.php?t=55&page=2")
    first, second = parsed.items
    assert (parsed.thread, parsed.thread_title, parsed.first_page) == ("t55", "Slow line", False)
    assert parsed.links.previous == ("https://forum.example/showthread.php?t=55",)
    assert parsed.links.next == ("https://forum.example/showthread.php?page=3&t=55",)
    assert (first.text, first.parent, first.parent_author) == ("None at all, still 2 Mbit/s.", "p480", "Ann")
    assert (first.author, first.author_id, first.position) == ("Bob", "31", 21)
    assert first.published.at == datetime(2015, 11, 14, 21, 23, tzinfo=UTC)
    assert first.url == "https://forum.example/showthread.php?p=501#post501"
    assert second.published.at == datetime(2026, 11, 22, 7, 10, tzinfo=UTC)


def test_a_thread_of_version_5():
    parsed = read("vbulletin_thread5.html", "https://forum.example/forum/network/600-slow-line")
    first, second = parsed.items
    assert (parsed.thread, parsed.thread_title) == ("t600", "Slow line")
    assert parsed.links.next == ("https://forum.example/forum/network/600-slow-line/page2",)
    assert (first.id, first.author, first.author_id, first.position) == ("p600", "Bob", "31", 1)
    assert (first.text, first.published.at) == ("Still 2 Mbit/s.", datetime(2026, 11, 14, 16, 23, tzinfo=UTC))
    assert (second.text, second.parent, second.staff) == ("We look into it.", "p600", True)
    assert second.url == "https://forum.example/forum/network/600-slow-line?p=613#post613"


def test_lists_of_all_versions():
    rules, offline = read("vbulletin_forum3.html", "https://forum.example/forumdisplay.php?f=2").threads
    assert (rules.id, rules.sticky, rules.replies) == ("t3", True, 0)
    assert (offline.id, offline.last_item, offline.replies, offline.sticky) == ("t99", "p9012", 1204, False)
    assert offline.url == "https://forum.example/showthread.php?t=99"
    assert offline.last_time == datetime(2026, 11, 22, 7, 30, tzinfo=BERLIN)
    [board] = read("vbulletin_index4.html", "https://forum.example/").boards
    assert (board.id, board.title, board.last_item) == ("f12", "Router", "p877")
    assert board.last_time == datetime(2026, 11, 21, 10, tzinfo=BERLIN)
    first, slow = read("vbulletin_forum5.html", "https://forum.example/forum/network").threads
    assert (first.sticky, first.last_time) == (True, datetime(2020, 1, 2, 3, 4, tzinfo=BERLIN))
    assert (slow.id, slow.last_item, slow.replies) == ("t600", "p613", 1204)


@pytest.mark.parametrize(
    ("body", "state", "reason"),
    [
        (b"", Answer.ERROR, "empty"),
        (b"<html><body><h1>Kochrezepte</h1></body></html>", Answer.LAYOUT_CHANGED, "no page of a vBulletin"),
        (
            '<html id="vbulletin_html"><div class="standard_error">Sie sind nicht angemeldet oder haben keine Rechte.',
            Answer.GATED,
            "nicht angemeldet",
        ),
        (
            '<html id="vbulletin_html"><div id="threads_none">In diesem Forum gibt es keine Themen.',
            Answer.EMPTY,
            "keine Themen",
        ),
        ('<html id="vbulletin_html"><ol id="posts"></ol>', Answer.LAYOUT_CHANGED, "no post was found"),
        ('<div id="post_message_1">x</div>', Answer.LAYOUT_CHANGED, "1 of 1 posts have no time"),
    ],
)
def test_a_page_without_posts_says_why(body, state, reason):
    parsed = parse(page(body))
    assert parsed.state is state
    assert reason in parsed.reason


def test_its_pages_are_recognised_and_the_page_of_a_post_has_an_address():
    assert all(VbulletinSpider.recognises(Look(page(file.read_bytes()))) for file in PAGES.glob("vbulletin_*.html"))
    address = VbulletinSpider.address_of
    assert address(None, "https://x.de/f/showthread.php?t=1", "p7") == "https://x.de/f/showthread.php?p=7"
    assert address(None, "https://x.de/forum/a/1-b/page2", "p7") == "https://x.de/forum/a/1-b?p=7"


LIST = "https://forum.example/forumdisplay.php?f=2"
THREAD = "https://forum.example/showthread.php?t=1"


def route(url: str) -> tuple[str, ...]:
    page_of = re.search(r"page=(\d+)", url)
    if found := re.search(r"[?&]p=(\d+)", url):
        return ("post", found[1])
    if found := re.search(r"[?&]t=(\d+)", url):
        return ("thread", found[1], page_of[1] if page_of else "1")
    return ("list", page_of[1] if page_of else "1")


def printed(at: datetime) -> str:
    return at.astimezone(BERLIN).strftime("%d.%m.%Y,&nbsp;<span class='time'>%H:%M</span>")


def render_list(rows, following):
    body = "".join(
        f'<li class="threadbit" id="thread_{t}"><h3 class="threadtitle"><a class="title" id="thread_title_{t}" '
        f'href="showthread.php?t={t}&amp;s=0123456789abcdef0123456789abcdef">Thema {t}</a></h3><ul class="threadstats">'
        f'<li>Antworten: {len(posts) - 1}</li></ul><dl class="threadlastpost"><dd>{printed(posts[-1][1])} '
        f'<a class="lastpostdate" href="showthread.php?p={posts[-1][0]}#post{posts[-1][0]}">x</a></dd></dl></li>'
        for t, posts in rows
    )
    more = f'<span class="prev_next"><a rel="next" href="forumdisplay.php?f=2&amp;page={following}">x</a></span>'
    return f'<html id="vbulletin_html" lang="de"><body>{body}{more if following else ""}</body></html>'


def render_thread(thread, posts, number, pages):
    body = "".join(
        f'<li class="postbit postcontainer" id="post_{n}"><span class="date">{printed(at)}</span>'
        f'<a class="username" href="member.php?{n % 4}-x">Autor{n % 4}</a><div id="post_message_{n}">'
        f'<blockquote class="postcontent restore">{text}</blockquote></div></li>'
        for n, at, text in posts
    )
    links = "".join(
        f'<link rel="{rel}" href="showthread.php?t={thread}&amp;page={other}">'
        for rel, other in (("prev", number - 1), ("next", number + 1))
        if 1 <= other <= pages
    )
    return (
        f'<html id="vbulletin_html"><head>{links}<link rel="canonical" href="showthread.php?t={thread}"></head><body>'
        f'<span class="threadtitle">Thema {thread}</span><ol id="posts">{body}</ol></body></html>'
    )


# --- visits -------------------------------------------------------------------------------------------------------


def board_of(posts: dict[int, int]) -> LivingBoard:
    return fill(LivingBoard(render_list, render_thread, route), posts, NOW, timedelta(hours=1))


def source(**over) -> Source:
    return Source(VbulletinSpider, LIST, **over)


def numbers(run) -> list[int]:
    return sorted(int(name.split("p")[-1]) for name in run.ids)


def test_first_contact_reads_all_and_later_visits_only_what_is_new():
    board, forum = board_of({1: 3, 2: 27, 3: 1, 4: 1, 5: 1, 6: 1}), source()
    run = forum.visit(board)
    assert (numbers(run), run.complete) == (list(range(1, 35)), True)
    assert {item.thread for item in run.items if item.opens_thread} == {f"/ t{n}" for n in range(1, 7)}
    again = forum.visit(board)
    assert (again.asked, again.items, again.complete) == ([LIST], [], True)
    new = board.post(2, NOW + timedelta(minutes=10))
    run = forum.visit(board)
    assert (run.ids, run.complete) == ([f"/ p{new}"], True)
    assert len(run.asked) == 2


def test_posts_over_several_pages_are_read_back_to_the_known_one():
    board, forum = board_of({1: 2, 2: 8}), source()
    forum.visit(board)
    for minute in range(25):
        board.post(2, NOW + timedelta(minutes=minute))
    run = forum.visit(board)
    assert numbers(run) == list(range(11, 36))
    assert len(run.asked) == 1 + 4


def test_a_cap_is_behind_and_later_visits_fill_the_gap():
    board, forum = board_of({1: 95}), source(max_pages=3)
    runs = [forum.visit(board)]
    assert (runs[0].visit.behind, runs[0].complete) == (True, False)
    while not runs[-1].complete:
        assert len(runs) < 12
        runs.append(forum.visit(board))
    assert {number for run in runs for number in numbers(run)} == set(range(1, 96))


def test_a_closed_thread_counts_as_read_and_one_that_failed_is_tried_again():
    board, forum = board_of({1: 2, 2: 2}), source()
    board.closed.add(2)
    run = forum.visit(board)
    assert (run.complete, numbers(run)) == (True, [1, 2])
    new = board.post(1, NOW + timedelta(hours=1))
    failed = forum.visit(lambda url: board(url) if url == LIST else 429)
    assert (failed.complete, len(failed.lost)) == (False, 1)
    assert numbers(forum.visit(board)) == [new]


def test_a_list_that_lost_its_rows_is_no_quiet_board():
    board, forum = board_of({1: 2}), source()
    forum.visit(board)
    run = forum.visit(lambda url: render_list([], None).encode())
    assert (run.visit.answers, run.complete) == ([Answer.LAYOUT_CHANGED], False)


def test_one_thread_can_be_a_source():
    board = board_of({1: 12, 2: 3})
    thread = Source(VbulletinSpider, THREAD)
    assert len(thread.visit(board).items) == 12
    new = board.post(1, NOW + timedelta(minutes=1))
    run = thread.visit(board)
    assert (run.ids, run.complete) == ([f"/ p{new}"], True)
