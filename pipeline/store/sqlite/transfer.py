"""A whole store in and out: every revision and time as it is, month by month, in constant memory."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import groupby, islice

import msgspec

from pipeline.mention import Mention
from pipeline.store.measures import micros, moment
from pipeline.store.protocol import Revision, StoreError
from pipeline.store.sqlite.checking import other_analysis
from pipeline.store.sqlite.connection import Connections
from pipeline.store.sqlite.functions import decode
from pipeline.store.sqlite.rows import LAST_SECOND, UID_BITS, Row, id_base
from pipeline.store.sqlite.stories import join_stories, note_signatures
from pipeline.store.sqlite.writing import Change, apply, give_ids, load
from pipeline.store.transfer import (
    ALIASES,
    ERASED,
    Alias,
    Erased,
    Kept,
    Record,
    Signature,
    bounds,
    in_order,
    month_of,
    month_of_week,
    uid_of,
    weeks,
)

COPY_FROM = "copy_from"
"""Key in ``meta`` while a copy of another store comes in."""
_BATCH = 500
_ID_MAX = (1 << 63) - 1


class SqliteTransfer:
    """``pipeline.store.transfer.Transfer`` of one file. ``erased``: what the state database bars."""

    lanes = 1

    def __init__(self, connections: Connections, erased: Callable[[Sequence[str]], set[str]]) -> None:
        self._connections, self._erased = connections, erased
        self.name = f"sqlite {connections.path.absolute()}"

    def parts(self) -> list[str]:
        """See the protocol."""
        with self._connections.reading(limited=False) as connection:
            months = {*_months(connection), *_months_of_weeks(connection)}
            erased, aliases = (_any(connection, table) for table in ("erased", "story_alias"))
        return in_order(months, erased=erased, aliases=aliases)

    def dump(self, part: str) -> Iterator[Record]:
        """See the protocol."""
        with self._connections.reading(limited=False) as connection:
            if part == ERASED:
                for uid, reason, at in connection.execute("SELECT lower(hex(uid)), reason, at FROM erased"):
                    yield Erased(uid=uid, reason=reason, at=moment(at))
            elif part == ALIASES:
                for newer, older in connection.execute("SELECT newer, older FROM story_alias"):
                    yield Alias(newer=newer, older=older)
            else:
                yield from _mentions(connection, part)
                yield from _signatures(connection, part)

    def load(self, records: Sequence[Record]) -> None:
        """See the protocol."""
        with self._connections.writing() as connection:
            error = other_analysis(connection, self._connections.path)
            if error is not None:
                raise error
            about = [uid for record in records if not isinstance(record, Erased) and (uid := uid_of(record))]
            barred = self._barred(connection, about)
            kept = {record.mention.uid: record for record in records if isinstance(record, Kept)}
            _keep(connection, [record for uid, record in kept.items() if uid not in barred])
            for record in records:
                if isinstance(record, Alias):
                    join_stories(connection, record.older, record.newer)
            _sign(connection, [r for r in records if isinstance(r, Signature) and r.uid not in barred])
            erased = [(bytes.fromhex(r.uid), r.reason, micros(r.at)) for r in records if isinstance(r, Erased)]
            connection.executemany("INSERT OR REPLACE INTO erased VALUES (?, ?, ?)", erased)
            _forget(connection, [r.uid for r in records if isinstance(r, Erased)])

    def discard(self, part: str) -> None:
        """See the protocol. In batches, so that no transaction grows with the month."""
        while True:
            with self._connections.writing() as connection:
                where, values = _within(part)
                rows = connection.execute(f"SELECT lower(hex(uid)) FROM mention WHERE {where} LIMIT {_BATCH}", values)
                if not _forget(connection, [uid for (uid,) in rows.fetchall()]):
                    connection.execute("DELETE FROM band WHERE week >= ? AND week < ?", weeks(part))
                    return

    def barred(self, uids: Sequence[str]) -> set[str]:
        """See the protocol."""
        with self._connections.reading() as connection:
            return self._barred(connection, uids)

    def _barred(self, connection: sqlite3.Connection, uids: Sequence[str]) -> set[str]:
        rows = connection.execute(
            "SELECT lower(hex(e.uid)) FROM json_each(?) j CROSS JOIN erased e ON e.uid = sw_unhex(j.value)",
            (json.dumps(list(uids)),),
        )
        return {uid for (uid,) in rows} | (self._erased(uids) if uids else set())

    def empty(self) -> bool:
        """See the protocol."""
        with self._connections.reading() as connection:
            return not any(_any(connection, table) for table in ("mention", "history", "story_alias"))

    def unfinished(self) -> str | None:
        """See the protocol."""
        with self._connections.reading() as connection:
            return unfinished(connection)

    def begin(self, source: str) -> None:
        """See the protocol."""
        with self._connections.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (COPY_FROM, source))

    def finish(self) -> None:
        """See the protocol."""
        with self._connections.writing() as connection:
            connection.execute("DELETE FROM meta WHERE key = ?", (COPY_FROM,))


def unfinished(connection: sqlite3.Connection) -> str | None:
    """The store whose copy has begun to come into the file and has not ended."""
    row = connection.execute("SELECT value FROM meta WHERE key = ?", (COPY_FROM,)).fetchone()
    return None if row is None else str(row[0])


# --- out ----------------------------------------------------------------------------------------------------------


def _any(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is not None


def _months(connection: sqlite3.Connection) -> Iterator[str]:
    """One step in the order of ids for each month, not one for each mention."""
    low = -1
    while row := connection.execute("SELECT event FROM mention WHERE id > ? ORDER BY id LIMIT 1", (low,)).fetchone():
        yield (month := month_of(moment(row[0])))
        start, _ = bounds(month)
        if start is None:
            return
        low = _last_id(start)


def _months_of_weeks(connection: sqlite3.Connection) -> Iterator[str]:
    week = connection.execute("SELECT MIN(week) FROM band").fetchone()[0]
    while week is not None:
        yield (month := month_of_week(week))
        week = connection.execute("SELECT MIN(week) FROM band WHERE week >= ?", (weeks(month)[1],)).fetchone()[0]


def _last_id(start: datetime) -> int:
    """The greatest id a mention of that second or later may have: ids ascend from new to old."""
    return min(((LAST_SECOND - micros(start) // 1_000_000 + 1) << UID_BITS) - 1, _ID_MAX)


def _within(month: str) -> tuple[str, list[int]]:
    """The condition on rows of a month: on ids, which are quick to find, and on the exact time."""
    start, end = bounds(month)
    if start is None:
        return "event < ?", [micros(end)]
    low = (LAST_SECOND - micros(end) // 1_000_000) << UID_BITS
    return "id BETWEEN ? AND ? AND event >= ? AND event < ?", [low, _last_id(start), micros(start), micros(end)]


def _mentions(connection: sqlite3.Connection, month: str) -> Iterator[Kept]:
    """Newest first: in the order of ids, in which they are also quickest to write."""
    where, values = _within(month)
    rows = connection.execute(f"SELECT uid, first_known, doc FROM mention WHERE {where} ORDER BY id", values)
    while batch := list(islice(rows, _BATCH)):
        past = _history(connection, [uid for uid, _, _ in batch])
        for uid, first_known, doc in batch:
            yield Kept(mention=decode(doc), first_known=moment(first_known), earlier=past.get(uid, ()))


def _history(connection: sqlite3.Connection, uids: Sequence[bytes]) -> dict[bytes, tuple[Revision, ...]]:
    rows = connection.execute(
        "SELECT h.uid, h.known_from, h.known_to, h.doc FROM json_each(?) j"
        " CROSS JOIN history h ON h.uid = sw_unhex(j.value) ORDER BY h.uid, h.revision",
        (json.dumps([uid.hex() for uid in uids]),),
    )
    return {
        uid: tuple(
            Revision(mention=decode(doc), known_from=moment(known_from), known_to=moment(known_to))
            for _, known_from, known_to, doc in group
        )
        for uid, group in groupby(rows, key=lambda row: row[0])
    }


def _signatures(connection: sqlite3.Connection, month: str) -> Iterator[Signature]:
    """One week at a time; SQLite sorts what does not fit into its cache on disk."""
    first, end = weeks(month)
    week = connection.execute("SELECT MIN(week) FROM band WHERE week >= ?", (first,)).fetchone()[0]
    while week is not None and week < end:
        rows = connection.execute("SELECT uid, band FROM band WHERE week = ? ORDER BY uid", (week,))
        for uid, group in groupby(rows, key=lambda row: row[0]):
            bands = sorted(band % (1 << 64) for _, band in group)
            yield Signature(uid=uid.hex(), week=week, bands=tuple(bands))
        week = connection.execute("SELECT MIN(week) FROM band WHERE week > ?", (week,)).fetchone()[0]


# --- in -----------------------------------------------------------------------------------------------------------


def _keep(connection: sqlite3.Connection, records: Sequence[Kept]) -> None:
    there = load(connection, [record.mention.uid for record in records])
    changes = [Change(there.get(record.mention.uid), _row(record)) for record in records]
    give_ids(connection, changes)
    connection.executemany("DELETE FROM history WHERE uid = ?", [(change.new.uid,) for change in changes if change.new])
    apply(connection, changes)
    past = [
        _past(change.new, revision)
        for record, change in zip(records, changes, strict=True)
        for revision in record.earlier
        if change.new is not None
    ]
    connection.executemany("INSERT INTO history VALUES (?, ?, ?, ?, ?, ?)", past)


def _sign(connection: sqlite3.Connection, records: Sequence[Signature]) -> None:
    """In the order of the table: those of a week lie beside each other there."""
    for week, group in groupby(sorted(records, key=lambda record: record.week), key=lambda record: record.week):
        bands = defaultdict[str, list[int]](list)
        for record in group:
            bands[record.uid] += record.bands
        note_signatures(connection, bands, week)


def _row(record: Kept) -> Row:
    mention = record.mention
    if mention.known_from is None:
        raise StoreError(f"the dump of mention {mention.uid} does not say since when it is known")
    return Row(id_base(mention), bytes.fromhex(mention.uid), mention, micros(record.first_known))


def _past(now: Row, revision: Revision) -> tuple[bytes, int, int, int, int, str]:
    """A row of the history. It was found under the present id unless its event time was another."""
    old = revision.mention
    if revision.known_to is None:
        raise StoreError(f"the dump of mention {old.uid} does not say until when revision {old.revision} was known")
    row_id = now.id if _second(old) == _second(now.mention) else id_base(old)
    known = micros(revision.known_from), micros(revision.known_to)
    return now.uid, old.revision, *known, row_id, msgspec.json.encode(old).decode()


def _second(mention: Mention) -> int:
    return micros(mention.event_time) // 1_000_000


def _forget(connection: sqlite3.Connection, uids: Sequence[str]) -> int:
    """Remove mentions and their history, but not their bands; returns how many there were."""
    rows = load(connection, uids)
    apply(connection, [Change(row, None) for row in rows.values()])
    connection.executemany("DELETE FROM history WHERE uid = ?", [(bytes.fromhex(uid),) for uid in uids])
    return len(rows)
