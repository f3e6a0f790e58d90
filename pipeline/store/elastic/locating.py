"""Where mentions are: an index, and the sequence number that the next write must name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.mention import Mention
from pipeline.store.elastic.access import Access
from pipeline.store.elastic.documents import mention_of

MANY = 1_000
_FOUND = "docs._index,docs._id,docs.found,docs._source,docs._seq_no,docs._primary_term"
_FIELDS = ["doc", "first_known_us", "write", "story"]


@dataclass(frozen=True, slots=True)
class Located:
    """One stored document of a mention."""

    index: str
    at: tuple[int, int]
    """(seq_no, primary_term)"""
    mention: Mention
    first_known: int
    write: str = ""
    """Which write call made it."""
    story: str = ""
    """The story it goes by in its document."""


def located(access: Access, uids: Iterable[str]) -> dict[str, Located]:
    """The stored documents of these uids, as they are now: of two the one in the older index.

    A search knows nothing of what other processes have written within the last second or so; what this one wrote is
    read where it was put.
    """
    wanted = list(dict.fromkeys(uids))
    known = access.recent.among(wanted)
    found = at(access, known)
    access.recent.forget(known.keys() - found.keys())
    for part in parts([uid for uid in wanted if uid not in found]):
        for hit in copies(access, part):
            first = found.get(hit.mention.uid)
            if first is None or hit.index < first.index:
                found[hit.mention.uid] = hit
    return found


def current(access: Access, uids: Iterable[str]) -> dict[str, Mention]:
    """The mentions with these uids that exist, with all that this process wrote, mostly without a refresh.

    What it wrote lately is read where it was put; of the rest a search knows what others know.
    """
    wanted = list(dict.fromkeys(uids))
    known = access.recent.among(wanted)
    found = at(access, known)
    access.recent.forget(known.keys() - found.keys())
    rest = [uid for uid in wanted if uid not in found]
    if rest:
        _settle_forgotten(access)
    for part in parts(rest):
        for hit in sorted(copies(access, part), key=lambda hit: hit.index):
            found.setdefault(hit.mention.uid, hit)
    return {uid: found[uid].mention for uid in wanted if uid in found}


def _settle_forgotten(access: Access) -> None:
    """Refresh where this process has removed, or written and forgotten, what a search may not know yet."""
    forgotten = access.recent.forgotten
    if forgotten != access.recent.refreshed_at:
        access.unrefreshed.settle(access.client, access.names.mentions)
        access.recent.refreshed_at = forgotten


def at(access: Access, places: dict[str, str]) -> dict[str, Located]:
    """The documents that are in these places (uid → index) at this moment, searchable or not."""
    found: dict[str, Located] = {}
    for part in parts(list(places)):
        docs = [{"_index": places[uid], "_id": uid, "_source": _FIELDS} for uid in part]
        answer = access.client.mget(docs=docs)
        found.update((doc["_id"], _located(doc)) for doc in answer["docs"] if doc.get("found"))
    return found


def copies(access: Access, uids: Sequence[str]) -> list[Located]:
    """Every document of up to ``MANY`` uids that a search finds; two of one uid where two writers created it."""
    if not uids:
        return []
    answer = access.client.search(
        index=access.names.mentions,
        query={"ids": {"values": list(uids)}},
        size=min(10_000, 4 * len(uids)),
        sort=["_doc"],
        source={"includes": _FIELDS},
        seq_no_primary_term=True,
        track_total_hits=False,
        allow_partial_search_results=False,  # a month left out would be stored again, in another one
        filter_path="hits.hits._index,hits.hits._id,hits.hits._seq_no,hits.hits._primary_term,hits.hits._source",
    )
    return [_located(hit) for hit in answer.get("hits", {}).get("hits", ())]


def exists(access: Access, places: Sequence[tuple[str, str]], *fields: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Which of these (index, _id) are there at this moment, searchable or not, with the named fields."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for part in parts(places, 5_000):
        index = part[0][0]
        one = all(place[0] == index for place in part)
        answer = access.client.mget(
            index=index if one else None,
            ids=[id_ for _, id_ in part] if one else None,
            docs=None if one else [{"_index": where, "_id": id_} for where, id_ in part],
            source_includes=list(fields) or None,
            source=None if fields else False,
            filter_path=_FOUND if fields else "docs._index,docs._id,docs.found",
        )
        found.update(((doc["_index"], doc["_id"]), doc) for doc in answer["docs"] if doc.get("found"))
    return found


def history_beside(access: Access, index: str) -> str:
    """The index of the replaced revisions of what is in an index of mentions."""
    return access.names.history_of(access.names.month_of(index))


def parts(values: Sequence[Any], size: int = MANY) -> Iterator[Sequence[Any]]:
    """Few enough at a time for one request."""
    for start in range(0, len(values), size):
        yield values[start : start + size]


def _located(hit: dict[str, Any]) -> Located:
    source = hit["_source"]
    return Located(
        index=hit["_index"],
        at=(hit["_seq_no"], hit["_primary_term"]),
        mention=mention_of(source),
        first_known=source["first_known_us"],
        write=source.get("write", ""),
        story=source["story"],
    )
