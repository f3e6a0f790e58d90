"""A Spirit of one's own for tests: a forum in Django, fetched once into an environment in a cache folder.

Nothing of it is installed on the machine or into our environment. ``STURMWARTE_SPIRIT_CACHE`` names the folder, else
one in the user's cache.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from servers import answers, free_port, process, wait_for

NEEDED = (
    "django-spirit==0.14.3",
    "Django==5.2.*",
    "django-djconfig==0.11.0",
    "django-haystack==3.4.0",
    "django-infinite-scroll-pagination==1.3.0",
    "mistune==0.8.4",
    "Whoosh==2.7.4",
)
WRITER = Path(__file__).parent / "live" / "spirit_posts.py"
SETTINGS = "watched.settings.dev"


class Spirit:
    """A running forum, and the process in which posts are written."""

    def __init__(self, url: str, writer: subprocess.Popen[str]) -> None:
        self.url, self._writer = url, writer

    def post(self, topic: str, author: str, text: str, at: float) -> int:
        """Write a post into a topic, which is opened where there is none; the topic's number."""
        assert self._writer.stdin is not None
        assert self._writer.stdout is not None
        self._writer.stdin.write(json.dumps({"topic": topic, "author": author, "text": text, "at": at}) + "\n")
        self._writer.stdin.flush()
        return int(self._writer.stdout.readline())


@contextmanager
def spirit(folder: Path) -> Iterator[Spirit]:
    """A forum for the length of a block. Skips in one line where it cannot be fetched, and fails where ``CI=true``."""
    python = _installed()
    log, project = folder / "log", folder / "watched"
    path = f"{python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    env = {"PYTHONPATH": "", "PYTHONHASHSEED": "0", "PATH": path}
    _run("Spirit's project", str(python.parent / "spirit"), "startproject", project.name, cwd=folder, env=env)
    _run("Spirit's database", str(python), "manage.py", "spiritinstall", cwd=project, env=env)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    serve = (str(python), "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}")
    with process(*serve, log=log, cwd=project, env=env), log.open("ab") as output:
        writer = subprocess.Popen(
            [str(python), str(WRITER), SETTINGS],
            cwd=project,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            env={**os.environ, **env},
        )
        try:
            wait_for(lambda: answers(url), "Spirit")
            assert writer.stdout is not None
            assert writer.stdout.readline() == "ready\n", log.read_text("utf-8", "replace")[-3000:]
            yield Spirit(url, writer)
        finally:
            assert writer.stdin is not None
            writer.stdin.close()
            writer.wait(30)
            writer.stdout.close()


def _installed() -> Path:
    """The interpreter of the environment that has Spirit."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = Path(os.environ.get("STURMWARTE_SPIRIT_CACHE") or home / "sturmwarte-tests" / NEEDED[0].replace("==", "-"))
    python, whole = cache / "bin" / "python", cache / "whole"
    if not whole.exists():
        _run("an environment", sys.executable, "-m", "venv", "--clear", str(cache))
        _run(NEEDED[0], str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *NEEDED)
        whole.touch()
    return python


def _run(what: str, *command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    """Run a command to its end; where it fails, the test says in one line what could not be had and why."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, timeout=600, check=False
        )
        trouble = "" if done.returncode == 0 else (done.stderr + done.stdout).decode("utf-8", "replace").strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        trouble = str(error)
    if trouble:
        message = f"{what} could not be had: {trouble[-300:]}"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
