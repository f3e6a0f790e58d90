"""``sturmwarte contacts``: daily counts of customers' calls and letters, as a denominator."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from sturmwarte.commands.shared import (
    WRONG,
    ByOption,
    ConfigOption,
    JsonOption,
    Refused,
    desk,
    guarded,
    leave,
    note,
    person,
    plain,
    print_json,
    print_table,
)

contacts = typer.Typer(help="help.contacts", no_args_is_help=True)


@contacts.command("list")
@guarded
def listed(
    brand: Annotated[str | None, typer.Option("--brand", help="option.contacts_brand")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.contacts_list"""
    from pipeline.contacts import days

    here = desk(config, needed=True)
    with here.store() as store, here.state() as state, state.read() as connection:
        found = days(connection, store, here.configuration.timezone, brand=brand)
    if as_json:
        print_json({"days": plain(found)})
    elif found:
        heads = [here.say(f"contacts.{name}") for name in ("day", "brand", "total", "negative", "ratio")]
        print_table(
            heads,
            [
                (
                    day.day.isoformat(),
                    here.configuration.brand_name(day.brand),
                    here.speech.number(day.total),
                    here.speech.number(day.negative),
                    "–" if day.per_thousand is None else here.speech.number(day.per_thousand),
                )
                for day in found
            ],
        )
    else:
        note(here.say("contacts.none"))


@contacts.command("import")
@guarded
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="option.contacts_file")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="option.import_dry_run")] = False,
    by: ByOption = None,
    config: ConfigOption = None,
) -> None:
    """help.contacts_import"""
    from pipeline.contacts import parse_contacts, record

    here = desk(config, needed=True)
    if not file.is_file():
        raise Refused("no_such_file", file=str(file))
    good, bad = [], 0
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as opened:
        header = opened.readline()
        delimiter = max(",;\t", key=header.count)
        names = [name.strip().lower() for name in header.strip().split(delimiter)]
        for number, cells in enumerate(csv.reader(opened, delimiter=delimiter), 2):
            if not cells:
                continue
            try:
                good.append(parse_contacts(dict(zip(names, cells, strict=False)), list(here.configuration.brands)))
            except ValueError as error:
                bad += 1
                note(f"{file}:{number}: {error}")
    if not dry_run:
        with here.state() as state, state.begin() as connection:
            record(connection, good, person(by), here.clock.now())
    typer.echo(here.say("contacts.tried" if dry_run else "contacts.done", n=len(good), bad=bad))
    if bad:
        leave(WRONG)
