"""Questions about single mentions and searches: paging, the past, counts and facets."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from pipeline.mention import Mention
from pipeline.query.evaluate import matches
from pipeline.query.tree import All, Node, OneOpinion, Query
from pipeline.store.measures import micros, moment
from pipeline.store.protocol import Facet, Page, Revision
from pipeline.store.sqlite.compile import SAME_MENTION, Compiled, compile_query, resolved
from pipeline.store.sqlite.functions import decode
from pipeline.store.sqlite.rows import LAST_SECOND, UID_BITS
from pipeline.store.sqlite.stories import all_ids

ID_MAX = (1 << 63) - 1
PERSON = "COALESCE(m.author, 'story:' || COALESCE((SELECT older FROM story_alias WHERE newer = m.story), m.story))"

Span = tuple[datetime | None, datetime | None]


def by_uid(connection: sqlite3.Connection, uids: Sequence[str], as_of: datetime | None) -> dict[str, Mention]:
    """The mentions that exist, or existed at a moment."""
    wanted = json.dumps(list(uids))
    rows = connection.execute(
        "SELECT m.doc FROM json_each(?) j CROSS JOIN mention m ON m.uid = sw_unhex(j.value) WHERE m.known_from <= ?",
        (wanted, ID_MAX if as_of is None else micros(as_of)),
    ).fetchall()
    if as_of is not None:
        rows += connection.execute(
            "SELECT h.doc FROM json_each(?) j CROSS JOIN history h ON h.uid = sw_unhex(j.value)"
            " WHERE h.known_from <= ? AND h.known_to > ?",
            (wanted, micros(as_of), micros(as_of)),
        ).fetchall()
    found = [decode(doc) for (doc,) in rows]
    return {mention.uid: mention for mention in found}


def history(connection: sqlite3.Connection, uid: str) -> list[Revision]:
    """All revisions, oldest first."""
    key = (bytes.fromhex(uid),)
    revisions = [
        Revision(mention=decode(doc), known_from=moment(known_from), known_to=moment(known_to))
        for doc, known_from, known_to in connection.execute(
            "SELECT doc, known_from, known_to FROM history WHERE uid = ? ORDER BY revision", key
        )
    ]
    for doc, known_from in connection.execute("SELECT doc, known_from FROM mention WHERE uid = ?", key):
        revisions.append(Revision(mention=decode(doc), known_from=moment(known_from), known_to=None))
    return revisions


def _frame(compiled: Compiled, span: Span, after: int, as_of: datetime | None) -> tuple[str, str, list[object]]:
    """FROM and WHERE of a search, with the range of ids that the time range allows."""
    start, end = span
    low, high = after + 1, ID_MAX
    where, values = list(compiled.where), list(compiled.values)
    if end is not None:
        low = max(low, (LAST_SECOND - micros(end) // 1_000_000) << UID_BITS)
        where.append("m.event < ?")
        values.append(micros(end))
    if start is not None:
        high = ((LAST_SECOND - micros(start) // 1_000_000 + 1) << UID_BITS) - 1
        where.append("m.event >= ?")
        values.append(micros(start))
    if as_of is not None:
        where.append("m.known_from <= ?")
        values.append(micros(as_of))
    source, key = "mention m", "m.id"
    if compiled.match:
        source, key = "mention_text f CROSS JOIN mention m ON m.id = f.rowid", "f.rowid"
        where.insert(0, "f.mention_text MATCH ?")
        values.insert(0, compiled.match)
    where.append(f"{key} BETWEEN ? AND ?")
    values += [low, min(high, ID_MAX)]
    return f"FROM {source} WHERE {' AND '.join(where)}", key, values


def compiled_for(connection: sqlite3.Connection, query: Query) -> Compiled:
    """The SQL of a search, its stories resolved."""
    return compile_query(query.root, lambda story: all_ids(connection, story))


def current_hits(
    connection: sqlite3.Connection, query: Query, span: Span, after: int, as_of: datetime | None, limit: int | None
) -> Iterator[tuple[int, Mention]]:
    """(id, mention) of current rows, newest first, behind the id ``after``."""
    frame, key, values = _frame(compiled_for(connection, query), span, after, as_of)
    rest = "" if limit is None else f" LIMIT {limit}"
    for row_id, doc in connection.execute(f"SELECT m.id, m.doc {frame} ORDER BY {key}{rest}", values):
        yield row_id, decode(doc)


def past_hits(
    connection: sqlite3.Connection, query: Query, span: Span, after: int, as_of: datetime
) -> list[tuple[int, Mention]]:
    """(id, mention) of replaced revisions that were the known ones then."""
    at, (start, end) = micros(as_of), span
    root = resolved(query.root, lambda story: all_ids(connection, story))
    rows = connection.execute(
        "SELECT id, doc FROM history WHERE known_to > ? AND known_from <= ? AND id > ? ORDER BY id", (at, at, after)
    )
    hits = ((row_id, decode(doc)) for row_id, doc in rows)
    return [
        (row_id, mention)
        for row_id, mention in hits
        if (start is None or mention.event_time >= start)
        and (end is None or mention.event_time < end)
        and matches(root, mention)
    ]


def search(
    connection: sqlite3.Connection, query: Query, span: Span, limit: int, after: str | None, as_of: datetime | None
) -> Page:
    """One page of hits."""
    last = -1 if after is None else cursor_id(after)
    hits = list(current_hits(connection, query, span, last, as_of, limit + 1))
    if as_of is not None:
        hits = sorted([*hits, *past_hits(connection, query, span, last, as_of)], key=lambda hit: hit[0])
    page = hits[:limit]
    more = f"{page[-1][0]:x}" if page and len(hits) > limit else None
    return Page(mentions=tuple(mention for _, mention in page), after=more)


def cursor_id(after: str) -> int:
    """The id a cursor stands for. Raises ValueError where it is none of ours."""
    try:
        return int(after, 16)
    except ValueError:
        raise ValueError(f"{after!r} is no cursor of this store") from None


def count(connection: sqlite3.Connection, query: Query, span: Span, as_of: datetime | None) -> tuple[int, int]:
    """(posts, persons) of a search."""
    frame, _, values = _frame(compiled_for(connection, query), span, -1, as_of)
    if as_of is None:
        posts, persons = connection.execute(f"SELECT COUNT(*), COUNT(DISTINCT {PERSON}) {frame}", values).fetchone()
        return int(posts), int(persons)
    people = [person for (person,) in connection.execute(f"SELECT {PERSON} {frame}", values)]
    for _, mention in past_hits(connection, query, span, -1, as_of):
        story = mention.story or mention.uid
        people.append(mention.crawled.author or f"story:{all_ids(connection, story)[0]}")
    return len(people), len(set(people))


_OWN_STORY = "COALESCE(json_extract(m.doc, '$.story'), lower(hex(m.uid)))"
_COLUMNS = {
    "platform": "json_extract(m.doc, '$.crawled.platform')",
    "channel": "json_extract(m.doc, '$.crawled.channel')",
    "kind": "json_extract(m.doc, '$.crawled.kind')",
    "author": "m.author",
    "thread": "json_extract(m.doc, '$.crawled.thread')",
    "domain": "json_extract(m.doc, '$.origin')",
    "lang": "COALESCE(json_extract(m.doc, '$.analysis.lang'), 'none')",
    "severity": "json_extract(m.doc, '$.analysis.severity')",
    "purpose": "json_extract(m.doc, '$.analysis.purpose')",
    "story": f"COALESCE((SELECT older FROM story_alias WHERE newer = {_OWN_STORY}), {_OWN_STORY})",
}
_LISTS = {"source": "$.sources", "aspect": "$.analysis.aspects", "topic": "$.analysis.topics"}
FACET_FIELDS = (*_COLUMNS, *_LISTS, "brand", "tone", "via", "voice")


def facets(connection: sqlite3.Connection, query: Query, field: str, span: Span, limit: int) -> list[Facet]:
    """The most frequent values of a field among the hits."""
    frame, _, values = _frame(compiled_for(connection, query), span, -1, None)
    value, source, extra = _facet_source(query.root, field)
    frame = frame.replace(" WHERE ", f"{source} WHERE ", 1)
    rows = connection.execute(
        f"SELECT value, COUNT(DISTINCT id) posts, COUNT(DISTINCT person) FROM"
        f" (SELECT {value} value, m.id id, {PERSON} person {frame})"
        " WHERE value IS NOT NULL GROUP BY value ORDER BY posts DESC, value LIMIT ?",
        [*extra, *values, limit],
    )
    return [Facet(value=str(name), posts=posts, persons=persons) for name, posts, persons in rows]


def persons_of(
    connection: sqlite3.Connection, query: Query, field: str, values: Sequence[str], span: Span
) -> dict[str, int]:
    """How many persons among the hits share each of these values of a list of the mention."""
    frame, _, given = _frame(compiled_for(connection, query), span, -1, None)
    value, source, _ = _facet_source(query.root, field)
    frame = frame.replace(" WHERE ", f"{source} WHERE ", 1)
    rows = connection.execute(
        f"SELECT {value} value, COUNT(DISTINCT {PERSON}) {frame}"
        f" AND {value} IN (SELECT value FROM json_each(?)) GROUP BY {value}",
        [*given, json.dumps(values)],
    )
    return dict(rows.fetchall())


def _facet_source(root: Node, field: str) -> tuple[str, str, list[object]]:
    """(value, what is joined, its values). Fields of an opinion speak of the opinions that the search asks for."""
    if field in _COLUMNS:
        return _COLUMNS[field], "", []
    if field in _LISTS:
        return "j.value", f" CROSS JOIN json_each(m.doc, '{_LISTS[field]}') j", []
    if field not in ("brand", "tone", "via", "voice"):
        raise ValueError(f"no facets of {field!r}; known: {', '.join(FACET_FIELDS)}")
    asked, values = _asked_opinions(root)
    value = "COALESCE(o.tone, 'none')" if field == "tone" else f"o.{field}"
    return (
        value,
        f" CROSS JOIN mention_brand o ON o.brand IN (SELECT brand FROM brand) AND {SAME_MENTION}{asked}",
        values,
    )


def _asked_opinions(root: Node) -> tuple[str, list[object]]:
    parts = root.parts if isinstance(root, All) else (root,)
    brands = [vs for part in parts if isinstance(part, OneOpinion) for name, vs in part.conditions if name == "brand"]
    sql = "".join(f" AND o.brand IN ({', '.join('?' * len(values))})" for values in brands)
    return sql, [value for values in brands for value in values]


def capped(as_of: datetime | None, now: datetime) -> datetime | None:
    """The past lies at least ten seconds back, so that no write under way can still change it."""
    return None if as_of is None else min(as_of, now - timedelta(seconds=10))
