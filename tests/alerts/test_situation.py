"""The numbers of a situation, by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from alerting import CHANNELS, NOW, World, mention

from alerts.situation import facts, share_of
from alerts.voices import quote
from pipeline.words import ToneLabel


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


def now_of(world: World):  # type: ignore[no-untyped-def]
    return facts(world.configuration, world.store, world.state, "acme", world.now)


def test_nothing_known_at_all(world: World) -> None:
    found = now_of(world)
    assert (found.state, found.level, found.persons, found.share) == ("learning", 0, 0, None)
    assert (found.persons_expected, found.persons_low, found.usual_share) == (None, None, None)
    assert (found.complete_until, found.sources_total, found.incident) == (None, 0, None)
    assert len(found.bars) == 96


def test_counts_by_hand(world: World) -> None:
    world.crawl()
    at = NOW - timedelta(hours=1)
    negative = [mention(n, at + timedelta(minutes=n), person=f"p{n % 4}", source="portal") for n in range(1, 7)]
    story = {"story": negative[0].uid, "is_copy": True}
    opinion = negative[0].analysis.opinions[0]
    copy = mention(20, at + timedelta(minutes=20), person="p9", **story)
    uncounted = type(opinion)(**{**{f: getattr(opinion, f) for f in opinion.__struct_fields__}, "counted": False})
    analysis = copy.analysis
    analysis = type(analysis)(
        **{**{f: getattr(analysis, f) for f in analysis.__struct_fields__}, "opinions": (uncounted,)}
    )
    copy = mention(20, at + timedelta(minutes=20), person="p9", analysis=analysis, **story)
    world.write(
        *negative,
        copy,
        *[mention(n, at, tone=ToneLabel.POSITIVE, person=f"q{n}") for n in range(30, 45)],
        mention(50, at, tone=None),
        mention(51, at, historic=True, person="old"),
        mention(52, NOW - timedelta(hours=4), person="before"),
        mention(53, at, person="late", late=True),
    )
    found = now_of(world)
    assert (found.window_start, found.window_end) == (NOW - timedelta(hours=3), NOW)
    assert (found.persons, found.posts, found.all_posts) == (5, 7, 23)
    assert (found.copies, found.late, found.earlier, found.not_scored) == (1, 1, 0, 1)
    assert found.share is not None
    assert (found.share.n, found.share.value) == (22, pytest.approx(7 / 22))
    assert found.share.low < 7 / 22 < found.share.high
    assert found.by_source == (("portal", 4), ("forum", 1))
    assert found.by_channel == (("review", 4), ("forum", 1))
    assert found.first_time == 5 and found.top3_posts == 5
    assert found.complete_until == NOW
    assert next((voice.why, voice.source) for voice in found.voices) == ("earliest", "forum")
    assert ("most_copied", negative[0].uid) in [(voice.why, voice.uid) for voice in found.voices]
    assert sum(bar.persons for bar in found.bars) >= 5


def test_a_quiet_brand_has_a_usual_range(world: World) -> None:
    world.quiet(per_day=48)
    found = now_of(world)
    assert found.state == "normal"
    assert found.persons_expected == pytest.approx(2.0, abs=0.6)
    assert found.persons_low == 0 and found.persons_high is not None and 3 <= found.persons_high <= 7
    assert found.usual_share == pytest.approx(1 / 3, abs=0.05)
    assert all(bar.exposure == 1 for bar in found.bars[-90:-2])
    assert all(bar.low is not None and bar.high is not None and bar.low <= bar.high for bar in found.bars)
    assert found.bars[-1].end >= found.window_end > found.bars[-1].start


def test_a_blind_source_is_named_and_its_bars_are_less_exposed(world: World) -> None:
    world.quiet()
    world.clock.advance(hours=2)
    world.source("portal", state="blind", mark=NOW)
    world.crawl("forum")
    found = now_of(world)
    assert [name for name, _, _ in found.sources_blind] == ["portal"]
    assert (found.sources_total, found.sources_healthy) == (2, 1)
    assert found.complete_until == world.now
    assert found.bars[-2].exposure == 0.5
    for name in CHANNELS:
        world.source(name, state="blind", mark=NOW)
    assert now_of(world).state == "no_data"


def test_share_needs_its_minimum() -> None:
    assert share_of(10, 19, 20) is None
    found = share_of(45, 63, 20)
    assert found is not None and (round(found.low, 2), round(found.high, 2), found.n) == (0.59, 0.81, 63)


def test_quotes_are_short_and_name_nobody() -> None:
    long = mention(1, NOW, text="@kern schaut auf https://example.org/a " + "Wort " * 60)
    said = quote(long)
    assert len(said) <= 160
    assert "kern" not in said and "example" not in said
    assert said.startswith("… schaut auf … Wort") and said.endswith("Wort…")
