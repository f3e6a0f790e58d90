"""``sturmwarte backup``, ``restore`` and ``upgrade``: care of the data folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sturmwarte.commands.shared import (
    ConfigOption,
    Desk,
    JsonOption,
    Refused,
    desk,
    guarded,
    note,
    print_json,
    progress,
)

PARTS = 6


@guarded
def backup(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="option.backup_file")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.backup"""
    from pipeline.maintenance import backup as copy

    here = desk(config)
    target = file or Path(f"sturmwarte-{here.clock.now():%Y%m%d-%H%M%S}.tar")
    with progress(here.say("care.copying"), PARTS) as step:
        copy(
            here.folder,
            target.absolute(),
            clock=here.clock,
            progress=lambda part: step(1),
            table=here.configuration.state,
            store=here.configuration.store,
        )
    size = target.stat().st_size
    if as_json:
        print_json({"file": str(target), "bytes": size})
    else:
        typer.echo(here.say("care.saved", file=str(target), size=size // 1024 + 1))


@guarded
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="option.restore_file")],
    force: Annotated[bool, typer.Option("--force", help="option.force_restore")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.restore"""
    from pipeline.maintenance import restore as put_back

    here = desk(config)
    _nobody_works(here)
    if not file.is_file():
        raise Refused("no_such_file", file=str(file))
    told = here.configuration
    put_back(file, here.folder, clock=here.clock, force=force, table=told.state, store=told.store)
    if as_json:
        print_json({"folder": str(here.folder)})
    else:
        typer.echo(here.say("care.restored", folder=str(here.folder)))


@guarded
def upgrade(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """help.upgrade"""
    from pipeline.maintenance import upgrade as bring_up

    here = desk(config)
    _nobody_works(here)
    done = bring_up(here.folder, clock=here.clock, progress=lambda part: note(part), table=here.configuration.state)
    if as_json:
        print_json({"done": done})
    else:
        typer.echo("\n".join(done) or here.say("care.current"))


def _nobody_works(here: Desk) -> None:
    """Refuse while the service runs: it holds the files open."""
    from sturmwarte.lock import running_service

    pid = running_service(here.folder)
    if pid is not None:
        raise Refused("care.service_runs", pid=str(pid or "?"))
