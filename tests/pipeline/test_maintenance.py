"""Backup, restore and upgrade of a whole data folder."""

import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from alerts.incidents import get_incident
from pipeline import maintenance
from pipeline.clock import ManualClock
from pipeline.configuration import Configuration, StoreTable
from pipeline.query.tree import EVERYTHING
from pipeline.secrets import author_key
from pipeline.state import opening
from pipeline.state.opening import StateVersion, open_state
from pipeline.state.tables import metadata, outbox, result, result_list
from pipeline.store.opening import open_store
from pipeline.store.protocol import StoreError
from pipeline.store.sqlite import migrations
from pipeline.words import OutboxState

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CLOCK = ManualClock(NOW)
FIRST = Path(__file__).parents[1] / "fixtures" / "first_schema"
"""A data folder as the first committed schema wrote it: six mentions, one of them edited, and two incidents."""


@pytest.fixture
def old(tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(FIRST, folder)
    return folder


def test_a_folder_of_the_first_schema_is_refused_and_then_upgraded(old):
    with pytest.raises(StateVersion, match=r"0001.*needs 0\d+.*sturmwarte upgrade"):
        open_state(old)
    done = maintenance.upgrade(old, clock=CLOCK)
    assert any(opening.HEAD in line for line in done)
    with closing(open_state(old)) as state, state.read() as connection:
        owed = [(get_incident(connection, n).all_clear_owed, get_incident(connection, n).facts) for n in (1, 2)]
    assert owed == [
        (False, {"entry": "anstieg", "query": "", "surged": True}),
        (True, {"entry": "wort", "query": "", "surged": False}),
    ]
    with closing(open_store(old, StoreTable(), clock=CLOCK)) as store:
        mentions = list(store.scan(EVERYTHING))
        assert (len(mentions), store.check()) == (6, [])
        assert [len(store.history(m.uid)) for m in mentions] == [2, 1, 1, 1, 1, 1]
    assert maintenance.upgrade(old, clock=CLOCK) == []


def test_the_copy_made_before_an_upgrade_is_the_old_folder(old, tmp_path):
    [first, *_] = maintenance.upgrade(old, clock=CLOCK)
    copy = Path(first.split(": ", 1)[1])
    shutil.unpack_archive(copy, tmp_path / "again")
    with pytest.raises(StateVersion):
        open_state(tmp_path / "again" / "data")


def test_newer_folders_are_refused(old):
    maintenance.upgrade(old, clock=CLOCK)
    for name, change in (
        ("state.db", "UPDATE alembic_version SET version_num = '9999'"),
        ("mentions.db", "PRAGMA user_version = 99"),
    ):
        with closing(sqlite3.connect(old / name)) as connection:
            connection.execute(change)
            connection.commit()
    with pytest.raises(StateVersion, match="newer"):
        open_state(old)
    with pytest.raises(StoreError, match="newer"):
        open_store(old, StoreTable(), clock=CLOCK)


def test_the_migrations_make_the_tables_of_the_code(tmp_path):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with closing(open_state(tmp_path)) as state, state.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    versions = sorted(p.stem[:4] for p in (Path(opening.__file__).parent / "migrations" / "versions").glob("0*.py"))
    assert versions[-1] == opening.HEAD


def test_backup_and_restore_give_the_same_folder_and_hold_unsent_messages(old, tmp_path):
    maintenance.upgrade(old, clock=CLOCK)
    author_key(old, data_present=False)
    with closing(open_state(old)) as state, state.begin() as connection:
        waiting = {
            "subject": "incident:1", "number": 2, "receiver": "presse", "notifier": "email", "kind": "up",
            "message_id": "<b@sturmwarte>", "payload": b"x", "state": "ready", "composed": NOW, "next_try": NOW,
        }  # fmt: skip
        connection.execute(sa.insert(outbox).values(waiting))
    target = maintenance.backup(old, tmp_path / "copy.tar", clock=CLOCK)
    fresh = tmp_path / "restored"
    maintenance.restore(target, fresh, clock=CLOCK)
    assert (fresh / "author.key").read_bytes() == (old / "author.key").read_bytes()
    with closing(open_store(fresh, StoreTable(), clock=CLOCK)) as store:
        assert (store.count(EVERYTHING)[0], store.check()) == (6, [])
    with closing(open_state(fresh)) as state:
        with state.read() as connection:
            rows = connection.execute(sa.select(outbox.c.number, outbox.c.state)).all()
            states = {row.number: row.state for row in rows}
            assert maintenance.restored_at(connection) == NOW
        assert states == {1: OutboxState.SENT, 2: OutboxState.HELD}
        assert maintenance.release_messages(state, NOW + timedelta(minutes=1)) == 1


def message(number: int, state: OutboxState, composed: datetime) -> dict[str, object]:
    key = {"subject": "incident:9", "number": number, "receiver": "presse", "notifier": "email", "kind": "up"}
    times = {"composed": composed, "next_try": composed}
    return {**key, **times, "message_id": f"<{number}@sturmwarte>", "payload": b"quoted", "state": state}


def test_what_is_older_than_the_retention_goes_with_all_that_quotes_it(old):
    maintenance.upgrade(old, clock=CLOCK)
    told = Configuration.model_validate({"retention": {"mentions": "30d"}})
    limit = datetime(2026, 11, 20, 11, 20, tzinfo=UTC)
    with closing(open_state(old)) as state, closing(open_store(old, StoreTable(), clock=CLOCK)) as store:
        with state.begin() as connection:
            for number, at in ((1, limit - timedelta(seconds=1)), (2, limit)):
                head = {"source": "suche", "query": "x", "at": at, "unresponsive": []}
                connection.execute(sa.insert(result_list).values(id=number, **head))
                row = {"position": 1, "url": "u", "title": "t", "snippet": "s", "engines": [], "uid": "0" * 32}
                connection.execute(sa.insert(result).values(list=number, **row))
            before = limit - timedelta(seconds=1)
            connection.execute(sa.insert(outbox).values(message(1, OutboxState.SENT, before)))
            connection.execute(sa.insert(outbox).values(message(2, OutboxState.READY, before)))
            connection.execute(sa.insert(outbox).values(message(3, OutboxState.SENT, limit)))
        removed = maintenance.purge(told, store, state, limit + timedelta(days=30))
        assert removed == {"mentions": 2, "result_lists": 1, "messages": 1}
        assert [mention.event_time.minute for mention in store.scan(EVERYTHING)] == [55, 45, 35, 25]
        with state.read() as connection:
            assert list(connection.scalars(sa.select(result.c.list))) == [2]
            assert list(connection.scalars(sa.select(result_list.c.id))) == [2]
            mine = sa.select(outbox.c.payload).where(outbox.c.subject == "incident:9").order_by(outbox.c.number)
            assert list(connection.scalars(mine)) == [b"", b"quoted", b"quoted"]


def test_what_is_no_backup_or_damaged_is_refused_and_leaves_the_folder_alone(old, tmp_path):
    maintenance.upgrade(old, clock=CLOCK)
    target = maintenance.backup(old, tmp_path / "copy.tar", clock=CLOCK)
    with pytest.raises(maintenance.BackupError, match="not empty"):
        maintenance.restore(target, old, clock=CLOCK)
    with pytest.raises(maintenance.BackupError, match="exists already"):
        maintenance.backup(old, target, clock=CLOCK)
    text = tmp_path / "text.tar"
    text.write_text("no archive", "utf-8")
    with pytest.raises(maintenance.BackupError, match="no backup"):
        maintenance.restore(text, tmp_path / "elsewhere", clock=CLOCK)
    content = target.read_bytes()
    place = content.find(b"SQLite format 3") + 5000
    target.write_bytes(content[:place] + b"XXXX" + content[place + 4 :])
    with pytest.raises(maintenance.BackupError, match="damaged"):
        maintenance.restore(target, old, clock=CLOCK, force=True)
    with closing(open_store(old, StoreTable(), clock=CLOCK)) as store:
        assert store.count(EVERYTHING)[0] == 6


def test_first_schemas_are_never_edited():
    assert len(migrations.MIGRATIONS) == migrations.schema_version
