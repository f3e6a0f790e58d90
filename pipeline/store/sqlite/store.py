"""The embedded mention store as one object: what callers hold. The work is in the modules beside it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from pipeline.clock import Clock
from pipeline.mention import Mention
from pipeline.query.tree import Query
from pipeline.store.measures import micros, moment
from pipeline.store.protocol import BIN, TERM_DAYS, Cell, Facet, Page, Persons, Revision, StoreError, Window, Written
from pipeline.store.significance import CANDIDATES, Term, ranked
from pipeline.store.sqlite import checking, counting, reading, removal, stories, writing
from pipeline.store.sqlite.checking import other_analysis
from pipeline.store.sqlite.connection import Connections
from pipeline.store.sqlite.functions import decode
from pipeline.store.sqlite.migrations import migrate, schema_version, too_new, too_old, version_of
from pipeline.store.sqlite.transfer import SqliteTransfer, unfinished
from pipeline.store.transfer import half_a_copy, unfinished_copy

_FIRST_STORED_SINCE = """
SELECT doc FROM mention m WHERE first_known >= :since AND (:brand IS NULL OR EXISTS (
    SELECT 1 FROM mention_brand o WHERE o.brand = :brand AND o.fed_bin = m.fed_bin AND o.id = m.id
)) ORDER BY first_known, id DESC LIMIT :limit
"""
_WRITTEN_SINCE = """
SELECT doc FROM mention WHERE first_known >= :since
UNION ALL
SELECT doc FROM mention
WHERE first_known < :since AND uid IN (SELECT uid FROM history WHERE known_to >= :since)
LIMIT :limit
"""


def none_erased(uids: Sequence[str]) -> set[str]:
    """For stores that keep the only list of erased mentions."""
    return set()


class SqliteStore:
    """``pipeline.store.protocol.Store`` in one file. Threads share one object; processes share the file.

    ``erased`` tells which of some uids the state database knows as erased; ``sqlite`` is the module to use.
    Raises StoreError where the file is of another schema.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Clock,
        retention: timedelta | None = None,
        read_only: bool = False,
        erased: Callable[[Sequence[str]], set[str]] = none_erased,
        sqlite: Any = sqlite3,
        limit: float = 10.0,
    ) -> None:
        self.path, self.clock, self.retention = path, clock, retention
        self._erased, self._sqlite = erased, sqlite
        self._connections = Connections(path, sqlite=sqlite, read_only=read_only, limit=limit)
        try:
            self._prepare(read_only)
        except BaseException:
            self._connections.close()
            raise

    def _prepare(self, read_only: bool) -> None:
        if read_only and not self.path.exists():
            raise StoreError(f"there is no mention store at {self.path}")
        if not read_only and (not self.path.exists() or self._version() == 0):
            with self._connections.alone() as connection:
                migrate(connection)
        version = self._version()
        if version > schema_version:
            raise StoreError(too_new(self.path, version))
        if version < schema_version:
            raise StoreError(too_old(self.path, version))

    def _version(self) -> int:
        with self._connections.reading() as connection:
            return version_of(connection)

    # --- writing --------------------------------------------------------------------------------------------------

    def write(self, mentions: Sequence[Mention]) -> Written:
        """See the protocol."""
        with self._writing() as connection:
            now = self.clock.now()
            refused = self._refused(connection, mentions, now)
            written = writing.write(connection, [m for m in mentions if m.uid not in refused], now)
        return replace(written, refused=tuple(refused.items()))

    def _writing(self) -> _Guarded:
        return _Guarded(self._connections)

    def _refused(self, connection: sqlite3.Connection, mentions: Sequence[Mention], now: datetime) -> dict[str, str]:
        """uid → reason of those that may not be stored."""
        uids = list(dict.fromkeys(mention.uid for mention in mentions))
        rows = connection.execute(
            "SELECT lower(hex(e.uid)) FROM json_each(?) j CROSS JOIN erased e ON e.uid = sw_unhex(j.value)",
            (json.dumps(uids),),
        )
        gone = {uid for (uid,) in rows} | self._erased(uids)
        refused = {uid: "erased" for uid in uids if uid in gone}
        if self.retention is not None:
            oldest = now - self.retention
            old = (mention.uid for mention in mentions if mention.event_time < oldest)
            refused.update((uid, "older than the retention") for uid in old if uid not in refused)
        return refused

    def delete_at_source(self, uid: str, at: datetime) -> bool:
        """See the protocol."""
        with self._writing() as connection:
            rows = writing.load(connection, [uid])
            if uid in rows:
                gone = replace(rows[uid].mention, deleted_at=max(at, rows[uid].mention.deleted_at or at))
                writing.write(connection, [gone], self.clock.now())
            return uid in rows

    def erase(self, uids: Sequence[str], reason: str) -> list[str]:
        """See the protocol."""
        with self._writing() as connection:
            return removal.erase(connection, uids, reason, self.clock.now())

    def written_by(self, author: str) -> list[str]:
        """See the protocol."""
        with self._connections.reading(limited=False) as connection:
            return removal.uids_of_author(connection, author)

    def erase_author(self, author: str, reason: str) -> list[str]:
        """See the protocol."""
        with self._writing() as connection:
            uids = removal.uids_of_author(connection, author)
            removal.erase(connection, uids, reason, self.clock.now())
            return uids

    def purge(self, before: datetime) -> int:
        """See the protocol. In batches, so that writers in between need not wait."""
        total = 0
        while True:
            with self._writing() as connection:
                removed = removal.purge_some(connection, before)
            total += removed
            if removed < removal.BATCH:
                return total

    def refresh(self) -> None:
        """See the protocol. Every transaction sees all that was committed before it."""

    # --- reading --------------------------------------------------------------------------------------------------

    def get(self, uids: Sequence[str], *, as_of: datetime | None = None) -> dict[str, Mention]:
        """See the protocol."""
        with self._connections.reading() as connection:
            return reading.by_uid(connection, uids, reading.capped(as_of, self.clock.now()))

    def history(self, uid: str) -> list[Revision]:
        """See the protocol."""
        with self._connections.reading() as connection:
            return reading.history(connection, uid)

    def search(
        self,
        query: Query,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 50,
        after: str | None = None,
        as_of: datetime | None = None,
    ) -> Page:
        """See the protocol. Raises ValueError for a cursor that is not one."""
        moment_asked = reading.capped(as_of or query.as_of, self.clock.now())
        with self._connections.reading() as connection:
            return reading.search(connection, query, (start, end), limit, after, moment_asked)

    def count(
        self,
        query: Query,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        as_of: datetime | None = None,
    ) -> tuple[int, int]:
        """See the protocol."""
        moment_asked = reading.capped(as_of or query.as_of, self.clock.now())
        with self._connections.reading() as connection:
            return reading.count(connection, query, (start, end), moment_asked)

    def scan(self, query: Query, *, start: datetime | None = None, end: datetime | None = None) -> Iterator[Mention]:
        """See the protocol. One consistent view, however long it takes; ``as_of`` of the query is honoured."""
        if query.as_of is not None:
            yield from self._scan_past(query, start, end)
            return
        with self._connections.reading(limited=False) as connection:
            for _, mention in reading.current_hits(connection, query, (start, end), -1, None, None):
                yield mention

    def _scan_past(self, query: Query, start: datetime | None, end: datetime | None) -> Iterator[Mention]:
        after: str | None = None
        while True:
            page = self.search(query, start=start, end=end, limit=500, after=after)
            yield from page.mentions
            after = page.after
            if after is None:
                return

    def facets(
        self,
        query: Query,
        field: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 20,
    ) -> list[Facet]:
        """See the protocol. Raises ValueError for a field without facets."""
        with self._connections.reading() as connection:
            return reading.facets(connection, query, field, (start, end), limit)

    def terms(
        self,
        query: Query,
        background: Query,
        *,
        start: datetime,
        end: datetime | None = None,
        days: int = TERM_DAYS,
        limit: int = 20,
    ) -> list[Term]:
        """See the protocol."""
        before = (start - timedelta(days=days), start)
        with self._connections.reading() as connection:
            found = reading.facets(connection, query, "topic", (start, end), CANDIDATES)
            now = {facet.value: facet.persons for facet in found}
            earlier = reading.persons_of(connection, background, "topic", list(now), before)
            _, persons = reading.count(connection, query, (start, end), None)
            _, persons_before = reading.count(connection, background, before, None)
        return ranked(now, earlier, persons, persons_before, limit)

    def series(self, brand: str, start: datetime, end: datetime, *, width: timedelta = BIN) -> list[Cell]:
        """See the protocol."""
        with self._connections.reading() as connection:
            return counting.series(connection, brand, start, end, width)

    def hours(self, brand: str, start: datetime, end: datetime) -> list[Cell]:
        """Whole hours by event time, all sources together (``source`` is empty): for drawing."""
        with self._connections.reading() as connection:
            return counting.hours(connection, brand, start, end)

    def days(self, brand: str, start: datetime, end: datetime) -> list[Cell]:
        """Whole days (UTC) by event time and source: for drawing."""
        with self._connections.reading() as connection:
            return counting.days(connection, brand, start, end)

    def persons(self, window: Window) -> Persons:
        """See the protocol."""
        with self._connections.reading() as connection:
            return counting.persons(connection, window)

    def persons_by_bin(self, window: Window, *, width: timedelta) -> dict[datetime, int]:
        """See the protocol."""
        with self._connections.reading() as connection:
            return counting.persons_by_bin(connection, window, width)

    def in_window(self, window: Window, *, limit: int = 1000) -> list[Mention]:
        """See the protocol."""
        with self._connections.reading() as connection:
            return counting.in_window(connection, window, limit)

    def first_stored_since(self, known_from: datetime, *, brand: str | None = None, limit: int = 1000) -> list[Mention]:
        """See the protocol."""
        asked = {"since": micros(known_from), "brand": brand, "limit": limit}
        with self._connections.reading() as connection:
            return [decode(doc) for (doc,) in connection.execute(_FIRST_STORED_SINCE, asked)]

    def written_since(self, known_from: datetime, *, limit: int = 1000) -> list[Mention]:
        """See the protocol."""
        with self._connections.reading() as connection:
            rows = connection.execute(_WRITTEN_SINCE, {"since": micros(known_from), "limit": limit})
            return [decode(doc) for (doc,) in rows]

    # --- stories --------------------------------------------------------------------------------------------------

    def story_members(self, story: str) -> list[Mention]:
        """See the protocol."""
        with self._connections.reading() as connection:
            return stories.members(connection, story)

    def story_of(self, signatures: Mapping[str, Sequence[int]], week: int) -> dict[str, list[str]]:
        """See the protocol."""
        with self._connections.reading() as connection:
            return stories.sharing(connection, signatures, week)

    def stories(self, uids: Sequence[str]) -> dict[str, str]:
        """See the protocol."""
        with self._connections.reading() as connection:
            return stories.stories(connection, uids)

    def note_signatures(self, signatures: Mapping[str, Sequence[int]], week: int) -> None:
        """See the protocol."""
        with self._writing() as connection:
            stories.note_signatures(connection, signatures, week)

    def join_stories(self, older: str, newer: str) -> None:
        """See the protocol."""
        with self._writing() as connection:
            stories.join_stories(connection, older, newer)

    # --- care -----------------------------------------------------------------------------------------------------

    def backup(self, target: Path) -> None:
        """See the protocol. The copy is compact and complete before it gets its name."""
        partial = target.with_name(target.name + ".partial")
        partial.unlink(missing_ok=True)
        with self._connections.reading(limited=False) as connection:
            connection.execute("ROLLBACK")  # VACUUM stands outside any transaction
            connection.execute("VACUUM INTO ?", (str(partial),))
        partial.replace(target)

    def transfer(self) -> SqliteTransfer:
        """See the protocol."""
        return SqliteTransfer(self._connections, self._erased)

    def check(self) -> list[str]:
        """See the protocol."""
        with self._connections.alone() as connection:
            found = checking.findings(connection, self._sqlite)
        return [*half_a_copy(self.transfer()), *found]

    def reindex(self) -> int:
        """See the protocol."""
        return checking.reindex(self.path)

    def statistics(self) -> dict[str, int | str]:
        """See the protocol."""
        with self._connections.reading() as connection:
            mentions = connection.execute("SELECT COUNT(*) FROM mention").fetchone()[0]
            newest, oldest = (
                connection.execute(f"SELECT event FROM mention ORDER BY id {order} LIMIT 1").fetchone()
                for order in ("ASC", "DESC")
            )
            replaced = connection.execute("SELECT COUNT(*) FROM history").fetchone()[0]
            size = connection.execute(
                "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
            ).fetchone()[0]
        return {
            "engine": f"sqlite {self._sqlite.sqlite_version}",
            "version": schema_version,
            "mentions": mentions,
            "revisions": mentions + replaced,
            "bytes": size,
            "first": moment(oldest[0]).isoformat() if oldest else "",
            "last": moment(newest[0]).isoformat() if newest else "",
        }

    def close(self) -> None:
        """See the protocol."""
        self._connections.close()


class _Guarded:
    """A writing transaction that refuses a file that another analysis has indexed, and one that is half a copy."""

    def __init__(self, connections: Connections) -> None:
        self._inner = connections.writing()
        self._path = connections.path

    def __enter__(self) -> sqlite3.Connection:
        connection = self._inner.__enter__()
        error = self._wrong(connection)
        if error is not None:
            self._inner.__exit__(StoreError, error, None)
            raise error
        return connection

    def _wrong(self, connection: sqlite3.Connection) -> StoreError | None:
        source = unfinished(connection)
        if source is not None:
            return StoreError(unfinished_copy(str(self._path), source))
        return other_analysis(connection, self._path)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        self._inner.__exit__(kind, error, trace)
