"""Indices and a database of the demonstration's own, on the servers a configuration names; removed when it is over."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.configuration import Configuration, StateTable, StoreTable

if TYPE_CHECKING:
    import sqlalchemy as sa

_LONGEST = 40
"""Characters of the operator's prefix that are kept in ours; the whole may have 63."""


class NoServers(Exception):
    """The configuration names neither Elasticsearch nor PostgreSQL."""


class Borrowed:
    """What the demonstration has on servers. ``tables``: [store] and [state] of its own configuration."""

    def __init__(self) -> None:
        self.tables = ""
        self.names: list[str] = []
        """For people: what will be removed."""


@contextmanager
def borrowed(file: Path, folder: Path) -> Iterator[Borrowed]:
    """Make what the demonstration needs on the servers that ``file`` names, and remove it at the end.

    Nothing else on them is touched: the index names begin with the configured prefix and an ending of our own, so that
    a role which is enough for Sturmwarte is enough for this; the database is a new one. ``folder`` gets the file with
    its address. Raises ConfigurationError, NoServers, StoreError, StateUnavailable, SecretMissing.
    """
    from pipeline.state.place import on_server
    from pipeline.toml import load
    from sturmwarte.registry import build_registry

    configuration = load(file, build_registry())
    store, state = configuration.store, configuration.state
    if store.engine != "elasticsearch" and not on_server(state):
        raise NoServers(str(file))
    ending = f"demo-{secrets.token_hex(4)}"
    made = Borrowed()
    with ExitStack() as stack:
        made.tables = stack.enter_context(_store(store, ending, made)) if store.engine == "elasticsearch" else ""
        if on_server(state):
            made.tables += stack.enter_context(_state(configuration, ending, folder, made))
        else:
            made.tables += '\n[state]\nurl_env = ""\n'
        yield made


@contextmanager
def _store(table: StoreTable, ending: str, made: Borrowed) -> Iterator[str]:
    from pipeline.store.elastic.client import connect, guarded, require_server

    prefix = f"{table.prefix[:_LONGEST]}-{ending}"
    with closing(connect(table)) as client:
        require_server(client)
        made.names.append(f"{prefix}-*")
        try:
            yield _written("store", table.model_copy(update={"prefix": prefix}))
        finally:
            with guarded():
                remove_indices(client, prefix)


def remove_indices(client: Any, prefix: str) -> None:
    """Remove all indices and index templates of a store; each by its name, for servers refuse wildcards."""
    found = client.indices.get(index=f"{prefix}-*", features="settings")
    for index in sorted(found.body):
        client.indices.delete(index=index, ignore_unavailable=True)
    templates = client.options(ignore_status=404).indices.get_index_template(name=f"{prefix}-*")
    for template in templates.body.get("index_templates", []):
        client.indices.delete_index_template(name=template["name"])


@contextmanager
def _state(configuration: Configuration, ending: str, folder: Path, made: Borrowed) -> Iterator[str]:
    from pipeline.state.opening import connect_state, place_of

    name = f"sturmwarte_{ending.replace('-', '_')}"
    with closing(connect_state(configuration.data, configuration.state)) as state:
        _carry_out(state.engine, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'", place_of(state))
        made.names.append(name)
        try:
            file = folder / "state_url"
            address = state.engine.url.set(drivername="postgresql", database=name)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
                stream.write(address.render_as_string(hide_password=False))
            yield _written("state", StateTable(url_file=file))
        finally:
            _carry_out(state.engine, f"DROP DATABASE {name} WITH (FORCE)", place_of(state))


def _carry_out(engine: sa.Engine, statement: str, place: str) -> None:
    """A statement that no transaction may hold. Raises StateUnavailable."""
    import sqlalchemy as sa

    from pipeline.state.opening import StateUnavailable

    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(statement)
    except sa.exc.DBAPIError as error:
        reason = (str(error.orig).strip().splitlines() or [str(error)])[0]
        raise StateUnavailable(f"{place}: {statement.partition(' TEMPLATE')[0]} was refused: {reason}") from None


def _written(name: str, table: StoreTable | StateTable) -> str:
    """A table as text, without what is at its default."""
    values = table.model_dump(mode="json", exclude_defaults=True)
    return "\n".join([f"\n[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in values.items())]) + "\n"
