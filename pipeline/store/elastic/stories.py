"""Stories: which mentions are copies of one text, and which stories turned out to be one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.mention import Mention
from pipeline.store.elastic import bulk
from pipeline.store.elastic.access import Access
from pipeline.store.elastic.documents import document, mention_of
from pipeline.store.elastic.locating import Located, copies, exists, located, parts
from pipeline.store.elastic.names import alias_id
from pipeline.store.protocol import StoreError

PAGE = 1_000
TRIES = 20


def roots(access: Access, stories: Iterable[str]) -> dict[str, str]:
    """Each story → the id that it goes by now; aliases of other processes included."""
    wanted = set(stories)
    older = aliases(access, wanted)
    return {story: followed(story, older) for story in wanted}


def aliases(access: Access, stories: Iterable[str]) -> dict[str, str]:
    """newer → older, for these stories and all that they lead to."""
    names, known = access.names, dict[str, str]()
    due = set(stories)
    asked: set[str] = set()
    while due:
        asked |= due
        found = exists(access, [(names.stories, alias_id(story)) for story in sorted(due)], "newer", "older")
        step = {doc["_source"]["newer"]: doc["_source"]["older"] for doc in found.values()}
        known.update(step)
        due = set(step.values()) - asked
    return known


def followed(story: str, older: Mapping[str, str]) -> str:
    """The end of a chain of aliases. Of stories that two processes joined both ways round, the least id."""
    path = [story]
    while path[-1] in older:
        following = older[path[-1]]
        if following in path:
            return min(path[path.index(following) :])
        path.append(following)
    return path[-1]


def all_ids(access: Access, story: str) -> list[str]:
    """Every id of the story, the one it goes by first."""
    root = roots(access, [story])[story]
    found = {root}
    due = [root]
    while due:
        answer = _search(access, {"terms": {"older": due}}, "newer")
        due = sorted({hit["newer"] for hit in answer} - found)
        found.update(due)
    return [root, *sorted(found - {root})]


def join_stories(access: Access, older: str, newer: str) -> None:
    """Let ``newer`` go by the id of ``older``, and all that went by ``newer`` too; members are written anew."""
    names = access.names
    for _ in range(TRIES):
        known = roots(access, [older, newer])
        root, joined = known[older], known[newer]
        if root == joined:
            return
        alias = {"key": alias_id(joined), "what": "alias", "newer": joined, "older": root}
        outcome = bulk.carry_out(access.client, [bulk.Operation("create", names.stories, alias_id(joined), alias)])[0]
        access.unrefreshed.mark(names.stories)
        if outcome.done:
            restory(access, [joined])
            return
        if not outcome.conflict:
            raise StoreError(f"the stories {older} and {newer} cannot be joined: {outcome.kind}: {outcome.reason}")
    raise StoreError(f"the stories {older} and {newer} cannot be joined: others keep joining them; try again")


def restory(access: Access, stories: Sequence[str]) -> int:
    """Write every mention anew whose document goes by one of these, which are aliases now; returns how many."""
    total = 0
    for _ in range(TRIES):
        access.client.indices.refresh(index=access.names.mentions, filter_path="_shards.failed")
        left = 0
        for uids in _pages_of(access, {"terms": {"story": list(stories)}}):
            left += len(uids)
            total += rewrite(access, copies(access, uids))
        if not left:
            return total
    raise StoreError("the members of a joined story keep changing: `sturmwarte store check` names those left behind")


def rewrite(access: Access, hits: Sequence[Located]) -> int:
    """Make these documents anew under the story they go by now; returns how many were written.

    One that changes meanwhile is left: whoever changed it looks at its story himself.
    """
    known = roots(access, {hit.mention.story or hit.mention.uid for hit in hits})
    operations = []
    for hit in hits:
        made = document(hit.mention, known[hit.mention.story or hit.mention.uid], hit.first_known)
        operations.append(bulk.Operation("index", hit.index, hit.mention.uid, made, hit.at))
    outcomes = bulk.carry_out(access.client, operations)
    access.unrefreshed.mark(access.names.mentions)
    return sum(outcome.done for outcome in outcomes)


def members(access: Access, story: str) -> list[Mention]:
    """All members, oldest first."""
    root = roots(access, [story])[story]
    found: dict[str, Mention] = {}
    after: list[Any] | None = None
    while True:
        answer = access.client.search(
            index=access.names.mentions,
            query={"term": {"story": root}},
            sort=[{"event_second": "asc"}, {"uid": "desc"}, {"_index": "asc"}],
            size=PAGE,
            search_after=after,
            source={"includes": ["doc"]},
            track_total_hits=False,
            allow_partial_search_results=False,
            filter_path="hits.hits.sort,hits.hits._source",
        )
        hits = answer.get("hits", {}).get("hits", [])
        for hit in hits:
            mention = mention_of(hit["_source"])
            found.setdefault(mention.uid, mention)
        if len(hits) < PAGE:
            return list(found.values())
        after = hits[-1]["sort"]


def stories(access: Access, uids: Sequence[str]) -> dict[str, str]:
    """uid → id of its story, of those that exist."""
    own = {uid: hit.mention.story or uid for uid, hit in located(access, uids).items()}
    known = roots(access, own.values())
    return {uid: known[story] for uid, story in own.items()}


def note_signatures(access: Access, signatures: Mapping[str, Sequence[int]], week: int) -> None:
    """Remember bands, beside those given before."""
    access.noted.note(week, load_signatures(access, signatures, week))


def load_signatures(access: Access, signatures: Mapping[str, Sequence[int]], week: int) -> dict[str, list[str]]:
    """Store bands that nobody asks for before the next refresh; uid → bands as they are stored."""
    operations, stored = [], dict[str, list[str]]()
    for uid, given in signatures.items():
        bands = sorted({_band(band) for band in given})
        if bands:
            key = f"bands.{week}.{uid}.{hashlib.blake2b(''.join(bands).encode(), digest_size=8).hexdigest()}"
            made = {"key": key, "what": "bands", "uid": uid, "week": week, "bands": bands}
            operations.append(bulk.Operation("create", access.names.stories, key, made))
            stored[uid] = bands
    for outcome in bulk.carry_out(access.client, operations):
        if not (outcome.done or outcome.conflict):
            raise StoreError(f"bands of stories cannot be stored: {outcome.kind}: {outcome.reason}")
    access.unrefreshed.mark(access.names.stories)
    return stored


def sharing(access: Access, signatures: Mapping[str, Sequence[int]], week: int) -> dict[str, list[str]]:
    """For each key, sorted uids of this and the previous week that share a band with it; its own uid left out.

    What this process has noted lately is remembered, so that no batch waits for a refresh.
    """
    if access.noted.full:
        access.unrefreshed.settle(access.client, access.names.stories)
        access.noted.refreshed()
    weeks = (week, week - 1)
    asked = {key: {_band(band) for band in bands} for key, bands in signatures.items()}
    every = {band for bands in asked.values() for band in bands}
    holders = access.noted.holders(weeks, every)
    for part in parts(sorted(every), 30_000):
        query = {"bool": {"filter": [{"terms": {"week": list(weeks)}}, {"terms": {"bands": list(part)}}]}}
        among = set(part)
        for source in _found(access, query, "uid", "bands"):
            for band in among.intersection(source["bands"]):
                holders.setdefault(band, set()).add(source["uid"])
    held = holders.keys()
    return {key: sorted({u for band in held & bands for u in holders[band]} - {key}) for key, bands in asked.items()}


def forget_bands(access: Access, uids: Sequence[str]) -> None:
    """Remove the bands of mentions that are gone."""
    names = access.names
    access.unrefreshed.settle(access.client, names.stories)
    for part in parts(uids, 5_000):
        gone = {"bool": {"filter": [{"term": {"what": "bands"}}, {"terms": {"uid": list(part)}}]}}
        access.client.delete_by_query(index=names.stories, query=gone, conflicts="proceed", refresh=True)
    access.noted.forget(uids)


def _band(band: int) -> str:
    """16 hex: Elasticsearch's whole numbers have a sign."""
    return f"{band & (1 << 64) - 1:016x}"


def _search(access: Access, query: dict[str, Any], *fields: str) -> Iterator[dict[str, Any]]:
    """The named fields of all documents about stories that match."""
    access.unrefreshed.settle(access.client, access.names.stories)
    return _found(access, query, *fields)


def _found(access: Access, query: dict[str, Any], *fields: str) -> Iterator[dict[str, Any]]:
    """Like ``_search``, of what is searchable already."""
    after: list[Any] | None = None
    while True:
        answer = access.client.search(
            index=access.names.stories,
            query=query,
            sort=[{"key": "asc"}],
            size=10_000,
            search_after=after,
            source={"includes": list(fields)},
            track_total_hits=False,
            allow_partial_search_results=False,
            filter_path="hits.hits._source,hits.hits.sort",
        )
        hits = answer.get("hits", {}).get("hits", [])
        yield from (hit["_source"] for hit in hits)
        if len(hits) < 10_000:
            return
        after = hits[-1]["sort"]


def _pages_of(access: Access, query: dict[str, Any]) -> Iterator[list[str]]:
    """uids of the mentions that match, ``PAGE`` at a time, by uid."""
    after: list[Any] | None = None
    while True:
        answer = access.client.search(
            index=access.names.mentions,
            query=query,
            sort=[{"uid": "asc"}, {"_index": "asc"}],
            size=PAGE,
            search_after=after,
            source=False,
            track_total_hits=False,
            allow_partial_search_results=False,
            filter_path="hits.hits._id,hits.hits.sort",
        )
        hits = answer.get("hits", {}).get("hits", [])
        if hits:
            yield list(dict.fromkeys(hit["_id"] for hit in hits))
        if len(hits) < PAGE:
            return
        after = hits[-1]["sort"]
