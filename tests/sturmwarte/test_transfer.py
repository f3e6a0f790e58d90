"""Import: good rows become items, wrong ones are told with their line, and nothing is fatal."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.item import Item
from pipeline.words import Channel, Kind, Precision
from sturmwarte.transfer import Importer, RowProblem, rows_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
IMPORTER = Importer("old-archive", Channel.FORUM, ZoneInfo("Europe/Berlin"), NOW)


def outcomes(text: str, *, as_csv: bool) -> list[tuple[int, Item | str]]:
    found: list[tuple[int, Item | str]] = []
    for row in rows_of(io.StringIO(text, newline=""), as_csv=as_csv):
        try:
            found.append((row.line, IMPORTER.item(row)))
        except RowProblem as problem:
            found.append((row.line, str(problem).split(":")[0]))
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
        ("[1]", "no JSON object"),
        ("{", "no JSON"),
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
