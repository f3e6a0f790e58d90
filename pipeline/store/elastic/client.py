"""The way to Elasticsearch: addresses, certificates, credentials, patience; and its errors as sentences."""

from __future__ import annotations

import random
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from elastic_transport import ConnectionError as NotConnected
from elastic_transport import (
    ConnectionTimeout,
    NodeConfig,
    SerializationError,
    TlsError,
    Transport,
    TransportApiResponse,
    TransportError,
    Urllib3HttpNode,
)
from elastic_transport.client_utils import url_to_node_config
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError
from urllib3 import HTTPSConnectionPool

from pipeline.configuration import StoreTable
from pipeline.secrets import SecretMissing, password
from pipeline.store.protocol import StoreAway, StoreError
from pipeline.toml_checks import is_loopback

OLDEST = (8, 0)
"""Versions before this one have no index templates and no answers as this client reads them."""
BUSY = frozenset({429, 502, 503, 504})
"""Status of an answer that may be another one in a moment."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 3.0
"""Seconds before the second try, and the most between two tries; each is drawn between half and all of it."""
FIRST_ANSWER = 10.0
"""Seconds that the server may take to say what it is."""
CONNECTIONS = 16
"""Requests to one node at the same time; a further one waits."""


def connect(table: StoreTable) -> Elasticsearch:
    """A client for the configured nodes; nothing is sent yet.

    Raises StoreError where the configuration cannot be used, SecretMissing where a named file cannot be read.
    """
    if not table.urls:
        raise StoreError("[store] urls: the addresses of Elasticsearch are missing")
    nodes = [_node(url, table) for url in table.urls]
    client = Elasticsearch(
        nodes,
        transport_class=PatientTransport,
        node_class=ExactTrust,
        max_dead_node_backoff=5,
        **_credentials(table),
    )
    transport = client.transport
    assert isinstance(transport, PatientTransport)
    transport.patience = table.patience.total_seconds()
    transport.max_retries = len(nodes) - 1  # each other node once; then it is waited
    transport.retry_on_status = BUSY
    transport.retry_on_timeout = True
    return client


def require_server(client: Elasticsearch) -> tuple[int, int]:
    """Major and minor version of the server. Raises StoreError unless it is an Elasticsearch that we know."""
    with guarded():
        number = str(client.options(request_timeout=FIRST_ANSWER).info()["version"]["number"])
    found = re.match(r"(\d+)\.(\d+)", number)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version < OLDEST:
        raise StoreError(
            f"{_asked(client)} is version {number}: Elasticsearch {OLDEST[0]}.{OLDEST[1]} or newer is needed"
        )
    return version


def _node(url: str, table: StoreTable) -> NodeConfig:
    """One node. Passwords and texts travel readable only where that was asked for."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise StoreError("[store] urls: an address begins with http:// or https:// and names a host")
    if "@" in parts.netloc:
        raise StoreError("[store] urls: no name and no password belong into an address; use username and password_file")
    if parts.scheme == "http" and not is_loopback(url) and not table.plain_http:
        raise StoreError(
            f"[store] urls: {url} would send passwords and texts readable over the network; use https://, "
            "or say plain_http = true where the network is yours alone"
        )
    if table.ca_file is not None and not table.ca_file.is_file():
        raise StoreError(f"[store] ca_file: there is no file {table.ca_file}")
    node = url_to_node_config(url, use_default_ports_for_scheme=True)
    options: dict[str, Any] = {
        "request_timeout": table.timeout.total_seconds(),
        "connections_per_node": CONNECTIONS,
        "http_compress": not is_loopback(url),
    }
    if node.scheme == "https":
        options["ssl_context"] = _certificates(table)
    return node.replace(**options)


def _certificates(table: StoreTable) -> ssl.SSLContext:
    """Whom we believe: the named authority alone, else the ones this machine believes."""
    try:
        return ssl.create_default_context(cafile=str(table.ca_file) if table.ca_file else None)
    except OSError as error:  # ssl.SSLError is one
        raise StoreError(f"[store] ca_file: {table.ca_file} cannot be read as certificates") from error


class ExactTrust(Urllib3HttpNode):
    """Believes the authorities of its context and no others; the client would add the ones that browsers believe."""

    def __init__(self, config: NodeConfig) -> None:
        super().__init__(config)
        if isinstance(self.pool, HTTPSConnectionPool):
            self.pool.ca_certs = None


def _credentials(table: StoreTable) -> dict[str, Any]:
    """Name and password, or an API key, or nothing."""
    if table.username:
        secret = password(table.password_file, table.password_env)
        if secret is None:
            raise SecretMissing(
                f"[store] username is set, but no password: set password_file or the variable {table.password_env}"
            )
        return {"basic_auth": (table.username, secret)}
    key = password(table.api_key_file, table.api_key_env)
    if key is None:
        return {}
    if not re.fullmatch(r"[A-Za-z0-9+/=_-]+", key):
        raise StoreError("[store] the API key is none: give it as Elasticsearch prints it, in the field 'encoded'")
    return {"api_key": key}


# --- patience ---------------------------------------------------------------------------------------------------


class PatientTransport(Transport):
    """Tries again for a while when no node answers or the cluster is busy, with growing pauses of random length.

    What is sent may therefore arrive twice. A request that was answered too late is not repeated on the same node:
    it may be what keeps the node busy. ``max_retries=0`` in the options of a request asks for no patience. When it was
    in vain once, nobody waits again until there is an answer: else what goes to the spool, many requests for each
    batch, would come slower than it is read.
    """

    patience = 0.0
    """Seconds after its beginning until which a request is tried again."""
    in_vain = False
    """Whether the servers were away for the whole of the last request that was patient."""
    sleep: Callable[[float], None] = staticmethod(time.sleep)

    def perform_request(self, method: str, target: str, **options: Any) -> TransportApiResponse:
        """One request, tries and all. Errors carry the addresses that were asked, as ``asked``."""
        patience = 0.0 if self.in_vain or options.get("max_retries") == 0 else self.patience
        end, pause = time.monotonic() + patience, FIRST_PAUSE
        while True:
            try:
                response = super().perform_request(method, target, **options)
            except TransportError as error:
                over = time.monotonic() >= end
                if over or isinstance(error, TlsError | ConnectionTimeout | SerializationError):
                    self.in_vain = self.in_vain or (over and patience > 0)
                    error.asked = self.asked()  # type: ignore[attr-defined]
                    raise
            else:
                away = _may_change(response)
                if not away or time.monotonic() >= end:
                    self.in_vain = away and (self.in_vain or patience > 0)
                    return response
            self.sleep(min(pause * random.uniform(0.5, 1), max(0.0, end - time.monotonic())))
            pause = min(pause * 2, LONGEST_PAUSE)

    def asked(self) -> str:
        """The nodes, for people."""
        return ", ".join(sorted(node.base_url for node in self.node_pool.all()))


def wait_longer(client: Elasticsearch, seconds: float) -> Callable[[], None]:
    """Let requests of this client be tried again for at least so long, until what is given back is called.

    For work of hours, which a restart of a node should not end.
    """
    transport = client.transport
    if not isinstance(transport, PatientTransport):
        return lambda: None
    before, transport.patience = transport.patience, max(transport.patience, seconds)

    def end() -> None:
        transport.patience = before

    return end


def _may_change(response: TransportApiResponse) -> bool:
    """Whether the same request may soon be answered otherwise. A disk that is full stays so for longer."""
    return response.meta.status in BUSY and _kind(response.body) != "cluster_block_exception"


def _asked(client: Elasticsearch) -> str:
    transport = client.transport
    return f"Elasticsearch at {transport.asked()}" if isinstance(transport, PatientTransport) else "Elasticsearch"


# --- errors as sentences ----------------------------------------------------------------------------------------


@contextmanager
def guarded() -> Iterator[None]:
    """What the client raises inside leaves as StoreError: a sentence with what to do, and no word of a mention."""
    try:
        yield
    except (ApiError, TransportError, UnsupportedProductError) as error:
        raise explain(error) from error


def explain(error: Exception) -> StoreError:
    """The sentence for an error of the client; a StoreAway where only the server has to come back."""
    if isinstance(error, UnsupportedProductError):
        return StoreError(f"the server at {_node_of(error)} answers, but is no Elasticsearch: check [store] urls")
    if isinstance(error, ApiError):
        return _refused(error)
    place = f"Elasticsearch at {getattr(error, 'asked', '') or 'the configured addresses'}"
    if isinstance(error, ConnectionTimeout):
        return StoreAway(f"{place} did not answer in time: it is overloaded, stopped or unreachable")
    if isinstance(error, TlsError):
        return StoreError(f"{place}: {_about_tls(error)}")
    if isinstance(error, SerializationError):
        return StoreError(f"{place} gives an answer that is none of Elasticsearch: check [store] urls")
    if isinstance(error, NotConnected):
        return StoreAway(f"{place} cannot be reached: {_cause(error)}")
    return StoreError(f"{place} failed: {type(error).__name__}")


def refusal(status: int, error: Mapping[str, Any]) -> StoreError | None:
    """For one entry of a bulk answer: the sentence where the server is at fault; None where it is the document."""
    kind = str(error.get("type", ""))
    if kind == "cluster_block_exception":
        return _blocked(_reason(error))
    if status in (401, 403):
        return StoreError(_forbidden(_reason(error)))
    if status in BUSY or status >= 500:
        return StoreAway(f"Elasticsearch cannot write now ({status}, {kind}): {_reason(error)}")
    return None


def _refused(error: ApiError) -> StoreError:
    status, body = error.meta.status, error.body
    kind, reason = _kind(body), _reason(_inner(body))
    place = f"Elasticsearch at {_node_of(error)}"
    if status == 401:
        return StoreError(
            f"{place} does not accept these credentials (401): "
            "check [store] username and password_file, or api_key_file"
        )
    if kind == "cluster_block_exception":
        return _blocked(reason)
    if status == 403:
        return StoreError(_forbidden(reason))
    if status == 406 or kind == "media_type_header_exception":
        return StoreError(f"{place} is too old: Elasticsearch {OLDEST[0]}.{OLDEST[1]} or newer is needed")
    if kind == "master_not_discovered_exception":
        return StoreAway(f"{place} has no elected master ({status}): too few of its nodes are up")
    if _without_shards(body):
        return StoreAway(
            f"{place} is red ({status}): shards of the indices are on no node; look at its nodes and disks"
        )
    if status in BUSY:
        return StoreAway(f"{place} is busy or restarting ({status}{', ' + kind if kind else ''}): {reason}")
    if not kind:
        return StoreError(
            f"the server at {_node_of(error)} answers {status}, and not as Elasticsearch: check [store] urls"
        )
    return StoreError(f"{place} refuses ({status}, {kind}): {reason}")


def _forbidden(reason: str) -> str:
    return (
        "Elasticsearch does not allow it (403): give the user or API key the role of docker/cluster/role.json; "
        f"it says: {reason}"
    )


def _blocked(reason: str) -> StoreError:
    """A full disk and a missing master pass by themselves; what a person has blocked stays so."""
    passes = any(f"/{number}/" in reason for number in _PASSING)
    return (StoreAway if passes else StoreError)(blocked(reason))


_PASSING = (1, 2, 12)
"""Numbers of blocks that Elasticsearch lifts itself: starting, no master, flood stage."""


def blocked(reason: str) -> str:
    """The sentence for a block. Blocks have names: ``index [x] blocked by: [TOO_MANY_REQUESTS/12/disk usage …]``."""
    names = ", ".join(dict.fromkeys(re.findall(r"index \[([^\]]+)\]", reason)))
    index = f"the index {names}" if names else "the cluster"
    if "/12/" in reason:
        return (
            f"{index} is read-only, for the disk of an Elasticsearch node is nearly full (flood stage): make room; "
            "Elasticsearch lifts the block itself when there is some"
        )
    if any(f"/{number}/" in reason for number in (1, 2)):
        return f"Elasticsearch has no elected master or is still starting: {reason}"
    return f"{index} is blocked by a person or a program: {reason}; remove the block from its settings"


def _about_tls(error: TlsError) -> str:
    whole = str(error.message)
    found = re.search(r"\[SSL[^\]]*\] (.*?)(?: \(_ssl|\)|$)", whole)
    text = found[1] if found else _cause(error)
    if "CERTIFICATE_VERIFY_FAILED" not in whole and "mismatch" not in whole and "doesn't match" not in whole:
        return f"no secure connection: {text}; if the server speaks no TLS, its address begins with http://"
    if "mismatch" in whole or "doesn't match" in whole:
        return f"its certificate is for another name: {text}; use the name in the certificate in [store] urls"
    if "expired" in text or "not yet valid" in text:
        return f"its certificate is not valid at this time: {text}"
    return (
        f"its certificate is signed by an authority that we do not know: {text}; set [store] ca_file to the file with "
        "that authority's certificate"
    )


def _cause(error: TransportError) -> str:
    """The innermost reason, without the repetition of its wrappers."""
    text = str(error.message)
    if "RemoteDisconnected" in text or "Connection aborted" in text or "reset by peer" in text:
        return "it closes the connection; if it speaks TLS, its address begins with https://"
    for needle, said in (
        ("Connection refused", "connection refused, nothing listens there"),
        ("Name or service not known", "there is no such host"),
        ("nodename nor servname", "there is no such host"),
        ("Temporary failure in name resolution", "the name cannot be resolved now"),
        ("No route to host", "no route to the host"),
        ("Network is unreachable", "the network is unreachable"),
    ):
        if needle in text:
            return said
    return re.sub(r"^.*: |\s*\(_ssl\.c:\d+\)|\[[A-Z_: ]+\] ", "", text).strip(" :()'") or type(error).__name__


def _node_of(error: ApiError | UnsupportedProductError) -> str:
    node = error.meta.node
    return f"{node.scheme}://{node.host}:{node.port}"


def _inner(body: object) -> Mapping[str, Any]:
    error = body.get("error") if isinstance(body, Mapping) else None
    return error if isinstance(error, Mapping) else {}


def _kind(body: object) -> str:
    return str(_inner(body).get("type", ""))


def _causes(error: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The error and what the shards said of it."""
    causes = error.get("root_cause")
    return [error, *(cause for cause in (causes if isinstance(causes, list) else []) if isinstance(cause, Mapping))]


def _reason(error: Mapping[str, Any]) -> str:
    """What the server says, without what it quotes of a document: those are people's words."""
    said = [str(cause["reason"]) for cause in _causes(error) if cause.get("reason")]
    text = next((one for one in said if one != "all shards failed"), "no reason given")
    text = _QUOTING.split(text)[0]
    return text if len(text) <= 400 else text[:399] + "…"


_QUOTING = re.compile(r"[.:,]? *(?:Preview of field's value|For input string|Current token|\[Source: )")


def _without_shards(body: object) -> bool:
    """Whether the cluster has no copy of an index that it should have."""
    error = _inner(body)
    if error.get("reason") == "all shards failed" and not error.get("root_cause"):
        return True
    return any(cause.get("type") in _NO_SHARDS for cause in _causes(error))


_NO_SHARDS = ("no_shard_available_action_exception", "unavailable_shards_exception")
