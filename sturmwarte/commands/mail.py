"""``sturmwarte mail``: a sample alert to the receivers; letting go what was held since a restore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sturmwarte.commands.shared import (
    UNAVAILABLE,
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
    print_json,
)

if TYPE_CHECKING:
    from alerts.message import Occasion
    from alerts.notifiers import Notifier

mail = typer.Typer(help="help.mail", no_args_is_help=True)


@mail.command()
@guarded
def test(
    receiver: Annotated[str | None, typer.Argument(metavar="[RECEIVER]", help="option.receiver")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.mail_test"""
    from alerts.notifiers.registry import build
    from alerts.sample import sample_occasion

    here = desk(config, needed=True)
    known = list(here.configuration.receivers)
    if not known:
        raise Refused("mail.no_receivers")
    chosen = [one_of(receiver, known, "unknown_receiver")] if receiver else known
    ways, occasion = build(here.configuration), sample_occasion(here.configuration, here.clock.now())
    results = {name: _send(here, ways[here.configuration.receivers[name].notifier], occasion, name) for name in chosen}
    if as_json:
        print_json({"receivers": [{"receiver": name, "sent": not why, "error": why} for name, why in results.items()]})
    else:
        for name, why in results.items():
            address = here.configuration.receivers[name].address
            note(here.say("mail.failed", name=name, why=why) if why else here.say("mail.sent", name=name, to=address))
    if any(results.values()):
        leave(UNAVAILABLE)


def _send(here: Desk, way: Notifier, occasion: Occasion, receiver: str) -> str | None:
    """Compose and send at once, past the outbox, so that the answer is known now; the reason where it failed."""
    from alerts.compose import compose
    from alerts.notifiers import PermanentFailure, TemporaryFailure
    from alerts.outbox import message_id

    entry, now = here.configuration.receivers[receiver], here.clock.now()
    name = message_id(occasion, receiver, entry.notifier, here.configuration.public_url)
    payload = compose(occasion, receiver, here.configuration, message_id=name, references=(), now=now)
    try:
        way.send(payload, entry)
    except (TemporaryFailure, PermanentFailure) as error:
        return str(error)
    return None


@mail.command()
@guarded
def release(by: ByOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """help.mail_release"""
    import sqlalchemy as sa

    from pipeline.maintenance import release_messages
    from pipeline.state.tables import audit

    here, who = desk(config), person(by)
    with here.state() as state:
        count = release_messages(state, here.clock.now())
        with state.begin() as connection:
            values = {"at": here.clock.now(), "who": who, "what": "mail release", "details": {"messages": count}}
            connection.execute(sa.insert(audit).values(**values))
    if as_json:
        print_json({"released": count, "by": who})
    else:
        typer.echo(here.say("mail.released", n=count))
