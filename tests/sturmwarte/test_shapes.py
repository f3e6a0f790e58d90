"""The shapes that machines read, from a folder without a configuration and without a network."""

from __future__ import annotations

import io
import json
import re
import socket
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from webhouse import NOW, fill, mention

from pipeline.clock import ManualClock
from pipeline.configuration import StoreTable
from pipeline.store.opening import open_store
from sturmwarte import command

URL = "https://forum.example.org/viewtopic.php?t=7"
ITEM = {
    "kind", "id", "url", "author", "title", "text", "published", "precision", "rating", "rating_raw", "rating_scale",
    "votes", "parent", "thread", "position", "quotes_removed",
}  # fmt: skip
MENTION = {
    "uid", "revision", "sources", "platform", "channel", "kind", "voice", "counted", "url", "title", "thread_title",
    "text", "author", "published", "precision", "event_time", "seen", "lang", "tone", "opinions", "story", "is_copy",
    "rating", "parent", "incidents",
}  # fmt: skip
ZONED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?([+-]\d\d:\d\d|Z)")

FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>Blatt</title><item><title>Ein Ausfall</title>
<link>https://blatt.example/2026/11/ausfall/</link><pubDate>Fri, 20 Nov 2026 09:40:00 +0100</pubDate>
<description>Seit heute früh geht nichts mehr.</description></item></channel></rss>"""
REVIEW = {
    "@type": "Review", "author": "Erika", "reviewBody": "Nie wieder.", "datePublished": "2026-11-20",
    "reviewRating": {"@type": "Rating", "ratingValue": "4"}, "comment": {"@type": "Comment", "text": "Oh nein."},
}  # fmt: skip
REVIEWS = f'<html><head><script type="application/ld+json">{json.dumps(REVIEW)}</script></head><body></body></html>'
RESULTS = {
    "query": "ausfall", "unresponsive_engines": [["eins", "timeout"]],
    "results": [{"url": "https://blatt.example/a", "title": "Ausfall", "content": "Alles steht.", "engines": ["zwei"]}],
}  # fmt: skip
TOPIC = """<html><body id="phpbb" class="section-viewtopic"><h2 class="topic-title">
<a href="./viewtopic.php?t=7">Ausfall</a></h2>
<div id="p12" class="post"><div class="postbody"><h3><a href="#p12">Ausfall</a></h3>
<p class="author">von <a href="./memberlist.php?mode=viewprofile&amp;u=3" class="username">Erika</a> &raquo;
<time datetime="2026-11-20T08:40:00+00:00">20.11.2026, 09:40</time></p>
<div class="content"><blockquote><div><cite>Max hat geschrieben:</cite>Geht es?</div></blockquote>Nein.</div></div>
</div></body></html>"""
FILES = {"feed": FEED, "reviews": REVIEWS, "searxng": json.dumps(RESULTS), "phpbb": TOPIC}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder; any connection is a failure."""

    def connected(*_: Any) -> None:
        raise AssertionError("this command went to the network")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    monkeypatch.setenv("STURMWARTE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("STURMWARTE_CONFIG", raising=False)
    monkeypatch.setattr(socket.socket, "connect", connected)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, "utf-8")
    return tmp_path


class Run:
    """One command line and what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str) -> tuple[int, str, str]:
        self._capsys.readouterr()
        code = command.invoke(words)
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err

    def json(self, *words: str) -> Any:
        """The one document on standard output; nothing else may be there."""
        code, out, err = self(*words)
        assert (code, err) == (0, "")
        return json.loads(out)

    def lines(self, *words: str) -> list[dict[str, Any]]:
        code, out, _ = self(*words, "--json")
        assert code == 0
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


# --- parse ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spider", FILES)
def test_parse_by_name_and_by_itself(run: Run, spider: str) -> None:
    told = [run.json("parse", "--spider", name, "--url", URL, "--json", spider) for name in (spider, "auto")]
    assert told[0] == told[1]
    document = told[0]
    assert (document["spider"], document["state"]) == (spider, "ok")
    assert {"next", "threads", "items"} <= set(document["links"])
    for item in document["items"]:
        assert set(item) >= ITEM
        assert item["precision"] in ("second", "minute", "hour", "day", "month", "unknown")
        assert item["published"] is None or ZONED.fullmatch(item["published"])


def test_parse_tells_what_is_there(run: Run) -> None:
    def item(spider: str, number: int = 0) -> dict[str, Any]:
        return run.json("parse", "--spider", spider, "--url", URL, spider)["items"][number]  # type: ignore[no-any-return]

    post = item("phpbb")
    assert (post["kind"], post["id"], post["thread"]) == ("post", "p12", "t7")
    assert (post["author"], post["text"], post["quotes_removed"]) == ("Erika", "Nein.", 1)
    assert datetime.fromisoformat(post["published"]) == datetime(2026, 11, 20, 8, 40, tzinfo=UTC)
    review, answer = item("reviews"), item("reviews", 1)
    assert (review["kind"], review["rating"], review["rating_raw"], review["rating_scale"]) == (
        "review",
        0.75,
        "4",
        "1-5",
    )
    assert (review["precision"], answer["kind"], answer["parent"]) == ("day", "reply", review["id"])
    assert (item("feed")["kind"], item("feed")["author"]) == ("article", None)
    assert (item("searxng")["kind"], item("searxng")["position"]) == ("result", 1)


def test_parse_counts_relative_dates_from_now_and_a_time_without_zone_is_utc(run: Run, place: Path) -> None:
    (place / "ago").write_text(
        TOPIC.replace('datetime="2026-11-20T08:40:00+00:00">20.11.2026, 09:40', ">vor 2 Stunden")
    )
    shapes = ("2026-11-20T12:00", "2026-11-20T12:00:00Z", "2026-11-20T13:00:00+01:00")
    found = [run.json("parse", "--url", URL, "--now", now, "ago")["items"][0] for now in shapes]
    assert len({item["published"] for item in found}) == 1
    lower = datetime.fromisoformat(found[0]["published"])
    assert timedelta(0) <= abs(lower - datetime(2026, 11, 20, 10, tzinfo=UTC)) <= timedelta(hours=1)


@pytest.mark.parametrize(
    ("body", "spider", "state", "code"),
    [
        ("", "feed", "error", 1),
        ("<html><body>Wartung</body></html>", "feed", "error", 1),
        ("[]", "searxng", "error", 1),
        ('{"results": []}', "searxng", "empty", 0),
        ('<rss version="2.0"><channel></channel></rss>', "feed", "empty", 0),
        ("<html><body></body></html>", "reviews", "layout_changed", 0),
        ("<html><title>Just a moment...</title><script>window._cf_chl_opt={}</script></html>", "phpbb", "challenge", 0),
        ("\x00\ud7ff<", "phpbb", "layout_changed", 0),
    ],
)
def test_parse_says_why_there_is_nothing(run: Run, place: Path, body: str, spider: str, state: str, code: int) -> None:
    (place / "odd").write_text(body, "utf-8")
    ended, out, err = run("parse", "--spider", spider, "--url", URL, "odd")
    document = json.loads(out)
    assert (ended, err, document["state"], document["items"]) == (code, "", state, [])
    assert document["reason"]


@pytest.mark.parametrize(
    "words",
    [
        ("parse", "feed"),
        ("parse", "--url", "blatt", "feed"),
        ("parse", "--url", URL, "--spider", "fede", "feed"),
        ("parse", "--url", URL, "--now", "gestern", "feed"),
        ("parse", "--url", URL, "--zone", "Mars/Base", "feed"),
        ("match",),
        ("match", "x", "--brands", "none.toml"),
        ("match", "x", "--config", "none.toml", "--json"),
        ("mentions", "tone:(", "--json"),
        ("mentions", "colour:red", "--json"),
        ("mentions", "--from", "gestern", "--json"),
        ("mentions", "--as-of", "2026-13-01", "--json"),
        ("mentions", "--limit", "0", "--json"),
        ("evaluate", "x.tsv", "--json"),
        ("train", "x.tsv", "--out", "model", "--json"),
        ("backtest", "x.csv", "--json"),
        ("frobnicate",),
    ],
)
def test_wrong_usage_ends_with_2_and_says_so_beside_the_data(run: Run, words: tuple[str, ...]) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.strip() and "Traceback" not in err and "<bound" not in err


# --- match ----------------------------------------------------------------------------------------------------------


def test_match(run: Run) -> None:
    text = "Die Telekom-Hotline und die S-Bahn, dazu 1&1 und Google+"
    found = run.json("match", text, "--json")
    assert set(found) == {"text", "brands", "rejected"} and found["text"] == text
    for hit in found["brands"] + found["rejected"]:
        assert set(hit) >= {"brand", "term", "start", "end", "why"}
        assert text[hit["start"] : hit["end"]] == hit["term"]
    assert {hit["brand"] for hit in found["brands"]} == {"telekom", "1und1"}
    assert [hit["brand"] for hit in found["rejected"]] == ["bahn"]


@pytest.mark.parametrize("head", ["[brands.{}]", "[{}]"])
def test_match_brands_of_a_file(run: Run, place: Path, head: str) -> None:
    (place / "b.toml").write_text(f'{head.format("nordnetz")}\nname = "Nordnetz"\n')
    found = run.json("match", "Telekom und Nordnetz", "--brands", "b.toml", "--json")
    assert [hit["brand"] for hit in found["brands"]] == ["nordnetz"]


def test_match_lines_in_any_bytes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """One answer per line, in order; what is no UTF-8 is replaced, not fatal."""
    content = b"Telekom\r\n\nT\xe4 Telekom\n\xff\xfe\x00\nGr\xc3\xbc\xc3\x9fe"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), "ascii"))
    answers = run.lines("match", "-")
    assert [answer["text"] for answer in answers] == ["Telekom", "", "T\ufffd Telekom", "\ufffd\ufffd\x00", "Grüße"]
    assert [len(answer["brands"]) for answer in answers] == [1, 0, 1, 0, 0]


# --- mentions -------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(place: Path) -> Path:
    """A data folder with mentions, found without a configuration."""
    (place / "data").mkdir()
    fill(place / "data")
    return place / "data"


def test_mentions_have_all_keys(run: Run, filled: Path) -> None:
    rows = run.lines("mentions", "--limit", "1000")
    assert len(rows) == 37
    for row in rows:
        assert set(row) >= MENTION
        for name in ("published", "event_time", "seen"):
            assert row[name] is None or ZONED.fullmatch(row[name])
        assert set(row["opinions"][0]) >= {"brand", "via", "voice", "counted", "tone", "p"}
        if row["tone"] is not None:
            assert set(row["tone"]) >= {"label", "p", "compound", "analyser", "words"}
            assert set(row["tone"]["p"]) == {"negative", "neutral", "positive"}
    order = [(row["event_time"], row["uid"]) for row in rows]
    assert order == sorted(sorted(order, key=lambda pair: pair[1]), key=lambda pair: pair[0], reverse=True)
    assert {name for row in rows for name in row["incidents"]} == {"R-0001"}


def test_mentions_between_times(run: Run, filled: Path) -> None:
    """Without a zone it is UTC; the end does not belong to the span."""
    start, end = "2026-11-20T09:45", "2026-11-20T09:55"
    rows = run.lines("mentions", "--from", start, "--to", end)
    assert rows and all(start <= row["event_time"][:16] < end for row in rows)
    zoned = run.lines("mentions", "--from", "2026-11-20T10:45:00+01:00", "--to", "2026-11-20T09:55:00Z")
    assert zoned == rows
    assert run.lines("mentions", "--from", start, "--to", end, "--limit", "2") == rows[:2]


def test_mentions_as_of(run: Run, filled: Path) -> None:
    later = ManualClock(NOW + timedelta(hours=1))
    with closing(open_store(filled, StoreTable(), clock=later)) as store:
        edited = mention("even", "Nordnetz hat einen ganz anderen Tarif.", at=NOW - timedelta(hours=5))
        store.write([replace(edited, crawled=replace(edited.crawled, fetched=NOW))])
    now, before = ((run.lines("mentions", "Tarif", *more)) for more in ((), ("--as-of", f"{NOW:%Y-%m-%dT%H:%M}")))
    assert [(row["revision"], row["text"]) for row in now] == [(2, "Nordnetz hat einen ganz anderen Tarif.")]
    assert [(row["revision"], row["text"]) for row in before] == [(1, "Nordnetz hat einen neuen Tarif.")]
    assert run.lines("mentions", "Tarif", "--as-of", "2026-11-20T08:00") == []


def test_mentions_of_an_empty_folder_are_none(run: Run) -> None:
    code, out, err = run("mentions", "tone:negative", "--json")
    assert (code, out) == (0, "")
    assert "othing is stored yet" in err


def test_a_wrong_search_points_at_its_character(run: Run) -> None:
    code, _, err = run("mentions", "hotline AND tone:rot")
    assert code == 2
    search, arrow, *_ = err.splitlines()
    assert search[arrow.index("^") :] == "rot" and "negative" in arrow
