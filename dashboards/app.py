"""The application put together: pages, interface, metrics behind one guard. Pure composition."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from dashboards import failures, guard, health, metrics
from dashboards.access import Gate, Patience, signing_key
from dashboards.api import contacts as api_contacts
from dashboards.api import corrections as api_corrections
from dashboards.api import exports as api_exports
from dashboards.api import incidents as api_incidents
from dashboards.api import items as api_items
from dashboards.api import mentions as api_mentions
from dashboards.api import results as api_results
from dashboards.api import silences as api_silences
from dashboards.api import situation as api_situation
from dashboards.api import sources as api_sources
from dashboards.house import House
from dashboards.taking_in import TakingIn
from dashboards.web import (
    drawing,
    incidents,
    interface,
    mailbox,
    mention,
    mentions,
    results,
    sign_in,
    situation,
    sources,
)
from pipeline.clock import Clock
from pipeline.configuration import Configuration

PAGES = (
    situation,
    mentions,
    mention,
    incidents,
    sources,
    results,
    mailbox,
    drawing,
    sign_in,
    interface,
    health,
    metrics,
)
NOUNS = (
    api_situation,
    api_mentions,
    api_corrections,
    api_incidents,
    api_silences,
    api_sources,
    api_exports,
    api_items,
    api_contacts,
    api_results,
)


def create(configuration_loader: Callable[[], Configuration], folder: Path, clock: Clock) -> FastAPI:
    """The application over a data folder, whose databases may not be there yet.

    ``configuration_loader`` is called for every request, so that changes are taken over.
    """
    house = House(configuration_loader, folder, clock)
    taking_in = TakingIn(house)
    app = FastAPI(
        title="Sturmwarte",
        description="The numbers, mentions, incidents and sources of the pages, for programs.",
        version="1",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=closing(house, taking_in),
    )
    app.state.house, app.state.gate, app.state.patience = house, Gate(signing_key(folder)), Patience()
    app.state.taking_in = taking_in
    guard.install(app, configuration_loader, app.state.gate, app.state.patience, clock)
    failures.install(app)
    for room in (*NOUNS, *PAGES):
        app.include_router(room.router)
    app.mount("/static", StaticFiles(packages=[("dashboards.web", "static")]), name="static")
    return app


def closing(house: House, taking_in: TakingIn) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """The life of the application: at its end both databases are released."""

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        taking_in.close()
        house.close()

    return life
