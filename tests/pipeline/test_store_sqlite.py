"""What is SQLite's own: versions of the file, several threads and processes, limits, and a trap of older versions."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import textwrap
import threading
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from building import NOON, mention, opinion, uid

from pipeline.clock import ManualClock
from pipeline.configuration import StoreTable
from pipeline.query.parse import parse
from pipeline.query.tree import EVERYTHING, Field, OneOpinion, Query, Uids, Words
from pipeline.store.opening import is_there, open_store
from pipeline.store.protocol import QueryTimeout, StoreError
from pipeline.store.sqlite import migrations
from pipeline.store.sqlite.checking import reindex
from pipeline.store.sqlite.connection import explain
from pipeline.store.sqlite.store import SqliteStore

CLOCK = ManualClock(NOON + timedelta(hours=6))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mentions.db"


def _open(path: Path, **over: object) -> SqliteStore:
    return SqliteStore(path, clock=CLOCK, **over)  # type: ignore[arg-type]


def _sql(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_a_table_that_names_no_server_opens_the_file(tmp_path: Path) -> None:
    assert not is_there(tmp_path, StoreTable())
    open_store(tmp_path, StoreTable(), clock=CLOCK).close()
    assert is_there(tmp_path, StoreTable())
    assert (tmp_path / "mentions.db").stat().st_size > 0


def test_reading_needs_a_file(path: Path) -> None:
    with pytest.raises(StoreError, match="there is no mention store"):
        _open(path, read_only=True)


def test_a_reader_cannot_write(path: Path) -> None:
    _open(path).close()
    reader = _open(path, read_only=True)
    with pytest.raises(StoreError, match="for reading only"):
        reader.write([mention()])
    assert reader.count(EVERYTHING) == (0, 0)


def test_a_newer_file_is_refused(path: Path) -> None:
    _open(path).close()
    _sql(path, f"PRAGMA user_version = {migrations.schema_version + 1}")
    with pytest.raises(StoreError, match="use the newer release"):
        _open(path)
    with pytest.raises(StoreError, match="use the newer release"):
        migrations.upgrade(path)


def test_an_older_file_names_upgrade(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _open(path).close()
    now = migrations.schema_version
    grown = [*migrations.MIGRATIONS, "CREATE TABLE later (x)"]
    monkeypatch.setattr(migrations, "MIGRATIONS", grown)
    monkeypatch.setattr(migrations, "schema_version", now + 1)
    monkeypatch.setattr("pipeline.store.sqlite.store.schema_version", now + 1)
    with pytest.raises(StoreError, match="sturmwarte upgrade"):
        _open(path)
    assert migrations.upgrade(path) == (now, now + 1)
    _open(path).close()


def test_another_analysis_refuses_to_write_until_reindexed(path: Path) -> None:
    store = _open(path)
    store.write([mention(text="Die Störung.")])
    store.close()
    _sql(path, "UPDATE meta SET value = '0' WHERE key = 'analysis_version'")
    store = _open(path)
    with pytest.raises(StoreError, match="sturmwarte store reindex"):
        store.write([mention("two")])
    store.close()
    assert reindex(path) == 1
    store = _open(path)
    assert len(store.write([mention("two")]).created) == 1
    assert store.count(Query(Words((("storung",),)))) == (1, 1)
    assert store.check() == []
    store.close()


def test_a_file_that_is_none_says_so(path: Path) -> None:
    path.write_bytes(b"no database at all, only some text that is long enough" * 100)
    with pytest.raises(StoreError, match="is no mention store"):
        _open(path)


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("database or disk is full", "is full"),
        ("database is locked", "another process has held"),
        ("database disk image is malformed", "restore the last backup"),
        ("attempt to write a readonly database", "may not be written"),
        ("something else", "failed: something else"),
    ],
)
def test_errors_say_what_to_do(message: str, sentence: str) -> None:
    assert sentence in str(explain(sqlite3.OperationalError(message), Path("m.db"), 10))


def test_a_full_disk_loses_nothing_that_was_stored(path: Path) -> None:
    store = _open(path)
    store.write([mention("one")])
    with store._connections.alone() as connection:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StoreError, match="is full"):
        store.write([mention(n, text=f"Wort{n} " * 40) for n in range(900)])
    assert store.count(EVERYTHING) == (1, 1)
    with store._connections.alone() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    assert len(store.write([mention("two")]).created) == 1
    assert store.check() == []


def test_a_search_has_a_time_limit(path: Path) -> None:
    store = _open(path, limit=0.0)
    store.write([mention(n, text=f"Netz {n}") for n in range(1000)])
    with pytest.raises(QueryTimeout, match="narrow its time range"):
        store.count(Query(OneOpinion((("tone", ("positive",)),))))
    assert len(list(store.scan(EVERYTHING))) == 1000


def test_check_finds_what_does_not_agree(path: Path) -> None:
    store = _open(path)
    store.write([mention("one"), mention("two", tone="negative")])
    assert store.check() == []
    _sql(
        path,
        "UPDATE mention_hour SET posts = posts + 1",
        "UPDATE mention_brand SET tone = NULL WHERE tone = 'negative'",
    )
    findings = store.check()
    assert any("mention_hour differs" in finding for finding in findings)
    assert any("opinion of mention" in finding for finding in findings)


def test_two_mentions_may_want_one_place(path: Path) -> None:
    """Two uids with the same first 30 bits in one second: the second takes the next id."""
    first, second = "0123456" + "0" * 25, "0123456" + "1" + "0" * 24
    store = _open(path)
    store.write([mention("a", uid=first)])
    store.write([mention("b", uid=second), mention("c", uid="0123456" + "2" + "0" * 24)])
    assert [m.uid[:8] for m in store.search(EVERYTHING).mentions] == ["01234560", "01234561", "01234562"]
    assert store.write([mention("b", uid=second, text="anders", fetched=NOON + timedelta(minutes=1))]).revised == (
        second,
    )
    assert store.check() == []


def test_hostile_values_are_only_values(path: Path) -> None:
    store = _open(path)
    store.write([mention(text="\" OR stem : * NEAR(a b) ' ; --", source="tele-forum", thread_title="{x} AND")])
    for value in ('"', "*", "a OR b", "tele-forum", "ä_-", "\0"):
        expected = 1 if value == "tele-forum" else 0
        assert store.count(Query(Field("source", (value,))))[0] == expected
    assert store.count(parse('"NEAR(a b)"', now=NOON, zone=ZoneInfo("UTC")))[0] == 1


def test_the_deepest_allowed_search_runs(path: Path) -> None:
    store = _open(path)
    store.write([mention(text="alpha beta")])
    deep = "alpha"
    for level in range(50):
        deep = f"({deep} OR beta{level})" if level % 2 else f"({deep} alpha)"
    wide = " OR ".join(f"w{n}" for n in range(250)) + " OR alpha"
    negated = "alpha " + " ".join(f"-x{n}" for n in range(300))
    for text in (deep, wide, negated):
        query = parse(text[:2000], now=NOON, zone=ZoneInfo("UTC"))
        assert store.count(query) == (1, 1), text[:40]


def test_many_uids_are_one_question(path: Path) -> None:
    store = _open(path)
    store.write([mention("one")])
    assert store.count(Query(Uids(frozenset(uid(n) for n in [*range(50_000), "one"])))) == (1, 1)


def test_both_directions_find_the_same(path: Path) -> None:
    """SQLite up to 3.41 loses rows of ``ORDER BY rowid DESC`` on large ids; our order never goes backwards."""
    store = _open(path)
    dice = random.Random(3)
    words = [f"wort{n}" for n in range(40)]
    for start in range(0, 6000, 1000):
        store.write(
            [
                mention(
                    n,
                    text=" ".join(dice.choices(words, k=8)),
                    at=NOON - timedelta(seconds=dice.randrange(86_400)),
                    opinions=(opinion(dice.choice(["telekom", "bahn"])),),
                )
                for n in range(start, start + 1000)
            ]
        )
    with store._connections.reading(limited=False) as connection:
        for word in words:
            match = f'stem : "{word}" AND facet : "b_telekom"'
            sql = "SELECT rowid FROM mention_text WHERE mention_text MATCH ? ORDER BY rowid"
            forward = [row for (row,) in connection.execute(sql, (match,))]
            unordered = "SELECT rowid FROM mention_text WHERE mention_text MATCH ? AND rowid + 0 > 0"
            assert forward == sorted(row for (row,) in connection.execute(unordered, (match,)))
            query = Query(Words(((word,),)))
            assert len(list(store.scan(query))) == store.count(query)[0] > 0


def test_threads_share_one_store(path: Path) -> None:
    store = _open(path)
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(8):
                store.write([mention(f"{number}-{turn}", at=NOON - timedelta(seconds=number * 10 + turn))])
                page = store.search(Query(OneOpinion((("brand", ("telekom",)),))), limit=100)
                assert uid(f"{number}-{turn}") in {m.uid for m in page.mentions}
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.count(EVERYTHING)[0] == 48
    assert store.check() == []


WRITER = """
    import sys
    from datetime import timedelta
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from building import NOON, mention
    from pipeline.clock import ManualClock
    from pipeline.store.sqlite.store import SqliteStore
    store = SqliteStore(Path(sys.argv[1]), clock=ManualClock(NOON))
    for start in range(0, 600, 20):
        store.write([mention(n, text=f"{sys.argv[3]} {n}", source=sys.argv[3]) for n in range(start, start + 20)])
    store.close()
"""


def test_processes_share_one_file(path: Path) -> None:
    """Two processes write the same mentions from different sources while this one reads."""
    store = _open(path)
    support = str(Path(__file__).parents[1] / "support")
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path), support]
    writers = [subprocess.Popen([*command, name]) for name in ("forum", "rss")]
    reads = 0
    while any(writer.poll() is None for writer in writers):
        store.search(EVERYTHING, limit=20)
        reads += 1
        writers[0].wait() if reads > 500 else None
    assert [writer.wait() for writer in writers] == [0, 0]
    assert store.count(EVERYTHING)[0] == 600
    both = store.get([uid(n) for n in range(600)])
    assert {m.sources for m in both.values()} == {("forum", "rss")}
    assert {m.crawled.source for m in both.values()} == {"rss"}
    assert store.check() == []
    store.close()


def test_a_closed_store_says_so(path: Path) -> None:
    store = _open(path)
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.count(EVERYTHING)
    with pytest.raises(StoreError, match="is closed"):
        store.write([mention()])


def test_statistics(path: Path) -> None:
    store = _open(path)
    assert store.statistics()["first"] == ""
    store.write([mention("a"), mention("b", at=NOON - timedelta(days=1))])
    store.write([mention("a", text="anders", fetched=NOON + timedelta(minutes=1))])
    known = store.statistics()
    assert (known["mentions"], known["revisions"]) == (2, 3)
    assert (known["first"], known["last"]) == ((NOON - timedelta(days=1)).isoformat(), NOON.isoformat())
