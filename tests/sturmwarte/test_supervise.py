"""The parent: restarts the dead, pauses ever longer, stops the willing and kills the stubborn."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from sturmwarte.lock import AlreadyRunning, running_service, service_lock
from sturmwarte.supervise import Child, Patience, Supervisor

QUICK = Patience(first_pause=0.02, longest_pause=0.1, healthy_after=60, grace=60, poll=0.02)


def until(condition: Callable[[], object], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)


def script(text: str) -> list[str]:
    return [sys.executable, "-c", text]


def running(supervisor: Supervisor, stop: Event) -> threading.Thread:
    thread = threading.Thread(target=supervisor.run, args=(stop,))
    thread.start()
    return thread


def test_a_dead_child_is_started_again_and_the_others_stay(tmp_path: Path) -> None:
    log = tmp_path / "starts"
    dying = script(f"open({str(log)!r}, 'a').write('x')")
    supervisor = Supervisor({"dying": dying, "steady": script("import time; time.sleep(300)")}, os.environ, QUICK)
    stop = Event()
    thread = running(supervisor, stop)
    until(lambda: log.exists() and len(log.read_text()) >= 3)
    stop.set()
    thread.join(90)
    dying_child, steady = supervisor.children
    assert dying_child.starts >= 3
    assert steady.starts == 1
    assert steady.process is not None
    assert steady.process.returncode == -signal.SIGTERM


def test_a_child_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    stubborn = script(
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"open({str(ready)!r}, 'w').close(); time.sleep(300)"
    )
    supervisor, stop = Supervisor({"stubborn": stubborn}, os.environ, Patience(grace=0.2, poll=0.02)), Event()
    thread = running(supervisor, stop)
    until(ready.exists)
    stop.set()
    thread.join(90)
    assert not thread.is_alive()
    assert supervisor.children[0].process is not None
    assert supervisor.children[0].process.returncode == -signal.SIGKILL


def test_pauses_double_up_to_the_longest_and_begin_anew_after_a_healthy_run() -> None:
    clock = [0.0]
    child = Child("x", script("raise SystemExit(3)"), os.environ, Patience(), monotonic=lambda: clock[0])
    waits = []
    for _ in range(8):
        child.look()
        assert child.process is not None
        child.process.wait()
        child.look()
        assert child.process is None
        waits.append(child._not_before - clock[0])
        clock[0] = child._not_before
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    child.look()
    assert child.process is not None
    child.process.wait()
    clock[0] += 61
    child.look()
    assert child._not_before - clock[0] == 1


def test_a_second_service_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    assert running_service(tmp_path) is None
    with service_lock(tmp_path):
        assert running_service(tmp_path) == os.getpid()
        with pytest.raises(AlreadyRunning) as caught, service_lock(tmp_path):
            pass
        assert caught.value.pid == os.getpid()
    assert running_service(tmp_path) is None


def test_the_lock_of_a_killed_service_is_held_by_its_children_until_they_end(tmp_path: Path) -> None:
    code = (
        "import os, subprocess, sys\n"
        "from pathlib import Path\n"
        "from sturmwarte.lock import service_lock\n"
        "lock = service_lock(Path(sys.argv[1]))\n"
        "held = lock.__enter__()\n"
        "subprocess.Popen([sys.executable, '-c', 'import sys; sys.stdin.read()'], pass_fds=(held,))\n"
        "os._exit(9)\n"
    )
    orphan = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE)
    assert orphan.wait(90) == 9
    with pytest.raises(AlreadyRunning), service_lock(tmp_path, wait=0.2):
        pass
    assert orphan.stdin is not None
    orphan.stdin.close()
    with service_lock(tmp_path, wait=90):
        assert running_service(tmp_path) == os.getpid()


def test_no_dead_process_is_named_while_another_holds_the_folder(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from sturmwarte.lock import service_lock\n"
        "with service_lock(Path(sys.argv[1]), beside_others=True):\n"
        "    pass\n"
    )
    with service_lock(tmp_path, beside_others=True):
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=90)
        assert running_service(tmp_path) == os.getpid()
    with service_lock(tmp_path, beside_others=True):
        (tmp_path / "service.lock").write_text("999999999\n", "ascii")  # of another machine
        assert running_service(tmp_path) == 0


def test_a_part_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    code = (
        "from threading import Event\n"
        "from sturmwarte.child import follow_parent\n"
        "from sturmwarte.service import stop_on_signals\n"
        "stop = Event(); stop_on_signals(stop); follow_parent(); print('up', flush=True)\n"
        "while not stop.wait(0.05): pass\n"
        "print('stopped cleanly', flush=True)\n"
    )
    part = subprocess.Popen(script(code), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert part.stdin is not None
    assert part.stdout is not None
    assert part.stdout.readline() == b"up\n"
    part.stdin.close()
    assert part.stdout.readline() == b"stopped cleanly\n"
    assert part.wait(90) == 0
    part.stdout.close()
