"""What Kibana and Grafana draw beside mentions: events, result lists, hours of series, made from what is recorded.

A projection: every row is read from the state database and the store and written under a stable id, so that a death, a
repetition or a second watcher doubles nothing. How far it has come moves only after the server has taken the rows;
while the server is away nothing is lost but time. Nothing here decides anything, and no rule waits for it.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa

from alerts.chronicle.events import write_events
from alerts.chronicle.places import EVERYTHING, RULE, Place, read
from alerts.chronicle.results import write_results
from alerts.chronicle.series import write_series
from pipeline.configuration import Configuration
from pipeline.i18n import Speech
from pipeline.state.database import State
from pipeline.store.protocol import Store
from pipeline.store.side import side_of

__all__ = ["RULE", "Written", "write", "written"]


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows one pass sent."""

    events: int = 0
    results: int = 0
    hours: int = 0


def write(configuration: Configuration, store: Store, state: State, now: datetime) -> Written:
    """Write what is new or has changed, if the engine has a place for it. Raises StoreError; the rest comes later."""
    side = side_of(store)
    if side is None:
        return Written()
    speech = Speech(configuration.language, configuration.timezone)
    results = write_results(state, side, now)
    events = write_events(state, side, speech, now)
    told, hours = write_series(configuration, store, state, side, speech, now)
    return Written(events=events + told, results=results, hours=hours)


def written(conn: sa.Connection) -> datetime | None:
    """When events were last written to the end; None: never."""
    return read(conn, EVERYTHING, Place).events
