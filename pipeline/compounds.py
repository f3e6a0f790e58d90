"""Compounds: with which words German joins the name of a company, so that a short name counts inside one.

``Bahnstreik`` and ``Aldikasse`` are about the company, ``Bahnhof`` and ``Skyline`` are words of their own. Names of
five letters and more are joined with anything; for shorter and ambiguous ones the second part must be one of these.
"""

from __future__ import annotations

import re

HEADS = (
    # people
    "kunde", "kundin", "kundschaft", "chef", "boss", "vorst", "konzern", "mitarbeit", "angestellt", "beschäftigt",
    "personal", "beamt", "kritik", "manag", "sprecher", "techniker", "monteur", "berater", "vertreter", "verkäufer",
    "fahrer", "fahrgast", "fahrgäst", "gäst", "reisend", "pendler", "nutzer", "user", "hasser", "gewerkschaft",
    "betriebsrat", "aufsichtsrat", "team",
    # service and contract
    "service", "hotline", "support", "beschwerde", "shop", "store", "filial", "kasse", "markt", "märkt", "ticket",
    "karte", "tarif", "vertrag", "verträg", "rechnung", "preis", "angebot", "rabatt", "gutschein", "bonus",
    "prospekt", "katalog", "paket", "liefer", "bestell", "retoure", "konto", "account", "login", "portal", "forum",
    "website", "webseite", "homepage", "newsletter", "abo", "kündigung", "störung", "ausfall", "ausfäll", "panne",
    "router", "anschluss", "anschlüss", "netz", "internet", "glasfaser", "handy", "buchung", "fahrkarte",
    "fahrschein",
    # public affairs
    "aktie", "aktion", "bilanz", "umsatz", "gewinn", "verlust", "tochter", "töchter", "zentrale", "sparte", "reform",
    "gipfel", "privatisierung", "werbung", "werbespot", "kampagne", "marke", "logo", "produkt", "sanierung", "streik",
    "warnstreik", "chaos", "skandal", "debakel", "desaster", "drama", "theater", "irrsinn", "wahnsinn", "elend",
    "ansage", "baustelle", "misere", "krise", "frust", "ärger", "wut", "bashing", "politik", "qualität",
    # travelling, shopping
    "fahrt", "fahren", "fahrplan", "reise", "verkehr", "verbindung", "verspätung", "regal", "möbel", "tüte", "tasche",
)  # fmt: skip
"""Beginnings of second parts."""
WHOLE_HEADS = ("app", "apps", "fan", "fans", "fail", "fails", "gate", "shops", "dsl", "tv", "mail", "mails")
"""Second parts that begin other words, so that they must stand whole."""
SWEARWORDS = frozenset(
    {"scheiß", "scheiss", "scheis", "drecks", "mist", "kack", "schrott", "pannen", "chaos", "saftladen"}
)
"""First parts that are joined with a name and leave it what it is (Drecksbahn)."""
PREFIXES = SWEARWORDS | {"ex", "anti", "pro", "nicht", "non", "nie", "pseudo", "pleite", "katastrophen", "horror"}
"""First parts that leave it what it is behind a hyphen (Ex-Bahn-Chef)."""
FALSE_COMPOUNDS = ("telekommun", "telekomun", "telekomün")
"""Ordinary words that begin like a well-known name."""

_HEAD = re.compile(f"s?(?:{'|'.join(HEADS)}|(?:{'|'.join(WHOLE_HEADS)})$)")


def is_head(part: str) -> bool:
    """Whether the (folded) rest of a compound is something that companies have."""
    return _HEAD.match(part) is not None
