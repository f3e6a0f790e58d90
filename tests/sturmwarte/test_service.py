"""The whole service: three processes come up, one is killed and comes back, a wrong change is told, all end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sturmwarte.lock import running_service

PATIENCE = 120.0


def until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.1)
    raise AssertionError(what)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def children(pid: int) -> dict[str, int]:
    """Part → process, of the service's children; one may end, or not have begun to be itself, while we look."""
    found = {}
    for number in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with suppress(FileNotFoundError, ProcessLookupError):
            line = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
            if b"sturmwarte.child" in line:
                found[line[-4].decode()] = int(number)
    return found


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path, int]]:
    port = free_port()
    file = tmp_path / "sturmwarte.toml"
    file.write_text(f'contact = "a@example.org"\n[brands.x]\nname = "Lodestar"\n[web]\nport = {port}\n', "utf-8")
    command = [sys.executable, "-c", "from sturmwarte.command import main; main()", "run", "--config", str(file)]
    process = subprocess.Popen(command, env={**os.environ, "LC_ALL": "C"}, stderr=subprocess.DEVNULL)
    try:
        yield process, file, port
    finally:
        process.kill()
        process.wait()


@pytest.mark.timeout(900)
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_a_service_lives_through_deaths_and_wrong_changes(
    service: tuple[subprocess.Popen[bytes], Path, int],
) -> None:
    process, file, port = service
    until(lambda: healthy(port), "the pages never came up")
    parts = until(lambda: len(found := children(process.pid)) == 3 and found, "not every part came up")
    assert set(parts) == {"crawl", "watch", "serve"}
    os.kill(parts["serve"], signal.SIGKILL)
    until(lambda: children(process.pid).get("serve", parts["serve"]) != parts["serve"], "serve was not started again")
    until(lambda: healthy(port), "the pages did not come back")
    assert children(process.pid)["crawl"] == parts["crawl"]

    good = file.read_text("utf-8")
    file.write_text(good.replace("name =", "nmae ="), "utf-8")
    rejected = until(lambda: _rejected(file), "the wrong change was not recorded")
    assert "brands.x.nmae" in rejected
    os.kill(parts["watch"], signal.SIGKILL)
    until(lambda: children(process.pid).get("watch", parts["watch"]) != parts["watch"], "watch was not started again")
    file.write_text(good, "utf-8")
    until(lambda: not _rejected(file), "the right change was not taken over")

    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0
    assert running_service(file.parent / "data") is None
    assert not any(Path(f"/proc/{pid}").exists() for pid in parts.values())


def _rejected(file: Path) -> str | None:
    from contextlib import closing

    from pipeline.state.opening import open_state
    from sturmwarte.live import rejected_configuration

    with closing(open_state(file.parent / "data")) as state, state.read() as connection:
        return rejected_configuration(connection)
