"""Moving the state between SQLite and PostgreSQL: every table, every kind of value, and what is refused."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from postgres import Postgres, server_table

from pipeline import maintenance
from pipeline.clock import ManualClock
from pipeline.configuration import StateTable
from pipeline.state import copying, tables
from pipeline.state.copying import CopyRefused, copy_state, rows_in
from pipeline.state.database import State
from pipeline.state.opening import HEAD, StateVersion, connect_state, migrate, open_state, place_of

NOW = datetime(2026, 11, 22, 9, 30, 12, 345678, tzinfo=UTC)


def value(column: sa.Column[Any], number: int) -> Any:
    """Something that is hard to carry, of the column's type."""
    if isinstance(column.type, tables.Utc):
        return None if column.nullable and number % 3 == 0 else NOW + timedelta(microseconds=number)
    if isinstance(column.type, tables.Text):
        return None if column.nullable and number % 3 == 1 else f"{column.name} {number} „Ärger“ 🌩 \x00 \\u0000 '; DROP"
    plain: dict[type, Any] = {
        sa.Boolean: bool(number % 2),
        sa.Float: number / 3,
        sa.JSON: {"z": [1, None, 2.5, "ß\x00"], "a": {"n": number}},
        sa.LargeBinary: bytes(range(256)) * (number % 3),
        sa.BigInteger: 2**53 + number,
    }
    return next((made for kind, made in plain.items() if isinstance(column.type, kind)), number)


def fill(state: State, rows: int = 7) -> None:
    with state.begin() as connection:
        for table in tables.metadata.tables.values():
            for number in range(1, rows + 1):
                row = {column.name: value(column, number) for column in table.columns}
                if "id" in row and not isinstance(table.c.id.type, tables.Text):
                    row["id"] = number * 10
                connection.execute(sa.insert(table).values(row))


def content(state: State) -> dict[str, list[tuple[Any, ...]]]:
    with state.read() as connection:
        return {
            name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for name, table in tables.metadata.tables.items()
        }


def test_there_and_back_everything_is_the_same(tmp_path: Path, postgres_table: StateTable, monkeypatch: Any) -> None:
    monkeypatch.setattr(copying, "CHUNK", 3)
    with (
        closing(open_state(tmp_path / "old")) as old,
        closing(open_state(tmp_path, postgres_table)) as server,
        closing(open_state(tmp_path / "new")) as new,
    ):
        fill(old)
        told: list[int] = []
        there = copy_state(old, server, told.append)
        assert sum(told) == rows_in(old) == rows_in(server) == 7 * len(tables.metadata.tables)
        assert content(server) == content(old)
        assert copy_state(server, new) == there
        assert content(new) == content(old)
        assert {copied.rows for copied in there} == {7} and len({copied.checksum for copied in there}) == len(there)


def test_new_numbers_come_after_the_copied_ones(tmp_path: Path, postgres_table: StateTable) -> None:
    with closing(open_state(tmp_path / "old")) as old, closing(open_state(tmp_path, postgres_table)) as server:
        fill(old)
        copy_state(old, server)
        with server.begin() as connection:
            row = {"at": NOW, "who": "Erika", "what": "note", "details": {}}
            made = connection.execute(sa.insert(tables.audit).values(row)).inserted_primary_key
        assert made is not None and made[0] == 71


def test_a_target_that_holds_anything_is_refused_and_stays_as_it_was(
    tmp_path: Path, postgres_table: StateTable
) -> None:
    with closing(open_state(tmp_path / "old")) as old, closing(open_state(tmp_path, postgres_table)) as server:
        fill(old)
        with server.begin() as connection:
            connection.execute(sa.insert(tables.meta).values(key="a", value="b"))
        with pytest.raises(CopyRefused, match="not empty: 1 rows in meta"):
            copy_state(old, server)
        assert rows_in(server) == 1


def test_a_row_that_arrives_otherwise_leaves_nothing_behind(
    tmp_path: Path, postgres_table: StateTable, monkeypatch: Any
) -> None:
    with closing(open_state(tmp_path / "old")) as old, closing(open_state(tmp_path, postgres_table)) as server:
        fill(old)
        honest = copying._summed

        def wrong(connection: sa.Connection, table: sa.Table) -> copying.Copied:
            if table.name == "outbox":
                connection.execute(sa.update(table).where(table.c.id == 10).values(last_error="x"))
            return honest(connection, table)

        monkeypatch.setattr(copying, "_summed", wrong)
        with pytest.raises(CopyRefused, match="outbox arrived otherwise"):
            copy_state(old, server)
        assert rows_in(server) == 0


def test_a_backup_takes_the_state_from_the_server_and_a_restore_puts_it_into_an_empty_one(
    tmp_path: Path, postgres: Postgres
) -> None:
    table, folder = server_table(postgres), tmp_path / "data"
    clock = ManualClock(NOW)
    with closing(open_state(folder, table)) as server, server.begin() as connection:
        key = {"subject": "incident:1", "number": 1, "receiver": "pr", "notifier": "email", "message_id": "<a@b>"}
        times = {"composed": NOW, "next_try": NOW, "kind": "new", "payload": b"x", "state": "ready"}
        connection.execute(sa.insert(tables.outbox).values(**key, **times))
    with closing(open_state(folder)):
        pass  # an older file beside it, which must not be taken for the state
    saved = maintenance.backup(folder, tmp_path / "saved.tar", clock=clock, table=table)
    with pytest.raises(maintenance.BackupError, match="not empty"):
        maintenance.restore(saved, tmp_path / "restored", clock=clock, table=table)
    assert not (tmp_path / "restored").exists()
    fresh = server_table(postgres, empty=True)
    maintenance.restore(saved, tmp_path / "restored", clock=clock, table=fresh)
    assert not (tmp_path / "restored" / "state.db").exists()
    with closing(open_state(tmp_path / "restored", fresh)) as server, server.read() as connection:
        assert connection.execute(sa.select(tables.outbox.c.message_id, tables.outbox.c.state)).all() == [
            ("<a@b>", "held")
        ]
        assert maintenance.restored_at(connection) == NOW
    maintenance.restore(saved, tmp_path / "file", clock=clock)
    with closing(open_state(tmp_path / "file")) as state:
        assert rows_in(state) == 2


def test_an_older_server_is_refused_and_upgraded(tmp_path: Path, postgres: Postgres) -> None:
    table = server_table(postgres, empty=True)
    with closing(connect_state(tmp_path, table)) as state:
        migrate(state, "0002")
        place = place_of(state)
    with pytest.raises(StateVersion, match=r"PostgreSQL.*has version 0002.*sturmwarte upgrade"):
        open_state(tmp_path, table)
    done = maintenance.upgrade(tmp_path, clock=ManualClock(NOW), table=table)
    assert done[-1] == f"{place}: 0002 → {HEAD}" and "PostgreSQL" in place
    open_state(tmp_path, table).close()
