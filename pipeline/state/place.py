"""Which database the state is in: a file of the data folder, or the one that configuration or environment name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import sqlalchemy as sa

from pipeline.configuration import StateTable
from pipeline.secrets import password
from pipeline.state.database import sqlite_url

_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg")


class StateAddress(ValueError):
    """The address of the state database cannot be used; the message says why, without quoting it."""


def state_url(folder: Path, table: StateTable | None = None, environment: Mapping[str, str] = os.environ) -> sa.URL:
    """The address of the state database: the configured one, else that of the file in the data folder.

    Raises SecretMissing where a named file cannot be read, StateAddress where what is named is no such address.
    """
    text = _configured(table, environment)
    return parse_address(text) if text else sa.make_url(sqlite_url(folder))


def on_server(table: StateTable | None, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the state is in a server's database instead of the data folder. Raises SecretMissing."""
    return bool(_configured(table, environment))


def parse_address(text: str) -> sa.URL:
    """An address of PostgreSQL as people write it. Raises StateAddress; the text may hold a password."""
    scheme, _, rest = text.strip().partition("://")
    if scheme not in _SCHEMES or not rest:
        raise StateAddress("the state database needs an address like postgresql://user:password@host/sturmwarte")
    try:
        address = sa.make_url(f"postgresql://{rest}")
    except (sa.exc.ArgumentError, ValueError):
        raise StateAddress("the address of the state database cannot be read") from None
    if not address.database:
        raise StateAddress("the address of the state database names no database")
    return address


def _configured(table: StateTable | None, environment: Mapping[str, str]) -> str:
    if table is None:
        return ""
    return table.url.get_secret_value() or password(table.url_file, table.url_env, environment) or ""
