"""Tokens: folding, stems, and what a query asks for."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.analysis import BORDER, both, exact_tokens, stem_tokens, stem_variants


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Störung", ["stoerung"]),
        ("STOERUNG", ["stoerung"]),
        ("Sto\u0308rung", ["stoerung"]),
        ("Straße & Groß", ["strasse", "gross"]),
        ("1&1 Google+ S-Bahn", ["1", "1", "google", "s", "bahn"]),
        ("Café naïve Łódź", ["cafe", "naive", "łodz"]),
        ("ﬁx ① Ａ", ["fix", "1", "a"]),
        ("snake_case", ["snake", "case"]),
        ("İstanbul", ["istanbul"]),
        ("Москва", ["москва"]),
        ("🙂 … —", []),
    ],
)
def test_words_are_folded(text: str, tokens: list[str]) -> None:
    assert exact_tokens(text) == tokens


def test_stems_meet_across_forms() -> None:
    assert stem_tokens("Störungen", "de") == stem_tokens("stoerung", "de") == ["storung"]
    assert stem_tokens("promises", "en") == stem_tokens("promised", "en")
    assert stem_tokens("Störungen", None) == ["stoerungen"]


def test_a_query_asks_for_both_languages_and_the_word_itself() -> None:
    assert stem_variants("Störungen") == (("storung",), ("stoerungen",))
    assert set(stem_variants("services")) == {("servic",), ("services",)}


def test_no_phrase_spans_title_and_text() -> None:
    assert both("Das Netz", "steht still", "de")[0].split() == ["das", "netz", BORDER, "steht", "still"]
    assert both("", "steht", "de") == ("steht", "steht")


@given(st.text(max_size=60), st.sampled_from(["de", "en", "fr", None]))
def test_tokens_fit_the_index(text: str, lang: str | None) -> None:
    """Split at white space they are what they were: the index splits nowhere else."""
    exact, stem = both("", text, lang)
    assert len(exact.split(" ")) == len(stem.split(" "))
    for token in exact_tokens(text):
        assert token == "".join(token.split())
        assert not set(token) & set("\"'*():^-_+ \t\n")
    assert exact.split() == exact_tokens(text)


@given(st.text(alphabet="aäoöuüßeséñ-Z ", max_size=40))
def test_normal_forms_make_no_difference(text: str) -> None:
    assert exact_tokens(unicodedata.normalize("NFD", text)) == exact_tokens(unicodedata.normalize("NFC", text))


@given(st.text(max_size=40))
def test_a_text_is_found_by_itself(text: str) -> None:
    """The stems of a text in each language are among the variants a query for it asks for."""
    for lang in ("de", "en", None):
        if tokens := tuple(stem_tokens(text, lang)):
            assert tokens in stem_variants(text)
