"""``sturmwarte dashboards``: what Kibana needs to know of our indices, as files for its import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sturmwarte.commands.shared import ConfigOption, Refused, desk, guarded, note

dashboards = typer.Typer(help="help.dashboards", no_args_is_help=True)
export = typer.Typer(help="help.dashboards_export", no_args_is_help=True)
dashboards.add_typer(export, name="export")


@export.command()
@guarded
def kibana(
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="option.out")] = None,
    config: ConfigOption = None,
) -> None:
    """help.dashboards_export_kibana"""
    from dashboards.kibana.objects import VIEWS, ndjson

    if out is not None and out.exists():
        raise Refused("exists", file=str(out))
    here = desk(config)
    text = ndjson(here.configuration)
    if out is None:
        typer.echo(text, nl=False)
        return
    part = out.with_name(f"{out.name}.part")
    part.write_text(text, "utf-8")
    part.replace(out)
    note(here.say("dashboards.exported", n=len(VIEWS), file=str(out)))
