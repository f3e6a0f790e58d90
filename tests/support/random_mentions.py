"""Random mentions and random searches in the words of the language, from one seed: for holding one store to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from building import NOON, bin_of, mention, opinion, uid

from pipeline.clock import ManualClock
from pipeline.item import Media, Published
from pipeline.mention import Correction, Mention
from pipeline.query.parse import parse
from pipeline.query.tree import Query
from pipeline.store.protocol import BIN, Store, Window
from pipeline.words import Aspect, Channel, Kind, Precision, Purpose, Reading, Severity, ToneLabel, Via, Voice

BERLIN = ZoneInfo("Europe/Berlin")
BRANDS = ("telekom", "1und1", "bahn", "deutsche-post")
SOURCES = ("forum", "tele-news", "rss_1", "reviews", "suche")
PLATFORMS = ("phpbb", "woltlab", "feed", "searxng")
HOSTS = ("forum.example", "news.example", "xn--mnchen-3ya.example:8443")
THREADS = ("forum.example /forum/ T1", "forum.example /forum/ t2", "news.example /2026/Störung-im-Netz")
TITLES = ("", "Störung im Netz seit heute", "Kündigung und Hotline", "Support: network is DOWN again")
_TEXT = """
    Telekom Netz Störung Störungen stoerung Hotline schweigt Kündigung kündigen Vertrag Großes Lob heute früh seit
    langsam schnell network networks down support promise promising promised Router wieder nichts geht Straße STRASSE
    café o'brien 3.500 2026 telekom_hilft ﬁx Łódź İstanbul smørrebrød die der im an und is again 1&1 DSL dsl100
    Kundenservice Kundendienst
"""
WORDS = _TEXT.split()
TOPICS = ("hotlin", "netz", "storung", "rechnung", "router", "lob", "vertrag")
LONG = "Donaudampfschifffahrtsgesellschaft" * 9
"""A word longer than what a server takes for one of its own accord."""
MONTHS = 7


@dataclass
class World:
    """What has been done to every store, and when."""

    clock: ManualClock
    moments: list[datetime] = field(default_factory=list)
    """Between any two of these something was written."""
    uids: list[str] = field(default_factory=list)
    authors: list[str] = field(default_factory=list)
    given: list[Mention] = field(default_factory=list)


def populate(stores: Sequence[Store], random: Random, world: World, *, count: int = 400) -> None:
    """Batches with first and later readings, corrections, deletions, copies, joined stories, erasures; the same in all.

    Asserts that all stores say the same of each step.
    """
    world.authors = [f"{random.getrandbits(128):032x}" for _ in range(count // 10)]
    world.uids = [uid(f"m{number}") for number in range(count)]
    numbers = list(range(count))
    while numbers:
        batch = [_mention(random, world, numbers.pop()) for _ in range(min(len(numbers), random.randint(1, 60)))]
        _same([store.write(batch) for store in stores], world)
        known = [m for m in world.given if m.uid in {b.uid for b in batch}]
        for size in (1, 4, 12):
            again = [_again(random, one) for one in random.choices(world.given, k=size)]
            _same([store.write(again) for store in stores], world)
        if random.random() < 0.5 and len(known) > 4:
            _joined(stores, random, world)
        for gone in random.sample(known, min(len(known), 2)):
            at = world.clock.now() - timedelta(hours=random.randint(0, 48))
            _same([store.delete_at_source(gone.uid, at) for store in stores], world)
    for erased in random.sample(world.given, 3):
        _same([store.erase([erased.uid], "asked for") for store in stores], world)
    author = random.choice(world.authors)
    _same([store.erase_author(author, "asked for") for store in stores], world)
    before = world.clock.now() - timedelta(days=30 * MONTHS - 12)
    _same([store.purge(before) for store in stores], world)


def _same(answers: Sequence[Any], world: World) -> None:
    assert all(answer == answers[0] for answer in answers), answers
    world.clock.advance(seconds=7)
    world.moments.append(world.clock.now())
    world.clock.advance(seconds=7)


def _joined(stores: Sequence[Store], random: Random, world: World) -> None:
    one, other = random.sample(world.uids[: len(world.uids) // 8], 2)
    for store in stores:
        store.join_stories(one, other)
    _same([store.stories(world.uids) for store in stores], world)


def _mention(random: Random, world: World, number: int) -> Mention:
    """A first reading; old ones lie up to seven months back."""
    back = random.random() ** 3 * 30 * MONTHS
    at = NOON - timedelta(days=back, seconds=random.randint(0, 59), microseconds=random.choice((0, 0, 1, 999_999)))
    if random.random() < 0.3:  # many in one second, so that the uid decides
        at = NOON - timedelta(days=round(back / 10))
    opinions = [
        opinion(
            brand,
            random.choice((*ToneLabel, ToneLabel.NEGATIVE, None)),
            voice=random.choice((*Voice, *[Voice.EARNED] * 6)),
            via=random.choice(tuple(Via)),
        )
        for brand in random.sample(BRANDS, random.choice((1, 1, 1, 2, 3)))
    ]
    copied = random.choice(world.uids[: len(world.uids) // 8]) if random.random() < 0.3 else None
    made = mention(
        f"m{number}",
        at=at,
        origin=random.choice(HOSTS),
        title=random.choice(("", "", _text(random, 4))),
        text=_text(random, random.randint(0, 40)),
        source=random.choice(SOURCES),
        platform=random.choice(PLATFORMS),
        channel=random.choice(tuple(Channel)),
        kind=random.choice((*Kind, Kind.POST)),
        reading=random.choice((Reading.FULL, Reading.FEED, Reading.SNIPPET)),
        author=random.choice((*world.authors, *[None] * 8)),
        lang=random.choice(("de", "de", "en", "fr", None)),
        thread=random.choice((*THREADS, None, None)),
        thread_title=random.choice(TITLES),
        rating=random.choice((None, None, 0.0, 0.25, 0.5, 0.75, 1.0, 1 / 3)),
        images=random.choice((0, 0, 1)),
        media=random.choice(
            ((), (), (Media(kind="image", text="Rechnung"),), (Media(kind="video", url="https://x.de/v"),))
        ),
        views=random.choice((None, 0, 12)),
        **_labels(random),
        verified=random.choice((None, False, True)),
        accepted=random.choice((None, False, True)),
        opinions=tuple(opinions),
        published=Published(at=random.choice((at, at, at, None)), precision=random.choice(tuple(Precision))),
        seen=at + timedelta(minutes=random.randint(0, 600)),
        fed_bin=bin_of(at + timedelta(minutes=random.choice((0, 0, 30)))),
        story=copied if copied != uid(f"m{number}") else None,
        is_copy=copied is not None and random.random() < 0.7,
        historic=random.random() < 0.2,
        late=random.random() < 0.2,
    )
    world.given.append(made)
    return made


def _labels(random: Random) -> dict[str, Any]:
    return {
        "severity": random.choice((None, *Severity)),
        "staff_threat": random.random() < 0.1,
        "aspects": tuple(random.sample(tuple(Aspect), random.choice((0, 1, 2)))),
        "purpose": random.choice((None, *Purpose)),
        "topics": tuple(random.sample(TOPICS, random.choice((0, 1, 3)))),
    }


def _again(random: Random, known: Mention) -> Mention:
    """A later reading of the same: found elsewhere, another text, a correction, another score, or nothing new."""
    at = known.seen + timedelta(hours=random.randint(1, 99))
    way = random.random()
    if way < 0.25:
        brand = random.choice((None, known.analysis.opinions[0].brand))
        correction = Correction(tone=random.choice(tuple(ToneLabel)), at=at, by="anna", brand=brand)
        return mention(_name(known), **_kept(known), crawled=known.crawled, corrections=(correction,))
    if way < 0.4:
        return known
    over: dict[str, Any] = {
        "source": random.choice(SOURCES),
        "reading": random.choice((Reading.FULL, Reading.FULL, Reading.SNIPPET)),
        "text": random.choice((known.crawled.text, _text(random, 12))),
        "fetched": at,
        "thread_title": known.crawled.thread_title,
        "author": known.crawled.author,
    }
    opinions = tuple(opinion(o.brand, random.choice((*ToneLabel, None))) for o in known.analysis.opinions)
    return mention(
        _name(known),
        **_kept(known),
        **over,
        opinions=opinions,
        version=random.randint(1, 3),
        lang="de",
        **_labels(random),
    )


def _name(known: Mention) -> str:
    return next(f"m{number}" for number in range(10_000) if uid(f"m{number}") == known.uid)


def _kept(known: Mention) -> dict[str, Any]:
    fields = ("origin", "published", "seen", "event_time", "fed_bin", "story", "is_copy", "historic", "late")
    return {name: getattr(known, name) for name in fields}


def _text(random: Random, length: int) -> str:
    words = [random.choice(WORDS) for _ in range(length)]
    if random.random() < 0.15:
        words.append("https://netz.example/karte")
    if random.random() < 0.05:
        words.append(LONG)
    return " ".join(words) + random.choice(("", ".", "!", "?"))


# --- searches -----------------------------------------------------------------------------------------------------


@dataclass
class Asker:
    """Makes searches as people type them, about a populated world."""

    random: Random
    world: World

    def query(self) -> Query:
        """A search of one to six parts, sometimes in the past."""
        text = self._joined(self.random.choice((1, 1, 2, 2, 3, 4, 6)))
        if self.random.random() < 0.15:
            text = f"({text}) as_of:{self.moment():%Y-%m-%dT%H:%M:%S}Z"
        return self.parsed(text)

    def parsed(self, text: str) -> Query:
        """What that text means; ``incident:`` stands for some uids."""
        some = frozenset(self.random.sample(self.world.uids, len(self.world.uids) // 2))
        resolvers: Mapping[str, Any] = {"incident": lambda value: some}
        return parse(text, now=self.world.clock.now(), zone=BERLIN, resolvers=resolvers)

    def moment(self) -> datetime:
        """A moment of the past between two writes."""
        return self.random.choice(self.world.moments) + timedelta(seconds=self.random.randint(-7, 7))

    def span(self) -> tuple[datetime | None, datetime | None]:
        """A time range, or none."""
        if self.random.random() < 0.6:
            return None, None
        ends = sorted(self._event() for _ in range(2))
        return self.random.choice((ends[0], None)), self.random.choice((ends[1], None))

    def window(self) -> Window:
        """A window of bins, from one bin to all months."""
        random = self.random
        bins = random.choice((1, 12, 288, 288 * 28, 288 * 200))
        start = bin_of(self._event()) - random.randint(0, bins) * BIN
        return Window(
            brand=random.choice(BRANDS),
            start=start,
            end=start + bins * BIN + timedelta(seconds=random.choice((0, 0, 1))),
            tone=random.choice((None, *ToneLabel)),
            sources=random.choice((None, None, tuple(random.sample(SOURCES, 2)))),
        )

    def _event(self) -> datetime:
        return self.random.choice(self.world.given).event_time + timedelta(microseconds=self.random.randint(-1, 1))

    def _joined(self, parts: int) -> str:
        random = self.random
        if parts == 1:
            leaf = self._leaf()
            return random.choice(("", "", "", "NOT ", "-")) + leaf
        first = random.randint(1, parts - 1)
        left, right = self._joined(first), self._joined(parts - first)
        joint = random.choice((" ", " AND ", " OR ", " OR ", " || ", " && "))
        text = f"{left}{joint}{right}"
        return random.choice((text, f"({text})", f"({text})", f"NOT ({text})"))

    def _leaf(self) -> str:
        random = self.random
        kind = random.random()
        if kind < 0.4:
            return self._words()
        if kind < 0.6:
            return self._opinion()
        return self._field()

    def _words(self) -> str:
        random = self.random
        word = random.choice((*WORDS, LONG[:300], LONG))
        plain = word.replace("&", " ").replace("'", " ")
        given = random.choice(self.world.given).crawled.text.split()
        at = random.randint(0, max(0, len(given) - 3))
        phrase = " ".join(given[at : at + random.randint(2, 3)]).replace('"', "").rstrip(".!?") or plain
        begin = random.randint(1, 6)
        return random.choice(
            (
                f'"{word}"',
                f'="{word}"',
                f'"{phrase}"',
                f'"{phrase}"',
                f'="{phrase}"',
                f'"{phrase[:-1]}*"' if phrase[:-1].strip() and phrase[-2].isalnum() else f'"{phrase}"',
                f"{'Kundenservice'[:begin]}*",
                f"{random.choice(('ne', 'st', 'pro', 'd', 'k'))}*",
                f'"{plain} {random.choice("abdeiknst")}*"',
            )
        )

    def _opinion(self) -> str:
        random = self.random
        brand, other = random.sample(BRANDS, 2)
        tone, via, voice = (random.choice(v) for v in ((*ToneLabel, "none"), tuple(Via), tuple(Voice)))
        return random.choice(
            (
                f"brand:{brand}",
                f"brand:({brand} OR {other})",
                f"(brand:{brand} tone:{tone})",
                f"(brand:{brand} NOT tone:{tone})",
                f"(brand:{brand} tone:{tone} is:counted)",
                f"(brand:{brand} voice:{voice} NOT via:{via})",
                f"(brand:{brand} NOT is:counted)",
                f"(brand:({brand} OR {other}) tone:({tone} OR negative))",
                f"tone:{tone}",
                f"(tone:{tone} via:{via})",
                f"voice:{voice}",
                f"via:({via} OR name)",
                "is:counted",
            )
        )

    def _field(self) -> str:
        random, world = self.random, self.world
        known = random.choice(world.given)
        day, earlier = sorted((self._event(), self._event()), reverse=True)
        stars = random.choice((1, 2, 2.5, 3, 4, 5))
        return random.choice(
            (
                f"source:{random.choice(SOURCES)}",
                f"aspect:({random.choice(tuple(Aspect))} OR {random.choice(tuple(Aspect))})",
                f"severity:{random.choice(tuple(Severity))}",
                f"purpose:{random.choice(tuple(Purpose))}",
                f"topic:{random.choice(('Hotline', 'Störungen', 'netz', 'ROUTER', 'Verträge'))}",
                f"has:{random.choice(('threat', 'staff_threat'))}",
                f"source:({random.choice(SOURCES)} OR forum)",
                f"platform:{random.choice(PLATFORMS)}",
                f"channel:{random.choice(tuple(Channel))}",
                f"kind:{random.choice(tuple(Kind))}",
                f"lang:{random.choice(('de', 'en', 'fr', 'none', 'it'))}",
                f"author:{random.choice(world.authors)}",
                f"story:{random.choice(world.uids[: len(world.uids) // 8])}",
                f'thread_id:"{random.choice(THREADS)}"',
                f'domain:"{random.choice(HOSTS)}"',
                f'thread:"{random.choice(("Störung im Netz", "und Hotline", "is down", "netz im", "support"))}"',
                f"has:{random.choice(('image', 'link'))}",
                f"is:{random.choice(('copy', 'historic', 'late', 'corrected', 'deleted'))}",
                f"rating:{random.choice(('0', '0.25', '[0.2 TO 0.8]', '{0.25 TO *]', '<0.5', '[* TO *]'))}",
                f"stars:{random.choice((f'{stars}', f'>={stars}', f'<{stars}', '[2 TO 4]'))}",
                f"published:{day:%Y-%m-%d}",
                f"published:[{earlier:%Y-%m-%d} TO {day:%Y-%m-%d}]",
                f"published:>{earlier:%Y-%m-%d}",
                "published:[* TO *]",
                f"seen:<{day:%Y-%m}",
                f'seen:["{earlier:%Y-%m-%dT%H:%M:%S}" TO "{day:%Y-%m-%dT%H:%M:%S}"}}',
                "incident:R-0001",
                f"incident:R-0001 source:{known.first_source}",
            )
        )
