"""The program with its mentions on Elasticsearch: commands, pages, doctor; and what they say when it is away."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch
from fastapi.testclient import TestClient
from servers import free_port
from webhouse import NOW, mention

from dashboards.app import create
from pipeline.clock import ManualClock
from pipeline.configuration import Configuration, StoreTable
from pipeline.query.tree import EVERYTHING
from pipeline.state.opening import open_state
from pipeline.store.opening import open_store
from sturmwarte import command

CONFIGURATION = """
contact = "pr@example.org"
[brands.nordnetz]
name = "Nordnetz"
[store]
engine = "elasticsearch"
urls = ["{url}"]
prefix = "{prefix}"
patience = "0s"
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to stand in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    monkeypatch.delenv("STURMWARTE_CONFIG", raising=False)
    return tmp_path


def configure(place: Path, url: str, prefix: str) -> StoreTable:
    """Write the configuration; returns its table."""
    (place / "sturmwarte.toml").write_text(CONFIGURATION.format(url=url, prefix=prefix), "utf-8")
    return StoreTable(engine="elasticsearch", urls=(url,), prefix=prefix, patience="0s")  # type: ignore[arg-type]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, output, errors of a command."""
    capsys.readouterr()
    code = command.invoke(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_commands_and_pages_read_what_is_on_the_server(
    place: Path, elastic_url: str, elastic_prefix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = configure(place, elastic_url, elastic_prefix)
    open_state(place / "data").close()
    with closing(open_store(place / "data", table, clock=ManualClock(NOW))) as store:
        assert len(store.write([mention(1, "Nordnetz ist kaputt"), mention(2, "Nordnetz geht wieder")]).created) == 2
    assert not (place / "data/mentions.db").exists()

    code, out, _ = run(capsys, "check", "--json")
    assert (code, json.loads(out)["valid"]) == (0, True)
    code, out, _ = run(capsys, "mentions", "kaputt", "--json", "--from", "2026-11-01T00:00")
    assert (code, [json.loads(line)["text"] for line in out.splitlines()]) == (0, ["Nordnetz ist kaputt"])
    _, out, _ = run(capsys, "doctor", "--json")
    found = {check["name"]: check for check in json.loads(out)["checks"]}
    assert (found["store"]["good"], found["store"]["values"]["mentions"]) == (True, 2)

    told = Configuration.model_validate({"contact": "a@b.example", "store": table})
    app = create(lambda: told, place / "data", ManualClock(NOW))
    with TestClient(app, base_url="http://127.0.0.1:8640") as pages:
        answer = pages.get("/api/mentions", params={"q": "kaputt"})
        assert [row["text"] for row in answer.json()["mentions"]] == ["Nordnetz ist kaputt"]
        assert pages.get("/healthz").json()["mentions"] == "ok"
        assert pages.get("/mentions?q=wieder").status_code == 200


def test_what_one_command_stored_the_next_one_finds_at_once(
    place: Path, elastic_url: str, elastic_prefix: str, elastic_client: Elasticsearch
) -> None:
    table = configure(place, elastic_url, elastic_prefix)
    with closing(open_store(place / "data", table, clock=ManualClock(NOW))) as store:
        store.write([mention(1, "Nordnetz ist kaputt")])
        elastic_client.indices.put_settings(index=f"{elastic_prefix}-*", settings={"refresh_interval": "-1"})
        store.write([mention(2, "Nordnetz geht wieder")])
    with closing(open_store(place / "data", table, clock=ManualClock(NOW), read_only=True)) as store:
        assert len(store.search(EVERYTHING).mentions) == 2


def test_a_server_that_is_away_is_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    table = configure(place, url, "sturmwarte")
    open_state(place / "data").close()
    sentence = f"Elasticsearch at {url} cannot be reached: connection refused, nothing listens there"

    code, out, err = run(capsys, "mentions", "kaputt")
    assert (code, out, err.strip()) == (3, "", sentence)
    code, out, _ = run(capsys, "doctor", "--json")
    found = {check["name"]: check for check in json.loads(out)["checks"]}
    assert (code, found["store"]["good"]) == (1, False)
    assert sentence in str(found["store"])

    told = Configuration.model_validate({"contact": "a@b.example", "store": table})
    app = create(lambda: told, place / "data", ManualClock(NOW))
    with TestClient(app, base_url="http://127.0.0.1:8640", raise_server_exceptions=False) as pages:
        assert pages.get("/healthz").status_code == 503
        assert pages.get("/healthz").json()["mentions"] == sentence
        metrics = pages.get("/metrics").text
        assert "sturmwarte_up 1.0" in metrics and "sturmwarte_store_up 0.0" in metrics
        assert 'sturmwarte_messages{state="ready"} 0.0' in metrics
        answer = pages.get("/mentions?q=wieder")
        assert answer.status_code == 503
        assert sentence in answer.text
