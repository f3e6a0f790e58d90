"""Two writers who do not see each other yet may create one mention in two months: here the two become one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from pipeline.store.elastic import removal, writing
from pipeline.store.elastic.access import Access
from pipeline.store.elastic.bulk import Operation, carry_out
from pipeline.store.elastic.locating import copies, parts
from pipeline.store.elastic.mapping import META_ID
from pipeline.store.measures import MICROSECOND, micros
from pipeline.store.protocol import StoreError

BUCKETS = 10_000
OVERLAP = timedelta(minutes=10)
"""Clocks of writers differ, and a batch takes its time."""
TRIES = 20


def refresh(access: Access, *, join: bool) -> None:
    """Make visible what every process has written, and join the mentions that were created twice."""
    groups = (access.names.mentions, access.names.history, access.names.stories)
    positions = _positions(access, groups)
    if (
        positions and positions == access.unrefreshed.positions
    ):  # a watcher asks before each brand; mostly nobody wrote in between
        return
    access.unrefreshed.mark(*groups)
    access.unrefreshed.settle(access.client, *groups)
    if join:
        _join_new(access)
    access.unrefreshed.positions = positions


def _positions(access: Access, groups: Sequence[str]) -> dict[str, int]:
    """Number of the last operation on each shard, searchable or not.

    Nothing while one is under way: it has its number before a refresh would make it visible.
    """
    numbers = ("max_seq_no", "local_checkpoint")
    answer = access.client.indices.stats(
        index=list(groups),
        metric="docs",
        level="shards",
        filter_path=",".join(f"indices.*.shards.*.seq_no.{number}" for number in numbers),
    )
    positions: dict[str, int] = {}
    for index, found in answer.get("indices", {}).items():
        for shard, copies_of in found["shards"].items():
            last, *others = {copy["seq_no"][number] for copy in copies_of for number in numbers}
            if others:
                return {}
            positions[f"{index}/{shard}"] = last
    return positions


def _join_new(access: Access) -> None:
    names = access.names
    now = micros(access.clock.now())
    since = _looked_until(access) - OVERLAP // MICROSECOND
    for part in parts(list(_twice(access, since))):
        _join(access, list(part))
    if now - since > 2 * (OVERLAP // MICROSECOND):
        access.client.update(index=names.meta, id=META_ID, doc={"joined_us": now}, retry_on_conflict=5)


def doubles(access: Access) -> list[str]:
    """uids that are stored twice now, sorted."""
    return list(_twice(access, 0))


def join_all(access: Access) -> None:
    """Join whatever is stored twice; ``refresh`` sees only what both writers have created since it looked last."""
    access.client.indices.refresh(index=[access.names.mentions, access.names.history])
    for part in parts(doubles(access)):
        _join(access, list(part))


def _looked_until(access: Access) -> int:
    source = access.client.get(index=access.names.meta, id=META_ID)["_source"]
    return int(source.get("joined_us", 0))


def _twice(access: Access, since: int) -> Iterator[str]:
    """uids of which more than one document was first stored since then."""
    twice: dict[str, Any] = {
        "bucket_selector": {"buckets_path": {"count": "_count"}, "script": "params.count > 1"},
    }
    after: dict[str, Any] | None = None
    while True:
        found: dict[str, Any] = {"size": BUCKETS, "sources": [{"uid": {"terms": {"field": "uid"}}}]}
        if after is not None:
            found["after"] = after
        answer = access.client.search(
            index=access.names.mentions,
            size=0,
            query={"range": {"first_known_us": {"gte": since}}},
            aggs={"found": {"composite": found, "aggs": {"twice": twice}}},
            track_total_hits=False,
            allow_partial_search_results=False,
            filter_path="aggregations",
        )
        page = answer["aggregations"]["found"]
        yield from (bucket["key"]["uid"] for bucket in page["buckets"])
        after = page.get("after_key")
        if after is None:
            return


def _join(access: Access, uids: list[str]) -> None:
    """The copy in the older month takes in what the others know; then the others go."""
    due = uids
    for _ in range(TRIES):
        hits = sorted(copies(access, due), key=lambda hit: hit.index)
        several = {hit.mention.uid for hit in hits}
        first = {uid: next(hit for hit in hits if hit.mention.uid == uid) for uid in several}
        others = [hit for hit in hits if hit is not first[hit.mention.uid]]
        if not others:
            return
        for uid, hit in first.items():
            access.recent.note(uid, hit.index)
        # A writer's merge, as if the other copy were one more reading: under the same locks, with a revision.
        written = writing.write(access, [hit.mention for hit in others], lambda uids: {})
        if written.rejected:  # what could not be taken in stays where it is
            others = [hit for hit in others if hit.mention.uid not in written.rejected]
        gone = carry_out(access.client, [Operation("delete", o.index, o.mention.uid, at=o.at) for o in others])
        for hit, outcome in zip(others, gone, strict=True):
            if outcome.done or outcome.missing:  # missing: the answer to the first try was lost, or another joined it
                removal.remove_rows(access, [hit])
        access.client.indices.refresh(index=[access.names.mentions, access.names.history], filter_path="_shards.failed")
        due = list({hit.mention.uid for hit in others})
    raise StoreError(f"{len(due)} mentions are stored twice and keep changing: they are joined at the next look")
