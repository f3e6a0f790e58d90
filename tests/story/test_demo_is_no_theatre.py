"""The demonstration is no theatre: what it shows comes from its web through the real spiders, and from nowhere else."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from numbers_told import BRAND, Numbers, critical, of_the_interface, of_the_mail, of_the_mentions, of_the_page
from rehearsed_demo import Demonstration, demonstration

from alerts.facts import Facts
from alerts.situation import facts
from dashboards.app import create
from pipeline.clock import ManualClock, ScaledClock
from pipeline.state.tables import incident, outbox
from sturmwarte import command
from sturmwarte.service import CLOCK

INTO_THE_STORM = timedelta(hours=2, minutes=40)
"""From the start; the storm begins after two hours, and 20 minutes later there is an incident."""


def happened(demo: Demonstration) -> tuple[int, int, int]:
    """Mentions, incidents, mails about incidents. (Word of blind sources is no part of the show.)"""
    about = [row.subject for row in demo.rows(outbox)]
    assert len(demo.mails()) == len(about)
    return demo.mentions(), len(demo.rows(incident)), sum(not subject.startswith("source:") for subject in about)


def test_with_its_web_stopped_nothing_comes_into_being_but_word_of_it(tmp_path: Path) -> None:
    with demonstration(tmp_path) as demo:
        demo.scene.web.close()
        demo.look_back()
        demo.until(INTO_THE_STORM, minutes=15)
        assert happened(demo) == (0, 0, 0)
        states = {row.id: row.state.value for row in demo.sources()}
        assert states["netzforum"] == states["anbieterspiegel"] == "blind" and "healthy" not in states.values()
        assert {row.kind for row in demo.rows(outbox)} == {"blind"}


def test_without_the_storm_there_are_mentions_and_no_incident_and_no_mail(tmp_path: Path) -> None:
    with demonstration(tmp_path, storm=False) as demo:
        demo.look_back()
        quiet = demo.mentions()
        demo.until(INTO_THE_STORM + timedelta(hours=3), minutes=15)
        mentions, *rest = happened(demo)
        assert quiet > 400 and mentions > quiet and rest == [0, 0] and demo.mails() == []
        assert {row.state.value for row in demo.sources()} == {"healthy"}


def test_the_storm_is_one_incident_and_one_thread_with_the_same_numbers_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with demonstration(tmp_path) as demo:
        demo.look_back()
        demo.clock.advance(minutes=90)
        told = until_a_mail_tells_a_share(demo)
        assert len(demo.rows(incident)) == 1
        one_thread(demo)
        numbers = told.persons, told.posts, round(told.share.value * 100) if told.share else None
        assert numbers[0] >= 20 and numbers[2] is not None and numbers[2] > 80
        assert of_the_mail(demo.mails()[-1]) == numbers
        clock = ManualClock(demo.looked_at)
        with TestClient(create(lambda: demo.configuration, demo.folder, clock), base_url="http://127.0.0.1") as browser:
            assert of_the_page(browser) == numbers
            assert of_the_interface(browser) == numbers
        monkeypatch.setenv(CLOCK, str(ScaledClock(demo.looked_at, time.time(), 1e-9)))
        monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
        assert of_the_command_line(demo, told, capsys) == numbers


def until_a_mail_tells_a_share(demo: Demonstration) -> Facts:
    """Steps until the minimum for a share is passed and a mail that is not the first goes out; that moment's facts."""
    deadline = demo.clock.now() + timedelta(hours=2)
    while demo.clock.now() < deadline:
        before = len(demo.mails())
        demo.step()
        found = facts(demo.configuration, demo.store, demo.state, BRAND, demo.looked_at)
        if len(demo.mails()) > max(before, 1) and found.share:
            return found
    pytest.fail("no mail with a share")


def one_thread(demo: Demonstration) -> None:
    """Every later mail hangs on the first; no two have one Message-ID."""
    first, *later = demo.mails()
    assert later and {mail["References"] for mail in later} == {first["Message-ID"]} and first["References"] is None
    assert len({mail["Message-ID"] for mail in (first, *later)}) == 1 + len(later)


def of_the_command_line(demo: Demonstration, told: Facts, capsys: pytest.CaptureFixture[str]) -> Numbers:
    """Persons, posts and share, counted from the mentions it prints; the incident has all of them."""
    window = ["--from", told.window_start.isoformat(), "--to", told.window_end.isoformat(), "--limit", "100000"]
    counted = printed(demo, capsys, "mentions", f"brand:{BRAND} is:counted", *window)
    (one,) = printed(demo, capsys, "incidents", "R-0001")
    assert {row["uid"] for row in critical(counted)} <= set(one["mentions"])
    assert one["level"] == told.level
    return of_the_mentions(counted)


def printed(demo: Demonstration, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    """What a command prints as JSON: one document, or one in each line."""
    capsys.readouterr()
    assert command.invoke([*arguments, "--json", "--config", str(demo.scene.toml)]) == 0
    out = capsys.readouterr().out
    return [json.loads(out)] if out.startswith("{\n") else [json.loads(line) for line in out.splitlines()]
