"""German tone: asserted labels for sentences of our own, the lexicon, inflection, and the rules one by one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tone.german import German
from pipeline.tone.inflection import adjective, noun, verb
from pipeline.tone.lexicon import LexiconError, german_lexicon, read_lexicon
from pipeline.tone.rules import RulesEngine
from pipeline.words import ToneLabel

ENGINE = RulesEngine("de")
GERMAN = German()

NEGATIVE = """
Katastrophe, Betrug und Abzocke
hat mir leider überhaupt nicht geholfen
Der Kundendienst hat mir überhaupt nicht geholfen.
Nie wieder dieser Saftladen!
Ich warte seit Stunden in der Warteschleife.
Schon wieder Schienenersatzverkehr
Total enttäuscht von diesem Laden
Ich bin nicht zufrieden.
Kein guter Service
Die Mitarbeiterin war keineswegs freundlich.
Funktioniert seit Tagen nicht.
Hilft mir nicht.
Ich empfehle euch nicht weiter.
Danke für nichts!
Na toll, wieder keine Verbindung
Seit drei Wochen kein Internet und niemand meldet sich
Nach drei Anrufen immer noch keine Lösung
Scheißverein!
Das ist eine Riesensauerei.
Totalausfall in Köln
Unverschaemt und aergerlich
Der Techniker war super, aber die Hotline ist unfreundlich.
Service mangelhaft, Mitarbeiter inkompetent
Kundenservice unter aller Sau
😡😡😡
Das ist nicht nur teuer, sondern auch langsam.
Die haben mich abgezockt.
Man wird nur vertröstet und abgewimmelt.
Finger weg!
LÄCHERLICH
Servicewüste Deutschland
Der Zug fällt aus.
Es geht gar nicht mehr ohne Ärger.
""".strip().splitlines()

POSITIVE = """
Die Telekom war so nett und hilfreich
Vielen Dank für die schnelle Hilfe!
Der Techniker kam pünktlich und war sehr freundlich.
Kulant und unbürokratisch gelöst
Alles lief reibungslos und ohne Probleme.
Es gab keine Probleme.
Die Hotline ist unfreundlich, aber der Techniker war super.
Obwohl die Wartezeit lang war, bin ich sehr zufrieden.
Kann ich nur empfehlen
Der Router funktioniert wieder.
ENDLICH funktioniert es
Großes Lob an das Team
Gar nicht übel, der neue Tarif
Ich liebe meinen neuen Anschluss
Hut ab!
Die Mitarbeiterin im Laden war freundlich und geduldig.
Immer wieder gerne 👍
Herzlichen Dank, das hat geklappt.
""".strip().splitlines()

NEUTRAL = """
Wie kann ich meinen Router zurücksetzen?
Der Tarif kostet 20 Euro im Monat.
Habe gestern den Vertrag verlängert.
Die Filiale öffnet um neun Uhr.
Es wäre schön, wenn jemand antworten würde.
Die war das, die war so.
""".strip().splitlines()


def label(text: str) -> ToneLabel:
    return ENGINE.tone([text])[0].label


@pytest.mark.parametrize("text", NEGATIVE)
def test_negative(text: str) -> None:
    assert label(text) is ToneLabel.NEGATIVE


@pytest.mark.parametrize("text", POSITIVE)
def test_positive(text: str) -> None:
    assert label(text) is ToneLabel.POSITIVE


@pytest.mark.parametrize("text", NEUTRAL)
def test_neutral(text: str) -> None:
    assert label(text) is ToneLabel.NEUTRAL


def test_not_bad_is_not_negative() -> None:
    assert GERMAN.score("Der Empfang ist nicht schlecht").compound > 0
    assert GERMAN.score("Der Empfang ist keine Katastrophe").compound > 0


def test_the_words_that_weighed_are_told_heaviest_first() -> None:
    (tone,) = ENGINE.tone(["Der Service war nett, die Rechnung ein Betrug"])
    assert tone.words == (("Betrug", -3.4), ("nett", 2.0))


def test_an_idiom_is_one_word() -> None:
    assert GERMAN.score("Danke für nichts").words == (("Danke für nichts", -2.6),)


def test_boosters_and_dampeners() -> None:
    plain, more, less = (abs(GERMAN.score(f"{word} unfreundlich").compound) for word in ("heute", "sehr", "etwas"))
    assert less < plain < more


def test_capitals_among_other_words_weigh_more() -> None:
    assert GERMAN.score("das ist MIES").compound < GERMAN.score("das ist mies").compound


def test_negation_ends_with_its_clause() -> None:
    assert GERMAN.score("Das weiß ich nicht, super Service").compound > 0.5


def test_nicht_reaches_back_to_the_verb_only() -> None:
    assert GERMAN.score("hilft seit gestern leider wirklich nicht").compound < 0
    assert GERMAN.score("nett war er gestern nicht da").compound > 0


def test_emoji_and_emoticons_are_shared_with_english() -> None:
    assert GERMAN.score("Na ja :-)").compound > 0
    assert GERMAN.score("Na ja :-(").compound < 0
    assert GERMAN.score("Na ja😍").compound > 0


@pytest.mark.parametrize("text", ["Preis (in Euro): viel", "8) Punkt", "Typ D: so", "Spiel [alt]: aus", "a = b"])
def test_punctuation_is_no_emoticon(text: str) -> None:
    assert GERMAN.score(text).compound == 0.0


def test_english_words_mean_nothing_in_german() -> None:
    assert GERMAN.score("die war hell gift fast most kind great terrible").compound == 0.0


def test_the_lexicon_is_large_enough() -> None:
    lexicon = german_lexicon()
    assert lexicon.stems >= 800
    assert len(lexicon.valences) >= 5000
    assert all(-4 <= value <= 4 for value in lexicon.valences.values())


COMMON = "die der das war waren und so ist ein eine mit bei noch note gefahren fahren weg stelle rate reise art grund"


@pytest.mark.parametrize("word", COMMON.split())
def test_no_everyday_word_is_a_form_of_something_else(word: str) -> None:
    assert german_lexicon().valences.get(word, 0.0) == 0.0


SERVICE = {"warteschleife": -1, "abzocke": -1, "saftladen": -1, "kulant": 1, "unbürokratisch": 1, "verspätungen": -1}


@pytest.mark.parametrize(("word", "sign"), SERVICE.items())
def test_service_vocabulary(word: str, sign: int) -> None:
    assert german_lexicon().valences[word] * sign > 1


def test_adjective_forms() -> None:
    assert {"schlecht", "schlechtem", "schlechteren", "schlechtesten"} <= adjective("schlecht")
    assert {"sauberste", "saubere", "saubre"} <= adjective("sauber")
    assert {"miserabel", "miserable", "miserablen"} <= adjective("miserabel")


def test_noun_forms() -> None:
    assert noun("Frechheit") == {"Frechheit", "Frechheiten"}
    assert noun("katastrophe") == {"katastrophe", "katastrophen"}
    assert {"betrugs", "betruges"} <= noun("betrug")


def test_verb_forms() -> None:
    assert {"nervt", "nervten", "genervt", "genervter", "nervend"} <= verb("nerven")
    assert {"abzocken", "abgezockt", "abzockt", "abzuzocken"} <= verb("ab|zocken")
    assert {"enttäuscht", "enttäuschte"} <= verb("enttäuschen")
    assert "geenttäuscht" not in verb("enttäuschen")
    assert {"kostet", "kostete", "gekostet"} <= verb("kosten")


@pytest.mark.parametrize("content", ["[nouns]\nviel Ärger", "[nouns]\n9 Ärger", "[unknown]\n1.0 Wort", "1.0 Wort"])
def test_a_bad_line_is_named(content: str) -> None:
    with pytest.raises(LexiconError, match=r"^line \d"):
        read_lexicon(content)


@settings(deadline=None)
@given(st.text(max_size=120))
def test_any_text_has_a_score(text: str) -> None:
    score = GERMAN.score(text)
    assert -1 <= score.compound <= 1


class CountingDict(dict[str, float]):
    """A lexicon that counts how often it is asked."""

    asked = 0

    def __contains__(self, key: object) -> bool:
        self.asked += 1
        return super().__contains__(key)


def test_work_grows_with_the_text_and_no_faster() -> None:
    lexicon = german_lexicon()
    counts = []
    for size in (500, 2000):
        counting = CountingDict(lexicon.valences)
        German(replace(lexicon, valences=counting)).score("Das hilft nicht gut aber immer schlecht " * size)
        counts.append(counting.asked)
    assert counts[1] <= 4.1 * counts[0]
