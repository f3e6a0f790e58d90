"""``sturmwarte sources watch``: something is happening somewhere; look there every minute for a while, from now on."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.duration import parse_duration
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
    person,
    print_json,
)
from sturmwarte.preview import Preview

if TYPE_CHECKING:
    from pipeline.configuration import Source

TAGS = "mastodon"
"""The spider that reads what is said under a tag."""


@guarded
def watch(
    place: Annotated[str, typer.Argument(metavar="URL|#TAG|SOURCE", help="option.watch_place")],
    span: Annotated[str, typer.Option("--for", metavar="SPAN", help="option.watch_for")] = "48h",
    every: Annotated[str, typer.Option("--every", metavar="SPAN", help="option.watch_every")] = "1m",
    server: Annotated[str | None, typer.Option("--at", metavar="URL", help="option.watch_at")] = None,
    spider: Annotated[str | None, typer.Option("--spider", metavar="NAME", help="option.add_spider")] = None,
    about: Annotated[str | None, typer.Option("--about", metavar="BRAND", help="option.add_about")] = None,
    preview: Annotated[bool, typer.Option("--preview/--no-preview", help="option.init_preview")] = True,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.sources_watch"""
    here = desk(config, needed=True)
    lasts, pace = _span(span, "--for"), _span(every, "--every")
    name = _known(here, place) or _added(
        here, place, server, Wanted(place, spider, None, about, preview=preview), as_json
    )
    until = here.clock.now() + lasts
    _start(desk(config, needed=True), name, pace, until, person(by))
    if as_json:
        print_json({"source": name, "every_s": pace.total_seconds(), "until": until.isoformat()})
    else:
        typer.echo(here.say("sources.watched", source=name, every=pace, until=until))


def _span(text: str, option: str) -> timedelta:
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise Refused("bad_span", option=option, error=str(error)) from None
    if found <= timedelta(0):
        raise Refused("bad_span", option=option, error=text)
    return found


def _known(here: Desk, place: str) -> str | None:
    """Id of the source that is meant: by its id, its address, or a tag it reads."""
    from pipeline.identity import canonical_url

    def reads(name: str, entry: Source) -> bool:
        tag = place.removeprefix("#").casefold()
        tags = [str(one).casefold() for one in entry.options.get("tags", ())]
        same = canonical_url(entry.url) == canonical_url(place) and "://" in place
        return place == name or same or (place.startswith("#") and entry.spider == TAGS and tag in tags)

    return next((name for name, entry in here.configuration.sources.items() if reads(name, entry)), None)


def _added(here: Desk, place: str, server: str | None, wanted: Wanted, quiet: bool) -> str:
    """Write the source, then its id."""
    if place.startswith("#"):
        known = (entry.url for entry in here.configuration.sources.values() if entry.spider == TAGS)
        at = server or next(known, None)
        if at is None:
            raise Refused("sources.no_server", tag=place)
        tag = place.removeprefix("#")
        name = f"tag-{tag}".casefold()
        settings = {"tags": [tag]}
        return write(here, Wanted(at, TAGS, _id(here, name), wanted.about, settings, preview=False), Preview(at, TAGS))
    found = look_for(here, wanted)
    if not quiet:
        show(here, found)
    if not found.spider:
        raise Refused("sources.unreadable", code=WRONG, url=place, why=found.problem)
    return write(here, wanted, found)


def _id(here: Desk, name: str) -> str:
    from sturmwarte.initialise import identifier

    return identifier(name, list(here.configuration.sources))


def _start(here: Desk, name: str, every: timedelta, until: datetime, who: str) -> None:
    """Write down that the source is watched, and by whom it was asked for."""
    import sqlalchemy as sa

    from crawlers.registry import spiders
    from pipeline.state.sources import set_hot, sync
    from pipeline.state.tables import audit

    now = here.clock.now()
    defaults = {kind: (spider.channel, spider.interval) for kind, spider in spiders().items()}
    details = {"source": name, "every": every.total_seconds(), "until": until.isoformat()}
    with here.state() as state, state.begin() as connection:
        sync(connection, here.configuration, defaults, now)
        set_hot(connection, name, every, until)
        connection.execute(sa.insert(audit).values(at=now, who=who, what="source watched", details=details))


def add_to(group: typer.Typer) -> typer.Typer:
    """The group with this command."""
    group.command("watch")(watch)
    return group
