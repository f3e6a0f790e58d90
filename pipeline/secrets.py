"""Secrets: the key of the pseudonyms, passwords from a file or the environment. None is ever printed."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

KEY_FILE = "author.key"


class SecretMissing(Exception):
    """A secret is needed and is not there; the message says where it was looked for."""


def author_key(folder: Path, *, data_present: bool) -> bytes:
    """The key of the pseudonyms in this data folder; made on first use, readable by the owner alone.

    Raises SecretMissing where there is data but no key: with a new key every person would count anew.
    """
    path = folder / KEY_FILE
    if path.exists():
        key = bytes.fromhex(path.read_text("ascii").strip())
        if len(key) != 32:
            raise SecretMissing(f"{path}: not a key of 32 bytes; restore it from a backup")
        return key
    if data_present:
        raise SecretMissing(
            f"{path} is missing although there are mentions: restore it from a backup, "
            "else every person would be counted as a new one"
        )
    folder.mkdir(parents=True, exist_ok=True)
    key = secrets.token_bytes(32)
    try:
        _create(path, key.hex() + "\n")
    except FileExistsError:  # another process was quicker
        return author_key(folder, data_present=data_present)
    return key


def _create(path: Path, text: str) -> None:
    """A file for our eyes only, whole or not there at all, whatever the disk does. Raises FileExistsError."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(new, path)
    finally:
        new.unlink(missing_ok=True)


def password(file: Path | None, variable: str, environment: Mapping[str, str] = os.environ) -> str | None:
    """The password from ``file`` if one is named, else from the environment variable; None where neither says one.

    Raises SecretMissing where the named file cannot be read.
    """
    if file is not None:
        try:
            return file.read_text("utf-8").strip()
        except OSError as error:
            raise SecretMissing(f"password file {file}: {error.strerror}") from error
    return environment.get(variable) or None
