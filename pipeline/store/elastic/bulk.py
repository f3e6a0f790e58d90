"""Many small operations in few requests, each with its own outcome."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import msgspec
from elasticsearch import ApiError, Elasticsearch

from pipeline.store.elastic.client import _reason as said
from pipeline.store.elastic.client import refusal
from pipeline.store.protocol import StoreError

REQUEST_BYTES = 8_000_000
REQUEST_OPERATIONS = 200
AT_ONCE = 3
"""So many requests are under way together: the server takes up the next while this side still encodes the one after."""
LARGEST_BYTES = 50_000_000
"""One document above this is refused here: the server would refuse the whole request."""
TOO_LARGE = 413
"""Status of an answer to a request that is larger than the server, or a proxy before it, takes."""
BUSY_SECONDS = 30.0
"""How long to go on offering what a busy server has turned away."""
_ANSWER = ("errors", "items.*.status", "items.*.error", "items.*._seq_no", "items.*._primary_term")
_encode = msgspec.json.Encoder().encode
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Operation:
    """One line of a bulk request: ``create``, ``index`` or ``delete``. ``at`` is (seq_no, primary_term) or None."""

    action: str
    index: str
    id: str
    document: Document | Callable[[], Document] | None = None
    """May be made when it is sent, while requests before it are under way."""
    at: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one operation."""

    status: int
    kind: str = ""
    reason: str = ""
    at: tuple[int, int] | None = None

    @property
    def done(self) -> bool:
        """Whether it was carried out."""
        return self.status < 300

    @property
    def conflict(self) -> bool:
        """Somebody else was faster, or the index has been dropped meanwhile."""
        return self.status == 409 or (self.status == 404 and self.kind == "index_not_found_exception")

    @property
    def missing(self) -> bool:
        """There was nothing to delete."""
        return self.status == 404


def carry_out(
    client: Elasticsearch, operations: Sequence[Operation], *, sleep: Callable[[float], None] = time.sleep
) -> list[Outcome]:
    """One outcome per operation, in order; each is durable when it is done. No operation waits for another one.

    Operations that a busy server turns away are offered again. Raises StoreError where the server cannot write at all.
    """
    outcomes: list[Outcome | None] = [None] * len(operations)
    due = list(range(len(operations)))
    deadline, pause = time.monotonic() + BUSY_SECONDS, 0.05
    while due:
        for numbers, answers in _sent(client, _requests(operations, due, outcomes)):
            for number, outcome in zip(numbers, answers, strict=True):
                outcomes[number] = outcome
        due = [number for number in due if _busy(outcomes[number])]
        if due:
            if time.monotonic() > deadline:
                raise StoreError(
                    f"Elasticsearch is too busy to write ({_said(outcomes[due[0]])}): it goes on when the load falls"
                )
            sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, 2.0)
    return [outcome for outcome in outcomes if outcome is not None]


_Request = tuple[list[int], list[list[bytes]]]
"""Numbers of the operations, and the lines of each."""


def _sent(client: Elasticsearch, requests: Iterator[_Request]) -> Iterator[tuple[list[int], list[Outcome]]]:
    """The answers, in any order; requests are made while others are under way."""
    first = next(requests, None)
    second = next(requests, None)
    if first is None:
        return
    if second is None:  # nearly always a small batch: no thread is worth it
        yield first[0], _send(client, first[1])
        return
    with ThreadPoolExecutor(AT_ONCE, "bulk") as pool:
        under_way: dict[Future[list[Outcome]], list[int]] = {}
        for numbers, pairs in chain((first, second), requests):
            under_way[pool.submit(_send, client, pairs)] = numbers
            if len(under_way) >= AT_ONCE:
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    yield under_way.pop(future), future.result()
        for future, numbers in under_way.items():
            yield numbers, future.result()


def _requests(
    operations: Sequence[Operation], due: Sequence[int], outcomes: list[Outcome | None]
) -> Iterator[_Request]:
    """What is too large for any request gets its outcome here."""
    numbers: list[int] = []
    pairs: list[list[bytes]] = []
    size = 0
    for number in due:
        pair = _lines(operations[number])
        length = sum(map(len, pair))
        if length > LARGEST_BYTES:
            outcomes[number] = _too_large(pair)
            continue
        if numbers and (size + length > REQUEST_BYTES or len(numbers) >= REQUEST_OPERATIONS):
            yield numbers, pairs
            numbers, pairs, size = [], [], 0
        numbers.append(number)
        pairs.append(pair)
        size += length
    if numbers:
        yield numbers, pairs


def _lines(operation: Operation) -> list[bytes]:
    target: dict[str, Any] = {"_index": operation.index, "_id": operation.id}
    if operation.at is not None:
        target["if_seq_no"], target["if_primary_term"] = operation.at
    head = _encode({operation.action: target})
    document = operation.document() if callable(operation.document) else operation.document
    return [head] if document is None else [head, _encode(document)]


def _send(client: Elasticsearch, pairs: list[list[bytes]]) -> list[Outcome]:
    """What is too large for the way to the server goes in halves, until one operation alone is too large."""
    try:
        answer = client.bulk(operations=cast(Any, list(chain.from_iterable(pairs))), filter_path=_ANSWER)
    except ApiError as error:
        if error.meta.status != TOO_LARGE:
            raise
        if len(pairs) == 1:
            return [_too_large(pairs[0])]
        half = len(pairs) // 2
        return [*_send(client, pairs[:half]), *_send(client, pairs[half:])]
    return [_outcome(next(iter(item.values()))) for item in answer["items"]]


def _too_large(pair: list[bytes]) -> Outcome:
    return Outcome(TOO_LARGE, "too_large", f"{sum(map(len, pair))} bytes in one document")


def _outcome(item: dict[str, Any]) -> Outcome:
    """Raises StoreError where the server is at fault and patience would not help."""
    status, error = item["status"], item.get("error")
    if not error:
        return Outcome(status, at=(item["_seq_no"], item["_primary_term"]) if "_seq_no" in item else None)
    outcome = Outcome(status, str(error.get("type", "")), said(error))
    fault = refusal(status, error)
    if fault is not None and (status != 429 or outcome.kind == "cluster_block_exception"):
        raise fault
    return outcome


def _busy(outcome: Outcome | None) -> bool:
    return outcome is None or outcome.status == 429


def _said(outcome: Outcome | None) -> str:
    return "no answer" if outcome is None else f"{outcome.kind}: {outcome.reason}"
