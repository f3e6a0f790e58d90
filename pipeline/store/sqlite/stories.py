"""Stories: which mentions are copies of one text, and which stories turned out to be one."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from pipeline.mention import Mention
from pipeline.store.sqlite.functions import decode, facet

_ROOT = "COALESCE((SELECT older FROM story_alias WHERE newer = {story}), {story})"


def root_of(connection: sqlite3.Connection, story: str) -> str:
    """The id that a story goes by; aliases are kept flat, so one step is enough."""
    row = connection.execute("SELECT older FROM story_alias WHERE newer = ?", (story,)).fetchone()
    return str(row[0]) if row else story


def all_ids(connection: sqlite3.Connection, story: str) -> list[str]:
    """Every id of the story, the one it goes by first."""
    root = root_of(connection, story)
    rows = connection.execute("SELECT newer FROM story_alias WHERE older = ? ORDER BY newer", (root,))
    return [root, *(newer for (newer,) in rows)]


def join_stories(connection: sqlite3.Connection, older: str, newer: str) -> None:
    """Let ``newer`` go by the id of ``older``, and all that went by ``newer`` too."""
    root, joined = root_of(connection, older), root_of(connection, newer)
    if root == joined:
        return
    connection.execute("UPDATE story_alias SET older = ? WHERE older = ?", (root, joined))
    connection.execute("INSERT INTO story_alias (newer, older) VALUES (?, ?)", (joined, root))


def members(connection: sqlite3.Connection, story: str) -> list[Mention]:
    """All members, oldest first."""
    ids = all_ids(connection, story)
    match = " OR ".join(f'facet : "{facet("story", i)}"' for i in ids)
    rows = connection.execute(
        "SELECT id, doc FROM mention WHERE id IN (SELECT rowid FROM mention_text WHERE mention_text MATCH ?)"
        " UNION SELECT m.id, m.doc FROM json_each(?) j CROSS JOIN mention m ON m.uid = sw_unhex(j.value)",
        (match, json.dumps(ids)),
    ).fetchall()
    found = sorted(rows, key=lambda row: -int(row[0]))
    known = set(ids)
    mentions = [decode(doc) for _, doc in found]
    return [mention for mention in mentions if (mention.story or mention.uid) in known]


def stories(connection: sqlite3.Connection, uids: Sequence[str]) -> dict[str, str]:
    """uid → id of its story, of those that exist."""
    rows = connection.execute(
        "SELECT lower(hex(m.uid)), COALESCE(json_extract(m.doc, '$.story'), lower(hex(m.uid)))"
        " FROM json_each(?) j CROSS JOIN mention m ON m.uid = sw_unhex(j.value)",
        (json.dumps(list(uids)),),
    )
    return {uid: root_of(connection, story) for uid, story in rows.fetchall()}


def note_signatures(connection: sqlite3.Connection, signatures: Mapping[str, Sequence[int]], week: int) -> None:
    """Remember bands, in order of the key."""
    rows = {(week, _signed(band), bytes.fromhex(uid)) for uid, bands in signatures.items() for band in bands}
    connection.executemany("INSERT OR IGNORE INTO band VALUES (?, ?, ?)", sorted(rows))


def sharing(connection: sqlite3.Connection, signatures: Mapping[str, Sequence[int]], week: int) -> dict[str, list[str]]:
    """For each key, sorted uids of this and the previous week that share a band; its own uid left out."""
    signed = {key: [_signed(band) for band in bands] for key, bands in signatures.items()}
    asked = sorted({band for bands in signed.values() for band in bands})
    rows = connection.execute(
        "SELECT b.band, lower(hex(b.uid)) FROM json_each(?) w CROSS JOIN json_each(?) j"
        " CROSS JOIN band b ON b.week = w.value AND b.band = j.value",
        (json.dumps([week, week - 1]), json.dumps(asked)),
    )
    holders: dict[int, set[str]] = {}
    for band, uid in rows:
        holders.setdefault(band, set()).add(uid)
    return {
        key: sorted({uid for band in bands if band in holders for uid in holders[band]} - {key})
        for key, bands in signed.items()
    }


def _signed(band: int) -> int:
    """SQLite's whole numbers have a sign."""
    band &= (1 << 64) - 1
    return band - (1 << 64) if band >= 1 << 63 else band
