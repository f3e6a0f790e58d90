"""A small house for the pages: two brands, four sources, forty invented mentions, one incident."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from fastapi.testclient import TestClient

from pipeline.clock import ManualClock
from pipeline.configuration import Configuration
from pipeline.identity import uid_of
from pipeline.item import Published
from pipeline.mention import Analysis, Crawled, Mention, Opinion, Tone, text_hash
from pipeline.state import tables as t
from pipeline.state.database import State
from pipeline.state.opening import open_state
from pipeline.store.sqlite.store import SqliteStore
from pipeline.words import Channel, Kind, Precision, Reading, ToneLabel, Via, Voice

NOW = datetime(2026, 11, 20, 10, 5, tzinfo=UTC)
P = {ToneLabel.NEGATIVE: (0.94, 0.04, 0.02), ToneLabel.NEUTRAL: (0.1, 0.8, 0.1), ToneLabel.POSITIVE: (0.03, 0.07, 0.9)}
HOSTILE = "<script>alert('hotline')</script> =cmd() & kein Anschluss"


def configuration(**changes: object) -> Configuration:
    sources = {
        "forum-a": {"spider": "phpbb", "url": "http://forum-a.test/", "name": "Forum A"},
        "portal-b": {"spider": "reviews", "url": "http://portal-b.test/", "name": "Portal B", "about": "nordnetz"},
        "portal-d": {"spider": "reviews", "url": "http://portal-d.test/", "name": "Portal D"},
        "blatt": {"spider": "feed", "url": "http://blatt.test/feed", "name": "Blatt", "channel": "news"},
    }
    brands = {"nordnetz": {"name": "Nordnetz"}, "gleisbahn": {"name": "Gleisbahn"}}
    rules = {"negativ": {"rule": "surge"}}
    receivers = {"pr": {"address": "pr@example.org", "name": "PR-Dienst"}}
    data = {"contact": "x@example.org", "brands": brands, "sources": sources, "rules": rules, "receivers": receivers}
    return Configuration.model_validate(data | changes)


def mention(
    number: int | str,
    text: str,
    *,
    at: datetime = NOW - timedelta(minutes=30),
    brand: str = "nordnetz",
    tone: ToneLabel | None = ToneLabel.NEGATIVE,
    source: str = "forum-a",
    channel: Channel = Channel.FORUM,
    author: str | None = "",
    title: str = "",
    url: str | None = None,
    copy_of: str | None = None,
    rating: float | None = None,
) -> Mention:
    origin = f"{source}.test"
    uid = uid_of(origin, str(number))
    p = P.get(tone) if tone else None
    shares = dict(zip(("p_negative", "p_neutral", "p_positive"), p, strict=True)) if p else {}
    opinion = Opinion(brand=brand, via=Via.NAME, voice=Voice.EARNED, counted=copy_of is None, tone=tone, **shares)
    scored = Tone(label=tone, compound=-0.8, words=(("gelöscht", -2.1),), **shares) if tone else None
    return Mention(
        uid=uid,
        origin=origin,
        crawled=Crawled(
            source=source,
            reading=Reading.FULL,
            fetched=at + timedelta(minutes=4),
            platform="phpbb",
            channel=channel,
            kind=Kind.POST,
            url=f"http://{origin}/p{number}" if url is None else url,
            title=title,
            text=text,
            author=uid_of("person", str(number)) if author == "" else author,
            rating=rating,
        ),
        published=Published(at=at, precision=Precision.MINUTE),
        seen=at + timedelta(minutes=4),
        event_time=at,
        fed_bin=at - timedelta(minutes=at.minute % 5, seconds=at.second, microseconds=at.microsecond),
        analysis=Analysis(
            text_hash=text_hash(title, text),
            analyser="rules-de" if tone else "none",
            version=1,
            lang="de" if tone else "fr",
            tone=scored,
            opinions=(opinion,),
        ),
        sources=(source,),
        first_source=source,
        story=copy_of or uid,
        is_copy=copy_of is not None,
    )


def seeded() -> list[Mention]:
    """30 critical persons in the last hour, a few others, one hostile text, copies, one not scored."""
    storm = [
        mention(
            n, f"Die Hotline von Nordnetz hat meinen Rückruf Nummer {n} gelöscht.", at=NOW - timedelta(minutes=2 * n)
        )
        for n in range(1, 31)
    ]
    first = storm[0].uid
    others = [
        mention("calm", "Nordnetz läuft bei mir ohne Störung.", tone=ToneLabel.POSITIVE, source="portal-b",
                channel=Channel.REVIEW, rating=1.0),
        mention("even", "Nordnetz hat einen neuen Tarif.", tone=ToneLabel.NEUTRAL, at=NOW - timedelta(hours=5)),
        mention("hostile", HOSTILE, title="=HYPERLINK(\"http://evil.test\")", url="javascript:alert(1)",
                at=NOW - timedelta(minutes=3)),
        mention("french", "Nordnetz ne marche pas.", tone=None),
        mention("train", "Gleisbahn war heute pünktlich.", brand="gleisbahn", tone=ToneLabel.POSITIVE),
        mention("copy1", "Die Hotline von Nordnetz hat meinen Rückruf Nummer 1 gelöscht.", copy_of=first),
        mention("copy2", "Die Hotline von Nordnetz hat meinen Rückruf Nummer 1 gelöscht.", copy_of=first,
                source="blatt", channel=Channel.NEWS),
    ]  # fmt: skip
    return [*storm, *others]


def fill_state(state: State, members: list[str]) -> None:
    """Four sources in four states, one open incident with its members, one message sent about it."""
    common = {"spider": "phpbb", "interval_s": 600.0, "cursor": {}, "next_due": NOW + timedelta(minutes=5)}
    well = {
        "state": "healthy", "state_since": NOW - timedelta(days=9), "watermark": NOW - timedelta(minutes=2),
        "complete_from": NOW - timedelta(days=20), "last_ok": NOW - timedelta(minutes=2), "last_answer": "ok",
        "last_end": NOW - timedelta(minutes=2), "items_seen": 1204,
    }  # fmt: skip
    sources = [
        {"id": "forum-a", "url": "http://forum-a.test/", "channel": "forum", **common, **well},
        {"id": "portal-b", "url": "http://portal-b.test/", "channel": "review", **common, **well},
        {"id": "blatt", "url": "http://blatt.test/feed", "channel": "news", **common, **well},
        {"id": "portal-d", "url": "http://portal-d.test/", "channel": "review", **common, **well,
         "state": "blind", "reason": "Anmeldung verlangt", "state_since": NOW - timedelta(minutes=35), "failures": 4,
         "watermark": NOW - timedelta(minutes=45)},
    ]  # fmt: skip
    incident = {
        "brand": "nordnetz", "topic": "Hotline", "state": "open", "level": 3, "peak": 3, "trend": "rising",
        "started": NOW - timedelta(hours=1), "opened": NOW - timedelta(minutes=45), "updated": NOW, "facts": {},
    }  # fmt: skip
    with state.begin() as connection:
        for row in sources:
            connection.execute(sa.insert(t.source).values(row))
        number = connection.execute(sa.insert(t.incident).values(incident)).inserted_primary_key[0]
        connection.execute(
            sa.insert(t.incident_member), [{"incident": number, "uid": uid, "since": NOW} for uid in members]
        )
        connection.execute(
            sa.insert(t.incident_event).values(
                incident=number, at=NOW - timedelta(minutes=45), kind="opened", by="sturmwarte", text="",
                details={"level": 3},
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(t.journal).values(
                at=NOW - timedelta(minutes=44), kind="sent", subject=f"incident:{number}", number=1, receiver="pr",
                notifier="email", message_id="<a@b>", text="",
            )
        )  # fmt: skip
        connection.execute(
            sa.insert(t.fetch).values(
                source="forum-a", at=NOW - timedelta(minutes=2), url="http://forum-a.test/f1", answer="ok", status=200,
                bytes=12_345, ms=88, items=7,
            )
        )  # fmt: skip


def fill(folder: Path) -> None:
    store = SqliteStore(folder / "mentions.db", clock=ManualClock(NOW - timedelta(minutes=1)))
    mentions = seeded()
    store.write(mentions)
    store.close()
    state = open_state(folder)
    fill_state(state, [one.uid for one in mentions[:30]])
    state.close()


Enter = Callable[..., TestClient]


def form_token(client: TestClient, path: str) -> str:
    """The token of a page's forms; the browser has the cookie then."""
    page = client.get(path).text
    return page.split('name="token" value="')[1].split('"')[0]
