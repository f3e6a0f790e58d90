"""Pages and answers that real Discourse, NodeBB and WordPress served: what is taken from each is what is there."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from rehearsal import page

from crawlers.parse import detect, parse_document
from crawlers.parsing import PageFile

PAGES = Path(__file__).parents[3] / "shared" / "data" / "pages"
pytestmark = pytest.mark.skipif(not PAGES.exists(), reason="the saved pages are not part of the project")

DISCOURSE = [
    ("topic", 4, "samsaffron", "2013-02-04T15:26:26.278-05:00", "Welcome!"),
    ("posts_latest", 4, "johndoe", "2020-01-25T02:10:07.971Z", "holla bullhonky."),
    ("posts_before", 3, "johndoe", "2020-01-25T00:58:35.475Z", "hi there."),
    ("post", 1, "system", "2014-10-31T04:37:32.553Z", "The first paragraph"),
    ("topic_posts", 1, "Some-username", "2020-01-27T11:32:03.646Z", "Some text."),
]


def saved(name: str, url: str) -> PageFile:
    return page((PAGES / name).read_bytes(), url)


def truth() -> list[dict[str, str]]:
    """The posts of the topic that every program was filled with."""
    posts: list[dict[str, str]] = json.loads((PAGES / "live" / "content.json").read_text("utf-8"))["topics"][0]["posts"]
    return posts


@pytest.mark.parametrize(("name", "count", "author", "at", "text"), DISCOURSE)
def test_posts_of_discourse(name, count, author, at, text):
    document = parse_document("auto", saved(f"discourse/discourse_api_{name}.json", "https://forum.example/x.json"))
    first = document["items"][0]
    assert (document["spider"], document["state"], len(document["items"])) == ("discourse", "ok", count)
    assert (first["author"], datetime.fromisoformat(first["published"])) == (author, datetime.fromisoformat(at))
    assert first["text"].startswith(text)


@pytest.mark.parametrize(("name", "topics"), [("latest", 3), ("hot", 3), ("category_latest_topics", 2), ("search", 3)])
def test_lists_of_discourse(name, topics):
    document = parse_document(
        "auto", saved(f"discourse/discourse_api_{name}.json", "https://forum.example/latest.json")
    )
    assert (document["spider"], len(document["threads"])) == ("discourse", topics)


@pytest.mark.parametrize("kind", ["json", "html"])
def test_a_topic_of_nodebb_is_what_was_written_there(kind):
    items = []
    for number in (1, 2):
        url = f"http://127.0.0.1:8102/topic/2/x?page={number}"
        document = parse_document("auto", saved(f"live/nodebb/topic_27_p{number}.{kind}", url))
        assert (document["spider"], document["state"]) == ("nodebb", "ok")
        items += document["items"]
    posts = truth()
    assert [item["author"] for item in items] == [post["author"] for post in posts]
    assert [item["text"] for item in items] == [post["text"] for post in posts]
    assert [datetime.fromisoformat(item["published"]) for item in items] == [
        datetime.fromisoformat(post["iso"]) for post in posts
    ]


@pytest.mark.parametrize("name", ["recent.json", "category_2.json", "category_2.html"])
def test_lists_of_nodebb(name):
    document = parse_document("auto", saved(f"live/nodebb/{name}", "http://127.0.0.1:8102/api/category/2"))
    assert (document["spider"], len(document["threads"])) == ("nodebb", 7)


@pytest.mark.parametrize(("name", "first", "comments"), [("post_27", 21, 6), ("post_27_cp1", 1, 10)])
def test_comments_under_an_article_of_wordpress(name, first, comments):
    url = "http://127.0.0.1:8105/2026/11/telekom-standige-dsl-ausfalle-seit-dem-wochenende/"
    document = parse_document("auto", saved(f"live/wordpress/{name}.html", url))
    found = [item for item in document["items"] if item["kind"] == "comment"]
    posts = truth()[first : first + comments]
    assert (document["spider"], len(found)) == ("wordpress", comments)
    assert [item["author"] for item in found] == [post["author"] for post in posts]
    assert [item["text"] for item in found] == [post["text"] for post in posts]
    assert [datetime.fromisoformat(item["published"]) for item in found] == [
        datetime.fromisoformat(post["iso"]) for post in posts
    ]


@pytest.mark.parametrize(("name", "count", "author"), [("posts", 3, None), ("comments", 8, "KlausM")])
def test_the_interface_of_wordpress(name, count, author):
    document = parse_document(
        "auto", saved(f"live/wordpress/wpjson_{name}.json", f"http://127.0.0.1:8105/wp-json/wp/v2/{name}")
    )
    assert (document["spider"], len(document["items"]), document["items"][0]["author"]) == ("wordpress", count, author)


def test_pages_of_other_programs_are_not_theirs():
    ours = {"discourse", "nodebb", "wordpress", "khoros", "insided"}
    own = ("nodebb", "wordpress", "discourse")
    for path in sorted(PAGES.rglob("*")):
        if path.suffix in (".html", ".json", ".xml", ".rss") and not set(own) & set(path.relative_to(PAGES).parts):
            name = detect(page(path.read_bytes(), "https://forum.example/x"))[0]
            assert name not in ours, path
