"""New mails of a mailbox by IMAP: read without a mark, never deleted, over TLS, from addresses that may be asked."""

from __future__ import annotations

import imaplib
import socket
import ssl
from collections.abc import Callable
from datetime import date
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from crawlers.fetches import NotRead
from crawlers.guard import Guard
from pipeline.words import Answer

LARGEST = 1_000_000
"""Bytes of one mail that are read; what is behind are pictures."""
TIMEOUT = 30.0
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Box(msgspec.Struct, frozen=True):
    """Where a mailbox is."""

    host: str
    port: int
    folder: str
    tls: bool


class Mails(msgspec.Struct, frozen=True):
    """What was new: mails by their number, oldest first."""

    validity: int
    found: tuple[tuple[int, bytes], ...]
    last: int
    more: bool
    """Further new mails wait for the next visit."""


def box_of(url: str) -> Box:
    """The mailbox of ``imaps://host[:port]/FOLDER``. Raises ValueError with what is wrong."""
    parts = urlsplit(url)
    if parts.scheme not in ("imap", "imaps") or not parts.hostname:
        raise ValueError("a mailbox is given as imaps://host/INBOX")
    if parts.username is not None or parts.password is not None:
        raise ValueError("user and password of a mailbox do not stand in its address")
    tls = parts.scheme == "imaps"
    return Box(parts.hostname, parts.port or (993 if tls else 143), unquote(parts.path.strip("/")) or "INBOX", tls)


def new_mails(
    box: Box,
    user: str,
    secret: str,
    *,
    guard: Guard,
    context: Callable[[], ssl.SSLContext],
    since: date,
    validity: int | None,
    last: int,
    limit: int,
) -> Mails:
    """Mails after number ``last``, or those since a day where the mailbox was numbered anew.

    Blocks; raises NotRead with the reason where the mailbox cannot be read.
    """
    client: imaplib.IMAP4 | None = None
    try:
        client = _Client(box, guard, context() if box.tls else None)
        _sign_in(client, user, secret)
        return _read(client, box.folder, since, validity, last, limit)
    except (OSError, imaplib.IMAP4.error, ValueError) as error:
        raise NotRead(Answer.ERROR, f"the mailbox cannot be read: {type(error).__name__}") from None
    finally:
        if client is not None:
            client.shutdown()


class _Client(imaplib.IMAP4):
    """Connects to a checked address and no other; TLS with the host's own name."""

    def __init__(self, box: Box, guard: Guard, context: ssl.SSLContext | None) -> None:
        self._guard, self._tls = guard, context
        super().__init__(box.host, box.port, TIMEOUT)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        addresses = [str(one[4][0]) for one in found]
        for address in addresses:
            self._guard.check_address(self.host, ip_address(address.partition("%")[0]))
        if self._tls is None and not all(ip_address(one.partition("%")[0]).is_loopback for one in addresses):
            raise NotRead(Answer.ERROR, "a mailbox that is not on this machine is read over TLS alone: use imaps://")
        plain = socket.create_connection((addresses[0], self.port), timeout)
        return plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=self.host)


def _sign_in(client: imaplib.IMAP4, user: str, secret: str) -> None:
    try:
        client.login(user, secret)
    except imaplib.IMAP4.abort:
        raise
    except (imaplib.IMAP4.error, UnicodeEncodeError):  # whose words may repeat what was sent
        raise NotRead(Answer.GATED, "the mail server refuses user or password") from None


def _read(client: Any, folder: str, since: date, validity: int | None, last: int, limit: int) -> Mails:
    quoted = '"' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'
    state, _ = client.select(quoted, readonly=True)
    if state != "OK":
        raise NotRead(Answer.ERROR, "the mail server knows no such folder")
    told = client.response("UIDVALIDITY")[1]
    now = int(told[0]) if told and told[0] else 0
    if now == validity:
        asked = ("UID", f"{last + 1}:*")
    else:
        last, asked = 0, ("SINCE", f"{since.day}-{_MONTHS[since.month - 1]}-{since.year}")
    _, listed = client.uid("SEARCH", *asked)
    numbers = sorted({int(one) for line in listed or () if line for one in line.split() if int(one) > last})
    found = tuple((one, body) for one in numbers[:limit] if (body := _mail(client, one)) is not None)
    return Mails(now, found, max([last, *numbers[:limit]]), len(numbers) > limit)


def _mail(client: Any, uid: int) -> bytes | None:
    """One mail, unmarked; None where it is gone meanwhile."""
    _, parts = client.uid("FETCH", str(uid), f"(UID BODY.PEEK[]<0.{LARGEST}>)")
    return next((bytes(one[1]) for one in parts or () if isinstance(one, tuple) and len(one) > 1), None)
