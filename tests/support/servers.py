"""Real servers on loopback for the tests that are about them: WordPress, searx. Started here, ended here."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parent / "live"


def needs(program: str, package: str) -> str:
    """Path of a program; without it the test skips with one line, and fails where ``CI=true``."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found:
        return found
    message = f"{program} is missing: sh tests/live/install.sh (Debian package {package})"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def free_port() -> int:
    """A TCP port on 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(ready: Callable[[], bool], what: str, seconds: float = 120) -> None:
    """Until ``ready()``; fails the test after a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if ready():
            return
        time.sleep(0.1)
    pytest.fail(f"{what} did not come up within {seconds:.0f} s")


def answers(url: str) -> bool:
    """Whether a server answers there at all."""
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return bool(response.status < 500)
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False


@contextmanager
def process(
    *command: str, log: Path, env: dict[str, str] | None = None, cwd: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a process group of its own, ended with the block."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            stdin=subprocess.DEVNULL,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
    try:
        yield child
    finally:
        if child.poll() is None:
            os.killpg(child.pid, signal.SIGTERM)
            try:
                child.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


class WordPress:
    """A running WordPress in German. Its functions are called through a PHP script, as an administrator's would be."""

    def __init__(self, url: str, php: str, folder: Path) -> None:
        self.url, self._php, self._folder = url, php, folder

    def call(self, action: str, *arguments: str) -> str:
        """Run one action of ``live/wordpress.php``; returns what it printed."""
        script = str(HERE / "wordpress.php")
        done = subprocess.run(
            [self._php, "-d", "display_errors=0", script, str(self._folder / "site"), action, *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=180,
        )
        return done.stdout.strip()

    def post(self, title: str, text: str, at: float) -> str:
        """Publish an article; returns its id."""
        return self.call("post", title, text, str(int(at)))

    def comments(self, post: str, comments: list[tuple[str, str, float]]) -> list[str]:
        """Add approved comments (author, text, seconds since 1970) to an article; returns their ids."""
        import json

        file = self._folder / "comments.json"
        file.write_text(json.dumps(comments, ensure_ascii=False), "utf-8")
        return self.call("comments", post, str(file)).split()

    def option(self, name: str, value: str) -> None:
        """Set a setting, such as ``posts_per_rss``."""
        self.call("option", name, value)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder that other users may enter: MariaDB gives up being root, and pytest's own are closed."""
    with tempfile.TemporaryDirectory(prefix="servers-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def wordpress(folder: Path) -> Iterator[WordPress]:
    """Debian's WordPress with its own MariaDB, empty but for its first settings."""
    php = needs("php", "php-cli")
    mariadbd, installer = needs("mariadbd", "mariadb-server"), needs("mariadb-install-db", "mariadb-server")
    client = needs("mariadb", "mariadb-client")
    if not Path("/usr/share/wordpress").exists():
        needs("wordpress", "wordpress")
    user = "mysql" if os.getuid() == 0 else os.environ.get("USER", "")
    data, database_socket, port, web = folder / "data", folder / "s.sock", free_port(), free_port()
    log = folder / "log"
    data.mkdir(parents=True)
    if os.getuid() == 0:
        shutil.chown(data, "mysql")
        shutil.chown(folder, "mysql")
    subprocess.run(
        [installer, "--no-defaults", f"--user={user}", f"--datadir={data}", "--skip-test-db"],
        check=True,
        capture_output=True,
    )
    with ExitStack() as stack:
        stack.enter_context(
            process(
                mariadbd,
                "--no-defaults",
                f"--user={user}",
                f"--datadir={data}",
                f"--socket={database_socket}",
                f"--port={port}",
                "--bind-address=127.0.0.1",
                f"--pid-file={folder / 'pid'}",
                log=log,
            )
        )
        wait_for(database_socket.exists, "MariaDB")
        sql = (
            "create database wp character set utf8mb4; create user w@'127.0.0.1' identified by 'w';"
            "grant all on wp.* to w@'127.0.0.1'"
        )
        subprocess.run([client, "-S", str(database_socket), "-e", sql], check=True, capture_output=True)
        site = folder / "site"
        shutil.copytree("/usr/share/wordpress", site, symlinks=False, ignore_dangling_symlinks=True)
        url = f"http://127.0.0.1:{web}"
        template = (HERE / "wp-config.php").read_text("utf-8")
        (site / "wp-config.php").write_text(template.replace("@PORT@", str(port)).replace("@URL@", url), "utf-8")
        blog = WordPress(url, php, folder)
        blog.call("install", url)
        stack.enter_context(
            process(
                php,
                "-d",
                "display_errors=0",
                "-S",
                f"127.0.0.1:{web}",
                "-t",
                str(site),
                str(HERE / "router.php"),
                log=log,
                env={"PHP_CLI_SERVER_WORKERS": "2"},
            )
        )
        wait_for(lambda: answers(url), "WordPress")
        yield blog


@contextmanager
def searx(folder: Path, blog: str) -> Iterator[str]:
    """Debian's searx with one engine that searches ``blog`` (a WordPress) and one that cannot be reached."""
    runner = needs("searx-run", "searx")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    ours = (HERE / "searx.yml").read_text("utf-8")
    for name, value in (("@PORT@", str(port)), ("@BLOG@", blog), ("@DEAD@", str(free_port()))):
        ours = ours.replace(name, value)
    settings = yaml.safe_load(Path("/usr/share/doc/searx/examples/settings.yml").read_text("utf-8"))
    for section, values in yaml.safe_load(ours).items():
        settings[section] = {**settings.get(section, {}), **values} if isinstance(values, dict) else values
    file = folder / "settings.yml"
    file.write_text(yaml.safe_dump(settings, allow_unicode=True), "utf-8")
    url = f"http://127.0.0.1:{port}"
    with process(runner, log=folder / "log", env={"SEARX_SETTINGS_PATH": str(file)}):
        wait_for(lambda: answers(url), "searx")
        yield url
