"""The interface for programs: shapes, errors with field and position, exports, metrics, health."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from webhouse import NOW, mention, seeded

from dashboards.exporting import COLUMNS, harmless
from dashboards.searching import has, narrowed, widened
from dashboards.web.marking import marked
from pipeline.rows import mention_row
from pipeline.words import ToneLabel

KEYS = {
    *("uid", "revision", "sources", "platform", "channel", "kind", "voice", "counted", "url", "title", "thread_title"),
    *("text", "author", "published", "precision", "event_time", "seen", "lang", "tone", "opinions", "story"),
    *("is_copy", "rating", "parent", "incidents"),
}


def test_a_mention_has_every_fixed_key(browser: TestClient) -> None:
    answer = browser.get("/api/mentions", params={"q": "gelöscht", "limit": 3}).json()
    assert (answer["posts"], answer["persons"], len(answer["mentions"])) == (32, 32, 3)
    row = answer["mentions"][0]
    assert set(row) >= KEYS
    assert row["tone"] == {
        "label": "negative", "p": {"negative": 0.94, "neutral": 0.04, "positive": 0.02}, "compound": -0.8,
        "analyser": "rules-de", "words": [["gelöscht", -2.1]],
    }  # fmt: skip
    assert row["opinions"] == [
        {"brand": "nordnetz", "via": "name", "voice": "earned", "counted": True, "tone": "negative",
         "p": {"negative": 0.94, "neutral": 0.04, "positive": 0.02}}
    ]  # fmt: skip
    assert (row["incidents"], row["event_time"]) == (["R-0001"], (NOW - timedelta(minutes=2)).isoformat())
    assert browser.get(f"/api/mentions/{row['uid']}").json() == row


def test_not_scored_is_null() -> None:
    row = mention_row(mention("x", "Bonjour", tone=None))
    assert (row["tone"]["label"], row["tone"]["p"]["negative"], row["opinions"][0]["tone"]) == (None, None, None)


def test_pages_of_the_interface_join(browser: TestClient) -> None:
    seen, after = [], ""
    while True:
        page = browser.get("/api/mentions", params={"limit": 10, "after": after}).json()
        seen += [row["uid"] for row in page["mentions"]]
        after = page["after"]
        if not after:
            break
    assert len(seen) == len(set(seen)) == len(seeded())


@pytest.mark.parametrize(
    ("parameters", "field", "position"),
    [
        ({"q": "hotline AND (rückruf"}, "q", 12),
        ({"q": "tone:furious"}, "q", 5),
        ({"q": "incident:R-0099"}, "q", 9),
        ({"limit": "0"}, "limit", None),
        ({"from": "gestern"}, "from", None),
    ],
)
def test_errors_name_field_and_position(
    browser: TestClient, parameters: dict[str, str], field: str, position: int | None
) -> None:
    answer = browser.get("/api/mentions", params=parameters)
    told = answer.json()
    assert answer.status_code in (400, 422) and set(told) == {"message", "field", "position"} and told["message"]
    assert told["field"] == field
    if position is not None:
        assert abs(told["position"] - position) <= 9  # inside the member that is wrong


def test_incident_members_by_search(browser: TestClient) -> None:
    assert browser.get("/api/mentions", params={"q": "incident:R-0001"}).json()["posts"] == 30


def test_csv_for_machines(browser: TestClient) -> None:
    answer = browser.get("/api/exports", params={"form": "csv", "q": "anschluss OR tarif"})
    assert (
        answer.headers["content-type"].startswith("text/csv") and "attachment" in answer.headers["content-disposition"]
    )
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert tuple(rows[0]) == COLUMNS and len(rows) == 2
    hostile = rows[0]
    assert hostile["title"] == '\'=HYPERLINK("http://evil.test")'
    assert (hostile["compound"], hostile["p_negative"], hostile["counted"]) == ("-0.8", "0.94", "true")
    assert hostile["event_time"] == (NOW - timedelta(minutes=3)).isoformat()


def test_csv_for_excel(browser: TestClient) -> None:
    content = browser.get("/api/exports", params={"form": "excel", "q": "anschluss"}).content
    assert content.startswith(b"\xef\xbb\xbfuid;revision;")
    [row] = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), delimiter=";")
    assert (row["event_time"], row["compound"]) == ("20.11.2026 11:02:00", "-0,8")
    assert row["title"].startswith("'=") and row["text"].startswith("<script>")


def test_jsonl_has_everything(browser: TestClient) -> None:
    lines = browser.get("/api/exports", params={"form": "jsonl"}).text.splitlines()
    assert {json.loads(line)["uid"] for line in lines} == {one.uid for one in seeded()}


def test_an_export_says_what_it_cannot(browser: TestClient) -> None:
    assert browser.get("/api/exports", params={"form": "xml"}).json()["field"] == "form"
    assert browser.get("/api/exports", params={"form": "csv", "q": "("}).json()["field"] == "q"


def test_health(browser: TestClient) -> None:
    answer = browser.get("/healthz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "time": NOW.isoformat(), "mentions": "ok", "state": "ok"}


def test_health_of_a_damaged_store(folder: Path, enter) -> None:  # type: ignore[no-untyped-def]
    for name in ("mentions.db", "mentions.db-wal", "mentions.db-shm"):
        (folder / name).unlink(missing_ok=True)
    (folder / "mentions.db").write_bytes(b"no database at all" * 500)
    client = enter(folder)
    answer = client.get("/healthz")
    assert answer.status_code == 503 and answer.json()["state"] == "ok" and answer.json()["mentions"] != "ok"
    assert client.get("/").status_code == 503


def metric(page: str, name: str, **labels: str) -> float:
    samples = [sample for family in text_string_to_metric_families(page) for sample in family.samples]
    return next(sample.value for sample in samples if sample.name == name and labels.items() <= sample.labels.items())


def test_metrics_tell_the_world(browser: TestClient) -> None:
    page = browser.get("/metrics").text
    assert metric(page, "sturmwarte_source_state", source="portal-d", state="blind") == 1
    assert metric(page, "sturmwarte_source_state", source="portal-d", state="healthy") == 0
    assert metric(page, "sturmwarte_source_watermark_age_seconds", source="portal-d") == 45 * 60
    assert metric(page, "sturmwarte_incidents", state="open") == 1
    assert metric(page, "sturmwarte_messages", state="ready") == 0
    assert metric(page, "sturmwarte_level", brand="nordnetz") == 3
    assert metric(page, "sturmwarte_level", brand="gleisbahn") == 0


def test_the_description_is_whole(browser: TestClient) -> None:
    document = browser.get("/api/openapi.json").json()
    for path in (
        "/api/situation",
        "/api/mentions",
        "/api/incidents/{name}/acknowledge",
        "/api/silences",
        "/api/exports",
    ):
        assert path in document["paths"]
        assert path in browser.get("/api").text
    assert not any(path.startswith(("/mailbox", "/sign-in")) for path in document["paths"])


# --- pure parts -----------------------------------------------------------------------------------------------


@given(st.text())
def test_no_cell_is_a_formula(text: str) -> None:
    cell = harmless(text)
    assert cell.removeprefix("'") == text or cell == text
    if cell.startswith(("=", "@", "\t", "\r", "\n", "+", "-")):
        assert float(cell.replace(",", ".")) is not None


@given(
    st.sampled_from(["", "hotline", "a OR b", "tone:negative", "brand:x AND y"]),
    st.sampled_from(["x", "forum-a", "zwei worte"]),
)
def test_a_condition_comes_and_goes(text: str, value: str) -> None:
    with_it = narrowed(text, "source", value)
    assert has(with_it, "source", value)
    without = widened(with_it, "source", value)
    assert not has(without, "source", value)
    assert without in (text, f"({text})")


@given(st.text(), st.sets(st.sampled_from(["hotlin", "hotline", "a", "ruckruf*"])))
def test_marking_keeps_the_text(text: str, wanted: set[str]) -> None:
    assert "".join(piece.text for piece in marked(text, frozenset(wanted), "de")) == text


def test_marking_finds_forms() -> None:
    found = [
        piece.text for piece in marked("Hotlines, HOTLINE <hotlinien>", frozenset({"hotlin"}), "de") if piece.found
    ]
    assert found[:2] == ["Hotlines", "HOTLINE"]


def test_a_person_wins_over_the_scorer() -> None:
    from msgspec.structs import replace

    from pipeline.mention import Correction

    corrected = replace(mention("x", "y"), corrections=(Correction(tone=ToneLabel.POSITIVE, at=NOW, by="M"),))
    assert mention_row(corrected)["tone"]["label"] == "positive" and mention_row(corrected)["corrected"] is True
