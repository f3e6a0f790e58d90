"""``sturmwarte import``: mentions from elsewhere, through the same steps as crawled ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sturmwarte.commands.shared import (
    WRONG,
    ConfigOption,
    Desk,
    JsonOption,
    Refused,
    desk,
    guarded,
    leave,
    note,
    one_of,
    plain,
    print_json,
    progress,
)

if TYPE_CHECKING:
    from crawlers.given import GivenProblem, Intake
    from pipeline.item import Item
    from sturmwarte.transfer import Row

BATCH = 500
HEADER = 10_000
"""Most characters of a CSV file's first line."""
SAMPLE = 3
"""Good rows that a dry run shows."""
SHOWN = 20
"""Rejected rows that are told one by one."""


@guarded
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="option.import_file")],
    source: Annotated[str, typer.Option("--source", help="option.import_source")] = "import",
    channel: Annotated[str, typer.Option("--channel", help="option.import_channel")] = "forum",
    columns: Annotated[
        list[str] | None, typer.Option("--map", metavar="FIELD=COLUMN", help="option.import_map")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="option.import_dry_run")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.import"""
    from crawlers.given import Intake
    from pipeline.words import Channel
    from sturmwarte.transfer import PLATFORM

    one_of(channel, [word.value for word in Channel], "unknown_channel")
    here = desk(config, needed=True)
    if not file.is_file():
        raise Refused("no_such_file", file=str(file))
    given = here.configuration.sources.get(source)
    intake = Intake(
        source=source,
        platform=PLATFORM,
        channel=Channel(channel),
        zone=here.configuration.timezone,
        now=here.clock.now(),
        place=given.url if given else "",
        historic=True,
    )
    reading = _Reading(here, file, intake, _mapping(columns or []))
    if dry_run:
        _try(reading, as_json)
    else:
        _import(reading, as_json)


def _mapping(pairs: list[str]) -> dict[str, str]:
    """Field → column of ``FIELD=COLUMN``. Raises Refused on an unknown field."""
    from crawlers.given import FIELDS

    found = {}
    for pair in pairs:
        field, equals, column = pair.partition("=")
        if not equals or not column.strip():
            raise Refused("import.bad_map", text=pair)
        found[one_of(field.strip(), list(FIELDS), "unknown_field")] = column.strip()
    return found


@dataclass(frozen=True)
class _Reading:
    """A file that is being read: every good row is an item, every bad one is told."""

    here: Desk
    file: Path
    intake: Intake
    columns: Mapping[str, str]

    def items(self, bad: Callable[[Row, GivenProblem], None], step: Callable[[int], None]) -> Iterator[Item]:
        from crawlers.given import GivenProblem
        from sturmwarte.transfer import item_of, missing_columns, rows_of

        with self.file.open(encoding=_encoding(self.file), errors="replace", newline="") as opened:
            for number, row in enumerate(rows_of(opened, as_csv=_is_csv(self.file))):
                missing = missing_columns(row, self.columns) if number == 0 and not row.problem else []
                if missing and _is_csv(self.file):
                    known = ", ".join(row.columns) or "–"
                    raise Refused("import.no_column", column=missing[0], file=str(self.file), known=known)
                step(len(row.raw))
                try:
                    yield item_of(row, self.intake, self.columns)
                except GivenProblem as problem:
                    bad(row, problem)


def _encoding(file: Path) -> str:
    """UTF-8, or what spreadsheets of the West write where it is not."""
    with file.open("rb") as opened:
        try:
            for line in opened:
                line.decode("utf-8")
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _try(reading: _Reading, as_json: bool) -> None:
    """What an import would read, and every row it could not; nothing is written."""
    bad: list[dict[str, object]] = []

    def told(row: Row, problem: GivenProblem) -> None:
        bad.append({"line": row.line, "field": problem.field, "problem": problem.what})

    here, good, sample = reading.here, 0, list[dict[str, object]]()
    with progress(here.say("import.progress"), reading.file.stat().st_size) as step:
        for item in reading.items(told, step):
            good += 1
            if len(sample) < SAMPLE:
                fields = ("url", "kind", "author", "published", "rating", "title", "text")
                at = item.published.at
                sample.append(
                    {name: getattr(item, name) for name in fields} | {"published": at.isoformat() if at else None}
                )
    if as_json:
        print_json({"good": good, "bad": bad, "sample": sample})
    else:
        for one in bad:
            note(f"{reading.file}:{one['line']}: {one['field']}: {one['problem']}")
        typer.echo(here.say("import.tried", n=good, bad=len(bad)))
        for first in sample:
            typer.echo("  · " + " | ".join(str(value)[:60] for value in first.values() if value))
    if bad:
        leave(WRONG)


def _import(reading: _Reading, as_json: bool) -> None:
    here, file = reading.here, reading.file
    fed, rejected = _feed(reading)
    if as_json:
        print_json({**fed, "rejected": rejected, "rejected_file": str(_rejects(file)) if rejected else None})
    else:
        typer.echo(here.say("import.done", **{name: fed.get(name, 0) for name in ("stored", "unchanged", "ignored")}))
    if rejected:
        note(here.say("import.rejected", n=rejected, file=str(_rejects(file))))
        leave(WRONG)


def _rejects(file: Path) -> Path:
    return file.with_name(file.name + ".rejected")


def _feed(reading: _Reading) -> tuple[Mapping[str, int], int]:
    """Everything through the pipeline, in batches; what became of it, and how many rows were rejected."""
    from pipeline.build import build_pipeline

    here, total, rejects = reading.here, dict[str, int](), _Rejects(reading.file)

    def told(row: Row, problem: GivenProblem) -> None:
        rejects.add(row.line, row.raw, str(problem))

    with ExitStack() as stack:
        store, state = stack.enter_context(here.store()), stack.enter_context(here.state())
        pipeline = build_pipeline(here.configuration, store, state, folder=here.folder, clock=here.clock)
        stack.callback(pipeline.close)
        step = stack.enter_context(progress(here.say("import.progress"), reading.file.stat().st_size))
        for batch in _batches(reading.items(told, step)):
            for name, count in plain(pipeline.feed(batch)).items():
                total[name] = total.get(name, 0) + count
        rejects.close()
    return total, rejects.count


class _Rejects:
    """Tells of rejected rows and keeps them in a file beside the first, to be mended and imported again."""

    def __init__(self, file: Path) -> None:
        self._file, self._path, self.count = file, _rejects(file), 0
        self._out: Any = None

    def add(self, line: int, raw: str, why: str) -> None:
        """Tell of one row and put it aside."""
        self.count += 1
        if self.count <= SHOWN:
            note(f"{self._file}:{line}: {why}")
        if self._out is None:
            self._out = self._path.open("w", encoding="utf-8")
            if _is_csv(self._file):
                with self._file.open(encoding=_encoding(self._file), errors="replace") as first:
                    self._out.write(first.readline(HEADER))
        self._out.write(raw if raw.endswith("\n") or not raw else raw + "\n")

    def close(self) -> None:
        if self._out is not None:
            self._out.close()


def _is_csv(file: Path) -> bool:
    return file.suffix.lower() in (".csv", ".tsv", ".txt")


def _batches(items: Iterator[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
