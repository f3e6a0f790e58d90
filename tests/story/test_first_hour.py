"""A newcomer's first hour: from an empty folder to own mentions and a test mail, by the README's commands alone."""

import json
import mailbox
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pipeline.clock import ScaledClock
from sturmwarte.demo.catcher import Catcher
from sturmwarte.demo.script import write
from sturmwarte.demo.web import Sites, Web
from sturmwarte.service import CLOCK

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""For web and commands alike: what the world says depends on it."""


@pytest.mark.timeout(1800)
def test_six_commands_to_the_first_own_mention_and_a_test_mail(tmp_path):
    world = write(NOW, storm_at=None, until=NOW + timedelta(hours=1))
    web, catcher = Web(Sites(world, lambda: NOW, ZoneInfo("Europe/Berlin"))), Catcher(tmp_path / "mailbox")
    folder, began = tmp_path / "mine", time.time()
    folder.mkdir()

    def sturmwarte(*words: str) -> str:
        start = "from sturmwarte.command import main; main()"
        done = subprocess.run(
            [sys.executable, "-P", "-c", start, *words], cwd=folder, capture_output=True, text=True, timeout=600,
            env={**os.environ, "LC_ALL": "de_DE.UTF-8", CLOCK: str(ScaledClock(NOW, began, 1.0))},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        found = sturmwarte(
            "init", "--yes", "--brand", "Nordnetz", "--contact", "presse@nordnetz.example", "--mail-server",
            f"127.0.0.1:{catcher.port}", "--receiver", "presse@nordnetz.example", "--source", f"{web.portal}/nordnetz",
        )  # fmt: skip
        assert "lesbar mit „reviews“" in found
        sturmwarte("check")
        sturmwarte("mail", "test")
        sturmwarte("crawl")
        lines = sturmwarte("mentions", "brand:nordnetz", "--limit", "1000", "--json").splitlines()
    finally:
        web.close()
        catcher.close()
    written = {post.text for post in world.visible(NOW) if post.place == "portal"}
    assert {json.loads(line)["text"] for line in lines} >= written
    [mail] = mailbox.Maildir(tmp_path / "mailbox")
    assert mail["To"] == "presse@nordnetz.example"
