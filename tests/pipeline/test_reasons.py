"""Stored reasons in a person's language."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.i18n import Speech, phrases_below
from pipeline.reasons import in_words

BERLIN = ZoneInfo("Europe/Berlin")
GERMAN, ENGLISH = Speech("de", BERLIN), Speech("en", BERLIN)


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ("no complete visit for two intervals", "seit zwei Abständen kein vollständiger Besuch"),
        (
            "reading needs a permission we do not have (status 403) (https://forum.example/f1) and 2 more",
            "zum Lesen fehlt die Erlaubnis (Status 403) (https://forum.example/f1), und 2 weitere",
        ),
        ("status 502", "Status 502"),
        ("paused by Kim", "angehalten von Kim"),
        (
            "the site asks for a browser check (cf-mitigated)",
            "die Seite verlangt eine Prüfung des Browsers (cf-mitigated)",
        ),
        ("Diese Seite ist für Gäste gesperrt", "Diese Seite ist für Gäste gesperrt"),
        ("", ""),
    ],
)
def test_known_reasons_are_german_and_others_as_they_are(stored: str, said: str) -> None:
    assert in_words(stored, GERMAN) == said
    assert in_words(stored, ENGLISH) in (stored, stored.replace(" and 2 more", " and 2 more"))


def test_every_sentence_is_found_by_its_own_pattern() -> None:
    english, german = phrases_below("en", "why."), phrases_below("de", "why.")
    assert english.keys() == german.keys()
    for key in english.keys() - {"why.with_more"}:
        fields = {"status": "999", "n": "7", "total": "9"}
        words = {name: fields.get(name, f"<{name}>") for name in _fields(english[key])}
        assert in_words(english[key].format(**words), GERMAN) == german[key].format(**words), key


def _fields(phrase: str) -> set[str]:
    import string

    return {name for _, name, _, _ in string.Formatter().parse(phrase) if name}


@given(st.text())
def test_any_text_has_an_answer(text: str) -> None:
    assert in_words(text, ENGLISH) == text
