"""Forums that nobody knows: what pages say by their shape alone, and which pages a visit asks for."""

from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from rehearsal import BERLIN, NOW, Source, page

from crawlers.look import Look
from crawlers.paging import paging_of, related
from crawlers.parse import detect
from crawlers.select import tree_of
from crawlers.spiders.forum import ForumSpider, parse
from pipeline.words import Answer, Kind, Precision

PAGES = Path(__file__).parent / "pages"
THREAD = "http://forum.example/topic/5/nordstrom-abschlag/"


def saved(name: str, url: str, **over):
    return page((PAGES / f"forum_{name}.html").read_bytes(), url, **over)


def at(*moment: int) -> datetime:
    return datetime(*moment, tzinfo=BERLIN)  # type: ignore[arg-type,misc]


# --- pages --------------------------------------------------------------------------------------------------------


def test_posts_of_an_unknown_program_with_times_behind_a_pointer():
    parsed = parse(saved("thread", THREAD))
    first, second, third = parsed.items
    assert (parsed.state, parsed.thread, parsed.thread_title) == (Answer.OK, "t5", "Nordstrom: Abschlag verdoppelt")
    assert (parsed.first_page, parsed.links.next, parsed.links.previous) == (True, (THREAD + "?page=2",), ())
    assert (first.id, first.url, first.author, first.author_id) == ("p21", THREAD + "#c21", "Käthe Größl", "4")
    assert (first.published.at, first.published.precision) == (at(2026, 11, 2, 8, 15), Precision.MINUTE)
    assert first.text == (
        "Mein Abschlag bei Nordstrom wurde ohne Ankündigung verdoppelt.\n\nSiehe https://example.org/hilfe?id=3&x=1"
    )
    assert (second.author, second.text, second.quotes_removed) == (
        "Özil M.",
        "Bei mir auch, der Dienst ist eine Frechheit.",
        1,
    )
    assert second.published.at == at(2026, 11, 2, 13, 32)
    assert (third.text, third.published.at) == ("+1", at(2026, 11, 3))


def test_rows_of_a_list_of_threads():
    parsed = parse(saved("list", "https://forum.example/forum/kunden"))
    rules, prices, meter, _ = parsed.threads
    assert (parsed.state, parsed.lang, parsed.links.next) == (
        Answer.OK,
        "de",
        ("https://forum.example/forum/kunden?seite=2",),
    )
    assert (rules.sticky, prices.sticky) == (True, False)
    assert (rules.url, rules.title) == ("https://forum.example/thema/1-regeln-dieses-forums", "Regeln dieses Forums")
    assert (prices.title, prices.replies, prices.last_time) == (
        "Nordstrom: Abschlag verdoppelt",
        25,
        at(2026, 11, 21, 18, 5),
    )
    assert prices.last_url == "https://forum.example/thema/41-nordstrom-abschlag-verdoppelt?seite=3"
    assert (meter.last_url, meter.last_item) == (None, "at 2026-11-20T07:30:00+01:00 n 3")


def test_a_tree_of_comments_below_an_article():
    parsed = parse(saved("tree", "https://blatt.example/a/preise"))
    first, answer, removed = parsed.items
    assert [item.id for item in parsed.items] == ["p501", "p503", "p502"]
    assert (first.kind, first.author, first.text) == (
        Kind.COMMENT,
        "Enno Petersen",
        "Schon wieder teurer! Die Nordstrom kann mich mal.",
    )
    assert (answer.parent, answer.parent_author) == ("p501", "Enno Petersen")
    assert answer.text == "@Enno Petersen: wechseln hilft."
    assert (removed.deleted, removed.text) == (True, "")
    assert first.published.at == at(2026, 11, 20, 9, 12)


def test_a_guest_book_without_any_marks():
    parsed = parse(saved("guestbook", "http://gb.example/gb.php"))
    assert [(item.author, item.text) for item in parsed.items] == [
        ("Wiebke", "Die Küstenbahn ist heute wieder ausgefallen. Eine Zumutung."),
        ("Ole", "Schöne Seite, weiter so."),
        ("Jens B.", "Danke für die Hilfe mit der Küstenbahn."),
        ("Silke", "Grüße aus Husum."),
    ]
    assert parsed.items[0].published.at == at(2026, 11, 21, 18, 5)
    assert parsed.links.next == ("http://gb.example/gb.php?seite=2",)


def test_a_post_may_be_two_rows_of_a_table():
    parsed = parse(saved("rows", "http://h.example/thread.php?id=5"))
    assert [(item.id, item.author) for item in parsed.items] == [
        ("p901", "Walt"), ("p902", "Ann Fox"), ("p903", "Walt"), ("p904", "Bo"),
    ]  # fmt: skip
    assert parsed.items[1].text == "Same here since Tuesday."
    assert parsed.items[1].parent_author == "Walt"
    assert parsed.items[0].url == "http://h.example/thread.php?id=5#m901"
    assert [item.published.at for item in parsed.items[:2]] == [at(2026, 11, 4, 21, 15), at(2026, 11, 5, 10, 26)]


def test_an_id_without_a_number_is_made_of_name_and_words_not_of_the_time():
    parsed = parse(saved("guestbook", "http://gb.example/gb.php"))
    later = (PAGES / "forum_guestbook.html").read_bytes().replace(b"um 18:05 Uhr", b"um 18:06 Uhr")
    [again, *_] = parse(page(later, "http://gb.example/gb.php?seite=2")).items
    assert parsed.items[0].id.partition("-")[0] == again.id.partition("-")[0]
    assert parsed.items[0].id != again.id


def test_a_place_on_a_later_page_is_no_id():
    posts = "".join(
        f'<div class="post" id="post{n}"><b class="username">Anna</b> <time datetime="2026-11-0{n}T08:00Z"></time>'
        f'<div class="text">Der Beitrag mit der Nummer {n}.</div></div>'
        for n in (1, 2, 3)
    )
    first = parse(page(f'{posts}<a rel="next" href="?p=2">2</a>', "https://x.de/t"))
    later = parse(page(f'{posts}<a rel="prev" href="?p=1">1</a>', "https://x.de/t?p=2"))
    assert [item.id for item in first.items] == ["p1", "p2", "p3"]
    assert [item.id[0] for item in later.items] == ["s", "s", "s"]


@pytest.mark.parametrize(
    ("body", "state", "reason"),
    [
        (b"", Answer.ERROR, "empty"),
        (b"<html><body><h1>Kochrezepte</h1><p>Nudeln.</p></body></html>", Answer.EMPTY, "no repeated blocks"),
        (b"<h1>Anmelden</h1><form><input name=u><input type=password></form>", Answer.GATED, "login"),
        (
            b"".join(
                b'<div class="post" id="p%d"><b class="author">Anna</b><p class="text">Ein Beitrag %d.</p>'
                b"<time datetime='%s'></time></div>" % (n, n, b"2026-11-02T08:00Z" if n < 3 else b"2026-11-02")
                for n in range(1, 6)
            ).replace(b'<b class="author">Anna</b>', b"", 3),
            Answer.LAYOUT_CHANGED,
            "3 of 5 posts have no author",
        ),
    ],
)
def test_a_page_without_posts_says_why(body, state, reason):
    parsed = parse(page(body))
    assert parsed.state is state
    assert reason in parsed.reason


def test_strong_evidence_makes_a_forum_and_an_article_stays_one():
    assert detect(saved("thread", THREAD))[0] == "forum"
    assert detect(saved("guestbook", "http://gb.example/gb.php"))[0] == "forum"
    assert detect(saved("tree", "https://blatt.example/a/preise"))[0] == "article"
    typed = (
        (PAGES / "forum_thread.html")
        .read_bytes()
        .replace(b"</head>", b'<script type="application/ld+json">{"@type": "NewsArticle"}</script></head>')
    )
    assert ForumSpider.recognises(Look(page(typed, THREAD))) == ""


# --- paging -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "here", "same"),
    [
        ("https://x.de/t/5/titel?page=2", "https://x.de/t/5/titel", True),
        ("https://x.de/t/5/titel/page-2", "https://x.de/t/5/titel/", True),
        ("https://x.de/titel-35.html", "https://x.de/titel-34.html", True),
        ("https://x.de/titel-2.html", "https://x.de/titel.html", True),
        ("https://x.de/index.php?topic=2.15", "https://x.de/index.php?topic=2.0", True),
        ("https://x.de/index.php?topic=3.0", "https://x.de/index.php?topic=2.0", False),
        ("https://x.de/viewtopic.php?t=6", "https://x.de/viewtopic.php?t=5", False),
        ("https://x.de/2026/11/anderer-artikel/", "https://x.de/2026/11/dieser-artikel/", False),
        ("https://y.de/t/5/titel?page=2", "https://x.de/t/5/titel", False),
    ],
)
def test_another_page_of_the_same_thing(url, here, same):
    assert related(url, here) is same


@pytest.mark.parametrize(
    ("bar", "following", "before"),
    [
        ('<a rel="next" href="?p=3">3</a><a rel="prev" href="?p=1">1</a>', "3", "1"),
        ('<nav><a href="?p=1">Zurück</a> <a href="?p=3">Weiter</a></nav>', "3", "1"),
        ('<p class="pages"><a href="?p=1">«</a><a href="?p=3">»</a></p>', "3", "1"),
        ('<p><a href="?p=1">1</a> <b>2</b> <a href="?p=3">3</a> <a href="?p=9">9</a></p>', "3", "1"),
        ('<ul><li><a href="?p=1">1</a><li class="active"><a href="?p=2">2</a><li><a href="?p=3">3</a></ul>', "3", "1"),
        ('<a href="?p=1" aria-label="Previous page"></a><a href="?p=3" aria-label="Next page"></a>', "3", "1"),
        ('<a class="next" href="/t/6">Nächstes Thema</a>', None, None),
        ('<p>» <a href="/impressum">Impressum</a></p>', None, None),
    ],
)
def test_next_and_previous_page(bar, following, before):
    url = "https://x.de/t/5?p=2"
    links = paging_of(tree_of(page(bar, url)), url, url)
    wanted = [(f"https://x.de/t/5?p={number}",) if number else () for number in (following, before)]
    assert [links.next, links.previous] == wanted


# --- visits -------------------------------------------------------------------------------------------------------


class Forum:
    """A living forum of no known program: threads of posts, three on a page, numbered within the thread."""

    def __init__(self, *, newest_first: bool = False) -> None:
        self.threads: dict[int, list[tuple[int, datetime, str]]] = {}
        self.newest_first = newest_first
        self.hidden_counts = False
        self.posts = 0

    def post(self, thread: int, at: datetime, text: str = "") -> int:
        self.posts += 1
        self.threads.setdefault(thread, []).append(
            (self.posts, at, text or f"Das ist der Beitrag Nummer {self.posts}.")
        )
        return self.posts

    def __call__(self, url: str) -> bytes | int:
        parts = urlsplit(url)
        number = int(parse_qs(parts.query).get("seite", ["1"])[0])
        if parts.path == "/forum/":
            return self._list().encode()
        thread = int(parts.path.split("/")[2].split("-")[0])
        return self._thread(thread, number).encode() if thread in self.threads else 404

    def _list(self) -> str:
        by_age = sorted(self.threads, key=lambda t: self.threads[t][-1][1], reverse=True)
        rows = "".join(
            f'<tr class="zeile"><td><a href="/thema/{t}-titel">Ein Thema mit der Nummer {t}</a></td>'
            f'<td class="antworten">{"-" if self.hidden_counts else len(self.threads[t]) - 1}</td>'
            f"<td>{self.threads[t][-1][1].astimezone(BERLIN):%d.%m.%Y, %H:%M} von "
            f'<a href="/mitglied/3">Name</a></td></tr>'
            for t in by_age
        )
        return f'<html lang="de"><body><h1>Forum</h1><table>{rows}</table></body></html>'

    def _thread(self, thread: int, number: int) -> str:
        posts = self.threads[thread][::-1] if self.newest_first else self.threads[thread]
        pages = (len(posts) + 2) // 3
        shown = "".join(
            f'<div class="beitrag" id="b{n}"><a class="nutzer" href="/mitglied/{n % 4}">Autor{n % 4}</a>'
            f'<span class="zeit">{at.astimezone(BERLIN):%d.%m.%Y, %H:%M}</span><div class="inhalt">{text}</div></div>'
            for n, at, text in posts[3 * number - 3 : 3 * number]
        )
        links = "".join(
            f"<b>{n}</b> " if n == number else f'<a href="/thema/{thread}-titel?seite={n}">{n}</a> '
            for n in range(1, pages + 1)
        )
        return f'<html lang="de"><body><h1>Thema {thread}</h1>{shown}<p class="seiten">{links}</p></body></html>'


def forum_of(posts: dict[int, int], **over) -> Forum:
    forum, count = Forum(**over), sum(posts.values())
    for thread, number in posts.items():
        for _ in range(number):
            forum.post(thread, NOW - timedelta(hours=count))
            count -= 1
    return forum


def source(**over) -> Source:
    return Source(ForumSpider, "https://forum.example/forum/", **over)


@pytest.mark.parametrize("newest_first", [False, True], ids=["oldest first", "newest first"])
def test_a_forum_is_read_and_then_only_what_is_new(newest_first):
    forum, watched = forum_of({1: 2, 2: 10, 3: 4}, newest_first=newest_first), source()
    run = watched.visit(forum)
    assert run.complete
    assert sorted(int(name.split(" p")[1]) for name in run.ids) == list(range(1, 17))
    assert {item.thread for item in run.items} == {"/thema/1-titel", "/thema/2-titel", "/thema/3-titel"}
    assert "/thema/2-titel p12" in run.ids

    idle = watched.visit(forum)
    assert (idle.asked, idle.items, idle.complete) == (["https://forum.example/forum/"], [], True)

    for minute in range(1, 6):  # on to a page that did not exist before
        forum.post(2, NOW + timedelta(minutes=10 + minute))
    news = watched.visit(forum)
    assert sorted(news.ids, key=lambda name: int(name.split(" p")[1])) == [
        f"/thema/2-titel p{n}" for n in range(17, 22)
    ]
    assert news.complete
    assert len(news.asked) <= 4
    assert not any(item.first_contact for item in news.items)


def test_two_posts_within_one_minute_are_both_read():
    forum, watched = forum_of({1: 3, 2: 4}), source()
    watched.visit(forum)
    texts = []
    for number in range(3):  # the list shows minutes alone, and here the same count of answers
        at = watched.now - timedelta(seconds=30)
        forum.post(2, at.replace(second=0), f"In dieser Minute der Beitrag {number}.")
        forum.hidden_counts = True
        texts += [item.text for item in watched.visit(forum).items]
        watched.now -= timedelta(minutes=29, seconds=50)
    assert texts == [f"In dieser Minute der Beitrag {number}." for number in range(3)]


@pytest.mark.parametrize("newest_first", [False, True], ids=["oldest first", "newest first"])
@pytest.mark.parametrize("path", ["/forum/", "/thema/2-titel"])
def test_a_cap_is_behind_and_later_visits_go_on(newest_first, path):
    forum = forum_of({1: 2, 2: 31} if path == "/forum/" else {2: 33}, newest_first=newest_first)
    watched = Source(ForumSpider, f"https://forum.example{path}", max_pages=4)
    runs = [watched.visit(forum)]
    assert (runs[0].visit.behind, runs[0].complete) == (True, False)
    while not runs[-1].complete:
        assert len(runs) < 12
        runs.append(watched.visit(forum))
    assert {int(name.split(" p")[1]) for run in runs for name in run.ids} == set(range(1, 34))


def test_one_thread_can_be_a_source():
    forum = forum_of({1: 7})
    thread = Source(ForumSpider, "https://forum.example/thema/1-titel")
    assert len(thread.visit(forum).items) == 7
    new = forum.post(1, NOW + timedelta(minutes=1))
    run = thread.visit(forum)
    assert (run.ids, run.complete) == ([f"/thema/1-titel p{new}"], True)


def test_a_page_of_newest_comments_can_be_a_source():
    forum = forum_of({1: 8}, newest_first=True)
    thread = Source(ForumSpider, "https://forum.example/thema/1-titel")
    assert len(thread.visit(forum).items) == 8
    for minute in range(1, 6):
        forum.post(1, NOW + timedelta(minutes=minute))
    run = thread.visit(forum)
    assert sorted(int(name.split(" p")[1]) for name in run.ids) == [9, 10, 11, 12, 13]
    assert run.complete


def test_a_list_that_lost_its_rows_is_no_quiet_forum():
    forum, watched = forum_of({1: 3, 2: 3, 3: 3}), source()
    watched.visit(forum)
    run = watched.visit(lambda url: b"<html><body><h1>Wartung</h1></body></html>")
    assert (run.visit.answers, run.complete) == ([Answer.LAYOUT_CHANGED], False)


def test_signed_posts_have_the_id_that_the_contract_gives_them():
    book = Source(ForumSpider, "http://gb.example/gb.php")
    run = book.visit(lambda url: (PAGES / "forum_guestbook.html").read_bytes() if "seite" not in url else 404)
    assert "/gb.php by wiebke diekustenbahnistheutewiederausgefallenei" in run.ids
    assert len(set(run.ids)) == 4


# --- the order of day and month -----------------------------------------------------------------------------------

BOARD = """<html lang="{lang}"><body><h1>T</h1>{posts}</body></html>"""


def dated(lang: str, *dates: str) -> bytes:
    posts = "".join(
        f'<div class="post" id="p{n}"><b class="username">Anna</b> <span class="date">{date}</span>'
        f'<div class="text">Der Beitrag mit der Nummer {n}.</div></div>'
        for n, date in enumerate(dates, 40)
    )
    return BOARD.format(lang=lang, posts=posts).encode()


@pytest.mark.parametrize(
    ("lang", "dates", "known", "order", "first"),
    [
        ("de", ("02/11/2026, 08:15", "13/11/2026, 08:15"), None, "DMY", at(2026, 11, 2, 8, 15)),
        ("de", ("11/02/2026, 08:15", "11/13/2026, 08:15"), None, "MDY", at(2026, 11, 2, 8, 15)),
        ("en", ("11/02/2026, 08:15 AM", "11/03/2026, 08:15 AM"), None, None, at(2026, 11, 2, 8, 15)),
        ("en-GB", ("02/11/2026, 08:15 AM", "03/11/2026, 08:15 AM"), None, None, at(2026, 11, 2, 8, 15)),
        ("de", ("11-02-2026, 08:15", "11-03-2026, 08:15"), "MDY", None, at(2026, 11, 2, 8, 15)),
        ("de", ("02.11.2026, 08:15", "03.11.2026, 08:15"), "MDY", None, at(2026, 11, 2, 8, 15)),
    ],
)
def test_the_order_comes_from_the_page_else_from_the_forum_else_from_the_language(lang, dates, known, order, first):
    parsed = parse(page(dated(lang, *dates), order=known))
    assert parsed.order == order
    assert parsed.items[0].published.at == first


def test_a_page_without_evidence_is_read_as_the_forum_wrote_before():
    first = dated("de", "10-30-2026, 08:15", "10-31-2026, 08:15")
    thread = Source(ForumSpider, "https://forum.example/thema/1-titel")
    thread.visit(lambda url: first)
    assert thread.cursor["order"] == "MDY"
    later = (
        dated("de", "10-30-2026, 08:15", "10-31-2026, 08:15").replace(b"10-30", b"11-01").replace(b"10-31", b"11-02")
    )
    [again, *_] = thread.visit(lambda url: later.replace(b'id="p4', b'id="p5')).items
    assert again.published.at == at(2026, 11, 1, 8, 15)
    assert thread.cursor["order"] == "MDY"
