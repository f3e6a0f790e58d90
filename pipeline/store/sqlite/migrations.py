"""The shapes the file has had: an append-only list. ``schema_version`` is its length; nothing in it is ever edited."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from pipeline.analysis import ANALYSIS_VERSION
from pipeline.store.protocol import StoreError
from pipeline.store.sqlite.functions import register

FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- id = (4294967295 - event second) << 30 | first 30 bits of the uid: ascending is newest first.
-- Times are microseconds since 1970, fed_bin counts 5-minute bins since 1970. story is set for nameless authors only.
CREATE TABLE mention (
    id INTEGER PRIMARY KEY, uid BLOB NOT NULL, revision INTEGER NOT NULL, known_from INTEGER NOT NULL,
    first_known INTEGER NOT NULL, event INTEGER NOT NULL, fed_bin INTEGER NOT NULL, seen INTEGER NOT NULL,
    published INTEGER, rating REAL, author TEXT, story TEXT, doc TEXT NOT NULL
);
CREATE UNIQUE INDEX mention_uid ON mention (uid);
CREATE INDEX mention_first_known ON mention (first_known);

CREATE VIEW mention_tokens AS
    SELECT id, sw_exact(doc) AS exact, sw_stem(doc) AS stem, sw_facet(doc) AS facet FROM mention;
CREATE VIRTUAL TABLE mention_text USING fts5 (
    exact, stem, facet, content='mention_tokens', content_rowid='id', tokenize="ascii tokenchars '_'"
);

CREATE TABLE brand (brand TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE mention_brand (
    brand TEXT NOT NULL, fed_bin INTEGER NOT NULL, id INTEGER NOT NULL, source TEXT NOT NULL, tone TEXT,
    p_negative INTEGER NOT NULL, counted INTEGER NOT NULL, copied INTEGER NOT NULL, historic INTEGER NOT NULL,
    voice TEXT NOT NULL, via TEXT NOT NULL, channel TEXT NOT NULL, author TEXT, story TEXT,
    PRIMARY KEY (brand, fed_bin, id)
) WITHOUT ROWID;

CREATE TABLE mention_hour (
    brand TEXT NOT NULL, hour INTEGER NOT NULL, posts INTEGER NOT NULL, negative INTEGER NOT NULL,
    neutral INTEGER NOT NULL, positive INTEGER NOT NULL, p_negative INTEGER NOT NULL, copies INTEGER NOT NULL,
    PRIMARY KEY (brand, hour)
) WITHOUT ROWID;
CREATE TABLE mention_day_source (
    brand TEXT NOT NULL, day INTEGER NOT NULL, source TEXT NOT NULL, posts INTEGER NOT NULL,
    negative INTEGER NOT NULL, neutral INTEGER NOT NULL, positive INTEGER NOT NULL, p_negative INTEGER NOT NULL,
    copies INTEGER NOT NULL, PRIMARY KEY (brand, day, source)
) WITHOUT ROWID;

CREATE TABLE history (
    uid BLOB NOT NULL, revision INTEGER NOT NULL, known_from INTEGER NOT NULL, known_to INTEGER NOT NULL,
    id INTEGER NOT NULL, doc TEXT NOT NULL, PRIMARY KEY (uid, revision)
) WITHOUT ROWID;
CREATE INDEX history_known_to ON history (known_to);
CREATE TABLE erased (uid BLOB PRIMARY KEY, reason TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE story_alias (newer TEXT PRIMARY KEY, older TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX story_alias_older ON story_alias (older);
CREATE TABLE band (
    week INTEGER NOT NULL, band INTEGER NOT NULL, uid BLOB NOT NULL, PRIMARY KEY (week, band, uid)
) WITHOUT ROWID;
"""

LABELS = """
-- Severity, aspects, purpose and topics are tokens of the index since: a release that does not know them could not take
-- the tokens of a changed mention out again. Nothing that is stored changes; what is read again is labelled.
"""

MIGRATIONS: list[str] = [FIRST, LABELS]

schema_version = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """0 for an empty file."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection) -> int:
    """Bring a file to the present shape, one transaction per step; returns the version it had."""
    connection.execute("BEGIN IMMEDIATE")
    before = version_of(connection)
    connection.execute("ROLLBACK")
    for number, script in enumerate(MIGRATIONS[before:], start=before + 1):
        step = f"BEGIN IMMEDIATE;\n{script}\n;\nPRAGMA user_version = {number};\nCOMMIT;"
        try:
            connection.executescript(step)
        except sqlite3.Error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if version_of(connection) < number:  # else another process has just done the same step
                raise
    connection.execute(
        "INSERT OR IGNORE INTO meta (key, value) VALUES ('analysis_version', ?)", (str(ANALYSIS_VERSION),)
    )
    return before


def upgrade(path: Path) -> tuple[int, int]:
    """Bring the file at ``path`` to the present shape; returns (version before, version now). Raises StoreError."""
    if not path.exists():
        raise StoreError(f"there is no mention store at {path}")
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    try:
        register(connection)
        if version_of(connection) > schema_version:
            raise StoreError(too_new(path, version_of(connection)))
        return migrate(connection), schema_version
    finally:
        connection.close()


def too_new(path: Path, version: int) -> str:
    """What to tell where a newer release has written the file."""
    return f"{path} has schema {version}; this release knows {schema_version} at most: use the newer release again"


def too_old(path: Path, version: int) -> str:
    """What to tell where an older release has written the file."""
    return f"{path} has schema {version}, this release needs {schema_version}: run `sturmwarte upgrade` first"
