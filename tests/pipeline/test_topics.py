"""Topic terms: nouns of a text, compounds taken apart; and what of them stands out."""

from __future__ import annotations

import pytest
from building import NOON

from pipeline.draft import Draft, Match
from pipeline.item import Item, Published
from pipeline.labels.topics import MOST, Topics, topics
from pipeline.steps.labels import LabelStep
from pipeline.store.significance import ranked
from pipeline.words import Aspect, Channel, Kind, Precision, Purpose, Reading, Severity, Via

TEXT = "Die Servicehotline ist überlastet, mein Rückruf kam nie. Störungsticket geschlossen!"


@pytest.fixture(scope="module")
def terms() -> Topics:
    return topics()


def test_compounds_are_taken_apart_at_nouns_of_the_field(terms: Topics) -> None:
    found = terms.terms(TEXT, "de")
    assert found == ("servicehotlin", "hotlin", "servic", "ruckruf", "storungsticket", "ticket", "storung")
    assert "rechnung" in terms.terms("Der Rechnungsbetrag stimmt nicht.", "de")
    assert "zeit" not in terms.terms("In der Zeitung stand es auch.", "de")


def test_small_letters_are_no_hindrance(terms: Topics) -> None:
    assert set(terms.terms(TEXT.lower(), "de")) == set(terms.terms(TEXT, "de"))


def test_where_capitals_are_used_only_nouns_are_terms(terms: Topics) -> None:
    found = terms.terms("Gestern wollte ich im Schlafzimmer schnell etwas nachsehen.", "de")
    assert found == ("schlafzimm",)


def test_english_gives_its_content_words(terms: Topics) -> None:
    assert terms.terms("My broadband router crashed and nobody answered the hotline.", "en") == (
        "broadband",
        "router",
        "hotlin",
    )


def test_handles_addresses_and_numbers_are_no_terms(terms: Topics) -> None:
    assert terms.terms("@Router_Hilfe siehe https://router.example/Hotline um 1200", "de") == ()


def test_there_are_few_terms_of_a_long_text(terms: Topics) -> None:
    text = " ".join(f"Wort{chr(97 + a)}{chr(97 + b)}ung" for a in range(26) for b in range(26))
    assert len(terms.terms(text, "de")) == MOST


def test_a_term_is_shown_as_people_write_it(terms: Topics) -> None:
    texts = [("Die Störungen nerven", "de"), ("Störung!", "de"), ("diese Störung", "de"), ("Störungsticket", "de")]
    assert terms.shown("storung", texts) == "Störung"
    assert terms.shown("hotlin", [(TEXT, "de")]) == "Servicehotline"
    assert terms.shown("nirgends", texts) == "nirgends"


def draft(text: str, lang: str | None, *matches: Match) -> Draft:
    item = Item(
        source="forum",
        platform="phpbb",
        channel=Channel.FORUM,
        kind=Kind.POST,
        reading=Reading.FULL,
        origin="forum.example",
        native_id="p1",
        text=text,
        fetched=NOON,
        published=Published(at=NOON, precision=Precision.MINUTE),
    )
    return Draft(item=item, uid="0" * 32, text=text, lang=lang, matches=list(matches))


def test_the_step_labels_what_it_can_read_and_leaves_brands_out() -> None:
    text = "Router Telekom: Ihr Idioten, wann geht die Hotline ran?"
    known = draft(text, "de", Match("telekom", "Telekom", 7, 14, Via.NAME, ""))
    other = draft("La hotline est nulle", "fr")
    assert LabelStep()([known, other]) == [known, other]
    assert known.labels.severity is Severity.INSULT
    assert known.labels.aspects == (Aspect.ERREICHBARKEIT, Aspect.TECHNIK)
    assert known.labels.purpose is Purpose.QUESTION
    assert known.topics == ("rout", "hotlin")
    assert (other.labels.severity, other.labels.aspects, other.topics) == (None, (), ())


def test_what_stands_out_is_counted_by_persons() -> None:
    found = ranked({"ticket": 5, "netz": 5, "schloss": 1}, {"netz": 9}, 6, 9, 20)
    assert [(term.value, term.persons, term.before, term.new) for term in found] == [("ticket", 5, 0, True)]
    # by hand: 2 (5 ln(5/1.875) + ln(1/4.125) + 10 ln(10/6.875))
    assert found[0].significance == pytest.approx(14.468, abs=0.001)


def test_without_a_past_terms_rank_by_persons() -> None:
    found = ranked({"a": 2, "b": 9, "c": 4}, {}, 10, 0, 2)
    assert [term.value for term in found] == ["b", "c"]
