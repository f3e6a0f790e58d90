"""Printed dates, German and English, with the precision they really have."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawlers.dates import from_timestamp, learn_order, parse_date
from pipeline.words import Precision

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 7, tzinfo=UTC)

EXACT = [
    ("gerade eben", "2026-11-22T08:00:00+01:00"),
    ("vor 5 Minuten", "2026-11-22T07:55:00+01:00"),
    ("5 mins ago", "2026-11-22T07:55:00+01:00"),
    ("heute 07:05", "2026-11-22T07:05:00+01:00"),
    ("Heute, 07:05 Uhr", "2026-11-22T07:05:00+01:00"),
    ("gestern um 23:59", "2026-11-21T23:59:00+01:00"),
    ("am 5. Dez 2025 um 20:03 Uhr", "2025-12-05T20:03:00+01:00"),
    ("Beitrag von X » 21.01.2009, 05:42", "2009-01-21T05:42:00+01:00"),
    ("von Hans » Mi 5. Jul 2023, 20:15", "2023-07-05T20:15:00+02:00"),
    ("Verfasst am: Sun Jun 24, 2007 8:07 pm", "2007-06-24T20:07:00+02:00"),
    ("Mon Nov 02, 2026 8:15 am", "2026-11-02T08:15:00+01:00"),
    ("2. November 2026 um 08:15", "2026-11-02T08:15:00+01:00"),
    ("Nov 14, 2015 at 4:23 AM", "2015-11-14T04:23:00+01:00"),
    ("Nov. 2, 2026, 8:15 a.m.", "2026-11-02T08:15:00+01:00"),
    ("12:30 am, 1 Nov 2026", "2026-11-01T00:30:00+01:00"),
    ("2. März 2026, 10:00", "2026-03-02T10:00:00+01:00"),
    ("25.12.2027 10:00", "2027-12-25T10:00:00+01:00"),
    ("01.01.1970 01:00", "1970-01-01T01:00:00+01:00"),
    ("2026-11-02T08:15:00+00:00", "2026-11-02T08:15:00+00:00"),
    ("2026-11-02T08:15Z", "2026-11-02T08:15:00+00:00"),
    ("2023-04-28T17:23:42.981+02:00", "2023-04-28T17:23:42.981000+02:00"),
    ("Thu, 05 Nov 2026 17:22:00 +0000", "2026-11-05T17:22:00+00:00"),
    ("20. Nov 2026, 10:00 UTC", "2026-11-20T10:00:00+00:00"),
]


@pytest.mark.parametrize(("text", "iso"), EXACT)
def test_times_to_the_minute_or_better(text, iso):
    found = parse_date(text, NOW, BERLIN)
    assert found.at == datetime.fromisoformat(iso)
    assert found.precision.exact


DAYS = [
    ("gestern", "2026-11-21"),
    ("21. November, 2012", "2012-11-21"),
    ("letzten Montag", "2026-11-16"),
    ("2026-11-02", "2026-11-02"),
    ("11/02/2026", "2026-02-11"),
    ("13/02/2026", "2026-02-13"),
    ("2. Nov", "2026-11-02"),
    ("24. Dezember", "2025-12-24"),
]


@pytest.mark.parametrize(("text", "day"), DAYS)
def test_days_have_bounds_of_a_local_day(text, day):
    found = parse_date(text, NOW, BERLIN)
    start = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
    assert (found.precision, found.lower, found.at) == (Precision.DAY, start, start)
    assert 22 < (found.upper - found.lower).total_seconds() / 3600 < 26


@pytest.mark.parametrize(
    ("text", "lower", "upper"),
    [
        ("vor mehr als zwei Wochen", "2026-11-01T07:00+00:00", "2026-11-08T07:00+00:00"),
        ("vor mehr als einem Jahr", None, "2025-11-22T01:00+00:00"),
        ("more than 3 days ago", "2026-11-18T07:00+00:00", "2026-11-19T07:00+00:00"),
        ("vor weniger als 3 Stunden", "2026-11-22T04:00+00:00", "2026-11-22T07:00+00:00"),
    ],
)
def test_vague_dates_are_bounds_without_a_time(text, lower, upper):
    found = parse_date(text, NOW, BERLIN)
    assert (found.at, found.precision) == (None, Precision.UNKNOWN)
    assert found.lower == (datetime.fromisoformat(lower) if lower else None)
    assert found.upper == datetime.fromisoformat(upper)


@pytest.mark.parametrize(
    ("text", "hours", "precision"),
    [
        ("vor 2 T.", 48, Precision.DAY),
        ("Aktualisiert vor 4 Stunden", 4, Precision.HOUR),
        ("2 weeks ago", 336, Precision.DAY),
        ("vor einer Stunde", 1, Precision.HOUR),
    ],
)
def test_a_span_ago_is_cut_off_not_rounded(text, hours, precision):
    found = parse_date(text, NOW, BERLIN)
    assert (NOW - found.at).total_seconds() == hours * 3600
    assert found.precision == precision
    assert found.lower < found.upper == found.at


@pytest.mark.parametrize(
    "text", ["", "18 Uhr", "Unsinn", "31.02.2026", "99/99/9999", "12345", None, "x" * 500, "vor langer Zeit"]
)
def test_what_is_no_date_is_unknown(text):
    found = parse_date(text, NOW, BERLIN)
    assert (found.at, found.precision, found.lower) == (None, Precision.UNKNOWN, None)


def test_a_time_the_clock_change_left_out_becomes_one_that_exists():
    assert parse_date("29.03.2026 02:30", NOW, BERLIN).at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert parse_date("01.07.2026 12:00", NOW, BERLIN).at == datetime(2026, 7, 1, 10, tzinfo=UTC)


def test_the_order_of_digits_is_learnt_from_values_above_twelve():
    assert learn_order(["11-22-2026, 02:16 AM", "11-02-2026"]) == "MDY"
    assert learn_order(["22/11/2026", "1/2/2026"]) == "DMY"
    assert learn_order(["1/2/2026"], default="MDY") == "MDY"
    assert parse_date("11-02-2026, 08:15 AM", NOW, BERLIN, order="MDY").at == datetime(
        2026, 11, 2, 8, 15, tzinfo=BERLIN
    )
    assert parse_date("02.11.2026", NOW, BERLIN, order="MDY").at.month == 11


def test_timestamps_in_seconds_and_milliseconds():
    assert (
        from_timestamp(1_793_607_300).at
        == from_timestamp("1793607300000").at
        == datetime(2026, 11, 2, 8, 15, tzinfo=UTC)
    )
    assert from_timestamp("x").at is from_timestamp(None).at is from_timestamp(1e300).at is None


@given(st.text(max_size=120))
def test_no_text_raises(text):
    found = parse_date(text, NOW, BERLIN)
    assert found.at is None or found.at.tzinfo is not None


@given(st.datetimes(datetime(1975, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_german_and_iso_print_give_the_same_time(at):
    local = at.astimezone(BERLIN).replace(second=0, microsecond=0, fold=0)
    assert parse_date(local.strftime("%d.%m.%Y, %H:%M"), NOW, BERLIN).at == local
    assert parse_date(at.isoformat(), NOW, BERLIN).at == at
