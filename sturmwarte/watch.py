"""The watch process: rules → incidents → outbox → mail, and what is cleaned up daily."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import sqlalchemy as sa
import structlog

from pipeline.clock import Clock
from pipeline.configuration import Configuration
from pipeline.state.database import State
from pipeline.state.tables import meta
from pipeline.state.workers import worker_name
from pipeline.store.protocol import Store
from pipeline.store.side import side_of
from sturmwarte.jobs import Background, Jobs, guarded

if TYPE_CHECKING:
    from alerts.resting import Rest
    from alerts.turns import Turns

log = structlog.get_logger()
Load = Callable[[], Configuration]

LOOK, DELIVER, KEEP_HOUSE = 20.0, 10.0, 3600.0
"""Seconds of the clock between two evaluations, deliveries and looks whether it is time to clean up."""
WATCHED = "watched_at"
"""Key in the state database's ``meta``: the last complete evaluation; on calm days nothing else tells of it."""
PURGED = "purged_at"
"""Key in the state database's ``meta``: the last clean-up."""


def watch_forever(load: Load, folder: Path, clock: Clock, stop: Event) -> None:
    """Evaluate, deliver and clean up until told to stop. Several of these share the brands and the messages."""
    from alerts.resting import Rest
    from alerts.turns import Share
    from pipeline.corrections import apply_open
    from pipeline.erasure import erased_in
    from pipeline.state.opening import open_state
    from pipeline.store.opening import open_store

    configuration, worker = load(), worker_name()
    table, retention = configuration.store, configuration.retention.mentions
    with (
        closing(open_state(folder, configuration.state)) as state,
        closing(open_store(folder, table, clock=clock, retention=retention, erased=erased_in(state))) as store,
        closing(Background("delivery", lambda: deliver(load(), state, clock, worker))) as delivery,
        closing(
            Background("chronicle", lambda: turns.duty("chronicle", lambda: tell(load(), store, state, clock)))
        ) as chronicle,
    ):
        turns, rest, jobs = Share(state, clock, worker), Rest(), Jobs()
        jobs.every(clock.real(LOOK), "watch", lambda: look(load(), store, state, clock, folder, turns, rest))
        jobs.every(clock.real(DELIVER), "deliver", delivery)
        if side_of(store) is not None:  # else there is nothing to write, and no duty to be taken for it
            jobs.every(clock.real(LOOK), "chronicle", chronicle)
        purge = partial(turns.duty, "purge", lambda: keep_house(load(), store, state, clock))
        jobs.every(clock.real(KEEP_HOUSE), "purge", purge)
        jobs.every(clock.real(KEEP_HOUSE), "corrections", lambda: apply_open(state, store, clock))
        try:
            take_back(state, worker)
            jobs.run(stop)
        finally:
            guarded("leave", turns.leave)()


def take_back(state: State, worker: str) -> None:
    """Messages that a sender of this machine had in hand when it died go out at once."""
    from alerts import outbox

    with state.begin() as connection:
        outbox.take_back(connection, worker)


def look(
    configuration: Configuration,
    store: Store,
    state: State,
    clock: Clock,
    folder: Path,
    turns: Turns | None = None,
    rest: Rest | None = None,
) -> None:
    """One evaluation of all rules, silences and blind sources; of the brands that are ours and do not rest."""
    from alerts.turns import Alone
    from alerts.watcher import Watcher

    Watcher(configuration, store, state, clock, folder, turns=turns or Alone(), rest=rest).tick()
    remember(state, WATCHED, clock.now())


def remember(state: State, key: str, at: datetime) -> None:
    """Note when something was done last."""
    with state.begin() as connection:
        connection.execute(sa.delete(meta).where(meta.c.key == key))
        connection.execute(sa.insert(meta).values(key=key, value=at.isoformat()))


def last_look(connection: sa.Connection) -> datetime | None:
    """When all rules were evaluated last; None if never."""
    return _noted(connection, WATCHED)


def _noted(connection: sa.Connection, key: str) -> datetime | None:
    value = connection.scalar(sa.select(meta.c.value).where(meta.c.key == key))
    return datetime.fromisoformat(value) if value else None


def deliver(configuration: Configuration, state: State, clock: Clock, worker: str | None = None) -> None:
    """One try of everything that is due in the outbox, under the name of this process."""
    from alerts.delivery import Delivery
    from alerts.notifiers.registry import build

    Delivery(configuration, state, clock, build(configuration), worker=worker).tick()


def tell(configuration: Configuration, store: Store, state: State, clock: Clock) -> None:
    """Write beside mentions what happened. Raises StoreError; what cannot be written now is written later."""
    from alerts import chronicle

    chronicle.write(configuration, store, state, clock.now())


def keep_house(configuration: Configuration, store: Store, state: State, clock: Clock) -> None:
    """Once a day remove what is older than the retention; the time is kept, since a service may restart daily.

    Raw pages are the crawl's to remove.
    """
    from pipeline.maintenance import purge

    now = clock.now()
    with state.read() as connection:
        last = _noted(connection, PURGED)
    if last is not None and now - last < timedelta(days=1):
        return
    removed = purge(configuration, store, state, now)
    remember(state, PURGED, now)
    log.info("what is older than the retention was removed", **removed)
