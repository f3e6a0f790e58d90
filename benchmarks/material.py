"""Generated items: German and English posts of about 370 characters about 20 brands in 200 sources over 180 days.

The words are drawn from several thousand with the frequencies of a language (Zipf), so that texts share words as posts
do and are no copies of each other, but for one in a hundred.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import accumulate, islice, repeat

from pipeline.configuration import Brand, Configuration
from pipeline.item import Item, Published
from pipeline.tone.english import load_vocabulary
from pipeline.tone.lexicon import german_lexicon
from pipeline.words import Channel, Kind, Precision, Reading

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAYS, SOURCES, AUTHORS = 180, 200, 40_000
NAMES = (
    "Nordnetz", "Küstenbahn", "Alpenstrom", "Rheinbank", "Havelkauf", "Elbtel", "Moselkost", "Spreewerk", "Isarmode",
    "Weserfunk", "Donauland", "Neckarhaus", "Mainpost", "Leinebau", "Saalekaffee", "Okerrad", "Ruhrgas", "Lahnreisen",
    "Emsversand", "Peenefisch",
)  # fmt: skip
GERMAN = """
die der und ich nicht das ist zu in es mit den von ein auf hat man für auch eine so dass wenn aber wie noch bei war
habe sich als dann im nur am mir was dem wird an da nach kann seit schon werden haben mich oder über aus wieder sie
er wir jetzt immer einen mein meine hatte mal doch zum zur bis um vor alles sind hier keine kein nichts einer durch
gibt ja etwas wurde muss mehr heute gestern beim weil ihr ohne unter leider warum sehr gar ganz zwei drei diese
"""
ENGLISH = """
the to and i a of it is my in that for was have they on with this you not but are be at so as if we just no or from
had me their has would your there been what will when can all an them one out up get about after which more now
who were still any because time only how by do did then than some our other even since again never into could
over back very should these before while also most two three
"""
"""The words that hold a text together, most frequent first."""
COMMON, MEDIUM, RARE = ("Hotline", "Vertrag", "Rechnung"), ("Techniker", "Gutschrift", "Rückruf"), ("4711", "815", "7")
"""Words that the searches ask for: in about one text of ten, of a hundred, of ten thousand."""
_SIGNS = ("😡", "👍", ":-)", ":(", "😂")


class Vocabulary:
    """Several thousand words of one language with Zipf's frequencies, and sentences of them."""

    def __init__(self, functions: str, content: Sequence[str], fixed: Mapping[str, float]) -> None:
        binding = functions.split()
        self._words = [*binding, *content, *fixed]
        weights = [1 / (rank + 4) for rank in range(len(binding))]
        weights += [0.6 / (rank + 4) for rank in range(len(binding), len(binding) + len(content))]
        whole = sum(weights)
        self._cumulated = list(accumulate([*weights, *(share * whole for share in fixed.values())]))

    def draw(self, chance: random.Random, count: int) -> list[str]:
        return chance.choices(self._words, cum_weights=self._cumulated, k=count)


@cache
def vocabularies() -> tuple[Vocabulary, Vocabulary]:
    """German and English. A quarter of the content words have a tone, the others are invented."""
    chance = random.Random(7)
    german = _mixed(chance, sorted(german_lexicon().valences), _invented(chance, 6000, _GERMAN_PARTS), capital=0.6)
    known = sorted(word for word in load_vocabulary().valences if word.isalpha())
    english = _mixed(chance, known, _invented(chance, 5000, _ENGLISH_PARTS), capital=0.05)
    per_word = 1 / LENGTH
    fixed = {word: share * per_word for words, share in ((COMMON, 0.1), (MEDIUM, 0.01)) for word in words}
    return Vocabulary(GERMAN, german, fixed), Vocabulary(ENGLISH, english, {})


LENGTH = 49
"""Words of a text on average."""
_GERMAN_PARTS = (
    "bau feld haus brun kel mark tal wend lin dor gra sel hof rin stad bel mun kor wes tan hal bren lau fur ger mel",
    "en er ung el ter ling ig lich heit e chen in stein berg bach rat mann gang lage teil zug",
)
_ENGLISH_PARTS = (
    "bar fen hol mil ton wes car ster lan bur cod den gar hem ket lor mar nor pel ras sol tam wick yar brin dal fos",
    "er ing ed ton ley ment al ish ow y ford ham s let ent age ick",
)


def _invented(chance: random.Random, count: int, parts: tuple[str, str]) -> list[str]:
    middles, endings = (part.split() for part in parts)
    words = (
        "".join([*chance.choices(middles, k=chance.choice((1, 1, 2, 2, 3))), chance.choice(endings)]) for _ in repeat(0)
    )
    return list(islice(dict.fromkeys(islice(words, count * 4)), count))


def _mixed(chance: random.Random, tones: Sequence[str], invented: Sequence[str], *, capital: float) -> list[str]:
    """One word with a tone for every three invented ones, in a random order of frequency."""
    neutral = [word.capitalize() if chance.random() < capital else word for word in invented]
    mixed = [*chance.sample(tones, min(len(tones), len(invented) // 3)), *neutral]
    chance.shuffle(mixed)
    return mixed


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
    german, english = vocabularies()
    words = (english if chance.random() < 0.2 else german).draw(chance, chance.randrange(18, LENGTH * 2 - 18))
    brand = chance.choice(NAMES)
    for _ in range(chance.choice((1, 1, 2))):
        words[chance.randrange(len(words))] = brand
    if number % 3 == 0:
        words.append(str(number % 9973))
    if chance.random() < 0.05:
        words.append(chance.choice(_SIGNS))
    return " ".join(_sentences(chance, words))


def _sentences(chance: random.Random, words: list[str]) -> Iterator[str]:
    """Sentences of five to sixteen words; a comma in the longer ones, an exclamation here and there."""
    at = 0
    while at < len(words):
        length = chance.randrange(5, 17)
        piece = words[at : at + length]
        if len(piece) > 9:
            piece[5] += ","
        piece[0] = piece[0][:1].upper() + piece[0][1:]
        yield " ".join(piece) + chance.choice("........!?")
        at += length
