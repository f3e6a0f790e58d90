"""``sturmwarte run``, ``crawl``, ``watch``, ``serve`` and ``demo``: the service, its parts, the demonstration."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sturmwarte.commands.shared import (
    WRONG,
    ConfigOption,
    Desk,
    JsonOption,
    Refused,
    desk,
    guarded,
    leave,
    note,
    one_of,
    plain,
    print_json,
    print_table,
)
from sturmwarte.speech import speech_for

LARGEST_PORT = 65_535

if TYPE_CHECKING:
    from crawlers.ledger import VisitReport


@guarded
def run(config: ConfigOption = None) -> None:
    """help.run"""
    _run(desk(config, needed=True), None)


@guarded
def watch(config: ConfigOption = None) -> None:
    """help.watch"""
    _run(desk(config, needed=True), "watch")


@guarded
def serve(config: ConfigOption = None) -> None:
    """help.serve"""
    _run(desk(config, needed=True), "serve")


def _run(here: Desk, part: str | None) -> None:
    """The whole service, or one part of it that others run beside."""
    from sturmwarte.service import PARTS
    from sturmwarte.service import run as run_service

    assert here.file is not None
    run_service(here.file, parts=(part,) if part else PARTS, started=lambda: _announce(here, part))


def _announce(here: Desk, part: str | None) -> None:
    web = here.configuration.web
    if part in (None, "serve"):
        note(here.say("run.started", url=f"http://{web.host}:{web.port}/", folder=str(here.folder)))
    else:
        note(here.say("run.part_started", part=part, folder=str(here.folder)))
    if part in (None, "crawl") and not here.configuration.contact:
        note(here.speech.say("finding.no_contact"))


@guarded
def crawl(
    sources: Annotated[list[str] | None, typer.Argument(metavar="[SOURCE]…", help="option.crawl_sources")] = None,
    forever: Annotated[bool, typer.Option("--forever", help="option.forever")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.crawl"""
    from crawlers.service import crawl_once
    from sturmwarte import logs

    here = desk(config, needed=True)
    if forever:
        if sources or as_json:
            raise Refused("forever_alone")
        _run(here, "crawl")
        return
    if not here.configuration.contact:
        raise Refused("no_contact")
    for source in sources or []:
        one_of(source, list(here.configuration.sources), "unknown_source")
    logs.configure(logging.WARNING, part="crawl")
    reports = crawl_once(here.configuration, here.folder, here.clock, sources or None)
    _report(here, reports, as_json)


def _report(here: Desk, reports: Sequence[VisitReport], as_json: bool) -> None:
    if as_json:
        print_json({"visits": plain(reports)})
    elif reports:
        names = ("source", "state", "items", "requests", "reason")
        print_table([here.say(f"crawl.{name}") for name in names], [_cells(here, report) for report in reports])
    else:
        note(here.say("crawl.nothing"))
    if not all(report.complete for report in reports):
        leave(WRONG)


def _cells(here: Desk, report: VisitReport) -> tuple[object, ...]:
    name = here.configuration.source_name(report.source)
    return name, here.speech.say(f"state.{report.state.value}"), report.items, report.fetches, report.reason


@guarded
def demo(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="option.port")] = 8640,
    servers: Annotated[Path | None, typer.Option("--servers", metavar="FILE", help="option.servers")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, max=20, help="option.workers")] = None,
) -> None:
    """help.demo"""
    from sturmwarte.demo.run import main as run_demo
    from sturmwarte.demo.servers import NoServers

    if workers is not None and servers is None:
        raise Refused("demo.workers_need_servers")
    speech, workers = speech_for(), workers or (1 if servers is None else 2)
    _require_ports(range(port, port + workers))
    note(speech.say("command.demo.started"))
    try:
        run_demo(
            port=port,
            say=lambda what, **values: note(speech.say(f"command.demo.{what}", **values)),
            servers=servers,
            workers=workers,
        )
    except NoServers as error:
        raise Refused("demo.no_servers", file=str(error)) from error


def _require_ports(ports: range) -> None:
    """Raises Refused where the pages of the demonstration cannot be shown there."""
    from sturmwarte.addresses import AddressUnusable, require_address

    if ports[-1] > LARGEST_PORT:
        raise Refused("demo.ports_end", n=len(ports), last=str(LARGEST_PORT - len(ports) + 1))
    for port in ports:
        try:
            require_address("127.0.0.1", port)
        except AddressUnusable:
            raise Refused("demo.port_taken", port=str(port)) from None
