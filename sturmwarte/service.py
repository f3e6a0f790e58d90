"""``sturmwarte run``: one parent over three processes, crawl, watch and serve; or over one of them alone."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event

from pipeline.clock import Clock, ScaledClock, SystemClock
from pipeline.configuration import Configuration
from sturmwarte import logs
from sturmwarte.addresses import require_address
from sturmwarte.lock import service_lock
from sturmwarte.supervise import Patience, Supervisor
from sturmwarte.waiting import when_there

CLOCK = "STURMWARTE_CLOCK"
PARTS = ("crawl", "watch", "serve")


def run(
    path: Path,
    *,
    parts: Sequence[str] = PARTS,
    beside: Sequence[Path] = (),
    stop: Event | None = None,
    environment: Mapping[str, str] = os.environ,
    patience: Patience = Patience(),
    started: Callable[[], None] = lambda: None,
) -> None:
    """Run the service of a configuration file until ``stop`` is set or SIGTERM or SIGINT comes.

    With some of ``parts`` only, any number of such processes may run beside each other. ``beside``: further files on
    the same data folder; the same parts run once more for each of them.
    ``started`` is called once nothing is in the way any more; a server that is away is waited for. Raises
    ConfigurationError, AlreadyRunning, StateVersion, StateUnavailable, StoreError, SecretMissing, AddressUnusable
    before anything is started.
    """
    from pipeline.toml import load
    from sturmwarte.registry import build_registry

    path = path.absolute()
    configuration = load(path, build_registry())
    logs.configure(logging.INFO, part="run" if len(parts) > 1 else parts[0], environment=environment)
    stop = stop or Event()
    with service_lock(configuration.data, beside_others=tuple(parts) != PARTS) as held:
        if "serve" in parts:
            for web in (configuration.web, *(load(other, build_registry()).web for other in beside)):
                require_address(web.host, web.port)
        stop_on_signals(stop)
        when_there(lambda: prepare(configuration, configuration.data, clock_from(environment)), stop)
        if stop.is_set():
            return
        started()
        wanted = commands(path, configuration.data, parts)
        for number, other in enumerate(beside, start=2):
            more = commands(other, configuration.data, parts)
            wanted |= {f"{part} {number}": command for part, command in more.items()}
        Supervisor(wanted, child_environment(environment), patience, (held,)).run(stop)


def commands(path: Path, folder: Path, parts: Sequence[str] = PARTS) -> dict[str, list[str]]:
    """The command line of each part. ``-P``: the folder one happens to stand in is no place to import from."""
    return {part: [sys.executable, "-P", "-m", "sturmwarte.child", part, str(path), str(folder)] for part in parts}


def child_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What children inherit, with UTC inside: intervals counted in local time would jump with summer time."""
    return {**environment, "TZ": "UTC", "SCRAPY_SETTINGS_MODULE": "crawlers.settings"}


def clock_from(environment: Mapping[str, str] = os.environ) -> Clock:
    """The machine's clock, or the scaled one that the environment describes."""
    text = environment.get(CLOCK)
    return ScaledClock.parse(text) if text else SystemClock()


def prepare(configuration: Configuration, folder: Path, clock: Clock) -> None:
    """Make both databases where they are missing, so that the parts do not race for it.

    Then carry out the corrections and erasures that are recorded and not applied. Raises StoreError where a copy of
    another store has begun to come in and has not ended.
    """
    from pipeline.corrections import apply_open
    from pipeline.erasure import apply_erasures, erased_in
    from pipeline.state.opening import open_state
    from pipeline.store.opening import open_store
    from pipeline.store.transfer import refuse_half_a_copy

    with (
        closing(open_state(folder, configuration.state)) as state,
        closing(open_store(folder, configuration.store, clock=clock, erased=erased_in(state))) as store,
    ):
        refuse_half_a_copy(store)
        apply_erasures(state, store, folder, clock)
        apply_open(state, store, clock)


def stop_on_signals(stop: Event) -> None:
    """SIGTERM and SIGINT set the event."""

    def stopped(number: int, frame: object) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, stopped)
    signal.signal(signal.SIGINT, stopped)
