"""phpBB: what pages say, and which pages a visit asks for."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from rehearsal import BERLIN, NOW, Source, page

from crawlers.contents import says_gone
from crawlers.parsing import ThreadRow
from crawlers.spiders.phpbb import PhpbbSpider, parse
from pipeline.words import Answer, Precision

PAGES = Path(__file__).parent / "pages"
SHARED = Path(__file__).parents[3] / "shared" / "data" / "pages"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the saved pages are not part of the project")


class Board:
    """A living board of one forum, in prosilver's markup: threads of posts, ten on a page, lists of five."""

    def __init__(self) -> None:
        self.threads: dict[int, list[tuple[int, datetime, str]]] = {}
        self.next_post = 1
        self.closed: set[int] = set()

    def post(self, thread: int, at: datetime, text: str = "") -> int:
        number, self.next_post = self.next_post, self.next_post + 1
        self.threads.setdefault(thread, []).append((number, at, text or f"Beitrag {number}"))
        return number

    def edit(self, number: int, text: str) -> None:
        for posts in self.threads.values():
            posts[:] = [(n, at, text if n == number else old) for n, at, old in posts]

    def __call__(self, url: str) -> bytes | int:
        parts = urlsplit(url)
        query = {key: int(values[0]) for key, values in parse_qs(parts.query).items()}
        if parts.path == "/viewforum.php":
            return self._list(query.get("start", 0)).encode()
        thread = query.get("t") or next(
            (t for t, posts in self.threads.items() if any(n == query.get("p") for n, _, _ in posts)), None
        )
        if thread is None:
            return 404
        return 403 if thread in self.closed else self._topic(thread, query).encode()

    def _list(self, start: int) -> str:
        by_age = sorted(self.threads, key=lambda t: self.threads[t][-1][1], reverse=True)
        rows = "".join(self._row(t) for t in by_age[start : start + 5])
        more = (
            f'<a rel="next" href="viewforum.php?f=2&amp;start={start + 5}">Nächste</a>' if by_age[start + 5 :] else ""
        )
        return f'<body id="phpbb"><div class="pagination">{more}</div><ul class="topiclist">{rows}</ul></body>'

    def _row(self, thread: int) -> str:
        number, at, _ = self.threads[thread][-1]
        return (
            f'<li class="row bg1"><dl><dt><a href="./viewtopic.php?t={thread}&amp;sid=77" class="topictitle">'
            f'Thema {thread}</a></dt><dd class="posts">{len(self.threads[thread]) - 1}</dd><dd class="lastpost">'
            f'<a href="./viewtopic.php?p={number}&amp;sid=77#p{number}">x</a><time datetime="{at.isoformat()}">x</time>'
            "</dd></dl></li>"
        )

    def _topic(self, thread: int, query: dict[str, int]) -> str:
        posts = self.threads[thread]
        index = next((i for i, (n, _, _) in enumerate(posts) if n == query.get("p")), query.get("start", 0))
        start = index // 10 * 10
        body = "".join(
            f'<div id="p{n}" class="post"><p class="author">von <strong class="username">Autor{n % 4}</strong> » '
            f'<time datetime="{at.isoformat()}"></time></p><h3>Thema {thread}</h3>'
            f'<div class="content">{text}</div></div>'
            for n, at, text in posts[start : start + 10]
        )
        link = '<a rel="{}" href="viewtopic.php?t={}&amp;start={}&amp;sid=77">x</a>'
        after = link.format("next", thread, start + 10) if posts[start + 10 :] else ""
        before = link.format("prev", thread, start - 10) if start else ""
        head = f'<h2 class="topic-title"><a href="viewtopic.php?t={thread}">Thema {thread}</a></h2>'
        return f'<html><body id="phpbb">{head}<div class="pagination">{before}{after}</div>{body}</body></html>'


def board_of(posts: dict[int, int], *, until: datetime = NOW, step: timedelta = timedelta(hours=1)) -> Board:
    """Threads with so many posts each, one per ``step``, the last thread's last post ``step`` before ``until``."""
    board, count = Board(), sum(posts.values())
    for thread, number in posts.items():
        for _ in range(number):
            board.post(thread, until - count * step)
            count -= 1
    return board


def source(**over) -> Source:
    return Source(PhpbbSpider, "https://forum.example/viewforum.php?f=2&sid=0123", **over)


# --- pages --------------------------------------------------------------------------------------------------------


def test_a_topic_gives_posts_without_quotes_signatures_and_sessions():
    parsed = parse(page((PAGES / "phpbb_topic.html").read_bytes(), "https://forum.example/viewtopic.php?f=3&t=41"))
    first, second, third = parsed.items
    assert (parsed.state, parsed.thread, parsed.thread_title) == (Answer.OK, "t41", "Rechnung doppelt abgebucht")
    assert (parsed.first_page, parsed.lang) == (True, "de")
    assert parsed.links.next == ("https://forum.example/viewtopic.php?f=3&start=3&t=41",)
    assert (first.id, first.author, first.author_id) == ("p100", "Käthe Größl", "7")
    assert first.url == "https://forum.example/viewtopic.php?p=100#p100"
    assert first.text == "Mir wurde zweimal abgebucht!\n\nWer kennt das? :x"
    assert (first.images, first.quotes_removed) == (1, 0)
    assert (first.published.at, first.published.precision) == (
        datetime(2026, 11, 12, 13, 15, tzinfo=BERLIN),
        Precision.MINUTE,
    )
    assert second.text == "Bei mir auch, siehe https://example.org/hilfe/abbuchung/doppelt.html & Co."
    assert (second.quotes_removed, second.parent_author, second.parent) == (1, "Käthe Größl", "p100")
    assert second.published.at == datetime(2026, 11, 21, 18, 5, tzinfo=BERLIN)
    assert (third.author, third.text) == ("Özil M.", "Erledigt, Geld ist da.")
    assert third.published.at == datetime(2026, 11, 22, 5, 59, 30, tzinfo=UTC)


def test_the_table_styles_of_old_boards_are_read_too():
    parsed = parse(page((PAGES / "phpbb_old_topic.html").read_bytes(), "https://forum.example/viewtopic.php?t=12"))
    first, second = parsed.items
    assert (parsed.thread, parsed.thread_title) == ("t12", "Hotline unerreichbar")
    assert parsed.links.next == ("https://forum.example/viewtopic.php?start=15&t=12",)
    assert (first.id, first.author, first.text) == ("p55", "Hansi", "Seit Stunden nur Musik.")
    assert first.published.at == datetime(2007, 6, 24, 20, 7, tzinfo=BERLIN)
    assert (second.author, second.text, second.quotes_removed) == ("Trude", "Immerhin gute Musik.", 1)
    assert second.parent_author == "Hansi"


def test_a_skin_with_its_own_places_for_name_time_and_words():
    parsed = parse(page((PAGES / "phpbb_skin.html").read_bytes(), "https://forum.example/viewtopic.php?t=61"))
    first, second, third = parsed.items
    assert (parsed.state, parsed.thread, parsed.thread_title) == (Answer.OK, "t61", "Hotline taub")
    assert (first.id, first.author, first.author_id) == ("p700", "Käthe Größl", "7")
    assert (first.title, first.text) == ("Hotline taub", "Seit drei Stunden nur Musik bei der Nordstrom.")
    assert first.published.at == datetime(2026, 11, 12, 13, 15, tzinfo=BERLIN)
    assert (second.author, second.text) == ("Gast Ole", "Bei mir ging nach zehn Minuten jemand ran.")
    assert (second.parent, second.parent_author, second.quotes_removed) == ("p700", "Käthe Größl", 1)
    assert second.published.at == datetime(2026, 11, 21, 18, 5, tzinfo=BERLIN)
    assert (third.deleted, third.text, third.author) == (True, "", "Trude")


def test_a_skin_that_nobody_knows_is_read_by_its_shape():
    parsed = parse(page((PAGES / "phpbb_strange.html").read_bytes(), "https://forum.example/viewtopic.php?t=9"))
    assert (parsed.state, parsed.thread, parsed.thread_title) == (Answer.OK, "t9", "Tarif weg")
    assert [(item.id, item.author) for item in parsed.items] == [
        ("p81", "Jörg Ä."), ("p82", "Silke"), ("p83", "Enno"), ("p84", "Jörg Ä."),
    ]  # fmt: skip
    assert parsed.items[0].url == "https://forum.example/viewtopic.php?p=81#p81"
    assert parsed.items[1].text == "Meiner auch!"
    assert parsed.items[2].published.at == datetime(2026, 11, 21, 7, 2, tzinfo=BERLIN)


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Dieser Beitrag wurde von Leitung am 22. November 2026, 07:40 gelöscht. Grund: Doppelbeitrag.", True),
        ("[deleted]", True),
        ("This post was deleted by Walt on Wed Nov 04, 2026 9:15 pm.", True),
        ("Kommentar entfernt", True),
        ("Der Beitrag wurde gelöscht, warum macht ihr das?", False),
        ("Mein Konto wurde gelöscht.", False),
        ("Gelöscht! Zensur bei der Telekom!", False),
    ],
)
def test_what_stands_in_the_place_of_a_deleted_post(text, gone):
    assert says_gone(text) is gone


def test_posts_without_authors_are_a_changed_layout():
    posts = "".join(
        f'<div id="p{n}" class="post"><p class="author"><time datetime="2026-11-02T08:00Z"></time></p>'
        f'<div class="content">Beitrag {n}</div></div>'
        for n in range(3)
    )
    parsed = parse(page(f'<body id="phpbb">{posts}'))
    assert (parsed.state, len(parsed.items)) == (Answer.LAYOUT_CHANGED, 3)
    assert parsed.reason == "3 of 3 posts have no author"


@pytest.mark.parametrize(
    ("lang", "known", "order", "month"),
    [("de", None, None, 2), ("en-us", None, None, 11), ("de", "MDY", None, 11), ("en-us", "DMY", None, 2)],
)
def test_the_order_of_day_and_month_comes_from_the_board(lang, known, order, month):
    body = (
        f'<html lang="{lang}"><body id="phpbb"><div id="p1" class="post"><p class="author">by <strong>Walt</strong> » '
        '11/02/2026, 9:15 pm</p><div class="content">x</div></div>'
    )
    parsed = parse(page(body, order=known))
    assert (parsed.items[0].published.at.month, parsed.order) == (month, order)
    assert parse(page(body.replace("11/02", "11/22"))).order == "MDY"


def test_a_page_in_another_character_set():
    [post] = parse(page((PAGES / "phpbb_latin1.html").read_bytes())).items
    assert (post.author, post.text) == ("Jörg", "Ärger über alles")


@pytest.mark.parametrize(
    ("body", "state", "reason"),
    [
        (b"", Answer.ERROR, "empty"),
        (b"<html><body><h1>Kochrezepte</h1></body></html>", Answer.LAYOUT_CHANGED, "no page of a phpBB board"),
        (b'<body id="phpbb"><form action="ucp.php?mode=login"><input type="password"></form>', Answer.GATED, "login"),
        ((PAGES / "phpbb_empty.html").read_bytes(), Answer.EMPTY, "keine Themen"),
        (
            b'<body id="phpbb"><div id="p1" class="post"><div class="content">x</div></div>',
            Answer.LAYOUT_CHANGED,
            "1 of 1",
        ),
    ],
)
def test_a_page_without_posts_says_why(body, state, reason):
    parsed = parse(page(body))
    assert parsed.state is state
    assert reason in parsed.reason


# --- visits -------------------------------------------------------------------------------------------------------


def test_first_contact_reads_every_thread_from_its_beginning():
    board, forum = board_of({1: 3, 2: 27, 3: 1}), source()
    run = forum.visit(board)
    assert sorted(int(name.split("p")[1]) for name in run.ids) == list(range(1, 32))
    assert run.complete
    assert run.visit.complete_from == board.threads[1][-1][1]
    assert {item.thread for item in run.items if item.opens_thread} == {"/ t1", "/ t2", "/ t3"}
    assert all(item.first_contact and item.watermark is None for item in run.items)
    assert len(run.asked) == 1 + 1 + 3 + 1
    assert not any("sid" in url for url in run.asked)


def test_nothing_new_asks_for_the_list_alone():
    board, forum = board_of({1: 3, 2: 12}), source()
    forum.visit(board)
    run = forum.visit(board)
    assert (run.asked, run.items, run.complete) == (["https://forum.example/viewforum.php?f=2"], [], True)


def test_one_post_and_one_edit_on_the_last_page_cost_two_requests():
    board, forum = board_of({1: 3, 2: 27}), source()
    forum.visit(board)
    new = board.post(2, NOW + timedelta(minutes=10))
    board.edit(29, "Beitrag 29, verbessert")
    run = forum.visit(board)
    assert run.ids == ["/ p29", f"/ p{new}"]
    assert [item.text for item in run.items] == ["Beitrag 29, verbessert", f"Beitrag {new}"]
    assert len(run.asked) == 2
    assert not any(item.first_contact for item in run.items)
    assert run.items[0].watermark == NOW


def test_posts_over_several_pages_are_read_back_to_the_known_one():
    board, forum = board_of({1: 2, 2: 8}), source()
    forum.visit(board)
    for minute in range(25):
        board.post(2, NOW + timedelta(minutes=minute))
    run = forum.visit(board)
    assert sorted(run.ids, key=lambda name: int(name[3:])) == [f"/ p{n}" for n in range(11, 36)]
    assert len(run.asked) == 1 + 4
    assert forum.visit(board).asked == ["https://forum.example/viewforum.php?f=2"]


def test_a_new_thread_is_read_from_its_opening_post():
    board, forum = board_of({1: 2}), source()
    forum.visit(board)
    new = board.post(5, NOW + timedelta(minutes=5))
    run = forum.visit(board)
    assert (run.ids, run.items[0].opens_thread, run.items[0].thread_title) == ([f"/ p{new}"], True, "Thema 5")


def test_a_thread_of_which_nobody_knows_the_opening_post_has_it_read_once():
    board, forum = board_of({1: 25}), source()
    forum.visit(board)
    forum.threads.clear()
    board.post(1, NOW + timedelta(minutes=5))
    run = forum.visit(board)
    assert run.asked[1:] == ["https://forum.example/viewtopic.php?p=26", "https://forum.example/viewtopic.php?t=1"]
    assert [item.opens_thread for item in run.items] == [False, True]


def test_first_contact_with_an_old_thread_reads_its_opening_and_its_end():
    board = board_of({1: 95}, step=timedelta(days=1))
    run = source(backfill=timedelta(days=12)).visit(board)
    assert run.ids[0] == "/ p1"
    assert {int(name[3:]) for name in run.ids[1:]} >= set(range(85, 96))
    assert len(run.asked) <= 6
    assert run.complete


def test_old_threads_are_not_read_at_first_contact_and_the_list_is_followed_no_further():
    board = board_of(dict.fromkeys(range(1, 31), 1), step=timedelta(days=1))
    run = source(backfill=timedelta(days=7)).visit(board)
    assert len(run.items) == 7
    assert sum("viewforum" in url for url in run.asked) == 2


def test_a_cap_is_behind_and_later_visits_fill_the_gap():
    board, forum = board_of({1: 95}), source(max_pages=3)
    runs = [forum.visit(board)]
    assert (runs[0].visit.behind, runs[0].complete, forum.watermark) == (True, False, None)
    while not runs[-1].complete:
        assert len(runs) < 12
        runs.append(forum.visit(board))
    assert {name for run in runs for name in run.ids} == {f"/ p{n}" for n in range(1, 96)}
    assert all(sum("viewtopic" in url for url in run.asked) <= 3 for run in runs)
    assert forum.visit(board).items == []


def test_a_gap_wider_than_the_cap_is_filled_while_new_posts_come():
    board, forum = board_of({1: 5}), source(max_pages=3)
    forum.visit(board)
    for second in range(80):
        board.post(1, NOW + timedelta(seconds=second))
    seen = set()
    for visit in range(8):
        seen |= set(forum.visit(board).ids)
        if visit < 2:
            board.post(1, NOW + timedelta(minutes=30 * (visit + 1)))
    assert seen == {f"/ p{n}" for n in range(6, 88)}
    assert forum.visit(board).complete


def test_a_closed_thread_counts_as_read_and_a_broken_one_does_not():
    board, forum = board_of({1: 2, 2: 2}), source()
    board.closed.add(2)
    run = forum.visit(board)
    assert run.complete
    assert len(run.items) == 2
    assert not any("viewtopic" in url for url in forum.visit(board).asked)
    board.post(1, NOW + timedelta(hours=1))
    run = forum.visit(lambda url: 500 if "viewtopic" in url else board(url))
    assert (run.complete, len(run.lost)) == (False, 1)
    assert len(forum.visit(board).items) == 1


def test_a_list_that_lost_its_rows_is_no_quiet_board():
    board, forum = board_of({1: 2}), source()
    forum.visit(board)
    run = forum.visit(lambda url: (PAGES / "phpbb_empty.html").read_bytes())
    assert (run.visit.answers, run.complete) == ([Answer.LAYOUT_CHANGED], False)


def test_one_thread_can_be_a_source():
    board = board_of({1: 12, 2: 3})
    thread = Source(PhpbbSpider, "https://forum.example/viewtopic.php?t=1")
    assert len(thread.visit(board).items) == 12
    new = board.post(1, NOW + timedelta(minutes=1))
    run = thread.visit(board)
    assert (run.ids, run.complete) == ([f"/ p{new}"], True)


def test_boards_below_the_index_are_read_when_their_last_post_changes():
    board = board_of({1: 2})

    def site(url: str) -> bytes | int:
        if "index.php" not in url:
            return board(url)
        last = board.threads[1][-1][0]
        return (
            '<body id="phpbb"><ul class="topiclist forums"><li class="row">'
            '<a class="forumtitle" href="viewforum.php?f=2">'
            f'Brett</a><dd class="lastpost"><a href="viewtopic.php?p={last}#p{last}">x</a></dd></li></ul>'
        ).encode()

    forum = Source(PhpbbSpider, "https://forum.example/index.php")
    assert len(forum.visit(site).items) == 2
    assert forum.visit(site).asked == ["https://forum.example/index.php"]
    board.post(1, NOW + timedelta(minutes=1))
    assert len(forum.visit(site).items) == 1


# --- pages of real boards -----------------------------------------------------------------------------------------


@needs_shared
def test_the_telekom_topic_of_a_real_board():
    truth = json.loads((SHARED / "live" / "content.json").read_text("utf-8"))["topics"][0]["posts"]
    folder = SHARED / "live" / "phpbb"
    starts = {1: "", 2: "&start=10", 3: "&start=20"}
    pages = [parse(page((folder / f"viewtopic_t2_p{n}.html").read_bytes(), f"http://x.de/viewtopic.php?t=2{start}"))
             for n, start in starts.items()]  # fmt: skip
    posts = [item for parsed in pages for item in parsed.items]
    assert [(p.author, p.text, p.published.at, p.quotes_removed) for p in posts] == [
        (t["author"], t["text"], datetime.fromisoformat(t["iso"]), int(t["quote"] is not None)) for t in truth
    ]
    assert [parsed.first_page for parsed in pages] == [True, False, False]


@needs_shared
def test_lists_and_posts_of_boards_in_the_wild():
    folder = SHARED / "phpbb"
    [post] = parse(
        page((folder / "foren.myoos.de_viewtopic.html").read_bytes(), "http://x.de/viewtopic.php?t=167")
    ).items
    assert (post.id, post.author, post.published.at) == ("p453", "r23", datetime(2009, 1, 21, 5, 42, tzinfo=BERLIN))
    assert post.text.startswith("Was ist Freie Software und warum ist sie wichtig? von Georg ")
    old = parse(page((folder / "avalanches_phpbb3_viewforum.html").read_bytes(), "http://x.de/viewforum.php?f=1"))
    assert len(old.threads) == 50
    assert old.threads[0] == ThreadRow(
        id="t407",
        url="http://x.de/viewtopic.php?t=407",
        title="Mini mix",
        last_item="p2561",
        last_url="http://x.de/viewtopic.php?p=2561",
        last_time=datetime(2007, 6, 24, 20, 7, tzinfo=BERLIN),
        replies=5,
    )
    bikes = parse(page((folder / "bikeradar_viewforum.html").read_bytes(), "http://x.de/forums/viewforum.php?f=40058"))
    assert [(row.id, row.sticky) for row in bikes.threads] == [("t12970739", True), ("t12980178", False)]
    assert (len(bikes.boards), bikes.boards[0].last_time) == (13, datetime(2014, 11, 5, 14, 47, tzinfo=BERLIN))
    found = parse(page((SHARED / "live" / "phpbb" / "search_posts.html").read_bytes(), "http://x.de/search.php"))
    assert (found.state, found.threads[0].id, found.threads[0].last_item) == (Answer.OK, "t6", "p57")
