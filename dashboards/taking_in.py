"""The door for items that are handed in: through the same steps and into the same store as crawled ones."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from dashboards.house import House
from pipeline.build import build_pipeline
from pipeline.configuration import Configuration
from pipeline.erasure import erased_in
from pipeline.item import Item
from pipeline.run import Fed, Pipeline
from pipeline.store.opening import open_store


class TakingIn:
    """One pipeline for all calls, made at the first and made anew where the configuration has changed."""

    def __init__(self, house: House) -> None:
        self._house, self._lock = house, Lock()
        self._made: tuple[Configuration, Pipeline] | None = None

    def feed(self, items: Sequence[Item]) -> Fed:
        """Returns when every item is durable: stored, waiting in the spool, or in quarantine.

        Raises NotReady before the service has made its databases, SecretMissing and OSError.
        """
        with self._lock:
            return self._pipeline().feed(items)

    def close(self) -> None:
        """Release the store."""
        with self._lock:
            if self._made is not None:
                self._made[1].close()
                self._made = None

    def _pipeline(self) -> Pipeline:
        house, configuration = self._house, self._house.load()
        if self._made is None or self._made[0] != configuration:
            if self._made is not None:
                self._made[1].close()
                self._made = None
            state, table = house.state(), configuration.store
            retention, erased = configuration.retention.mentions, erased_in(state)
            store = open_store(house.folder, table, clock=house.clock, retention=retention, erased=erased)
            try:
                pipeline = build_pipeline(configuration, store, state, folder=house.folder, clock=house.clock)
            except BaseException:
                store.close()
                raise
            self._made = configuration, pipeline
        return self._made[1]
