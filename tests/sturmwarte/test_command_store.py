"""Commands on the store as a whole: check, reindex, copy between configurations; and the quarantine."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from building import mention, uid
from msgspec.structs import replace

from pipeline.spool import Quarantined, Spool
from pipeline.store.sqlite.store import SqliteStore
from pipeline.store.transfer import Kept
from sturmwarte import command
from sturmwarte.lock import service_lock

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
BASE = 'contact = "pr@lodestar.example"\n[brands.lodestar]\nname = "Lodestar"\n'
ROWS = "url,text,author,published\n" + "".join(
    f"https://forum.example/t?p={n},Lodestar was down on day {n},Ada {n},2026-{10 + n % 2}-1{n}T08:00\n"
    for n in range(1, 6)
)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    (tmp_path / "sturmwarte.toml").write_text(f'data = "{tmp_path / "data"}"\n{BASE}', "utf-8")
    (tmp_path / "other.toml").write_text(f'data = "{tmp_path / "other"}"\n{BASE}', "utf-8")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = command.invoke(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.fixture
def filled(place: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    (place / "rows.csv").write_text(ROWS, "utf-8")
    assert run(capsys, "import", "rows.csv")[0] == 0
    return place


def hits(capsys: pytest.CaptureFixture[str], config: str) -> list[str]:
    return run(capsys, "mentions", "lodestar", "--json", "--config", config)[1].splitlines()


@pytest.mark.parametrize("arguments", [("--to", "other.toml"), ("--from", "sturmwarte.toml", "--config", "other.toml")])
def test_a_copy_holds_the_same_and_counts_the_same_persons(
    filled: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    code, out, err = run(capsys, "store", "copy", *arguments)
    assert (code, err) == (0, "")
    lines = out.strip().splitlines()
    assert lines[0].split() == ["month", "mentions", "revisions", "source", "target", "state"]
    months = [line.split() for line in lines if line.strip().startswith("2026-")]
    assert [(m[0], m[1], m[2], m[5]) for m in months] == [
        ("2026-11", "3", "3", "copied"),
        ("2026-10", "2", "2", "copied"),
    ]
    assert all(m[3] == m[4] and len(m[3]) == 32 for m in months)
    assert lines[-1].startswith("5 mentions in ")
    assert hits(capsys, "other.toml") == hits(capsys, "sturmwarte.toml") != []
    assert (filled / "other/author.key").read_bytes() == (filled / "data/author.key").read_bytes()
    code, _, err = run(capsys, "store", "copy", "--to", "other.toml")
    assert (code, "holds data already" in err) == (2, True)


def test_a_copy_can_be_read_by_machines(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "store", "copy", "--to", "other.toml", "--json")
    told = json.loads(out)
    assert (code, told["mentions"], told["whole"]) == (0, 5, True)
    assert [(p["part"], p["mentions"], p["agrees"], p["copied"]) for p in told["parts"]] == [
        ("2026-11", 3, True, True),
        ("2026-10", 2, True, True),
    ]


def test_a_copy_that_disagrees_ends_with_1_and_may_be_run_again(
    filled: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.store.sqlite.transfer import SqliteTransfer

    load = SqliteTransfer.load
    with monkeypatch.context() as patch:
        patch.setattr(SqliteTransfer, "load", lambda self, records: load(self, records[1:]))
        code, out, err = run(capsys, "store", "copy", "--to", "other.toml")
    assert (code, out.count("DIFFERS")) == (1, 2)
    assert "Not everything agrees" in err
    _, out, _ = run(capsys, "import", "rows.csv", "--config", "other.toml", "--json")
    assert json.loads(out)["spooled"] == 5
    code, out, _ = run(capsys, "store", "copy", "--to", "other.toml")
    assert (code, out.count("copied")) == (0, 2)
    assert hits(capsys, "other.toml") == hits(capsys, "sturmwarte.toml")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "Give either --from FILE or --to FILE"),
        (("--from", "other.toml", "--to", "other.toml"), "Give either --from FILE or --to FILE"),
        (("--to", "sturmwarte.toml"), "the same store"),
    ],
)
def test_a_copy_that_is_not_clear_is_refused(
    filled: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    code, out, err = run(capsys, "store", "copy", *arguments)
    assert (code, out) == (2, "")
    assert told in err


def test_without_a_source_there_is_nothing_to_copy(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "store", "copy", "--to", "other.toml")
    assert (code, out) == (3, "")
    assert "Nothing is stored yet" in err
    assert not (place / "other").exists()


def test_two_keys_that_differ_are_refused(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (filled / "other").mkdir()
    (filled / "other/author.key").write_text("ab" * 32 + "\n", "ascii")
    code, _, err = run(capsys, "store", "copy", "--to", "other.toml")
    assert (code, "would count twice" in err) == (2, True)
    assert not (filled / "other/mentions.db").exists()


@pytest.mark.parametrize("folder", ["data", "other"])
@pytest.mark.parametrize("arguments", [("copy", "--to", "other.toml"), ("reindex",)])
def test_while_the_service_runs_the_store_is_left_alone(
    filled: Path, capsys: pytest.CaptureFixture[str], folder: str, arguments: tuple[str, ...]
) -> None:
    if arguments[0] == "reindex" and folder == "other":
        return
    with service_lock(filled / folder):
        code, out, err = run(capsys, "store", *arguments)
    assert (code, out) == (2, "")
    assert "The service is running" in err


def test_check_tells_findings_and_reindex_mends_the_words(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "store", "check")[:2] == (0, "5 mentions, everything agrees.\n")
    with closing(sqlite3.connect(filled / "data/mentions.db")) as connection, connection:
        connection.execute("UPDATE meta SET value = '0' WHERE key = 'analysis_version'")
        connection.execute("INSERT INTO mention_text (mention_text) VALUES ('delete-all')")
    code, out, _ = run(capsys, "store", "check")
    assert (code, "run `sturmwarte store reindex`" in out) == (1, True)
    assert hits(capsys, "sturmwarte.toml") == []
    assert run(capsys, "store", "reindex")[:2] == (0, "The search words of 5 mentions were made anew.\n")
    assert run(capsys, "store", "check", "--json")[1].split() == ["{", '"findings":', "[],", '"mentions":', "5", "}"]
    assert len(hits(capsys, "sturmwarte.toml")) == 5


def test_check_and_reindex_of_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for word in ("check", "reindex", "migrate"):
        code, out, err = run(capsys, "store", word)
        assert (code, out) == (3, "")
        assert "Nothing is stored yet" in err


def test_a_file_needs_no_migration(filled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "store", "migrate")
    assert (code, out) == (2, "")
    assert "sturmwarte upgrade" in err


def many(folder: Path, count: int) -> None:
    """A store of that many mentions, over four months."""
    with closing(SqliteStore(folder / "mentions.db", clock=_Clock())) as store:
        for first in range(0, count, 1000):
            made = [mention(n, at=NOW - timedelta(days=120) * n / count) for n in range(first, first + 1000)]
            store.transfer().load(
                [Kept(mention=replace(m, revision=1, known_from=m.seen), first_known=m.seen) for m in made]
            )


def test_a_copy_that_is_killed_goes_on(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "data").mkdir()
    many(place / "data", 6000)
    words = [sys.executable, "-c", "from sturmwarte.command import main; main()", "store", "copy", "--to", "other.toml"]
    process = subprocess.Popen(words, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 120
    while _mentions_in(place / "other/mentions.db") == 0 and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    process.kill()
    process.communicate()
    there = _mentions_in(place / "other/mentions.db")
    assert 0 < there < 6000
    code, out, _ = run(capsys, "store", "copy", "--to", "other.toml", "--json")
    told = json.loads(out)
    assert (code, told["mentions"], told["whole"]) == (0, 6000, True)
    assert run(capsys, "store", "check", "--config", "other.toml")[0] == 0
    assert len(told["parts"]) == 5


def _mentions_in(path: Path) -> int:
    if not path.exists():
        return 0
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute("SELECT COUNT(*) FROM mention").fetchone()[0])
        except sqlite3.OperationalError:  # being made
            return 0


# --- quarantine ---------------------------------------------------------------------------------------------------


def test_the_quarantine_is_shown_and_tried_again(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "quarantine")[:2] == (0, "Nothing is in quarantine.\n")
    good = msgspec.json.encode(mention("a", text="Lodestar is up.", at=NOW, author=None))
    spool = Spool(place / "data/spool")
    spool.quarantine([Quarantined(at=NOW, reason="rejected: too large", record=msgspec.Raw(good))])
    spool.quarantine([Quarantined(at=NOW, reason="unreadable line", record=msgspec.Raw(b'"{"'))])
    code, out, _ = run(capsys, "quarantine")
    assert code == 0
    assert "rejected: too large" in out and uid("a") in out and "unreadable line" in out
    entries = json.loads(run(capsys, "quarantine", "--json")[1])["entries"]
    assert [(e["uid"], e["source"], e["reason"]) for e in entries] == [
        (uid("a"), "forum", "rejected: too large"),
        ("", "", "unreadable line"),
    ]
    code, out, err = run(capsys, "quarantine", "retry")
    assert (code, out) == (1, "1 stored, 0 stored already, 0 no longer wanted, 1 left.\n")
    assert "unreadable line" in err
    with closing(SqliteStore(place / "data/mentions.db", clock=_Clock(), read_only=True)) as store:
        assert list(store.get([uid("a")])) == [uid("a")]
    told = json.loads(run(capsys, "quarantine", "retry", "--json")[1])
    assert (told["stored"], [left["reason"] for left in told["left"]]) == (0, ["unreadable line"])


class _Clock:
    def now(self) -> datetime:
        return NOW

    def real(self, seconds: float) -> float:
        return seconds


def test_the_service_does_not_start_on_half_a_copy(
    filled: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.store.sqlite.transfer import SqliteTransfer

    with monkeypatch.context() as patch:
        patch.setattr(SqliteTransfer, "load", lambda self, records: None)
        assert run(capsys, "store", "copy", "--to", "other.toml")[0] == 1
    code, _, err = run(capsys, "run", "--config", "other.toml")
    assert (code, "unfinished copy of sqlite" in err) == (3, True)
    code, out, _ = run(capsys, "store", "check", "--config", "other.toml")
    assert (code, "run `sturmwarte store copy` again" in out) == (1, True)
