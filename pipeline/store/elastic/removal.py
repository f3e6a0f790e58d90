"""Taking mentions out: erasure of persons and posts for ever, and the end of the retention span."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from pipeline.store.elastic import stories
from pipeline.store.elastic.access import Access
from pipeline.store.elastic.bulk import Operation, carry_out
from pipeline.store.elastic.locating import MANY, Located, copies, history_beside, parts
from pipeline.store.elastic.mapping import ensure_month
from pipeline.store.elastic.names import history_id, month
from pipeline.store.measures import micros
from pipeline.store.protocol import StoreError

TRIES = 20


def erase(access: Access, uids: Sequence[str], reason: str) -> list[str]:
    """Bar them first, then remove them everywhere; gives those that existed."""
    entry = {"reason": reason, "at": access.clock.now().isoformat()}
    wanted = list(dict.fromkeys(uids))
    operations = [Operation("create", access.names.erased, uid, entry) for uid in wanted]
    for outcome in carry_out(access.client, operations) if operations else []:
        if not (outcome.done or outcome.conflict):
            raise StoreError(f"an erasure cannot be written down: {outcome.kind}: {outcome.reason}")
    return remove(access, wanted)


def erased(access: Access) -> set[str]:
    """All uids that were erased."""
    names = access.names
    access.client.indices.refresh(index=names.erased, filter_path="_shards.failed")
    return {hit["_id"] for hit in _all(access, names.erased, {"match_all": {}}, [{"at": "asc"}, "_doc"])}


def remove(access: Access, uids: Sequence[str]) -> list[str]:
    """Remove mentions, their history and their bands; gives those that existed."""
    names, gone = access.names, set[str]()
    for part in parts(uids):
        for _ in range(TRIES):  # a writer may create a second copy meanwhile; he looks for the bar himself
            _refresh(access)
            found = copies(access, part)
            gone.update(hit.mention.uid for hit in found)
            remove_located(access, found)
            if not found:
                break
        else:
            raise StoreError("what is to be removed keeps coming back: try again")
        _delete(access, names.history, {"terms": {"uid": list(part)}})
    if uids:
        stories.forget_bands(access, list(uids))
    return [uid for uid in uids if uid in gone]


def remove_located(access: Access, hits: Sequence[Located]) -> None:
    """Remove these documents and the history rows that can lie beside them."""
    access.recent.forget(hit.mention.uid for hit in hits)
    _carry_out(access, [Operation("delete", hit.index, hit.mention.uid) for hit in hits])
    remove_rows(access, hits)


def remove_rows(access: Access, hits: Sequence[Located]) -> None:
    """Remove the history rows that can lie beside these documents: known by number, so that no search need see them."""
    _carry_out(
        access,
        [
            Operation("delete", history_beside(access, hit.index), history_id(hit.mention.uid, revision))
            for hit in hits
            for revision in range(1, hit.mention.revision + 1)
        ],
    )


def _carry_out(access: Access, operations: Sequence[Operation]) -> None:
    for outcome in carry_out(access.client, operations) if operations else []:
        if not (outcome.done or outcome.missing):
            raise StoreError(f"a mention cannot be removed: {outcome.kind}: {outcome.reason}")
    access.unrefreshed.mark(access.names.mentions, access.names.history)


def written_by(access: Access, author: str) -> list[str]:
    """uids of all that a pseudonym wrote, in any revision, sorted."""
    names = access.names
    _refresh(access)
    now = _all(access, names.mentions, {"term": {"authors": author}}, [{"uid": "asc"}, {"_index": "asc"}], "uid")
    order = [{"uid": "asc"}, {"revision": "asc"}, {"_index": "asc"}]
    before = _all(access, names.history, {"term": {"author": author}}, order, "uid")
    return sorted({hit["_source"]["uid"] for hit in (*now, *before)})


def purge(access: Access, before: datetime) -> int:
    """Remove what is older than the limit: whole months where all of a month is, else mention by mention."""
    _refresh(access)
    limit, total = micros(before), 0
    for index in _wholly_before(access, limit, before):
        total += _drop_month(access, index, limit)
    while True:
        uids = [hit["_id"] for hit in _some(access, {"range": {"event_us": {"lt": limit}}})]
        if not uids:
            return total
        total += len(remove(access, list(dict.fromkeys(uids))))


def _wholly_before(access: Access, limit: int, before: datetime) -> list[str]:
    """Indices of months that had ended by then and hold nothing younger, oldest first. The present month stays."""
    names, now = access.names, month(access.clock.now())
    found = access.client.indices.get(index=names.mentions, features="aliases", filter_path="*.aliases")
    ended = sorted(index for index in found if names.month_of(index) < min(now, month(before)))
    return [index for index in ended if _younger(access, index, limit) == 0]


def _younger(access: Access, index: str, limit: int) -> int:
    return int(access.client.count(index=index, query={"range": {"event_us": {"gte": limit}}})["count"])


def _drop_month(access: Access, index: str, limit: int) -> int:
    """Drop a month and its history. Writers are kept out first, so that nothing younger goes with it."""
    names, client = access.names, access.client
    beside = history_beside(access, index)
    client.indices.add_block(index=index, block="write")
    client.indices.refresh(index=index)
    if _younger(access, index, limit):
        client.indices.put_settings(index=index, settings={"index.blocks.write": None})
        return 0
    hits, total = _all(access, index, {"match_all": {}}, [{"uid": "asc"}]), 0
    while uids := [hit["_id"] for hit in islice(hits, 10_000)]:
        stories.forget_bands(access, uids)
        access.recent.forget(uids)
        total += len(uids)
    ensure_month(client, names, month(access.clock.now()))  # so that the aliases always stand for something
    access.months.discard(names.month_of(index))
    client.indices.delete(index=[index, beside], ignore_unavailable=True)
    return total


def _refresh(access: Access) -> None:
    """Everybody's writes: what goes must be found."""
    names = access.names
    access.client.indices.refresh(index=[names.mentions, names.history], filter_path="_shards.failed")


def _delete(access: Access, index: str, query: dict[str, Any]) -> None:
    for _ in range(TRIES):
        answer = access.client.delete_by_query(index=index, query=query, conflicts="proceed", refresh=True)
        if not answer["version_conflicts"]:
            return
    raise StoreError("what is to be removed keeps changing: try again")


def _some(access: Access, query: dict[str, Any]) -> list[dict[str, Any]]:
    answer = access.client.search(
        index=access.names.mentions,
        query=query,
        size=MANY,
        sort=["_doc"],
        source=False,
        track_total_hits=False,
        allow_partial_search_results=False,
        filter_path="hits.hits._id",
    )
    return list(answer.get("hits", {}).get("hits", ()))


def _all(access: Access, index: str, query: dict[str, Any], order: list[Any], *fields: str) -> Iterator[dict[str, Any]]:
    """Every hit, in order; ``order`` must tell any two apart."""
    after: list[Any] | None = None
    while True:
        answer = access.client.search(
            index=index,
            query=query,
            size=10_000,
            sort=order,
            search_after=after,
            source={"includes": list(fields)} if fields else False,
            track_total_hits=False,
            allow_partial_search_results=False,
            filter_path="hits.hits._id,hits.hits._source,hits.hits.sort",
        )
        hits = answer.get("hits", {}).get("hits", [])
        yield from hits
        if len(hits) < 10_000:
            return
        after = hits[-1]["sort"]
