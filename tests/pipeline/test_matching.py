"""Which brands a sentence names, where and why: a table of sentences of our own, with every trap we know."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.configuration import Brand
from pipeline.examples import EXAMPLE_BRANDS
from pipeline.matching import Matcher, explain
from pipeline.words import BrandKind, Via

EXAMPLES = Matcher(EXAMPLE_BRANDS)
SHOP = {
    "o2": Brand(name="O2", exclusions=("O2-Gehalt", "O2-Sättigung"), domains=("o2online.de",)),
    "google-plus": Brand(name="Google+"),
    "congstar": Brand(name="Congstar"),
    "ewe": Brand(name="EWE"),
    "mueller": Brand(name="Müller Reisen", accounts=("mueller_reisen",)),
    "strasse": Brand(name="Große Fahrt"),
    "peek": Brand(name="Peek & Cloppenburg", aliases=("P&C",)),
    "sparkasse": Brand(name="Sparkasse"),
    "linde": Brand(name="Linde", context=("Gas", "Aktie", "Stapler")),
    "person": Brand(name="Erika O'Brady", kind=BrandKind.PERSON),
}
OTHERS = Matcher(SHOP)

# (sentence, "brand:term | brand:term …"); an empty right side: about nobody.
TABLE = [
    # Telekom: alone, inflected, in compounds
    ("Die Telekom antwortet nicht.", "telekom:Telekom"),
    ("Bin seit Jahren bei der Telekom!", "telekom:Telekom"),
    ("telekom ist heute wieder langsam", "telekom:telekom"),
    ("TELEKOM WAS IST LOS", "telekom:TELEKOM"),
    ("(Telekom)", "telekom:Telekom"),
    ("„Telekom“ steht auf der Rechnung", "telekom:Telekom"),
    ("Telekom,Vodafone und andere", "telekom:Telekom"),
    ("Vodafone/Telekom im Vergleich", "telekom:Telekom"),
    ("Telekoms Hotline war besetzt", "telekom:Telekoms"),
    ("Telekom's neuer Tarif", "telekom:Telekom's"),
    ("Telekom’s neuer Tarif", "telekom:Telekom’s"),
    ("der Telekom ihr Problem", "telekom:Telekom"),
    ("Die Telekom-Hotline legt auf", "telekom:Telekom-Hotline"),
    ("Die Telekom–Hotline legt auf", "telekom:Telekom–Hotline"),
    ("Als Telekomkunde wartet man", "telekom:Telekomkunde"),
    ("Alle Telekomkunden warten", "telekom:Telekomkunden"),
    ("Der Telekomtechniker kam", "telekom:Telekomtechniker"),
    ("Ein Telekom-Festnetz-Anschluss", "telekom:Telekom-Festnetz-Anschluss"),
    ("Der Ex-Telekom-Chef spricht", "telekom:Ex-Telekom-Chef"),
    ("Anti-Telekom", "telekom:Anti-Telekom"),
    ("Telekom- und Vodafone-Kunden", "telekom:Telekom"),
    ("Telekom - immer erreichbar?", "telekom:Telekom"),
    ("Telekom hilft mir weiter", "telekom:Telekom hilft"),
    ("Das Team von Telekom-hilft", "telekom:Telekom-hilft"),
    ("TelekomHilft antwortet", "telekom:TelekomHilft"),
    ("@telekom_hilft bitte melden", "telekom:@telekom_hilft"),
    ("@Telekom_Hilft bitte melden", "telekom:@Telekom_Hilft"),
    ("Danke @telekom_hilft!", "telekom:@telekom_hilft"),
    ("@telekom_hater lügt", "telekom:@telekom_hater"),
    ("#Telekom down", "telekom:Telekom"),
    ("#telekomhilft", "telekom:telekomhilft"),
    ("#TelekomFail", "telekom:TelekomFail"),
    ("Deutsche Telekom AG", "telekom:Deutsche Telekom"),
    ("Deutschen Telekom", "telekom:Deutschen Telekom"),
    ("T-Mobile und T Mobile", "telekom:T-Mobile | telekom:T Mobile"),
    ("Congstar ist günstiger", "telekom:Congstar"),
    ("congstars Netz", "telekom:congstars"),
    ("MagentaTV ruckelt", "telekom:MagentaTV"),
    ("Telekommunikation ist teuer", ""),
    ("Ein Telekommunikationsanbieter aus Köln", ""),
    ("Telekommunikationsgesetz", ""),
    ("Türk Telekom in Ankara", ""),
    ("Slovaktelekom", ""),
    ("Telekolleg im Fernsehen", ""),
    ("Teleko mit", ""),
    ("Telekomma", ""),
    # addresses
    ("siehe https://www.telekom.de/hilfe", "telekom:telekom.de"),
    ("siehe telekom.de", "telekom:telekom.de"),
    ("auf hilfe.telekom.de/dsl steht es", "telekom:telekom.de"),
    ("siehe https://www.telekom.net/", "telekom:telekom"),
    ("https://news.example/telekom-stoerung-123", ""),
    ("news.example/telekom", ""),
    ("schreib an max@telekom.de", ""),
    ("https://fake-telekom.de/", ""),
    ("https://telekom.de.evil.example/x", ""),
    ("https://news.example/a Telekom äußert sich", "telekom:Telekom"),
    # Bahn
    ("Die Bahn hat wieder Verspätung", "bahn:Die Bahn"),
    ("Mit der Bahn nach Köln", "bahn:Mit der Bahn"),
    ("Wieder Ärger mit der Deutschen Bahn", "bahn:Deutschen Bahn"),
    ("Deutsche Bahn", "bahn:Deutsche Bahn"),
    ("#DeutscheBahn", "bahn:DeutscheBahn"),
    ("DB", "bahn:DB"),
    ("Die DB-Lounge ist zu", "bahn:DB-Lounge"),
    ("DB's Fahrplan", "bahn:DB's"),
    ("@DB_Bahn wo bleibt der Zug", "bahn:@DB_Bahn"),
    ("Bahn heute pünktlich, der Zug war leer", "bahn:Bahn"),
    ("Bahn-Chef tritt zurück", "bahn:Bahn-Chef"),
    ("Bahnkunden sind sauer", "bahn:Bahnkunden"),
    ("BahnCard gekündigt", "bahn:BahnCard"),
    ("Bahncard gekündigt", "bahn:Bahncard"),
    ("#BahnStreik", "bahn:#BahnStreik"),
    ("Ich bin wütend auf die Bahn", "bahn:wütend auf die Bahn"),
    ("auf bahn.de gebucht", "bahn:bahn.de"),
    ("Der DB Navigator stürzt ab", "bahn:DB Navigator"),
    ("Eine bahnbrechende Erfindung", ""),
    ("Das ist bahnbrechend", ""),
    ("Die S-Bahn fährt nicht", ""),
    ("Die S-Bahnen fahren nicht", ""),
    ("Die S Bahn fährt nicht", ""),
    ("Die S‑Bahn fährt nicht", ""),
    ("S-Bahn-Chaos im Zug", ""),
    ("Auf der Autobahn ist Stau", ""),
    ("Autobahnen in Bayern", ""),
    ("Mit der U-Bahn zum Zug", ""),
    ("U-Bahnhof gesperrt", ""),
    ("Die Straßenbahn kam", ""),
    ("Die Strassenbahn kam", ""),
    ("Eine Laufbahn als Lehrer", ""),
    ("Wieder mal auf die Bahn", ""),
    ("Auf die schiefe Bahn geraten", ""),
    ("Er hat freie Bahn", ""),
    ("Das warf ihn aus der Bahn, geworfen wurde er nicht", ""),
    ("Er wurde aus der Bahn geworfen", ""),
    ("Bahn frei!", ""),
    ("Im Becken war keine Bahn leer", ""),
    ("Der Bahnhof ist schmutzig", ""),
    ("Am Bahnsteig war es voll", ""),
    ("Umlaufbahn der Erde", ""),
    ("Eine Bahn Stoff reicht", ""),
    ("Das Geräusch hat 40 dB", ""),
    ("Die Lautstärke in db", ""),
    ("Feedback zur ADB", ""),
    ("Die DBs im Rechenzentrum", ""),
    ("mein DB9 Stecker", ""),
    ("db_index anlegen", ""),
    ("bahnfahrer_88 schrieb", ""),
    # 1&1
    ("1&1 kann es nicht", "1und1:1&1"),
    ("1&amp;1 kann es nicht", "1und1:1&amp;1"),
    ("1 & 1 kann es nicht", "1und1:1 & 1"),
    ("1 &amp; 1 kann es nicht", "1und1:1 &amp; 1"),
    ("1und1 kann es nicht", "1und1:1und1"),
    ("1 und 1 kann es nicht", "1und1:1 und 1"),
    ("1UND1", "1und1:1UND1"),
    ("Der 1&1-Kundenservice", "1und1:1&1-Kundenservice"),
    ("1&1s Router", "1und1:1&1s"),
    ("(1&1)", "1und1:1&1"),
    ("1&1, nie wieder", "1und1:1&1"),
    ("bei 1&1.", "1und1:1&1"),
    ("@1und1 Hallo?", "1und1:@1und1"),
    ("#1und1", "1und1:1und1"),
    ("Kunde auf 1und1.de", "1und1:1und1.de"),
    ("http://www.1und1.de/dsl", "1und1:1und1.de"),
    ("Im Jahr 11 geht das", ""),
    ("Variante 1&10", ""),
    ("Paragraph 21&1", ""),
    ("1 und 10", ""),
    ("11 und 1", ""),
    ("1,1 und 1,5", ""),
    ("zwischen 0.1 und 1.5", ""),
    ("1&1 = 2", ""),
    ("1 und 1 ist zwei", ""),
    ("1 und 1 zusammenzählen", ""),
    ("Nr. 1 und 1a", ""),
    ("a1&1", ""),
    # persons
    ("Marcel D'Avis antwortet", "1und1:Marcel D'Avis"),
    ("Marcel D’Avis antwortet", "1und1:Marcel D’Avis"),
    ("Wer ist D'Avis?", "1und1:D'Avis"),
    ("Wer ist DAvis?", "1und1:DAvis"),
    ("D'AVIS ruft an", "1und1:D'AVIS"),
    ("D'Avis' Büro", "1und1:D'Avis"),
    ("Davis von 1&1 ruft an", "1und1:Davis von 1&1"),
    ("Davis von 1und1 ruft an", "1und1:Davis von 1und1"),
    ("Marcel Davis ruft an", "1und1:Marcel Davis"),
    ("Miles Davis spielt Trompete", ""),
    ("Der Davis Cup beginnt", ""),
    ("Angela Davis", ""),
    ("Avis vermietet Autos", ""),
    ("Tim Höttges hält eine Rede", "telekom:Tim Höttges"),
    ("Tim Hoettges hält eine Rede", "telekom:Tim Hoettges"),
    # several at once
    ("Von 1&1 zur Telekom gewechselt", "1und1:1&1 | telekom:Telekom"),
    ("Die Telekom-Hotline und die S-Bahn", "telekom:Telekom-Hotline"),
    ("Mit der Bahn zum Telekom-Shop", "bahn:Mit der Bahn | telekom:Telekom-Shop"),
    ("", ""),
    ("   ", ""),
    ("Ein Tag ohne Namen.", ""),
]  # fmt: skip

OTHER_TABLE = [
    ("O2 hat eine Störung", "o2:O2"),
    ("o2 hat eine Störung", "o2:o2"),
    ("O₂ hat eine Störung", "o2:O₂"),
    ("Der O2-Shop", "o2:O2-Shop"),
    ("o2online.de lädt nicht", "o2:o2online.de"),
    ("CO2 und H2O2", ""),
    ("CO2-Steuer", ""),
    ("Der O2-Gehalt im Wasser", ""),
    ("O2-Sättigung", ""),
    ("O2b", ""),
    ("Auf Google+ gelesen", "google-plus:Google+"),
    ("Google+, das Netzwerk", "google-plus:Google+"),
    ("google+ war einmal", "google-plus:google+"),
    ("Google sucht", ""),
    ("Congstar", "congstar:Congstar"),
    ("CONGSTAR-Kunden", "congstar:CONGSTAR-Kunden"),
    ("EWE liefert Strom", "ewe:EWE"),
    ("EWE-Kunden", "ewe:EWE-Kunden"),
    ("#ewe", "ewe:ewe"),
    ("ewe mol", ""),
    ("Ewe", ""),
    ("NEWER", ""),
    ("Müller Reisen", "mueller:Müller Reisen"),
    ("Mueller Reisen", "mueller:Mueller Reisen"),
    ("Mu\u0308ller Reisen", "mueller:Mu\u0308ller Reisen"),
    ("Müller-Reisen", "mueller:Müller-Reisen"),
    ("müllerreisen", "mueller:müllerreisen"),
    ("Müller\nReisen", "mueller:Müller\nReisen"),
    ("Müller verreist", ""),
    ("Grosse Fahrt", "strasse:Grosse Fahrt"),
    ("GROSSE FAHRT", "strasse:GROSSE FAHRT"),
    ("Peek & Cloppenburg", "peek:Peek & Cloppenburg"),
    ("Peek&Cloppenburg", "peek:Peek&Cloppenburg"),
    ("Peek und Cloppenburg", "peek:Peek und Cloppenburg"),
    ("P&C", "peek:P&C"),
    ("P&amp;C", "peek:P&amp;C"),
    ("P&Ck", ""),
    ("Die Sparkassen schließen", "sparkasse:Sparkassen"),
    ("Sparkassenkarte", "sparkasse:Sparkassenkarte"),
    ("Unter der Linde", ""),
    ("Die Linde-Aktie fällt", "linde:Linde-Aktie"),
    ("Linde baut Stapler", "linde:Linde"),
    ("O'Brady kündigt an", "person:O'Brady"),
    ("Erika OBrady kündigt an", "person:Erika OBrady"),
    ("obrady", ""),
]  # fmt: skip


def found(matcher: Matcher, text: str) -> str:
    return " | ".join(f"{match.brand}:{match.term}" for match in matcher.find(text)[0])


def test_there_are_enough_sentences() -> None:
    assert len(TABLE) + len(OTHER_TABLE) >= 150


@pytest.mark.parametrize(("text", "wanted"), TABLE)
def test_example_brands(text: str, wanted: str) -> None:
    assert found(EXAMPLES, text) == wanted


@pytest.mark.parametrize(("text", "wanted"), OTHER_TABLE)
def test_other_brands(text: str, wanted: str) -> None:
    assert found(OTHERS, text) == wanted


REASONS = [
    ("Telekom", "name Telekom", Via.NAME),
    ("Telekoms", "inflection of name Telekom", Via.NAME),
    ("Telekom-Hotline", "compound of name Telekom", Via.NAME),
    ("#Telekom", "hashtag of name Telekom", Via.NAME),
    ("@telekom_hilft", "own account @telekom_hilft", Via.HANDLE),
    ("@telekom_x", "handle with name Telekom", Via.HANDLE),
    ("MagentaTV", "alias Magenta TV", Via.ALIAS),
    ("www.telekom.de", "own domain telekom.de", Via.HANDLE),
    ("D'Avis", "person D'Avis", Via.PERSON),
]


@pytest.mark.parametrize(("text", "why", "via"), REASONS)
def test_reasons(text: str, why: str, via: Via) -> None:
    (match,) = EXAMPLES.find(text)[0]
    assert (match.why, match.via) == (why, via)


REFUSALS = [
    ("Die S-Bahn", "bahn", "S-Bahn", "exclusion 'S-Bahn'"),
    ("bahnbrechend", "bahn", "bahnbrechend", "exclusion 'bahnbrechend'"),
    ("Bahnhofshalle", "bahn", "Bahnhofshalle", "part of the word 'bahnhofshalle'"),
    ("1&10", "1und1", "1&10", "part of a number"),
    ("Eine Bahn Stoff", "bahn", "Bahn", "no context word beside ambiguous name Bahn"),
    ("an a@telekom.de", "telekom", "telekom.de", "part of a mail address"),
    ("https://x.example/telekom", "telekom", "telekom", "part of an address"),
]


@pytest.mark.parametrize(("text", "brand", "term", "why"), REFUSALS)
def test_rejected_with_reason(text: str, brand: str, term: str, why: str) -> None:
    matches, rejected = EXAMPLES.find(text)
    assert matches == []
    assert [(match.brand, match.term, match.why) for match in rejected] == [(brand, term, why)]


def test_explain_has_the_documented_shape() -> None:
    answer = explain(EXAMPLE_BRANDS, "Die Telekom-Hotline ist besetzt, die S-Bahn kommt nicht")
    assert answer["text"].startswith("Die Telekom-Hotline")
    (row,) = answer["brands"]
    assert {key: row[key] for key in ("brand", "term", "start", "end", "why")} == {
        "brand": "telekom", "term": "Telekom-Hotline", "start": 4, "end": 19, "why": "compound of name Telekom",
    }  # fmt: skip
    assert answer["rejected"] == [
        {"brand": "bahn", "term": "S-Bahn", "start": 37, "end": 43, "why": "exclusion 'S-Bahn'"}
    ]


def test_positions_are_those_of_the_original_text() -> None:
    text = "😀 Ärger: 1&amp;1 und İ Telekom’s „Telekom-Hotline“"
    for match in EXAMPLES.find(text)[0]:
        assert text[match.start : match.end] == match.term
    assert found(EXAMPLES, text) == "1und1:1&amp;1 | telekom:Telekom’s | telekom:Telekom-Hotline"


def test_context_may_stand_in_the_thread_title() -> None:
    assert EXAMPLES.find("Ach ja, Bahn eben")[0] == []
    (match,) = EXAMPLES.find("Ach ja, Bahn eben", "Zug fällt aus")[0]
    assert (match.brand, match.term) == ("bahn", "Bahn")


def test_a_firm_name_is_context_enough() -> None:
    assert found(EXAMPLES, "Deutsche Bahn. Ach, unsere Bahn") == "bahn:Deutsche Bahn | bahn:Bahn"


def test_no_brands_find_nothing() -> None:
    assert Matcher({}).find("Telekom") == ([], [])


def test_the_same_name_may_belong_to_two_brands() -> None:
    both = Matcher({"a": Brand(name="Nordlicht"), "b": Brand(name="Nordlicht")})
    assert found(both, "Nordlicht") == "a:Nordlicht | b:Nordlicht"


@given(st.text(alphabet="Telkom BahnS-1&und@#./:'’äß\n", max_size=60))
def test_matches_lie_in_the_text_and_do_not_overlap(text: str) -> None:
    matches, rejected = EXAMPLES.find(text)
    for match in (*matches, *rejected):
        assert 0 <= match.start < match.end <= len(text)
        assert text[match.start : match.end] == match.term
    for brand in EXAMPLE_BRANDS:
        own = [match for match in matches if match.brand == brand]
        assert all(one.end <= two.start for one, two in pairwise(own))


@given(st.text(max_size=80), st.sampled_from(["Telekom", "1&1", "DB"]), st.text(max_size=80))
def test_a_name_between_blanks_is_always_found(before: str, name: str, after: str) -> None:
    text = f"{before} . {name} , {after}"
    matches, _ = EXAMPLES.find(text)
    at = len(before) + 3
    assert any(match.start <= at and at + len(name) <= match.end for match in matches) or "@" in before


@pytest.mark.parametrize("text", ["Telekommunikation", "Telekommunikationsanbieter", "#telekommunikation"])
def test_ordinary_words_are_no_compounds_even_without_exclusions(text: str) -> None:
    bare = Matcher({"t": Brand(name="Telekom")})
    assert found(bare, text) == ""


PATHS = [
    "Telekom-",
    "S-Bahn ",
    "Telekom ",
    "@telekom_",
    "https://a.example/telekom ",
    "1&1&",
    "Bahn.",
    "a.b@telekom.de ",
]


@pytest.mark.timeout(150)
@pytest.mark.parametrize("piece", PATHS)
def test_work_stays_bounded_on_hostile_texts(piece: str) -> None:
    """Any step that is not linear in these 200,000 characters would take minutes."""
    matches, rejected = EXAMPLES.find(piece * (200_000 // len(piece)))
    assert len(matches) + len(rejected) > 0


RULES = Matcher(
    {
        "lumo": Brand(
            name="Lumo",
            ambiguous=("Lumo",),
            context=("Strom", "IC"),
            unless={"Lumo": ("Katze",)},
            exclusions=("sich Lumo",),
        ),
        "nordbank": Brand(name="Nordbank", aliases=("Blaukarte",), typos=True, exclusions=("Nordbank-Branche",)),
        "sud": Brand(name="SUD", context=("Konto",), ambiguous=("Südblick",), names=("Südblick",)),
        "plus": Brand(name="Werk & Rad", exclusions=("freie Werk & Rad",)),
    }
)
RULES_TABLE = [
    # what companies have makes a compound of a short or ambiguous name, and no context word is needed
    ("Der Lumokunde wartet", "lumo:Lumokunde"),
    ("Lumo-Chefin geht", "lumo:Lumo-Chefin"),
    ("Der Lumokater wartet", ""),
    ("Das Lumo-Rätsel", ""),
    ("Das Lumo-Rätsel um den Strom", "lumo:Lumo-Rätsel"),
    ("Ex-Lumo-Chef redet", "lumo:Ex-Lumo-Chef"),
    ("Der A-Lumo-Chef redet", ""),
    ("Dieses Drecks-Lumo, Schrottlumo", "lumo:Drecks-Lumo | lumo:Schrottlumo"),
    ("lumokunde_77 schrieb", ""),
    # context: a short word in capitals counts as written, and is no beginning of another word
    ("Lumo kommt mit dem IC", "lumo:Lumo"),
    ("Lumo, ich mag dich", ""),
    # words of another sense speak in their sentence only, and not beside a context word
    ("Lumo ist teuer. Der Strom auch.", "lumo:Lumo"),
    ("Meine Katze heißt Lumo. Der Strom ist teuer.", ""),
    ("Die Katze von Lumo frisst Strom", "lumo:Lumo"),
    # slips
    ("Die Nordbnak antwortet nicht", "nordbank:Nordbnak"),
    ("Die Nordbsnk-Filiale", "nordbank:Nordbsnk-Filiale"),
    ("Noordbanks Karte und die Blaukrate", "nordbank:Noordbanks | nordbank:Blaukrate"),
    ("Die Mordbank, die Nordban, die Nordbnakrott", ""),
    ("@nordbnak und x@nordbnak.de", ""),
    ("https://nordbnak.example/ und a.example/nordbnak", ""),
    # exclusions hold in every spelling, and where the word goes on
    ("Er brach sich Lumo, der Strom", ""),
    ("Er kauft sich Lumotickets", "lumo:Lumotickets"),
    ("Die Nordbankbranche, die Nordbank Branche", ""),
    # a name of three capitals in lower case needs context, a unit is none
    ("mein konto bei der sud", "sud:sud"),
    ("sud kocht", ""),
    ("konto mit 12 sud", ""),
    ("Konto bei Sud", ""),
    # ampersands as in the source of a page
    ("Werk&#038;Rad und Werk &Rad", "plus:Werk&#038;Rad | plus:Werk &Rad"),
    ("freier Werk & Rad", ""),
    # digits behind a name
    ("Blaukarte24", "nordbank:Blaukarte24"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), RULES_TABLE)
def test_rules_that_a_table_can_use(text: str, wanted: str) -> None:
    assert found(RULES, text) == wanted


def test_reasons_of_the_rules() -> None:
    assert RULES.find("Meine Katze heißt Lumo")[1][0].why == "beside 'Katze' Lumo means something else"
    assert RULES.find("Nordbnak")[0][0].why == "misspelling of name Nordbank"
    assert Matcher({"a": Brand(name="Nordbank")}).find("Nordbnak") == ([], [])


def test_a_name_of_another_brand_is_no_slip() -> None:
    both = Matcher({"a": Brand(name="Nordbank", typos=True), "b": Brand(name="Nordbnak")})
    assert found(both, "Die Nordbnak") == "b:Nordbnak"
