"""Stores full of random work, to be moved elsewhere, and how to tell that two hold the same."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import msgspec
from building import NOON, bin_of, mention, opinion, uid

from pipeline.clock import ManualClock
from pipeline.item import Published
from pipeline.mention import Correction, Mention
from pipeline.steps.story import week_of
from pipeline.store.copying import Copied, copy
from pipeline.store.protocol import Store
from pipeline.words import Precision, Reading, ToneLabel

SPAN = timedelta(days=75)
"""Back from noon: parts of four months."""
TEXTS = ("Das Netz der Telekom ist gestört.", "Die Störung dauert an.", "The network is down again.", "Großes Lob!", "")
AUTHORS = ("a" * 32, "b" * 32, "c" * 32, None)


def reading(chance: Random, number: int) -> Mention:
    """One reading of mention ``number``: read again, text, tone, time and more may differ."""
    at = NOON - SPAN * Random(number).random() - timedelta(minutes=chance.choice((0, 0, 0, 45_000)))
    return mention(
        number,
        at=at,
        text=chance.choice(TEXTS),
        source=chance.choice(("forum", "feed")),
        reading=chance.choice((Reading.FULL, Reading.FULL, Reading.SNIPPET)),
        fetched=at + timedelta(minutes=chance.randrange(9)),
        author=chance.choice(AUTHORS),
        lang=chance.choice(("de", "en", None)),
        thread_title=chance.choice(("", "Störung im Netz")),
        rating=chance.choice((None, 0.25, 1.0)),
        version=chance.choice((1, 2)),
        opinions=(opinion("telekom", chance.choice((*ToneLabel, None))),),
        published=Published(at=at, precision=chance.choice(tuple(Precision))),
        fed_bin=bin_of(at),
        story=chance.choice((None, None, uid(0), uid(1), uid(2))),
        corrections=(Correction(tone=ToneLabel.POSITIVE, at=at, by="anna"),) if chance.random() < 0.1 else (),
    )


def fill(store: Store, clock: ManualClock, *, mentions: int = 60, seed: int = 1) -> None:
    """Write, read again, delete at the source, erase, join stories and note bands."""
    chance = Random(seed)
    for _ in range(4):
        batch = [reading(chance, chance.randrange(mentions)) for _ in range(mentions)]
        store.write(batch)
        clock.advance(seconds=chance.randrange(1, 500))
        for each in batch[::3]:
            bands = [chance.getrandbits(64) for _ in range(chance.randrange(1, 8))]
            store.note_signatures({each.uid: bands}, week_of(each.event_time))
    for number in range(0, mentions, 9):
        store.delete_at_source(uid(number), clock.now())
    store.join_stories(uid(1), uid(2))
    store.join_stories(uid(0), uid(1))
    store.erase([uid(3), uid(4), uid("never stored")], "asked for")
    clock.advance(seconds=10)


def contents(store: Store) -> dict[str, list[bytes]]:
    """Every record of every part as bytes, in an order that all engines share."""
    moved = store.transfer()
    return {part: sorted(map(msgspec.json.encode, moved.dump(part))) for part in moved.parts()}


def whole_copy(source: Store, target: Store, clock: ManualClock, **over: Any) -> Copied:
    """A copy at a moment after everything was written; it must agree in every part."""
    clock.advance(seconds=1)
    outcome = copy(source, target, clock=clock, **over)
    assert [part.part for part in outcome.parts if not part.agrees] == []
    assert outcome.whole
    return outcome
