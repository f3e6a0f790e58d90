"""What every part of this engine is given: the client, the names, the clock, and what this process has just written."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field

from elasticsearch import Elasticsearch

from pipeline.clock import Clock
from pipeline.store.elastic.names import Names

RECENT = 50_000
NOTED = 5_000


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
        self.forgotten = 0
        """How many were ever forgotten. Of what is not known here a search knows as much as this process, unless this
        has grown since the last refresh."""
        self.refreshed_at = 0
        """How many were forgotten before the last refresh that somebody asked for because of them."""

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
                self.forgotten += 1
                self._index.popitem(last=False)

    def forget(self, uids: Iterable[str]) -> None:
        """They are no longer where they were."""
        with self._lock:
            for uid in uids:
                self.forgotten += 1
                self._index.pop(uid, None)


_Holders = dict[int, dict[str, list[str]]]
"""Week → band → uids."""


class Noted:
    """Bands of stories that this process has noted and no refresh may have shown to searches yet. Bounded."""

    def __init__(self, size: int = NOTED) -> None:
        self._size, self._lock = size, threading.Lock()
        self._young: _Holders = {}
        self._old: _Holders = {}
        self.remembered = 0
        """Mentions, since the last refresh."""

    @property
    def full(self) -> bool:
        """Whether it is time to refresh, and to tell by ``refreshed``."""
        return self.remembered >= self._size

    def note(self, week: int, signatures: Mapping[str, Iterable[str]]) -> None:
        """Mentions of that week (by uid) have these bands; they are stored."""
        with self._lock:
            self.remembered += len(signatures)
            noted = self._young.setdefault(week, {})
            for uid, bands in signatures.items():
                for band in bands:
                    noted.setdefault(band, []).append(uid)

    def holders(self, weeks: Iterable[int], bands: Set[str]) -> dict[str, set[str]]:
        """Band → uids that have it in these weeks, of those that any has."""
        found: dict[str, set[str]] = {}
        with self._lock:
            for noted in [noted for part in (self._young, self._old) for week in weeks if (noted := part.get(week))]:
                for band in noted.keys() & bands:
                    found.setdefault(band, set()).update(noted[band])
        return found

    def refreshed(self) -> None:
        """After a refresh. What others noted while it ran stays: only what had been put aside before it is dropped."""
        with self._lock:
            self._old, self._young, self.remembered = self._young, {}, 0

    def forget(self, uids: Iterable[str]) -> None:
        """These are removed."""
        gone = set(uids)
        with self._lock:
            for noted in (*self._young.values(), *self._old.values()):
                for band, holders in noted.items():
                    if not gone.isdisjoint(holders):
                        noted[band] = [uid for uid in holders if uid not in gone]


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
    noted: Noted = field(default_factory=Noted)
    months: set[str] = field(default_factory=set)
    """Months whose indices are known to be there."""
