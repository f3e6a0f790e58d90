"""What changes something: only forms of ours by POST, only JSON from programs, and what it does then."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient
from webhouse import NOW, configuration, form_token, seeded

from pipeline.clock import ManualClock
from pipeline.state import tables as t
from pipeline.state.opening import open_state
from pipeline.store.sqlite.store import SqliteStore

UID = seeded()[0].uid
CHANGES = ("incident", "incident_event", "silence", "correction", "source", "outbox")


def rows(folder: Path, table: sa.Table) -> list[dict[str, object]]:
    state = open_state(folder)
    with state.read() as connection:
        found = [dict(row._mapping) for row in connection.execute(sa.select(table))]
    state.close()
    return found


def everything(folder: Path) -> list[object]:
    """All that people can change."""
    store = SqliteStore(folder / "mentions.db", clock=ManualClock(NOW), read_only=True)
    revisions = store.statistics()["revisions"]
    store.close()
    return [revisions, *(rows(folder, t.metadata.tables[name]) for name in CHANGES)]


def test_get_changes_nothing(folder: Path, enter) -> None:  # type: ignore[no-untyped-def]
    before, client = everything(folder), enter(folder)
    for action in ("acknowledge", "false_alarm", "false-alarm", "resolve", "silence", "note"):
        page = client.get(f"/incidents/R-0001?action={action}")
        assert page.status_code == 200 and 'class="confirm"' in page.text
        assert client.get(f"/incidents/R-0001/{action}").status_code == 405
    for path in ("/", "/mentions", f"/mentions/{UID}", "/sources", "/sources/forum-a", "/api/exports?form=csv"):
        assert client.get(path).status_code == 200
    assert client.get("/sources/forum-a/pause").status_code == 405
    assert client.get(f"/mentions/{UID}/tone").status_code == 405
    assert everything(folder) == before


FOREIGN = (
    {"Origin": "http://evil.test"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
)
FORMS = [
    ("/incidents/R-0001/acknowledge", {}),
    (f"/mentions/{UID}/tone", {"tone": "positive"}),
    ("/sources/forum-a/pause", {}),
]


@pytest.mark.parametrize(("path", "fields"), FORMS)
def test_a_form_without_our_token_is_refused(folder: Path, enter, path: str, fields: dict[str, str]) -> None:  # type: ignore[no-untyped-def]
    before, client = everything(folder), enter(folder)
    assert client.post(path, data=fields).status_code == 403
    assert client.post(path, data=fields | {"token": "0" * 64}).status_code == 403
    token = form_token(client, "/incidents/R-0001?action=acknowledge")
    for headers in FOREIGN:
        assert client.post(path, data=fields | {"token": token}, headers=headers).status_code == 403
    client.cookies.clear()
    assert client.post(path, data=fields | {"token": token}).status_code == 403
    assert everything(folder) == before


def test_acknowledge_names_the_person(folder: Path, enter) -> None:  # type: ignore[no-untyped-def]
    client = enter(folder)
    token = form_token(client, "/incidents/R-0001?action=acknowledge")
    headers = {"Origin": "http://127.0.0.1:8640", "Sec-Fetch-Site": "same-origin"}
    answer = client.post("/incidents/R-0001/acknowledge", data={"token": token, "by": "M. Kern"}, headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents/R-0001")
    [row] = rows(folder, t.incident)
    assert (row["state"], row["acknowledged_by"], row["acknowledged"]) == ("acknowledged", "M. Kern", NOW)
    assert "Übernommen von M. Kern" in client.get("/").text
    assert 'value="M. Kern"' in client.get("/incidents/R-0001?action=silence").text


def test_silence_note_and_false_alarm(folder: Path, enter) -> None:  # type: ignore[no-untyped-def]
    client = enter(folder)
    token = form_token(client, "/incidents/R-0001?action=silence")
    assert client.post("/incidents/R-0001/silence", data={"token": token, "text": "Wartung"}).status_code == 303
    [silence] = rows(folder, t.silence)
    assert (silence["reason"], (silence["ends"] - NOW).total_seconds()) == ("Wartung", 4 * 3600)  # type: ignore[operator]
    assert "Stumm bis" in client.get("/incidents/R-0001").text
    assert client.post("/incidents/R-0001/note", data={"token": token, "text": " "}).status_code == 422
    client.post("/incidents/R-0001/note", data={"token": token, "text": "<b>Stellungnahme</b> 12 Uhr"})
    assert "&lt;b&gt;Stellungnahme&lt;/b&gt; 12 Uhr" in client.get("/incidents/R-0001").text
    assert client.post("/incidents/R-0001/false_alarm", data={"token": token}).status_code == 303
    assert rows(folder, t.incident)[0]["false_alarm"] is True
    assert client.post("/incidents/R-0001/resolve", data={"token": token}).status_code == 409
    assert client.post("/incidents/R-0001/explode", data={"token": token}).status_code == 404


def test_a_correction_makes_a_revision(folder: Path, enter) -> None:  # type: ignore[no-untyped-def]
    client = enter(folder)
    token = form_token(client, "/mentions")
    back = "/mentions?q=hotline"
    answer = client.post(f"/mentions/{UID}/tone", data={"token": token, "tone": "positive", "back": back})
    assert answer.headers["location"] == f"{back}#m-{UID}"
    row = client.get(f"/api/mentions/{UID}").json()
    assert (row["revision"], row["tone"]["label"], row["opinions"][0]["tone"]) == (2, "positive", "positive")
    history = client.get(f"/api/mentions/{UID}/history").json()["revisions"]
    assert [one["mention"]["tone"]["label"] for one in history] == ["negative", "positive"]
    assert "Berichtigung" in client.get(f"/mentions/{UID}").text
    assert client.post(f"/mentions/{UID}/tone", data={"token": token, "tone": "furious"}).status_code == 422
    away = client.post(f"/mentions/{UID}/tone", data={"token": token, "tone": "neutral", "back": "//evil.test"})
    assert away.headers["location"] == f"/mentions#m-{UID}"


def test_a_source_can_be_paused_resumed_and_read(folder: Path, enter) -> None:  # type: ignore[no-untyped-def]
    client = enter(folder)
    token = form_token(client, "/sources")
    assert client.post("/sources/forum-a/read", data={"token": token}).status_code == 303
    assert {row["id"]: row["next_due"] for row in rows(folder, t.source)}["forum-a"] == NOW
    client.post("/sources/forum-a/pause", data={"token": token})
    assert {row["id"]: row["state"] for row in rows(folder, t.source)}["forum-a"] == "paused"
    assert client.post("/sources/forum-a/read", data={"token": token}).status_code == 409
    client.post("/sources/forum-a/resume", data={"token": token})
    assert {row["id"]: row["state"] for row in rows(folder, t.source)}["forum-a"] == "healthy"
    assert [row["what"] for row in rows(folder, t.audit)] == ["source.read", "source.pause", "source.resume"]


def test_programs_change_things_by_json(folder: Path, enter) -> None:  # type: ignore[no-untyped-def]
    client: TestClient = enter(folder)
    assert client.post("/api/incidents/R-0001/acknowledge", data={"by": "x"}).status_code in (415, 422)
    assert client.post(
        "/api/incidents/R-0001/acknowledge", content='{"by":"x"}', headers={"Content-Type": "text/plain"}
    ).status_code in (415, 422)
    assert rows(folder, t.incident)[0]["state"] == "open"
    done = client.post("/api/incidents/R-0001/acknowledge", json={"by": "Skript"})
    assert (done.status_code, done.json()["acknowledged_by"], done.json()["name"]) == (200, "Skript", "R-0001")
    assert client.post("/api/incidents/R-0001/note", json={"by": "Skript", "text": "gelesen"}).status_code == 200
    assert client.post("/api/incidents/R-0001/note", json={"by": "Skript"}).json()["field"] == "text"
    assert client.post("/api/incidents/R-0001/note", json={"by": "a", "text": "b", "more": 1}).status_code == 422
    fixed = client.post(f"/api/mentions/{UID}/tone", json={"tone": "neutral", "brand": "nordnetz", "by": "Skript"})
    assert fixed.json()["opinions"][0]["tone"] == "neutral"
    assert client.post(f"/api/mentions/{UID}/tone", json={"tone": "neutral", "brand": "x"}).status_code == 404
    silence = client.post("/api/silences", json={"brand": "nordnetz", "by": "S", "reason": "r", "hours": 2}).json()
    number = silence["silences"][0]["id"]
    assert client.post("/api/silences", json={"brand": "x", "by": "S", "reason": "r", "hours": 2}).status_code == 422
    assert client.post(f"/api/silences/{number}/end", json={}).json() == {"silences": []}
    closed = client.post("/api/incidents/1/resolve", json={"false_alarm": True})
    assert closed.json()["false_alarm"] is True
    assert client.post("/api/incidents/1/resolve", json={}).status_code == 409
    assert client.get("/api/incidents?open_only=true").json() == {"incidents": []}


def test_a_program_on_another_page_is_refused(folder: Path, enter) -> None:  # type: ignore[no-untyped-def]
    client = enter(folder)
    answer = client.post("/api/incidents/R-0001/acknowledge", json={}, headers={"Origin": "http://evil.test"})
    assert answer.status_code == 403 and rows(folder, t.incident)[0]["state"] == "open"


def test_configuration_is_read_anew(folder: Path, enter) -> None:  # type: ignore[no-untyped-def]
    assert configuration().source_name("forum-a") == "Forum A"
    assert "Forum A" in enter(folder).get("/sources").text
