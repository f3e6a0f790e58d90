"""Reviews: ratings between 0 and 1, owners' answers beside them, and incremental visits."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rehearsal import BERLIN, NOW, Source, page

from crawlers.ratings import rating_of
from crawlers.spiders.reviews import ReviewsSpider, parse
from pipeline.words import Answer, Kind, Precision

PAGES = Path(__file__).parent / "pages"
URL = "https://bewertet.example/firma/muster"


def listing(*numbers: int, following: str = "", answer: str = "") -> bytes:
    """Review n was written n hours before NOW."""
    reviews = [
        {
            "@type": "Review",
            "author": f"Person {n}",
            "datePublished": (NOW - timedelta(hours=n)).isoformat(),
            "reviewBody": f"Text der Bewertung {n}{answer if n == numbers[0] else ''}",
            "reviewRating": {"ratingValue": n % 5 + 1},
        }
        for n in numbers
    ]
    link = f'<link rel="next" href="{following}">' if following else ""
    return f'<html>{link}<script type="application/ld+json">{json.dumps(reviews)}</script></html>'.encode()


def test_reviews_in_json_ld():
    parsed = parse(page((PAGES / "reviews_jsonld.html").read_bytes(), URL))
    bad, answer, good, vague = parsed.items
    assert (parsed.state, parsed.links.next, parsed.lang) == (Answer.OK, (f"{URL}?page=2",), "de")
    assert (bad.kind, bad.author, bad.title, bad.votes) == (Kind.REVIEW, "Ünal K.", "Nie wieder", 4)
    assert bad.text == "Drei Wochen gewartet. Niemand ruft zurück."
    assert (bad.rating, bad.rating_raw, bad.rating_scale) == (0.25, "2", "1-5")
    assert bad.published.at == datetime(2026, 11, 20, 9, 40, tzinfo=BERLIN)
    assert (answer.kind, answer.parent, answer.author, answer.rating) == (Kind.REPLY, bad.id, "Muster GmbH", None)
    assert (good.rating, good.rating_raw, good.rating_scale, good.votes) == (0.9, "9", "0-10", 12)
    assert good.published.precision is Precision.DAY
    assert (vague.id, vague.rating, vague.published.at) == ("/firma/muster/bewertung/77", None, None)
    assert vague.published.upper == NOW - timedelta(weeks=2)


def test_reviews_in_microdata():
    first, second = parse(page((PAGES / "reviews_microdata.html").read_bytes(), URL)).items
    assert (first.author, first.title, first.text, first.rating) == ("Ann", "Leaks", "It leaks after two days.", 0.0)
    assert (second.author, second.text, second.rating) == ("Bob", "Boils & whistles.", 1.0)
    assert second.published.at == datetime(2026, 11, 17, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given_", "value", "scale"),
    [
        ({"ratingValue": "4"}, 0.75, "1-5"),
        ({"ratingValue": "4,5", "bestRating": "5"}, 0.875, "1-5"),
        ({"ratingValue": 0, "worstRating": 0, "bestRating": 10}, 0.0, "0-10"),
        ({"ratingValue": 7, "bestRating": 5}, 1.0, "1-5"),
        ({"ratingValue": 3, "bestRating": 1, "worstRating": 1}, None, "1-1"),
        ({"ratingValue": "gut"}, None, None),
        ("5", 1.0, "1-5"),
        (None, None, None),
    ],
)
def test_ratings_lie_between_nought_and_one(given_, value, scale):
    rating = rating_of(given_)
    assert (rating.value, rating.scale) == (value, scale)


@given(st.integers(0, 10), st.floats(0, 1), st.integers(1, 20))
def test_a_rating_is_its_place_on_the_scale(worst, share, width):
    raw = worst + share * width
    found = rating_of({"ratingValue": f"{raw:.4f}", "worstRating": worst, "bestRating": worst + width})
    assert found.value == pytest.approx(share, abs=0.001)


@pytest.mark.parametrize(
    ("body", "state"),
    [
        (b"", Answer.ERROR),
        (b"<html><h1>Nichts</h1></html>", Answer.LAYOUT_CHANGED),
        (b'<script type="application/ld+json">{"@type":"AggregateRating","ratingValue":4.1}</script>', Answer.EMPTY),
        (
            b'<script type="application/ld+json">{"@type":"Review","reviewBody":[1,{"a":2}],"author":7}</script>',
            Answer.OK,
        ),
        (b'<script type="application/ld+json">{"@type":"Review", kaputt</script>', Answer.LAYOUT_CHANGED),
    ],
)
def test_a_page_without_reviews_says_why(body, state):
    parsed = parse(page(body, URL))
    assert parsed.state is state
    assert parsed.reason or state is Answer.OK


def test_the_next_visit_stops_at_what_is_known():
    site = {URL: listing(1, 2, following="?page=2"), f"{URL}?page=2": listing(3, 4)}
    shop = Source(ReviewsSpider, URL)
    first = shop.visit(site.get)
    assert (len(first.items), first.complete) == (4, True)
    assert first.visit.complete_from == NOW - timedelta(hours=4)
    assert len(set(first.ids)) == 4
    site[URL] = listing(0, 1, following="?page=2")
    second = shop.visit(site.get)
    assert ([item.text for item in second.items], second.asked) == (["Text der Bewertung 0"], [URL])


def test_a_changed_review_is_given_again():
    shop = Source(ReviewsSpider, URL)
    body = "Ich warte seit Wochen auf meine Ware und niemand hilft"
    one = {"@type": "Review", "author": "Ann", "reviewBody": body}
    say = lambda text: f'<script type="application/ld+json">{json.dumps(one | {"reviewBody": text})}</script>'.encode()  # noqa: E731
    first = shop.visit(lambda url: say(body))
    second = shop.visit(lambda url: say(f"{body}. Nachtrag: jetzt doch."))
    assert (second.ids, len(second.items)) == (first.ids, 1)


def test_back_fill_ends_at_its_limit_and_a_cap_is_made_up_for():
    site = {f"{URL}?page={n}": listing(n * 24, following=f"?page={n + 1}") for n in range(2, 40)}
    site[URL] = listing(1, following="?page=2")
    run = Source(ReviewsSpider, URL, backfill=timedelta(days=5)).visit(site.get)
    assert (len(run.items), run.complete) == (5, True)
    shop = Source(ReviewsSpider, URL, backfill=timedelta(days=9), max_pages=4)
    runs = [shop.visit(site.get) for _ in range(4)]
    assert not runs[0].complete
    assert runs[-1].complete
    assert len({name for run in runs for name in run.ids}) >= 9


def test_reviews_gone_from_the_page_are_a_changed_layout():
    shop = Source(ReviewsSpider, URL)
    shop.visit(lambda url: listing(1))
    assert shop.visit(lambda url: b"<html>neu</html>").complete is False


def test_two_reviews_of_one_person_that_begin_alike_are_two():
    begin = "Der Techniker war heute da und hat den Anschluss geprüft"

    def told(number: int, text: str) -> dict[str, object]:
        address = f"{URL}/bewertung-{number}"
        return {"@type": "Review", "author": "Elif", "url": address, "datePublished": "2026-11-10", "reviewBody": text}

    reviews = [told(1, f"{begin}, alles gut."), told(2, f"{begin}, nichts geht.")]
    body = f'<html><script type="application/ld+json">{json.dumps(reviews)}</script></html>'.encode()
    assert [item.text for item in parse(page(body, URL)).items] == [f"{begin}, alles gut.", f"{begin}, nichts geht."]
