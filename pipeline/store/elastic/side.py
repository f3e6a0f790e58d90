"""Events, result lists and series as indices beside mentions: ``{prefix}-events``, ``-results``, ``-series``.

Each is one strict index, ``sturmwarte-events-v2``, behind an alias without the version. Rows are written whole under
stable ids, versioned by the time their numbers were read, so that a slow writer never replaces what a faster one knows
better. Writing goes through the alias only: where the index has been taken away, the server refuses instead of guessing
a mapping, and the index is made again.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import Any

import msgspec
import structlog
from elasticsearch import BadRequestError, Elasticsearch, NotFoundError

from pipeline.store.elastic.client import guarded, refusal
from pipeline.store.elastic.names import Names
from pipeline.store.measures import micros
from pipeline.store.protocol import StoreError
from pipeline.store.side import Row, SideIndex, fields_of

log = structlog.get_logger()

BATCH = 500
TRIES = 20
REMEMBERED = 100_000
"""Rows of which is known how they were written last."""

_DATE, _KEYWORD, _INT, _DOUBLE = {"type": "date"}, {"type": "keyword"}, {"type": "integer"}, {"type": "double"}
_TEXT = {"type": "text", "analyzer": "german"}
_TITLE = {**_TEXT, "fields": {"raw": {"type": "keyword", "ignore_above": 1024}}}
_LONG_WORD = {"type": "keyword", "ignore_above": 2048}

MAPPINGS: Mapping[SideIndex, Mapping[str, Mapping[str, Any]]] = {
    SideIndex.EVENTS: {
        **dict.fromkeys(("at", "end", "window_start", "window_end"), _DATE),
        **dict.fromkeys(("kind", "what", "brand", "source", "rule", "incident", "by", "uid"), _KEYWORD),
        **dict.fromkeys(("rule_version", "level", "previous", "persons", "observed"), _INT),
        **dict.fromkeys(("expected", "low", "high", "return_period_days"), _DOUBLE),
        "text": _TITLE,
        "identity": {"type": "keyword", "index": False, "doc_values": False},
    },
    SideIndex.RESULTS: {
        "at": _DATE,
        **dict.fromkeys(("source", "query", "uid", "engines", "domain"), _KEYWORD),
        "url": _LONG_WORD,
        "position": _INT,
        "title": _TITLE,
        "snippet": _TEXT,
    },
    SideIndex.SERIES: {
        "at": _DATE,
        "brand": _KEYWORD,
        **dict.fromkeys(("posts", "negative", "neutral", "positive", "copies", "persons", "level"), _INT),
        **dict.fromkeys(("p_negative", "expected", "low", "high", "exposure"), _DOUBLE),
    },
}
"""Every field of every index; the structs of ``pipeline.store.side`` say what they mean."""


def alias_of(names: Names, index: SideIndex) -> str:
    """What readers and writers call it: ``sturmwarte-events``."""
    return f"{names.prefix}-{index}"


def index_of(names: Names, index: SideIndex) -> str:
    """The index behind the alias; another mapping is another version."""
    return f"{alias_of(names, index)}-v{names.version}"


def prepare(client: Elasticsearch, names: Names, *, replicas: int = 0) -> None:
    """Make what is missing and add new fields. Raises StoreError, also where an index has another mapping."""
    with guarded():
        for index in SideIndex:
            _prepare(client, names, index, replicas)


def _prepare(client: Elasticsearch, names: Names, index: SideIndex, replicas: int) -> None:
    name, alias = index_of(names, index), alias_of(names, index)
    mappings = {"dynamic": "strict", "properties": MAPPINGS[index]}
    settings = {"number_of_shards": 1, "number_of_replicas": replicas}
    try:
        client.indices.create(index=name, mappings=mappings, settings=settings, aliases={alias: {}})
    except BadRequestError as error:
        if error.error != "resource_already_exists_exception":
            raise
    else:
        return
    try:
        client.indices.put_mapping(index=name, properties=MAPPINGS[index])
    except BadRequestError as error:
        raise StoreError(f"the index {name} has another mapping than this program: {error}") from error
    client.indices.put_alias(index=name, name=alias)


class ElasticSide:
    """See ``pipeline.store.side.Side``. Safe to use from several threads."""

    def __init__(self, client: Elasticsearch, names: Names, *, replicas: int = 0) -> None:
        self._client, self._names, self._replicas = client, names, replicas
        self._known: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()
        self._prepared = False

    def put(self, rows: Sequence[Row], at: datetime) -> int:
        """Write rows; see the protocol. A row that the server rejects for what it holds is logged and left out.

        The first call makes the indices, with rows or without: who opens a dashboard finds them.
        """
        if not self._prepared:
            self._prepare()
        new = {(row.INDEX, row.id): row for row in rows if self._digest(row) != self._known.get(_name(row))}
        wanted = list(new.values())
        for start in range(0, len(wanted), BATCH):
            self._put(wanted[start : start + BATCH], micros(at))
        return len(wanted)

    def remove(self, rows: Iterable[Row]) -> None:
        """Take rows away again."""
        found = list(rows)
        for start in range(0, len(found), BATCH):
            self._send([(row, {"delete": self._place(row)}, None) for row in found[start : start + BATCH]])
        self._forget_known(_name(row) for row in found)

    def forget(self, uids: Sequence[str]) -> int:
        """Remove results that became one of these mentions, and statements that are one."""
        removed = 0
        for start in range(0, len(uids), BATCH):
            named = {"terms": {"uid": list(uids[start : start + BATCH])}}
            removed += sum(self._delete(index, named) for index in (SideIndex.RESULTS, SideIndex.EVENTS))
        return removed

    def purge(self, before: datetime) -> int:
        """Remove rows of a time before that."""
        older = {"range": {"at": {"lt": before.isoformat()}}}
        return sum(self._delete(index, older) for index in SideIndex)

    def _prepare(self) -> None:
        prepare(self._client, self._names, replicas=self._replicas)
        self._prepared = True

    def _put(self, rows: Sequence[Row], version: int) -> None:
        dated = {"version": version, "version_type": "external_gte"}
        operations = [
            (row, {"create": self._place(row)} if row.once else {"index": self._place(row) | dated}, fields_of(row))
            for row in rows
        ]
        try:
            self._send(operations)
        except _Missing:
            self._prepare()
            self._send(operations)
        with self._lock:
            for row in rows:
                self._known[_name(row)] = self._digest(row)
                self._known.move_to_end(_name(row))
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

    def _send(self, operations: Sequence[tuple[Row, dict[str, Any], dict[str, Any] | None]]) -> None:
        lines = [line for _, action, source in operations for line in (action, source) if line is not None]
        if not lines:
            return
        with guarded():
            answer = self._client.bulk(operations=lines)
        if answer["errors"]:
            for (row, _, _), item in zip(operations, answer["items"], strict=True):
                ((action, result),) = item.items()
                _judge(row, action, result)

    def _place(self, row: Row) -> dict[str, Any]:
        return {"_index": alias_of(self._names, row.INDEX), "_id": row.id, "require_alias": True}

    def _delete(self, index: SideIndex, query: dict[str, Any]) -> int:
        """Raises StoreError where rows are rewritten again and again meanwhile: none may stay unnoticed."""
        alias, deleted = alias_of(self._names, index), 0
        for _ in range(TRIES):
            with guarded():
                try:
                    self._client.indices.refresh(index=alias)
                    answer = self._client.delete_by_query(index=alias, query=query, conflicts="proceed", refresh=True)
                except NotFoundError:
                    return deleted
            with self._lock:
                self._known.clear()
            deleted += int(answer["deleted"])
            if not answer["version_conflicts"]:
                return deleted
        raise StoreError(f"what is to be removed from {alias} keeps changing: try again")

    def _forget_known(self, names: Iterable[str]) -> None:
        with self._lock:
            for name in names:
                self._known.pop(name, None)

    @staticmethod
    def _digest(row: Row) -> bytes:
        return hashlib.blake2b(msgspec.json.encode(row), digest_size=16).digest()


class _Missing(StoreError):
    """An alias is not there."""


def _name(row: Row) -> str:
    return f"{row.INDEX}/{row.id}"


def _judge(row: Row, action: str, result: Mapping[str, Any]) -> None:
    """What one line of a bulk answer means. Raises _Missing, and StoreError where trying again later may help."""
    status, error = int(result["status"]), result.get("error") or {}
    if error.get("type") == "index_not_found_exception" and action != "delete":
        raise _Missing(f"the index for {row.INDEX} is missing")
    if status < 300 or status == 409 or (action, status) == ("delete", 404):  # 409: there already, or a newer one
        return
    if (fault := refusal(status, error)) is not None:
        raise fault
    log.error("a row was rejected and left out", index=str(row.INDEX), id=row.id, reason=str(error.get("type")))
