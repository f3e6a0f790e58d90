"""The configuration of a running process: right changes are taken over, wrong ones are told and left."""

from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline.clock import ManualClock
from pipeline.findings import Finding
from pipeline.state.opening import open_state
from pipeline.toml import ConfigurationError, Registry
from sturmwarte.live import LiveConfiguration, Recorder, rejected_configuration


class Told(list[str | None]):
    def __call__(self, error: ConfigurationError | None) -> None:
        self.append(None if error is None else error.findings[0].problem)


def write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    write.moment += 1_000_000_000  # type: ignore[attr-defined]
    os.utime(path, ns=(write.moment, write.moment))  # type: ignore[attr-defined]


write.moment = 1_700_000_000_000_000_000  # type: ignore[attr-defined]


def test_changes_are_taken_over_wrong_ones_are_kept_out_and_told_once(tmp_path: Path) -> None:
    path, told = tmp_path / "sturmwarte.toml", Told()
    write(path, 'contact = "a@example.org"')
    live = LiveConfiguration(path, Registry(), told, tmp_path / "data")
    assert live().contact == "a@example.org"
    write(path, 'contakt = "b@example.org"')
    assert [live().contact, live().contact] == ["a@example.org"] * 2
    assert told == ["unknown_key"]
    path.unlink()
    assert live().contact == "a@example.org"
    write(path, 'contact = "c@example.org"')
    assert live().contact == "c@example.org"
    assert told == ["unknown_key", "no_file", None]


def test_a_file_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    path, told = tmp_path / "sturmwarte.toml", Told()
    write(path, 'contact = "a@example.org"')
    live = LiveConfiguration(path, Registry(), told, tmp_path / "data")
    write(path, "")
    assert live().contact == "a@example.org"
    assert told == []
    write(path, 'contact = "b@example.org"')
    assert live().contact == "b@example.org"
    assert told == [None]


def test_another_data_folder_needs_a_restart(tmp_path: Path) -> None:
    path, told = tmp_path / "sturmwarte.toml", Told()
    write(path, "")
    live = LiveConfiguration(path, Registry(), told, tmp_path / "data")
    write(path, 'data = "elsewhere"')
    assert live().data == tmp_path / "data"
    assert told == ["restart_needed"]


def test_other_databases_need_a_restart(tmp_path: Path) -> None:
    path, told = tmp_path / "sturmwarte.toml", Told()
    write(path, "")
    live = LiveConfiguration(path, Registry(), told, tmp_path / "data")
    write(path, '[store]\nengine = "elasticsearch"\nurls = ["http://127.0.0.1:9200"]')
    assert live().store.engine == "sqlite"
    write(path, '[state]\nurl = "postgresql://localhost/sturmwarte"')
    assert live().state.url.get_secret_value() == ""
    assert told == ["restart_needed", "restart_needed"]
    write(path, 'contact = "b@example.org"')
    assert live().contact == "b@example.org"


def test_a_wrong_file_from_the_start_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "sturmwarte.toml"
    write(path, "contakt = 1")
    with pytest.raises(ConfigurationError):
        LiveConfiguration(path, Registry(), Told(), tmp_path / "data")


def test_a_process_that_starts_beside_a_wrong_file_goes_on_with_the_last_right_one(tmp_path: Path) -> None:
    path, told = tmp_path / "sturmwarte.toml", Told()
    write(path, 'contact = "a@example.org"\n[mail]\npassword_file = "secret"\n')
    LiveConfiguration(path, Registry(), told, tmp_path / "data")
    write(path, "contakt = 1")
    live = LiveConfiguration(path, Registry(), told, tmp_path / "data")
    assert (live().contact, live().data) == ("a@example.org", tmp_path / "data")
    assert live().mail.password_file == tmp_path / "secret"
    assert told == ["unknown_key"]


def test_a_start_with_a_right_file_forgets_that_it_was_wrong(tmp_path: Path) -> None:
    """Another [store] needs a restart and is said to; after the restart nobody says so any more."""
    clock, wrong = (
        ManualClock(datetime(2026, 11, 20, tzinfo=UTC)),
        Finding("sturmwarte.toml", 3, "store", "restart_needed"),
    )
    with closing(open_state(tmp_path)) as state:
        Recorder(clock, state)(ConfigurationError([wrong]))
        with state.read() as connection:
            assert "store" in (rejected_configuration(connection) or "")
        Recorder(clock).record_in(state)
        with state.read() as connection:
            assert rejected_configuration(connection) is None
        beside_a_wrong_file = Recorder(clock)
        beside_a_wrong_file(ConfigurationError([wrong]))
        beside_a_wrong_file.record_in(state)
        with state.read() as connection:
            assert "store" in (rejected_configuration(connection) or "")
