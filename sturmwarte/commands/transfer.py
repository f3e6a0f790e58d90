"""``sturmwarte import``: mentions from elsewhere, through the same steps as crawled ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
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
    from pipeline.item import Item
    from sturmwarte.transfer import Importer

BATCH = 500
HEADER = 10_000
"""Most characters of a CSV file's first line."""
SHOWN = 20
"""Rejected rows that are told one by one."""


@guarded
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="option.import_file")],
    source: Annotated[str, typer.Option("--source", help="option.import_source")] = "import",
    channel: Annotated[str, typer.Option("--channel", help="option.import_channel")] = "forum",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.import"""
    from pipeline.words import Channel
    from sturmwarte.transfer import Importer

    one_of(channel, [word.value for word in Channel], "unknown_channel")
    here = desk(config, needed=True)
    if not file.is_file():
        raise Refused("no_such_file", file=str(file))
    importer = Importer(source, Channel(channel), here.configuration.timezone, here.clock.now())
    fed, rejected = _feed(here, file, importer)
    if as_json:
        print_json({**fed, "rejected": rejected, "rejected_file": str(_rejects(file)) if rejected else None})
    else:
        typer.echo(here.say("import.done", **{name: fed.get(name, 0) for name in ("stored", "unchanged", "ignored")}))
    if rejected:
        note(here.say("import.rejected", n=rejected, file=str(_rejects(file))))
        leave(WRONG)


def _rejects(file: Path) -> Path:
    return file.with_name(file.name + ".rejected")


def _feed(here: Desk, file: Path, importer: Importer) -> tuple[Mapping[str, int], int]:
    """Everything through the pipeline, in batches; what became of it, and how many rows were rejected."""
    from pipeline.build import build_pipeline

    total, rejects = dict[str, int](), _Rejects(file)
    with ExitStack() as stack:
        store, state = stack.enter_context(here.store()), stack.enter_context(here.state())
        pipeline = build_pipeline(here.configuration, store, state, folder=here.folder, clock=here.clock)
        stack.callback(pipeline.close)
        step = stack.enter_context(progress(here.say("import.progress"), file.stat().st_size))
        for batch in _batches(_items(file, importer, rejects, step)):
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
                with self._file.open(encoding="utf-8", errors="replace") as first:
                    self._out.write(first.readline(HEADER))
        self._out.write(raw if raw.endswith("\n") or not raw else raw + "\n")

    def close(self) -> None:
        if self._out is not None:
            self._out.close()


def _items(file: Path, importer: Importer, rejects: _Rejects, step: Callable[[int], None]) -> Iterator[Item]:
    from sturmwarte.transfer import RowProblem, rows_of

    with file.open(encoding="utf-8", errors="replace", newline="") as opened:
        for row in rows_of(opened, as_csv=_is_csv(file)):
            step(len(row.raw))
            try:
                yield importer.item(row)
            except RowProblem as problem:
                rejects.add(row.line, row.raw, str(problem))


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
