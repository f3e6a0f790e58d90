"""Brands that ``match`` and ``parse`` know without a configuration: what an operator would write for them."""

from __future__ import annotations

from pipeline.configuration import Brand

TELEKOM = Brand(
    name="Telekom",
    names=(
        "Deutsche Telekom", "Telekom Deutschland", "Telekom hilft", "T-Mobile", "T-Mobil", "Telecom",
        "Deutsche Telecom", "die Telecom", "der Telecom", "zur Telecom",
    ),
    aliases=(
        "Congstar", "Magenta TV", "Magenta Zuhause", "Magenta Mobil", "Magenta Eins", "Magenta Sport", "T-Online",
        "T-Punkt", "T-Com", "T-Systems", "T-Aktie", "rosa Riese", "rosa Riesen", "Drosselkom",
    ),
    exclusions=(
        "Telekommunikation", "Telekom-Branche", "Telekom-Ausrüster", "Telekom-Unternehmen", "Telekom-Anbieter",
        "Telekom-Firma", "Telekom-Firmen", "Telekom-Sektor", "Telekom-Industrie", "Telekom-Betreiber",
        "Telekom-Gesetz", "Telekom-Recht", "Telecom-Branche", "Telecom-Anbieter", "Telecom Italia", "France Telecom",
        "Telekom Baskets", "T-Mobile Austria", "Magenta Telekom", "Telekom Austria", "Österreichische Telekom",
        "Türk Telekom", "Türkische Telekom", "Magyar Telekom", "Ungarische Telekom", "Slovak Telekom",
        "Slowakische Telekom", "Hrvatski Telekom", "Kroatische Telekom", "Telekom Srbija", "Telekom Serbien",
        "Serbische Telekom", "Telekom Slovenije", "Telekom Romania", "Crnogorski Telekom", "Makedonski Telekom",
        "Telekom Kosovo", "Telekom Malaysia", "Telekom Egypt", "Telekom Albania", "Telekom Indonesia",
        "Telkom Indonesia", "Telkom SA", "Schweizer Telekom", "Griechische Telekom", "Telekom Srpske",
    ),
    context=(
        "Anschluss", "Techniker", "Kundendienst", "Vertrag", "Leitung", "Störung", "Rechnung", "kündigen",
        "Kündigung", "gekündigt", "Hotline", "Festnetz", "Termin", "DSL", "Router", "Kunde", "Netz", "Internet",
        "Magenta",
    ),
    ambiguous=("Telecom",),
    typos=True,
    accounts=("telekom_hilft", "telekomhilft", "deutschetelekom", "telekomerleben"),
    domains=("telekom.de", "telekom.com", "telekomhilft.telekom.de"),
    persons=("Timotheus Höttges", "Tim Höttges", "Höttges"),
)  # fmt: skip

BAHN = Brand(
    name="Deutsche Bahn",
    names=(
        "DB", "DB Bahn", "DB AG", "DB Regio", "DB Fernverkehr", "DB Cargo", "DB Netz", "DB InfraGO", "DB Vertrieb",
        "Bahn", "Bahn AG", "#Bahn", "die Bahn", "der Bahn", "the Bahn", "mit der Bahn", "bei der Bahn", "per Bahn",
        "liebe Bahn", "hallo Bahn", "hey Bahn", "danke Bahn", "dank Bahn", "ach Bahn", "oh Bahn", "Bock auf Bahn",
        "statt Bahn", "typisch Bahn", "thema Bahn", "scheiß Bahn", "scheiss Bahn", "blöde Bahn", "verdammte Bahn",
        "diese Bahn", "nie wieder Bahn", "Bahn macht", "Bahn schafft", "Bahn kriegt", "steige aus der Bahn",
        "steigt aus der Bahn", "stieg aus der Bahn", "aus der Bahn gestiegen", "aus der Bahn steigen",
        "aus der Bahn ausgestiegen", "aus der Bahn geholfen",
         "Bahn fahren", "Bahn gefahren",
        "Bahn kündigt", "Bahn meldet", "Bahn plant", "Bahn entschuldigt", "Bahn verspricht", "Bahn investiert",
        "Bahn streicht", "Bahn erhöht", "Bahn warnt", "Bahn testet", "Bahn reagiert", "Bahn bestätigt", "Bahn will",
        "aus der Bahn", "auf der Bahn", "auf die Bahn", "Dt. Bahn", "Abenteuer Bahn", "Bahn baut", "Bahn wird",
        "sauer auf die Bahn", "wütend auf die Bahn", "Wut auf die Bahn", "Hass auf die Bahn", "Bock auf die Bahn",
        "Lust auf die Bahn", "schimpfen auf die Bahn", "warten auf die Bahn", "warte auf die Bahn",
        "auf die Bahn verlassen", "auf die Bahn angewiesen", "auf die Bahn umsteigen", "auf die Bahn umgestiegen",
        "auf die Bahn warten", "auf die Bahn gewartet", "auf die Bahn ist Verlass", "auf die Bahn schimpfen",
    ),
    aliases=("BahnCard", "Bahn Card", "BahnBonus", "DB Navigator", "DB Lounge", "Bahncomfort", "Bahner"),
    exclusions=(
        "S-Bahn", "U-Bahn", "Autobahn", "Straßenbahn", "Stadtbahn", "Seilbahn", "Laufbahn", "Rennbahn", "Umlaufbahn",
        "Fahrbahn", "Achterbahn", "Eisbahn", "Schwebebahn", "bahnbrechend", "Bus und Bahn", "Bus & Bahn",
        "Bussen und Bahn", "Busse und Bahn", "auf die schiefe Bahn", "schiefe Bahn", "freie Bahn", "Bahn frei",
        "Bahn ist frei", "die Bahn hinunter", "die Bahn runter", "die Bahn hinab", "die Bahn ebnen",
        "die Bahn geebnet", "auf der rechten Bahn", "auf die rechte Bahn", "aus der Bahn geworfen",
        "aus der Bahn werfen", "aus der Bahn wirft", "aus der Bahn warf", "aus der Bahn gebracht",
        "aus der Bahn bringen", "aus der Bahn geraten", "aus der Bahn geschleudert", "sich Bahn brechen",
        "sich Bahn bricht", "sich Bahn brach", "sich Bahn gebrochen", "sich Bahn zu brechen", "bricht sich Bahn",
        "brach sich Bahn", "brechen sich Bahn", "brachen sich Bahn", "von der Bahn abgekommen", "Bahn schwimmen",
        "Bahn geschwommen", "Bahn ziehen", "Meter-Bahn", "Rhätische Bahn", "Französische Bahn", "Italienische Bahn",
        "Schweizer Bahn", "Schweizerische Bahn", "Österreichische Bahn", "Dänische Bahn", "Polnische Bahn",
        "Niederländische Bahn", "Japanische Bahn", "Britische Bahn", "Spanische Bahn", "Tschechische Bahn",
        "Ungarische Bahn", "Belgische Bahn", "Russische Bahn", "Ukrainische Bahn", "Indische Bahn",
        "Chinesische Bahn", "DB-9", "DB2", "DB Research", "S - Bahn", "U - Bahn", "geordnete Bahn", "Pro Bahn",
        "Bahnrad", "Bahn-Olympia", "Bahn-WM", "Bahn-EM", "Bahn-Weltmeister",
    ),
    context=(
        "Zug", "Züge", "Zügen", "ICE", "IC", "RE", "RB", "GDL", "EVG", "Regionalzug", "Regionalbahn",
        "Regionalexpress", "Verspätung", "verspätet", "pünktlich", "unpünktlich", "Ticket", "Fahrkarte", "Fahrplan",
        "Fahrschein", "Sparpreis", "Flexpreis", "Deutschlandticket", "Bahnhof", "Bahnsteig", "Hauptbahnhof", "Hbf",
        "Gleis", "Schaffner", "Zugbegleiter", "Lokführer", "Fahrgast", "Fahrgäste", "Reisende", "Pendler", "Flixbus",
        "Flugzeug", "Passagier", "Streik", "Warnstreik", "streikt", "Gewerkschaft", "Tarif", "Service", "Kunde",
        "Hotline", "App", "Anschluss", "Reservierung", "reserviert", "Sitzplatz", "Platzkarte", "gebucht", "Buchung",
        "Storno", "Schienenersatzverkehr", "Ausfall", "Ausfälle", "fällt aus", "fiel aus", "ausgefallen",
        "gestrichen", "verpasst", "fahren", "fährt", "fahre", "gefahren", "Fahrt", "reisen", "Reise", "Rückreise",
        "umsteigen", "umgestiegen", "Konzern", "Chef", "Vorstand", "Boni", "Minister", "Waggon", "Abteil",
        "Erstattung", "erstattet", "Entschädigung", "Fahrgastrechte", "Stellwerk", "Weichenstörung", "Signalstörung",
        "Oberleitung", "Schiene", "Durchsage", "zu spät", "danke", "sauer auf", "wütend", "angewiesen", "warte",
        "gewartet", "einsteigen", "aussteigen", "eingestiegen", "ausgestiegen", "gestiegen", "Haltestelle",
        "Kinderwagen", "Rollstuhl", "Rollator", "Koffer", "Verlass", "teurer", "billiger", "Fernverkehr",
        "Nahverkehr", "Güterverkehr", "Speisewagen", "Bordbistro", "Klimaanlage", "WLAN", "Preise", "Milliarden",
        "Millionen", "trains", "the train", "train is", "train was", "delay", "cancelled",
    ),
    ambiguous=("Bahn", "aus der Bahn", "auf der Bahn", "auf die Bahn", "Bahner"),
    unless={
        "Bahn": (
            "Schwimmbad", "Schwimmer", "schwimmen", "schwimmt", "Freibad", "Hallenbad", "Schwimmbecken", "Becken",
            "kraulen", "Läufer", "Sprinterin", "Staffellauf", "Hürden", "Leichtathletik", "Tartan", "Startblock",
            "Kegel", "kegeln", "Bowling", "Kugel", "Bobfahrer", "Rodel", "Rodler", "Minigolf", "Eisschnelllauf",
            "Schlittschuh", "Rennstrecke", "Kartbahn", "Jockey", "Galopp", "Planet", "Planeten", "Komet", "Satellit",
            "Asteroid", "Raumsonde", "Raumschiff", "Orbit", "Elektron", "Teilchen", "Geschoss", "Tapete", "tapezieren",
            "Vlies", "Stoffbahn", "Parabel", "Kanonenkugel", "Golfer", "Golfplatz", "abgeschnitten",
        ),
        "DB": (
            "MySQL", "SQL", "Datenbank", "PostgreSQL", "Postgres", "Oracle", "MariaDB", "MongoDB", "SQLite", "Tabelle",
            "Query", "Queries", "Migration", "Datensatz", "Datensätze", "Dezibel", "Schallpegel", "Aston Martin",
            "Dragon Ball", "Deutsche Bank", "Deutschen Bank", "database", "table", "schema", "decibel", "dump",
        ),
    },
    typos=True,
    accounts=("DB_Bahn", "DB_Presse", "DB_Info", "Bahn_Info", "Regio_NRW"),
    domains=("bahn.de", "bahn.com", "deutschebahn.com", "bahnhof.de"),
    persons=("Richard Lutz", "Evelyn Palla"),
)  # fmt: skip

_SUMS = tuple(f"1&1 {verb} {sum_}" for verb in ("ist", "macht", "gibt") for sum_ in ("zwei", "2"))
_SPANS = tuple(f"{sum_} {unit}" for sum_ in _SUMS for unit in ("Stunden", "Tage", "Wochen", "Monate", "Jahre"))
"""Arithmetic, and what begins like it: "1&1 macht zwei Wochen Pause"."""

EINS_UND_EINS = Brand(
    name="1&1",
    names=(
        *_SPANS,
        "1und1", "1and1", "1&1 Internet", "1u1", "1 u. 1", "1+1", "einsundeins", "1&1 zusammen mit", "eins&eins",
        "eins und eins", "bei eins und eins", "von eins und eins", "zu eins und eins",
    ),
    aliases=("1&1 Drillisch", "1&1 Versatel", "Leiter Kundenzufriedenheit", "Leiter der Kundenzufriedenheit"),
    exclusions=(
        *_SUMS,
        "1&1 = 0", "1&1 = 1", "1&1 = 2", "1&1 = 3", "1&1 == 1", "1&1 ist gleich 2", "1&1 ist gleich zwei",
        "1&1 sind zwei", "1&1 sind 2", "1&1 macht drei", "1&1 macht 3", "1&1 gleich zwei", "1&1 gleich 2",
        "1&1 gleich drei", "1&1 gleich 3", "1&1 ergibt zwei", "1&1 ergibt 2", "1&1 ergeben", "1&1 zusammenzählen",
        "1&1 zusammenzuzählen", "1&1 zusammen zählen", "1&1 zusammengezählt", "1&1 zusammenrechnen", "1&1 zusammen",
        "1&1 addieren", "1&1 ist nicht immer zwei", "1&1 makes two", "1&1 is two", "1&1 is 2", "1&1 equals",
        "changer d'avis", "changé d'avis", "change d'avis", "d'avis que", "1+1 =", "1+1=", "1+1 gratis", "1+1-Aktion",
        "1+1-Angebot", "1+1 ergibt", "1+1 ist 2", "1+1 ist zwei", "1+1 sind", "1+1 macht 2", "1+1 macht zwei",
        "1+1 gibt", "eins und eins ist", "eins und eins sind", "eins und eins macht", "eins und eins zusammen",
        "eins und eins gibt", "eins und eins ergibt", "eins und eins addieren",
    ),
    context=(
        "DSL", "Internet", "Vertrag", "Verträge", "Router", "Hotline", "Kunde", "Kundin", "Kündigung", "kündigen",
        "gekündigt", "Anbieter", "Provider", "Tarif", "Rechnung", "Anschluss", "Leitung", "WLAN", "Mobilfunk",
        "Techniker", "Domain", "Hosting", "Webhosting", "Postfach", "Telefon", "Flatrate", "Netz", "Störung",
        "Support", "Kundenservice", "Kundenzufriedenheit", "Mahnung", "Vodafone", "Telekom", "Werbung", "Werbespot",
    ),
    ambiguous=("eins und eins", "eins&eins", "1+1", "Herr Davis", "Herrn Davis", "Leiter Kundenzufriedenheit"),
    unless={
        "1&1": (
            "Mathe", "Mathematik", "Rechenaufgabe", "Taschenrechner", "Esslöffel", "Teelöffel", "Primzahl", "binary",
            "boolean", "bitweise", "bitwise",
        ),
    },
    typos=True,
    accounts=("1und1", "1und1hilft", "1und1_hilft", "1und1_de"),
    domains=("1und1.de", "1und1.com", "1und1.net", "1and1.com"),
    persons=(
        "Marcel D'Avis", "D'Avis", "Marcel Davis", "Davis von 1&1", "Herr Davis", "Herrn Davis", "Ralph Dommermuth",
        "Dommermuth",
    ),
)  # fmt: skip

EXAMPLE_BRANDS = {"telekom": TELEKOM, "bahn": BAHN, "1und1": EINS_UND_EINS}
"""Name → brand, as in a configuration."""
