"""Generated items: German and English posts of about 370 characters about 20 brands in 200 sources over 180 days."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from pipeline.configuration import Brand, Configuration
from pipeline.item import Item, Published
from pipeline.words import Channel, Kind, Precision, Reading

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAYS, SOURCES, AUTHORS = 180, 200, 40_000
NAMES = (
    "Nordnetz", "Küstenbahn", "Alpenstrom", "Rheinbank", "Havelkauf", "Elbtel", "Moselkost", "Spreewerk", "Isarmode",
    "Weserfunk", "Donauland", "Neckarhaus", "Mainpost", "Leinebau", "Saalekaffee", "Okerrad", "Ruhrgas", "Lahnreisen",
    "Emsversand", "Peenefisch",
)  # fmt: skip
GERMAN = (
    "Die Hotline von {brand} hat heute wieder niemand erreicht, das ist ärgerlich.",
    "Mein Vertrag bei {brand} läuft im März aus und wird nicht verlängert.",
    "Der Techniker war pünktlich und sehr freundlich.",
    "Seit dem Update stürzt die App ständig ab.",
    "Für den Preis bekommt man bei {brand} wirklich gute Leistung.",
    "Drei Wochen habe ich auf eine Antwort gewartet, eine Katastrophe.",
    "Im Shop wurde ich gut beraten und habe gleich unterschrieben.",
    "Die Rechnung war falsch, die Gutschrift kam aber schnell.",
    "Weiß jemand, wie lange die Lieferung im Augenblick dauert?",
    "Das Paket lag beim Nachbarn, alles in Ordnung.",
    "Nie wieder, die lügen doch am Telefon.",
    "Im zweiten Anlauf hat es mit {brand} geklappt.",
    "Der Rückruf wurde versprochen und kam nicht.",
    "Auf der Webseite steht etwas anderes als im Brief.",
)
ENGLISH = (
    "The support of {brand} was friendly but slow.",
    "I waited three weeks for an answer, which is terrible.",
    "My order from {brand} arrived on time and works great.",
    "Does anybody know how to cancel the contract?",
    "The app keeps crashing since the last update.",
    "Good value for money, would buy again.",
)


def configuration() -> Configuration:
    """Twenty brands with a name each."""
    return Configuration(
        contact="bench@example.org", brands={name.lower().replace("ü", "ue"): Brand(name=name) for name in NAMES}
    )


def items(count: int, seed: int = 1) -> Iterator[Item]:
    """``count`` items in order of time; one in five English, one in a hundred a copy of an earlier one."""
    chance = random.Random(seed)
    step, recent = timedelta(days=DAYS) / count, ["Nordnetz."]
    for number in range(count):
        at = NOW - timedelta(days=DAYS) + step * number
        source = min(int(chance.paretovariate(0.6)), SOURCES)
        text = _text(chance, number) if chance.random() > 0.01 else chance.choice(recent)
        recent = [*recent[-20:], text]
        yield Item(
            source=f"source{source}",
            platform="phpbb",
            channel=Channel.FORUM,
            kind=Kind.POST,
            reading=Reading.FULL,
            origin=f"forum{source}.example",
            native_id=f"/ p{number}",
            fetched=at + timedelta(minutes=4),
            url=f"https://forum{source}.example/viewtopic.php?p={number}#p{number}",
            text=text,
            author=f"user{int(chance.random() ** 2 * AUTHORS)}",
            published=Published(at=at, precision=Precision.MINUTE),
            thread=f"/ t{number // 30}",
            thread_title="Erfahrungen und Fragen",
            watermark=at - timedelta(minutes=5),
        )


def _text(chance: random.Random, number: int) -> str:
    language = ENGLISH if chance.random() < 0.2 else GERMAN
    brand = chance.choice(NAMES)
    sentences = [chance.choice(language).format(brand=brand) for _ in range(6)]
    rare = f"Vorgang {number % 9973} im Fall {chance.choice(NAMES)[:3]}{chance.randrange(100_000)}."
    return " ".join([language[0].format(brand=brand), *sentences, rare])
