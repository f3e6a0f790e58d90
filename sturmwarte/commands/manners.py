"""``sturmwarte sources show | block | unblock | blocked``: how a source is dealt with; whom we leave alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.reasons import in_words
from sturmwarte.commands.shared import (
    ByOption,
    ConfigOption,
    Desk,
    JsonOption,
    Refused,
    desk,
    guarded,
    note,
    one_of,
    person,
    plain,
    print_json,
    print_table,
)
from sturmwarte.commands.sources import SourceArgument

if TYPE_CHECKING:
    from datetime import datetime

FETCHES = 10
DomainArgument = Annotated[str, typer.Argument(metavar="DOMAIN", help="option.domain")]


@guarded
def show(source: SourceArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """help.sources_show"""
    from crawlers.facts import facts
    from pipeline.state.sources import list_sources, recent_fetches

    here = desk(config)
    with here.state() as state, state.read() as connection:
        rows = {row.id: row for row in list_sources(connection)}
        row = rows[one_of(source, list(rows), "unknown_source")]
        found = facts(connection, row, here.configuration.sources.get(row.id), here.clock.now())
        fetches = recent_fetches(connection, row.id, FETCHES)
    if as_json:
        print_json(plain(row) | plain(found) | {"fetches": plain(fetches)})
        return
    print_table(("", ""), [(here.say(f"manners.{name}"), text) for name, text in _lines(here, row, found)])
    cells = [(_time(here, f.at), f.answer, f.status or "–", in_words(f.reason, here.speech), f.url) for f in fetches]
    print_table([here.say(f"manners.{name}") for name in ("at", "answer", "status", "reason", "url")], cells)


@guarded
def block(
    domain: DomainArgument,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="option.block_reason")],
    by: ByOption = None,
    config: ConfigOption = None,
) -> None:
    """help.sources_block"""
    from pipeline.state import blocking

    here = desk(config, needed=True)
    name = _domain(domain)
    who, now = person(by), here.clock.now()
    with here.state() as state, state.begin() as connection:
        blocking.block(connection, name, " ".join(reason.split()), who, now)
        _audit(connection, now, who, "domain blocked", {"domain": name, "reason": reason})
    typer.echo(here.say("manners.blocked", domain=name))


@guarded
def unblock(domain: DomainArgument, by: ByOption = None, config: ConfigOption = None) -> None:
    """help.sources_unblock"""
    from pipeline.state import blocking

    here = desk(config, needed=True)
    name = _domain(domain)
    who, now = person(by), here.clock.now()
    with here.state() as state, state.begin() as connection:
        if not blocking.unblock(connection, name):
            raise Refused("manners.not_blocked", domain=name)
        _audit(connection, now, who, "domain unblocked", {"domain": name})
    typer.echo(here.say("manners.unblocked", domain=name))


@guarded
def blocked(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """help.sources_blocked"""
    from pipeline.state import blocking

    here = desk(config)
    with here.state() as state, state.read() as connection:
        rows = blocking.blocked(connection)
    if as_json:
        print_json({"blocked": plain(rows)})
    elif rows:
        names = [here.say(f"manners.{name}") for name in ("domain", "by", "at", "reason")]
        print_table(names, [(row.domain, row.by, _time(here, row.at), row.reason) for row in rows])
    else:
        note(here.say("manners.none_blocked"))


def _lines(here: Desk, row: Any, found: dict[str, Any]) -> list[tuple[str, str]]:
    """What is said of one source, line by line."""
    from datetime import timedelta

    state = here.speech.say(f"state.{row.state}")
    lines = [("state", f"{state} ({in_words(row.reason, here.speech)})" if row.reason else state)]
    every = here.speech.span(timedelta(seconds=found["every"]))
    lines.append(("pace", f"{every} ({found['pace_reason']})"))
    for name in ("robots", "tdm"):
        at = found[name]["at"]
        lines.append((name, found[name]["decision"] + (f", {_time(here, at)}" if at else "")))
    if found["blocked"]:
        lines.append(("block", f"{found['blocked']['domain']}: {found['blocked']['reason']}"))
    if found["quota"]:
        lines.append(("quota", f"{found['quota']['used']} / {found['quota']['limit']}"))
    lines += [(name, found[name]) for name in ("may_answer", "disclosure", "etiquette") if found[name]]
    lines += [("removal", f"{_time(here, one['at'])}: {one['url'] or one['uid']}") for one in found["removals"]]
    return lines


def _domain(text: str) -> str:
    from pipeline.state.blocking import plain as plain_domain

    try:
        return plain_domain(text)
    except ValueError:
        raise Refused("manners.bad_domain", text=text) from None


def _audit(connection: Any, now: datetime, who: str, what: str, details: dict[str, str]) -> None:
    import sqlalchemy as sa

    from pipeline.state.tables import audit

    connection.execute(sa.insert(audit).values(at=now, who=who, what=what, details=details))


def _time(here: Desk, at: datetime) -> str:
    return here.speech.day_time(at)


def add_to(sources: typer.Typer) -> typer.Typer:
    """The group with these words."""
    for word in (show, block, unblock, blocked):
        sources.command(word.__name__)(word)
    return sources
