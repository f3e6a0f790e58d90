"""``sturmwarte state copy``: there and back, as a person does it, and what is refused."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from pipeline.configuration import StateTable
from pipeline.state import copying, opening
from pipeline.state.copying import Copied
from pipeline.state.database import State
from pipeline.state.opening import StateAway, open_state
from pipeline.state.tables import meta, source
from sturmwarte import command
from sturmwarte.lock import service_lock


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    (tmp_path / "sturmwarte.toml").write_text("", "utf-8")
    with closing(open_state(tmp_path / "data")) as state, state.begin() as connection:
        connection.execute(sa.insert(meta).values(key="a", value="b"))
    return tmp_path


def run(capsys: Any, *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = command.invoke(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_without_a_server_nothing_is_copied(place: Path, capsys: Any) -> None:
    code, out, err = run(capsys, "state", "copy", "--to", "postgresql")
    assert (code, out) == (2, "") and "[state]" in err


def test_there_and_back(place: Path, capsys: Any, monkeypatch: Any, postgres_table: StateTable) -> None:
    monkeypatch.setenv("STURMWARTE_STATE_URL", postgres_table.url.get_secret_value())
    code, out, _ = run(capsys, "state", "copy", "--to", "postgresql", "--json")
    told = json.loads(out)
    assert code == 0 and {table["table"]: table["rows"] for table in told["tables"]}["meta"] == 1
    assert "PostgreSQL" in told["target"]
    code, _, err = run(capsys, "state", "copy", "--to", "postgresql")
    assert code == 2 and "not empty: 1 rows in meta" in err
    code, _, err = run(capsys, "state", "copy", "--to", "sqlite")
    assert code == 2 and "not empty" in err
    (place / "data" / "state.db").rename(place / "old.db")
    code, out, _ = run(capsys, "state", "copy", "--to", "sqlite")
    assert code == 0 and "1 rows from the PostgreSQL database" in out
    with closing(open_state(place / "data")) as state, state.read() as connection:
        assert connection.execute(sa.select(meta)).all() == [("a", "b")]


def test_what_arrives_otherwise_is_no_wrong_usage(
    place: Path, capsys: Any, monkeypatch: Any, postgres_table: StateTable
) -> None:
    def other(connection: Any, table: Any) -> Copied:
        return Copied(table=str(table.name), rows=-1, checksum="")

    monkeypatch.setenv("STURMWARTE_STATE_URL", postgres_table.url.get_secret_value())
    monkeypatch.setattr(copying, "_summed", other)
    code, _, err = run(capsys, "state", "copy", "--to", "postgresql")
    assert code == 1 and "arrived otherwise" in err and "nothing was kept" in err


@pytest.mark.parametrize(
    ("said", "refuses"),
    [
        ('FATAL:  password authentication failed for user "warte"', "refuses the password or the user"),
        ("FATAL:  Passwort-Authentifizierung für Benutzer »warte« fehlgeschlagen", "refuses the password or the user"),
        ("fe_sendauth: no password supplied", "refuses the password or the user"),
        ('FATAL:  no pg_hba.conf entry for host "192.0.2.1", user "warte"', "refuses the user"),
        ('FATAL:  role "warte" does not exist', "refuses the user"),
        ('FATAL:  database "warte" does not exist', "refuses the database"),
        ("FATAL:  Datenbank »warte« existiert nicht", "refuses the database"),
    ],
)
def test_a_server_that_refuses_is_not_called_unreachable(said: str, refuses: str) -> None:
    error = sa.exc.OperationalError("", {}, Exception(f'connection to server at "db", port 5432 failed: {said}'))
    with closing(State("postgresql://warte:geheim@db/warte")) as state:
        told = opening._unanswered(state, error)
    assert not isinstance(told, StateAway)
    assert refuses in str(told) and "cannot be reached" not in str(told) and "geheim" not in str(told)


@pytest.mark.parametrize("said", ["Connection refused", "FATAL:  the database system is starting up"])
def test_a_server_that_is_away_or_starting_is_waited_for(said: str) -> None:
    with closing(State("postgresql://warte@db/warte")) as state:
        assert isinstance(opening._unanswered(state, sa.exc.OperationalError("", {}, Exception(said))), StateAway)


def test_not_while_the_service_runs(place: Path, capsys: Any, monkeypatch: Any, postgres_table: StateTable) -> None:
    monkeypatch.setenv("STURMWARTE_STATE_URL", postgres_table.url.get_secret_value())
    with service_lock(place / "data", beside_others=True), service_lock(place / "data", beside_others=True):
        code, _, err = run(capsys, "state", "copy", "--to", "postgresql")
    assert code == 2 and "service is running" in err


def test_not_while_another_machine_crawls(
    place: Path, capsys: Any, monkeypatch: Any, postgres_table: StateTable
) -> None:
    monkeypatch.setenv("STURMWARTE_STATE_URL", postgres_table.url.get_secret_value())
    now = datetime.now(UTC)
    busy = {"worker": "elsewhere:7:ab", "leased_until": now + timedelta(minutes=5)}
    row = {"id": "forum", "spider": "phpbb", "url": "https://forum.example/", "channel": "forum", "interval_s": 600.0}
    with closing(open_state(place, postgres_table)) as server, server.begin() as connection:
        state = {"state": "healthy", "state_since": now, "next_due": now, "cursor": {}}
        connection.execute(sa.insert(source).values(**row, **state, **busy))
    code, _, err = run(capsys, "state", "copy", "--to", "sqlite")
    assert code == 2 and "elsewhere:7:ab" in err


def test_a_server_that_is_not_there_is_a_sentence(place: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("STURMWARTE_STATE_URL", "postgresql://warte:geheim@127.0.0.1:9/warte")
    code, _, err = run(capsys, "sources")
    assert code == 3 and "cannot be reached" in err and "geheim" not in err
    monkeypatch.setenv("STURMWARTE_STATE_URL", "mysql://warte:geheim@127.0.0.1/warte")
    code, _, err = run(capsys, "sources")
    assert code == 2 and "postgresql://" in err and "geheim" not in err


def test_a_user_who_may_make_no_tables_is_a_sentence(place: Path, capsys: Any, monkeypatch: Any) -> None:
    def refused(state: Any) -> str:
        raise sa.exc.ProgrammingError("CREATE TABLE meta", {}, Exception("permission denied for schema public"))

    monkeypatch.setattr(opening, "version_of", refused)
    code, _, err = run(capsys, "sources")
    assert code == 3 and "permission denied for schema public" in err and "CREATE TABLE" not in err
