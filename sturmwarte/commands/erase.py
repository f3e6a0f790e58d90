"""``sturmwarte erase``: persons and posts go for ever, and cannot come back."""

from __future__ import annotations

import re
import sys
from typing import Annotated

import typer

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
    person,
    print_json,
)

_UID = re.compile("[0-9a-f]{32}")


@guarded
def erase(
    uids: Annotated[list[str] | None, typer.Argument(metavar="[UID]...", help="option.erase_uids")] = None,
    author: Annotated[str | None, typer.Option("--author", metavar="PSEUDONYM", help="option.erase_author")] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="option.erase_reason")] = "",
    by: ByOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="option.erase_yes")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.erase"""
    from pipeline.erasure import erase_mentions, uids_of

    given = _checked(uids or [], author, reason)
    here = desk(config)
    with here.state() as state, here.store() as store:
        gone = uids_of(store, here.folder, author) if author else given
        if gone and not yes:
            _ask(here, len(gone))
        if gone:
            erase_mentions(state, store, here.folder, gone, reason=reason, by=person(by), clock=here.clock)
    if as_json:
        print_json({"erased": gone})
    else:
        typer.echo(here.say("erase.done", n=len(gone)) if gone else here.say("erase.none"))


def _checked(uids: list[str], author: str | None, reason: str) -> list[str]:
    """The uids, each once. Raises Refused where what is asked for is not clear."""
    if bool(uids) == bool(author):
        raise Refused("erase.what")
    if not reason.strip():
        raise Refused("erase.no_reason")
    for word in (*uids, *([author] if author else [])):
        if not _UID.fullmatch(word):
            raise Refused("erase.bad_uid", text=word)
    return sorted(set(uids))


def _ask(here: Desk, n: int) -> None:
    """Go on only with a person's yes."""
    if not sys.stdin.isatty():
        raise Refused("erase.say_yes")
    if not typer.confirm(here.say("erase.confirm", n=n), err=True):
        note(here.say("erase.kept"))
        leave(WRONG)
