"""E-mail through one SMTP server. What goes wrong is told so that a person knows what to mend."""

from __future__ import annotations

import email
import email.policy
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.utils import parseaddr
from ipaddress import ip_address
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict

from alerts.notifiers import PermanentFailure, TemporaryFailure
from pipeline.configuration import Configuration, Mail, Receiver
from pipeline.secrets import SecretMissing, password


class EmailNotifier:
    """Sends over STARTTLS, TLS or, on this machine or without a password, in the clear."""

    name: ClassVar[str] = "email"
    description: ClassVar[str] = "E-mail through an SMTP server, with text, HTML and the chart in one message."
    example: ClassVar[str] = (
        '[receivers.pr]\nnotifier = "email"\naddress = "pr@example.org"\nname = "PR-Dienst"\n'
        'language = "de"\nmin_level = 2\n'
    )

    class Options(BaseModel):
        """An e-mail receiver has no further keys."""

        model_config = ConfigDict(extra="forbid")

    def __init__(self, mail: Mail, *, context: ssl.SSLContext | None = None) -> None:
        self.mail, self._context = mail, context

    @classmethod
    def of(cls, configuration: Configuration) -> Self:
        """As ``[mail]`` sets it up."""
        return cls(configuration.mail)

    def problem(self) -> str | None:
        """What keeps every mail from being sent, as far as the settings tell."""
        mail = self.mail
        if not mail.server:
            return "no mail server is set: [mail] server"
        if mail.user and mail.security == "none" and not _is_this_machine(mail.server):
            return (
                f"[mail] user is set and security is none: the password would travel readable to {mail.server}; "
                "set security to starttls or tls"
            )
        if mail.user and (missing := self._password_problem()):
            return missing
        return None

    def send(self, payload: bytes, receiver: Receiver) -> None:
        """One mail to one receiver. Raises TemporaryFailure or PermanentFailure."""
        if problem := self.problem():
            raise TemporaryFailure(problem, everyone=True)
        sender = _sender(payload)
        address = _address(receiver)
        with self._connected() as server:
            self._hand_over(server, sender, address, payload)

    def _hand_over(self, server: smtplib.SMTP, sender: str, address: str, payload: bytes) -> None:
        """MAIL, RCPT, DATA. Only what the server says about the receiver or the message is final."""
        host = self.mail.server
        try:
            server.sendmail(sender, [address], payload)
        except smtplib.SMTPRecipientsRefused as refused:
            code, words = refused.recipients[address]
            raise _by_code(code, f"{host} does not take mail for {address}", words) from refused
        except smtplib.SMTPSenderRefused as refused:
            message = f"{host} does not take mail from {sender}: {_words(refused.smtp_code, refused.smtp_error)}"
            raise TemporaryFailure(message, everyone=True) from refused
        except smtplib.SMTPDataError as refused:
            raise _by_code(
                refused.smtp_code, f"{host} refused the message to {address}", refused.smtp_error
            ) from refused
        except (smtplib.SMTPException, OSError) as error:
            raise TemporaryFailure(f"the connection to {host} broke off: {_reason(error)}", everyone=True) from error

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        """A connection, secured and signed in. What comes after the hand-over no longer counts."""
        server = self._open()
        try:
            self._secure_and_sign_in(server)
            yield server
            with suppress(smtplib.SMTPException, OSError):
                server.quit()
        finally:
            server.close()

    def _open(self) -> smtplib.SMTP:
        mail, seconds = self.mail, self.mail.timeout.total_seconds()
        try:
            if mail.security == "tls":
                return smtplib.SMTP_SSL(mail.server, mail.port, timeout=seconds, context=self._tls())
            return smtplib.SMTP(mail.server, mail.port, timeout=seconds)
        except smtplib.SMTPConnectError as refused:
            message = f"{mail.server} turns us away: {_words(refused.smtp_code, refused.smtp_error)}"
            raise TemporaryFailure(message, everyone=True) from refused
        except (smtplib.SMTPException, OSError) as error:
            message = f"{mail.server}, port {mail.port} cannot be reached: {_reason(error)}"
            raise TemporaryFailure(message, everyone=True) from error

    def _secure_and_sign_in(self, server: smtplib.SMTP) -> None:
        mail = self.mail
        try:
            if mail.security == "starttls":
                server.starttls(context=self._tls())
            if mail.user:
                server.login(mail.user, self._password())
        except smtplib.SMTPNotSupportedError as error:
            what = "encryption by STARTTLS" if mail.security == "starttls" and not _encrypted(server) else "signing in"
            raise TemporaryFailure(f"{mail.server} does not offer {what}; nothing was sent", everyone=True) from error
        except smtplib.SMTPAuthenticationError as error:
            message = f"{mail.server} refuses user {mail.user} with this password ({error.smtp_code})"
            raise TemporaryFailure(message, everyone=True) from error
        except (smtplib.SMTPException, OSError) as error:
            message = f"no secure connection to {mail.server}: {_reason(error)}"
            raise TemporaryFailure(message, everyone=True) from error

    def _tls(self) -> ssl.SSLContext:
        return self._context or ssl.create_default_context()

    def _password(self) -> str:
        """Read anew each time, so that a change needs no restart. Raises SecretMissing."""
        return password(self.mail.password_file, self.mail.password_env) or ""

    def _password_problem(self) -> str | None:
        try:
            found = self._password()
        except SecretMissing as missing:
            return str(missing)
        return (
            None
            if found
            else (f"[mail] user is set, but no password: set password_file or the variable {self.mail.password_env}")
        )


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _encrypted(server: smtplib.SMTP) -> bool:
    return isinstance(server.sock, ssl.SSLSocket)


def _sender(payload: bytes) -> str:
    """The bare address of From: what the envelope names."""
    head = email.message_from_bytes(payload, policy=email.policy.default)
    return parseaddr(str(head["From"]))[1]


def _address(receiver: Receiver) -> str:
    address = receiver.address.strip()
    if not address.isascii() or address.count("@") != 1 or not address.isprintable() or " " in address:
        raise PermanentFailure(f"{receiver.address!r} is no e-mail address")
    return address


def _by_code(code: int, what: str, said: bytes | str) -> TemporaryFailure | PermanentFailure:
    """5xx is final, everything else may pass later."""
    message = f"{what}: {_words(code, said)}"
    return PermanentFailure(message) if 500 <= code < 600 else TemporaryFailure(message)


def _words(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{code} {' '.join(text.split())}"[:300]


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError) or isinstance(error.__context__, TimeoutError):
        return "no answer in time"
    if isinstance(error, smtplib.SMTPResponseException):
        return _words(error.smtp_code, error.smtp_error)
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__)[:300]
