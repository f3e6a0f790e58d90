"""Connecting to Elasticsearch: what is wrong is refused, and told in a sentence that says what to do."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from building import NOON, mention, uid
from elastic import PASSWORD, USER, Node, certificates
from elasticsearch import Elasticsearch
from servers import free_port

from pipeline.clock import ManualClock
from pipeline.configuration import StoreTable
from pipeline.secrets import SecretMissing
from pipeline.store.elastic.client import ExactTrust, PatientTransport, connect, guarded, refusal, require_server
from pipeline.store.opening import open_store
from pipeline.store.protocol import Store, StoreError

CLOCK = ManualClock(NOON + timedelta(hours=1))


def table(*urls: str, **over: Any) -> StoreTable:
    """What ``[store]`` says; without patience, so that what fails does so at once."""
    return StoreTable(**{"engine": "elasticsearch", "urls": urls, "patience": "0s", "prefix": "nobody", **over})


def refused(given: StoreTable, tmp_path: Path) -> str:
    """What is said when the store is opened."""
    with pytest.raises(StoreError) as caught:
        open_store(tmp_path, given, clock=CLOCK)
    return str(caught.value)


@pytest.fixture
def secret(tmp_path: Path) -> Callable[[str], Path]:
    """Writes a secret into a file of its own."""

    def written(text: str) -> Path:
        path = tmp_path / f"secret-{len(list(tmp_path.iterdir()))}"
        path.write_text(f"{text}\n", "utf-8")
        return path

    return written


# --- security -----------------------------------------------------------------------------------------------------


def test_the_right_password_and_authority_open(elastic_secured: Node, secret: Callable[[str], Path]) -> None:
    given = table(elastic_secured.url, ca_file=elastic_secured.ca_file, username=USER, password_file=secret(PASSWORD))
    with connect(given) as client:
        assert require_server(client) >= (8, 0)


@pytest.mark.parametrize("credentials", ["wrong password", "wrong key", "none"])
def test_wrong_credentials_are_refused(
    elastic_secured: Node, tmp_path: Path, secret: Callable[[str], Path], credentials: str
) -> None:
    known: dict[str, dict[str, Any]] = {
        "wrong password": {"username": USER, "password_file": secret("guessed")},
        "wrong key": {"api_key_file": secret("Z3Vlc3NlZDpndWVzc2Vk")},
        "none": {},
    }
    said = refused(table(elastic_secured.url, ca_file=elastic_secured.ca_file, **known[credentials]), tmp_path)
    assert said == (
        f"Elasticsearch at {elastic_secured.url} does not accept these credentials (401): "
        "check [store] username and password_file, or api_key_file"
    )


def test_an_api_key_opens(elastic_secured: Node, tmp_path: Path, secret: Callable[[str], Path]) -> None:
    with elastic_secured.client() as admin:
        key = admin.security.create_api_key(name="for a test", expiration="1h")["encoded"]
    with connect(table(elastic_secured.url, ca_file=elastic_secured.ca_file, api_key_file=secret(key))) as client:
        assert require_server(client) >= (8, 0)
        assert client.security.authenticate()["authentication_type"] == "api_key"


def test_another_authority_is_not_believed(elastic_secured: Node, tmp_path: Path) -> None:
    certificates(tmp_path / "other")
    said = refused(table(elastic_secured.url, ca_file=tmp_path / "other/ca.pem"), tmp_path)
    assert "signed by an authority that we do not know" in said
    assert "set [store] ca_file" in said
    assert "signed by an authority that we do not know" in refused(table(elastic_secured.url), tmp_path)


def test_with_an_authority_of_ones_own_no_other_is_believed(tmp_path: Path) -> None:
    certificates(tmp_path / "own")
    with connect(table("https://127.0.0.1:1", ca_file=tmp_path / "own/ca.pem")) as client:
        (node,) = client.transport.node_pool.all()
        assert isinstance(node, ExactTrust)
        context = node.config.ssl_context
        assert len(context.get_ca_certs()) == 1
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert node.pool.ca_certs is None  # type: ignore[union-attr]


def test_a_certificate_for_another_host_is_not_believed(tmp_path: Path) -> None:
    certificates(tmp_path / "certs")
    with stub({"/": (200, info("8.19.8"))}, host="127.0.0.2", certs=tmp_path / "certs") as url:
        said = refused(table(url, ca_file=tmp_path / "certs/ca.pem"), tmp_path)
    assert "its certificate is for another name" in said
    assert "127.0.0.2" in said


def test_http_and_https_are_told_apart(elastic_secured: Node, tmp_path: Path) -> None:
    said = refused(table(elastic_secured.url.replace("https", "http")), tmp_path)
    assert said.endswith("it closes the connection; if it speaks TLS, its address begins with https://")
    with stub({}) as url:
        said = refused(table(url.replace("http", "https")), tmp_path)
    assert said.endswith("if the server speaks no TLS, its address begins with http://")


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ({"urls": ()}, "[store] urls: the addresses of Elasticsearch are missing"),
        ({"urls": ("http://10.1.2.3:9200",)}, "[store] urls: http://10.1.2.3:9200 would send passwords and texts"),
        ({"urls": ("https://me:hunter2@a:9200",)}, "[store] urls: no name and no password belong into an address"),
        ({"urls": ("search:9200",)}, "[store] urls: an address begins with http:// or https://"),
        ({"ca_file": "none.pem"}, "[store] ca_file: there is no file none.pem"),
        ({"ca_file": __file__}, "cannot be read as certificates"),
        ({"username": "me", "password_env": "NOT_SET"}, "[store] username is set, but no password: set password_file"),
        ({"username": "me", "password_file": "none"}, "password file none"),
        ({"api_key_file": __file__}, "[store] the API key is none"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_sent(tmp_path: Path, over: dict[str, Any], said: str) -> None:
    told = refused(table("https://127.0.0.1:1", **over) if "urls" not in over else table(*over["urls"]), tmp_path)
    assert said in told
    assert "hunter2" not in told


def test_a_missing_secret_is_named_as_such(tmp_path: Path) -> None:
    with pytest.raises(SecretMissing, match="password file"):
        connect(table("https://127.0.0.1:1", username="me", password_file=tmp_path / "none"))


def test_plain_http_beyond_this_machine_goes_when_asked_for() -> None:
    with connect(table("http://10.1.2.3:9200", plain_http=True)) as client:
        assert [node.base_url for node in client.transport.node_pool.all()] == ["http://10.1.2.3:9200"]


# --- servers that are none, or not there --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, {"version": {"number": "7.17.28"}}), "is version 7.17.28: Elasticsearch 8.0 or newer is needed"),
        ((400, {"error": {"type": "media_type_header_exception"}}), "is too old: Elasticsearch 8.0 or newer is needed"),
        ((406, {"error": "Content-Type header is not supported"}), "is too old: Elasticsearch 8.0 or newer is needed"),
    ],
)
def test_an_old_server_is_refused(tmp_path: Path, answer: tuple[int, Any], said: str) -> None:
    with stub({"/": answer}) as url:
        assert refused(table(url), tmp_path) == f"Elasticsearch at {url} {said}"


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"version": {"number": "2.19.0", "distribution": "opensearch"}}),
        (200, "<html>It works!</html>"),
        (404, "<html>Not here</html>"),
        (200, b"\xff\x00{"),
    ],
)
def test_a_server_of_another_kind_is_refused(tmp_path: Path, answer: tuple[int, Any]) -> None:
    with stub({"/": answer}, product=None) as url:
        said = refused(table(url), tmp_path)
        assert url in said
        assert said.endswith("check [store] urls")
        assert "html" not in said


def test_nobody_listens(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    said = refused(table(url), tmp_path)
    assert said == f"Elasticsearch at {url} cannot be reached: connection refused, nothing listens there"
    said = refused(table("https://nowhere.invalid:9200"), tmp_path)
    assert said.startswith("Elasticsearch at https://nowhere.invalid:9200 cannot be reached: ")


def test_a_stopped_node_is_not_waited_for_for_ever(
    elastic_secured: Node, tmp_path: Path, secret: Callable[[str], Path]
) -> None:
    given = table(
        elastic_secured.url,
        ca_file=elastic_secured.ca_file,
        username=USER,
        password_file=secret(PASSWORD),
        timeout="1s",
    )
    with connect(given) as client:
        require_server(client)
        with elastic_secured.stopped(), pytest.raises(StoreError) as caught, guarded():
            client.search(index="*", size=0)
        assert str(caught.value) == (
            f"Elasticsearch at {elastic_secured.url} did not answer in time: it is overloaded, stopped or unreachable"
        )
        assert require_server(client.options(request_timeout=60)) >= (8, 0)


def test_of_two_addresses_one_is_enough(elastic_url: str) -> None:
    with connect(table(f"http://127.0.0.1:{free_port()}", elastic_url)) as client:
        assert [require_server(client) >= (8, 0) for _ in range(4)] == [True] * 4


# --- patience -----------------------------------------------------------------------------------------------------


BUSY = {"error": {"type": "es_rejected_execution_exception", "reason": "the queue is full"}, "status": 429}


def test_a_busy_server_is_asked_again_with_growing_pauses() -> None:
    answers = [(429, BUSY), (503, "<html>restarting</html>"), (429, BUSY), (200, info("8.19.8"))]
    with stub({"/": answers}) as url, connect(table(url, patience="60s")) as client:
        pauses = slept(client)
        assert require_server(client) == (8, 19)
    assert [lowest / 2 <= pause <= lowest for pause, lowest in zip(pauses, (0.1, 0.2, 0.4), strict=True)] == [True] * 3


def test_a_server_that_comes_back_is_waited_for() -> None:
    port = free_port()
    with ExitStack() as later, connect(table(f"http://127.0.0.1:{port}", patience="60s")) as client:

        def started(seconds: float) -> None:
            if len(pauses) == 2:
                later.enter_context(stub({"/": (200, info("9.1.0"))}, port=port))
            pauses.append(seconds)

        pauses: list[float] = []
        client.transport.sleep = started  # type: ignore[attr-defined]
        assert require_server(client) == (9, 1)
        assert len(pauses) == 3


def test_patience_ends() -> None:
    with stub({"/": (429, BUSY)}) as url, connect(table(url, patience=timedelta(milliseconds=1))) as client:
        slept(client)
        with pytest.raises(StoreError, match=r"is busy or restarting \(429, es_rejected_exec.*: the queue"):
            require_server(client)


def test_who_asks_for_no_patience_gets_none() -> None:
    with stub({"/": [(429, BUSY), (200, info("8.19.8"))]}) as url, connect(table(url, patience="60s")) as client:
        pauses = slept(client)
        with pytest.raises(StoreError, match="is busy"):
            require_server(client.options(max_retries=0))
        assert pauses == []


def test_patience_that_was_in_vain_comes_back_with_the_first_answer() -> None:
    port = free_port()
    with connect(table(f"http://127.0.0.1:{port}", patience=timedelta(milliseconds=200))) as client:
        pauses = slept(client)
        for _ in range(3):
            with pytest.raises(StoreError, match="cannot be reached"):
                require_server(client)
            waited, pauses[:] = len(pauses), []
            assert client.transport.in_vain is True  # type: ignore[attr-defined]
        assert waited == 0  # not the second time, nor the third
        answers = [(200, info("8.19.8")), (503, "<html>restarting</html>"), (200, info("8.19.8"))]
        with stub({"/": answers}, port=port):
            assert [require_server(client) for _ in range(2)] == [(8, 19)] * 2
        assert len(pauses) == 1


def slept(client: Elasticsearch) -> list[float]:
    """The pauses a client would have made; from now on it makes none."""
    pauses: list[float] = []
    assert isinstance(client.transport, PatientTransport)
    client.transport.sleep = pauses.append
    return pauses


# --- a cluster that is in trouble -----------------------------------------------------------------------------------


@pytest.fixture
def store(elastic_url: str, elastic_prefix: str, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(tmp_path, table(elastic_url, prefix=elastic_prefix), clock=CLOCK)
    yield opened
    opened.close()


def test_a_disk_that_is_full_is_said_by_name(store: Store, elastic_client: Elasticsearch, elastic_prefix: str) -> None:
    assert store.write([mention("before")]).created == (uid("before"),)
    index = f"{elastic_prefix}-mentions-v2-2026.11"
    block = "index.blocks.read_only_allow_delete"
    elastic_client.indices.put_settings(index=index, settings={block: True})
    with pytest.raises(StoreError) as caught:
        store.write([mention("during")])
    assert str(caught.value) == (
        f"the index {index} is read-only, for the disk of an Elasticsearch node is nearly full (flood stage): "
        "make room; Elasticsearch lifts the block itself when there is some"
    )
    elastic_client.indices.put_settings(index=index, settings={block: None})
    assert store.write([mention("during")]).created == (uid("during"),)


def test_a_block_by_a_person_is_told_apart(elastic_client: Elasticsearch, elastic_prefix: str) -> None:
    index = f"{elastic_prefix}-a"
    elastic_client.indices.create(index=index, settings={"index.blocks.write": True})
    with pytest.raises(StoreError, match=f"the index {index} is blocked by a person or a program: "), guarded():
        elastic_client.index(index=index, document={"a": 1})
    entry = elastic_client.bulk(index=index, operations=[{"create": {}}, {"a": 1}])["items"][0]["create"]
    assert f"the index {index} is blocked" in str(refusal(entry["status"], entry["error"]))


def test_a_red_cluster_is_called_red(elastic_client: Elasticsearch, elastic_prefix: str) -> None:
    index = f"{elastic_prefix}-nowhere"
    nowhere = {"index.routing.allocation.require._name": "no such node"}
    elastic_client.indices.create(index=index, settings=nowhere, wait_for_active_shards=0)
    with pytest.raises(StoreError, match=r"is red \(503\): shards of the indices are on no node"), guarded():
        elastic_client.search(index=index)
    with pytest.raises(StoreError, match=r"is red \(503\)"), guarded():
        elastic_client.index(index=index, document={"a": 1}, timeout="10ms")


def test_no_word_of_a_mention_gets_into_an_error(elastic_client: Elasticsearch, elastic_prefix: str) -> None:
    index = f"{elastic_prefix}-strict"
    elastic_client.indices.create(index=index, mappings={"properties": {"at": {"type": "date"}, "n": {"type": "long"}}})
    for field in ("at", "n"):
        with pytest.raises(StoreError) as caught, guarded():
            elastic_client.index(index=index, document={field: "Geheimes von Frau Beispiel"})
        assert "document_parsing_exception" in str(caught.value)
        assert f"[{field}]" in str(caught.value)
        assert "Beispiel" not in str(caught.value)


def test_a_document_that_is_wrong_is_no_fault_of_the_server() -> None:
    assert refusal(400, {"type": "document_parsing_exception", "reason": "failed to parse"}) is None
    assert refusal(409, {"type": "version_conflict_engine_exception", "reason": "exists"}) is None
    assert "cannot write now (429" in str(refusal(429, {"type": "es_rejected_execution_exception", "reason": "full"}))
    assert "docker/cluster/role.json" in str(refusal(403, {"type": "security_exception", "reason": "unauthorized"}))


def test_no_master_is_said() -> None:
    body = {"error": {"type": "master_not_discovered_exception", "reason": None}, "status": 503}
    with (
        stub({"/": (503, body)}) as url,
        connect(table(url)) as client,
        pytest.raises(StoreError, match=r"has no elected master \(503\): too few of its nodes are up"),
    ):
        require_server(client)


def test_the_store_in_a_file_does_not_load_the_client(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from pipeline.clock import SystemClock;"
        "from pipeline.configuration import StoreTable; from pipeline.store.opening import open_store;"
        "open_store(Path(sys.argv[1]), StoreTable(), clock=SystemClock()).close();"
        "print([name for name in sys.modules if name.startswith('elastic')])"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- a server that answers as it is told --------------------------------------------------------------------------


Answer = tuple[int, Any]


def info(version: str) -> dict[str, Any]:
    """What a server says of itself."""
    return {"version": {"number": version}, "tagline": "You Know, for Search"}


@contextmanager
def stub(
    answers: dict[str, Answer | list[Answer]],
    *,
    product: str | None = "Elasticsearch",
    host: str = "127.0.0.1",
    port: int = 0,
    certs: Path | None = None,
) -> Iterator[str]:
    """A server on loopback; of a list each answer is given once, the last one for ever."""

    class Requests(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = answers.get(self.path, (404, "<html>Not found</html>"))
            if isinstance(found, list):
                found = found.pop(0) if len(found) > 1 else found[0]
            status, content = found
            kind = "text/html" if isinstance(content, str) else "application/json"
            body = content if isinstance(content, bytes) else content.encode() if isinstance(content, str) else None
            body = json.dumps(content).encode() if body is None else body
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if product:
                self.send_header("X-Elastic-Product", product)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            pass

    server = Quiet((host, port), Requests)
    if certs is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certs / "node.pem", certs / "node.key")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{'https' if certs else 'http'}://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
