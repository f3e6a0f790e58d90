"""A mail server that refuses: nothing is lost, and pages and doctor say how many wait, since when and why."""

from __future__ import annotations

import re
import socket
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from webhouse import NOW, configuration, fill

from alerts.delivery import Delivery
from alerts.message import MessageKind, Occasion
from alerts.notifiers.email import EmailNotifier
from alerts.posting import post
from dashboards.app import create
from pipeline.clock import ManualClock
from pipeline.configuration import Configuration, Mail
from pipeline.state import tables as t
from pipeline.state.database import State, sqlite_url
from sturmwarte.doctor import Check, Patient, examine


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def house(tmp_path: Path) -> tuple[Path, Configuration, ManualClock]:
    fill(tmp_path)
    settings, clock = configuration(), ManualClock(NOW)
    state = State(sqlite_url(tmp_path))
    with state.begin() as conn:
        conn.execute(t.outbox.delete())
        for number in (1, 2):
            told = Occasion(
                subject="incident:1", number=number, kind=MessageKind.NEW, at=NOW, brand="nordnetz", level=3
            )
            assert post(conn, told, "pr", settings, NOW)
    mail = EmailNotifier(Mail(server="127.0.0.1", port=closed_port(), security="none", timeout=timedelta(seconds=5)))
    delivery = Delivery(settings, state, clock, {"email": mail})
    for _ in range(4):
        assert delivery.tick() == 0
        clock.advance(hours=1)
    state.close()
    return tmp_path, settings, clock


def strip(folder: Path, settings: Configuration, clock: ManualClock, language: str) -> str:
    with TestClient(create(lambda: settings, folder, clock), base_url="http://127.0.0.1:8640") as browser:
        text = browser.get(f"/sources?lang={language}").text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text))


def checks(folder: Path, settings: Configuration, clock: ManualClock) -> list[Check]:
    patient = Patient(settings, folder, clock)

    def no_store() -> None:
        raise OSError("not asked")

    return [one for one in examine(patient, lambda: State(sqlite_url(folder)), no_store) if one.name == "outbox"]  # type: ignore[arg-type]


def test_pages_say_what_waits(house: tuple[Path, Configuration, ManualClock]) -> None:
    said = strip(*house, "de")
    assert "2 Mails warten seit 11:05 Uhr: 127.0.0.1, Port" in said
    assert (
        "ist nicht zu erreichen: Connection refused. Der Versand wird spätestens jede Stunde erneut versucht." in said
    )
    assert "2 mails are waiting since 11:05: 127.0.0.1, port" in strip(*house, "en")


def test_the_doctor_says_what_waits(house: tuple[Path, Configuration, ManualClock]) -> None:
    found = {check.phrase: check for check in checks(*house)}
    assert not found["outbox"].good and found["outbox"].values["ready"] == 2
    assert not found["refused"].good
    assert (found["refused"].values["n"], found["refused"].values["since"]) == (2, NOW)
    assert "cannot be reached" in found["refused"].values["reason"]


def test_nothing_is_said_where_nothing_waits(tmp_path: Path) -> None:
    fill(tmp_path)
    with State(sqlite_url(tmp_path)).begin() as conn:
        conn.execute(t.outbox.delete())
    said = strip(tmp_path, configuration(), ManualClock(NOW), "de")
    assert "Mail" not in said.replace("Mails im", "")
    assert [check.phrase for check in checks(tmp_path, configuration(), ManualClock(NOW))] == ["outbox"]
