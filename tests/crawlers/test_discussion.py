"""Posts that pages describe by schema.org data: what is taken, and when the shape of the page is trusted more."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rehearsal import BERLIN, NOW, Source, page

from crawlers.discussions import described_posts
from crawlers.parse import detect
from crawlers.spiders.discussion import DiscussionSpider, parse
from crawlers.threads import in_one_order
from pipeline.words import Answer, Kind

PAGES = Path(__file__).parent / "pages"
QUESTION = "https://frag.example/frage/88/zaehler"
TALK = "https://talk.example/d/12-broken-meter"


def saved(name: str, url: str):
    return page((PAGES / f"discussion_{name}.html").read_bytes(), url)


def test_a_question_its_answers_and_a_comment_in_microdata():
    parsed = parse(saved("microdata", QUESTION))
    question, solved, thanks, other = parsed.items
    assert (parsed.state, parsed.thread_title, parsed.lang) == (Answer.OK, "Warum ist der Zähler tot?", "de")
    assert parsed.links.next == (QUESTION + "?seite=2",)
    assert [item.id for item in parsed.items] == ["p88", "p91", "p93", "p92"]
    assert (question.author, question.author_id, question.votes, question.views) == ("Käthe Größl", "4", 4, 310)
    assert question.published.at == datetime(2026, 11, 20, 8, 15, tzinfo=BERLIN)
    assert question.text == "Seit Montag zeigt mein Zähler von Nordstrom nichts mehr an."
    assert (solved.accepted, solved.votes, solved.parent, solved.parent_author) == (True, 7, "p88", "Käthe Größl")
    assert (solved.text, solved.quotes_removed) == (
        "Die Sicherung im Kasten ist raus, der Techniker kam kostenlos.",
        1,
    )
    assert solved.url == QUESTION + "#antwort-91"
    assert (thanks.kind, thanks.text, thanks.parent, thanks.parent_author) == (
        Kind.COMMENT,
        "Danke, das war es!",
        "p91",
        "Özil M.",
    )
    assert (other.accepted, other.votes) == (None, -1)


def test_a_thread_in_json_ld_whose_page_is_made_in_the_browser():
    parsed = parse(saved("jsonld", TALK))
    opening, answer, below, last = parsed.items
    assert (parsed.thread, parsed.thread_title) == ("t12", "Broken meter")
    assert (opening.author, opening.author_id, opening.votes, opening.views) == ("Walt", "7", 3, 120)
    assert opening.published.at == datetime(2026, 11, 20, 8, 15, tzinfo=UTC)
    assert (answer.id, answer.url, answer.text, answer.quotes_removed) == (
        "p501",
        TALK + "#reply-501",
        "Same here & nobody answers.",
        1,
    )
    assert (answer.parent, below.parent, below.parent_author, below.author) == (None, "p501", "Ann Fox", "Walt")
    assert (last.author, last.text) == ("Bo", "Good to hear.")


def test_data_that_describe_the_first_post_alone_are_not_the_page():
    file = saved("first", "https://x.example/thema/5")
    assert len(described_posts(file)) == 1
    parsed = parse(file)
    assert [item.id for item in parsed.items] == ["p7", "p8", "p9", "p10"]
    assert detect(file)[0] == "forum"


@pytest.mark.parametrize(("name", "url"), [("microdata", QUESTION), ("jsonld", TALK)])
def test_data_that_describe_all_posts_are_recognised(name, url):
    assert detect(saved(name, url)) == ("discussion", "the page describes its posts by schema.org data")


def test_an_article_with_described_comments_stays_an_article():
    body = (PAGES / "discussion_jsonld.html").read_bytes().replace(b"DiscussionForumPosting", b"NewsArticle")
    assert detect(page(body, TALK))[0] == "article"


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (b"", Answer.ERROR),
        (b'<script type="application/ld+json">{"@type": "Comment", "author": [[]], "text": 5}</script>', Answer.EMPTY),
        (b'<script type="application/ld+json">[[[[{"@type": ["Answer"]}]]]]</script>', Answer.EMPTY),
        (
            b'<p itemscope itemtype="https://schema.org/Comment"><b itemprop="author text url position">x</b></p>',
            Answer.EMPTY,
        ),
        (b"<h1>Anmelden</h1><form><input type=password></form>", Answer.GATED),
    ],
)
def test_a_page_without_posts_says_why(body, state):
    assert parse(page(body)).state is state


def test_posts_without_a_number_stand_in_order_beside_those_with_one():
    assert in_one_order(["s0f-1795158900", "p91", "s4a-1795167000", "p92"]) == ["s0f-91", "p91", "s4a-91", "p92"]
    assert in_one_order(["s0f-1795158900", "s4a-1795167000"]) == ["s0f-1795158900", "s4a-1795167000"]
    assert in_one_order(["comment-5", "xab12-9"]) == ["comment-5", "xab12-5"]


def test_a_visit_gives_what_is_new():
    body = (PAGES / "discussion_jsonld.html").read_text("utf-8")
    source = Source(DiscussionSpider, TALK)
    first = source.visit(lambda url: body.encode())
    assert first.complete
    assert [name.rpartition(" ")[2] for name in first.ids] == [
        "mymeterfromharborpowershowsnothingatall",
        "p501",
        "p502",
        "p503",
    ]
    assert source.visit(lambda url: body.encode()).items == []
    new = (
        ', {"@type": "Comment", "@id": "#reply-510", "text": "Out again!", "author": "Walt",'
        f' "datePublished": "{(NOW + timedelta(minutes=5)).isoformat()}"}}]}}'
    )
    run = source.visit(lambda url: body.replace("]}\n</script>", new + "\n</script>").encode())
    assert (run.ids, run.items[0].text, run.items[0].thread) == (["/ t12 p510"], "Out again!", "/ t12")
