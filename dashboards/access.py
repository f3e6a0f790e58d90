"""Who may come in: the password, the signed session, the form token, and patience with guessers."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from collections import defaultdict, deque
from datetime import datetime, timedelta
from pathlib import Path

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from itsdangerous import BadSignature, URLSafeTimedSerializer

from pipeline.configuration import Configuration
from pipeline.secrets import password

SESSION_COOKIE, FORM_COOKIE = "sturmwarte_session", "sturmwarte_form"
SESSION_AGE = timedelta(hours=12)
TRIES, TRY_WINDOW = 5, timedelta(minutes=5)
KEY_FILE = "web.key"


class Gate:
    """Checks passwords and tokens. Holds no accounts: there is one password for the pages and the interface."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._hasher = PasswordHasher()
        self._hashes: dict[str, str] = {}
        self._known: set[bytes] = set()

    def secret(self, configuration: Configuration) -> str | None:
        """The configured password, or an argon2 hash of it; None where none is set."""
        return password(configuration.web.password_file, configuration.web.password_env)

    def fits(self, configuration: Configuration, offered: str) -> bool:
        """Whether the offered password is the configured one. Slow for a first or a wrong one, by design."""
        secret = self.secret(configuration)
        if secret is None:
            return False
        digest = self._digest(f"{secret}\n{offered}")
        if digest in self._known:
            return True
        try:
            self._hasher.verify(self._hash(secret), offered)
        except (VerificationError, InvalidHashError):
            return False
        self._known = {digest}
        return True

    def session(self, configuration: Configuration) -> str:
        """A signed session value; it ends with the password it was made for."""
        return self._sessions(configuration).dumps("in")

    def is_session(self, configuration: Configuration, value: str) -> bool:
        """Whether a session value is ours, fresh, and made with the present password."""
        try:
            self._sessions(configuration).loads(value, max_age=int(SESSION_AGE.total_seconds()))
        except BadSignature:
            return False
        return True

    def authorised(self, configuration: Configuration, header: str) -> bool:
        """Whether an Authorization header (Basic with any name, or Bearer) carries the password."""
        scheme, _, value = header.partition(" ")
        if scheme.lower() == "bearer":
            return self.fits(configuration, value.strip())
        if scheme.lower() != "basic":
            return False
        try:
            _, _, offered = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return self.fits(configuration, offered)

    def form_token(self, cookie: str) -> str:
        """The token a form must carry that was made for the browser with this cookie."""
        return self._digest(f"form\n{cookie}").hex()

    def is_form_token(self, cookie: str, token: str) -> bool:
        """Whether cookie and token belong together."""
        return bool(cookie) and hmac.compare_digest(self.form_token(cookie).encode(), token.encode("utf-8", "replace"))

    def _hash(self, secret: str) -> str:
        if secret.startswith("$argon2"):
            return secret
        if secret not in self._hashes:
            self._hashes = {secret: self._hasher.hash(secret)}
        return self._hashes[secret]

    def _sessions(self, configuration: Configuration) -> URLSafeTimedSerializer:
        fingerprint = self._digest(f"session\n{self.secret(configuration)}").hex()
        return URLSafeTimedSerializer(self._key, salt=fingerprint)

    def _digest(self, text: str) -> bytes:
        return hmac.new(self._key, text.encode("utf-8", "replace"), hashlib.sha256).digest()


class Patience:
    """Counts wrong passwords per address; too many in the window and nobody there is listened to."""

    def __init__(self) -> None:
        self._wrong: defaultdict[str, deque[datetime]] = defaultdict(deque)

    def exhausted(self, address: str, now: datetime) -> bool:
        """Whether this address has used up its tries."""
        wrong = self._wrong[address]
        while wrong and wrong[0] <= now - TRY_WINDOW:
            wrong.popleft()
        return len(wrong) >= TRIES

    def note(self, address: str, now: datetime) -> None:
        """One more wrong password."""
        self._wrong[address].append(now)


def signing_key(folder: Path) -> bytes:
    """The key of sessions and form tokens, kept in the data folder where there is one; else good for this process."""
    path = folder / KEY_FILE
    if path.exists():
        return bytes.fromhex(path.read_text("ascii").strip())
    key = secrets.token_bytes(32)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return signing_key(folder)
    except OSError:
        return key
    with os.fdopen(descriptor, "w") as file:
        file.write(key.hex() + "\n")
    return key
