"""What was once measured about tone, held by tests: no language is scored by another's lexicon, names never score,
work grows with the text, and signs people type are understood."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from pipeline.draft import Draft, Match
from pipeline.item import Item
from pipeline.steps.tone import ToneStep
from pipeline.tone.english import English, load_vocabulary
from pipeline.tone.german import German
from pipeline.tone.lexicon import german_lexicon
from pipeline.tone.mask import MASK, mask
from pipeline.words import Channel, Kind, Reading, Via

GERMAN, ENGLISH = German(), English()
VADER = SentimentIntensityAnalyzer()
RATED = next(
    (folder for at in Path(__file__).parents if (folder := at / "shared/data/sentiment/vader_english").exists()), None
)


def test_german_articles_are_no_insults() -> None:
    text = "Die Telekom war so nett und hilfreich"
    assert VADER.polarity_scores(text)["compound"] < 0 < GERMAN.score(text).compound
    assert VADER.polarity_scores("Katastrophe, Betrug und Abzocke")["compound"] == 0.0
    assert GERMAN.score("Katastrophe, Betrug und Abzocke").compound < -0.8


STRONG = [word for word, value in load_vocabulary().valences.items() if word.isalpha() and abs(value) > 1]
ENGLISH_ONLY = sorted(
    word for word in STRONG if word not in german_lexicon().valences and GERMAN.score(word).compound == 0
)


@settings(deadline=None)
@given(st.lists(st.sampled_from(ENGLISH_ONLY), min_size=1, max_size=12))
def test_the_english_lexicon_never_scores_german(words: list[str]) -> None:
    assert GERMAN.score(" ".join(words)).compound == 0.0


def test_few_english_words_are_german_ones_too() -> None:
    assert len(ENGLISH_ONLY) > 0.9 * len(STRONG)


def draft(text: str, lang: str, *names: str) -> Draft:
    item = Item(
        source="s", platform="feed", channel=Channel.NEWS, kind=Kind.ARTICLE, reading=Reading.FULL,
        origin="news.example", native_id="a1", fetched=datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip
    places = [(name, text.index(name)) for name in names]
    matches = [Match(name.lower(), name, at, at + len(name), Via.NAME, f"name {name}") for name, at in places]
    return Draft(item=item, uid="u", text=text, lang=lang, scored=True, matches=matches)


@pytest.mark.parametrize("lang", ["de", "en"])
@pytest.mark.parametrize("name", ["United", "Katastrophe", "Super Saver", "Great Wall", "Hammer", "Liebe", "5 Sterne"])
def test_names_never_score(lang: str, name: str) -> None:
    one = draft(f"{name} fliegt am Montag", lang, name)
    ToneStep()([one])
    assert one.tone is not None
    assert (one.tone.compound, one.tone.words) == (0.0, ())


def test_handles_and_addresses_never_score() -> None:
    text = mask("@super_toll sagt https://abzocke.example/katastrophe und mist@betrug.example")
    assert GERMAN.score(text).compound == ENGLISH.score(text).compound == 0.0


def lines_run(score: Callable[[str], object], text: str) -> int:
    """How many lines of the tone package run for a text."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Callable[..., object] | None:
        nonlocal count
        if "/pipeline/tone/" not in frame.f_code.co_filename.replace("\\", "/"):
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        score(text)
    finally:
        sys.settrace(before)
    return count


PATTERNS = [
    "Das hilft nicht gut aber immer schlecht ", "aber gut ", "lässt lässt im ", "macht mich ab geht ", "kein kein gut ",
    "Ich liebe Mist ", "Toll, wieder Mist. ", "🙄 ", "gut! 🙄. ", "besser als · ", "bei anderen besser ", "wäre schön ",
    '"gut ', "„gut“ ", "5/5 ", "1 von 10 ", "⭐ ", "sooo guuut ", "danke für Mist ", "Liebe Leute, ", "nicht ",
    "no good but never bad ", "without doubt ", "❤️", "never so this good ", "auf die nerven ",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("scorer", [GERMAN, ENGLISH], ids=["de", "en"])
def test_work_grows_with_the_text_and_no_faster(scorer: German | English, pattern: str) -> None:
    scorer.score(pattern)
    short, long = (lines_run(scorer.score, pattern * times) for times in (150, 600))
    assert long <= 4.2 * short


@pytest.mark.parametrize("apostrophe", ["'", "’", "‘", "´"])
def test_apostrophes_as_people_type_them(apostrophe: str) -> None:
    assert ENGLISH.score(f"I don{apostrophe}t like it").compound == ENGLISH.score("I don't like it").compound < 0
    assert GERMAN.score(f"Geht{apostrophe}s noch?").compound == GERMAN.score("Geht's noch?").compound < 0


def test_a_masked_text_keeps_what_is_said_beside_the_name() -> None:
    assert GERMAN.score(mask("Elbtel ist eine Katastrophe", [(0, 6)])).words == (("Katastrophe", -3.2),)
    assert mask("Elbtel", [(0, 6)]) == MASK


@pytest.mark.skipif(RATED is None, reason="the rated texts are not part of the project")
def test_english_scores_equal_the_library_on_texts_of_people() -> None:
    assert RATED is not None
    lines = [line for path in sorted(RATED.glob("*Truth.txt")) for line in path.read_text("utf-8").splitlines()]
    texts = [line.split("\t")[2] for line in lines][::4]
    assert len(texts) > 4000
    scores = [(ENGLISH.score_as_is(text), VADER.polarity_scores(text)) for text in texts]
    different = [
        theirs for ours, theirs in scores
        if (ours.negative, ours.neutral, ours.positive, ours.compound)
        != (theirs["neg"], theirs["neu"], theirs["pos"], theirs["compound"])
    ]  # fmt: skip
    assert different == []
