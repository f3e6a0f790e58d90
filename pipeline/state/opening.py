"""Opening the state database, in the data folder or on a server: made on first use, refused at another version."""

from __future__ import annotations

import re
from pathlib import Path

import sqlalchemy as sa

from pipeline.configuration import StateTable
from pipeline.state.database import State
from pipeline.state.place import state_url

HEAD = "0004"
"""Newest migration in ``pipeline/state/migrations/versions``; a test holds it to what is there."""
OLDEST_SERVER = 140_000
"""PostgreSQL 14, as the server numbers itself."""


class StateVersion(Exception):
    """The state database has another version than this program; the message names both and the remedy."""


class StateUnavailable(Exception):
    """The server of the state database does not answer, or cannot be used; the message says which and why."""


class StateAway(StateUnavailable):
    """It does not answer just now: the same may be done later, and nothing has to be changed."""


def open_state(folder: Path, table: StateTable | None = None) -> State:
    """The state database of a data folder, or the server's that ``table`` names.

    Raises StateVersion where it must be upgraded, or is newer than we are; StateUnavailable where a server cannot be
    reached or used; SecretMissing where a named password file cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = connect_state(folder, table)
    try:
        version = version_of(state)
        if version is None:
            migrate(state)
        elif version != HEAD:
            remedy = "run 'sturmwarte upgrade'" if version < HEAD else "install a newer Sturmwarte"
            raise StateVersion(f"{place_of(state)} has version {version}, this program needs {HEAD}: {remedy}")
    except sa.exc.ProgrammingError as error:  # such as a user who may make no tables there
        state.close()
        raise StateUnavailable(f"{place_of(state)} cannot be used: {first_line(error)}") from None
    except BaseException:
        state.close()
        raise
    return state


def connect_state(folder: Path, table: StateTable | None = None) -> State:
    """The same, of whatever version and perhaps still without tables. Raises StateUnavailable, SecretMissing."""
    state = State(state_url(folder, table))
    if state.server:
        try:
            _require_server(state)
        except BaseException:
            state.close()
            raise
    return state


def place_of(state: State) -> str:
    """Where a state database is, for people: the file, or the server without any password."""
    url = state.engine.url
    if not state.server:
        return str(url.database)
    host = url.host or url.query.get("host") or "localhost"
    return f"the PostgreSQL database {url.database} at {host}" + (f":{url.port}" if url.port else "")


def _require_server(state: State) -> None:
    """Raises StateUnavailable where the server does not answer, is too old or keeps text in another encoding."""
    try:
        with state.read() as connection:
            version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
            encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    except sa.exc.OperationalError as error:
        raise _unanswered(state, error) from None
    if version < OLDEST_SERVER:
        raise StateUnavailable(f"{place_of(state)} is version {version // 10_000}: PostgreSQL 14 or newer is needed")
    if encoding != "UTF8":
        raise StateUnavailable(f"{place_of(state)} has the encoding {encoding}: make it with ENCODING 'UTF8'")


def _unanswered(state: State, error: sa.exc.OperationalError) -> StateUnavailable:
    """Whether the server lets us not in, or is not there."""
    said = first_line(error)
    refused = _REFUSED.search(str(error.orig))
    if refused is None:
        return StateAway(f"{place_of(state)} cannot be reached: {said}")
    what = refused.lastgroup or ""
    return StateUnavailable(f"{place_of(state)} refuses {_REFUSES[what]}: {said.rpartition('FATAL:')[2].strip()}")


_REFUSED = re.compile(
    # the server speaks its own language, and tells no code before one is in
    r"(?P<password>password authentication failed|no password supplied|Passwort-Authentifizierung)"
    r"|(?P<user>authentication failed|not permitted to log in|pg_hba|[Rr]oll?e .* (?:does not exist|existiert nicht))"
    r"|(?P<database>[Dd](?:atabase|atenbank) .* (?:does not exist|existiert nicht)|permission denied for database)"
)
_REFUSES = {
    "password": "the password or the user: check the address in [state] url_file",
    "user": "the user: check the address in [state] url_file and the server's pg_hba.conf",
    "database": "the database: make it, or check the address in [state] url_file",
}


def is_gone(error: sa.exc.DBAPIError) -> bool:
    """Whether it says that a server is away, begins or ends: nothing that was asked is to blame."""
    if not isinstance(error, sa.exc.OperationalError) or not type(error.orig).__module__.startswith("psycopg"):
        return False
    code = getattr(error.orig, "sqlstate", None)
    return code is None or code.startswith(("08", "57P", "53300"))


def first_line(error: sa.exc.DBAPIError) -> str:
    """What the database says, without what it adds."""
    return (str(error.orig).strip().splitlines() or [type(error).__name__])[0]


def version_of(state: State) -> str | None:
    """The version a state database stands at; None for an empty one."""
    with state.read() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        version = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return None if version is None else str(version)


def migrate(state: State, target: str = "head") -> None:
    """Bring a state database to the newest version, in one transaction. Of several at once, one does it."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with state.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, target)
