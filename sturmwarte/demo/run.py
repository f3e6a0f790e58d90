"""``sturmwarte demo``: two quiet weeks are read by the real spiders, then a storm comes, in compressed time."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from zoneinfo import ZoneInfo

from pipeline.clock import Clock, ScaledClock
from sturmwarte.demo import configuration
from sturmwarte.demo.catcher import Catcher
from sturmwarte.demo.ports import free_port
from sturmwarte.demo.script import write
from sturmwarte.demo.servers import borrowed
from sturmwarte.demo.web import Sites, Web

ZONE = ZoneInfo("Europe/Berlin")
FACTOR = 120.0
"""Two minutes pass in a second."""
LOOKING_BACK = 20.0
"""How fast time runs while the two quiet weeks are read: the politeness of the spiders costs demonstration time."""
STORM = timedelta(hours=2)
"""From the beginning to the storm; reading the past must be over by then."""
QUIET = timedelta(minutes=30)
"""Between the start of the service and the storm."""


@dataclass
class Stage:
    """The world of a demonstration: its web, its mailbox, its configuration."""

    folder: Path
    clock: Clock
    """Replaced when time is let go."""
    start: datetime
    toml: Path
    web: Web
    catcher: Catcher

    def now(self) -> datetime:
        """What the web takes for the present."""
        return self.clock.now()

    def let_go(self, factor: float = FACTOR) -> ScaledClock:
        """Half an hour before the storm; from now on time runs ``factor`` times as fast, for web and service."""
        running = ScaledClock(self.start + STORM - QUIET, time.time(), factor)
        self.clock = running
        return running


def morning(today: datetime) -> datetime:
    """07:00 local time on the latest working day before ``today``: when a storm of complaints would begin."""
    day = today.astimezone(ZONE) - timedelta(days=1)
    while day.weekday() >= 5:
        day -= timedelta(days=1)
    return day.replace(hour=7, minute=0, second=0, microsecond=0).astimezone(UTC)


@contextmanager
def stage(
    folder: Path,
    *,
    start: datetime,
    storm: bool = True,
    port: int | None = None,
    databases: str = configuration.FILES,
) -> Iterator[Stage]:
    """Web and mail catcher of a demonstration in ``folder``, where it is ``start`` now."""
    clock = ScaledClock(start, time.time(), LOOKING_BACK)
    world = write(start, storm_at=start + STORM if storm else None, until=start + timedelta(days=5))
    current: list[Stage] = []
    web = Web(Sites(world, lambda: current[0].now() if current else start, ZONE))
    catcher = Catcher(folder / "mailbox")
    toml = configuration.write(
        folder,
        databases,
        port=port or free_port(),
        zone=ZONE.key,
        forum=web.forum,
        portal=web.portal,
        newspaper=web.newspaper,
        search=web.search,
        smtp=catcher.port,
    )
    current.append(Stage(folder, clock, start, toml, web, catcher))
    try:
        yield current[0]
    finally:
        web.close()
        catcher.close()


def look_back(scene: Stage) -> None:
    """Let the real spiders read the two quiet weeks, by the normal path, before time is let go."""
    from crawlers.service import crawl_once
    from pipeline.toml import load
    from sturmwarte.registry import build_registry
    from sturmwarte.service import prepare

    loaded = load(scene.toml, build_registry())
    prepare(loaded, loaded.data, scene.clock)
    crawl_once(loaded, loaded.data, scene.clock)


def main(
    *,
    port: int | None = None,
    say: Callable[..., None],
    stop: Event | None = None,
    servers: Path | None = None,
    workers: int = 1,
) -> None:
    """Run the demonstration until stopped. ``say`` tells a person what happens.

    ``servers``: a configuration whose Elasticsearch and PostgreSQL it uses instead of files. ``workers``: how many
    crawlers, watchers and web processes; the latter at ``port``, ``port + 1`` and so on.
    """
    from sturmwarte.logs import LEVEL
    from sturmwarte.service import CLOCK, run

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sturmwarte-demo-")))
        databases = configuration.FILES
        if servers is not None:
            # until the service takes the signal over: what is on servers would outlive us
            signal.signal(signal.SIGTERM, signal.default_int_handler)
            own = stack.enter_context(borrowed(servers, folder))
            databases = own.tables
            say("borrowed", names=", ".join(own.names))
        port = port or free_port()
        scene = stack.enter_context(stage(folder, start=morning(datetime.now(UTC)), port=port, databases=databases))
        say("look_back")
        look_back(scene)
        clock = scene.let_go()
        others = [configuration.beside(scene.toml, number, port + number - 1) for number in range(2, workers + 1)]
        say("running", urls=", ".join(f"http://127.0.0.1:{port + n}/" for n in range(workers)))
        environment = {LEVEL: "error", **os.environ, CLOCK: str(clock)}
        run(scene.toml, beside=others, stop=stop, environment=environment)
    say("ended")
