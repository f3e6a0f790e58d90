"""The e-mail notifier against a real SMTP server on loopback: encryption, signing in, refusals in a person's words."""

from __future__ import annotations

import asyncio
import datetime as dt
import socket
import ssl
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from alerts.notifiers import PermanentFailure, TemporaryFailure
from alerts.notifiers.email import EmailNotifier
from alerts.notifiers.registry import build, notifiers
from pipeline.configuration import Configuration, Mail, Receiver

PAYLOAD = b"From: Sturmwarte <watch@example.org>\r\nTo: pr@example.org\r\nSubject: x\r\n\r\n.dot\r\nend\r\n"
PR = Receiver(address="pr@example.org")


class Post:
    """Handler of the test server: refuses what it is told to, keeps the rest."""

    def __init__(self) -> None:
        self.got: list[tuple[str, list[str], bytes]] = []
        self.rcpt, self.data, self.mail = "250 OK", "250 OK", "250 OK"
        self.encrypted: list[bool] = []

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        envelope.mail_from = address
        return self.mail

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.data.startswith("250"):
            self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.original_content))
            self.encrypted.append(session.ssl is not None)
        return self.data


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that only this test trusts."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def serve(certificate: tuple[Path, Path]) -> Iterator[Callable[..., tuple[Post, int]]]:
    """Starts servers: ``serve(tls=…, auth=…)`` gives the handler and the port."""
    running: list[Controller] = []

    def start(*, tls: bool = False, auth: bool = False) -> tuple[Post, int]:
        options: dict[str, Any] = {}
        if tls:
            options["tls_context"] = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            options["tls_context"].load_cert_chain(*certificate)
        if auth:
            options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": tls}
        post, port = Post(), free_port()
        controller = Controller(post, hostname="127.0.0.1", port=port, ready_timeout=60, **options)
        controller.start()
        running.append(controller)
        return post, port

    yield start
    for controller in running:
        controller.stop()


def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: LoginPassword) -> AuthResult:
    return AuthResult(success=(data.login, data.password) == (b"watch", b"s3cret"), handled=False)


def notifier(port: int, certificate: tuple[Path, Path] | None = None, **over: Any) -> EmailNotifier:
    mail = Mail.model_validate({"server": "127.0.0.1", "port": port, "security": "none", "timeout": "60s", **over})
    return EmailNotifier(mail, context=ssl.create_default_context(cafile=certificate[0]) if certificate else None)


def test_the_frozen_bytes_arrive_unchanged(serve: Callable[..., tuple[Post, int]]) -> None:
    post, port = serve()
    notifier(port).send(PAYLOAD, PR)
    assert post.got == [("watch@example.org", ["pr@example.org"], PAYLOAD)]


def test_starttls_and_password_from_a_file(
    serve: Callable[..., tuple[Post, int]], certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    post, port = serve(tls=True, auth=True)
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    notifier(port, certificate, security="starttls", user="watch", password_file=secret).send(PAYLOAD, PR)
    assert (len(post.got), post.encrypted) == (1, [True])


def test_wrong_password_is_temporary_and_never_shown(
    serve: Callable[..., tuple[Post, int]], certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    post, port = serve(tls=True, auth=True)
    monkeypatch.setenv("STURMWARTE_MAIL_PASSWORD", "gue55ed")
    with pytest.raises(TemporaryFailure, match="refuses user watch") as failed:
        notifier(port, certificate, security="starttls", user="watch").send(PAYLOAD, PR)
    assert failed.value.everyone
    assert "gue55ed" not in str(failed.value)
    assert post.got == []


def test_an_unknown_certificate_sends_nothing(serve: Callable[..., tuple[Post, int]]) -> None:
    post, port = serve(tls=True)
    with pytest.raises(TemporaryFailure, match=r"no secure connection to 127\.0\.0\.1"):
        notifier(port, security="starttls").send(PAYLOAD, PR)
    assert post.got == []


def test_without_starttls_offered_nothing_falls_back_to_clear(serve: Callable[..., tuple[Post, int]]) -> None:
    post, port = serve()
    with pytest.raises(TemporaryFailure, match="does not offer encryption by STARTTLS; nothing was sent"):
        notifier(port, security="starttls").send(PAYLOAD, PR)
    assert post.got == []


@pytest.mark.parametrize(
    ("where", "answer", "kind", "words"),
    [
        ("rcpt", "421 too many", TemporaryFailure, "broke off|does not take mail for pr@example.org: 421 too many"),
        ("rcpt", "450 greylisted", TemporaryFailure, "does not take mail for pr@example.org: 450 greylisted"),
        ("rcpt", "550 no such user", PermanentFailure, "does not take mail for pr@example.org: 550 no such user"),
        ("data", "452 disk full", TemporaryFailure, "refused the message to pr@example.org: 452 disk full"),
        ("data", "554 too big", PermanentFailure, "refused the message to pr@example.org: 554 too big"),
        ("mail", "553 who are you", TemporaryFailure, "does not take mail from watch@example.org: 553 who are you"),
    ],
)
def test_refusals_in_words(
    serve: Callable[..., tuple[Post, int]], where: str, answer: str, kind: type[Exception], words: str
) -> None:
    post, port = serve()
    setattr(post, where, answer)
    with pytest.raises(kind, match=words):
        notifier(port).send(PAYLOAD, PR)
    assert post.got == []


def test_nobody_there_is_temporary_for_everyone() -> None:
    with pytest.raises(TemporaryFailure, match="cannot be reached: Connection refused") as failed:
        notifier(free_port()).send(PAYLOAD, PR)
    assert failed.value.everyone


def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = notifier(silent.getsockname()[1], timeout="0.2s")
        with pytest.raises(TemporaryFailure, match="no answer in time"):
            mute.send(PAYLOAD, PR)


def test_an_accepted_message_stays_accepted_when_the_goodbye_fails(serve: Callable[..., tuple[Post, int]]) -> None:
    post, port = serve()

    async def rude(server: Any, session: Any, envelope: Any) -> str:
        await asyncio.sleep(0)
        return "451 not now"

    post.handle_QUIT = rude  # type: ignore[attr-defined]
    notifier(port).send(PAYLOAD, PR)
    assert len(post.got) == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"server": ""}, "no mail server is set"),
        ({"server": "mail.example.org", "user": "watch"}, "the password would travel readable to mail.example.org"),
        ({"user": "watch", "password_env": "NOT_SET_ANYWHERE"}, "no password: .*NOT_SET_ANYWHERE"),
        ({"user": "watch", "password_file": "/nowhere/at/all"}, "password file /nowhere/at/all"),
    ],
)
def test_settings_that_cannot_work_are_said_before_connecting(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(TemporaryFailure, match=words):
        notifier(1, **settings).send(PAYLOAD, PR)


@pytest.mark.parametrize("address", ["", "nobody", "a b@example.org", "a@b@c", "pr@example.org\r\nRCPT TO:<x@y>"])
def test_what_is_no_address_is_never_given_to_the_server(address: str) -> None:
    with pytest.raises(PermanentFailure, match="is no e-mail address"):
        notifier(1).send(PAYLOAD, Receiver(address=address))


def test_the_registry_finds_it_with_its_documentation() -> None:
    kinds = notifiers()
    assert kinds["email"] is EmailNotifier
    for kind in kinds.values():
        assert kind.description and kind.example
        assert kind.Options.model_config.get("extra") == "forbid"
    configuration = Configuration.model_validate({"receivers": {"pr": {"address": "pr@example.org"}}})
    assert list(build(configuration)) == ["email"]
