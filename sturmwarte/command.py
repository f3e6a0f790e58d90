"""The command line. Each word is a function in ``sturmwarte.commands``; here they are put under one roof."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import typer

from pipeline.i18n import Speech
from sturmwarte import logs
from sturmwarte.commands import (
    care,
    check,
    contacts,
    dashboards,
    doctor,
    erase,
    event,
    incidents,
    init,
    mail,
    manners,
    match,
    mentions,
    parse,
    quarantine,
    results,
    run,
    sources,
    state,
    store,
    tone,
    transfer,
)
from sturmwarte.speech import speech_for

COMMANDS: dict[str, Callable[..., None]] = {
    "init": init.init,
    "check": check.check,
    "run": run.run,
    "crawl": run.crawl,
    "watch": run.watch,
    "serve": run.serve,
    "parse": parse.parse,
    "match": match.match,
    "evaluate": tone.evaluate,
    "train": tone.train,
    "mentions": mentions.mentions,
    "incidents": incidents.incidents,
    "results": results.results,
    "ack": incidents.ack,
    "resolve": incidents.resolve,
    "doctor": doctor.doctor,
    "export": mentions.export,
    "import": transfer.import_,
    "erase": erase.erase,
    "backup": care.backup,
    "restore": care.restore,
    "upgrade": care.upgrade,
    "demo": run.demo,
}
GROUPS = {
    "silence": incidents.silence,
    "sources": event.add_to(manners.add_to(sources.sources)),
    "contacts": contacts.contacts,
    "mail": mail.mail,
    "state": state.state,
    "store": store.store,
    "quarantine": quarantine.quarantine,
    "dashboards": dashboards.dashboards,
}


def build(speech: Speech | None = None) -> Any:
    """The command tree, its help in the person's language unless another is given."""
    app = typer.Typer(help="help.sturmwarte", no_args_is_help=True, add_completion=False)
    app.callback(invoke_without_command=True)(_version)
    for name, command in COMMANDS.items():
        app.command(name)(command)
    for name, group in GROUPS.items():
        app.add_typer(group, name=name)
    tree: Any = typer.main.get_command(app)
    _translate(tree, speech or speech_for())
    return tree


def _version(
    context: typer.Context, version: bool = typer.Option(False, "--version", is_eager=True, help="option.version")
) -> None:
    """help.sturmwarte"""
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"Sturmwarte {installed('sturmwarte')}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _translate(command: Any, speech: Speech) -> None:
    """Help stands in the code as a key; here it becomes a sentence, everywhere below ``command``."""

    def sentence(text: str | None) -> str | None:
        return speech.say(f"command.{text}") if text and text.startswith(("help.", "option.")) else text

    def walk(node: Any) -> None:
        node.help = node.short_help = sentence(node.help)
        for parameter in node.params:
            parameter.help = sentence(getattr(parameter, "help", None))
        for below in getattr(node, "commands", {}).values():
            walk(below)

    walk(command)


def invoke(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code."""
    logs.configure()
    try:
        build()(list(arguments), prog_name="sturmwarte")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 1
    return 0


def main() -> None:
    """The entry point ``sturmwarte``."""
    sys.exit(invoke(sys.argv[1:]))
