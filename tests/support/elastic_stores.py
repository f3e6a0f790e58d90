"""Mention stores on the shared node, emptied and used again: to make indices takes longer than most tests."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from elastic import remove_indices
from elasticsearch import Elasticsearch

from pipeline.clock import Clock
from pipeline.store.elastic.names import Names
from pipeline.store.elastic.store import ElasticStore
from pipeline.store.export import load


class Pooled(ElasticStore):
    """A store whose indices go back to the pool when it is closed."""

    given_back: Callable[[], None] = staticmethod(lambda: None)

    def close(self) -> None:
        """See the store."""
        super().close()
        self.given_back()


class Pool:
    """Prefixes on one node. ``close`` removes all that was made there."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._free: list[str] = []
        self._made: list[str] = []

    def open(self, folder: Path, clock: Clock, retention: timedelta | None = None, **over: Any) -> Pooled:
        """An empty store; with the contents of the backup ``mentions.db`` where there is one in the folder."""
        store = Pooled(self.client(), self._prefix(), clock=clock, retention=retention, **over)
        prefix = store.access.names.prefix
        store.given_back = lambda: self._free.append(prefix)  # type: ignore[method-assign]
        if (backup := folder / "mentions.db").exists():
            load(store.transfer(), backup)
        return store

    def client(self) -> Elasticsearch:
        """A client of one's own."""
        return Elasticsearch(self._url, request_timeout=60)

    def close(self) -> None:
        """Remove all indices."""
        with self.client() as client:
            for prefix in self._made:
                remove_indices(client, prefix)

    def _prefix(self) -> str:
        if self._free:
            prefix = self._free.pop()
            self._empty(Names(prefix))
            return prefix
        self._made.append(f"t{uuid.uuid4().hex[:12]}")
        return self._made[-1]

    def _empty(self, names: Names) -> None:
        indices = [names.mentions, names.history, names.stories, names.erased, names.meta]
        with self.client() as client:
            client.indices.refresh(index=indices, ignore_unavailable=True)
            client.delete_by_query(
                index=indices, query={"match_all": {}}, conflicts="proceed", refresh=True, ignore_unavailable=True
            )
