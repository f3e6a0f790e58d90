"""``sturmwarte store``: the mention store as a whole: checked, indexed anew, migrated, copied to another engine."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sturmwarte.commands.shared import (
    UNAVAILABLE,
    WRONG,
    ConfigOption,
    Desk,
    JsonOption,
    Refused,
    desk,
    guarded,
    leave,
    note,
    print_json,
    print_table,
    progress,
)

if TYPE_CHECKING:
    from pipeline.store.copying import Compared, Copied
    from pipeline.store.protocol import Store

store = typer.Typer(help="help.store", no_args_is_help=True)


@store.callback()
def _group() -> None:
    """help.store"""


@store.command()
@guarded
def check(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """help.store_check"""
    here = desk(config)
    _is_there(here)
    with here.store(read_only=True) as opened:
        found = opened.check()
        mentions = opened.statistics()["mentions"]
    if as_json:
        print_json({"findings": found, "mentions": mentions})
    else:
        typer.echo("\n".join(found) or here.say("store.in_order", n=mentions))
    if found:
        leave(WRONG)


@store.command()
@guarded
def reindex(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """help.store_reindex"""
    here = desk(config)
    _is_there(here)
    with _alone(here), here.store() as opened, progress(here.say("store.reindexing")):
        mentions = opened.reindex()
    if as_json:
        print_json({"mentions": mentions})
    else:
        typer.echo(here.say("store.reindexed", n=mentions))


@store.command()
@guarded
def migrate(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """help.store_migrate"""
    from pipeline.store.opening import migration

    here = desk(config)
    _is_there(here)
    if here.configuration.store.engine == "sqlite":
        raise Refused("store.no_migration")
    with _alone(here), migration(here.configuration.store, clock=here.clock) as found:
        mentions = found.mentions()
        with progress(here.say("store.migrating"), 2 * mentions) as step:
            parts = found.run(step)
    if as_json:
        print_json({"from": found.before, "to": found.now, "mentions": mentions, "parts": _rows_of(parts)})
    elif not found.due:
        typer.echo(here.say("store.current", version=found.now))
    else:
        _table(here, parts)
        typer.echo(here.say("store.migrated", n=mentions, before=found.before, now=found.now))
    if not all(part.agrees for part in parts):
        note(here.say("store.differs"))
        leave(WRONG)


@store.command()
@guarded
def copy(
    source: Annotated[Path | None, typer.Option("--from", metavar="FILE", help="option.store_from")] = None,
    target: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="option.store_to")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.store_copy"""
    if (source is None) == (target is None):
        raise Refused("store.which")
    here, other = desk(config), desk(source or target)
    giver, taker = (other, here) if source else (here, other)
    _is_there(giver)
    with _alone(giver, taker):
        _same_key(giver.folder, taker.folder)
        start = time.monotonic()
        outcome = _copied(giver, taker)
        seconds = time.monotonic() - start
    rate = round(outcome.mentions / seconds) if seconds else 0
    if as_json:
        whole = {"whole": outcome.whole, "source_changed": outcome.source_changed}
        told = {"mentions": outcome.mentions, "seconds": round(seconds, 1), "per_second": rate}
        print_json({"parts": _rows_of(outcome.parts), **told, **whole})
    else:
        _table(here, outcome.parts)
        typer.echo(here.say("store.copied", n=outcome.mentions, seconds=seconds, rate=rate))
    if not outcome.whole:
        note(here.say("store.source_changed" if outcome.source_changed else "store.differs"))
        leave(WRONG)


def _copied(giver: Desk, taker: Desk) -> Copied:
    from pipeline.store.copying import copy

    with ExitStack() as stack:
        given = stack.enter_context(_whole_store(giver))
        taken = stack.enter_context(taker.store())
        total = 2 * int(given.statistics()["mentions"])  # written, and read back
        step = stack.enter_context(progress(taker.say("store.copying"), total))
        return copy(given, taken, clock=taker.clock, moved=step)


@contextmanager
def _whole_store(here: Desk) -> Iterator[Store]:
    """A store with nothing but its own list of what is barred, so that both sides are compared by what they hold."""
    from pipeline.store.opening import open_store

    with closing(open_store(here.folder, here.configuration.store, clock=here.clock)) as opened:
        yield opened


def _is_there(here: Desk) -> None:
    from pipeline.store.opening import is_there

    if not is_there(here.folder, here.configuration.store):
        raise Refused("nothing_stored", UNAVAILABLE, file=str(here.folder))


@contextmanager
def _alone(*desks: Desk) -> Iterator[None]:
    """Refuse while the service runs on one of the folders or states, and keep it from starting meanwhile."""
    from pipeline.state.place import on_server
    from sturmwarte.commands.state import nobody_watches
    from sturmwarte.lock import running_service, service_lock

    for here in desks:
        if on_server(here.configuration.state):
            nobody_watches(here)
    with ExitStack() as stack:
        for folder in sorted({here.folder.absolute() for here in desks}):
            pid = running_service(folder)
            if pid is not None:
                raise Refused("care.service_runs", pid=str(pid or "?"))
            stack.enter_context(service_lock(folder, wait=0))
        yield


def _same_key(giver: Path, taker: Path) -> None:
    """Both folders must make the same pseudonyms. Raises Refused where each has a key of its own."""
    from pipeline.secrets import KEY_FILE

    ours, theirs = giver / KEY_FILE, taker / KEY_FILE
    if not ours.exists() or (theirs.exists() and theirs.read_bytes() == ours.read_bytes()):
        return
    if theirs.exists():
        raise Refused("store.other_key", ours=str(ours), theirs=str(theirs))
    taker.mkdir(parents=True, exist_ok=True)
    shutil.copy2(ours, theirs)


def _rows_of(parts: tuple[Compared, ...]) -> list[dict[str, object]]:
    return [
        {
            "part": part.part,
            "mentions": part.target.mentions,
            "revisions": part.target.revisions,
            "source": str(part.source),
            "target": str(part.target),
            "agrees": part.agrees,
            "copied": part.copied,
            "barred": part.barred,
        }
        for part in parts
    ]


def _table(here: Desk, parts: tuple[Compared, ...]) -> None:
    names = ("part", "mentions", "revisions", "source", "target", "state")
    rows = [
        (
            here.say(f"store.{part.part}") if part.part.isalpha() else part.part,
            part.target.mentions,
            part.target.revisions,
            part.source,
            part.target,
            here.say(f"store.{_state(part)}"),
        )
        for part in parts
    ]
    print_table([here.say(f"store.{name}") for name in names], rows)


def _state(part: Compared) -> str:
    if not part.agrees:
        return "disagrees"
    return "agrees" if part.copied else "agreed"
