"""The configuration of a running process: taken anew when its file changes, kept when the new one is wrong."""

from __future__ import annotations

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

Signature = tuple[int, int, int]


class LiveConfiguration:
    """A function that gives the configuration in force. Safe to call from several threads."""

    def __init__(self, path: Path, registry: Registry, rejected: Callable[[ConfigurationError | None], None]) -> None:
        """Raises ConfigurationError where the file is wrong from the start.

        ``rejected`` is told once about every wrong change, and with None about every right one.
        """
        self.path, self._registry, self._rejected = path, registry, rejected
        self._lock = Lock()
        self._signature = self._look()
        self._configuration = load(path, registry)

    def __call__(self) -> Configuration:
        with self._lock:
            signature = self._look()
            if signature != self._signature:
                self._signature = signature
                self._take()
            return self._configuration

    def _take(self) -> None:
        try:
            new = load(self.path, self._registry)
        except ConfigurationError as error:
            self._rejected(error)
            return
        if new.data != self._configuration.data:
            finding = Finding(str(self.path), None, "data", "restart_needed")
            self._rejected(ConfigurationError([finding]))
            return
        self._configuration = new
        self._rejected(None)

    def _look(self) -> Signature | None:
        """What changes whenever the file does; None while there is none."""
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


class Recorder:
    """Writes into log and state database what became of a changed configuration."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state, self._clock = state, clock

    def __call__(self, error: ConfigurationError | None) -> None:
        if error is None:
            log.info("the changed configuration is in force")
        else:
            log.error("the changed configuration is wrong, the old one stays in force", findings=str(error))
        with self._state.begin() as connection:
            connection.execute(sa.delete(meta).where(meta.c.key == REJECTED))
            if error is not None:
                text = f"{self._clock.now().isoformat()} {error}"
                connection.execute(sa.insert(meta).values(key=REJECTED, value=text))


def rejected_configuration(connection: sa.Connection) -> str | None:
    """Time and findings of the last change that was not taken over; None when the file is in force."""
    value = connection.scalar(sa.select(meta.c.value).where(meta.c.key == REJECTED))
    return None if value is None else str(value)
