"""The picture of a situation: what is in it, in pictures and in words."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from alerts import charts
from alerts.axes import count_ticks, time_ticks
from alerts.facts import Bar, Facts
from alerts.sample import sample_facts
from alerts.tokens import DARK, LIGHT
from pipeline.i18n import Speech

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 20, 10, 5, tzinfo=UTC)
GERMAN, ENGLISH = Speech("de", BERLIN), Speech("en", BERLIN)


@pytest.fixture
def facts() -> Facts:
    return sample_facts("telekom", ("forum",), NOW)


def bars(*persons: int, high: float | None = 3.0, exposure: float = 1.0) -> tuple[Bar, ...]:
    first = datetime(2026, 11, 20, 8, tzinfo=UTC)
    low = None if high is None else 0.0
    return tuple(
        Bar(
            start=first + index * timedelta(minutes=30),
            end=first + (index + 1) * timedelta(minutes=30),
            persons=count,
            expected=None,
            low=low,
            high=high,
            exposure=exposure,
        )
        for index, count in enumerate(persons)
    )


def drawn_columns(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the layer that draws persons, wherever Altair has put them."""
    found: list[dict[str, Any]] = []
    for layer in spec["layer"]:
        rows = layer.get("data", {}).get("values") or spec.get("datasets", {}).get(layer["data"].get("name"), [])
        found += [row for row in rows if "colour" in row]
    return found


def test_columns_beyond_the_band_are_negative_others_grey(facts: Facts) -> None:
    small = msgspec.structs.replace(facts, bars=bars(1, 3, 4, 0))
    columns = drawn_columns(charts.situation_chart(small, GERMAN, width=584, height=168))
    assert [(column["y"], column["colour"]) for column in columns] == [
        (1, LIGHT.neutral),
        (3, LIGHT.neutral),
        (4, LIGHT.negative),
    ]
    dark = drawn_columns(charts.situation_chart(small, GERMAN, width=584, height=168, dark=True))
    assert [column["colour"] for column in dark] == [DARK.neutral, DARK.neutral, DARK.negative]


def test_png_is_small_sharp_and_has_the_colours_of_the_palette(facts: Facts) -> None:
    drawn = charts.png(charts.situation_chart(facts, GERMAN, width=584, height=168), 2)
    picture = Image.open(io.BytesIO(drawn)).convert("RGB")
    colours = {colour for _, colour in picture.getcolors(100_000) or []}
    assert picture.size == (1168, 336)
    assert 3_000 < len(drawn) < 40_000
    assert picture.getpixel((1, 1)) == (255, 255, 255)
    assert any(red > 180 and green < 90 and blue < 60 for red, green, blue in colours), "no column in negative colour"


def test_svg_follows_its_box_runs_nothing_and_says_the_alarm(facts: Facts) -> None:
    drawn = charts.svg(charts.situation_chart(facts, GERMAN, width=760, height=190))
    root = ElementTree.fromstring(drawn)
    assert root.get("viewBox") == "0 0 760 190"
    assert (root.get("width"), root.get("height")) == ("100%", None)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"script", "foreignObject", "image", "a"}
    words = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert {"Alarm 09:25", "Do 0 Uhr", "Fr 0 Uhr", "ohne Daten", "0"} <= set(words)


def test_two_charts_on_a_page_share_no_id(facts: Facts) -> None:
    first = charts.svg(charts.situation_chart(facts, GERMAN, width=760, height=190))
    second = charts.svg(charts.situation_chart(facts, GERMAN, width=340, height=110))
    ids = [
        {element.get("id") for element in ElementTree.fromstring(drawn).iter() if element.get("id")}
        for drawn in (first, second)
    ]
    assert not ids[0] & ids[1]


def test_english_labels(facts: Facts) -> None:
    drawn = charts.svg(charts.situation_chart(facts, ENGLISH, width=760, height=190))
    assert "Fri 00:00" in drawn
    assert "no data" in drawn


def test_without_bars_there_is_a_sentence_and_no_axis(facts: Facts) -> None:
    empty = msgspec.structs.replace(facts, bars=())
    drawn = charts.svg(charts.situation_chart(empty, GERMAN, width=584, height=168))
    assert "Noch keine Zahlen für ein Bild." in drawn
    assert charts.alt_text(empty, GERMAN) == "Noch keine Zahlen für ein Bild."
    assert charts.sparkline(()) == ""


def test_alt_text_says_what_the_picture_shows(facts: Facts) -> None:
    small = msgspec.structs.replace(facts, bars=bars(1, 3, 4, 0), since=bars(0, 0)[1].start)
    assert charts.alt_text(small, GERMAN) == (
        "Kritische Personen je 30 min von Fr 09:00 bis Fr 11:00. Höchster Wert: 4 Personen (Fr 10:00), üblich 0 bis 3. "
        "1 von 4 Abschnitten liegt über dem üblichen Bereich. Alarm Fr 09:30."
    )
    blind = msgspec.structs.replace(facts, bars=(*bars(1, 0, high=None)[:1], *bars(0, 0, exposure=0.0)[1:]), since=None)
    assert charts.alt_text(blind, ENGLISH) == (
        "Critical persons per 30 min from Fri 09:00 to Fri 10:00. Highest: 1 person (Fri 09:00). "
        "No section lies above the usual range. No data: Fri 09:30 to Fri 10:00."
    )


def test_table_has_a_row_for_every_bar(facts: Facts) -> None:
    rows = charts.table(msgspec.structs.replace(facts, bars=bars(1, 4)), GERMAN)
    assert rows.head == ("Beginn", "Personen", "Üblich", "Anmerkung")
    assert rows.rows == (("Fr 09:00", "1", "0 bis 3", ""), ("Fr 09:30", "4", "0 bis 3", "über dem Üblichen"))


def test_sparkline_shows_gaps_as_dots() -> None:
    assert charts.sparkline((*bars(0, 7, 14), *bars(0, exposure=0.0))) == "▁▅█·"
    assert len(charts.sparkline(bars(*range(100)))) <= 48
    assert charts.sparkline(bars(*range(100)))[-1] == "█"


@given(st.lists(st.integers(0, 5000), max_size=400))
def test_sparkline_never_fails(persons: list[int]) -> None:
    assert len(charts.sparkline(bars(*persons))) <= 48


@given(st.floats(0, 1e7))
def test_count_ticks_start_at_zero_and_reach_the_top(most: float) -> None:
    ticks = count_ticks(most)
    assert ticks[0] == 0
    assert ticks[-1] >= most
    assert 3 <= len(ticks) <= 4
    assert len({right - left for left, right in pairwise(ticks)}) == 1


@pytest.mark.parametrize(
    ("start", "hours", "labels"),
    [
        (datetime(2026, 11, 18, 11, tzinfo=UTC), 48, ["Mi 12 Uhr", "Do 0 Uhr", "12 Uhr", "Fr 0 Uhr", "12 Uhr"]),
        # the night in which the clock goes back: 25 hours, and midnight stays midnight
        (datetime(2026, 10, 24, 22, tzinfo=UTC), 25, ["So 0 Uhr", "6 Uhr", "12 Uhr", "18 Uhr", "Mo 0 Uhr"]),
        (datetime(2026, 11, 1, 11, tzinfo=UTC), 24 * 20, ["8.11.", "15.11."]),
    ],
)
def test_time_ticks_are_local(start: datetime, hours: int, labels: list[str]) -> None:
    ticks = time_ticks(start, start + timedelta(hours=hours), 440, GERMAN)
    assert [label for _, label in ticks][: len(labels)] == labels
