"""Taking mentions out: erasure of persons and posts for ever, and the end of the retention span."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime

from pipeline.store.measures import micros
from pipeline.store.sqlite.functions import facet
from pipeline.store.sqlite.writing import Change, apply, load

BATCH = 2_000


def erase(connection: sqlite3.Connection, uids: Sequence[str], reason: str, now: datetime) -> list[str]:
    """Remove them everywhere and bar their return; gives those that existed."""
    existed = remove(connection, uids)
    connection.executemany(
        "INSERT OR IGNORE INTO erased VALUES (?, ?, ?)", [(bytes.fromhex(uid), reason, micros(now)) for uid in uids]
    )
    return existed


def remove(connection: sqlite3.Connection, uids: Iterable[str]) -> list[str]:
    """Remove mentions, their history and their bands; gives those that existed."""
    wanted = list(dict.fromkeys(uids))
    rows = load(connection, wanted)
    apply(connection, [Change(row, None) for row in rows.values()])
    keys = (json.dumps(wanted),)
    connection.execute("DELETE FROM history WHERE uid IN (SELECT sw_unhex(value) FROM json_each(?))", keys)
    connection.execute("DELETE FROM band WHERE uid IN (SELECT sw_unhex(value) FROM json_each(?))", keys)
    return [uid for uid in wanted if uid in rows]


def uids_of_author(connection: sqlite3.Connection, author: str) -> list[str]:
    """Every mention that this pseudonym wrote, in any revision."""
    rows = connection.execute(
        "SELECT lower(hex(uid)) FROM mention WHERE id IN"
        " (SELECT rowid FROM mention_text WHERE mention_text MATCH ?)"
        " UNION SELECT lower(hex(uid)) FROM history WHERE json_extract(doc, '$.crawled.author') = ?"
        " UNION SELECT lower(hex(uid)) FROM mention WHERE json_type(doc, '$.later') IS NOT NULL"
        " AND EXISTS (SELECT 1 FROM json_each(doc, '$.later') l WHERE json_extract(l.value, '$.crawled.author') = ?)",
        (f'facet : "{facet("author", author)}"', author, author),
    )
    return sorted(uid for (uid,) in rows)


def purge_some(connection: sqlite3.Connection, before: datetime) -> int:
    """Remove up to ``BATCH`` mentions older than the limit; returns how many."""
    rows = connection.execute(
        "SELECT lower(hex(uid)) FROM mention WHERE event < ? ORDER BY id DESC LIMIT ?", (micros(before), BATCH)
    )
    return len(remove(connection, [uid for (uid,) in rows.fetchall()]))
