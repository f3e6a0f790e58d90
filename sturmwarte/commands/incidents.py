"""``sturmwarte incidents``, ``ack``, ``resolve`` and ``silence``: what people do about incidents."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

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

if TYPE_CHECKING:
    from alerts.facts import Facts
    from alerts.incidents import Incident

NumberArgument = Annotated[str, typer.Argument(metavar="R-NUMBER", help="option.incident")]


def number_of(name: str) -> int:
    """127 of ``R-0127`` or ``127``. Raises Refused."""
    from alerts.incidents import UnknownIncident, incident_number

    try:
        return incident_number(name)
    except UnknownIncident:
        raise Refused("bad_incident", text=name) from None


@guarded
def incidents(
    number: Annotated[str | None, typer.Argument(metavar="[R-NUMBER]", help="option.incident_optional")] = None,
    every: Annotated[bool, typer.Option("--all", help="option.all_incidents")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.incidents"""
    from alerts.incidents import list_incidents

    here = desk(config)
    if number is not None:
        _one(here, number_of(number), as_json)
        return
    with here.state() as state, state.read() as connection:
        rows = [document(incident) for incident in list_incidents(connection, open_only=not every)]
    if as_json:
        print_json({"incidents": rows})
    elif rows:
        names = ("incident", "brand", "level", "state", "since")
        print_table([here.say(f"incidents.{name}") for name in names], [_cells(here, row) for row in rows])
    else:
        note(here.say("incidents.none"))


def document(incident: Incident) -> dict[str, Any]:
    """An incident as plain data, with the name people read."""
    return {"name": incident.name, **plain(incident)}


def _cells(here: Desk, row: dict[str, Any]) -> tuple[str, ...]:
    level = int(row["level"])
    return (
        row["name"],
        here.configuration.brand_name(row["brand"]),
        f"{level} {here.speech.say(f'level.{level}')}",
        here.say(f"incidents.states.{row['state']}"),
        here.speech.day_time(datetime.fromisoformat(row["started"])) if row.get("started") else "",
    )


def _one(here: Desk, number: int, as_json: bool) -> None:
    from alerts.incidents import events, get_incident, members

    with here.state() as state, state.read() as connection:
        found = get_incident(connection, number)
        happened = [dict(plain(event)) for event in events(connection, number)]
        uids = sorted(members(connection, number))
    row, numbers = document(found), _situation(here, found)
    if as_json:
        print_json({**row, "events": happened, "mentions": uids, "situation": plain(numbers) if numbers else None})
        return
    told = [_pair(key, row[key]) for key in row] + ([_persons(here, numbers)] if numbers else [])
    print_table([here.say(f"incidents.{name}") for name in ("field", "value")], told)
    note(here.say("incidents.mentions", n=len(uids)))


def _situation(here: Desk, incident: Incident) -> Facts | None:
    """The numbers of its brand, as page, interface and mail have them: now, or when it ended."""
    from alerts.situation import facts

    if incident.brand not in here.configuration.brands:
        return None
    at = here.clock.now() if incident.resolved is None else incident.updated
    with here.state() as state, here.store(read_only=True) as store:
        return facts(here.configuration, store, state, incident.brand, at)


def _persons(here: Desk, numbers: Facts) -> tuple[str, str]:
    """How many persons, with what is usual."""
    said = here.speech.number(numbers.persons)
    if numbers.persons_low is not None and numbers.persons_high is not None:
        usual = here.speech.say("mail.range", low=numbers.persons_low, high=numbers.persons_high)
        said = f"{said} ({here.say('incidents.usual', range=usual)})"
    return here.say("incidents.persons"), said


def _pair(key: str, value: object) -> tuple[str, str]:
    return key, "–" if value is None else str(value)


@guarded
def ack(number: NumberArgument, by: ByOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """help.ack"""
    from alerts.incidents import acknowledge

    here, who, n = desk(config), person(by), number_of(number)
    with here.state() as state:
        acknowledge(state, n, who, here.clock.now())
    _done(here, "incidents.acknowledged", n, who, as_json)


@guarded
def resolve(
    number: NumberArgument,
    false_alarm: Annotated[bool, typer.Option("--false-alarm", help="option.false_alarm")] = False,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.resolve"""
    from alerts.incidents import resolve as end

    here, who, n = desk(config), person(by), number_of(number)
    with here.state() as state:
        end(state, n, who, here.clock.now(), false_alarm)
    _done(here, "incidents.resolved", n, who, as_json)


def _done(here: Desk, phrase: str, number: int, who: str, as_json: bool) -> None:
    from alerts.incidents import incident_name

    if as_json:
        print_json({"incident": incident_name(number), "by": who})
    else:
        typer.echo(here.say(phrase, name=incident_name(number), who=who))


silence = typer.Typer(help="help.silence", no_args_is_help=False, invoke_without_command=True)


@silence.callback()
@guarded
def silences(context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """help.silence"""
    from alerts.silences import active

    if context.invoked_subcommand:
        return
    here = desk(config)
    with here.state() as state, state.read() as connection:
        rows = [dict(plain(row)) for row in active(connection, here.clock.now())]
    if as_json:
        print_json({"silences": rows})
    elif rows:
        names = ("id", "brand", "rule", "incident", "by", "reason", "ends")
        print_table(
            [here.say(f"silences.{name}") for name in names],
            [[_silence_cell(here, row, name) for name in names] for row in rows],
        )
    else:
        note(here.say("silences.none"))


def _silence_cell(here: Desk, row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None or value == "":
        return "–"
    if name == "incident":
        from alerts.incidents import incident_name

        return incident_name(int(value))
    return here.speech.day_time(datetime.fromisoformat(value)) if name == "ends" else str(value)


@silence.command("add")
@guarded
def silence_add(
    reason: Annotated[str, typer.Option("--reason", help="option.reason")],
    span: Annotated[str, typer.Option("--for", metavar="SPAN", help="option.span")] = "4h",
    brand: Annotated[str | None, typer.Option("--brand", help="option.silence_brand")] = None,
    rule: Annotated[str | None, typer.Option("--rule", help="option.silence_rule")] = None,
    incident: Annotated[str | None, typer.Option("--incident", help="option.silence_incident")] = None,
    by: ByOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.silence_add"""
    from alerts.incidents import get_incident
    from alerts.silences import add

    here, who, lasts = desk(config), person(by), _span(span)
    if not reason.strip():
        raise Refused("silences.no_reason")
    if brand is None and rule is None and incident is None:
        raise Refused("silences.everything")
    if brand is not None:
        one_of(brand, list(here.configuration.brands), "unknown_brand")
    if rule is not None:
        one_of(rule, list(here.configuration.rules), "unknown_rule")
    number = None if incident is None else number_of(incident)
    now = here.clock.now()
    with here.state() as state:
        if number is not None:
            with state.read() as connection:
                get_incident(connection, number)
        made = add(state, brand=brand, rule=rule, incident=number, by=who, reason=reason, ends=now + lasts, now=now)
    if as_json:
        print_json({"id": made, "ends": now + lasts, "by": who})
    else:
        typer.echo(here.say("silences.added", ends=now + lasts, who=who))


@silence.command("end")
@guarded
def silence_end(
    number: Annotated[int, typer.Argument(metavar="ID", help="option.silence_id")],
    by: ByOption = None,
    config: ConfigOption = None,
) -> None:
    """help.silence_end"""
    from alerts.silences import end

    here, who = desk(config), person(by)
    with here.state() as state:
        if not end(state, number, who, here.clock.now()):
            raise Refused("unknown_silence", number=str(number))
    typer.echo(here.say("silences.ended", who=who))


def _span(text: str) -> timedelta:
    from pipeline.duration import parse_duration

    try:
        span = parse_duration(text)
    except ValueError as error:
        raise Refused("bad_span", option="--for", error=str(error)) from None
    if not timedelta() < span < timedelta(days=3650):
        raise Refused("bad_span", option="--for", error=text)
    return span
