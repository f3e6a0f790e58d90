"""A whole store in and out of Elasticsearch: every revision and time as it is, month by month, in constant memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from itertools import groupby, pairwise
from typing import Any

from elasticsearch import Elasticsearch

from pipeline.mention import Mention
from pipeline.store.ahead import ahead
from pipeline.store.elastic import joining, removal, stories, writing
from pipeline.store.elastic.access import Access
from pipeline.store.elastic.asking import snapshot
from pipeline.store.elastic.bulk import Operation, carry_out
from pipeline.store.elastic.client import guarded, wait_longer
from pipeline.store.elastic.documents import Document, document, mention_of
from pipeline.store.elastic.locating import copies
from pipeline.store.elastic.mapping import copy_from, ensure_month, note_copy, silence, unsilence
from pipeline.store.elastic.names import alias_id, history_id, month
from pipeline.store.measures import micros, moment
from pipeline.store.protocol import Revision, StoreError
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

PAGE = 500
ANSWER_SECONDS = 120.0
"""How long one answer may take at least: what takes hours does not end because a node merges for a minute."""
PATIENCE_SECONDS = 300.0
"""How long is tried again at least while nodes are away or refuse: a node may be started anew meanwhile."""
_ROWS = 5_000
_MONTHS = 10_000


class ElasticTransfer:
    """``pipeline.store.transfer.Transfer`` of one prefix. ``erased``: what the state database bars.

    ``joins`` lets it join mentions that two writers created twice before they are counted. ``ensure`` makes the
    indices of a month.
    """

    lanes = 3

    def __init__(
        self,
        access: Access,
        erased: Callable[[Sequence[str]], set[str]],
        *,
        joins: bool = True,
        ensure: Callable[[str], None] | None = None,
    ) -> None:
        self._access, self._erased, self._joins = access, erased, joins
        self._lasting = replace(access, client=access.client.options(request_timeout=ANSWER_SECONDS))
        """The same, for what may take long."""
        self._quiet = False
        """Whether nothing that is loaded need be searchable before it is asked for."""
        self._wait_as_before: Callable[[], None] | None = None
        """There while a copy comes in."""
        self._ensure = ensure or (lambda month: ensure_month(access.client, access.names, month))
        self._made: set[str] = set()
        self._fresh = False
        """Whether all that is here was loaded by this object: then nothing is looked for before it is replaced."""
        with guarded():
            cluster = access.client.info()["cluster_uuid"]
        self.name = f"elasticsearch {access.names.prefix} (cluster {cluster})"

    def parts(self) -> list[str]:
        """See the protocol."""
        access, names = self._lasting, self._access.names
        with guarded():
            joining.refresh(access, join=self._joins)
            access.client.indices.refresh(index=names.erased)
            months = {*_months(access), *_months_of_weeks(access)}
            erased = bool(access.client.count(index=names.erased)["count"])
            aliases = bool(access.client.count(index=names.stories, query=_WHAT_ALIAS)["count"])
        return in_order(months, erased=erased, aliases=aliases)

    def dump(self, part: str) -> Iterator[Record]:
        """See the protocol."""
        access, names = self._lasting, self._access.names
        with guarded(), _patient(access.client):
            access.client.indices.refresh(
                index=[names.mentions, names.history, names.stories, names.erased], ignore_unavailable=True
            )
            if part == ERASED:
                for hit in _hits(access, names.erased, [{"match_all": {}}], ["_shard_doc"], ["reason", "at"]):
                    at = datetime.fromisoformat(hit["_source"]["at"])
                    yield Erased(uid=hit["_id"], reason=hit["_source"]["reason"], at=at)
            elif part == ALIASES:
                yield from _aliases(access)
            else:
                yield from _mentions(access, part)
                yield from _signatures(access, part)

    def load(self, records: Sequence[Record]) -> None:
        """See the protocol."""
        about = [uid for record in records if not isinstance(record, Erased) and (uid := uid_of(record))]
        barred = self.barred(about)
        kept = {record.mention.uid: record for record in records if isinstance(record, Kept)}
        with guarded():
            self._bar([record for record in records if isinstance(record, Erased)])
            self._join([record for record in records if isinstance(record, Alias)])
            self._keep([record for uid, record in kept.items() if uid not in barred])
            self._sign([r for r in records if isinstance(r, Signature) and r.uid not in barred])

    def discard(self, part: str) -> None:
        """See the protocol."""
        access, names = self._lasting, self._access.names
        first, end = weeks(part)
        bands = [{"term": {"what": "bands"}}, {"range": {"week": {"gte": first, "lt": end}}}]
        with guarded():
            access.client.indices.refresh(index=[names.mentions, names.history, names.stories])
            while uids := [hit["_id"] for hit in _first(access, names.mentions, [_within(part)])]:
                removal.remove_located(access, copies(access, uids))
                access.client.indices.refresh(index=names.mentions)
            access.client.delete_by_query(
                index=names.stories, query={"bool": {"filter": bands}}, conflicts="proceed", refresh=True
            )

    def barred(self, uids: Sequence[str]) -> set[str]:
        """See the protocol."""
        if not uids:
            return set()
        with guarded():
            return writing.erased(self._access, uids) | self._erased(uids)

    def empty(self) -> bool:
        """See the protocol."""
        access, names = self._access, self._access.names
        with guarded():
            access.client.indices.refresh(index=[names.mentions, names.history, names.stories])
            if any(access.client.count(index=index)["count"] for index in (names.mentions, names.history)):
                return False
            return not access.client.count(index=names.stories, query=_WHAT_ALIAS)["count"]

    def unfinished(self) -> str | None:
        """See the protocol."""
        with guarded():
            return copy_from(self._access.client, self._access.names)

    def begin(self, source: str) -> None:
        """See the protocol."""
        self.look()
        with guarded():
            note_copy(self._access.client, self._access.names, source)
            silence(self._access.client, [*self._access.names.of_months, self._access.names.stories])
        self._quiet = True

    def look(self) -> None:
        """Note whether there is anything to replace; until then everything is looked for before it is loaded.

        From now on a server that is away is waited for longer, until it is finished.
        """
        self._fresh = self.empty()
        self._wait_as_before = self._wait_as_before or wait_longer(self._access.client, PATIENCE_SECONDS)

    def finish(self) -> None:
        """See the protocol."""
        names = self._access.names
        with guarded():
            unsilence(self._access.client, [*names.of_months, names.stories])
            note_copy(self._access.client, names, None)
        self._quiet = False
        if self._wait_as_before is not None:
            self._wait_as_before()
            self._wait_as_before = None

    # --- in -------------------------------------------------------------------------------------------------------

    def _bar(self, records: Sequence[Erased]) -> None:
        access = self._lasting
        operations = [
            Operation("index", access.names.erased, r.uid, {"reason": r.reason, "at": r.at.isoformat()})
            for r in records
        ]
        self._carry_out(operations)
        if records and not self._fresh:
            removal.remove(access, [record.uid for record in records])

    def _join(self, records: Sequence[Alias]) -> None:
        access = self._lasting
        if self._fresh:
            made = [{"key": alias_id(r.newer), "what": "alias", "newer": r.newer, "older": r.older} for r in records]
            self._carry_out([Operation("index", access.names.stories, alias["key"], alias) for alias in made])
            return
        for record in records:
            stories.join_stories(access, record.older, record.newer)

    def _keep(self, records: Sequence[Kept]) -> None:
        access = self._lasting
        if records and not self._fresh:
            there = _among(access, [record.mention.uid for record in records])
            if there:
                removal.remove_located(access, copies(access, there))
        states = [mention for r in records for mention in (r.mention, *(revision.mention for revision in r.earlier))]
        roots = stories.roots(access, {mention.story or mention.uid for mention in states})
        operations = [operation for record in records for operation in self._operations(record, roots)]
        for missing in sorted({access.names.month_of(operation.index) for operation in operations} - self._made):
            self._ensure(missing)
            if self._quiet:
                silence(access.client, [access.names.mentions_of(missing), access.names.history_of(missing)])
            self._made.add(missing)
        self._carry_out(operations)

    def _operations(self, record: Kept, roots: dict[str, str]) -> Iterator[Operation]:
        """History first, so that whoever finds the mention finds all of it."""
        names, uid, where = self._access.names, record.mention.uid, month(record.mention.event_time)
        first_known = micros(record.first_known)

        def made(mention: Mention) -> Document:
            return document(mention, roots[mention.story or mention.uid], first_known)

        for revision in record.earlier:
            if revision.known_to is None:
                raise StoreError(f"the dump of mention {uid} does not say until when a replaced revision was known")
            row = made(revision.mention)
            row["known_to"], row["known_to_us"] = revision.known_to.isoformat(), micros(revision.known_to)
            yield Operation("index", names.history_of(where), history_id(uid, revision.mention.revision), row)
        yield Operation("index", names.mentions_of(where), uid, made(record.mention))

    def _sign(self, records: Sequence[Signature]) -> None:
        by_week = defaultdict[int, dict[str, tuple[int, ...]]](dict)
        for record in records:
            by_week[record.week][record.uid] = record.bands
        for week, signatures in by_week.items():
            stories.load_signatures(self._lasting, signatures, week)

    def _carry_out(self, operations: Sequence[Operation]) -> None:
        access = self._lasting
        for operation, outcome in zip(operations, carry_out(access.client, operations), strict=True):
            if not outcome.done:
                raise StoreError(f"{operation.id} cannot be copied: {outcome.kind}: {outcome.reason}")
        access.unrefreshed.mark(access.names.mentions, access.names.history, access.names.stories)


# --- out ----------------------------------------------------------------------------------------------------------

_WHAT_ALIAS: dict[str, Any] = {"term": {"what": "alias"}}
_NEWEST_FIRST = [{"event_second": "desc"}, {"uid": "asc"}, "_shard_doc"]


@contextmanager
def _patient(client: Elasticsearch) -> Iterator[None]:
    """Longer patience, for the length of a block."""
    end = wait_longer(client, PATIENCE_SECONDS)
    try:
        yield
    finally:
        end()


def _within(part: str) -> dict[str, Any]:
    start, end = bounds(part)
    return {"range": {"event_us": {"lt": micros(end), **({} if start is None else {"gte": micros(start)})}}}


def _months(access: Access) -> Iterator[str]:
    by_month = {"date_histogram": {"field": "event_time", "calendar_interval": "month", "min_doc_count": 1}}
    answer = access.client.search(
        index=access.names.mentions, size=0, aggs={"months": by_month}, allow_partial_search_results=False
    )
    for bucket in answer.get("aggregations", {}).get("months", {}).get("buckets", ()):
        yield month_of(moment(int(bucket["key"]) * 1000))


def _months_of_weeks(access: Access) -> Iterator[str]:
    by_week = {"terms": {"field": "week", "size": _MONTHS}}
    answer = access.client.search(index=access.names.stories, size=0, aggs={"weeks": by_week})
    for bucket in answer.get("aggregations", {}).get("weeks", {}).get("buckets", ()):
        yield month_of_week(int(bucket["key"]))


def _aliases(access: Access) -> Iterator[Alias]:
    """Flat: the way from alias to alias is known to this engine alone."""
    found = _hits(access, access.names.stories, [_WHAT_ALIAS], ["_shard_doc"], ["newer", "older"])
    older = {hit["_source"]["newer"]: hit["_source"]["older"] for hit in found}
    for newer in older:
        root = stories.followed(newer, older)
        if root != newer:
            yield Alias(newer=newer, older=root)


def _mentions(access: Access, part: str) -> Iterator[Kept]:
    for hits, past in ahead(_with_history(access, part)):
        for hit in hits:
            source = hit["_source"]
            known = moment(source["first_known_us"])
            yield Kept(mention=mention_of(source), first_known=known, earlier=past.get(hit["_id"], ()))


def _with_history(access: Access, part: str) -> Generator[tuple[list[dict[str, Any]], dict[str, tuple[Revision, ...]]]]:
    """The mentions of a month, newest first, a page at a time beside what was known of them before."""
    fields = ["doc", "first_known_us", "known_us", "revision"]
    with snapshot(access, access.names.mentions) as now:
        if now is None:
            return
        for hits in _pages(_seen_once(_of(access, now, [_within(part)], _NEWEST_FIRST, fields, PAGE))):
            yield hits, _history(access, {hit["_id"]: hit["_source"] for hit in hits})


def _seen_once(hits: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Of two documents of one mention in one month the first: nothing more is known of it before they are joined."""
    last = None
    for hit in hits:
        if hit["_id"] != last:
            yield hit
        last = hit["_id"]


def _history(access: Access, current: dict[str, Document]) -> dict[str, tuple[Revision, ...]]:
    """The replaced revisions of some mentions; what a writer left half done is told from what the next one says."""
    clauses = [{"terms": {"uid": sorted(current)}}]
    fields = ["uid", "revision", "doc", "known_us", "known_to_us"]
    order = [{"uid": "asc"}, {"revision": "asc"}, "_shard_doc"]
    found: dict[str, tuple[Revision, ...]] = {}
    hits = _hits(access, access.names.history, clauses, order, fields, _ROWS)
    for uid, group in groupby((hit["_source"] for hit in hits), key=lambda source: source["uid"]):
        rows: dict[int, Document] = {}
        for source in group:
            number = source["revision"]
            if number < current[uid]["revision"] and (number not in rows or "known_to_us" in source):
                rows[number] = source
        ordered = [*(rows[number] for number in sorted(rows)), current[uid]]
        found[uid] = tuple(_revision(row, following) for row, following in pairwise(ordered))
    return found


def _revision(row: Document, following: Document) -> Revision:
    known_to = row["known_to_us"] if "known_to_us" in row else following["known_us"]
    return Revision(mention=mention_of(row), known_from=moment(row["known_us"]), known_to=moment(known_to))


def _signatures(access: Access, part: str) -> Iterator[Signature]:
    first, end = weeks(part)
    clauses: list[dict[str, Any]] = [{"term": {"what": "bands"}}, {"range": {"week": {"gte": first, "lt": end}}}]
    order: list[Any] = [{"week": "asc"}, {"uid": "asc"}, "_shard_doc"]
    hits = _hits(access, access.names.stories, clauses, order, ["week", "uid", "bands"], _ROWS)
    for (week, uid), group in groupby(
        (hit["_source"] for hit in hits), key=lambda source: (source["week"], source["uid"])
    ):
        bands = {int(band, 16) for source in group for band in source["bands"]}
        yield Signature(uid=uid, week=week, bands=tuple(sorted(bands)))


def _hits(
    access: Access,
    index: str,
    clauses: Sequence[dict[str, Any]],
    order: Sequence[Any],
    fields: Sequence[str],
    size: int = PAGE,
) -> Iterator[dict[str, Any]]:
    """Every document that matches, as all were at one moment."""
    with snapshot(access, index) as view:
        if view is not None:
            yield from _of(access, view, clauses, order, fields, size)


def _of(
    access: Access,
    view: dict[str, Any],
    clauses: Sequence[dict[str, Any]],
    order: Sequence[Any],
    fields: Sequence[str],
    size: int,
) -> Iterator[dict[str, Any]]:
    after: list[Any] | None = None
    while True:
        answer = access.client.search(
            pit=view,
            query={"bool": {"filter": list(clauses)}},
            size=size,
            sort=list(order),
            search_after=after,
            source={"includes": list(fields)},
            track_total_hits=False,
            filter_path="pit_id,hits.hits._id,hits.hits._source,hits.hits.sort,_shards.failed",
        )
        _whole(answer)
        hits = answer.get("hits", {}).get("hits", [])
        yield from hits
        if len(hits) < size:
            return
        view["id"] = answer.get("pit_id", view["id"])
        after = hits[-1]["sort"]


def _among(access: Access, uids: Sequence[str]) -> list[str]:
    """Which of these are stored, as far as a search finds them; mostly none, and so nothing of them is fetched."""
    answer = access.client.search(
        index=access.names.mentions,
        query={"ids": {"values": list(uids)}},
        size=min(10_000, 4 * len(uids)),
        sort=["_doc"],
        source=False,
        track_total_hits=False,
        allow_partial_search_results=False,
        filter_path="hits.hits._id",
    )
    return list(dict.fromkeys(hit["_id"] for hit in answer.get("hits", {}).get("hits", ())))


def _first(access: Access, index: str, clauses: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    answer = access.client.search(
        index=index, query={"bool": {"filter": list(clauses)}}, size=PAGE, source=False, sort=["_doc"]
    )
    return list(answer["hits"]["hits"])


def _whole(answer: Any) -> None:
    if answer.get("_shards", {}).get("failed"):
        raise StoreError("parts of the mention store did not answer: a copy wants all of it")


def _pages(hits: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    page: list[dict[str, Any]] = []
    for hit in hits:
        page.append(hit)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page
