"""Care of a data folder: backup, restore, upgrade, what is kept how long."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from pipeline.clock import Clock
from pipeline.configuration import Configuration, StateTable, StoreTable
from pipeline.quoting import blank_messages
from pipeline.secrets import KEY_FILE
from pipeline.spool import Spool
from pipeline.state import opening
from pipeline.state.copying import CopyRefused, copy_state, require_empty
from pipeline.state.database import State
from pipeline.state.place import on_server
from pipeline.state.restored import RESTORED, restored_at
from pipeline.state.tables import meta, outbox, result, result_list
from pipeline.store.export import export, load
from pipeline.store.opening import open_store, schema_of, upgrade_store
from pipeline.store.protocol import Store, StoreError
from pipeline.store.side import side_of
from pipeline.words import OutboxState

MANIFEST = "manifest.json"
STATE, MENTIONS = "state.db", "mentions.db"
EXPORT = "mentions.ndjson.gz"
"""Mentions from a server: what has no file of its own goes into a backup as lines."""

__all__ = ["BackupError", "backup", "purge", "release_messages", "restore", "restored_at", "upgrade"]

Progress = Callable[[str], None]


class BackupError(Exception):
    """A backup cannot be made or read; the message says which part and what to do."""


def backup(
    folder: Path,
    target: Path,
    *,
    clock: Clock,
    progress: Progress = lambda part: None,
    table: StateTable | None = None,
    store: StoreTable | None = None,
) -> Path:
    """Write a consistent copy of a data folder, taken while it is in use, to one tar file; returns its path.

    The state database is copied first, then the spool, then the mentions, so that no cursor stands before its
    mentions, and what leaves the spool meanwhile is found in the store. A state database on the server that ``table``
    names, and mentions on the one that ``store`` names, are copied into the same file.
    """
    if not (on_server(table) or (folder / STATE).exists()):
        raise BackupError(f"{folder} holds no data: nothing to back up")
    if target.exists():
        raise BackupError(f"{target} exists already: choose another name")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-") as name:
        work = Path(name)
        progress(STATE)
        if on_server(table):
            _copy_server(folder, table, work / STATE)
        else:
            _copy_sqlite(folder / STATE, work / STATE)
        progress("spool")
        Spool(folder / "spool").copy_to(work / "spool")
        progress(MENTIONS)
        _copy_mentions(folder, work, store or StoreTable(), clock)
        for part in (KEY_FILE, "raw"):
            progress(part)
            _copy(folder / part, work / part)
        _write_manifest(work, clock.now())
        progress(target.name)
        partial = target.with_suffix(target.suffix + ".part")
        with tarfile.open(partial, "w") as archive:
            for path in sorted(work.iterdir()):
                archive.add(path, path.name)
        partial.replace(target)
    return target


def restore(
    source: Path,
    folder: Path,
    *,
    clock: Clock,
    force: bool = False,
    table: StateTable | None = None,
    store: StoreTable | None = None,
) -> None:
    """Put a backup into a data folder, every part checked against the manifest first.

    Messages that had not been sent are held until a person releases them. Who was erased from the folder after the
    backup was made stays erased: the bar is carried over, and the next start applies it. Raises BackupError.

    With a server that ``table`` names the state goes there, into an empty database only: erasures since the backup are
    then in the database that it replaces, and to be repeated by hand. Mentions go to where ``store`` keeps them, on a
    server only where none are.
    """
    if folder.exists() and any(folder.iterdir()) and not force:
        raise BackupError(f"{folder} is not empty: choose an empty folder, or say --force to replace it")
    if not tarfile.is_tarfile(source):
        raise BackupError(f"{source} is no backup of Sturmwarte")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".restore-") as name:
        work = Path(name)
        with tarfile.open(source) as archive:
            archive.extractall(work, filter="data")
        _check_manifest(work, source)
        _keep_erasures(folder / STATE, work / STATE)
        _hold_messages(work, clock.now())
        if on_server(table):
            _check_server(work, table)  # before any target is written: what refuses then leaves all of them empty
        _place_mentions(work, store or StoreTable(), clock)
        if on_server(table):
            _move_to_server(work, table)
        if folder.exists():
            shutil.rmtree(folder)
        shutil.copytree(work, folder)
    (folder / MANIFEST).unlink()


def upgrade(
    folder: Path, *, clock: Clock, progress: Progress = lambda part: None, table: StateTable | None = None
) -> list[str]:
    """Bring both databases of a folder to this program's version, after a backup beside it; returns what was done.

    A server's state database is brought to it in one transaction, without a backup: that is made with its own tools.
    """
    if not (on_server(table) or (folder / STATE).exists()):
        raise BackupError(f"{folder} holds no data: nothing to upgrade")
    folder.mkdir(parents=True, exist_ok=True)
    state = opening.connect_state(folder, table)
    with closing(state):
        before = opening.version_of(state)
        schema_before, schema_now = schema_of(folder)
        if before == opening.HEAD and schema_before == schema_now:
            return []
        stamp = clock.now().strftime("%Y%m%d-%H%M%S")
        safe = folder.parent / f"{folder.name}-before-upgrade-{stamp}.tar"
        _plain_copy(folder, safe)
        done = [f"copy of the old data: {safe}"]
        if before != opening.HEAD:
            progress(STATE)
            opening.migrate(state)
            done.append(f"{opening.place_of(state) if state.server else STATE}: {before} → {opening.HEAD}")
    if schema_before != schema_now:
        progress(MENTIONS)
        upgrade_store(folder)
        done.append(f"{MENTIONS}: {schema_before} → {schema_now}")
    return done


def purge(configuration: Configuration, store: Store, state: State, now: datetime) -> dict[str, int]:
    """Remove what is older than the retention: mentions, and result lists and messages, which quote them.

    Of a message that is done with only the bytes go: that it was sent is what keeps it from being sent again.

    Raw pages and the record of fetches are the crawl's to remove.
    """
    limit = now - configuration.retention.mentions
    mentions = store.purge(limit)
    if (side := side_of(store)) is not None:
        side.purge(limit)
    with state.begin() as connection:
        old = sa.select(result_list.c.id).where(result_list.c.at < limit)
        connection.execute(sa.delete(result).where(result.c.list.in_(old)))
        lists = connection.execute(sa.delete(result_list).where(result_list.c.at < limit)).rowcount
        messages = blank_messages(connection, outbox.c.composed < limit)
    return {"mentions": mentions, "result_lists": lists, "messages": messages}


def release_messages(state: State, now: datetime) -> int:
    """Let messages go that were held since a restore; returns how many."""
    with state.begin() as connection:
        held = sa.update(outbox).where(outbox.c.state == OutboxState.HELD.value)
        return connection.execute(held.values(state=OutboxState.READY.value, next_try=now)).rowcount


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_copy_what_is_left)
    elif source.exists():
        shutil.copy2(source, target)


def _copy_what_is_left(source: str, target: str) -> None:
    """Pages may be purged while they are copied."""
    with suppress(FileNotFoundError):
        shutil.copy2(source, target)


def _copy_server(folder: Path, table: StateTable | None, target: Path) -> None:
    with (
        closing(opening.connect_state(folder, table)) as server,
        closing(State(f"sqlite:///{target}")) as copy,
    ):
        _copied(server, copy)


def _check_server(work: Path, table: StateTable | None) -> None:
    """Raise BackupError where the restored state could not go there. The copy is brought to this version."""
    with (
        closing(State(f"sqlite:///{work / STATE}")) as copy,
        closing(opening.connect_state(work, table)) as server,
    ):
        if opening.version_of(copy) != opening.HEAD:
            opening.migrate(copy)
        try:
            require_empty(server)
        except CopyRefused as refused:
            raise BackupError(str(refused)) from refused


def _move_to_server(work: Path, table: StateTable | None) -> None:
    with (
        closing(State(f"sqlite:///{work / STATE}")) as copy,
        closing(opening.connect_state(work, table)) as server,
    ):
        _copied(copy, server)
    for name in (STATE, f"{STATE}-wal", f"{STATE}-shm"):
        (work / name).unlink(missing_ok=True)


def _copied(source: State, target: State) -> None:
    try:
        copy_state(source, target)
    except CopyRefused as refused:
        raise BackupError(str(refused)) from refused


def _copy_sqlite(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


def _copy_mentions(folder: Path, work: Path, table: StoreTable, clock: Clock) -> None:
    """From wherever they are kept."""
    file = table.engine == "sqlite"
    if file and not (folder / MENTIONS).exists():
        return
    with closing(open_store(folder, table, clock=clock, read_only=True)) as store:
        store.backup(work / (MENTIONS if file else EXPORT))


def _place_mentions(work: Path, table: StoreTable, clock: Clock) -> None:
    """To wherever they are kept now, whichever engine they come from; what has been loaded leaves the folder."""
    lines, file = work / EXPORT, work / MENTIONS
    if table.engine == "sqlite" and not lines.exists():
        return
    try:
        if not lines.exists() and file.exists():
            with closing(open_store(work, StoreTable(), clock=clock, read_only=True)) as old:
                export(old.transfer(), lines)
            file.unlink()
        if lines.exists():
            with closing(open_store(work, table, clock=clock)) as store:
                load(store.transfer(), lines)
                store.refresh()
            lines.unlink()
    except StoreError as error:
        raise BackupError(f"the mentions cannot be put back: {error}") from error


def _plain_copy(folder: Path, target: Path) -> None:
    """A tar of the folder as it lies; only while nothing runs on it."""
    for name in (STATE, MENTIONS):
        if (folder / name).exists():
            with closing(sqlite3.connect(folder / name)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with tarfile.open(target, "w") as archive:
        archive.add(folder, folder.name)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write_manifest(work: Path, now: datetime) -> None:
    parts = {name: _digest(work / name) for name in (STATE, MENTIONS, EXPORT, KEY_FILE) if (work / name).exists()}
    (work / MANIFEST).write_text(json.dumps({"made": now.isoformat(), "sha256": parts}, indent=1), "utf-8")


def _check_manifest(work: Path, source: Path) -> None:
    try:
        parts = json.loads((work / MANIFEST).read_text("utf-8"))["sha256"]
    except (OSError, ValueError, KeyError) as error:
        raise BackupError(f"{source} is no backup of Sturmwarte: {MANIFEST} is missing or broken") from error
    for name, digest in parts.items():
        if not (work / name).exists() or _digest(work / name) != digest:
            raise BackupError(f"{source} is damaged: {name} is not what was backed up")


def _keep_erasures(old: Path, new: Path) -> None:
    """Enter into a restored state database what the replaced one has barred."""
    if not old.exists():
        return
    with closing(sqlite3.connect(old)) as connection:
        rows = connection.execute("SELECT uid, reason, at FROM erasure").fetchall()
    with closing(sqlite3.connect(new)) as connection, connection:
        connection.executemany("INSERT OR IGNORE INTO erasure (uid, reason, at) VALUES (?, ?, ?)", rows)


def _hold_messages(work: Path, now: datetime) -> None:
    with closing(State(f"sqlite:///{work / STATE}")) as state, state.begin() as connection:
        unsent = outbox.c.state == OutboxState.READY.value
        connection.execute(sa.update(outbox).where(unsent).values(state=OutboxState.HELD.value))
        connection.execute(sa.delete(meta).where(meta.c.key == RESTORED))
        connection.execute(sa.insert(meta).values(key=RESTORED, value=now.isoformat()))
    with closing(sqlite3.connect(work / STATE)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
