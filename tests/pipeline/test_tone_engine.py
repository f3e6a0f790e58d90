"""The English rules score as vaderSentiment does, in time linear in the text; masking, calibration, the tone step."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from pipeline.draft import Draft, Match
from pipeline.item import Item
from pipeline.steps.tone import ToneStep
from pipeline.tone.calibration import CURVES, label_of
from pipeline.tone.engine import shift_at
from pipeline.tone.english import English
from pipeline.tone.mask import mask
from pipeline.tone.rules import HEAD, TAIL, RulesEngine, capped
from pipeline.words import Channel, Kind, Reading, ToneLabel, Via

VADER = SentimentIntensityAnalyzer()
ENGLISH = English()

WORDS = """no No NO or nor never so this without doubt but BUT least at very VERY good bad, GREAT! kind of sort kinda
the shit bomb yeah right bus stop to die for not isn't don't less most xyz 😀 :) ! ?? a ❤ 😡x hope hate, LOVE lol ugh"""
PIECES = st.sampled_from(WORDS.split())
TEXTS = st.one_of(st.lists(PIECES, max_size=14).map(" ".join), st.text(max_size=80))


def as_vader(text: str) -> dict[str, float]:
    score = ENGLISH.score_as_is(text)
    return {"neg": score.negative, "neu": score.neutral, "pos": score.positive, "compound": score.compound}


@settings(max_examples=600, deadline=None)
@given(TEXTS)
def test_scores_equal_the_library(text: str) -> None:
    assert as_vader(text) == VADER.polarity_scores(text)


SENTENCES = [
    "The service was good, but the hotline is not great.",
    "At least it isn't a horrible company.",
    "Without a doubt, excellent support!!!",
    "Today only kinda sux! But I'll get by, lol",
    "It is one of the least helpful shops",
    "never so good, never this bad",
    "YEAH RIGHT the shit to die for",
    "no good no bad nor good",
    "",
    "   ",
    "😀😀 x😡 :) :(",
]


@pytest.mark.parametrize("text", SENTENCES)
def test_scores_of_sentences_equal_the_library(text: str) -> None:
    assert as_vader(text) == VADER.polarity_scores(text)


def test_a_known_score() -> None:
    assert ENGLISH.score("The staff was very friendly and helpful!").compound == 0.7813


def test_typographic_apostrophes_negate() -> None:
    assert ENGLISH.score("I don’t like it").compound == ENGLISH.score("I don't like it").compound < 0
    assert ENGLISH.score_as_is("I don’t like it").compound == VADER.polarity_scores("I don’t like it")["compound"] > 0


@given(st.lists(st.sampled_from([0.0, 0.0, 1.0, 1.5, -2.0, 2.25, 3.0, -3.0]), max_size=40), st.integers(0, 39))
def test_but_shifts_as_the_library_does(valences: list[float], pivot: int) -> None:
    words = ["x"] * len(valences)
    if pivot >= len(words):
        return
    words[pivot] = "but"
    assert shift_at(valences, pivot) == SentimentIntensityAnalyzer._but_check(words, list(valences))


class CountingDict(dict[str, float]):
    """A lexicon that counts how often it is asked."""

    asked = 0

    def __contains__(self, key: object) -> bool:
        self.asked += 1
        return super().__contains__(key)


def asked_for(words: int) -> int:
    lexicon = CountingDict(ENGLISH._known.valences)
    known = ENGLISH._known
    engine = English(type(known)(lexicon, known.emoji, known.boosters, known.negations, known.phrases))
    engine.score("good but bad " * words)
    return lexicon.asked


def test_work_grows_with_the_text_and_no_faster() -> None:
    assert asked_for(4000) <= 4.1 * asked_for(1000)


def test_masking() -> None:
    text = "United hat um 12:30 auf https://a.example/great @best_friend 40 € verlangt, max@super.example"
    assert mask(text, [(0, 6)]) == "· hat um • auf ↗ · • € verlangt, ·"


def test_masking_keeps_emoticons_and_versions() -> None:
    assert mask("gut :-3 <3 :0 v2") == "gut :-3 <3 :0 v2"


def test_a_brand_name_is_no_praise() -> None:
    engine = RulesEngine("en")
    plain, masked = engine.tone(["United lost my bag", mask("United lost my bag", [(0, 6)])])
    assert plain.compound > masked.compound
    assert masked.label is ToneLabel.NEGATIVE


@given(st.sampled_from(["de", "en"]), st.floats(-1, 1))
def test_probabilities_sum_to_one(lang: str, compound: float) -> None:
    probabilities = CURVES[lang].probabilities(compound)
    assert sum(probabilities) == pytest.approx(1.0)
    assert min(probabilities) > 0


@pytest.mark.parametrize("lang", ["de", "en"])
def test_labels_follow_the_compound(lang: str) -> None:
    labels = [label_of(CURVES[lang].probabilities(step / 50)) for step in range(-50, 51)]
    order = [ToneLabel.NEGATIVE, ToneLabel.NEUTRAL, ToneLabel.POSITIVE]
    assert [order.index(label) for label in labels] == sorted(order.index(label) for label in labels)
    assert set(labels) == set(order)
    assert labels[50] is ToneLabel.NEUTRAL


def test_long_texts_are_scored_by_beginning_and_end() -> None:
    text = "Anfang " + "mitte " * 3000 + "Ende"
    short = capped(text)
    assert len(short) <= HEAD + TAIL + 2
    assert short.startswith("Anfang mitte")
    assert short.endswith("mitte Ende")
    assert capped("kurz") == "kurz"
    assert len(capped("x" * 9000)) <= HEAD + TAIL + 2


def draft(text: str, lang: str | None, *, scored: bool, matches: tuple[Match, ...] = ()) -> Draft:
    item = Item(
        source="s", platform="feed", channel=Channel.NEWS, kind=Kind.ARTICLE, reading=Reading.FULL,
        origin="news.example", native_id="a1", fetched=datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip
    return Draft(item=item, uid="u", text=text, lang=lang, scored=scored, matches=list(matches))


def test_the_step_scores_known_languages_only() -> None:
    german = draft("Katastrophe, Betrug und Abzocke", "de", scored=True)
    english = draft("A great and friendly team", "en", scored=True)
    french = draft("Un service terrible", "fr", scored=False)
    unknown = draft("42", None, scored=False)
    ToneStep()([german, english, french, unknown])
    assert german.tone is not None and english.tone is not None
    assert (german.tone.label, german.analyser[:8]) == (ToneLabel.NEGATIVE, "base-de-")
    assert (english.tone.label, english.analyser[:8]) == (ToneLabel.POSITIVE, "base-en-")
    assert (french.tone, french.analyser, unknown.tone, unknown.analyser) == (None, "none", None, "none")


def test_the_step_masks_what_was_matched() -> None:
    match = Match("united", "United", 0, 6, Via.NAME, "name United")
    one = draft("United landed", "en", scored=True, matches=(match,))
    ToneStep()([one])
    assert one.tone is not None and one.tone.compound == 0.0
