"""Whether the indices agree with themselves: documents with mentions, history with what it is of, bars with both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.mention import Mention
from pipeline.store.elastic import joining, removal, stories
from pipeline.store.elastic.access import Access
from pipeline.store.elastic.bulk import Operation, carry_out
from pipeline.store.elastic.documents import Document, document, mention_of
from pipeline.store.elastic.health import troubles
from pipeline.store.elastic.mapping import note_analysis
from pipeline.store.elastic.names import MAPPING_VERSION, history_id
from pipeline.store.measures import moment
from pipeline.store.protocol import StoreError

PAGE = 1_000
KEEP = "5m"
NAMED = 20
"""Of one kind of finding so many are named, the rest is counted."""
TRIES = 5
_UNMADE = ("write", "known_to", "known_to_us")
"""Fields that are not made of the mention."""


def everything(access: Access, index: str, *fields: str) -> Iterator[dict[str, Any]]:
    """Every document of an alias as it was at one moment, in no order; without ``fields`` whole."""
    client = access.client
    pit = client.open_point_in_time(index=index, keep_alive=KEEP)["id"]
    try:
        after: list[Any] | None = None
        while True:
            answer = client.search(
                pit={"id": pit, "keep_alive": KEEP},
                size=PAGE,
                sort=["_shard_doc"],
                search_after=after,
                source={"includes": list(fields)} if fields else True,
                seq_no_primary_term=True,
                track_total_hits=False,
            )
            if answer["_shards"]["failed"]:
                raise StoreError("parts of the mention store did not answer: what is asked here wants all of it")
            pit, hits = answer["pit_id"], answer["hits"]["hits"]
            yield from hits
            if len(hits) < PAGE:
                return
            after = hits[-1]["sort"]
    finally:
        client.close_point_in_time(id=pit)


def findings(access: Access) -> list[str]:
    """Sentences about what does not agree; empty when all is well."""
    access.client.indices.refresh(
        index=[access.names.mentions, access.names.history, access.names.stories, access.names.erased]
    )
    current: dict[str, int] = {}
    bad = troubles(access.client, access.names.prefix)
    bad += [*_bad_mentions(access, current), *_bad_history(access, current)]
    bad += [
        f"mention {uid} is stored twice: run `sturmwarte store reindex`, unless the watcher joins it when it looks next"
        for uid in joining.doubles(access)
    ]
    back = sorted(removal.erased(access) & current.keys())
    bad += [f"mention {uid} was erased and is there again: run `sturmwarte erase` for it" for uid in back]
    return bad[:NAMED] + ([f"and {len(bad) - NAMED} more of this kind"] if len(bad) > NAMED else [])


def _bad_mentions(access: Access, current: dict[str, int]) -> Iterator[str]:
    """Notes the revision of every mention in ``current``."""
    older = _all_aliases(access)
    for hit in everything(access, access.names.mentions):
        source = hit["_source"]
        mention = mention_of(source)
        current[hit["_id"]] = max(mention.revision, current.get(hit["_id"], 0))
        root = stories.followed(mention.story or mention.uid, older)
        if source["story"] != root:
            yield f"mention {mention.uid} goes by {source['story']}, not by {root}: run `sturmwarte store reindex`"
        elif wrong := _differing(source, document(mention, root, source["first_known_us"])):
            yield (
                f"the fields {', '.join(wrong)} of mention {mention.uid} do not agree with its document:"
                " run `sturmwarte store reindex`"
            )


def _differing(source: Document, made: Document) -> list[str]:
    """Fields with other values; what is a set has no order."""
    names = (source.keys() | made.keys()) - set(_UNMADE)
    return sorted(name for name in names if _value(source.get(name)) != _value(made.get(name)))


def _value(value: Any) -> Any:
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return sorted(value)
    return value


def _bad_history(access: Access, current: Mapping[str, int]) -> Iterator[str]:
    """Rows without a mention. An open row of the current revision is what a writer left that died; it hurts nobody."""
    for hit in everything(access, access.names.history, "uid", "revision"):
        uid, revision = hit["_source"]["uid"], hit["_source"]["revision"]
        if uid not in current:
            yield f"revision {revision} of mention {uid} is kept, the mention is not there"
        elif revision > current[uid] or hit["_id"] != history_id(uid, revision):
            yield f"revision {revision} of mention {uid} is kept, the mention is at revision {current[uid]}"


def _all_aliases(access: Access) -> dict[str, str]:
    found = everything(access, access.names.stories, "what", "newer", "older")
    return {source["newer"]: source["older"] for hit in found if (source := hit["_source"])["what"] == "alias"}


def statistics(access: Access) -> dict[str, int | str]:
    """See the protocol. ``bytes`` are those of the primaries."""
    client, names = access.client, access.names
    bounds = {"first": {"min": {"field": "event_us"}}, "last": {"max": {"field": "event_us"}}}
    answer = client.search(index=names.mentions, size=0, track_total_hits=True, aggs=bounds)
    mentions = int(answer["hits"]["total"]["value"])
    replaced = int(client.count(index=names.history, query={"exists": {"field": "known_to_us"}})["count"])
    sizes = client.indices.stats(
        index=[names.mentions, names.history, names.stories, names.erased],
        metric="store",
        filter_path="_all.primaries.store.size_in_bytes",
    )
    found = answer["aggregations"]
    return {
        "engine": f"elasticsearch {client.info()['version']['number']}",
        "version": MAPPING_VERSION,
        "mentions": mentions,
        "revisions": mentions + replaced,
        "bytes": int(sizes["_all"]["primaries"]["store"]["size_in_bytes"]),
        "first": _moment(found["first"]["value"]),
        "last": _moment(found["last"]["value"]),
    }


def _moment(value: float | None) -> str:
    """A float holds microseconds exactly until the year 2255."""
    return "" if value is None else moment(int(value)).isoformat()


def reindex(access: Access) -> int:
    """Join all that is stored twice, however long ago, and make every document anew, tokens, stories and all.

    Returns how many were written. May be repeated.
    """
    joining.join_all(access)
    access.client.indices.refresh(index=access.names.stories)
    older = _all_aliases(access)
    written = 0
    for index, closing in ((access.names.mentions, False), (access.names.history, True)):
        for _ in range(TRIES):
            access.client.indices.refresh(index=index)
            done, left = _written_anew(access, index, older)
            written += 0 if closing else done
            if not left:
                break
        else:
            raise StoreError(f"{left} documents keep changing while they are indexed anew: stop other writers first")
    note_analysis(access.client, access.names)
    return written


def _written_anew(access: Access, index: str, older: Mapping[str, str]) -> tuple[int, int]:
    """(documents written, documents that somebody else has changed meanwhile)."""
    done = left = 0
    for page in _pages(everything(access, index)):
        operations = [
            Operation("index", hit["_index"], hit["_id"], _anew(hit["_source"], older), _place(hit)) for hit in page
        ]
        for outcome in carry_out(access.client, operations):
            done += outcome.done
            left += outcome.conflict
            if not (outcome.done or outcome.conflict):
                raise StoreError(f"a mention cannot be indexed anew: {outcome.kind}: {outcome.reason}")
    access.unrefreshed.mark(index)
    return done, left


def _anew(source: Document, older: Mapping[str, str]) -> Document:
    mention: Mention = mention_of(source)
    made = document(mention, stories.followed(mention.story or mention.uid, older), source["first_known_us"])
    made.update((name, source[name]) for name in ("known_to", "known_to_us", "write") if name in source)
    return made


def _place(hit: Mapping[str, Any]) -> tuple[int, int]:
    return hit["_seq_no"], hit["_primary_term"]


def _pages(hits: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    page: list[dict[str, Any]] = []
    for hit in hits:
        page.append(hit)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page
