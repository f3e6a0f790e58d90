"""One way to put a question to the server: with a time limit, and never with part of an answer."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from math import ceil
from typing import Any

from elasticsearch import ApiError, NotFoundError

from pipeline.store.elastic.access import Access
from pipeline.store.elastic.client import guarded
from pipeline.store.elastic.compile import Clause, all_of
from pipeline.store.protocol import QueryTimeout, StoreAway, StoreError

Answer = dict[str, Any]

KEEP = "10m"
"""How long a snapshot lives between two pages of a scan."""
COMPOSITE = 10_000
"""Buckets of one page of a composite aggregation."""
EXACT_PERSONS = 10_000
"""Up to so many distinct persons are counted one by one; above that, a count is an estimate."""
_PRECISION = 40_000
"""Of an estimate: the highest that the server has."""
_GRACE = 5.0
"""Seconds beyond the limit that the server has to say that it was reached."""
_ALWAYS = ("timed_out", "terminated_early", "_shards.failed", "_shards.failures.reason")
_TOO_WIDE = {
    "expanded to too many terms": "too many words begin like that: write more letters before the *",
    "maxClauseCount": "the search stands for too many words: leave some out, or write more letters before a *",
    "max_regex_length": "a beginning of a word has at most 1,000 letters",
    "automaton is too large": "a beginning of a word has at most 1,000 letters",
    "too_many_buckets": "the answer has too many rows: narrow the time range",
    "circuit_breaking_exception": "the search needs more memory than the cluster has: narrow its time range",
}


class Limit:
    """When a question with several requests must be answered."""

    def __init__(self, access: Access) -> None:
        self.seconds = access.timeout_seconds
        self._end = time.monotonic() + self.seconds

    def left(self) -> float:
        """Seconds that remain. Raises QueryTimeout when none do."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise too_slow(self.seconds)
        return left


def too_slow(seconds: float) -> QueryTimeout:
    """What to say when the limit is reached."""
    return QueryTimeout(f"the search took longer than {seconds:g} s: narrow its time range or add a word")


def ask(
    access: Access,
    index: str | None,
    clauses: Sequence[Clause],
    *,
    limit: Limit | None = None,
    want: Sequence[str] = (),
    **body: Any,
) -> Answer:
    """The whole answer to a search over an alias (or a snapshot: ``index`` None, ``pit`` given).

    ``want`` names the parts of the answer to send. An alias without an index has an empty answer.
    Raises QueryTimeout where the limit is reached or the search is wider than the server can answer as a whole, and
    StoreError for all else that is not a whole answer.
    """
    limit = limit or Limit(access)
    left = limit.left()
    client = access.client.options(request_timeout=left + _GRACE)
    try:
        with guarded(), _explained(limit):
            answer = client.search(
                index=index,
                query=all_of(clauses),
                timeout=f"{ceil(left)}s",  # whole seconds: the server keeps answers by the text of the request
                allow_partial_search_results=False if index else None,
                filter_path=[*_ALWAYS, *want],
                **{"track_total_hits": False, **body},
            ).body
    except _Nothing:
        return {}
    _refuse_parts(answer, limit)
    return dict(answer)


def composite(
    access: Access,
    clauses: Sequence[Clause],
    sources: Sequence[Clause],
    *,
    nested: Clause | None = None,
    aggs: Clause | None = None,
    limit: Limit | None = None,
) -> Iterator[Answer]:
    """Every combination of values that there is, in order: ``{"key": …, "doc_count": …}`` and what ``aggs`` make of it.

    With ``nested`` the opinions that fulfil that clause are counted, not the mentions.
    """
    limit = limit or Limit(access)
    after: Answer | None = None
    path = "aggregations.opinions.meant.found" if nested else "aggregations.found"
    while True:
        found: Answer = {"composite": {"size": COMPOSITE, "sources": list(sources)}}
        if after is not None:
            found["composite"]["after"] = after
        if aggs:
            found["aggs"] = aggs
        aggregation = {"found": found}
        if nested is not None:
            meant = {"meant": {"filter": nested, "aggs": aggregation}}
            aggregation = {"opinions": {"nested": {"path": "opinions"}, "aggs": meant}}
        answer = ask(access, access.names.mentions, clauses, limit=limit, want=[path], size=0, aggs=aggregation)
        page = part(answer, path)
        yield from page.get("buckets", ())
        after = page.get("after_key")
        if after is None or len(page["buckets"]) < COMPOSITE:
            return


def distinct(field: str) -> Answer:
    """Aggregations ``p`` and ``n`` that count the values of a field one by one without sending them."""
    return {
        "p": {"terms": {"field": field, "size": EXACT_PERSONS + 1}},
        "n": {"stats_bucket": {"buckets_path": "p>_count"}},
    }


def distinct_of(aggregations: Answer) -> int | None:
    """The number that ``distinct`` found, or None where there are more than it counts."""
    counted = int(aggregations.get("n", {}).get("count", 0))
    return None if counted > EXACT_PERSONS or aggregations.get("p", {}).get("sum_other_doc_count") else counted


def estimate(field: str) -> Clause:
    """An aggregation that estimates the number of distinct values of a field."""
    return {"cardinality": {"field": field, "precision_threshold": _PRECISION}}


@contextmanager
def snapshot(access: Access, index: str) -> Iterator[dict[str, Any] | None]:
    """A view of an alias that stays as it is (``pit`` of further questions), or None where there is no index yet."""
    client = access.client
    try:
        with guarded(), _explained(Limit(access)):
            opened = client.open_point_in_time(index=index, keep_alive=KEEP).body
    except _Nothing:
        yield None
        return
    view = {"id": opened["id"], "keep_alive": KEEP}
    try:
        yield view
    finally:
        with suppress(StoreError), guarded():  # else it ends by itself
            client.options(ignore_status=404, max_retries=0).close_point_in_time(id=view["id"])


def refresh(access: Access, index: str) -> None:
    """Let searches see all that has been written to an alias until now, by whomever."""
    with guarded():
        access.client.options(ignore_status=404).indices.refresh(index=index)


class _Nothing(Exception):
    """The alias has no index yet."""


@contextmanager
def _explained(limit: Limit) -> Iterator[None]:
    """Errors that speak of the search itself; the others are left to ``guarded``."""
    try:
        yield
    except NotFoundError as error:
        if _type(error) == "index_not_found_exception":
            raise _Nothing from error
        if _type(error) == "search_phase_execution_exception" or "search_context_missing" in str(error.body):
            raise StoreError(f"the snapshot of a scan is gone (it is kept for {KEEP}): scan again") from error
        raise
    except ApiError as error:
        text = str(error.body)
        if "search_timeout_exception" in text or "Time exceeded" in text or "time_exceeded" in text:
            raise too_slow(limit.seconds) from error
        for word, sentence in _TOO_WIDE.items():
            if word in text:
                raise QueryTimeout(sentence) from error
        raise


def _type(error: ApiError) -> str:
    body = error.body
    return str(body.get("error", {}).get("type", "")) if isinstance(body, dict) else ""


def _refuse_parts(answer: Answer, limit: Limit) -> None:
    if answer.get("timed_out") or answer.get("terminated_early"):
        raise too_slow(limit.seconds)
    if failed := answer.get("_shards", {}).get("failed"):
        reasons = {str(f.get("reason", {}).get("reason")) for f in answer["_shards"].get("failures", ())}
        raise StoreAway(f"{failed} parts of the mention store did not answer: {'; '.join(sorted(reasons))}")


def part(answer: Answer, path: str) -> Answer:
    """What stands at a dotted path of an answer; empty where there is nothing."""
    for name in path.split("."):
        answer = answer.get(name, {})
    return answer
