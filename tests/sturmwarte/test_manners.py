"""``sturmwarte sources show, block, unblock, blocked``."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from crawlers import hosts
from pipeline.state.opening import open_state
from pipeline.state.sources import sync
from pipeline.state.tables import audit, removal
from pipeline.toml import load
from pipeline.words import Channel
from sturmwarte.command import invoke
from sturmwarte.registry import build_registry

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sturmwarte.toml"
    path.write_text(
        'contact = "a@example.org"\n[sources.board]\nspider = "phpbb"\nurl = "http://forum.example.org/x/"\n'
        'may_answer = "yes"\ndisclosure = "mit Kürzel des Hauses"\netiquette = "keine Werbung"\n'
    )
    state = open_state(tmp_path / "data")
    configuration = load(path, build_registry())
    configuration = getattr(configuration, "configuration", configuration)
    with state.begin() as connection:
        sync(connection, configuration, {"phpbb": (Channel.FORUM, __import__("datetime").timedelta(minutes=5))}, NOW)
        rules = hosts.Robots(text="User-agent: *\nDisallow: /x/", at=NOW)
        hosts.set_robots(connection, "forum.example.org:80", rules)
        hosts.set_reservation(connection, "forum.example.org:80", hosts.Reservation(rules=[], at=NOW))
        gone = {"source": "board", "uid": "ab", "url": "http://forum.example.org/x/p1", "at": NOW, "note": "n"}
        connection.execute(sa.insert(removal).values(**gone))
    state.close()
    return path


def test_show_tells_how_a_source_is_dealt_with(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["sources", "show", "board", "--json", "--config", str(file)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["robots"] == {"decision": "forbidden", "at": "2026-11-20T12:00:00Z"}
    assert found["tdm"]["decision"] == "not reserved" and found["every"] == 300.0
    assert (found["may_answer"], found["etiquette"]) == ("yes", "keine Werbung")
    assert [one["uid"] for one in found["removals"]] == ["ab"] and found["fetches"] == []
    assert invoke(["sources", "show", "board", "--config", str(file)]) == 0
    assert "mit Kürzel des Hauses" in capsys.readouterr().out


def test_a_domain_is_blocked_listed_and_unblocked(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--config", str(file)]
    block = ["sources", "block", "https://www.Example.org/", "--reason", "asked by mail", "--by", "Erika"]
    assert invoke(block + common) == 0
    capsys.readouterr()
    assert invoke(["sources", "blocked", "--json", *common]) == 0
    (one,) = json.loads(capsys.readouterr().out)["blocked"]
    assert (one["domain"], one["by"], one["reason"]) == ("example.org", "Erika", "asked by mail")
    assert invoke(["sources", "show", "board", "--json", *common]) == 0
    assert json.loads(capsys.readouterr().out)["blocked"]["domain"] == "example.org"
    assert invoke(["sources", "unblock", "example.org", *common]) == 0
    assert invoke(["sources", "unblock", "example.org", *common]) == 2
    assert invoke(["sources", "block", " ", "--reason", "x", *common]) == 2
    state = open_state(file.parent / "data")
    with state.read() as connection:
        done = list(connection.scalars(sa.select(audit.c.what).order_by(audit.c.id)))
    state.close()
    assert done == ["domain blocked", "domain unblocked"]
