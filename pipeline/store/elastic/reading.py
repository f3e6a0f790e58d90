"""Questions about single mentions and searches: paging, the past, counts and facets."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Any

from pipeline.mention import Mention
from pipeline.query.tree import All, Node, OneOpinion, Query
from pipeline.store.elastic import faceting, stories
from pipeline.store.elastic.access import Access
from pipeline.store.elastic.asking import (
    EXACT_PERSONS,
    Answer,
    Limit,
    ask,
    distinct,
    distinct_of,
    estimate,
    refresh,
    snapshot,
)
from pipeline.store.elastic.compile import Clause, compile_query, one_of, within, without
from pipeline.store.elastic.documents import mention_of
from pipeline.store.measures import micros, moment
from pipeline.store.protocol import Facet, Page, Revision

Span = tuple[datetime | None, datetime | None]
Key = tuple[int, str]
"""(-event second, uid): ascending is the order of a search."""

NEWEST_FIRST = [{"event_second": "desc"}, {"uid": "asc"}]
REPLACED_FIRST = [*NEWEST_FIRST, {"revision": "asc"}]
"""Of the history, where one uid has many rows: a page may end between two of them."""
BEHIND_ALL = 2**31 - 1
"""Behind every revision: a cursor stands behind all rows of its mention."""
OLDEST_FIRST = [{"event_second": "asc"}, {"uid": "desc"}]
PAGE = 1_000
"""Documents of one answer."""
_DOCUMENTS = "hits.hits._source"
_NAMED = ["uid", "revision", "known_to_us", "author", "story_own"]


def clauses_of(access: Access, query: Query, span: Span = (None, None)) -> list[Clause]:
    """What a document of mentions or of history must fulfil to be a hit."""
    compiled = compile_query(query.root, lambda story: stories.all_ids(access, story))
    return [*compiled, *within(*span)]


# --- single mentions ----------------------------------------------------------------------------------------------


def by_uid(access: Access, uids: Sequence[str], as_of: datetime | None) -> dict[str, Mention]:
    """The mentions that exist, or existed at a moment."""
    found: dict[str, Mention] = {}
    wanted = list(dict.fromkeys(uids))
    for at in range(0, len(wanted), PAGE):
        asked = [one_of("uid", wanted[at : at + PAGE])]
        for source in _all_documents(access, access.names.mentions, [*asked, *_known(as_of)], ["doc"]):
            mention = mention_of(source)
            found.setdefault(mention.uid, mention)
        if as_of is not None:
            for mention in _past(access, asked, as_of, None, PAGE):
                found.setdefault(mention.uid, mention)
    return {uid: found[uid] for uid in wanted if uid in found}


def history(access: Access, uid: str) -> list[Revision]:
    """All revisions, oldest first. What a writer left half done is told from what the next revision says."""
    limit, asked, fields = Limit(access), [one_of("uid", [uid])], ["doc", "revision", "known_us", "known_to_us"]
    current = list(_all_documents(access, access.names.mentions, asked, fields, limit))[:1]
    refresh(access, access.names.history)
    replaced = _all_documents(access, access.names.history, asked, fields, limit)
    newest = current[0]["revision"] if current else None
    rows: dict[int, Answer] = {}
    for row in replaced:
        number = row["revision"]
        if (newest is None or number < newest) and ("known_to_us" in row or number not in rows):
            rows[number] = row
    ordered = [*(rows[number] for number in sorted(rows)), *current]
    ends = [row.get("known_to_us", after["known_us"]) for row, after in pairwise(ordered)]
    return [
        Revision(
            mention=mention_of(row),
            known_from=moment(row["known_us"]),
            known_to=moment(ends[at]) if at < len(ends) else None,
        )
        for at, row in enumerate(ordered)
    ]


def first_stored_since(access: Access, known_from: datetime, brand: str | None, limit: int) -> list[Mention]:
    """Current mentions (of a brand) whose first revision was written at or after that moment, oldest first."""
    clauses = [{"range": {"first_known_us": {"gte": micros(known_from)}}}]
    if brand is not None:
        clauses.append(one_of("brand", [brand]))
    found = stream(access, clauses, [{"first_known_us": "asc"}, *OLDEST_FIRST], min(limit, PAGE))
    return list(islice(once(found), limit))


def written_since(access: Access, known_from: datetime, limit: int) -> list[Mention]:
    """Current mentions of which a revision was written at or after that moment."""
    clauses = [{"range": {"known_us": {"gte": micros(known_from)}}}]
    return list(islice(once(stream(access, clauses, OLDEST_FIRST, min(limit, PAGE))), limit))


def stream(
    access: Access,
    clauses: Sequence[Clause],
    sort: Sequence[Mapping[str, str]],
    size: int,
    after: Sequence[Any] | None = None,
) -> Iterator[Mention]:
    """Current mentions in an order, fetched ``size`` at a time."""
    for hit in _stream(access, access.names.mentions, clauses, sort, size, after, ["doc"], Limit(access)):
        yield mention_of(hit["_source"])


def _stream(
    access: Access,
    index: str,
    clauses: Sequence[Clause],
    sort: Sequence[Mapping[str, str]],
    size: int,
    after: Sequence[Any] | None,
    fields: Sequence[str],
    limit: Limit,
) -> Iterator[Answer]:
    while True:
        body: Answer = {"size": size, "sort": list(sort), "_source": list(fields)}
        if after is not None:
            body["search_after"] = list(after)
        hits = _hits(ask(access, index, clauses, limit=limit, want=[_DOCUMENTS, "hits.hits.sort"], **body))
        yield from hits
        if len(hits) < size:
            return
        after = hits[-1]["sort"]


def _all_documents(
    access: Access, index: str, clauses: Sequence[Clause], fields: Sequence[str], limit: Limit | None = None
) -> Iterator[Answer]:
    """The sources of all hits; of two with one uid and revision the one first stored comes first."""
    sort = [{"first_known_us": "asc"}, {"uid": "asc"}, {"revision": "asc"}]
    for hit in _stream(access, index, clauses, sort, PAGE, None, fields, limit or Limit(access)):
        yield hit["_source"]


def _hits(answer: Answer) -> list[Answer]:
    hits: list[Answer] = answer.get("hits", {}).get("hits", [])
    return hits


def once(mentions: Iterable[Mention], remembered: int = PAGE * 10) -> Iterator[Mention]:
    """Without the second of two with one uid, which two writers may leave until the store joins them.

    Within one page, and within ten thousand mentions of a scan.
    """
    order: deque[str] = deque()
    seen: set[str] = set()
    for mention in mentions:
        if mention.uid in seen:
            continue
        yield mention
        seen.add(mention.uid)
        order.append(mention.uid)
        if len(order) > remembered:
            seen.discard(order.popleft())


# --- pages --------------------------------------------------------------------------------------------------------


def search(access: Access, query: Query, span: Span, limit: int, after: str | None, as_of: datetime | None) -> Page:
    """One page of hits. Raises ValueError for a cursor that is not one."""
    last = None if after is None else cursor_key(after)
    clauses = clauses_of(access, query, span)
    size = min(limit + 1, PAGE)
    found = stream(access, [*clauses, *_known(as_of)], NEWEST_FIRST, size, None if last is None else _position(last))
    if as_of is not None:
        # What is current is read first: what is replaced from now on is found in the history, with the same key.
        current = list(islice(once(found), limit + 1))
        found = heapq.merge(current, _past(access, clauses, as_of, last, size), key=key_of)
    hits = list(islice(once(found), limit + 1))
    page = hits[:limit]
    return Page(mentions=tuple(page), after=cursor(page[-1]) if page and len(hits) > limit else None)


def scan(access: Access, query: Query, span: Span) -> Iterator[Mention]:
    """Every hit, newest first, from one snapshot and in constant memory."""
    yield from once(_scanned(access, clauses_of(access, query, span)))


def _scanned(access: Access, clauses: Sequence[Clause]) -> Iterator[Mention]:
    with snapshot(access, access.names.mentions) as view:
        after: Sequence[Any] | None = None
        while view is not None:
            body: Answer = {"size": PAGE, "sort": NEWEST_FIRST, "_source": ["doc"], "pit": view}
            if after is not None:
                body["search_after"] = after
            answer = ask(access, None, clauses, want=[_DOCUMENTS, "hits.hits.sort", "pit_id"], **body)
            hits = _hits(answer)
            for hit in hits:
                yield mention_of(hit["_source"])
            if len(hits) < PAGE:
                return
            view["id"] = answer.get("pit_id", view["id"])
            after = hits[-1]["sort"]


def key_of(mention: Mention) -> Key:
    """Where a mention stands in the order of a search."""
    return -(micros(mention.event_time) // 1_000_000), mention.uid


def cursor(mention: Mention) -> str:
    """What continues behind this mention, whatever is written meanwhile."""
    second, uid = key_of(mention)
    return f"{-second}-{uid}"


def cursor_key(after: str) -> Key:
    """The place that a cursor stands for. Raises ValueError where it is none of ours."""
    second, _, uid = after.rpartition("-")
    digits = second.removeprefix("-")
    fits = digits.isascii() and digits.isdigit() and len(digits) < 13
    if not fits or len(uid) != 32 or set(uid) - set("0123456789abcdef"):
        raise ValueError(f"{after!r} is no cursor of this store")
    return -int(second), uid


def _position(key: Key) -> list[Any]:
    return [-key[0], key[1]]


# --- the past -----------------------------------------------------------------------------------------------------


def capped(as_of: datetime | None, now: datetime) -> datetime | None:
    """The past lies at least ten seconds back, so that no write under way can still change it."""
    return None if as_of is None else min(as_of, now - timedelta(seconds=10))


def _known(as_of: datetime | None) -> list[Clause]:
    return [] if as_of is None else [{"range": {"known_us": {"lte": micros(as_of)}}}]


def _past(
    access: Access, clauses: Sequence[Clause], as_of: datetime, after: Key | None, size: int
) -> Iterator[Mention]:
    """Replaced revisions that were the known ones then, in the order of a search."""
    refresh(access, access.names.history)
    for source in _past_rows(access, clauses, as_of, after, size, ["doc"]):
        yield mention_of(source)


def _past_rows(
    access: Access,
    clauses: Sequence[Clause],
    as_of: datetime,
    after: Key | None,
    size: int,
    fields: Sequence[str],
) -> Iterator[Answer]:
    ended = {"range": {"known_to_us": {"lte": micros(as_of)}}}
    asked = [*clauses, *_known(as_of), without([ended])]
    position = None if after is None else [*_position(after), BEHIND_ALL]
    limit = Limit(access)
    hits = _stream(access, access.names.history, asked, REPLACED_FIRST, size, position, [*fields, *_NAMED], limit)
    for batch in _batches(hits, size):
        rows = [hit["_source"] for hit in batch]
        open_ended = [row for row in rows if "known_to_us" not in row]
        outdone = _outdone(access, open_ended, as_of, limit) if open_ended else set()
        yield from (row for row in rows if (row["uid"], row["revision"]) not in outdone)


def _batches(hits: Iterator[Answer], size: int) -> Iterator[list[Answer]]:
    while batch := list(islice(hits, size)):
        yield batch


def _outdone(access: Access, rows: Sequence[Answer], as_of: datetime, limit: Limit) -> set[tuple[str, int]]:
    """Those of some rows without an end after which something else was known then.

    A writer leaves such a row when it dies between the three steps of a replacement, or when it loses to another.
    """
    uids = [row["uid"] for row in rows]
    asked = [one_of("uid", uids), *_known(as_of)]
    newest = {"by": {"terms": {"field": "uid", "size": len(uids)}, "aggs": {"last": {"max": {"field": "revision"}}}}}
    found: dict[str, float] = {}
    for index, equal in ((access.names.mentions, 0.5), (access.names.history, 0)):
        answer = ask(access, index, asked, limit=limit, want=["aggregations.by.buckets"], size=0, aggs=newest)
        for bucket in answer.get("aggregations", {}).get("by", {}).get("buckets", ()):
            # A current row of the same revision stands for itself: it counts as a little newer.
            last = bucket["last"]["value"] + equal
            found[bucket["key"]] = max(last, found.get(bucket["key"], 0))
    return {(row["uid"], row["revision"]) for row in rows if found.get(row["uid"], 0) > row["revision"]}


# --- counts -------------------------------------------------------------------------------------------------------


def count(access: Access, query: Query, span: Span, as_of: datetime | None) -> tuple[int, int]:
    """(posts, persons) of a search.

    Posts are exact. Persons are exact up to ``EXACT_PERSONS`` distinct ones; above that they are the server's estimate
    (``cardinality`` with ``precision_threshold`` 40,000): of 12,000 to 40,000 persons it was off by 0.03 % at most, of
    50,000 to 100,000 by 0.2 %.
    """
    clauses = clauses_of(access, query, span)
    if as_of is None:
        return _counted(access, access.names.mentions, clauses, Limit(access))
    return _counted_past(access, clauses, as_of)


def _counted(
    access: Access, index: str | None, clauses: Sequence[Clause], limit: Limit, **over: Any
) -> tuple[int, int]:
    answer = ask(
        access,
        index,
        clauses,
        limit=limit,
        want=["hits.total.value", "aggregations.n.count", "aggregations.p.sum_other_doc_count"],
        size=0,
        track_total_hits=True,
        aggs=distinct("person"),
        **over,
    )
    posts = answer.get("hits", {}).get("total", {}).get("value", 0)
    persons = distinct_of(answer.get("aggregations", {}))
    if persons is None:
        persons = _estimated(access, index, clauses, limit, **over)
    return posts, persons


def _estimated(access: Access, index: str | None, clauses: Sequence[Clause], limit: Limit, **over: Any) -> int:
    aggs = {"n": estimate("person")}
    answer = ask(access, index, clauses, limit=limit, want=["aggregations.n.value"], size=0, aggs=aggs, **over)
    return max(int(answer["aggregations"]["n"]["value"]), EXACT_PERSONS + 1)


def _counted_past(access: Access, clauses: Sequence[Clause], as_of: datetime) -> tuple[int, int]:
    """What is current is counted on the server, what has been replaced since is added one by one."""
    limit, known = Limit(access), _known(as_of)
    with snapshot(access, access.names.mentions) as view:
        over: Answer = {} if view is None else {"pit": view}
        posts, persons = (0, 0) if view is None else _counted(access, None, [*clauses, *known], limit, **over)
        refresh(access, access.names.history)
        gone = {row["uid"]: row for row in _past_rows(access, clauses, as_of, None, PAGE, ["uid"])}
        if view is not None:
            for uid in _values_among(access, "uid", list(gone), known, limit, over):  # replaced while we counted
                del gone[uid]
        nameless = {row["story_own"] for row in gone.values() if "author" not in row}
        roots = stories.roots(access, sorted(nameless)) if nameless else {}
        people = {
            row.get("author") or f"story:{roots.get(row['story_own'], row['story_own'])}" for row in gone.values()
        }
        if view is not None:
            people -= _values_among(access, "person", sorted(people), [*clauses, *known], limit, over)
    return posts + len(gone), persons + len(people)


def _values_among(
    access: Access, field: str, values: Sequence[str], clauses: Sequence[Clause], limit: Limit, over: Answer
) -> set[str]:
    """Which of these values a field has among the hits."""
    found: set[str] = set()
    for at in range(0, len(values), EXACT_PERSONS):
        some = list(values[at : at + EXACT_PERSONS])
        aggs = {"v": {"terms": {"field": field, "size": len(some), "include": some}}}
        asked = [*clauses, one_of(field, some)]
        answer = ask(access, None, asked, limit=limit, want=["aggregations.v.buckets.key"], size=0, aggs=aggs, **over)
        found |= {bucket["key"] for bucket in answer.get("aggregations", {}).get("v", {}).get("buckets", ())}
    return found


# --- facets -------------------------------------------------------------------------------------------------------


def facets(access: Access, query: Query, field: str, span: Span, limit: int) -> list[Facet]:
    """The most frequent values of a field among the hits; see ``faceting``. ValueError for a field without facets."""
    return faceting.facets(access, clauses_of(access, query, span), asked_brands(query.root), field, limit)


def persons_of(access: Access, query: Query, field: str, values: Sequence[str], span: Span) -> dict[str, int]:
    """How many persons among the hits share each of these values of a field of the mention."""
    return faceting.persons_of(access, clauses_of(access, query, span), field, values)


def asked_brands(root: Node) -> list[tuple[str, ...]]:
    """The brands that a search asks for: facets of an opinion's fields speak of opinions on all of these."""
    parts = root.parts if isinstance(root, All) else (root,)
    return [values for part in parts if isinstance(part, OneOpinion) for n, values in part.conditions if n == "brand"]
