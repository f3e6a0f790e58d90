"""The periodic work of a process: intervals only, and no job's failure reaches another job."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import schedule
import structlog

from pipeline.absence import absences

log = structlog.get_logger()
SHORTEST = 0.5
"""Seconds; however fast a scaled clock runs, no job runs more often."""
LONGEST_WAIT = 1.0

Work = Callable[[], object]


class Jobs:
    """Jobs that run one after the other in the thread that calls ``run``."""

    def __init__(self) -> None:
        # calendar times are no business of this scheduler: it counts in naive local time
        self._scheduler = schedule.Scheduler()

    def every(self, seconds: float, name: str, work: Work) -> None:
        """Run ``work`` at once and then every so many seconds of the wall clock."""
        job = self._scheduler.every().seconds
        job.interval = max(seconds, SHORTEST)
        job.do(guarded(name, work))

    def run(self, stop: Event) -> None:
        """Until told to stop."""
        self._scheduler.run_all()
        while not stop.is_set():
            self._scheduler.run_pending()
            idle = self._scheduler.idle_seconds or 0.0
            stop.wait(min(max(idle, 0.05), LONGEST_WAIT))


def guarded(name: str, work: Work) -> Callable[[], None]:
    """The same work, but an exception is logged instead of raised: a raising job would stop all others.

    That a database is away is said once, by whichever job meets it first.
    """

    def run() -> None:
        try:
            work()
        except Exception as error:
            if not absences.noticed(error, name):
                log.exception("a periodic job failed; it is tried again at its next time", job=name)
        else:
            absences.over(name)

    return run


class Background:
    """Work that may wait for the network, in a thread of its own; at most one at a time."""

    def __init__(self, name: str, work: Work) -> None:
        # a name of its own: that the work was begun, which may be a job, too, does not say that it was done
        self._work = guarded(f"{name} in the background", work)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._running: Future[None] | None = None

    def __call__(self) -> None:
        """Start the work unless it still runs."""
        if self._running is None or self._running.done():
            self._running = self._pool.submit(self._work)

    def close(self) -> None:
        """Wait for what runs."""
        self._pool.shutdown(wait=True)
