"""Step match: own titles, threads, replies, sources about a brand, and whose voice it is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pipeline.configuration import Brand, Source
from pipeline.draft import Draft, ThreadContext
from pipeline.examples import EXAMPLE_BRANDS
from pipeline.headings import own_title
from pipeline.item import Item
from pipeline.steps.match import MatchStep, spoken, voice_of
from pipeline.words import Channel, Kind, Reading, Via, Voice

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOURCES = {
    "forum": Source(spider="phpbb", url="http://forum.example/"),
    "reviews": Source(spider="reviews", url="http://reviews.example/", about="telekom"),
}


class Book:
    """A thread book in memory that counts how often it is asked."""

    def __init__(self) -> None:
        self.contexts: dict[tuple[str, str], ThreadContext] = {}
        self.asked = 0

    def get(self, keys: list[tuple[str, str]]) -> dict[tuple[str, str], ThreadContext]:
        self.asked += 1
        return {key: self.contexts[key] for key in keys if key in self.contexts}

    def put(self, contexts: dict[tuple[str, str], ThreadContext]) -> None:
        self.contexts.update(contexts)


def draft(text: str = "", *, number: str = "p1", **fields: object) -> Draft:
    values: dict[str, object] = {
        "source": "forum", "platform": "phpbb", "channel": Channel.FORUM, "kind": Kind.POST, "reading": Reading.FULL,
        "origin": "forum.example", "native_id": number, "fetched": NOW, "text": text,
    }  # fmt: skip
    item = Item(**(values | fields))  # type: ignore[arg-type]
    return Draft(item=item, uid=number, text=text, thread_title=item.thread_title)


def run(book: Book, *drafts: Draft) -> dict[str, dict[str, Via]]:
    step = MatchStep(EXAMPLE_BRANDS, SOURCES, book)
    return {kept.uid: kept.brands for kept in step(list(drafts))}


HEADINGS = [
    ("Re: DSL tot", "DSL tot", ""),
    ("AW: DSL tot", "DSL tot", ""),
    ("Antw: DSL tot", "DSL tot", ""),
    ("Re: AW: Re[2]: DSL tot", "DSL tot", ""),
    ("Netzforum • Re: DSL tot", "DSL tot", ""),
    ("Re: DSL tot • Netzforum", "DSL tot", ""),
    ("Netzforum - DSL tot", "DSL tot", ""),
    ("Kommentar zu DSL tot von Karla", "DSL tot", ""),
    ("Kommentar zu „DSL tot“ von Karla M.", "DSL tot", ""),
    ("Comment on DSL tot by Karla", "DSL tot", ""),
    ("Von: Karla zu: DSL tot", "DSL tot", ""),
    ("[gelöst] DSL tot", "DSL tot", ""),
    ("dsl TOT", "DSL tot", ""),
    ("Re: Seit Wochen kein Anschluss und …", "Seit Wochen kein Anschluss und kein Ende", ""),
    ("Re: DSL tot", "", ""),
    ("Bei mir geht es", "DSL tot", "Bei mir geht es"),
    ("DSL tot seit gestern", "DSL tot", "DSL tot seit gestern"),
    ("Eigene Frage", "", "Eigene Frage"),
    ("", "DSL tot", ""),
]


@pytest.mark.parametrize(("heading", "thread", "wanted"), HEADINGS)
def test_own_title(heading: str, thread: str, wanted: str) -> None:
    assert own_title(heading, thread) == wanted


def test_text_or_own_title_names_the_brand() -> None:
    found = run(
        Book(),
        draft("Die Telekom ist weg", number="a"),
        draft("Seit gestern offline", number="b", title="Ärger mit 1&1"),
        draft("Das Wetter ist schön", number="c"),
    )
    assert found == {"a": {"telekom": Via.NAME}, "b": {"1und1": Via.NAME}}


def test_positions_are_those_of_title_and_text() -> None:
    one = draft("und die Telekom auch", title="Ärger mit 1&1")
    MatchStep(EXAMPLE_BRANDS, SOURCES, Book())([one])
    assert [spoken(one)[match.start : match.end] for match in one.matches] == ["1&1", "Telekom"]


def test_the_strongest_reason_stays() -> None:
    one = draft("@telekom_hilft: die Telekom antwortet nicht", source="reviews")
    assert run(Book(), one) == {"p1": {"telekom": Via.NAME}}


def test_a_source_about_a_brand_makes_every_item_a_mention() -> None:
    found = run(
        Book(),
        draft("Nie wieder!", number="a", source="reviews"),
        draft("Bin jetzt bei 1&1", number="b", source="reviews"),
    )
    assert found == {"a": {"telekom": Via.ABOUT}, "b": {"1und1": Via.NAME, "telekom": Via.ABOUT}}


def test_a_thread_title_with_one_brand_speaks_for_posts_that_name_none() -> None:
    post = {"thread": "t1", "thread_title": "Telekom seit Tagen tot", "title": "Re: Telekom seit Tagen tot"}
    found = run(Book(), draft("Bei mir auch", number="a", **post), draft("Bei 1&1 geht es", number="b", **post))
    assert found == {"a": {"telekom": Via.THREAD}, "b": {"1und1": Via.NAME}}


def test_a_thread_title_with_two_brands_speaks_for_nobody() -> None:
    post = {"thread": "t1", "thread_title": "Telekom oder 1&1?"}
    book = Book()
    assert run(book, draft("Keine Ahnung", **post)) == {}
    assert book.contexts["forum.example", "t1"].brands == ("telekom", "1und1")


def test_where_the_title_names_none_the_opening_post_does() -> None:
    book = Book()
    post = {"thread": "t1", "thread_title": "Internet tot"}
    answer = draft("Hier genauso", number="b", **post)
    opening = draft("Seit gestern geht die Telekom nicht", number="a", opens_thread=True, title="Internet tot", **post)
    assert run(book, answer, opening) == {"b": {"telekom": Via.THREAD}, "a": {"telekom": Via.NAME}}
    assert book.contexts["forum.example", "t1"] == ThreadContext("Internet tot", ("telekom",), True)


def test_thread_context_outlives_the_batch_and_dropped_posts() -> None:
    book = Book()
    opening = draft("Hallo zusammen", number="a", thread="t1", title="Ärger mit der Telekom", opens_thread=True)
    run(book, opening)
    assert run(book, draft("Kenne ich", number="b", thread="t1")) == {"b": {"telekom": Via.THREAD}}
    other = draft("Nur Wetter", number="c", thread="t2", thread_title="Das Wetter")
    assert run(book, other) == {}
    assert book.contexts["forum.example", "t2"] == ThreadContext("Das Wetter", (), False)


def test_a_changed_title_applies_to_what_comes_after() -> None:
    book = Book()
    run(book, draft("x", thread="t1", thread_title="Telekom tot"))
    assert run(book, draft("y", thread="t1", thread_title="Hat sich erledigt")) == {}
    assert book.contexts["forum.example", "t1"] == ThreadContext("Hat sich erledigt", (), False)


def test_an_unchanged_thread_is_not_written_again() -> None:
    book = Book()
    run(book, draft("x", thread="t1", thread_title="Telekom tot"))
    book.put = pytest.fail  # type: ignore[assignment]
    run(book, draft("y", number="p2", thread="t1", thread_title="Telekom tot"))


def test_the_thread_book_is_asked_once_per_batch() -> None:
    book = Book()
    run(book, *(draft("x", number=str(n), thread=f"t{n}", thread_title="Telekom") for n in range(5)))
    assert book.asked == 1


def test_an_answer_to_an_own_account_is_about_its_brand() -> None:
    found = run(
        Book(),
        draft("Und wann?", number="a", parent_author="Telekom_hilft"),
        draft("Wir melden uns", number="b", author="@1und1"),
        draft("Und wann?", number="c", parent="b"),
        draft("Und wann?", number="d", parent_author="Karla"),
        draft("Bei der Bahn AG: DB", number="e", parent_author="telekom_hilft"),
    )
    assert found == {"a": {"telekom": Via.REPLY}, "c": {"1und1": Via.REPLY}, "e": {"bahn": Via.NAME}}


def test_what_the_source_deleted_goes_on() -> None:
    assert run(Book(), draft("", deleted=True)) == {"p1": {}}


VOICES: list[tuple[dict[str, Any], str | None, Voice]] = [
    ({}, "Karla", Voice.EARNED),
    ({}, None, Voice.EARNED),
    ({}, "@Telekom_hilft", Voice.OWNED),
    ({}, "Max vom Team", Voice.STAFF),
    ({"kind": Kind.REPLY}, "Inhaber", Voice.OWNED),
    ({"kind": Kind.ARTICLE, "origin": "blog.telekom.example"}, "Redaktion", Voice.OWNED),
    ({"kind": Kind.RESULT, "origin": "telekom.example"}, None, Voice.OWNED),
    ({"kind": Kind.POST, "origin": "hilft.telekom.example"}, "Karla", Voice.EARNED),
    ({"kind": Kind.ARTICLE, "origin": "nottelekom.example"}, "Redaktion", Voice.EARNED),
]


@pytest.mark.parametrize(("fields", "author", "voice"), VOICES)
def test_voice(fields: dict[str, Any], author: str | None, voice: Voice) -> None:
    brand = Brand(name="Telekom", accounts=("telekom_hilft",), staff=("max vom team",), domains=("telekom.example",))
    assert voice_of(brand, draft("x", **fields).item, author) is voice


def test_the_same_words_are_owned_for_one_brand_and_earned_for_another() -> None:
    item = draft("Besser als die Telekom").item
    voices = [voice_of(EXAMPLE_BRANDS[name], item, "1und1") for name in ("1und1", "telekom")]
    assert voices == [Voice.OWNED, Voice.EARNED]


def test_the_heading_of_an_opening_post_is_the_threads() -> None:
    book = Book()
    opening = draft("Hallo zusammen", number="a", thread="t1", title="Ärger mit der Telekom", opens_thread=True)
    assert run(book, opening) == {"a": {"telekom": Via.THREAD}}
    assert opening.title == ""
