"""The configuration of a running process: taken anew when its file changes, kept when the new one is wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import sqlalchemy as sa
import structlog

from pipeline.clock import Clock
from pipeline.configuration import Configuration
from pipeline.findings import ConfigurationError, Finding
from pipeline.state.database import State
from pipeline.state.tables import meta
from pipeline.toml import Registry, load

log = structlog.get_logger()
REJECTED = "configuration_rejected"
"""Key in the state database's ``meta``: why the file as it stands now is not in force; gone when it is."""

GOOD = "configuration.good.toml"
"""File in the data folder: the last right configuration, for a process that starts while the present one is wrong."""

Signature = tuple[int, int, int]


class LiveConfiguration:
    """A function that gives the configuration in force. Safe to call from several threads."""

    def __init__(
        self,
        path: Path,
        registry: Registry,
        rejected: Callable[[ConfigurationError | None], None],
        folder: Path,
    ) -> None:
        """Raises ConfigurationError where the file is wrong and no right one was ever in force in this data folder.

        ``rejected`` is told once about every wrong change, and with None about every right one.
        """
        self.path, self._registry, self._rejected, self._folder = path, registry, rejected, folder
        self._lock = Lock()
        self._signature = self._look()
        self._configuration = self._first()

    def __call__(self) -> Configuration:
        with self._lock:
            signature = self._look()
            if signature != self._signature and not _half_written(signature):
                self._signature = signature
                self._take()
            return self._configuration

    def _first(self) -> Configuration:
        """The file, or what was in force before it was changed for the worse: a restart must not end the service."""
        try:
            return self._loaded()
        except ConfigurationError as error:
            kept = self._folder / GOOD
            if not kept.exists():
                raise
            configuration = load(kept, self._registry, folder=self.path.absolute().parent)
            self._rejected(error)
            return configuration

    def _take(self) -> None:
        try:
            self._configuration = self._loaded(self._configuration)
        except ConfigurationError as error:
            self._rejected(error)
        else:
            self._rejected(None)

    def _loaded(self, inforce: Configuration | None = None) -> Configuration:
        """The file as it stands, put aside as the last right one. Raises ConfigurationError.

        ``inforce`` is what the open databases were opened with; they cannot move while the process runs.
        """
        configuration = load(self.path, self._registry)
        if configuration.data != self._folder:
            raise ConfigurationError([Finding(str(self.path), None, "data", "restart_needed")])
        if inforce is not None:
            self._same_databases(inforce, configuration)
        self._put_aside()
        return configuration

    def _same_databases(self, old: Configuration, new: Configuration) -> None:
        """What is open stays open. Raises ConfigurationError."""
        moved = [name for name in ("store", "state") if getattr(old, name) != getattr(new, name)]
        if moved:
            raise ConfigurationError([Finding(str(self.path), None, name, "restart_needed") for name in moved])

    def _put_aside(self) -> None:
        """Keep a copy; a disk that is full must not keep a right configuration from being in force."""
        new = self._folder / f"{GOOD}.{os.getpid()}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.path, new)
            new.replace(self._folder / GOOD)
        except OSError as error:
            log.warning("the configuration could not be put aside", folder=str(self._folder), reason=str(error))

    def _look(self) -> Signature | None:
        """What changes whenever the file does; None while there is none."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def _half_written(signature: Signature | None) -> bool:
    """An empty file is one that an editor is about to fill; taken at its word it would retire every source."""
    return signature is not None and signature[1] == 0


class Recorder:
    """Writes into log and state database what became of a changed configuration.

    Which state database that is stands in the configuration: what is heard before ``record_in`` is written then.
    """

    def __init__(self, clock: Clock, state: State | None = None) -> None:
        self._clock, self._state = clock, state
        self._heard: ConfigurationError | None = None

    def record_in(self, state: State) -> None:
        """From now on, into this database. A start with a right file ends what was said of a wrong one before."""
        self._state = state
        self._try_to_record(self._heard)

    def __call__(self, error: ConfigurationError | None) -> None:
        if error is None:
            log.info("the changed configuration is in force")
        else:
            log.error("the changed configuration is wrong, the old one stays in force", findings=str(error))
        self._heard = error
        self._try_to_record(error)

    def _try_to_record(self, error: ConfigurationError | None) -> None:
        if self._state is None:
            return
        try:
            self._record(self._state, error)
        except sa.exc.OperationalError as trouble:
            log.error("the state of the configuration could not be recorded", reason=str(trouble.orig))

    def _record(self, state: State, error: ConfigurationError | None) -> None:
        with state.begin() as connection:
            connection.execute(sa.delete(meta).where(meta.c.key == REJECTED))
            if error is not None:
                text = f"{self._clock.now().isoformat()} {error}"
                connection.execute(sa.insert(meta).values(key=REJECTED, value=text))


def rejected_configuration(connection: sa.Connection) -> str | None:
    """Time and findings of the last change that was not taken over; None when the file is in force."""
    value = connection.scalar(sa.select(meta.c.value).where(meta.c.key == REJECTED))
    return None if value is None else str(value)
