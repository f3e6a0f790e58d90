"""The crawl: visits every due source, as many at once as allowed, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import structlog

from crawlers import scheduling
from crawlers.fetches import said
from crawlers.ledger import Ledger, VisitReport
from crawlers.pacing import Pacer
from crawlers.raw import RawPages
from crawlers.settings import clock_seconds
from crawlers.spider import SourceSpider
from crawlers.upkeep import Upkeep
from crawlers.visiting import House, Pipeline, Visitor
from crawlers.workers import take_back
from pipeline.absence import absences
from pipeline.articles import recent_articles
from pipeline.clock import Clock
from pipeline.configuration import Configuration
from pipeline.state.database import State
from pipeline.state.opening import open_state
from pipeline.state.sources import NO_CONTACT, SourceRow, mark_late, note_trouble, sync
from pipeline.state.workers import worker_name
from pipeline.words import Answer, SourceState

log = structlog.get_logger()
Spiders = Mapping[str, type[SourceSpider]]
PipelineFactory = Callable[[Configuration, State, Path, Clock], Pipeline]
_TICK = 1.0
_RELOAD = 3.0
_LEASE_REAL = 60.0


class NothingCrawled(Exception):
    """Nothing may be crawled; the message says why."""


def crawl_once(
    configuration: Configuration,
    folder: Path,
    clock: Clock,
    source_ids: Collection[str] | None = None,
    pipeline: Pipeline | None = None,
    *,
    spiders: Spiders | None = None,
) -> list[VisitReport]:
    """Visit the named sources, or all that are not paused, once, due or not; returns how each visit ended.

    Sources another process is visiting right now are left out. Raises NothingCrawled without a contact address,
    and LookupError for a name that is no source.
    """
    if not configuration.contact:
        raise NothingCrawled(NO_CONTACT)
    unknown = sorted(set(source_ids or ()) - set(configuration.sources))
    if unknown:
        raise LookupError(f"no such source: {', '.join(unknown)}")
    return asyncio.run(_once(configuration, folder, clock, source_ids, pipeline, spiders or _registered()))


async def _once(
    configuration: Configuration,
    folder: Path,
    clock: Clock,
    source_ids: Collection[str] | None,
    pipeline: Pipeline | None,
    spiders: Spiders,
) -> list[VisitReport]:
    state = open_state(folder, configuration.state)
    own = pipeline is None
    pipeline = pipeline or build(configuration, state, folder, clock)
    try:
        crawl = Crawl(configuration, folder, clock, state, pipeline, spiders)
        crawl.prepare()
        await asyncio.to_thread(pipeline.drain)
        return await crawl.round(list(configuration.sources) if source_ids is None else list(source_ids))
    finally:
        if own:
            pipeline.close()
        state.close()


def crawl_forever(
    load_configuration: Callable[[], Configuration],
    folder: Path,
    clock: Clock,
    stop: threading.Event,
    pipeline_factory: PipelineFactory | None = None,
    *,
    spiders: Spiders | None = None,
) -> None:
    """Visit due sources until ``stop`` is set. A changed configuration is taken over between visits; one that
    cannot be read leaves the last good one in force. Raises where the first one cannot be read or the data folder not
    be opened.
    """
    logging.getLogger("scrapy").setLevel(logging.WARNING)
    asyncio.run(_forever(load_configuration, folder, clock, stop, pipeline_factory or build, spiders or _registered()))


async def _forever(
    load: Callable[[], Configuration],
    folder: Path,
    clock: Clock,
    stop: threading.Event,
    factory: PipelineFactory,
    spiders: Spiders,
) -> None:
    configuration = await asyncio.to_thread(load)
    state = open_state(folder, configuration.state)
    worker, upkeep = worker_name(), Upkeep(state, clock, RawPages(folder))
    try:
        while not stop.is_set():
            pipeline = await asyncio.to_thread(factory, configuration, state, folder, clock)
            crawl = Crawl(configuration, folder, clock, state, pipeline, spiders, worker=worker)
            try:
                configuration = await crawl.run(load, stop, upkeep)
            finally:
                await asyncio.to_thread(pipeline.close)
    finally:
        state.close()


class Crawl:
    """The crawl under one configuration."""

    def __init__(
        self,
        configuration: Configuration,
        folder: Path,
        clock: Clock,
        state: State,
        pipeline: Pipeline,
        spiders: Spiders,
        *,
        worker: str | None = None,
    ) -> None:
        self.configuration, self._clock, self._state = configuration, clock, state
        self._pipeline, self._spiders = pipeline, spiders
        self.worker, chance = worker or worker_name(), random.Random()
        self._lease = max(scheduling.LEASE, timedelta(seconds=clock_seconds(clock, _LEASE_REAL)))
        self._pacer = Pacer(
            state,
            clock,
            delay=configuration.crawl.delay,
            timeout=configuration.crawl.timeout.total_seconds(),
            worker=self.worker,
            chance=chance,
            budget=configuration.crawl.hourly,
        )
        self._visitor = Visitor(
            House(
                configuration=configuration,
                spiders=spiders,
                state=state,
                clock=clock,
                ledger=Ledger(state, clock, chance),
                pacer=self._pacer,
                raw=RawPages(folder),
                pipeline=pipeline,
                worker=self.worker,
                articles=self._articles,
            )
        )
        self._hosts: dict[str, str] = {}
        """Of the sources in hand."""
        self._per_host = max(2, configuration.crawl.threads // 4)
        self._active: dict[str, asyncio.Task[VisitReport]] = {}
        self._pause = min(max(clock.real(_TICK), 0.02), _TICK)
        self._next_late = 0.0

    def _articles(self, origin: str) -> Mapping[str, str]:
        """What is known of a place; nothing where the pipeline keeps no store."""
        store = getattr(self._pipeline, "store", None)
        return recent_articles(store, origin, self._clock.now()) if store is not None else {}

    def prepare(self) -> None:
        """Bring the table of sources in line with the configuration; free what dead workers hold."""
        defaults = {name: (spider.channel, spider.interval) for name, spider in self._spiders.items()}
        with self._state.begin() as connection:
            sync(connection, self.configuration, defaults, self._clock.now())
            take_back(connection, self.worker, self._clock.now())

    async def round(self, names: list[str]) -> list[VisitReport]:
        """Visit these sources once each, as many at once as allowed."""
        reports: list[VisitReport] = []
        async with self._heartbeat():
            while names:
                free = self.configuration.crawl.threads - len(self._active)
                batch, names = names[:free], names[free:]
                for row in await asyncio.to_thread(self._claim, free, batch):
                    self._begin(row)
                while self._active and (not names or len(self._active) >= self.configuration.crawl.threads):
                    reports += await self._ended(wait=None)
        return reports

    async def run(self, load: Callable[[], Configuration], stop: threading.Event, upkeep: Upkeep) -> Configuration:
        """Visit what is due until told to stop, or until the configuration changes; returns the one to go on with."""
        await asyncio.to_thread(self.prepare)
        if not self.configuration.contact:
            log.warning("nothing is crawled", reason=NO_CONTACT)
        tick = self._pause
        next_load, wanted = time.monotonic() + _RELOAD, self.configuration
        async with self._heartbeat():
            while not stop.is_set():
                if time.monotonic() >= next_load:
                    wanted, next_load = await asyncio.to_thread(self._loaded, load), time.monotonic() + _RELOAD
                    await asyncio.to_thread(upkeep.run, self.configuration, self._pipeline)
                if wanted != self.configuration:
                    break
                await self._tick()
                await self._ended(wait=tick) if self._active else await asyncio.sleep(tick)
            await self._finish(stop)
        return wanted

    async def _tick(self) -> None:
        """One look at what is due. A state database that cannot answer is tried again at the next."""
        try:
            free = self.configuration.crawl.threads - len(self._active)
            for row in await asyncio.to_thread(self._claim, free, None):
                self._begin(row)
            if time.monotonic() >= self._next_late:  # not after each of many short visits
                self._next_late = time.monotonic() + self._pause
                await asyncio.to_thread(self._mark_late)
            absences.over("crawl")
        except Exception as error:
            if not absences.noticed(error, "crawl"):
                log.exception("the crawl cannot look for work")
            await asyncio.sleep(_TICK)

    async def _finish(self, stop: threading.Event) -> None:
        """Stopping ends visits early; a new configuration lets them end in peace, but for no longer than a while."""
        deadline = time.monotonic() + _LEASE_REAL
        while self._active and not stop.is_set() and time.monotonic() < deadline:
            await self._ended(wait=_TICK)
        if self._active:
            await self._visitor.stop()
            while self._active:
                await self._ended(wait=None)

    def _begin(self, row: SourceRow) -> None:
        self._hosts[row.id] = scheduling.host_of(row.url)
        self._active[row.id] = asyncio.create_task(self._visitor.visit(row), name=f"visit {row.id}")

    async def _ended(self, *, wait: float | None) -> list[VisitReport]:
        """Reports of the visits that have ended meanwhile."""
        done, _ = await asyncio.wait(self._active.values(), timeout=wait, return_when=asyncio.FIRST_COMPLETED)
        names = [name for name, task in self._active.items() if task in done]
        tasks = [self._active.pop(name) for name in names]
        reports = []
        for name, task in zip(names, tasks, strict=True):
            error = task.exception()
            if error is None:
                reports.append(task.result())
            else:
                if not absences.noticed(error, "crawl"):
                    log.error("visit failed", source=name, reason=repr(error), exc_info=error)
                reports.append(await asyncio.to_thread(self._given_up, name, error))
        return reports

    def _claim(self, limit: int, only: Collection[str] | None) -> list[SourceRow]:
        if limit <= 0:
            return []
        with self._state.begin(by_rows=True) as connection:
            now = self._clock.now()
            # A visit that has been written down is in hand until its report is taken. It may be due again by then;
            # claimed now, it would be locked away, unvisited, for the length of a lease.
            rows = scheduling.claim(
                connection,
                self.worker,
                now,
                self._lease,
                limit=limit,
                only=only,
                without=list(self._active),
                busy=[self._hosts[name] for name in self._active],
                per_host=self._per_host,
            )
        return [row for row in rows if row.id in self.configuration.sources]

    def _given_up(self, name: str, error: BaseException) -> VisitReport:
        """Free a source whose visit could not be written down. Never raises: else the lease ends by itself."""
        reason = f"the visit could not be written down: {said(error)}"
        state = SourceState.BLIND
        try:
            with self._state.begin(by_rows=True) as connection:
                scheduling.release(connection, self.worker, name)
                scheduling.postpone(connection, name, self._clock.now() + timedelta(minutes=1))
                state = note_trouble(connection, name, reason)
        except Exception as trouble:
            if not absences.noticed(trouble, "crawl"):
                log.error("the source could not be freed", source=name, reason=repr(trouble))
        answer = Answer.ERROR
        return VisitReport(
            source=name, state=state, complete=False, items=0, fetches=0, answer=answer, reason=reason, applied=False
        )

    def _mark_late(self) -> None:
        with self._state.begin(by_rows=True) as connection:
            for name in mark_late(connection, self._clock.now()):
                log.warning("source is late", source=name)

    def _loaded(self, load: Callable[[], Configuration]) -> Configuration:
        try:
            return load()
        except Exception as error:
            log.error("the configuration cannot be read, the last good one stays in force", reason=str(error))
            return self.configuration

    @asynccontextmanager
    async def _heartbeat(self) -> AsyncIterator[None]:
        """Renew the leases of running visits as long as this process lives; in the end no host is held any more."""
        task = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            task.cancel()
            await self._pacer.depart()

    async def _beat(self) -> None:
        """In a thread of its own: the common ones may all wait, for names to be resolved or a store to answer."""
        own, loop = ThreadPoolExecutor(1, "heartbeat"), asyncio.get_running_loop()
        try:
            while True:
                await asyncio.sleep(self._clock.real(self._lease.total_seconds()) / 4)
                if self._active:
                    try:
                        await loop.run_in_executor(own, self._renew, list(self._active))
                    except Exception as error:
                        if not absences.noticed(error, "crawl"):
                            log.exception("leases could not be renewed")
        finally:
            own.shutdown(wait=False)

    def _renew(self, names: list[str]) -> None:
        with self._state.begin(by_rows=True) as connection:
            scheduling.renew(connection, self.worker, names, self._clock.now() + self._lease)


def build(configuration: Configuration, state: State, folder: Path, clock: Clock) -> Pipeline:
    """The real pipeline of a data folder."""
    from pipeline.build import build_pipeline
    from pipeline.erasure import erased_in
    from pipeline.store.opening import open_store

    table, retention = configuration.store, configuration.retention.mentions
    store = open_store(folder, table, clock=clock, retention=retention, erased=erased_in(state))
    return build_pipeline(configuration, store, state, folder=folder, clock=clock)


def _registered() -> Spiders:
    from crawlers.registry import spiders

    return spiders()
