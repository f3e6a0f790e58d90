"""Brands at rest: who is looked at, and that nothing is missed by not looking."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from alerting import NOW, World, mention
from msgspec.structs import replace

from alerts import incidents
from alerts.evidence import gather
from alerts.resting import BEGINNING, LONGEST, Rest, slack_of
from alerts.rule import Evidence, Needs
from alerts.rules.surge import Surge
from pipeline.mention import Mention
from pipeline.state import tables as t
from pipeline.words import ToneLabel

NEGATIVE, NEUTRAL = ToneLabel.NEGATIVE, ToneLabel.NEUTRAL
MINUTE = timedelta(minutes=1)


def said(number: int, tone: ToneLabel = NEGATIVE, brand: str = "acme", *, historic: bool = False) -> Mention:
    made = mention(number, NOW, tone=tone, historic=historic)
    (opinion,) = made.analysis.opinions
    analysis = replace(made.analysis, opinions=(replace(opinion, brand=brand),))
    return replace(made, analysis=analysis, revision=1)


def ask(rest: Rest, now: datetime, *news: Mention, busy: Sequence[str] = (), footing: object = "same") -> list[str]:
    return rest.awake(["acme", "other"], news, busy, footing, now)


@pytest.fixture
def rest() -> Rest:
    """Both brands rest since now: five critical posts to come for the one, any word for the other."""
    made = Rest()
    assert made.since(NOW) == NOW - BEGINNING
    assert ask(made, NOW) == ["acme", "other"]
    made.lay("acme", 5, NOW, light=False)
    made.lay("other", 5, NOW, light=True)
    return made


def test_a_brand_rests_until_enough_criticism_has_come(rest: Rest) -> None:
    assert ask(rest, NOW + MINUTE, *(said(n) for n in range(4)), *(said(n, NEUTRAL) for n in range(10, 20))) == []
    assert rest.since(NOW + 5 * MINUTE) == NOW + MINUTE
    assert ask(rest, NOW + 2 * MINUTE, said(4)) == ["acme"]
    assert ask(rest, NOW + 3 * MINUTE) == ["acme"], "until it is laid to rest again"


def test_news_that_overlap_are_counted_once_and_a_new_revision_anew(rest: Rest) -> None:
    news = [said(n) for n in range(4)]
    assert ask(rest, NOW + MINUTE, *news) == ask(rest, NOW + 2 * MINUTE, *news) == []
    assert ask(rest, NOW + 3 * MINUTE, *news[:-1], replace(news[-1], revision=2)) == ["acme"]


def test_what_the_past_brings_wakes_nobody(rest: Rest) -> None:
    past = [said(n, brand=brand, historic=True) for n in range(50) for brand in ("acme", "other")]
    assert ask(rest, NOW + MINUTE, *past) == []


def test_a_brand_with_a_tripwire_wakes_at_any_word(rest: Rest) -> None:
    assert ask(rest, NOW + MINUTE, said(1, NEUTRAL, "other")) == ["other"]


def test_a_rest_ends_by_itself_and_not_for_all_at_once(rest: Rest) -> None:
    woken = {}
    for minutes in range(0, int(LONGEST / MINUTE) + 1, 10):
        for brand in ask(rest, NOW + minutes * MINUTE):
            woken.setdefault(brand, minutes * MINUTE)
    assert set(woken) == {"acme", "other"}
    assert len({*woken.values()}) == 2
    assert all(LONGEST / 2 <= after <= LONGEST for after in woken.values())


def test_incidents_and_another_footing_wake(rest: Rest) -> None:
    assert ask(rest, NOW + MINUTE, busy=["other"]) == ["other"]
    rest.lay("other", 5, NOW + MINUTE, light=False)
    assert ask(rest, NOW + 2 * MINUTE, footing="a source more") == ["acme", "other"]


def test_a_brand_that_was_another_watchers_meanwhile_is_looked_at(rest: Rest) -> None:
    assert rest.awake(["acme"], (), (), "same", NOW + MINUTE) == []
    assert ask(rest, NOW + 2 * MINUTE) == ["other"]


def test_who_is_spoken_of_most_is_looked_at_first(rest: Rest) -> None:
    assert ask(rest, NOW + MINUTE, *(said(n, brand="other") for n in range(9)), *(said(n) for n in range(10, 17))) == [
        "other",
        "acme",
    ]


# --- the watcher ----------------------------------------------------------------------------------------------


def watched(folder: Path, seed: int, rest: Rest | None) -> tuple[list[tuple[datetime, str, int]], int, int]:
    """Half a day of chatter with some bursts: what was told and when, the level at the end, and the looks taken."""
    chance, looks, told = random.Random(seed), 0, []
    folder.mkdir()
    world = World(folder)
    world.quiet(per_day=8)
    marks = dict.fromkeys(("forum", "portal"), world.now)
    for tick in range(150):
        world.clock.advance(minutes=5)
        burst = seed if 60 <= tick < 75 else 0
        for _ in range(chance.choice((0, 0, 0, 1)) + (burst and chance.randint(1, burst))):
            at = world.now - MINUTE * chance.randrange(1, 40)
            tone = chance.choice((NEGATIVE, NEUTRAL)) if not burst else NEGATIVE
            source = chance.choice(("forum", "portal"))
            world.write(mention(world.number(), at, tone=tone, source=source, watermark=marks[source]))
        for source in ("forum", "portal"):
            if source == "forum" or tick % 40 < 30:  # the other one is away for hours, and comes back
                world.source(source)
                marks[source] = world.now
        looks += world.watcher(rest=rest).tick().brands
        told += [(world.now, str(one.kind), one.level or 0) for one in world.occasions]
        world.occasions.clear()
    with world.state.read() as conn:
        levels = [incident.peak for incident in incidents.list_incidents(conn)]
    world.close()
    return told, max(levels, default=0), looks


@pytest.mark.parametrize("seed", (0, 2, 5))
def test_nothing_is_missed_by_resting(tmp_path: Path, seed: int) -> None:
    always = watched(tmp_path / "always", seed, None)
    seldom = watched(tmp_path / "seldom", seed, Rest())
    assert seldom[:2] == always[:2]
    assert bool(always[0]) == (seed > 0), "bursts of some size are told, else this shows nothing"
    assert seldom[2] < always[2] == 150


@pytest.mark.parametrize("seed", range(2))
def test_as_long_as_there_is_slack_no_look_could_raise_anything(tmp_path: Path, seed: int) -> None:
    chance, rule = random.Random(seed), Surge()
    world = World(tmp_path)
    world.quiet(per_day=4)
    name = "surge"
    asleep = 0
    for _ in range(60):
        views = world.views()
        blobs, fed = {row.rule: row.blob for row in world.rows(t.rule_state)}, world.fed(name)
        shown = gather(world.store, "acme", rule.needs, views, fed, world.now, "UTC")
        state, _ = rule.evaluate(blobs[name], shown, world.now)
        slack = rule.slack(state, shown)
        for _ in range(slack - 1):
            at = world.now + MINUTE * chance.randrange(15)  # clocks of forums may be fast
            world.write(mention(world.number(), at, source=chance.choice(("forum", "portal"))))
        for _ in range(chance.randrange(1, 12)):
            world.clock.advance(minutes=chance.choice((5, 30, 120)))
            for source in ("forum", "portal"):
                world.source(source, state=chance.choice(("healthy", "late", "blind")), mark=world.now - 9 * MINUTE)
            later = gather(world.store, "acme", rule.needs, world.views(), fed, world.now, "UTC")
            assert rule.evaluate(blobs[name], later, world.now)[1] == []
            asleep += slack > 1
        world.watcher().tick()
    assert asleep > 20
    world.close()


def resting(world: World) -> Rest:
    """A watcher's rest after a look at which nothing happened."""
    rest = Rest()
    world.watcher(rest=rest).tick()
    assert world.watcher(rest=rest).tick().brands == 0
    return rest


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    made.quiet(per_day=4)
    yield made
    made.close()


def test_what_waits_unfed_behind_a_watermark_that_stands_still_counts(world: World) -> None:
    rest, mark = resting(world), world.now
    world.clock.advance(minutes=20 * 60)  # the store was away; then part of what had been read comes in
    late = [mention(world.number(), mark + 3 * 60 * MINUTE, watermark=mark) for _ in range(30)]
    world.write(*late)
    world.watcher(rest=rest).tick()
    world.write(*(mention(world.number(), mark + 3 * 60 * MINUTE, watermark=mark) for _ in range(4)))
    world.source("forum", mark=mark + 200 * MINUTE)
    assert world.watcher(rest=rest).tick().alerts == 1


def test_a_burst_that_a_source_behind_brings_is_not_taken_for_quiet_hours(tmp_path: Path) -> None:
    (tmp_path / "busy").mkdir()
    world = World(tmp_path / "busy")
    world.quiet(per_day=60)  # five posts are rare within a quarter of an hour, and not within one
    world.clock.set(world.now.replace(minute=0) - 2 * 60 * MINUTE + 24 * 60 * MINUTE)
    world.crawl()
    world.watcher().tick()
    mark = world.now
    world.clock.advance(minutes=65)
    world.write(*(mention(world.number(), mark + (30 + 3 * n) * MINUTE, source="portal") for n in range(5)))
    world.source("forum")
    world.source("portal", state="behind", mark=mark)
    assert world.watcher().tick().alerts == 1
    world.close()


def test_what_was_written_minutes_before_it_could_be_seen_wakes(world: World) -> None:
    rest = resting(world)
    written = world.now
    world.clock.advance(minutes=8)
    world.crawl()
    assert world.watcher(rest=rest).tick().brands == 0
    now = world.now
    world.clock.set(written)  # a writer stood still between reading its clock and its commit
    world.write(*(mention(world.number(), now, watermark=now) for _ in range(30)))
    world.clock.set(now + 10 * MINUTE)
    world.crawl()
    assert world.watcher(rest=rest).tick().alerts == 1


def test_news_that_cannot_be_read_keep_nobody_from_being_watched(world: World) -> None:
    rest = resting(world)
    world.burst(30)

    def broken(*_: object, **__: object) -> None:
        raise ValueError("a mention of a later release")

    world.store.written_since = broken  # type: ignore[method-assign, assignment]
    with pytest.raises(ValueError, match="later release"):
        world.watcher(rest=rest).tick()
    assert [kind for *_, kind in world.told()] == ["new"]


class Timed:
    """A rule that is about neither posts nor words."""

    needs = Needs()


def test_a_rule_that_cannot_tell_lets_nobody_rest() -> None:
    assert slack_of({"timed": Timed()}, {}, {"timed": Evidence(brand="acme")}) == 0  # type: ignore[dict-item]
