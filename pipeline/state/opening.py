"""Opening the state database of a data folder: made on first use, refused at another version."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from pipeline.state.database import State, sqlite_url

HEAD = "0002"
"""Newest migration in ``pipeline/state/migrations/versions``; a test holds it to what is there."""


class StateVersion(Exception):
    """The state database has another version than this program; the message names both and the remedy."""


def open_state(folder: Path) -> State:
    """The state database of a data folder. Raises StateVersion where it must be upgraded, or is newer than we are."""
    folder.mkdir(parents=True, exist_ok=True)
    state = State(sqlite_url(folder))
    version = version_of(state)
    if version is None:
        migrate(state)
    elif version != HEAD:
        state.close()
        remedy = "run 'sturmwarte upgrade'" if version < HEAD else "install a newer Sturmwarte"
        raise StateVersion(f"{folder / 'state.db'} has version {version}, this program needs {HEAD}: {remedy}")
    return state


def version_of(state: State) -> str | None:
    """The version a state database stands at; None for an empty one."""
    with state.read() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        version = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return None if version is None else str(version)


def migrate(state: State, target: str = "head") -> None:
    """Bring a state database to the newest version, in one transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with state.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, target)
