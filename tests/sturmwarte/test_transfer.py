"""Import: good rows become items, wrong ones are told with their line, and nothing is fatal."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.given import GivenProblem, Intake
from pipeline.item import Item
from pipeline.words import Channel, Kind, Precision
from sturmwarte.transfer import item_of, rows_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
INTAKE = Intake("old-archive", "import", Channel.FORUM, ZoneInfo("Europe/Berlin"), NOW, historic=True)


def outcomes(text: str, *, as_csv: bool, **columns: str) -> list[tuple[int, Item | str]]:
    found: list[tuple[int, Item | str]] = []
    for row in rows_of(io.StringIO(text, newline=""), as_csv=as_csv):
        try:
            found.append((row.line, item_of(row, INTAKE, columns)))
        except GivenProblem as problem:
            found.append((row.line, problem.field))
    return found


def test_csv_with_semicolons_and_a_line_break_in_a_cell() -> None:
    text = (
        "\ufeffurl;text;author;published;channel\n"
        '"https://forum.example/t?p=1";"first\nline";Ada;2026-11-19T08:30;review\n'
        "https://forum.example/t?p=2;;;;\n"
        "https://forum.example/t?p=3;third;Bo;2026-11-19;\n"
    )
    first, second, third = outcomes(text, as_csv=True)
    assert isinstance(first[1], Item)
    assert (first[0], first[1].text, first[1].author) == (2, "first\nline", "Ada")
    assert first[1].channel is Channel.REVIEW
    assert first[1].published.at == datetime(2026, 11, 19, 7, 30, tzinfo=UTC)
    assert second == (4, "text")
    assert isinstance(third[1], Item)
    assert third[1].published.precision is Precision.DAY
    assert third[1].published.upper == datetime(2026, 11, 19, 23, tzinfo=UTC)
    assert (third[0], third[1].source, third[1].kind) == (5, "old-archive", Kind.POST)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('{"text": "x"}', "url"),
        ('{"url": "ftp://example.org/a", "text": "x"}', "url"),
        ('{"url": "https://example.org/a", "text": 7}', "text"),
        ('{"url": "https://example.org/a", "text": "x", "published": "gestern"}', "published"),
        ('{"url": "https://example.org/a", "text": "x", "kind": "poem"}', "kind"),
        ("[1]", "row"),
        ("{", "row"),
    ],
)
def test_wrong_rows_name_the_column(row: str, problem: str) -> None:
    good = json.dumps({"url": "https://example.org/b", "text": "fine", "author": None})
    wrong, fine = outcomes(f"{row}\n{good}\n", as_csv=False)
    assert wrong == (1, problem)
    assert fine[0] == 2
    assert isinstance(fine[1], Item)


@given(st.text(max_size=200), st.booleans())
def test_no_file_crashes_the_import(text: str, as_csv: bool) -> None:
    outcomes(text, as_csv=as_csv)
    outcomes("url,text,author,published\n" + text, as_csv=True)


def test_columns_go_by_german_names_or_by_those_one_gives() -> None:
    text = "Link;Kommentar;Sterne;Datum;Wer\nhttps://forum.example/a;Nie wieder;1;20.11.2026 09:40;Ada\n"
    ((_, found),) = outcomes(text, as_csv=True, author="Wer")
    assert isinstance(found, Item)
    assert (found.text, found.author, found.rating, found.rating_raw) == ("Nie wieder", "Ada", 0.0, "1")
    assert (found.kind, found.published.at) == (Kind.REVIEW, datetime(2026, 11, 20, 8, 40, tzinfo=UTC))
    assert found.published.precision is Precision.MINUTE


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"rating": "7"}, "rating"),
        ({"rating": "viel"}, "rating"),
        ({"rating": "3", "rating_scale": "gut"}, "rating_scale"),
        ({"votes": "-1"}, "votes"),
        ({"views": True}, "views"),
    ],
)
def test_numbers_out_of_range_are_named(fields: dict[str, object], field: str) -> None:
    with pytest.raises(GivenProblem) as caught:
        INTAKE.item({"url": "https://forum.example/a", "text": "x"} | fields)
    assert caught.value.field == field


def test_the_best_grade_of_a_german_school_is_one() -> None:
    graded = INTAKE.item({"url": "https://x.example/a", "text": "x", "rating": "1,5", "rating_scale": "6-1"})
    assert (graded.rating, graded.rating_raw, graded.rating_scale) == (0.9, "1.5", "6-1")


def test_what_has_an_id_and_no_address_belongs_to_its_source() -> None:
    desk = Intake("desk", "push", Channel.OWN, ZoneInfo("Europe/Berlin"), NOW, place="https://desk.example")
    named, signed = desk.item({"id": "T-77", "text": "x"}), desk.item({"text": "Ihr seid super", "author": "Ada"})
    assert (named.origin, named.native_id, named.url) == ("desk.example", "T-77", None)
    assert signed.native_id == "/ by ada ihrseidsuper"
    assert named.first_contact is False
