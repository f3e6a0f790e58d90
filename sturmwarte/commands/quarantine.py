"""``sturmwarte quarantine``: what could not be processed or stored, and trying it again."""

from __future__ import annotations

from contextlib import ExitStack

import typer

from sturmwarte.commands.shared import (
    WRONG,
    ConfigOption,
    Desk,
    JsonOption,
    desk,
    guarded,
    leave,
    note,
    print_json,
    print_table,
    progress,
)

REASON = 90
"""Characters of a reason in the table."""

quarantine = typer.Typer(help="help.quarantine", no_args_is_help=False, invoke_without_command=True)


@quarantine.callback()
@guarded
def overview(context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """help.quarantine"""
    if context.invoked_subcommand is None:
        _list(desk(config), as_json)


def _list(here: Desk, as_json: bool) -> None:
    from pipeline.quarantine import entries
    from pipeline.spool import Spool

    found = list(entries(Spool(here.folder / "spool")))
    if as_json:
        names = ("at", "reason", "uid", "source", "url")
        print_json({"entries": [{name: getattr(entry, name) for name in names} for entry in found]})
    elif not found:
        typer.echo(here.say("quarantine.empty"))
    else:
        head = [here.say(f"quarantine.{name}") for name in ("at", "source", "uid", "reason")]
        rows = [(here.speech.day_time(e.at), e.source or "–", e.uid or "–", e.reason[:REASON]) for e in found]
        print_table(head, rows)


@quarantine.command()
@guarded
def retry(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """help.quarantine_retry"""
    from pipeline.build import build_pipeline
    from pipeline.quarantine import retry as again
    from pipeline.spool import Spool

    here = desk(config, needed=True)
    _, waiting = Spool(here.folder / "spool").sizes()
    with ExitStack() as stack:
        store, state = stack.enter_context(here.store()), stack.enter_context(here.state())
        pipeline = build_pipeline(here.configuration, store, state, folder=here.folder, clock=here.clock)
        step = stack.enter_context(progress(here.say("quarantine.trying"), waiting))
        told = again(pipeline, tried=step)
    if as_json:
        left = [{"uid": entry.uid, "at": entry.at, "reason": reason} for entry, reason in told.left]
        print_json({"stored": told.stored, "unchanged": told.unchanged, "ignored": told.ignored, "left": left})
    else:
        counts = {"stored": told.stored, "unchanged": told.unchanged, "ignored": told.ignored}
        typer.echo(here.say("quarantine.tried", left=len(told.left), **counts))
        for entry, reason in told.left:
            note(f"{entry.uid or '–'}: {reason}")
    if told.left:
        leave(WRONG)
