"""Brands that ``match`` and ``parse`` know without a configuration."""

from __future__ import annotations

from pipeline.configuration import Brand

TELEKOM = Brand(
    name="Telekom",
    names=("Deutsche Telekom", "Telekom Deutschland", "Telekom hilft", "T-Mobile"),
    aliases=("Congstar", "MagentaTV", "MagentaZuhause", "MagentaMobil", "T-Online", "T-Punkt", "T-Com"),
    exclusions=("Telekommunikation", "Magenta Telekom", "Türk Telekom", "Telekom Baskets", "Telekom Austria"),
    accounts=("telekom_hilft", "telekomhilft", "deutschetelekom", "telekomerleben"),
    domains=("telekom.de", "telekom.com", "telekomhilft.telekom.de"),
    persons=("Timotheus Höttges", "Tim Höttges"),
)

BAHN = Brand(
    name="Deutsche Bahn",
    names=(
        "DB", "DB Bahn", "DB AG", "Bahn", "die Bahn", "der Bahn",
        "sauer auf die Bahn", "wütend auf die Bahn", "Wut auf die Bahn", "Ärger über die Bahn",
    ),
    aliases=(
        "BahnCard", "DB Navigator", "Bahnkunde", "Bahnkunden", "Bahnkundin", "Bahnchef", "Bahnvorstand", "Bahnticket",
        "Bahnstreik", "Bahn-App", "DB Regio", "DB Fernverkehr",
    ),
    exclusions=(
        "S-Bahn", "S Bahn", "U-Bahn", "U Bahn", "SBahn", "UBahn", "Autobahn", "Straßenbahn", "Stadtbahn", "Seilbahn",
        "Laufbahn", "Rennbahn", "Umlaufbahn", "Fahrbahn", "Achterbahn", "Eisbahn", "Schwebebahn", "bahnbrechend",
        "auf die Bahn", "auf die schiefe Bahn", "schiefe Bahn", "schiefen Bahn", "freie Bahn", "freier Bahn",
        "Bahn frei", "aus der Bahn geworfen", "aus der Bahn werfen", "wirft mich aus der Bahn",
        "aus der Bahn geraten", "in geordnete Bahn", "Bahn brechen", "Bahn gebrochen", "brach sich Bahn",
        "bricht sich Bahn", "sich Bahn", "Bahn schwimmen", "Bahn geschwommen", "Meter-Bahn", "Bahn ziehen",
        "DB-9", "DB9",
    ),
    context=(
        "Zug", "Züge", "Zügen", "ICE", "IC", "Regio", "RE", "Verspätung", "verspätet", "pünktlich", "unpünktlich",
        "Ticket", "Fahrkarte", "Fahrplan", "Bahnhof", "Gleis", "Schaffner", "Zugbegleiter", "Lokführer", "Streik",
        "Service", "Kunde", "Hotline", "Anschluss", "Reservierung", "Sparpreis", "BahnCard", "Schienenersatzverkehr",
        "Ausfall", "fällt aus", "fiel aus", "fahren", "fährt", "fahre", "gefahren", "reisen", "Reise", "Konzern",
        "Chef",
        "Abteil", "Waggon", "Fahrgast", "Fahrgäste", "Erstattung", "Stellwerk", "Weichenstörung", "zu spät", "danke",
    ),
    ambiguous=("Bahn",),
    accounts=("DB_Bahn", "DB_Presse", "DB_Info", "Regio_NRW"),
    domains=("bahn.de", "deutschebahn.com", "bahnhof.de"),
)  # fmt: skip

EINS_UND_EINS = Brand(
    name="1&1",
    names=("1und1", "1&1 Internet", "eins und eins"),
    aliases=("1&1 Drillisch",),
    exclusions=(
        "1 und 1 ist", "1 und 1 macht", "1 und 1 gibt", "1 und 1 zusammen", "1 & 1 =", "1&1=", "1 und 1 =",
        "eins und eins ist", "eins und eins macht", "eins und eins zusammen", "eins und eins gibt",
    ),
    accounts=("1und1", "1und1hilft", "1und1_hilft", "1und1_de"),
    domains=("1und1.de", "1und1.com"),
    persons=("Marcel D'Avis", "D'Avis", "Marcel Davis", "Davis von 1&1", "Herr Davis", "Ralph Dommermuth"),
)  # fmt: skip

EXAMPLE_BRANDS = {"telekom": TELEKOM, "bahn": BAHN, "1und1": EINS_UND_EINS}
"""Name → brand, as in a configuration."""
