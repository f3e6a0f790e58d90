"""``sturmwarte sources``: how each source stands; pausing, resuming, visiting now."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.reasons import in_words
from sturmwarte.commands.adding import Wanted, look_for, show, write
from sturmwarte.commands.shared import (
    WRONG,
    ByOption,
    ConfigOption,
    Desk,
    JsonOption,
    Refused,
    desk,
    guarded,
    leave,
    note,
    one_of,
    person,
    plain,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    import sqlalchemy as sa

    from sturmwarte.suggest import Suggestion

LOOKED_THROUGH = 20_000
"""Latest mentions in which places are looked for."""
SourceArgument = Annotated[str, typer.Argument(metavar="SOURCE", help="option.source")]

sources = typer.Typer(help="help.sources", no_args_is_help=False, invoke_without_command=True)


@sources.callback()
@guarded
def overview(context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """help.sources"""
    if context.invoked_subcommand is None:
        _list(desk(config), as_json)


@sources.command("list")
@guarded
def listed(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """help.sources_list"""
    _list(desk(config), as_json)


@sources.command()
@guarded
def pause(source: SourceArgument, by: ByOption = None, config: ConfigOption = None) -> None:
    """help.sources_pause"""
    _set_paused(desk(config, needed=True), source, person(by), paused=True)


@sources.command()
@guarded
def resume(source: SourceArgument, by: ByOption = None, config: ConfigOption = None) -> None:
    """help.sources_resume"""
    _set_paused(desk(config, needed=True), source, person(by), paused=False)


@sources.command()
@guarded
def now(source: SourceArgument, by: ByOption = None, config: ConfigOption = None) -> None:
    """help.sources_now"""
    from pipeline.state.sources import make_due

    _change(desk(config, needed=True), source, person(by), "due_now", lambda conn, at: make_due(conn, source, at))


@sources.command()
@guarded
def add(
    url: Annotated[str, typer.Argument(metavar="URL", help="option.add_url")],
    spider: Annotated[str | None, typer.Option("--spider", metavar="NAME", help="option.add_spider")] = None,
    name: Annotated[str | None, typer.Option("--id", metavar="ID", help="option.add_id")] = None,
    about: Annotated[str | None, typer.Option("--about", metavar="BRAND", help="option.add_about")] = None,
    settings: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="option.add_set")] = None,
    preview: Annotated[bool, typer.Option("--preview/--no-preview", help="option.init_preview")] = True,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="option.add_yes")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.sources_add"""
    here = desk(config, needed=True)
    wanted = Wanted(url, spider, name, about, _pairs(settings or []), preview=preview)
    found = look_for(here, wanted)
    if not as_json:
        show(here, found)
    if not found.spider:
        raise Refused("sources.unreadable", code=WRONG, url=url, why=found.problem)
    if not (yes or as_json) and sys.stdin.isatty() and not typer.confirm(here.say("sources.add_it"), default=True):
        leave(WRONG)
    written = write(here, wanted, found)
    if as_json:
        print_json({"source": written, "spider": found.spider, "url": found.url, "items": list(found.items)})
    else:
        typer.echo(here.say("sources.added", source=written, file=str(here.file)))


def _pairs(texts: list[str]) -> dict[str, Any]:
    """``KEY=VALUE`` as a table would have it: numbers, true and false, lists, else a text."""
    import tomllib

    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise Refused("sources.bad_set", text=text)
        try:
            found[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            found[key.strip()] = value
    return found


@sources.command()
@guarded
def suggest(
    brand: Annotated[str, typer.Argument(metavar="BRAND", help="option.suggest_brand")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=50, help="option.suggest_limit")] = 10,
    offline: Annotated[bool, typer.Option("--offline", help="option.suggest_offline")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.sources_suggest"""
    from dataclasses import asdict

    here = desk(config, needed=True)
    one_of(brand, list(here.configuration.brands), "unknown_brand")
    found = _suggested(here, brand, limit, offline)
    if as_json:
        print_json({"suggestions": [asdict(one) | {"lines": one.lines} for one in found]})
    elif found:
        names = ("place", "results", "mentions", "reads", "items")
        rows = [
            (one.domain, str(one.results), str(one.mentions), one.spider or one.problem or "–", str(one.items))
            for one in found
        ]
        print_table([here.say(f"sources.suggest.{name}") for name in names], rows)
        typer.echo("\n" + "\n".join(one.lines for one in found if one.lines))
    else:
        note(here.say("sources.suggest.none"))


def _suggested(here: Desk, brand: str, limit: int, offline: bool) -> list[Suggestion]:
    from itertools import islice

    from pipeline.query.tree import OneOpinion, Query
    from sturmwarte.preview import fetcher
    from sturmwarte.suggest import previewed, result_rows, suggestions

    with here.state() as state, here.store() as store, state.read() as connection:
        mentions = islice(store.scan(Query(OneOpinion((("brand", (brand,)),)))), LOOKED_THROUGH)
        found = suggestions(here.configuration, brand, result_rows(connection), mentions)[:limit]
    if offline:
        return found
    configuration = here.configuration
    fetch = fetcher(configuration.contact, configuration.crawl.allow_private)
    now, zone = here.clock.now(), configuration.timezone
    return [previewed(one, fetch, now, zone) for one in found]


def _set_paused(here: Desk, source: str, who: str, *, paused: bool) -> None:
    from pipeline.state.sources import set_paused

    what = "paused" if paused else "resumed"
    _change(here, source, who, what, lambda conn, at: set_paused(conn, source, paused, at, by=who))


def _change(here: Desk, source: str, who: str, what: str, change: Any) -> None:
    """Change one source's row and record who did it."""
    import sqlalchemy as sa

    from pipeline.state.tables import audit

    one_of(source, list(here.configuration.sources), "unknown_source")
    moment = here.clock.now()
    with here.state() as state, state.begin() as connection:
        _sync(here, connection)
        change(connection, moment)
        details = {"source": source}
        connection.execute(sa.insert(audit).values(at=moment, who=who, what=f"source {what}", details=details))
    typer.echo(here.say(f"sources.{what}", source=here.configuration.source_name(source)))


def _sync(here: Desk, connection: sa.Connection) -> None:
    """Take over sources of the configuration that the service has not met yet; without one all stay as they are."""
    from crawlers.registry import spiders
    from pipeline.state.sources import sync

    if here.file is not None:
        defaults = {name: (spider.channel, spider.interval) for name, spider in spiders().items()}
        sync(connection, here.configuration, defaults, here.clock.now())


def _list(here: Desk, as_json: bool) -> None:
    from pipeline.state.sources import list_sources

    with here.state() as state:
        with state.begin() as connection:
            _sync(here, connection)
        with state.read() as connection:
            rows = [dict(plain(row)) for row in list_sources(connection)]
    if as_json:
        print_json({"sources": rows})
    elif rows:
        names = ("source", "state", "watermark", "answer", "due")
        print_table([here.say(f"sources.{name}") for name in names], [_cells(here, row) for row in rows])
    else:
        note(here.say("sources.none"))


def _cells(here: Desk, row: dict[str, Any]) -> tuple[str, ...]:
    from datetime import datetime

    def time(name: str) -> str:
        return here.speech.day_time(datetime.fromisoformat(row[name])) if row.get(name) else "–"

    state = here.speech.say(f"state.{row['state']}")
    if row.get("reason"):
        state += f" ({in_words(str(row['reason']), here.speech)})"
    name, answer = here.configuration.source_name(row["id"]), row.get("last_answer") or "–"
    return name, state, time("watermark"), answer, time("next_due")
