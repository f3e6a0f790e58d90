"""What every command needs: its options, the configuration it works on, and errors told as sentences."""

from __future__ import annotations

import functools
import getpass
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer

from pipeline.clock import Clock
from pipeline.configuration import Configuration
from pipeline.i18n import Speech
from sturmwarte.service import clock_from
from sturmwarte.speech import speech_for

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.query.errors import QueryError
    from pipeline.state.database import State
    from pipeline.store.protocol import Store

DONE, WRONG, USAGE, UNAVAILABLE = 0, 1, 2, 3
"""Exit codes: done; done and something is wrong; wrong usage or configuration; a part is unavailable."""
FILE = "sturmwarte.toml"

ConfigOption = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="option.config")]
JsonOption = Annotated[bool, typer.Option("--json", help="option.json")]
JsonLinesOption = Annotated[bool, typer.Option("--json", help="option.json_lines")]
ByOption = Annotated[str | None, typer.Option("--by", metavar="NAME", help="option.by")]

P = ParamSpec("P")
R = TypeVar("R")


class Refused(Exception):
    """A command cannot be done; carries the phrase for the person and the exit code."""

    def __init__(self, phrase: str, code: int = USAGE, **values: object) -> None:
        super().__init__(phrase)
        self.phrase, self.code, self.values = phrase, code, values


class BadSearch(Exception):
    """A search that cannot be understood; carries what was asked beside what is wrong with it."""

    def __init__(self, text: str, error: QueryError) -> None:
        super().__init__(str(error))
        self.text, self.error = text, error


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """The same command, whose foreseeable errors become a sentence on standard error and an exit code."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:
            told = _told(error)
            if told is None:
                raise
            text, code = told
            typer.echo(text, err=True)
            raise typer.Exit(code) from error

    return run


def _told(error: Exception) -> tuple[str, int] | None:
    """(sentence, exit code) of a foreseeable error; None for a fault of ours."""
    speech = speech_for()
    if isinstance(error, Refused):
        return speech.say(f"command.{error.phrase}", **error.values), error.code
    if isinstance(error, BadSearch):
        return f"{error.text}\n{' ' * error.error.position}^ {error.error.text(speech)}", USAGE
    name = type(error).__name__
    if name == "ConfigurationError":
        return error.text(speech), USAGE  # type: ignore[attr-defined]
    if name in (
        "BackupError",
        "StateAddress",
        "CopyRefused",
        "BadParameter",
        "NothingCrawled",
        "IncidentClosed",
        "LabelledError",
        "ModelError",
    ):
        return str(error), USAGE
    if name == "CopyDiffers":
        return str(error), WRONG
    if name == "AddressUnusable":
        where = {"host": error.host, "port": str(error.port), "error": error.reason}  # type: ignore[attr-defined]
        return speech.say("command.address_unusable" if where["error"] else "command.port_taken", **where), USAGE
    if name == "UnknownIncident":
        return speech.say("command.unknown_incident", name=str(error)), USAGE
    if name == "NotReady":
        return speech.say("command.nothing_stored", file=getattr(error, "missing", "")), UNAVAILABLE
    if name in (
        "StoreError",
        "StoreAway",
        "QueryTimeout",
        "StateVersion",
        "StateUnavailable",
        "StateAway",
        "SecretMissing",
        "AlreadyRunning",
        "OperationalError",
    ):
        return str(error), UNAVAILABLE
    if isinstance(error, OSError):
        return speech.say("command.system", error=str(error)), UNAVAILABLE
    return None


@dataclass(frozen=True)
class Desk:
    """One command's configuration, data folder, clock and language. ``file`` is None without a configuration."""

    configuration: Configuration
    file: Path | None
    folder: Path
    clock: Clock
    speech: Speech

    def say(self, phrase: str, **values: object) -> str:
        """A phrase of the command line."""
        return self.speech.say(f"command.{phrase}", **values)

    @contextmanager
    def state(self) -> Iterator[State]:
        """The state database of the data folder."""
        from pipeline.state.opening import open_state

        with closing(open_state(self.folder, self.configuration.state)) as state:
            yield state

    @contextmanager
    def store(self, *, read_only: bool = False) -> Iterator[Store]:
        """The mention store of the data folder."""
        from pipeline.erasure import erased_in
        from pipeline.store.opening import open_store

        table, retention = self.configuration.store, self.configuration.retention.mentions
        with ExitStack() as stack:
            if read_only:
                store = open_store(self.folder, table, clock=self.clock, read_only=True)
            else:
                erased = erased_in(stack.enter_context(self.state()))
                store = open_store(self.folder, table, clock=self.clock, retention=retention, erased=erased)
            yield stack.enter_context(closing(store))


def desk(config: Path | None, *, needed: bool = False) -> Desk:
    """What a command works on. Raises ConfigurationError, and Refused where a configuration is needed and missing."""
    file = find_file(config)
    if file is None:
        if needed:
            raise Refused("no_configuration")
        folder = default_folder()
        return Desk(Configuration(data=folder), None, folder, clock_from(), speech_for())
    configuration = load_file(file)
    return Desk(configuration, file, configuration.data, clock_from(), speech_for(configuration))


def load_file(file: Path) -> Configuration:
    """The configuration of a file, checked against all plug-ins. Raises ConfigurationError."""
    from pipeline.toml import load
    from sturmwarte.registry import build_registry

    return load(file, build_registry())


def find_file(config: Path | None) -> Path | None:
    """``--config``, else ./sturmwarte.toml, else $STURMWARTE_CONFIG, else None."""
    if config is not None:
        return config
    if Path(FILE).is_file():
        return Path(FILE)
    named = os.environ.get("STURMWARTE_CONFIG")
    return Path(named) if named else None


def default_folder() -> Path:
    """Where data lies without a configuration."""
    named = os.environ.get("STURMWARTE_DATA")
    return Path(named) if named else Path.home() / ".local" / "share" / "sturmwarte"


def print_json(document: object, *, lines: bool = False) -> None:
    """One JSON document on standard output; ``lines``: on one line."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=None if lines else 2, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (tuple, set, frozenset)):
        return list(value)
    return str(value)


def note(text: str) -> None:
    """A message for the person: standard error."""
    typer.echo(text, err=True)


def leave(code: int) -> NoReturn:
    """End with that exit code."""
    raise typer.Exit(code)


def console(*, error: bool = False) -> Console:
    """Where tables go; colours on a terminal only, and no folding where a machine may read."""
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    return Console(file=stream, highlight=False, width=None if stream.isatty() else 160)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A short table for a person. Cells are text, never markup: they may hold what strangers wrote."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=box.SIMPLE_HEAD, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(Text(_harmless(str(cell))) for cell in row))
    console().print(table)


def _harmless(text: str) -> str:
    """Without control characters, which a terminal would obey."""
    return "".join(sign if sign.isprintable() or sign == "\n" else "\N{REPLACEMENT CHARACTER}" for sign in text)


@contextmanager
def progress(label: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """A progress bar on standard error where that is a terminal; yields a function that moves it on."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(error=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(label, total=total)
        yield lambda steps: bar.advance(task, steps)


def moment(text: str | None, option: str) -> datetime | None:
    """A time given on the command line; without a zone it is UTC. Raises Refused naming the option."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("bad_time", option=option, text=text) from None


def person(by: str | None) -> str:
    """Who did it: ``--by``, else the user of the operating system."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def one_of(word: str, known: Sequence[str], phrase: str) -> str:
    """The word, if it is known. Raises Refused with the nearest known one."""
    from pipeline.findings import nearest_word

    if word in known:
        return word
    nearest = nearest_word(word, known)
    speech = speech_for()
    hint = speech.say("finding.nearest", word=nearest) if nearest else ""
    raise Refused(phrase, word=word, known=", ".join(sorted(known)) or "–", hint=hint)


def plain(values: Any) -> Any:
    """msgspec structs and the like as plain data."""
    import msgspec

    return msgspec.to_builtins(values)
