"""``sturmwarte state``: moving sources, incidents and messages between the data folder and PostgreSQL."""

from __future__ import annotations

from contextlib import closing
from enum import StrEnum
from typing import Annotated

import typer

from sturmwarte.commands.shared import (
    ConfigOption,
    Desk,
    JsonOption,
    Refused,
    desk,
    guarded,
    plain,
    print_json,
    print_table,
    progress,
)

state = typer.Typer(help="help.state", no_args_is_help=True)


class Engine(StrEnum):
    """Where to."""

    POSTGRESQL = "postgresql"
    SQLITE = "sqlite"


@state.callback()
def _group() -> None:
    """help.state"""


@state.command()
@guarded
def copy(
    to: Annotated[Engine, typer.Option("--to", help="option.state_to")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.state_copy"""
    from pipeline.state.copying import copy_state, rows_in
    from pipeline.state.opening import connect_state, place_of
    from pipeline.state.place import on_server

    here = desk(config, needed=True)
    if not on_server(here.configuration.state):
        raise Refused("state.no_server")
    _nobody_works(here)
    file = here.folder / "state.db"
    if to is Engine.POSTGRESQL and not file.exists():
        raise Refused("state.no_file", file=str(file))
    here.folder.mkdir(parents=True, exist_ok=True)
    with (
        closing(connect_state(here.folder)) as local,
        closing(connect_state(here.folder, here.configuration.state)) as server,
    ):
        source, target = (local, server) if to is Engine.POSTGRESQL else (server, local)
        with progress(here.say("state.copying"), rows_in(source)) as step:
            done = copy_state(source, target, step)
        names = {"source": place_of(source), "target": place_of(target)}
    if as_json:
        print_json({**names, "tables": plain(done)})
        return
    head = [here.say(f"state.{name}") for name in ("table", "rows", "checksum")]
    print_table(head, [(one.table, one.rows, one.checksum) for one in done])
    typer.echo(here.say("state.copied", rows=sum(one.rows for one in done), **names))


def _nobody_works(here: Desk) -> None:
    """Refuse while processes run on either database: what they write meanwhile would be lost."""
    from sturmwarte.lock import running_service

    pid = running_service(here.folder)
    if pid is not None:
        raise Refused("care.service_runs", pid=str(pid or "?"))
    nobody_watches(here)
    _nobody_crawls(here)


def nobody_watches(here: Desk) -> None:
    """Refuse while watchers, on whatever machine, hold leases in the state database on a server."""
    from pipeline.state import leases
    from pipeline.state.opening import HEAD, connect_state, version_of

    with closing(connect_state(here.folder, here.configuration.state)) as server:
        if version_of(server) != HEAD:
            return
        with server.read() as connection:
            watching = leases.holders(connection, "brand worker", here.clock.now())
    if watching:
        raise Refused("state.watched", workers=", ".join(watching))


def _nobody_crawls(here: Desk) -> None:
    """Refuse while crawlers, on whatever machine, visit sources: what they find out would be lost."""
    import sqlalchemy as sa

    from pipeline.state.opening import HEAD, connect_state, version_of
    from pipeline.state.tables import source

    with closing(connect_state(here.folder, here.configuration.state)) as server:
        if version_of(server) != HEAD:
            return
        with server.read() as connection:
            visited = sa.select(source.c.worker).where(source.c.leased_until > here.clock.now()).distinct()
            crawling = sorted(worker for worker in connection.scalars(visited) if worker)
    if crawling:
        raise Refused("state.watched", workers=", ".join(crawling))
