"""``sturmwarte results``: ranked result lists, and what entered, left and moved in them."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from sturmwarte.commands.shared import (
    ConfigOption,
    Desk,
    JsonOption,
    desk,
    guarded,
    note,
    plain,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from pipeline.ranks import Comparison

QueryArgument = Annotated[str, typer.Argument(metavar="QUERY", help="option.results_query")]


@guarded
def results(query: QueryArgument = "", config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """help.results"""
    from pipeline.ranks import document

    here = desk(config)
    found = _rankings(here, query)
    if as_json:
        print_json({"results": [plain(document(one)) for one in found]})
        return
    if not found:
        note(here.speech.say("pages.results.none"))
    for one in found:
        _show(here, one)


def _rankings(here: Desk, query: str) -> list[Comparison]:
    from dashboards.house import House, NotReady
    from dashboards.rankings import rankings

    with closing(House(lambda: here.configuration, here.folder, here.clock)) as house:
        try:
            return rankings(house, query, here.clock.now())
        except NotReady:
            return []


def _show(here: Desk, one: Comparison) -> None:
    from pipeline.ranks import counts

    def say(key: str, **values: object) -> str:
        return here.speech.say(f"pages.results.{key}", **values)

    day_time, numbers = here.speech.day_time, counts(one)
    typer.echo(f"{one.query} · {here.configuration.source_name(one.source)}")
    if one.before is not None:
        typer.echo(say("compared", at=day_time(one.at), before=day_time(one.before)))
    else:
        typer.echo(say(one.reason, at=day_time(one.at), engines=", ".join(name for name, _ in one.unresponsive)))
    typer.echo(say("counts", **numbers))
    if one.before is not None:
        typer.echo(say("moves", **numbers))
    rows = [
        (
            str(place.position or "–"),
            (f"{place.before or '–'} ({say(place.change)})" if one.before is not None else "–"),
            say(place.standing),
            place.title,
            place.url,
        )
        for place in one.places
    ]
    print_table([say("rank"), say("before"), say("standing"), say("result"), "URL"], rows)
