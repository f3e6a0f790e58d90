"""WoltLab: what pages of its versions say, and which pages a visit asks for."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from forums import LivingBoard, fill
from rehearsal import BERLIN, NOW, Source, page

from crawlers.look import Look
from crawlers.parsing import Parsed
from crawlers.spiders.woltlab import WoltlabSpider, parse
from pipeline.words import Answer, Kind

PAGES = Path(__file__).parent / "pages"


def read(name: str, url: str) -> Parsed:
    return parse(page((PAGES / name).read_bytes(), url))


def test_a_thread_of_suite_6():
    parsed = read("woltlab_thread6.html", "https://forum.example/index.php?thread/41-rechnung-doppelt/")
    first, second = parsed.items
    assert (parsed.state, parsed.thread, parsed.thread_title) == (Answer.OK, "t41", "Rechnung doppelt")
    assert (parsed.lang, parsed.first_page) == ("de", True)
    assert parsed.links.next == ("https://forum.example/index.php?thread/41-rechnung-doppelt/&pageNo=2",)
    assert (first.id, first.author, first.author_id, first.position) == ("p100", "Käthe Größl", "7", 1)
    assert first.url == "https://forum.example/index.php?thread/41-rechnung-doppelt/&postID=100#post100"
    assert first.text == "Mir wurde zweimal abgebucht! :(\n\nWer kennt das?"
    assert (first.published.at, first.images, first.staff) == (datetime(2026, 11, 12, 13, 15, tzinfo=UTC), 0, None)
    assert (second.text, second.quotes_removed) == ("Das Geld kommt zurück.", 1)
    assert (second.parent, second.parent_author, second.staff) == ("p100", "Käthe Größl", True)


def test_a_thread_of_burning_board_4():
    parsed = read("woltlab_thread4.html", "https://forum.example/index.php/Thread/55-Slow-line/?pageNo=2")
    [post] = parsed.items
    assert (parsed.thread, parsed.thread_title, parsed.first_page) == ("t55", "Slow line", False)
    assert parsed.links.next == ("https://forum.example/index.php/Thread/55-Slow-line/?pageNo=3",)
    assert parsed.links.previous == ("https://forum.example/index.php/Thread/55-Slow-line/",)
    assert (post.text, post.parent, post.parent_author) == ("None at all, still 2 Mbit/s.", "p480", "Ann")
    assert (post.author, post.published.at) == ("Bob", datetime(2015, 11, 14, 16, 23, tzinfo=BERLIN))


def test_lists_and_boards():
    parsed = read("woltlab_board6.html", "https://forum.example/index.php?board/2-technik/")
    rules, offline = parsed.threads
    assert (rules.id, rules.sticky) == ("t3", True)
    assert (offline.id, offline.title, offline.replies, offline.sticky) == ("t99", "Kein Netz", 1204, False)
    assert offline.url == "https://forum.example/index.php?thread/99-kein-netz/"
    assert offline.last_url == "https://forum.example/index.php?thread/99-kein-netz/&action=lastPost"
    assert offline.last_time == datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
    [board] = parsed.boards
    assert (board.id, board.title, board.last_time) == ("b12", "Router", datetime(2026, 11, 21, 9, tzinfo=UTC))
    assert parsed.links.next == ("https://forum.example/index.php?board/2-technik/&pageNo=2",)


def test_an_article_and_its_comments():
    parsed = read("woltlab_article.html", "https://forum.example/index.php?article/9-neue-preise/")
    article, comment, response = parsed.items
    assert (article.kind, article.id, article.title, article.views) == (Kind.ARTICLE, "article-9", "Neue Preise", 1312)
    assert (article.author, article.text) == ("Redaktion", "Ab Januar wird alles teurer.")
    assert (comment.kind, comment.id, comment.author, comment.author_id) == (Kind.COMMENT, "comment-11", "Käthe", "7")
    assert comment.text == "Eine Frechheit!"
    assert (response.id, response.parent, response.text) == ("response-5", "comment-11", "Genau so ist es.")
    assert response.url == "https://forum.example/index.php?article/9-neue-preise/#comment11/response5"


@pytest.mark.parametrize(
    ("body", "state", "reason"),
    [
        (b"", Answer.ERROR, "empty"),
        (b"<html><body><h1>Kochrezepte</h1></body></html>", Answer.LAYOUT_CHANGED, "no page of a WoltLab"),
        ((PAGES / "woltlab_login.html").read_bytes(), Answer.GATED, "verwehrt"),
        (
            b'<body data-application="wbb" data-template="board"><p class="info">Es gibt keine Themen.</p>',
            Answer.EMPTY,
            "keine Themen",
        ),
        (b'<body data-application="wbb" data-template="thread">', Answer.LAYOUT_CHANGED, "no post was found"),
        (
            b'<article class="message" data-object-id="1"><div class="messageText">x</div></article>',
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
    assert all(WoltlabSpider.recognises(Look(page(file.read_bytes()))) for file in PAGES.glob("woltlab_*.html"))
    address = WoltlabSpider.address_of
    assert address(None, "https://x.de/index.php?thread/1-a/&pageNo=2", "p7") == (
        "https://x.de/index.php?thread/1-a/&postID=7"
    )
    assert address(None, "https://x.de/thread/1-a/?pageNo=2", "p7") == "https://x.de/thread/1-a/?postID=7"
    assert address(None, "https://x.de/article/1-a/", "comment-7") is None


LIST = "https://forum.example/board/2-technik/"
THREAD = "https://forum.example/thread/1-thema/"


def route(url: str) -> tuple[str, ...]:
    if found := re.search(r"postID=(\d+)", url):
        return ("post", found[1])
    if found := re.search(r"/thread/(\d+)-thema/\?action=lastPost$", url):
        return ("last", found[1])
    if found := re.search(r"/thread/(\d+)-thema/(?:\?pageNo=(\d+))?$", url):
        return ("thread", found[1], found[2] or "1")
    found = re.search(r"/board/2-technik/(?:\?pageNo=(\d+))?$", url)
    return ("list", found[1] or "1")


def render_list(rows, following):
    body = "".join(
        f'<ol class="messageGroup wbbThread" data-thread-id="{t}"><li class="columnSubject"><h3>'
        f'<a class="messageGroupLink wbbTopicLink" href="/thread/{t}-thema/">Thema {t}</a></h3></li>'
        f'<li class="columnStats"><dl><dt>Antworten</dt><dd>{len(posts) - 1}</dd></dl></li><li class="columnLastPost">'
        f'<woltlab-core-date-time date="{posts[-1][1].isoformat()}"></woltlab-core-date-time></li></ol>'
        for t, posts in rows
    )
    shown, count = (following - 1, following) if following else (1, 1)
    pages = f'<woltlab-core-pagination page="{shown}" count="{count}" url="{LIST}"></woltlab-core-pagination>'
    return f'<html lang="de"><body data-application="wbb" data-template="board">{body}{pages}</body></html>'


def render_thread(thread, posts, number, pages):
    body = "".join(
        f'<article class="wbbPost message" data-object-id="{n}"><div class="messageAuthor"><span class="username">'
        f'Autor{n % 4}</span></div><a class="permalink" href="/thread/{thread}-thema/?postID={n}#post{n}">'
        f'<woltlab-core-date-time date="{at.isoformat()}"></woltlab-core-date-time></a>'
        f'<div class="messageText"><p>{text}</p></div></article>'
        for n, at, text in posts
    )
    url = f"https://forum.example/thread/{thread}-thema/"
    return (
        f'<html><head><link rel="canonical" href="{url}"></head><body data-application="wbb" data-template="thread">'
        f'<h1 class="contentTitle">Thema {thread}</h1>{body}'
        f'<woltlab-core-pagination page="{number}" count="{pages}" url="{url}"></woltlab-core-pagination></body></html>'
    )


# --- visits -------------------------------------------------------------------------------------------------------


def board_of(posts: dict[int, int]) -> LivingBoard:
    return fill(LivingBoard(render_list, render_thread, route), posts, NOW, timedelta(hours=1))


def source(**over) -> Source:
    return Source(WoltlabSpider, LIST, **over)


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
    thread = Source(WoltlabSpider, THREAD)
    assert len(thread.visit(board).items) == 12
    new = board.post(1, NOW + timedelta(minutes=1))
    run = thread.visit(board)
    assert (run.ids, run.complete) == ([f"/ p{new}"], True)
