"""One writing transaction: batches are merged, every table that speaks of a mention changes with it or not at all."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.mention import Mention, without_text
from pipeline.store import planning
from pipeline.store.measures import micros
from pipeline.store.planning import planned
from pipeline.store.protocol import Written
from pipeline.store.sqlite.functions import decode
from pipeline.store.sqlite.rows import MEASURES, Cell, Deltas, Row, _encoder, id_base

_MARKS = ",".join("?" * 13)
_INSERT = f"INSERT INTO mention VALUES ({_MARKS})"
_INSERT_OPINION = f"INSERT INTO mention_brand VALUES ({','.join('?' * 14)})"
_INSERT_TEXT = "INSERT INTO mention_text (rowid, exact, stem, facet) VALUES (?, ?, ?, ?)"
_DELETE_TEXT = "INSERT INTO mention_text (mention_text, rowid, exact, stem, facet) VALUES ('delete', ?, ?, ?, ?)"


@dataclass(slots=True)
class Change:
    """From one stored row to another; None is no row. ``kept`` keeps the old one in the history."""

    old: Row | None
    new: Row | None
    keep: bool = False


def load(connection: sqlite3.Connection, uids: Iterable[str]) -> dict[str, Row]:
    """The stored rows of these uids."""
    rows = connection.execute(
        "SELECT m.id, m.uid, m.first_known, m.doc FROM json_each(?) j"
        " CROSS JOIN mention m ON m.uid = sw_unhex(j.value)",
        (json.dumps(list(uids)),),
    )
    return {uid.hex(): Row(row_id, uid, decode(doc), known, doc) for row_id, uid, known, doc in rows}


def write(connection: sqlite3.Connection, batch: Sequence[Mention], now: datetime) -> Written:
    """Merge the batch into the file, inside the caller's transaction."""
    stored = load(connection, dict.fromkeys(mention.uid for mention in batch))
    plan = planned(batch, {uid: row.mention for uid, row in stored.items()}, now)
    changes = [_rows_of(change, stored.get(change.new.uid)) for change in plan.changes]
    give_ids(connection, changes)
    apply(connection, changes)
    return Written(created=tuple(plan.created), revised=tuple(plan.revised), unchanged=tuple(plan.unchanged))


def _rows_of(change: planning.Change, old: Row | None) -> Change:
    """The rows of a change: under the old id unless the event time has moved."""
    new = change.new
    if old is None:
        assert new.known_from is not None
        return Change(None, Row(id_base(new), bytes.fromhex(new.uid), new, micros(new.known_from)))
    moved = micros(new.event_time) // 1_000_000 != micros(old.mention.event_time) // 1_000_000
    return Change(old, Row(id_base(new) if moved else old.id, old.uid, new, old.first_known), keep=change.keep)


def give_ids(connection: sqlite3.Connection, changes: list[Change]) -> None:
    """Move rows whose id is taken by another mention to the next free one."""
    fresh = [c.new for c in changes if c.new is not None and (c.old is None or c.old.id != c.new.id)]
    wanted = json.dumps([row.id for row in fresh])
    taken = {
        row[0]
        for row in connection.execute("SELECT id FROM mention WHERE id IN (SELECT value FROM json_each(?))", (wanted,))
    }
    for row in fresh:
        asked = row.id
        while row.id in taken or (row.id != asked and _exists(connection, row.id)):
            row.id += 1
        taken.add(row.id)


def _exists(connection: sqlite3.Connection, row_id: int) -> bool:
    return connection.execute("SELECT 1 FROM mention WHERE id = ?", (row_id,)).fetchone() is not None


def apply(connection: sqlite3.Connection, changes: list[Change]) -> None:
    """Carry out changes in every table."""
    _keep_history(connection, changes)
    _change_text(connection, changes)
    gone = [c.old for c in changes if c.old is not None]
    connection.executemany("DELETE FROM mention WHERE id = ?", [(row.id,) for row in gone])
    opinions = [(o[0], o[1], o[2]) for row in gone for o in row.opinions()]
    connection.executemany("DELETE FROM mention_brand WHERE brand = ? AND fed_bin = ? AND id = ?", opinions)
    come = sorted((c.new for c in changes if c.new is not None), key=lambda row: row.id)
    connection.executemany(_INSERT, [row.columns() for row in come])
    fresh = sorted(o for row in come for o in row.opinions())
    connection.executemany("INSERT OR IGNORE INTO brand VALUES (?)", [(b,) for b in {o[0] for o in fresh}])
    connection.executemany(_INSERT_OPINION, fresh)
    _change_rollups(connection, changes)


def _keep_history(connection: sqlite3.Connection, changes: list[Change]) -> None:
    kept = [(c.old, c.new) for c in changes if c.keep and c.old is not None and c.new is not None]
    connection.executemany(
        "INSERT INTO history VALUES (?, ?, ?, ?, ?, ?)",
        [(o.uid, o.mention.revision, _known(o), _known(n), o.id, o.doc) for o, n in kept],
    )
    for old, new in kept:
        if new.mention.deleted_at is not None and old.mention.deleted_at is None:
            _strip_history(connection, old.uid)


def _known(row: Row) -> int:
    assert row.mention.known_from is not None
    return micros(row.mention.known_from)


def _strip_history(connection: sqlite3.Connection, uid: bytes) -> None:
    """Take the words out of every earlier revision."""
    rows = connection.execute("SELECT revision, doc FROM history WHERE uid = ?", (uid,)).fetchall()
    bare = [(_encoder.encode(without_text(decode(doc))).decode(), uid, revision) for revision, doc in rows]
    connection.executemany("UPDATE history SET doc = ? WHERE uid = ? AND revision = ?", bare)


def _change_text(connection: sqlite3.Connection, changes: list[Change]) -> None:
    """Only where tokens or id differ; in order of id, since the index flushes on every step back."""
    old: list[tuple[int | str, ...]] = []
    new: list[tuple[int | str, ...]] = []
    for change in changes:
        before = (change.old.id, *change.old.text) if change.old else None
        after = (change.new.id, *change.new.text) if change.new else None
        if before == after:
            continue
        if before:
            old.append(before)
        if after:
            new.append(after)
    connection.executemany(_DELETE_TEXT, sorted(old))
    connection.executemany(_INSERT_TEXT, sorted(new))


def _change_rollups(connection: sqlite3.Connection, changes: list[Change]) -> None:
    deltas = Deltas()
    for change in changes:
        if change.old is not None:
            deltas.add(change.old.mention, -1)
        if change.new is not None:
            deltas.add(change.new.mention, 1)
    _upsert(connection, "mention_hour", ("brand", "hour"), deltas.hours)
    _upsert(connection, "mention_day_source", ("brand", "day", "source"), deltas.days)


def _upsert(
    connection: sqlite3.Connection, table: str, key: tuple[str, ...], counts: Mapping[Cell, Sequence[int]]
) -> None:
    """Add to the cells and drop those that come to nothing."""
    cells = {cell[: len(key)]: amounts for cell, amounts in counts.items() if any(amounts)}
    names = ", ".join((*key, *MEASURES))
    marks = ", ".join("?" * (len(key) + len(MEASURES)))
    sums = ", ".join(f"{measure} = {measure} + excluded.{measure}" for measure in MEASURES)
    connection.executemany(
        f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT DO UPDATE SET {sums}",
        [(*cell, *amounts) for cell, amounts in sorted(cells.items())],
    )
    empty = " AND ".join(f"{column} = ?" for column in key) + "".join(f" AND {measure} = 0" for measure in MEASURES)
    falling = [cell for cell, amounts in cells.items() if min(amounts) < 0]
    connection.executemany(f"DELETE FROM {table} WHERE {empty}", falling)
