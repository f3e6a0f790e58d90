"""The configuration of a running process: right changes are taken over, wrong ones are told and left."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.toml import ConfigurationError, Registry
from sturmwarte.live import LiveConfiguration


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
