"""The search language: what is meant by what is typed, and what is said where nothing can be meant."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from building import NOON, mention, opinion, uid
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.i18n import Speech
from pipeline.query.evaluate import matches
from pipeline.query.parse import Known, QueryError, parse
from pipeline.query.tree import (
    All,
    Everything,
    Field,
    Node,
    Not,
    OneOpinion,
    Query,
    Range,
    Some,
    ThreadWords,
    Uids,
    Words,
)
from pipeline.words import Aspect, Purpose, Severity

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def read(text: str, **over: object) -> Query:
    return parse(text, now=NOW, zone=BERLIN, **over)  # type: ignore[arg-type]


def root(text: str, **over: object) -> Node:
    return read(text, **over).root


def fault(text: str, **over: object) -> QueryError:
    with pytest.raises(QueryError) as caught:
        read(text, **over)
    return caught.value


def stem(*variants: str) -> Words:
    return Words(tuple(tuple(v.split()) for v in variants))


NETZ, LOB, WEG = stem("netz"), stem("lob"), stem("weg")
TELEKOM, NEGATIVE = ("brand", ("telekom",)), ("tone", ("negative",))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("", Everything()),
        ("  ", Everything()),
        ("*", Everything()),
        ("netz", NETZ),
        ("netz lob", All((NETZ, LOB))),
        ("netz AND lob", All((NETZ, LOB))),
        ("netz && lob", All((NETZ, LOB))),
        ("netz || lob", Some((NETZ, LOB))),
        ("netz OR lob weg", All((Some((NETZ, LOB)), WEG))),
        ("netz AND lob OR weg", Some((All((NETZ, LOB)), WEG))),
        ("netz !lob", All((NETZ, Not(LOB)))),
        ("netz -lob", All((NETZ, Not(LOB)))),
        ("+netz +lob", All((NETZ, LOB))),
        ("NOT netz", Not(NETZ)),
        ("NOT (NOT netz)", NETZ),
        ("Störungen", stem("storung", "stoerungen")),
        ("=Störungen", Words((("stoerungen",),), "exact")),
        ('="das Netz"', Words((("das", "netz"),), "exact")),
        ("Stör*", Words((("stoer",),), "exact", True)),
        ('"das Ne*"', Words((("das", "ne"),), "exact", True)),
        ("1&1", stem("1 1")),
        ("S-Bahn", Words((("s", "bahn"),))),
        ('"http://netz.de"', stem("http netz de", "http netz de")),
        ("a\\*b", stem("a b")),
        ("source:tele-forum", Field("source", ("tele-forum",))),
        ("channel:(forum OR news)", Field("channel", ("forum", "news"))),
        ("lang:DE", Field("lang", ("de",))),
        ("source:=forum", Field("source", ("forum",))),
        ('thread:"Störung im Netz"', ThreadWords(("stoerung", "im", "netz"))),
        ("is:copy", Field("is", ("copy",))),
        ("has:link", Field("has", ("link",))),
        ("is:counted", OneOpinion((("counted", ("true",)),))),
        ("brand:telekom", OneOpinion((TELEKOM,))),
        ("brand:telekom tone:negative", OneOpinion((TELEKOM, NEGATIVE))),
        ("brand:telekom AND netz tone:negative", All((OneOpinion((TELEKOM, NEGATIVE)), NETZ))),
        ("brand:telekom NOT tone:negative", OneOpinion((TELEKOM,), (NEGATIVE,))),
        ("NOT tone:negative", Not(OneOpinion((NEGATIVE,)))),
        ("brand:telekom NOT brand:bahn", All((OneOpinion((TELEKOM,)), Not(OneOpinion((("brand", ("bahn",)),)))))),
        ("tone:(negative OR neutral)", OneOpinion((("tone", ("negative", "neutral")),))),
        (
            "brand:telekom brand:bahn tone:negative",
            All((OneOpinion((TELEKOM, NEGATIVE)), OneOpinion((("brand", ("bahn",)), NEGATIVE)))),
        ),
        (
            "netz (brand:telekom tone:negative) via:name",
            All((OneOpinion((("via", ("name",)),)), NETZ, OneOpinion((TELEKOM, NEGATIVE)))),
        ),
    ],
)
def test_what_is_typed_is_meant_so(text: str, meant: Node) -> None:
    found = root(text)
    if isinstance(meant, Words) and isinstance(found, Words) and meant.index == "stem":
        assert set(meant.variants) <= set(found.variants)
    else:
        assert found == meant


DAY = datetime(2026, 11, 19, 23, 0, tzinfo=UTC)  # midnight in Berlin


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("seen:2026-11-20", Range("seen", DAY, DAY + timedelta(days=1), True, False)),
        ("seen:20.11.2026", Range("seen", DAY, DAY + timedelta(days=1), True, False)),
        ("seen:>=2026-11-20", Range("seen", DAY, None, True, False)),
        ("seen:>2026-11-20", Range("seen", DAY + timedelta(days=1), None, True, False)),
        ("seen:<2026-11-20", Range("seen", None, DAY, True, False)),
        ("seen:<=2026-11-20", Range("seen", None, DAY + timedelta(days=1), True, False)),
        ("seen:[2026-11-20 TO now]", Range("seen", DAY, NOW, True, True)),
        ("seen:[* TO now]", Range("seen", None, NOW, True, True)),
        ("published:>=now-3h", Range("published", NOW - timedelta(hours=3), None, True, False)),
        ('seen:>="2026-11-20 18:30"', Range("seen", DAY + timedelta(hours=18, minutes=30), None, True, False)),
        ("seen:heute", Range("seen", DAY + timedelta(days=2), DAY + timedelta(days=3), True, False)),
        ("seen:2026-11", Range("seen", DAY - timedelta(days=19), DAY + timedelta(days=11), True, False)),
    ],
)
def test_times(text: str, meant: Range) -> None:
    assert root(text) == meant


def test_days_follow_the_readers_clock_change() -> None:
    found = root("seen:2026-10-25")
    assert isinstance(found, Range) and isinstance(found.high, datetime) and isinstance(found.low, datetime)
    assert found.high - found.low == timedelta(hours=25)


@pytest.mark.parametrize(("text", "stars"), [("stars:2", [2]), ("stars:<=2", [1, 2]), ("stars:>3", [4, 5])])
def test_stars_are_ratings(text: str, stars: list[int]) -> None:
    wanted = root(text)
    assert [n for n in range(1, 6) if matches(wanted, mention(rating=(n - 1) / 4))] == stars
    assert not matches(wanted, mention(rating=None))


def test_the_past_is_asked_for_beside_the_rest() -> None:
    found = read("netz as_of:now-2h")
    assert (found.root, found.as_of) == (NETZ, NOW - timedelta(hours=2))
    assert read("as_of:2026-11-20").as_of == DAY + timedelta(days=1)


def test_resolvers_give_the_mentions_of_other_rooms() -> None:
    def members(value: str) -> frozenset[str]:
        return {"R-0127": frozenset({uid("one")})}[value]

    assert root("incident:R-0127", resolvers={"incident": members}) == Uids(frozenset({uid("one")}))
    assert fault("incident:R-9", resolvers={"incident": members}).key == "unknown_value_plain"
    assert fault("incident:R-9").key == "no_data"


@pytest.mark.parametrize(
    ("text", "key", "position"),
    [
        ("netz brnd:x", "unknown_field", 5),
        ("see https://netz.de/x", "quote_url", 4),
        ("um 18:30 weg", "quote_time", 3),
        ("(netz", "unclosed_bracket", 0),
        ("netz (lob (weg)", "unclosed_bracket", 5),
        ("netz) weg", "unopened_bracket", 4),
        ("(netz]", "unopened_bracket", 5),
        ('netz "lob', "unclosed_quote", 5),
        ("netz AND", "incomplete", 8),
        ("AND netz", "syntax", 0),
        ("a && ) b", "unopened_bracket", 5),
        ("a && AND b", "syntax", 5),
        ("/netz/", "not_supported", 0),
        ("netz~", "not_supported", 0),
        ("netz^2", "not_supported", 0),
        ("netz NEAR/5 weg", "not_supported", 5),
        ("ne?z", "wildcard", 0),
        ("*netz", "wildcard", 0),
        ("netz …", "no_word", 5),
        ("tone:negativ", "unknown_value", 5),
        ("tone:x", "unknown_value_plain", 5),
        ("is:quote", "no_data", 3),
        ("answered:no", "no_data", 9),
        ("seen:bald", "no_time", 5),
        ("seen:2026-13-01", "no_time", 5),
        ("stars:viele", "no_number", 6),
        ("tone:[a TO b]", "no_range", 5),
        ("netz OR as_of:now", "nested_as_of", 8),
        ("as_of:now as_of:now", "nested_as_of", 10),
        ('brand:""', "needs_value", 6),
        ("x" * 2001, "too_long", 2000),
        ("(" * 51 + "x" + ")" * 51, "too_deep", 50),
    ],
)
def test_errors_name_the_place(text: str, key: str, position: int) -> None:
    error = fault(text)
    assert (error.key, error.position) == (key, position)


def test_unknown_brands_and_sources_name_the_nearest() -> None:
    known = Known(brands=frozenset({"telekom", "bahn"}))
    error = fault("brand:telecom", known=known)
    assert error.values["nearest"] == "telekom"
    assert root("source:anything", known=known) == Field("source", ("anything",))


def test_errors_speak_both_languages() -> None:
    error = fault("um 18:30")
    assert str(error) == 'at character 4: Put times in quotation marks: "18:30".'
    german = error.text(Speech("de", BERLIN))
    assert german == 'an Stelle 4: Uhrzeiten gehören in Anführungszeichen: "18:30".'


def test_both_catalogues_have_the_same_phrases() -> None:
    folder = Path(parse.__globals__["__file__"]).parents[1] / "i18n"
    tables = [tomllib.loads((folder / language / "query.toml").read_text("utf-8")) for language in ("de", "en")]
    assert tables[0]["query"].keys() == tables[1]["query"].keys()


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=60)
    | st.lists(
        st.sampled_from(
            [
                "netz",
                "AND",
                "OR",
                "NOT",
                "(",
                ")",
                '"',
                "[",
                "TO",
                "]",
                "brand:",
                "tone:negative",
                "seen:>",
                "now",
                "*",
                "!",
                "-",
                "&&",
                "\\",
                "=",
                "~2",
                "^",
                "/",
                "stars:3",
                "as_of:now",
                "{",
                "}",
                ":",
                "is:copy",
                "<",
            ]
        ),
        max_size=12,
    ).map(" ".join)
)
def test_any_text_is_a_search_or_an_error_with_a_place(text: str) -> None:
    try:
        found = read(text)
    except QueryError as error:
        assert 0 <= error.position <= len(text)
        assert error.text(Speech("de", BERLIN)).startswith("an Stelle ")
    else:
        assert isinstance(matches(found.root, mention()), bool)


# --- what a tree means for one mention ----------------------------------------------------------------------------

ABOUT_TWO = mention(
    title="Netz",
    text="Die Störungen nerven. https://netz.example",
    opinions=(opinion("telekom", "negative"), opinion("bahn", "positive", voice="owned")),
    thread_title="Störung im Netz",
    is_copy=True,
    at=NOON,
    severity=Severity.THREAT,
    aspects=(Aspect.TECHNIK, Aspect.PREIS),
    purpose=Purpose.COMPLAINT,
    topics=("storungsticket", "storung"),
)


@pytest.mark.parametrize(
    ("text", "hit"),
    [
        ("störung", True),
        ("=störung", False),
        ("=störungen", True),
        ("stör*", True),
        ('"netz die"', False),
        ('"störungen nerven"', True),
        ("brand:telekom tone:negative", True),
        ("brand:bahn tone:negative", False),
        ("brand:bahn NOT tone:negative", True),
        ("brand:telekom NOT tone:negative", False),
        ("brand:bahn voice:owned", True),
        ("brand:telekom voice:owned", False),
        ("NOT tone:negative", False),
        ('thread:"im netz"', True),
        ('thread:"netz im"', False),
        ("is:copy has:link", True),
        ("has:image", False),
        ("domain:forum.example platform:phpbb kind:post", True),
        (f"story:{uid('one')}", True),
        ("seen:2026-11-20", True),
        ("seen:>2026-11-20", False),
        ("is:counted", True),
        ("severity:threat has:threat", True),
        ("severity:none", False),
        ("has:staff_threat", False),
        ("aspect:technik aspect:preis", True),
        ("aspect:app", False),
        ("purpose:complaint", True),
        ("topic:Störungen", True),
        ("topic:hotline", False),
    ],
)
def test_a_mention_matches(text: str, hit: bool) -> None:
    assert matches(root(text), ABOUT_TWO) is hit
