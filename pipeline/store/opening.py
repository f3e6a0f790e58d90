"""Which engine keeps the mentions of a data folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clock import Clock
from pipeline.configuration import StoreTable
from pipeline.secrets import SecretMissing
from pipeline.store.protocol import Store, StoreError
from pipeline.store.sqlite.migrations import schema_version, upgrade, version_of
from pipeline.store.sqlite.store import SqliteStore, none_erased

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from pipeline.store.elastic.migrating import Migration

FILE = "mentions.db"
READERS_PATIENCE = timedelta(seconds=1)
"""The most that reading tries again while nodes of a server are away."""


def open_store(
    folder: Path,
    table: StoreTable,
    *,
    clock: Clock,
    retention: timedelta | None = None,
    read_only: bool = False,
    erased: Callable[[Sequence[str]], set[str]] = none_erased,
) -> Store:
    """The store of a data folder: the file in it, or the server that ``table`` names.

    Raises StoreError where it is not there, cannot be used or is of another release.
    """
    if table.engine == "elasticsearch":
        return _on_elasticsearch(table, clock=clock, retention=retention, read_only=read_only, erased=erased)
    return SqliteStore(folder / FILE, clock=clock, retention=retention, read_only=read_only, erased=erased)


def is_there(folder: Path, table: StoreTable) -> bool:
    """Whether reading can begin; a server is taken to be there until it is asked."""
    return table.engine != "sqlite" or (folder / FILE).exists()


@contextmanager
def migration(table: StoreTable, *, clock: Clock) -> Iterator[Migration]:
    """What brings the store on the configured nodes to this release's mapping. Raises StoreError."""
    from pipeline.store.elastic.migrating import Migration

    with closing(connected(table)) as client:
        yield Migration(client, table.prefix, clock=clock, replicas=table.replicas)


def _on_elasticsearch(
    table: StoreTable,
    *,
    clock: Clock,
    retention: timedelta | None,
    read_only: bool,
    erased: Callable[[Sequence[str]], set[str]],
) -> Store:
    """The store on the configured nodes. Imported here: whoever keeps mentions in a file does not pay for it."""
    from pipeline.store.elastic.store import ElasticStore

    if read_only:  # somebody waits for a page; whoever writes has a spool and can wait
        table = table.model_copy(update={"patience": min(table.patience, READERS_PATIENCE)})
    client = connected(table)
    try:
        return ElasticStore(
            client,
            table.prefix,
            clock=clock,
            retention=retention,
            read_only=read_only,
            erased=erased,
            replicas=table.replicas,
        )
    except BaseException:
        client.close()
        raise


def connected(table: StoreTable) -> Elasticsearch:
    """A client of a server that is one of ours to use. Raises StoreError."""
    from pipeline.store.elastic.client import connect, require_server

    try:
        client = connect(table)
    except SecretMissing as error:
        raise StoreError(str(error)) from error
    try:
        require_server(client)
    except BaseException:
        client.close()
        raise
    return client


def schema_of(folder: Path) -> tuple[int, int]:
    """(schema of the file in the folder, schema of this release); without a file the two are equal."""
    path = folder / FILE
    if not path.exists():
        return schema_version, schema_version
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        return version_of(connection), schema_version


def upgrade_store(folder: Path) -> None:
    """Bring the file in the folder to this release's schema. Raises StoreError."""
    if (folder / FILE).exists():
        upgrade(folder / FILE)
