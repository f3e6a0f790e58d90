"""One process of the service: ``python -P -m sturmwarte.child crawl|watch|serve FILE FOLDER``."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from threading import Event

import structlog

from pipeline.clock import Clock
from pipeline.configuration import Configuration, StoreTable
from sturmwarte import logs
from sturmwarte.addresses import AddressUnusable, require_address
from sturmwarte.service import clock_from, stop_on_signals
from sturmwarte.waiting import when_there

log = structlog.get_logger()
Load = Callable[[], Configuration]
GRACE = 10.0


def crawl(load: Load, folder: Path, clock: Clock, stop: Event) -> None:
    """Visit every source that is due."""
    from crawlers.service import crawl_forever

    crawl_forever(load, folder, clock, stop)


def watch(load: Load, folder: Path, clock: Clock, stop: Event) -> None:
    """Evaluate rules, deliver messages, keep house."""
    from sturmwarte.watch import watch_forever

    watch_forever(load, folder, clock, stop)


def serve(load: Load, folder: Path, clock: Clock, stop: Event) -> None:
    """Show the pages; begin anew when the configuration moves them to another address."""
    from dashboards.app import create
    from dashboards.serve import serve as serve_app

    web = load().web
    try:
        require_address(web.host, web.port)
    except AddressUnusable as error:  # the configuration has moved the pages to where they cannot be shown
        log.error("the pages cannot be shown: change [web] port", reason=str(error))
        sys.exit(2)

    def moved() -> None:
        while not stop.wait(2.0):
            if load().web != web:
                os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=moved, daemon=True).start()
    serve_app(create(load, folder, clock), web.host, web.port)


PARTS: dict[str, Callable[[Load, Path, Clock, Event], None]] = {"crawl": crawl, "watch": watch, "serve": serve}


def follow_parent(grace: float = GRACE) -> None:
    """End with the parent: our standard input is a pipe that closes when it dies."""

    def wait() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def look(table: StoreTable, folder: Path, clock: Clock) -> None:
    """Ask a store on a server once, before a part begins with it. Raises StoreError."""
    from pipeline.query.tree import EVERYTHING
    from pipeline.store.opening import open_store

    if table.engine != "sqlite":
        with closing(open_store(folder, table, clock=clock, read_only=True)) as store:
            store.search(EVERYTHING, limit=1)


def main(part: str, path: Path, folder: Path) -> None:
    """Run one part on a data folder until SIGTERM."""
    from pipeline.state.opening import open_state
    from sturmwarte.live import LiveConfiguration, Recorder
    from sturmwarte.presence import present
    from sturmwarte.registry import build_registry

    time.tzset()
    logs.configure(logging.INFO, part=part)
    stop, clock = Event(), clock_from()
    stop_on_signals(stop)
    follow_parent()
    recorder = Recorder(clock)
    live = LiveConfiguration(path, build_registry(), recorder, folder)
    state = when_there(lambda: open_state(folder, live().state), stop)
    if state is not None:  # else told to end while still coming up
        recorder.record_in(state)
        with present(part, state, clock):
            when_there(lambda: look(live().store, folder, clock), stop)
            when_there(lambda: PARTS[part](live, folder, clock, stop), stop)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
