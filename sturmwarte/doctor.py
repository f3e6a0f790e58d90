"""Health of an installation: versions, data folder, databases, sources, messages. Each check is one line."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from pipeline.clock import Clock
from pipeline.configuration import Configuration
from pipeline.findings import Finding
from pipeline.secrets import SecretMissing
from pipeline.spool import Spool
from pipeline.state.blocking import WEEK, counted
from pipeline.state.database import State
from pipeline.state.opening import StateUnavailable, StateVersion
from pipeline.state.place import StateAddress, on_server
from pipeline.state.tables import outbox, source
from pipeline.store.opening import connected, is_there
from pipeline.store.protocol import Store, StoreError
from pipeline.words import OutboxState, SourceState
from sturmwarte.presence import present_of

LOW_DISK = 1_000_000_000
"""Bytes; below this the disk counts as nearly full."""
WAITS_TOO_LONG = timedelta(hours=1)
SILENT_TOO_LONG = timedelta(hours=1)
"""Without an evaluation for this long something is wrong, while somebody watches."""
_SENTENCES = (StoreError, StateUnavailable, StateVersion, StateAddress, SecretMissing)
"""Errors that say themselves what is wrong and what to do."""


@dataclass(frozen=True)
class Check:
    """One checked thing. ``phrase`` is below ``command.doctor.``; ``good`` False makes the doctor end with 1."""

    name: str
    good: bool
    phrase: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Patient:
    """What is examined."""

    configuration: Configuration
    folder: Path
    clock: Clock
    warnings: tuple[Finding, ...] = ()


def examine(patient: Patient, open_state: Callable[[], State], open_store: Callable[[], Store]) -> Iterator[Check]:
    """All checks in order. A part that cannot be opened is a finding, and what depends on it is left out."""
    yield _versions()
    yield from (
        Check("note", True, "finding", {"field": finding.field, "text": finding}) for finding in patient.warnings
    )
    yield from _folder(patient.folder)
    yield _service(patient.folder)
    if not (_on_server(patient) or (patient.folder / "state.db").exists()):
        yield Check("data", True, "empty", {"folder": str(patient.folder)})
        if patient.configuration.store.engine != "sqlite":  # before the first start, too: whether it can be used
            yield from _opened("store", lambda: connected(patient.configuration.store), lambda server: iter(()))
        return
    yield from _opened("state", open_state, lambda state: _state(patient, state))
    if is_there(patient.folder, patient.configuration.store):
        yield from _opened("store", open_store, _store)
    else:
        yield Check("store", True, "empty", {"folder": str(patient.folder)})


def _on_server(patient: Patient) -> bool:
    try:
        return on_server(patient.configuration.state)
    except SecretMissing:  # said where it is opened
        return True


def _opened(name: str, opens: Callable[[], Any], look: Callable[[Any], Iterator[Check]]) -> Iterator[Check]:
    try:
        with closing(opens()) as part:
            yield from look(part)
    except Exception as error:  # whatever is wrong with a part, the doctor must name it and go on
        said = str(error) if isinstance(error, _SENTENCES) else f"{type(error).__name__}: {error}"
        yield Check(name, False, "unavailable", {"error": said})


def _versions() -> Check:
    import sqlite3

    try:
        own = version("sturmwarte")
    except PackageNotFoundError:
        own = "?"
    values = {"version": own, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}
    return Check("version", True, "version", values)


def _folder(folder: Path) -> Iterator[Check]:
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    yield Check("folder", os.access(existing, os.W_OK), "folder", {"folder": str(folder)})
    free = shutil.disk_usage(existing).free
    yield Check("disk", free >= LOW_DISK, "disk", {"free_gb": round(free / 1e9, 1)})
    waiting, quarantined = Spool(folder / "spool").sizes()
    yield Check("spool", not waiting, "spool", {"waiting": waiting})
    yield Check("quarantine", not quarantined, "quarantine", {"waiting": quarantined})


def _service(folder: Path) -> Check:
    from sturmwarte.lock import running_service

    pid = running_service(folder)
    phrase = "stopped" if pid is None else "running" if pid else "running_elsewhere"
    return Check("service", True, phrase, {"pid": str(pid or "")})


def _store(store: Store) -> Iterator[Check]:
    statistics = store.statistics()
    names = ("engine", "version", "mentions", "revisions", "bytes")
    yield Check("store", True, "store", {name: statistics.get(name, "?") for name in names})
    for problem in store.check():
        yield Check("store", False, "problem", {"text": problem})


def _state(patient: Patient, state: State) -> Iterator[Check]:
    from sturmwarte.live import rejected_configuration

    now = patient.clock.now()
    with state.read() as connection:
        rejected = rejected_configuration(connection)
        if rejected is not None:
            yield Check("configuration", False, "rejected", {"text": rejected})
        yield from _sources(connection)
        yield from _refused(connection, now)
        yield from _outbox(connection, now)
        yield from _parts(patient.configuration, connection, now)
        watched = bool(present_of(connection, "watch", now))
        yield _evaluation(connection, now, watched)
        if patient.configuration.store.engine == "elasticsearch":
            yield _beside(connection, watched)


def _parts(configuration: Configuration, connection: sa.Connection, now: datetime) -> Iterator[Check]:
    """Whether somebody reads the sources, and somebody watches the brands, on whatever machine."""
    for part, needed in (("crawl", configuration.sources), ("watch", configuration.brands)):
        n = len(present_of(connection, part, now))
        if n and needed:
            yield Check(part, True, f"{part}_runs", {"n": n})
        elif needed and part == "crawl" and (last := _read_lately(connection, now)):
            yield Check(part, True, "crawl_by_command", {"at": last})
        elif needed:
            yield Check(part, False, f"{part}_missing")


def _read_lately(connection: sa.Connection, now: datetime) -> datetime | None:
    """When a source was read last, if that is not long ago: a timer may call ``sturmwarte crawl``."""
    last = connection.scalar(sa.select(sa.func.max(source.c.last_ok)))
    return last if last is not None and now - last < SILENT_TOO_LONG else None


def _sources(connection: sa.Connection) -> Iterator[Check]:
    rows = connection.execute(sa.select(source.c.id, source.c.state, source.c.reason, source.c.state_since)).all()
    counts = {state.value: sum(row.state == state for row in rows) for state in SourceState}
    listed = {state: count for state, count in counts.items() if count}
    yield Check("sources", True, "sources", {"n": len(rows), "states": listed})
    for row in rows:
        if row.state in (SourceState.BLIND, SourceState.LATE, SourceState.BEHIND):
            values = {"source": row.id, "state": row.state, "reason": row.reason, "since": row.state_since}
            yield Check("source", False, "source", values)
        elif row.reason and row.state not in (SourceState.PAUSED, SourceState.RETIRED):
            yield Check("source", True, "source_notice", {"source": row.id, "reason": row.reason})


def _refused(connection: sa.Connection, now: datetime) -> Iterator[Check]:
    """Addresses that were not asked within a week, by the rule that refused them."""
    rules = counted(connection, now - WEEK)
    if rules:
        yield Check("refused", True, "rules_refused", {"rules": rules})


def _outbox(connection: sa.Connection, now: datetime) -> Iterator[Check]:
    counted = sa.select(outbox.c.state, sa.func.count(), sa.func.min(outbox.c.composed)).group_by(outbox.c.state)
    rows = {state: (count, oldest) for state, count, oldest in connection.execute(counted)}
    _, oldest = rows.get(OutboxState.READY.value, (0, None))
    late = oldest is not None and now - oldest > WAITS_TOO_LONG
    values = {state.value: rows.get(state.value, (0,))[0] for state in OutboxState}
    good = not late and not values["failed"] and not values["held"]
    yield Check("outbox", good, "outbox", values)
    yield from _stuck(connection)


def _stuck(connection: sa.Connection) -> Iterator[Check]:
    """What keeps messages from going out, each with since when and why."""
    from alerts.outbox import stuck

    found = stuck(connection)
    if found.refused:
        yield Check("outbox", False, "refused", {"n": found.refused, "since": found.since, "reason": found.reason})
    if found.held:
        yield Check("outbox", False, "held", {"n": found.held})
    if found.failed:
        yield Check("outbox", False, "given_up", {"n": found.failed, "reason": found.failure})


def _evaluation(connection: sa.Connection, now: datetime, watched: bool) -> Check:
    from sturmwarte.watch import last_look

    last = last_look(connection)
    if last is None:
        return Check("evaluation", True, "never_evaluated")
    return Check("evaluation", not watched or now - last < SILENT_TOO_LONG, "evaluated", {"at": last})


def _beside(connection: sa.Connection, watched: bool) -> Check:
    """Up to when events and series are written for other dashboards; behind while the server takes none."""
    from alerts.chronicle import written
    from sturmwarte.watch import last_look

    looked, told = last_look(connection), written(connection)
    if told is None and watched and looked is not None:  # the first time follows the first evaluation at once
        return Check("beside", False, "beside_fails")
    if told is None:
        return Check("beside", True, "never_beside")
    return Check("beside", looked is None or looked - told < SILENT_TOO_LONG, "beside", {"at": told})
