"""Starting while a server is away: it is waited for, said once, and gone on; what waiting cannot mend ends at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import wait
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import structlog
from postgres import Postgres, running_postgres
from structlog.testing import capture_logs

from pipeline.absence import Absences
from pipeline.store.protocol import StoreAway, StoreError
from sturmwarte import command, jobs, service
from sturmwarte.waiting import LONGEST, when_there


@pytest.fixture(autouse=True)
def every_line() -> None:
    """Also what a command before kept quiet."""
    structlog.reset_defaults()


def failing(*errors: Exception) -> Callable[[], str]:
    left = list(errors)

    def work() -> str:
        if left:
            raise left.pop(0)
        return "there"

    return work


def test_a_server_that_is_away_is_waited_for_with_growing_pauses() -> None:
    pauses = list[float]()
    with capture_logs() as lines:
        away = [StoreAway("connection refused")] * 8
        assert when_there(failing(*away), Event(), told=Absences(), wait=pauses.append) == "there"
    assert pauses == [1, 2, 4, 8, 16, LONGEST, LONGEST, LONGEST]
    assert [line["log_level"] for line in lines] == ["warning", "info"]


def test_what_waiting_cannot_mend_is_raised_at_once() -> None:
    with pytest.raises(StoreError, match="credentials"):
        when_there(failing(StoreError("credentials")), Event(), wait=lambda pause: None)


def test_being_told_to_stop_ends_the_waiting() -> None:
    stop = Event()
    work = failing(*[StoreAway("away")] * 100)
    assert when_there(work, stop, told=Absences(), wait=lambda pause: stop.set()) is None


def test_a_job_that_meets_a_server_away_leaves_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "absences", Absences())
    work = failing(StoreAway("away"), StoreAway("away"), ValueError("a fault"))
    with capture_logs() as lines:
        for _ in range(4):
            jobs.guarded("watch", work)()
    assert [(line["log_level"], "exc_info" in line) for line in lines] == [
        ("warning", False),
        ("error", True),
        ("info", False),
    ]


def test_work_in_the_background_that_is_only_begun_does_not_end_an_absence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "absences", Absences())
    background = jobs.Background("chronicle", failing(*[StoreAway("away")] * 3))
    begun = jobs.guarded("chronicle", background)
    with capture_logs() as lines:
        for _ in range(3):
            begun()
            wait([background._running] if background._running else [])
        begun()
        background.close()
    assert [line["log_level"] for line in lines] == ["warning", "info"]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    return tmp_path / "sturmwarte.toml"


@pytest.fixture
def server() -> Iterator[Postgres]:
    with running_postgres() as postgres:
        yield postgres


@pytest.mark.timeout(300)
def test_a_worker_waits_until_its_database_is_there(
    file: Path, server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, stop = Event(), Event()
    monkeypatch.setattr(service, "stop_on_signals", lambda stop: None)  # not ours to set outside the main thread
    monkeypatch.setattr(service, "commands", lambda *_: {})
    monkeypatch.setenv("STURMWARTE_STATE_URL", server.database())
    file.write_text('contact = "a@b.example"\n', "utf-8")
    server.kill()
    ended = list[Exception]()

    def run() -> None:
        try:
            service.run(file, parts=("watch",), stop=stop, started=started.set)
        except Exception as error:
            ended.append(error)

    thread = Thread(target=run)
    thread.start()
    assert not started.wait(2.5) and ended == []
    server.start()
    assert started.wait(120)
    stop.set()
    thread.join(60)
    assert ended == [] and not thread.is_alive()


def test_a_worker_with_a_wrong_password_ends_at_once(
    file: Path, server: Postgres, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    file.write_text('contact = "a@b.example"\n', "utf-8")
    monkeypatch.setenv("STURMWARTE_STATE_URL", server.database().replace("warte@", "niemand@"))
    code = command.invoke(["watch"])
    said = capsys.readouterr().err
    assert code == 3 and "refuses the user" in said and "cannot be reached" not in said
