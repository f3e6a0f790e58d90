"""WordPress: its interface, the comments under its articles, and what a visit asks for."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from rehearsal import BERLIN, NOW, Source, page

from crawlers.parse import detect
from crawlers.spiders.wordpress import WordpressSpider, parse
from pipeline.item import Media
from pipeline.words import Answer, Kind

PAGES = Path(__file__).parent / "pages"
ROOT = "https://blog.example/"


class Blog:
    """A blog whose interface gives fifty comments on a page."""

    def __init__(self, comments: int = 0) -> None:
        self.comments = [self.comment(number, 500 - number) for number in range(1, comments + 1)]
        self.posts = json.loads((PAGES / "wordpress_posts.json").read_bytes())

    def comment(self, number: int, hours: float, text: str = "") -> dict:
        at = (NOW - timedelta(hours=hours)).replace(tzinfo=None).isoformat()
        return {
            "id": number,
            "post": 8,
            "parent": 0,
            "author_name": f"Autor {number % 3}",
            "date": at,
            "date_gmt": at,
            "content": {"rendered": f"<p>{text or f'Kommentar {number}'}</p>"},
            "link": f"{ROOT}2026/11/ausfaelle/#comment-{number}",
            "type": "comment",
        }

    def __call__(self, url: str) -> bytes | int:
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if "/wp/v2/" not in parts.path:
            return 404
        found = self.posts if parts.path.endswith("/posts") else sorted(self.comments, key=lambda c: -c["id"])
        start = (int(query.get("page", "1")) - 1) * int(query["per_page"])
        return json.dumps(found[start : start + int(query["per_page"])]).encode()


def test_articles_of_the_interface():
    [article] = parse(page((PAGES / "wordpress_posts.json").read_bytes(), f"{ROOT}wp-json/wp/v2/posts")).items
    assert (article.kind, article.id) == (Kind.ARTICLE, "/2026/11/ausfaelle/")
    assert article.thread == "/2026/11/ausfaelle/", "that of its comments"
    assert (article.title, article.author) == ("Ausfälle im Netz", "Jörg Müller")
    assert article.text == "Seit Tagen klemmt es.\n\nDer Mast in Köln"
    assert article.media == (Media(kind="image", url="/wp-content/uploads/mast.jpg", text="Der Mast in Köln"),)
    assert article.published.at == datetime(2026, 11, 19, 8, tzinfo=UTC)


def test_comments_of_the_interface():
    parsed = parse(page((PAGES / "wordpress_comments.json").read_bytes(), f"{ROOT}wp-json/wp/v2/comments"))
    first, answer = parsed.items
    assert (first.id, first.thread, first.thread_title) == (
        "/2026/11/ausfaelle/ comment-31",
        "/2026/11/ausfaelle/",
        "Ausfälle im Netz",
    )
    assert (first.author, first.text, first.parent) == ("Käthe Größl", "Die Hotline „hilft“ nicht.", None)
    assert first.published.at == datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
    assert (answer.author, answer.text, answer.quotes_removed) == ("Maja & Team", "Wir melden uns.", 1)
    assert (answer.parent, answer.parent_author) == ("/2026/11/ausfaelle/ comment-31", "Käthe Größl")


def test_comments_under_an_article():
    parsed = parse(page((PAGES / "wordpress_article.html").read_bytes(), f"{ROOT}2026/11/ausfaelle/"))
    article, first, answer, last = parsed.items
    assert (parsed.state, article.kind, parsed.thread_title) == (Answer.OK, Kind.ARTICLE, "Ausfälle im Netz")
    assert article.thread == first.thread == "/2026/11/ausfaelle/"
    assert (first.id, first.author, first.text) == (
        "/2026/11/ausfaelle/ comment-31",
        "Käthe Größl",
        "Die Hotline hilft nicht.",
    )
    assert first.published.at == datetime(2026, 11, 20, 9, 15, tzinfo=BERLIN)
    assert (answer.author, answer.text, answer.staff) == ("Jörg Müller", "Wir melden uns.", True)
    assert (answer.parent, answer.parent_author) == (first.id, "Käthe Größl")
    assert (last.author, last.text, last.parent) == ("Özil M.", "Bei mir auch nicht.", None)
    assert last.published.at == datetime(2026, 11, 21, 18, 5, tzinfo=BERLIN)


def test_comments_of_a_block_theme():
    parsed = parse(page((PAGES / "wordpress_block.html").read_bytes(), f"{ROOT}news/outage/"))
    comment = parsed.items[-1]
    assert (comment.id, comment.author, comment.text) == ("/news/outage/ comment-7", "Ann Ünal", "Nothing works.")
    assert comment.published.at == datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("body", "state", "reason"),
    [
        (b"", Answer.ERROR, "empty"),
        (b"[]", Answer.EMPTY, "nothing here"),
        (b'{"code": "rest_no_route", "message": "x", "data": {"status": 404}}', Answer.GATED, "read the feed"),
        (b'{"code": "rest_post_invalid_page_number", "data": {"status": 400}}', Answer.EMPTY, "last page"),
        (b'[{"id": 1}]', Answer.LAYOUT_CHANGED, "no answer"),
        (b"<html><h1>Rezepte</h1></html>", Answer.LAYOUT_CHANGED, "no page"),
    ],
)
def test_what_is_no_list_says_why(body, state, reason):
    parsed = parse(page(body, f"{ROOT}wp-json/wp/v2/comments"))
    assert parsed.state is state
    assert reason in parsed.reason


@pytest.mark.parametrize(
    "name", ["wordpress_posts.json", "wordpress_comments.json", "wordpress_article.html", "wordpress_block.html"]
)
def test_its_pages_are_known(name):
    assert detect(page((PAGES / name).read_bytes(), ROOT))[0] == "wordpress"


def test_new_comments_are_found_and_known_ones_not_repeated():
    blog = Blog(70)
    source = Source(WordpressSpider, ROOT)
    first = source.visit(blog)
    assert (len(first.items), first.complete, len(first.asked)) == (71, True, 3)
    assert source.visit(blog).items == []
    blog.comments.append(blog.comment(71, 0.1))
    third = source.visit(blog)
    assert third.ids == ["/2026/11/ausfaelle/ comment-71"]
    assert len(third.asked) == 2
    blog.comments[-1] = blog.comment(71, 0.1, "Nachtrag")
    assert [item.text for item in source.visit(blog).items] == ["Nachtrag"]


def test_the_header_says_how_many_pages_there_are():
    url = f"{ROOT}wp-json/wp/v2/comments?per_page=2"
    body = (PAGES / "wordpress_comments.json").read_bytes()
    assert parse(page(body, url)).links.next == (f"{url}&page=2",)
    assert parse(page(body, url, headers={"x-wp-totalpages": "1"})).links.next == ()


def test_the_cap_leaves_a_page_to_go_on_from():
    blog = Blog(200)
    source = Source(WordpressSpider, ROOT, options={"posts": False}, max_pages=2)
    first = source.visit(blog)
    assert (len(first.items), first.visit.behind) == (100, True)
    found = {*first.ids}
    for _ in range(4):
        found |= {*source.visit(blog).ids}
    assert len(found) == 200


def test_a_blog_without_permalinks_is_asked_the_other_way():
    blog = Blog(3)

    def site(url: str) -> bytes | int:
        route = parse_qs(urlsplit(url).query).get("rest_route")
        return blog(url.replace("?rest_route=", "x?", 1).replace("/x?", f"/wp-json{route[0]}?x=")) if route else 404

    run = Source(WordpressSpider, ROOT).visit(site)
    assert (len(run.items), run.complete) == (4, True)


@pytest.mark.parametrize("status", [401, 404])
def test_a_closed_interface_names_the_way_out(status):
    run = Source(WordpressSpider, ROOT).visit(lambda url: status)
    assert (run.items, run.complete) == ([], False)
    assert run.lost[0].answer is Answer.GATED
    assert "the spider 'feed'" in run.lost[0].reason
