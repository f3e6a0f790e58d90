"""The mention store on Elasticsearch as one object: what callers hold. The work is in the modules beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from elasticsearch import ApiError, Elasticsearch, TransportError
from msgspec.structs import replace

from pipeline.clock import Clock
from pipeline.mention import Mention
from pipeline.query.tree import Query
from pipeline.store.elastic import checking, counting, joining, reading, removal, stories, writing
from pipeline.store.elastic.access import Access
from pipeline.store.elastic.client import guarded
from pipeline.store.elastic.locating import current, located
from pipeline.store.elastic.mapping import check_writable, prepare
from pipeline.store.elastic.names import Names, month
from pipeline.store.elastic.side import ElasticSide
from pipeline.store.elastic.transfer import ElasticTransfer
from pipeline.store.export import export
from pipeline.store.protocol import BIN, TERM_DAYS, Cell, Facet, Page, Persons, Revision, StoreError, Window, Written
from pipeline.store.significance import CANDIDATES, Term, ranked
from pipeline.store.transfer import half_a_copy


def none_erased(uids: Sequence[str]) -> set[str]:
    """For stores that keep the only list of erased mentions."""
    return set()


class ElasticStore:
    """``pipeline.store.protocol.Store`` on a cluster. Threads share one object, processes the cluster.

    ``client`` is closed with the store. ``erased`` tells which of some uids the state database knows as erased;
    ``limit`` is that of one search, in seconds. Raises StoreError where the indices are of another release.
    """

    def __init__(
        self,
        client: Elasticsearch,
        prefix: str,
        *,
        clock: Clock,
        retention: timedelta | None = None,
        read_only: bool = False,
        erased: Callable[[Sequence[str]], set[str]] = none_erased,
        replicas: int = 0,
        limit: float = 10.0,
    ) -> None:
        self.clock, self.retention = clock, retention
        self._read_only, self._erased = read_only, erased
        self.access = Access(client, Names(prefix), clock, limit)
        with guarded():
            prepare(client, self.access.names, replicas, read_only, month(clock.now()))
        self.side = ElasticSide(client, self.access.names, replicas=replicas)

    def _reading(self) -> Access:
        """For searches over mentions and history: with what this process wrote before."""
        access = self.access
        access.unrefreshed.settle(access.client, access.names.mentions, access.names.history, access.names.stories)
        return access

    def _writing(self) -> Access:
        """For whatever changes something."""
        if self._read_only:
            raise StoreError(f"the mention store {self.access.names.prefix} was opened for reading only")
        check_writable(self.access.client, self.access.names)
        return self.access

    # --- writing --------------------------------------------------------------------------------------------------

    def write(self, mentions: Sequence[Mention]) -> Written:
        """See the protocol. One that the cluster rejects is refused by itself: its reason begins with "rejected"."""
        oldest = None if self.retention is None else self.clock.now() - self.retention
        old = {m.uid for m in mentions if oldest is not None and m.event_time < oldest}

        def barred(uids: Sequence[str]) -> dict[str, str]:
            gone = writing.erased(self.access, uids) | self._erased(uids)
            found = dict.fromkeys((uid for uid in uids if uid in old), "older than the retention")
            return {**found, **dict.fromkeys((uid for uid in uids if uid in gone), "erased")}

        with guarded():
            return writing.write(self._writing(), mentions, barred)

    def delete_at_source(self, uid: str, at: datetime) -> bool:
        """See the protocol."""
        with guarded():
            hit = located(self._writing(), [uid]).get(uid)
        if hit is None:
            return False
        gone = replace(hit.mention, deleted_at=max(at, hit.mention.deleted_at or at))
        with guarded():
            written = writing.write(self._writing(), [gone], lambda uids: {})
        return not written.refused

    def erase(self, uids: Sequence[str], reason: str) -> list[str]:
        """See the protocol."""
        with guarded():
            return removal.erase(self._writing(), uids, reason)

    def written_by(self, author: str) -> list[str]:
        """See the protocol."""
        with guarded():
            return removal.written_by(self._reading(), author)

    def erase_author(self, author: str, reason: str) -> list[str]:
        """See the protocol."""
        with guarded():
            uids = removal.written_by(self._writing(), author)
            removal.erase(self._writing(), uids, reason)
            return uids

    def purge(self, before: datetime) -> int:
        """See the protocol. A month that is older as a whole is dropped as a whole."""
        with guarded():
            return removal.purge(self._writing(), before)

    def refresh(self) -> None:
        """See the protocol."""
        with guarded():
            joining.refresh(self.access, join=not self._read_only)

    # --- reading --------------------------------------------------------------------------------------------------

    def get(self, uids: Sequence[str], *, as_of: datetime | None = None) -> dict[str, Mention]:
        """See the protocol."""
        moment_asked = reading.capped(as_of, self.clock.now())
        with guarded():
            if moment_asked is None:
                return current(self.access, uids)
            return reading.by_uid(self._reading(), uids, moment_asked)

    def history(self, uid: str) -> list[Revision]:
        """See the protocol."""
        with guarded():
            return reading.history(self._reading(), uid)

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
        with guarded():
            return reading.search(self._reading(), query, (start, end), limit, after, moment_asked)

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
        with guarded():
            return reading.count(self._reading(), query, (start, end), moment_asked)

    def scan(self, query: Query, *, start: datetime | None = None, end: datetime | None = None) -> Iterator[Mention]:
        """See the protocol. One consistent view, however long it takes; ``as_of`` of the query is honoured."""
        if query.as_of is not None:
            yield from self._scan_past(query, start, end)
            return
        with guarded():
            yield from reading.scan(self._reading(), query, (start, end))

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
        with guarded():
            return reading.facets(self._reading(), query, field, (start, end), limit)

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
        with guarded():
            access = self._reading()
            found = reading.facets(access, query, "topic", (start, end), CANDIDATES)
            now = {facet.value: facet.persons for facet in found}
            earlier = reading.persons_of(access, background, "topic", list(now), before)
            _, persons = reading.count(access, query, (start, end), None)
            _, persons_before = reading.count(access, background, before, None)
        return ranked(now, earlier, persons, persons_before, limit)

    def series(self, brand: str, start: datetime, end: datetime, *, width: timedelta = BIN) -> list[Cell]:
        """See the protocol."""
        with guarded():
            return counting.series(self._reading(), brand, start, end, width)

    def hours(self, brand: str, start: datetime, end: datetime) -> list[Cell]:
        """Whole hours by event time, all sources together (``source`` is empty): for drawing."""
        with guarded():
            return counting.hours(self._reading(), brand, start, end)

    def days(self, brand: str, start: datetime, end: datetime) -> list[Cell]:
        """Whole days (UTC) by event time and source: for drawing."""
        with guarded():
            return counting.days(self._reading(), brand, start, end)

    def persons(self, window: Window) -> Persons:
        """See the protocol."""
        with guarded():
            return counting.persons(self._reading(), window)

    def persons_by_bin(self, window: Window, *, width: timedelta) -> dict[datetime, int]:
        """See the protocol."""
        with guarded():
            return counting.persons_by_bin(self._reading(), window, width)

    def in_window(self, window: Window, *, limit: int = 1000) -> list[Mention]:
        """See the protocol."""
        with guarded():
            return counting.in_window(self._reading(), window, limit)

    def first_stored_since(self, known_from: datetime, *, brand: str | None = None, limit: int = 1000) -> list[Mention]:
        """See the protocol."""
        with guarded():
            return reading.first_stored_since(self._reading(), known_from, brand, limit)

    def written_since(self, known_from: datetime, *, limit: int = 1000) -> list[Mention]:
        """See the protocol."""
        with guarded():
            return reading.written_since(self._reading(), known_from, limit)

    # --- stories --------------------------------------------------------------------------------------------------

    def story_members(self, story: str) -> list[Mention]:
        """See the protocol."""
        with guarded():
            return stories.members(self._reading(), story)

    def story_of(self, signatures: Mapping[str, Sequence[int]], week: int) -> dict[str, list[str]]:
        """See the protocol."""
        with guarded():
            return stories.sharing(self.access, signatures, week)

    def stories(self, uids: Sequence[str]) -> dict[str, str]:
        """See the protocol."""
        with guarded():
            return stories.stories(self.access, uids)

    def note_signatures(self, signatures: Mapping[str, Sequence[int]], week: int) -> None:
        """See the protocol."""
        with guarded():
            stories.note_signatures(self._writing(), signatures, week)

    def join_stories(self, older: str, newer: str) -> None:
        """See the protocol."""
        with guarded():
            stories.join_stories(self._writing(), older, newer)

    # --- care -----------------------------------------------------------------------------------------------------

    def backup(self, target: Path) -> None:
        """See the protocol. One line of JSON for each record, compressed; complete before it gets its name."""
        export(self.transfer(), target)

    def transfer(self) -> ElasticTransfer:
        """See the protocol."""
        return ElasticTransfer(self.access, self._erased, joins=not self._read_only)

    def check(self) -> list[str]:
        """See the protocol."""
        with guarded():
            return [*half_a_copy(self.transfer()), *checking.findings(self._reading())]

    def reindex(self) -> int:
        """Make all tokens anew by the present analysis; returns how many mentions were written. May be repeated."""
        with guarded():
            return checking.reindex(self.access)

    def statistics(self) -> dict[str, int | str]:
        """See the protocol."""
        with guarded():
            return checking.statistics(self._reading())

    def close(self) -> None:
        """See the protocol. What was written here, others find at once, unless the server does not answer."""
        access, names = self.access, self.access.names
        client = access.client.options(max_retries=0, request_timeout=5)
        with suppress(ApiError, TransportError):
            access.unrefreshed.settle(client, names.mentions, names.history, names.stories)
        access.client.close()
