"""What every part of this engine is given: the client, the names, the clock, and what this process has just written."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from elasticsearch import Elasticsearch

from pipeline.clock import Clock
from pipeline.store.elastic.names import Names

RECENT = 50_000


class Unrefreshed:
    """Index groups that this process has written since their last refresh: reads refresh these first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._written: set[str] = set()
        self.positions: dict[str, int] = {}
        """Up to which operation everybody's writes were made visible last; see ``joining.refresh``."""

    def mark(self, *groups: str) -> None:
        """Remember that something was written there."""
        self._written.update(groups)

    def settle(self, client: Elasticsearch, *groups: str) -> None:
        """Make what was written there visible to searches; others that read wait for it."""
        with self._lock:
            due = self._written.intersection(groups)
            if not due:
                return
            self._written.difference_update(due)
            try:
                client.indices.refresh(index=sorted(due), ignore_unavailable=True, filter_path="_shards.failed")
            except BaseException:
                self._written.update(due)
                raise


class Recent:
    """In which index this process saw a mention last: a search does not know the newest ones yet. Bounded."""

    def __init__(self, size: int = RECENT) -> None:
        self._size, self._lock = size, threading.Lock()
        self._index: OrderedDict[str, str] = OrderedDict()

    def among(self, uids: Iterable[str]) -> dict[str, str]:
        """uid → index, of those that are known."""
        with self._lock:
            return {uid: self._index[uid] for uid in uids if uid in self._index}

    def note(self, uid: str, index: str) -> None:
        """It is there now."""
        with self._lock:
            self._index[uid] = index
            self._index.move_to_end(uid)
            while len(self._index) > self._size:
                self._index.popitem(last=False)

    def forget(self, uids: Iterable[str]) -> None:
        """They are no longer where they were."""
        with self._lock:
            for uid in uids:
                self._index.pop(uid, None)


@dataclass(frozen=True, slots=True)
class Access:
    """One store on one cluster. Functions that read find what this process wrote: the store refreshes first."""

    client: Elasticsearch
    names: Names
    clock: Clock
    timeout_seconds: float = 10.0
    """Limit of one search; QueryTimeout beyond it."""
    unrefreshed: Unrefreshed = field(default_factory=Unrefreshed)
    recent: Recent = field(default_factory=Recent)
    months: set[str] = field(default_factory=set)
    """Months whose indices are known to be there."""
