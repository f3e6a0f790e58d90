"""What the crawl does beside visiting: empties the spool, and forgets pages and answers after their time."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from crawlers.hosts import BUDGET
from crawlers.raw import RawPages
from crawlers.visiting import Pipeline
from pipeline.absence import absences
from pipeline.clock import Clock
from pipeline.configuration import Configuration
from pipeline.state.database import State
from pipeline.state.tables import fetch, quota

log = structlog.get_logger()
_PURGE_EVERY = timedelta(hours=1)
_STRAY_SECONDS = 86_400.0


class Upkeep:
    """Every part is tried each time; one that fails is logged and does not keep the others from running."""

    def __init__(self, state: State, clock: Clock, raw: RawPages) -> None:
        self._state, self._clock, self._raw = state, clock, raw
        self._purged: datetime | None = None

    def run(self, configuration: Configuration, pipeline: Pipeline) -> None:
        """Drain the spool; once an hour, purge."""
        try:
            pipeline.drain()
            absences.over("upkeep")
        except Exception as error:
            if not absences.noticed(error, "upkeep"):
                log.exception("the spool could not be drained")
        now = self._clock.now()
        if self._purged is None or now - self._purged >= _PURGE_EVERY:
            self._purged = now
            try:
                self.purge(configuration, now)
            except Exception as error:
                if not absences.noticed(error, "upkeep"):
                    log.exception("old pages could not be purged")

    def purge(self, configuration: Configuration, now: datetime) -> None:
        """Remove raw pages and fetch records older than their retention."""
        while self._raw.purge(self._state, now - configuration.retention.raw, now):
            pass
        self._raw.purge_strays(self._state, time.time() - _STRAY_SECONDS)
        with self._state.begin() as connection:
            connection.execute(sa.delete(fetch).where(fetch.c.at < now - configuration.retention.fetches))
            of_hosts = quota.c.name.startswith(f"{BUDGET} ", autoescape=True)
            connection.execute(sa.delete(quota).where(of_hosts, quota.c.start < now - _PURGE_EVERY * 2))
