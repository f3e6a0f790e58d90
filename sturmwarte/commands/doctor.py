"""``sturmwarte doctor``: is everything in order, and if not, what."""

from __future__ import annotations

from typing import Any

import typer

from pipeline.reasons import in_words
from sturmwarte.commands.shared import WRONG, ConfigOption, Desk, JsonOption, desk, guarded, leave, print_json


@guarded
def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """help.doctor"""
    from pipeline.state.opening import open_state
    from pipeline.store.opening import open_store
    from sturmwarte.doctor import Patient, examine

    here = desk(config)
    patient = Patient(here.configuration, here.folder, here.clock, _warnings(here))
    table = here.configuration.store
    checks = [
        (check.name, check.good, _said(here, check.phrase, check.values), check.values)
        for check in examine(
            patient,
            lambda: open_state(here.folder, here.configuration.state),
            lambda: open_store(here.folder, table, clock=here.clock, read_only=True),
        )
    ]
    good = all(fine for _, fine, _, _ in checks)
    if as_json:
        rows = [{"name": name, "good": fine, "text": text, **_data(data)} for name, fine, text, data in checks]
        print_json({"good": good, "checks": rows})
    else:
        _show(here, checks)
    if not good:
        leave(WRONG)


def _warnings(here: Desk) -> tuple[Any, ...]:
    from pipeline.toml import examine
    from sturmwarte.registry import build_registry

    return examine(here.file, build_registry()).warnings if here.file else ()


def _said(here: Desk, phrase: str, values: dict[str, Any]) -> str:
    if phrase == "finding":
        return str(values["text"].text(here.speech))
    shown = dict(values)
    if "state" in shown:
        shown["state"] = here.speech.say(f"state.{shown['state']}")
    if "reason" in shown:
        shown["reason"] = in_words(shown["reason"], here.speech)
    if "states" in shown:
        shown["states"] = ", ".join(f"{n} {here.speech.say(f'state.{state}')}" for state, n in shown["states"].items())
    if "rules" in shown:
        shown["rules"] = ", ".join(f"{rule} {n}" for rule, n in shown["rules"].items())
    return here.say(f"doctor.{phrase}", **shown)


def _data(values: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a check; its name and text are said already."""
    return {"values": {key: value for key, value in values.items() if key not in ("text",)}}


def _show(here: Desk, checks: list[tuple[str, bool, str, dict[str, Any]]]) -> None:
    for name, fine, text, _ in checks:
        mark = typer.style("✓", fg="green") if fine else typer.style("✗", fg="red", bold=True)
        typer.echo(f"{'·' if name == 'note' else mark} {text}")
    bad = sum(not fine for _, fine, _, _ in checks)
    typer.echo(here.say("doctor.findings", n=bad) if bad else here.say("doctor.well"))
