"""Step language: German, English, a third language that is refused, and short texts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from pipeline.draft import Draft
from pipeline.item import Item
from pipeline.steps.language import Detector, Guess, LangidDetector, LanguageStep, letters_of
from pipeline.steps.language_walk import FEW
from pipeline.words import Channel, Kind, Reading


def draft(text: str, *, lang: str | None = None, thread_title: str = "") -> Draft:
    item = Item(
        source="s", platform="feed", channel=Channel.NEWS, kind=Kind.ARTICLE, reading=Reading.FULL,
        origin="news.example", native_id="a1", fetched=datetime(2026, 3, 1, tzinfo=UTC), lang=lang,
    )  # fmt: skip
    return Draft(item=item, uid="u", text=text, thread_title=thread_title)


@pytest.fixture(scope="module")
def step() -> LanguageStep:
    return LanguageStep(("de", "en"))


TEXTS = [
    ("Die Hotline war sehr freundlich und hat mir sofort geholfen.", "de", True),
    ("Seit drei Wochen funktioniert der Anschluss nicht mehr.", "de", True),
    ("The hotline was friendly and solved my problem at once.", "en", True),
    ("I have been waiting for three weeks now.", "en", True),
    ("Je suis client depuis dix ans et le service est devenu vraiment mauvais.", "fr", False),
    ("De klantenservice neemt de telefoon al drie dagen niet op, heel slecht.", "nl", False),
    ("İnternet bağlantım üç gündür yok ve kimse bana yardım etmiyor.", "tr", False),
    ("Jestem bardzo niezadowolony z obsługi klienta w tej firmie.", "pl", False),
]


@pytest.mark.parametrize(("text", "lang", "scored"), TEXTS)
def test_languages(step: LanguageStep, text: str, lang: str, scored: bool) -> None:
    (one,) = step([draft(text)])
    assert (one.lang, one.scored) == (lang, scored)


def test_only_configured_languages_are_scored() -> None:
    (one,) = LanguageStep(("de",))([draft("The hotline was friendly and solved my problem at once.")])
    assert (one.lang, one.scored) == ("en", False)


def test_a_short_text_takes_the_declared_language(step: LanguageStep) -> None:
    (one,) = step([draft("Super!", lang="de-DE")])
    assert (one.lang, one.scored) == ("de", True)


def test_a_short_text_takes_the_language_of_the_thread(step: LanguageStep) -> None:
    (one,) = step([draft("Top!", thread_title="Seit gestern kein Anschluss mehr in Köln")])
    assert (one.lang, one.scored) == ("de", True)


def test_a_declared_language_does_not_overrule_a_clear_text(step: LanguageStep) -> None:
    (one,) = step([draft("Die Hotline war sehr freundlich und hat mir sofort geholfen.", lang="en")])
    assert one.lang == "de"


def test_a_declared_third_language_is_not_scored(step: LanguageStep) -> None:
    (one,) = step([draft("Ok!", lang="fr")])
    assert (one.lang, one.scored) == ("fr", False)


def test_no_letters_no_language(step: LanguageStep) -> None:
    (one,) = step([draft("12:30 +++ 99 %")])
    assert (one.lang, one.scored) == (None, False)


def test_addresses_handles_and_numbers_say_nothing() -> None:
    assert letters_of("@one https://a.example/the/end #tag Hallo 2026 Welt") == "Hallo Welt"


class Counting:
    """A detector that says German to everything and remembers what it was shown."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def guesses(self, texts: Sequence[str]) -> list[Guess]:
        self.shown.extend(texts)
        return [Guess("de", 0.99, "de", 0.9) for _ in texts]


def test_the_model_is_loaded_once_and_late() -> None:
    loads: list[Sequence[str]] = []

    def load(languages: Sequence[str]) -> Detector:
        loads.append(languages)
        return Counting()

    step = LanguageStep(("de", "en"), load)
    assert loads == []
    step([draft("Ein Text von genügender Länge"), draft("Noch ein Text von genügender Länge")])
    step([draft("Und ein dritter Text von dieser Länge")])
    assert loads == [("de", "en")]


def test_one_look_per_text_and_only_at_its_beginning() -> None:
    detector = Counting()
    LanguageStep(("de",), lambda _: detector)([draft("wort " * 10_000)])
    assert [len(text) <= 2000 for text in detector.shown] == [True]


def test_both_answers_come_from_one_run() -> None:
    (guess,) = LangidDetector(("de", "en")).guesses(["Je suis surpris de voir comment cela fonctionne"])
    assert guess.anywhere == "fr"
    assert guess.lang in ("de", "en")
    assert guess.p_anywhere > 0.9


def test_texts_together_are_told_as_one_by_one() -> None:
    detector = LangidDetector(("de", "en"))
    texts = [text for text, _, _ in TEXTS] * 3 + ["", "ß", "Ende 🌧", "word " * 300, "Wort und mot " * 40]
    assert len(texts) > FEW
    assert detector.guesses(texts) == [guess for text in texts for guess in detector.guesses([text])]


def test_a_doubtful_beginning_is_read_on() -> None:
    (guess,) = LangidDetector(("de", "en")).guesses(
        ["1 ok ok " * 17 + "Die Hotline war sehr freundlich und half sofort."]
    )
    assert guess.lang == "de"
