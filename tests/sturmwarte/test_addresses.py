"""A port that cannot be used is one sentence with the remedy, before anything is started."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sturmwarte import command
from sturmwarte.addresses import AddressUnusable, require_address
from sturmwarte.lock import running_service


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that another program listens at."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    return tmp_path


@pytest.mark.parametrize("part", ["run", "serve"])
@pytest.mark.parametrize("language", ["de_DE.UTF-8", "en_GB.UTF-8"])
def test_a_taken_port_is_said_and_nothing_is_started(
    place: Path, taken: int, capsys: Any, monkeypatch: pytest.MonkeyPatch, part: str, language: str
) -> None:
    monkeypatch.setenv("LC_ALL", language)
    (place / "sturmwarte.toml").write_text(f"[web]\nport = {taken}\n", "utf-8")
    code = command.invoke([part])
    said = capsys.readouterr().err
    assert code == 2 and f"127.0.0.1:{taken}" in said and "[web] port" in said and said.count("\n") == 1
    assert running_service(place / "data") is None and not (place / "data" / "state.db").exists()


def test_parts_that_show_no_pages_need_no_port(
    place: Path, taken: int, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (place / "sturmwarte.toml").write_text(f"[web]\nport = {taken}\n", "utf-8")
    monkeypatch.setattr("sturmwarte.service.Supervisor.run", lambda *_: None)
    monkeypatch.setattr("sturmwarte.service.stop_on_signals", lambda stop: None)
    assert command.invoke(["watch"]) == 0


def test_a_free_port_stays_free() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    require_address("127.0.0.1", port)
    require_address("127.0.0.1", port)


def test_an_address_of_another_machine_is_no_taken_port() -> None:
    with pytest.raises(AddressUnusable) as caught:
        require_address("192.0.2.1", 8640)
    assert caught.value.reason


def test_the_demonstration_says_that_its_port_is_taken(place: Path, taken: int, capsys: Any) -> None:
    code = command.invoke(["demo", "--port", str(taken)])
    said = capsys.readouterr().err
    assert code == 2 and str(taken) in said and "--port" in said


def test_the_demonstration_has_no_ports_beyond_the_last(place: Path, capsys: Any) -> None:
    code = command.invoke(["demo", "--port", "65535", "--servers", "sturmwarte.toml", "--workers", "3"])
    said = capsys.readouterr().err
    assert code == 2 and "65533" in said
