"""A small world for tests of the alert half: real store, real state database, mentions as they would be crawled."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from alerts import outbox
from alerts.evidence import read_sources
from alerts.message import Occasion
from alerts.resting import Rest
from alerts.rule import SourceView
from alerts.stages import Post
from alerts.watcher import Watcher, no_fault
from pipeline.clock import ManualClock
from pipeline.configuration import Configuration, StateTable
from pipeline.identity import uid_of
from pipeline.item import Published
from pipeline.labels.topics import topics
from pipeline.mention import Analysis, Crawled, Mention, Opinion, Tone, text_hash
from pipeline.state import tables as t
from pipeline.state.opening import open_state
from pipeline.store.sqlite.store import SqliteStore
from pipeline.words import Channel, Kind, Precision, Reading, ToneLabel, Via, Voice

START = datetime(2026, 11, 2, tzinfo=UTC)
"""A Monday."""
NOW = START + timedelta(days=14, hours=10)
CHANNELS = {"forum": Channel.FORUM, "portal": Channel.REVIEW}
CONFIGURATION = Configuration.model_validate(
    {
        "contact": "ops@example.org",
        "public_url": "https://warte.example.org",
        "brands": {"acme": {"name": "Acme"}},
        "sources": {name: {"spider": "feed", "url": f"https://{name}.example.org/"} for name in CHANNELS},
        "rules": {"surge": {"rule": "surge"}},
        "receivers": {
            "pr": {"address": "pr@example.org"},
            "boss": {"address": "boss@example.org", "min_level": 5},
            "ops": {"address": "ops@example.org", "min_level": 6, "operator": True},
        },
    }
)


def mention(
    number: int,
    at: datetime,
    *,
    person: str | None = None,
    tone: ToneLabel | None = ToneLabel.NEGATIVE,
    source: str = "forum",
    text: str = "",
    historic: bool = False,
    watermark: datetime | None = None,
    channel: Channel | None = None,
    **over: Any,
) -> Mention:
    """One opinion on Acme."""
    text = text or f"Beitrag {number}: die Hotline von Acme nimmt nicht ab"
    p = {None: None, **dict.fromkeys(ToneLabel, 0.9)}[tone]
    score = Tone(label=tone, p_negative=p, p_neutral=0.05, p_positive=0.05, compound=-0.5) if tone and p else None
    opinion = Opinion(
        brand="acme", via=Via.NAME, voice=Voice.EARNED, tone=tone, p_negative=p, p_neutral=p, p_positive=p
    )
    uid = uid_of(f"{source}.example.org", f"/ p{number}")
    crawled = Crawled(
        source=source,
        reading=Reading.FULL,
        fetched=at,
        platform="phpbb",
        channel=channel or CHANNELS.get(source, Channel.NEWS),
        kind=Kind.POST,
        url=f"https://{source}.example.org/p{number}",
        text=text,
        author=uid_of("persons", person or f"person {number}"),
    )
    fed = max(at, watermark) if watermark else at
    values: dict[str, Any] = {
        "uid": uid,
        "origin": f"{source}.example.org",
        "crawled": crawled,
        "published": Published(at=at, precision=Precision.SECOND),
        "seen": at,
        "event_time": at,
        "fed_bin": datetime.fromtimestamp(int(fed.timestamp()) // 300 * 300, UTC),
        "analysis": Analysis(
            text_hash=text_hash("", text),
            analyser="rules-de",
            version=1,
            lang="de",
            tone=score,
            opinions=(opinion,),
            topics=topics().terms(text.replace("Acme", "·"), "de"),
        ),
        "sources": (source,),
        "first_source": source,
        "story": uid,
        "historic": historic,
    }
    return Mention(**{**values, **over})


class World:
    """Store, state, clock and watcher over one folder; messages are words instead of mail."""

    def __init__(
        self,
        folder: Path,
        now: datetime = NOW,
        configuration: Configuration = CONFIGURATION,
        table: StateTable | None = None,
    ) -> None:
        self.folder, self.configuration = folder, configuration
        self.clock = ManualClock(now)
        self.store = SqliteStore(folder / "mentions.db", clock=self.clock)
        self.state = open_state(folder, table)
        self.occasions: list[Occasion] = []
        self._numbers = 0

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def watcher(self, fault: Any = no_fault, post: Post | None = None, rest: Rest | None = None) -> Watcher:
        return Watcher(
            self.configuration,
            self.store,
            self.state,
            self.clock,
            self.folder,
            post=post or self.post,
            fault=fault,
            rest=rest,
        )

    def post(
        self, conn: sa.Connection, occasion: Occasion, receiver: str, configuration: Configuration, now: datetime
    ) -> bool:
        """Puts words into the real outbox."""
        self.occasions.append(occasion)
        notifier = configuration.receivers[receiver].notifier
        fixed = outbox.message_id(occasion, receiver, notifier, configuration.public_url)
        return outbox.put(conn, occasion, receiver, notifier, str(occasion.kind).encode(), fixed, now)

    def source(
        self, name: str, *, state: str = "healthy", mark: datetime | None = None, begin: datetime = START
    ) -> None:
        """Create or move a source."""
        mark = mark or self.now
        row = {
            "id": name,
            "spider": "feed",
            "url": f"https://{name}.example.org/",
            "channel": str(CHANNELS.get(name, Channel.NEWS)),
            "state": state,
            "reason": "",
            "state_since": self.now,
            "complete_from": begin,
            "watermark": mark,
            "next_due": self.now,
            "interval_s": 300.0,
            "cursor": {},
        }
        with self.state.begin() as conn:
            known = conn.execute(sa.select(t.source.c.state).where(t.source.c.id == name)).scalar_one_or_none()
            if known == state:
                row.pop("state_since")
            if known is None:
                conn.execute(t.source.insert().values(**row))
            else:
                conn.execute(t.source.update().where(t.source.c.id == name).values(**row))

    def crawl(self, *names: str) -> None:
        """Every source has been read up to now."""
        for name in names or CHANNELS:
            self.source(name)

    def write(self, *mentions: Mention) -> None:
        for first in range(0, len(mentions), 1000):
            self.store.write(mentions[first : first + 1000])

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    def quiet(self, days: int = 14, per_day: int = 12, until: datetime | None = None) -> None:
        """Evenly spread ordinary traffic, a third of it negative, as first contact brings it; then both are fed."""
        end = until or self.now
        step = timedelta(days=1) / per_day
        found = []
        for number in range(days * per_day):
            at = end - step * (number + 1)
            tone = (ToneLabel.NEGATIVE, ToneLabel.NEUTRAL, ToneLabel.POSITIVE)[number % 3]
            source = "forum" if number % 2 else "portal"
            found.append(mention(self.number(), at, tone=tone, source=source, historic=True))
        self.write(*found)
        self.crawl()
        self.watcher().tick()

    def burst(
        self,
        count: int = 30,
        *,
        minutes: int = 25,
        persons: int | None = None,
        sources: Sequence[str] = ("forum", "portal"),
        tone: ToneLabel = ToneLabel.NEGATIVE,
        **over: Any,
    ) -> list[Mention]:
        """Posts over the minutes that come now; the clock moves on, and all is crawled."""
        found = []
        begin = self.now
        for number in range(count):
            at = begin + timedelta(minutes=minutes) * number / count
            who = f"voice {number % (persons or count)}"
            source = sources[number % len(sources)]
            found.append(mention(self.number(), at, person=who, source=source, tone=tone, **over))
        self.clock.advance(minutes=minutes + 5)
        self.write(*found)
        self.crawl()
        return found

    def calm(self, hours: float, step: float = 10.0) -> None:
        """Time passes, everything is crawled and watched, nothing is said."""
        for _ in range(int(hours * 60 / step)):
            self.clock.advance(minutes=step)
            self.crawl()
            self.watcher().tick()

    def rows(self, table: sa.Table) -> list[Any]:
        with self.state.read() as conn:
            return list(conn.execute(sa.select(table)))

    def fed(self, rule: str) -> dict[str, datetime]:
        """How far each source is fed into a rule."""
        return {row.source: row.until for row in self.rows(t.fed) if row.rule == rule}

    def views(self) -> tuple[SourceView, ...]:
        """The sources as rules know them."""
        with self.state.read() as conn:
            return read_sources(conn)

    def told(self) -> list[tuple[str, int, str, str]]:
        """(subject, number, receiver, kind) of every message."""
        return [(row.subject, row.number, row.receiver, row.kind) for row in self.rows(t.outbox)]

    def close(self) -> None:
        self.store.close()
        self.state.close()
