"""What the pages read from: configuration, store, state database. Opened when first needed, reopened if moved."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Lock

from dashboards.probe import Probe
from pipeline.clock import Clock
from pipeline.configuration import Configuration
from pipeline.erasure import erased_in
from pipeline.mention import Mention
from pipeline.query.tree import EVERYTHING
from pipeline.state.database import State
from pipeline.state.opening import connect_state, version_of
from pipeline.state.place import on_server
from pipeline.store.opening import open_store
from pipeline.store.protocol import Store, StoreError

UID = re.compile(r"[0-9a-f]{32}")
MENTIONS, STATE = "mentions.db", "state.db"


class NotReady(Exception):
    """A database is not there yet; ``missing`` names its file."""

    def __init__(self, missing: str) -> None:
        super().__init__(f"{missing} is not there yet")
        self.missing = missing


class House:
    """Doors to one data folder. Reading is through a read-only store; writing opens a second one for a moment."""

    def __init__(self, load: Callable[[], Configuration], folder: Path, clock: Clock) -> None:
        self.load, self.folder, self.clock = load, folder, clock
        self._lock = Lock()
        self._store: tuple[tuple[int, int], Store] | None = None
        self._state: tuple[tuple[int, int], State] | None = None
        self.store_probe = Probe(self._store_trouble)

    def store(self) -> Store:
        """The mention store, read-only. Raises NotReady before the first crawl has made it."""
        table = self.load().store
        identity = self._identity(MENTIONS) if table.engine == "sqlite" else (0, 0)
        with self._lock:
            if self._store is None or self._store[0] != identity:
                self._store = (identity, open_store(self.folder, table, clock=self.clock, read_only=True))
            return self._store[1]

    def state(self) -> State:
        """The state database. Raises NotReady before the service has made it."""
        table = self.load().state
        identity = (0, 0) if on_server(table) else self._identity(STATE)
        with self._lock:
            if self._state is None or self._state[0] != identity:
                opened = connect_state(self.folder, table)
                if opened.server and version_of(opened) is None:
                    opened.close()
                    raise NotReady("the state database")
                self._state = (identity, opened)
            return self._state[1]

    def _store_trouble(self) -> str:
        """Why the mention store does not answer; empty where it does, or is not to be expected to yet."""
        try:
            self.store().search(EVERYTHING, start=self.clock.now() - timedelta(hours=1), limit=1)
        except NotReady:
            return ""
        except (StoreError, OSError) as error:
            return str(error)
        return ""

    def mention(self, uid: str) -> Mention | None:
        """The mention of that uid as it stands, if there is one. Raises NotReady."""
        return self.store().get([uid]).get(uid) if UID.fullmatch(uid) else None

    @contextmanager
    def writing_store(self) -> Iterator[Store]:
        """A writable store for one change. Raises NotReady where there is none to change."""
        configuration = self.load()
        table, retention = configuration.store, configuration.retention.mentions
        if table.engine == "sqlite":
            self._identity(MENTIONS)
        erased = erased_in(self.state())
        store = open_store(self.folder, table, clock=self.clock, retention=retention, erased=erased)
        try:
            yield store
        finally:
            store.close()

    def close(self) -> None:
        """Release both databases."""
        with self._lock:
            if self._store:
                self._store[1].close()
            if self._state:
                self._state[1].close()
            self._store = self._state = None

    def _identity(self, name: str) -> tuple[int, int]:
        """Device and inode of a database file, so that a restored one is noticed."""
        try:
            status = (self.folder / name).stat()
        except FileNotFoundError:
            raise NotReady(name) from None
        if not status.st_size:
            raise NotReady(name)
        return status.st_dev, status.st_ino
