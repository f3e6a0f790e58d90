"""``sturmwarte check``: everything that is wrong or doubtful about a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sturmwarte.commands.shared import (
    FILE,
    USAGE,
    WRONG,
    ConfigOption,
    JsonOption,
    find_file,
    guarded,
    leave,
    note,
    print_json,
)
from sturmwarte.speech import speech_for


@guarded
def check(
    config: ConfigOption = None,
    as_json: JsonOption = False,
    strict: Annotated[bool, typer.Option("--strict", help="option.strict")] = False,
) -> None:
    """help.check"""
    from pipeline.toml import ConfigurationError, Finding, examine
    from sturmwarte.registry import build_registry

    path, speech = find_file(config) or Path(FILE), speech_for()
    warnings: tuple[Finding, ...] = ()
    errors: tuple[Finding, ...] = ()
    try:
        examined = examine(path, build_registry())
        warnings, speech = examined.warnings, speech_for(examined.configuration)
    except ConfigurationError as error:
        errors = error.findings
    if as_json:
        found = [finding.document(speech) for finding in (*errors, *warnings)]
        print_json({"file": str(path), "valid": not errors, "findings": found})
    else:
        for finding in (*errors, *warnings):
            note(finding.text(speech))
        if not errors:
            typer.echo(speech.say("command.check.good", file=str(path), n=len(warnings)))
    if errors:
        leave(USAGE)
    if warnings and strict:
        leave(WRONG)
