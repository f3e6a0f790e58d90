"""The rules of German word order, comparison, rating, emphasis and irony, one by one."""

from __future__ import annotations

import pytest

from pipeline.tone.german import German
from pipeline.tone.lexicon import LexiconError, german_lexicon, read_lexicon
from pipeline.tone.mask import MASK, NUMBER, mask
from pipeline.tone.phrases import GAP
from pipeline.tone.ratings import rating, ratings

GERMAN = German()


def compound(text: str) -> float:
    return GERMAN.score(mask(text)).compound


def masked(text: str) -> float:
    """The compound of a text whose names are masked already."""
    return GERMAN.score(text).compound


COMPLAINTS = """
hat mir leider überhaupt nicht geholfen
Das war kein einziges Mal gut.
Der Mitarbeiter war weder freundlich noch kompetent.
Weder schnell noch besonders freundlich.
Zufrieden bin ich nicht.
Besonders freundlich war das nicht.
Das ist alles andere als kundenfreundlich.
Von wegen unbürokratisch
Die zocken einen nur ab.
Man wimmelt uns seit Tagen ab.
Der Zug fällt heute schon wieder aus!
Sie lassen mich seit Wochen im Stich.
Das hätte besser laufen können.
Das geht mir so was von auf den Senkel.
Der Laden geht den Bach runter.
Das kann man sich sparen.
Nichts als Ärger mit denen.
Wir wurden nach Strich und Faden verarscht.
Entteuscht und veraergert
Katastrofe!
Der Typ war deppert und oag grantig.
Scheiss Laden, verdammter Mist
Voll cringe und ehrenlos
Technikertermin: niemand erschienen
Nie wieder!
""".strip().splitlines()

PRAISES = """
Alles lief ohne Probleme.
Da gibt es nichts zu meckern.
Ich kann nicht klagen.
Null Probleme bisher
Der Service ist nicht nur schnell, sondern auch freundlich.
Man lässt uns nicht im Stich.
Ich wurde nicht enttäuscht.
Der Hammer, erste Sahne!
Leiwand, passt scho!
Huere guet
Knorke Laden, dufte Leute
Danke, das Problem ist weg.
Danke für die schnelle Lösung des Problems!
Super, keine Probleme mehr!
Trotz Störung war die Hotline freundlich und kompetent.
Mega nice, läuft stabil
Jederzeit wieder!
""".strip().splitlines()

NOTHING = """
Liebe Telekom, wann kommt der Techniker?
Sehr geehrte Damen und Herren
Vielen Dank im Voraus!
Guten Tag zusammen
Er hat zum letzten Mal im Mai bezahlt.
Ich schicke euch die Adresse.
Auf diese Art und Weise geht es.
Das Verfahren läuft.
Einige Kunden haben gefragt.
Die Eintracht spielt am Samstag.
""".strip().splitlines()


@pytest.mark.parametrize("text", COMPLAINTS)
def test_complaints(text: str) -> None:
    assert compound(text) < -0.2


@pytest.mark.parametrize("text", PRAISES)
def test_praises(text: str) -> None:
    assert compound(text) > 0.17


@pytest.mark.parametrize("text", NOTHING)
def test_what_says_nothing(text: str) -> None:
    assert -0.2 < compound(text) < 0.17


def test_a_particle_belongs_to_its_verb_only_at_the_end_of_the_clause() -> None:
    assert GERMAN.score("Die zocken einen ab").words == (("zocken … ab", -3.4),)
    assert GERMAN.score("Sie ziehen ab Montag um").compound == 0.0


def test_a_particle_is_turned_by_nicht() -> None:
    assert compound("Die zocken einen nicht ab") > 0


@pytest.mark.parametrize("text", [f"Vodafone ist besser als {MASK}", f"Das Netz läuft besser als bei der {MASK}"])
def test_praise_of_others_is_no_praise(text: str) -> None:
    assert masked(text) < -0.2


def test_better_than_others_is_praise() -> None:
    assert masked(f"{MASK} ist besser als Vodafone") > 0.17
    assert masked(f"Das Netz ist besser als {NUMBER}") > 0.17
    assert masked(f"{MASK} ist besser als {MASK}") == 0.0


def test_no_better_than_others_is_a_mild_complaint_about_both() -> None:
    assert -0.3 < masked(f"Vodafone ist auch nicht besser als {MASK}") < -0.1


def test_elsewhere_better() -> None:
    assert compound("Bei der Konkurrenz ist alles besser und schneller.") < -0.2
    assert compound("Früher war alles besser.") < -0.2


RATINGS = {
    "5 Sterne": 3.2, "4 Sterne": 1.8, "3 Sterne": 0.4, "1 Stern": -2.4, "0 Sterne": -3.4, "4,5 Sterne": 2.5,
    "10/10": 3.2, "5/5": 3.2, "2/10": -2.4, "4/5": 1.8, "1 von 10": -3.1, "5 von 5": 3.2,
    "Note 6": -3.4, "Schulnote: 1": 3.2, "6, setzen": -3.4, "5 setzen": -2.08,
    "⭐⭐⭐⭐⭐": 3.2, "⭐️⭐️": -1.0, "★★★☆☆": 0.4, "⭐": 0.0,
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), RATINGS.items())
def test_ratings(text: str, value: float) -> None:
    assert rating(text) == value
    assert [found[0] for found in ratings(f"Fazit: {text}!")] == [text]
    assert mask(f"Fazit: {text}!") == f"Fazit: {text}!"
    assert GERMAN.score(f"Fazit: {text}").words == (((text, value),) if value else ())


NO_RATINGS = [
    "1 von 10 Zügen fällt weg", "am 5/10/2024", "24/7 offen", "5-Sterne-Hotel", "Galaxy Note 4", "Gleis 4/5.",
    "Linie 4/5", "Wohnung 3/5b", "am 3/10 kam es", "40 € für 2 Monate",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_RATINGS)
def test_figures_that_rate_nothing_are_masked(text: str) -> None:
    assert not list(ratings(text))
    assert not any(character.isdigit() for character in mask(text).replace("5b", ""))


def test_ratings_in_words() -> None:
    assert compound("null Sterne") < -0.5
    assert compound("Fünf Sterne!") > 0.5
    assert compound("Sechs, setzen!") < -0.5
    assert compound("Das ist keinen Stern wert") < -0.4


def test_a_masked_name_keeps_its_place_beside_a_rating() -> None:
    assert mask("Elbtel: 5 Sterne, 12 Tage", [(0, 6)]) == f"{MASK}: 5 Sterne, {NUMBER} Tage"


def test_stretched_words_weigh_more() -> None:
    assert compound("Das ist schleeecht") < compound("Das ist schlecht")
    assert compound("Das ist sooo schlecht") < compound("Das ist so schlecht") + 0.001
    assert compound("suuuper") > compound("super") > 0
    assert compound("niiiie gut") < 0
    assert compound("tolll") > 0


def test_typographic_apostrophes_are_plain_ones() -> None:
    assert compound("Geht’s noch?") == compound("Geht's noch?") < -0.2


def test_quotes_around_praise_take_it_back() -> None:
    assert compound("Der „Service“ war da.") < -0.2
    assert compound('Das war ja "freundlich".') < -0.2
    assert compound("Er las „Der Fall“ und ging.") == 0.0


IRONIC = """
Na toll, wieder kein Netz.
Danke für nichts
Danke für die Verspätung.
super gemacht, liebe Bahn 🙄
Herzlichen Glückwunsch zum dritten Totalausfall
ganz großes Kino, liebe Leute
Toller Service /s
Wirklich sehr hilfreich *ironie*
Toll! Wieder zwei Stunden Verspätung.
Super. Schon wieder Störung.
Ich liebe diese Warteschleife
Endlich wieder Schienenersatzverkehr
Ich bin echt begeistert 🙄
""".strip().splitlines()


@pytest.mark.parametrize("text", IRONIC)
def test_marks_of_irony(text: str) -> None:
    assert compound(text) < -0.2


HONEST = """
Toll, endlich ist die Störung vorbei.
Danke für die Hilfe
Herzlichen Glückwunsch zum Jubiläum
Super. Schon wieder gewonnen.
Ich liebe diese Musik
Der Techniker war nett, die Hotline ein Genuss.
Ich bin echt begeistert 😍
""".strip().splitlines()


@pytest.mark.parametrize("text", HONEST)
def test_honest_praise_stays_praise(text: str) -> None:
    assert compound(text) > 0.17


def test_gaps_end_with_the_clause_and_are_bounded() -> None:
    lexicon = read_lexicon("[idioms]\n-2.0 lässt * im stich")
    german = German(lexicon)
    assert german.score("lässt uns alle im Stich").compound < 0
    assert german.score("lässt nach, bleibt im Stich").compound == 0.0
    assert german.score("lässt " + "so " * (GAP + 1) + "im Stich").compound == 0.0


def test_alternatives_optional_words_and_sets() -> None:
    idioms = "[sets]\nkönnen kann könnt\n[idioms]\n-2.0 $können man? knicken|vergessen\n=kein alles andere als"
    german = German(read_lexicon(f"{idioms}\n[negators]\nkein\n[adjectives]\n2.0 gut"))
    for text in ("kann man knicken", "kann vergessen", "Könnt knicken", "koennt man vergessen"):
        assert german.score(text).words == ((text, -2.0),)
    assert german.score("man knicken").compound == 0.0
    assert german.score("alles andere als gut").compound < 0


@pytest.mark.parametrize("line", ["1.0 * gut", "1.0 gut *", "1.0 gut", "1.0 so? gut", "1.0 $nirgends gut"])
def test_what_is_no_phrase_is_refused(line: str) -> None:
    with pytest.raises(LexiconError, match="line 2"):
        read_lexicon(f"[idioms]\n{line}")


def test_nothing_stands_twice() -> None:
    with pytest.raises(LexiconError, match="twice"):
        read_lexicon("[nouns]\n-1.0 Ausfall\n-2.0 Ausfall^")
    with pytest.raises(LexiconError, match="twice"):
        read_lexicon("[idioms]\n-1.0 nie wieder\n-2.0 nie wieder")


def test_given_forms_unfold() -> None:
    valences = read_lexicon("[nouns]\n-1.0 Ausfall^ Funkloch^er\n[verbs]\n-2.0 lügen/log/gelogen").valences
    assert {"ausfälle", "ausfaellen", "funklöcher", "funklöchern", "logen", "gelogener"} <= valences.keys()


def test_a_word_of_its_own_goes_before_a_form_of_another() -> None:
    valences = read_lexicon("[verbs]\n-2.0 sorgen\n[words]\n0.0 sorgt").valences
    assert (valences["sorge"], valences["sorgt"]) == (-2.0, 0.0)


def test_the_size_of_the_lexicon() -> None:
    lexicon = german_lexicon()
    assert lexicon.stems >= 4000
    assert sum(map(bool, lexicon.phrases.values())) >= 400
    assert len(lexicon.valences) > 50_000


HOMOGRAPHS = """sicher einfach kind war die weise einige einigen schicken schicke verfahren gelassen wahnsinn
plus erfahren genossen faden magen rügen behindert lieber sorgt linke leichte theater kreis lage last zug
bank karte stelle"""


def test_compounds_take_the_valence_of_their_head_and_un_turns_it() -> None:
    assert compound("Riesenkatastrophe") < -0.5
    assert compound("Unbeständigkeit") < -0.3
    assert compound("Der Arbeitsloser-Verein, ein Gehörloser und die Wiederholung") == 0.0


def test_names_and_words_that_end_like_others_count_nothing() -> None:
    for word in (
        "kriegen",
        "geblieben",
        "Schumacher",
        "Kleinigkeit",
        "Schneider",
        "Preise",
        "Liter",
        "Flucht",
        "Asien",
        "Mauer",
    ):
        assert compound(f"Das {word}") == 0.0
    assert compound("Bitte um Entschuldigung") < 0.2


@pytest.mark.parametrize("word", HOMOGRAPHS.split())
def test_words_that_mostly_mean_something_else_count_nothing(word: str) -> None:
    assert german_lexicon().valences.get(word, 0.0) == 0.0
