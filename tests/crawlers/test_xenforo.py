"""XenForo: what pages of its versions say, and which pages a visit asks for."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from forums import LivingBoard, fill
from rehearsal import BERLIN, NOW, Source, page

from crawlers.look import Look
from crawlers.parsing import Parsed
from crawlers.spiders.xenforo import XenforoSpider, parse
from pipeline.words import Answer, Kind

PAGES = Path(__file__).parent / "pages"


def read(name: str, url: str) -> Parsed:
    return parse(page((PAGES / name).read_bytes(), url))


def test_a_thread_of_version_2():
    parsed = read("xenforo_thread2.html", "https://forum.example/threads/rechnung-doppelt-abgebucht.41/")
    first, second = parsed.items
    assert (parsed.state, parsed.thread, parsed.thread_title) == (Answer.OK, "t41", "Rechnung doppelt abgebucht")
    assert (parsed.lang, parsed.first_page) == ("de", True)
    assert parsed.links.next == ("https://forum.example/threads/rechnung-doppelt-abgebucht.41/page-2",)
    assert (first.id, first.author, first.author_id, first.position) == ("p100", "Käthe Größl", "7", 1)
    assert first.url == "https://forum.example/threads/rechnung-doppelt-abgebucht.41/post-100"
    assert first.text == "Mir wurde zweimal abgebucht!\n\nWer kennt das? :x"
    assert first.published.at == datetime(2026, 11, 12, 14, 15, tzinfo=BERLIN)
    assert (first.images, first.staff, first.accepted) == (1, None, None)
    assert second.text == "Das tut uns leid, das Geld kommt zurück."
    assert (second.parent, second.parent_author, second.quotes_removed) == ("p100", "Käthe Größl", 1)
    assert (second.staff, second.accepted, second.kind) == (True, True, Kind.POST)


def test_a_thread_of_version_1():
    parsed = read("xenforo_thread1.html", "https://forum.example/threads/slow-line.55/page-2")
    first, second = parsed.items
    assert (parsed.thread, parsed.thread_title, parsed.first_page) == ("t55", "Slow line", False)
    assert parsed.links.previous == ("https://forum.example/threads/slow-line.55/",)
    assert parsed.links.next == ("https://forum.example/threads/slow-line.55/page-3",)
    assert (first.text, first.parent, first.parent_author) == ("None at all, still 2 Mbit/s.", "p480", "Ann")
    assert (first.author, first.author_id, first.position) == ("Bob O'Neill", "31", 21)
    assert first.published.at == datetime(2015, 11, 14, 16, 23, tzinfo=BERLIN)
    assert (second.published.at, second.staff) == (datetime(2015, 11, 14, 16, 24, tzinfo=UTC), True)


def test_lists_of_version_2():
    parsed = read("xenforo_forum2.html", "https://forum.example/forums/technik.2/")
    rules, signal = parsed.threads
    assert (rules.id, rules.sticky, rules.replies) == ("t3", True, 0)
    assert (signal.id, signal.title, signal.replies) == ("t99", "No signal since Monday", 1200)
    assert signal.url == "https://forum.example/threads/no-signal.99/"
    assert (signal.last_url, signal.sticky) == ("https://forum.example/threads/no-signal.99/latest", False)
    assert signal.last_time == datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
    [board] = parsed.boards
    assert (board.id, board.title, board.last_item) == ("f12", "Routers", "p877")
    assert parsed.links.next == ("https://forum.example/forums/technik.2/page-2",)


def test_lists_of_version_1():
    parsed = read("xenforo_forum1.html", "https://forum.example/forums/technik.2/")
    [row], [board] = parsed.threads, parsed.boards
    assert (row.id, row.title, row.last_item, row.replies, row.sticky) == ("t99", "Störung", "p9012", 1204, True)
    assert row.last_time == datetime(2026, 11, 21, 18, 5, tzinfo=BERLIN)
    assert (board.id, board.last_item) == ("f12", "p877")


@pytest.mark.parametrize(
    ("body", "state", "reason"),
    [
        (b"", Answer.ERROR, "empty"),
        (b"<html><body><h1>Kochrezepte</h1></body></html>", Answer.LAYOUT_CHANGED, "no page of a XenForo"),
        (b'<html id="XF" data-template="login"><body>x', Answer.GATED, "login"),
        (
            b'<html id="XF"><div class="p-body-content"><div class="blockMessage">You must be logged in to do that.',
            Answer.GATED,
            "logged in",
        ),
        (
            b'<html id="XF"><div class="p-body-content"><div class="blockMessage">There are no threads here.',
            Answer.EMPTY,
            "no threads",
        ),
        (b'<html id="XF" data-template="thread_view"><body>x', Answer.LAYOUT_CHANGED, "no post was found"),
        (
            b'<html id="XF"><article class="message message--post" data-author="A" data-content="post-1">'
            b'<div class="message-body">x',
            Answer.LAYOUT_CHANGED,
            "1 of 1 posts have no time",
        ),
    ],
)
def test_a_page_without_posts_says_why(body, state, reason):
    parsed = parse(page(body))
    assert parsed.state is state
    assert reason in parsed.reason


def test_its_pages_are_recognised_and_the_page_of_a_post_has_an_address():
    assert all(XenforoSpider.recognises(Look(page(file.read_bytes()))) for file in PAGES.glob("xenforo_*.html"))
    spider = XenforoSpider.address_of
    assert spider(None, "https://x.de/f/threads/a.1/page-2", "p7") == "https://x.de/f/posts/7/"
    assert spider(None, "https://x.de/index.php?threads/a.1/", "p7") == "https://x.de/index.php?posts/7/"


LIST = "https://forum.example/forums/technik.2/"
THREAD = "https://forum.example/threads/thema.1/"


def route(url: str) -> tuple[str, ...]:
    if found := re.search(r"/threads/thema\.(\d+)/latest$", url):
        return ("last", found[1])
    if found := re.search(r"/threads/thema\.(\d+)/(?:page-(\d+))?$", url):
        return ("thread", found[1], found[2] or "1")
    if found := re.search(r"/posts/(\d+)/$", url):
        return ("post", found[1])
    found = re.search(r"/forums/technik\.2/(?:page-(\d+))?$", url)
    return ("list", found[1] or "1")


def render_list(rows, following):
    body = "".join(
        f'<div class="structItem structItem--thread js-threadListItem-{t}"><div class="structItem-title">'
        f'<a href="/threads/thema.{t}/">Thema {t}</a></div><div class="structItem-cell--meta"><dl><dd>{len(posts) - 1}'
        f'</dd></dl></div><div class="structItem-cell--latest"><a href="/threads/thema.{t}/latest">'
        f'<time datetime="{posts[-1][1].isoformat()}"></time></a></div></div>'
        for t, posts in rows
    )
    more = f'<a class="pageNav-jump pageNav-jump--next" href="/forums/technik.2/page-{following}">N</a>'
    return f'<html id="XF" lang="de-DE"><body>{body}{more if following else ""}</body></html>'


def render_thread(thread, posts, number, pages):
    body = "".join(
        f'<article class="message message--post" data-author="Autor{n % 4}" data-content="post-{n}">'
        f'<header class="message-attribution"><time datetime="{at.isoformat()}"></time></header>'
        f'<div class="message-body"><div class="bbWrapper">{text}</div></div></article>'
        for n, at, text in posts
    )
    links = "".join(
        f'<link rel="{rel}" href="/threads/thema.{thread}/page-{other}">'
        for rel, other in (("prev", number - 1), ("next", number + 1))
        if 1 <= other <= pages
    )
    return (
        f'<html id="XF" data-content-key="thread-{thread}"><head>{links}</head><body>'
        f'<h1 class="p-title-value">Thema {thread}</h1>{body}</body></html>'
    )


# --- visits -------------------------------------------------------------------------------------------------------


def board_of(posts: dict[int, int]) -> LivingBoard:
    return fill(LivingBoard(render_list, render_thread, route), posts, NOW, timedelta(hours=1))


def source(**over) -> Source:
    return Source(XenforoSpider, LIST, **over)


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
    thread = Source(XenforoSpider, THREAD)
    assert len(thread.visit(board).items) == 12
    new = board.post(1, NOW + timedelta(minutes=1))
    run = thread.visit(board)
    assert (run.ids, run.complete) == ([f"/ p{new}"], True)
