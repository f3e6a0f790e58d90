"""One incident at one moment: mail, page, interface and command line say the same numbers."""

from __future__ import annotations

import email
import email.policy
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from alerting import CONFIGURATION, World
from fastapi.testclient import TestClient

from alerts.posting import post
from dashboards.app import create
from pipeline.clock import ScaledClock
from pipeline.state import tables as t
from pipeline.state.opening import open_state
from sturmwarte import command
from sturmwarte.service import CLOCK

TOML = """\
contact = "ops@example.org"
public_url = "https://warte.example.org"
data = "."
[brands.acme]
name = "Acme"
[sources.forum]
spider = "feed"
url = "https://forum.example.org/"
[sources.portal]
spider = "feed"
url = "https://portal.example.org/"
[rules.surge]
rule = "surge"
[receivers.pr]
address = "pr@example.org"
[receivers.boss]
address = "boss@example.org"
min_level = 5
[receivers.ops]
address = "ops@example.org"
min_level = 6
operator = true
"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    open_state(tmp_path).close()
    made = World(tmp_path)
    made.quiet()
    made.burst(30)
    made.watcher(post=post).tick()
    yield made
    made.close()


def mail_of(world: World) -> str:
    (row,) = [row for row in world.rows(t.outbox) if row.subject.startswith("incident:")]
    parsed = email.message_from_bytes(row.payload, policy=email.policy.default)
    body = parsed.get_body(("plain",))
    assert body is not None
    return re.sub(r"\s+", " ", body.get_content())


def page_of(browser: TestClient) -> str:
    text = browser.get("/incidents/R-0001?lang=de").text
    return (
        re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))
        .replace("\u2060", "")
        .replace("\u202f", " ")
        .replace("\u00a0", " ")
    )


def told_on_the_command_line(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> dict[str, object]:
    (world.folder / "sturmwarte.toml").write_text(TOML, "utf-8")
    monkeypatch.setenv(CLOCK, str(ScaledClock(world.now, time.time(), 1e-9)))
    assert command.invoke(["incidents", "R-0001", "--json", "--config", str(world.folder / "sturmwarte.toml")]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)["situation"]
    return found


def test_mail_page_interface_and_command_line_say_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with TestClient(
        create(lambda: CONFIGURATION, world.folder, world.clock), base_url="http://127.0.0.1:8640"
    ) as browser:
        answered = browser.get("/api/situation?brand=acme").json()["brands"][0]
        page = page_of(browser)
    written = told_on_the_command_line(world, monkeypatch, capsys)
    instant = {"at"}
    assert {name: written[name] for name in written.keys() - instant} == {
        name: answered[name] for name in answered.keys() - instant
    }
    mail = mail_of(world).replace("\u202f", " ")
    persons, low, high = answered["persons"], answered["persons_low"], answered["persons_high"]
    share = answered["share"]
    percent, lowest, highest = (round(100 * share[name]) for name in ("value", "low", "high"))
    assert persons >= 30
    assert f"{persons} Personen äußern sich in den letzten 3 Stunden kritisch über Acme." in mail
    assert f"Üblich um diese Zeit: {low} bis {high}." in mail
    assert f"{percent} % ({lowest} bis {highest}), n = {share['n']}" in mail
    assert f"{answered['posts']} von {answered['all_posts']} kritisch" in mail
    assert f"{persons} Personen äußern sich seit" in page
    assert f"üblich sind um diese Zeit {low} bis {high}." in page
    assert f"Personen in 3 h (sonst {low}–{high}) {persons}" in page
    assert f"negativ ({lowest}–{highest} %), n = {share['n']}" in page
    assert f"{percent} %" in page
