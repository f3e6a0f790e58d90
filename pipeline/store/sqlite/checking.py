"""Whether the file agrees with itself: the text index with the texts, counts with rows, rows with documents."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.analysis import ANALYSIS_VERSION
from pipeline.store.protocol import StoreError
from pipeline.store.sqlite.functions import decode, register
from pipeline.store.sqlite.rows import MEASURES, Cell, Deltas, Row


def findings(connection: sqlite3.Connection, sqlite: Any) -> list[str]:
    """Sentences about what does not agree; empty when all is well."""
    found = [str(row[0]) for row in connection.execute("PRAGMA quick_check") if row[0] != "ok"]
    try:
        connection.execute("INSERT INTO mention_text (mention_text, rank) VALUES ('integrity-check', 1)")
    except sqlite.DatabaseError as error:
        found.append(f"the text index does not agree with the texts ({error}): run `sturmwarte store reindex`")
    connection.execute("BEGIN")
    try:
        return [*found, *_disagreements(connection)]
    finally:
        connection.execute("ROLLBACK")


def _disagreements(connection: sqlite3.Connection) -> Iterator[str]:
    deltas, opinions = Deltas(), 0
    for row in _rows(connection):
        deltas.add(row.mention, 1)
        opinions += len(row.opinions())
        stored = connection.execute("SELECT * FROM mention WHERE id = ?", (row.id,)).fetchone()
        if stored != row.columns():
            yield f"the columns of mention {row.mention.uid} do not agree with its document"
        yield from _opinion_findings(connection, row)
    kept = connection.execute("SELECT COUNT(*) FROM mention_brand").fetchone()[0]
    if kept != opinions:
        yield f"{kept} opinions are stored, the mentions have {opinions}"
    yield from _rollup_findings(connection, "mention_hour", "brand, hour, ''", deltas.hours)
    yield from _rollup_findings(connection, "mention_day_source", "brand, day, source", deltas.days)


def _rows(connection: sqlite3.Connection) -> Iterator[Row]:
    for row_id, uid, known, doc in connection.execute("SELECT id, uid, first_known, doc FROM mention ORDER BY id"):
        yield Row(row_id, uid, decode(doc), known, doc)


def _opinion_findings(connection: sqlite3.Connection, row: Row) -> Iterator[str]:
    for opinion in row.opinions():
        stored = connection.execute(
            "SELECT * FROM mention_brand WHERE brand = ? AND fed_bin = ? AND id = ?", opinion[:3]
        ).fetchone()
        if stored != tuple(opinion):
            yield f"the opinion of mention {row.mention.uid} on {opinion[0]} does not agree with its document"


def _rollup_findings(
    connection: sqlite3.Connection, table: str, key: str, counts: Mapping[Cell, Sequence[int]]
) -> Iterator[str]:
    stored = {
        (brand, time, source, measure): amount
        for brand, time, source, *amounts in connection.execute(f"SELECT {key}, {', '.join(MEASURES)} FROM {table}")
        for measure, amount in zip(MEASURES, amounts, strict=True)
        if amount
    }
    wanted = {
        (*cell, measure): amount
        for cell, amounts in counts.items()
        for measure, amount in zip(MEASURES, amounts, strict=True)
        if amount
    }
    if stored != wanted:
        yield f"{table} differs from a recount in {len(stored.items() ^ wanted.items())} numbers"


def other_analysis(connection: sqlite3.Connection, path: Path) -> StoreError | None:
    """What to raise instead of writing where another analysis has made the tokens of the file."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'analysis_version'").fetchone()
    found = row[0] if row else "none"
    if found == str(ANALYSIS_VERSION):
        return None
    return StoreError(
        f"{path} was indexed by analysis {found}, this release uses {ANALYSIS_VERSION}: run `sturmwarte store reindex`"
    )


def reindex(path: Path) -> int:
    """Make all tokens anew by the present analysis; returns how many mentions were read. Nobody else may write."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    try:
        register(connection)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO mention_text (mention_text) VALUES ('rebuild')")
        connection.execute("INSERT OR REPLACE INTO meta VALUES ('analysis_version', ?)", (str(ANALYSIS_VERSION),))
        connection.execute("COMMIT")
        return int(connection.execute("SELECT COUNT(*) FROM mention").fetchone()[0])
    except sqlite3.Error as error:
        raise StoreError(f"{path} could not be indexed anew: {error}") from error
    finally:
        connection.close()
