"""Moving house: the whole state database from one engine to the other, every row proven."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from pipeline.state import opening
from pipeline.state.database import State
from pipeline.state.tables import metadata

Progress = Callable[[int], None]
CHUNK = 500
_MODULUS = 1 << 128


class CopyRefused(Exception):
    """Nothing was copied; the message says why and what to do."""


class CopyDiffers(CopyRefused):
    """What arrived is not what was sent; nothing was kept."""


class Copied(msgspec.Struct, frozen=True, kw_only=True):
    """One table that stands in both databases alike."""

    table: str
    rows: int
    checksum: str
    """32 hex digits over all rows, whatever their order."""


def copy_state(source: State, target: State, progress: Progress = lambda rows: None) -> list[Copied]:
    """Copy every row of every table into an empty database; returns what was copied.

    The source is read as it stands at one moment. The target gets everything in one transaction, in which count and
    checksum of each table are compared with the source's before it is committed. ``progress`` is told how many more
    rows are done. Raises CopyRefused where the source is of another version, or the target holds anything, and
    CopyDiffers where what arrived is something else; then the target stays empty.
    """
    if opening.version_of(source) != opening.HEAD:
        raise CopyRefused(f"{opening.place_of(source)} is not of version {opening.HEAD}: run 'sturmwarte upgrade'")
    _prepare(target)
    with source.read() as old, target.begin() as new:
        _check_empty(new, target)
        done = [_copy(old, new, table, progress) for table in _tables()]
        for copied in done:
            found = _summed(new, metadata.tables[copied.table])
            if found != copied:
                raise CopyDiffers(f"{copied.table} arrived otherwise: {found} instead of {copied}; nothing was kept")
        _continue_numbers(new)
    return done


def require_empty(target: State) -> None:
    """Raise CopyRefused where a copy into this database would be refused; nothing is written."""
    if _version_for_copy(target) is not None:
        with target.read() as connection:
            _check_empty(connection, target)


def rows_in(state: State) -> int:
    """All rows of a state database."""
    with state.read() as connection:
        return sum(_count(connection, table) for table in _tables())


def _prepare(target: State) -> None:
    if _version_for_copy(target) is None:
        opening.migrate(target)


def _version_for_copy(target: State) -> str | None:
    """This release's, or None where there are no tables yet."""
    version = opening.version_of(target)
    if version not in (None, opening.HEAD):
        raise CopyRefused(f"{opening.place_of(target)} has version {version}; a copy needs an empty database")
    return version


def _check_empty(connection: sa.Connection, target: State) -> None:
    for table in _tables():
        if (n := _count(connection, table)) != 0:
            name = opening.place_of(target)
            raise CopyRefused(f"{name} is not empty: {n} rows in {table.name}; a copy needs an empty database")


def _tables() -> list[sa.Table]:
    return sorted(metadata.tables.values(), key=lambda table: table.name)


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


def _copy(old: sa.Connection, new: sa.Connection, table: sa.Table, progress: Progress) -> Copied:
    total, count = 0, 0
    for rows in _chunks(old, table):
        new.execute(sa.insert(table), rows)
        total, count = total + sum(_digest(row) for row in rows), count + len(rows)
        progress(len(rows))
    return Copied(table=str(table.name), rows=count, checksum=f"{total % _MODULUS:032x}")


def _summed(connection: sa.Connection, table: sa.Table) -> Copied:
    total, count = 0, 0
    for rows in _chunks(connection, table):
        total, count = total + sum(_digest(row) for row in rows), count + len(rows)
    return Copied(table=str(table.name), rows=count, checksum=f"{total % _MODULUS:032x}")


def _chunks(connection: sa.Connection, table: sa.Table) -> Iterable[Sequence[dict[str, Any]]]:
    found = connection.execute(sa.select(table), execution_options={"yield_per": CHUNK})
    for rows in found.mappings().partitions():
        yield [dict(row) for row in rows]


def _digest(row: Mapping[str, Any]) -> int:
    text = json.dumps(dict(row), sort_keys=True, ensure_ascii=False, default=_plain)
    # the one character that PostgreSQL refuses is replaced when it is written, see ``tables.Text``
    return int.from_bytes(hashlib.blake2b(text.replace("\\u0000", "\ufffd").encode(), digest_size=16).digest())


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    raise TypeError(f"no plain form of {type(value).__name__}")


def _continue_numbers(connection: sa.Connection) -> None:
    """PostgreSQL counts new ids on its own: from behind the copied ones. SQLite looks at the largest."""
    if connection.dialect.name != "postgresql":
        return
    for table in _tables():
        column = table.autoincrement_column
        if column is not None:
            last = sa.select(sa.func.coalesce(sa.func.max(column), 0) + 1).scalar_subquery()
            sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
            connection.execute(sa.select(sa.func.setval(sequence, last, False)))
