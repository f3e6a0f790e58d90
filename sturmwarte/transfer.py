"""Import: rows of a CSV or JSONL file. A wrong row is reported with its line and put aside, never fatal."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from crawlers.given import GivenProblem, Intake
from pipeline.item import Item

PLATFORM = "import"
_LONGEST = 1_000_000
"""Characters of one line; longer ones are rejected."""


@dataclass(frozen=True)
class Row:
    """One row as found: its first line in the file, its columns, and the raw text for the file of rejected rows."""

    line: int
    columns: Mapping[str, object]
    raw: str
    problem: str = ""


def rows_of(file: IO[str], *, as_csv: bool) -> Iterator[Row]:
    """The rows of an open file. Broken ones come too, with their problem."""
    return _csv_rows(file) if as_csv else _json_rows(file)


def _json_rows(file: IO[str]) -> Iterator[Row]:
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        if len(line) > _LONGEST:
            yield Row(number, {}, "", "the line is too long")
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield Row(number, {}, line, f"no JSON: {error}")
            continue
        if isinstance(value, dict):
            yield Row(number, {str(name).lower(): cell for name, cell in value.items()}, line)
        else:
            yield Row(number, {}, line, "no JSON object")


def _csv_rows(file: IO[str]) -> Iterator[Row]:
    """Rows below a header; comma, semicolon or tab, whichever the header has most of."""
    header = file.readline().lstrip("\ufeff")
    delimiter = max(",;\t", key=header.count)
    names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
    reader = csv.reader((line.replace("\0", "") for line in file), delimiter=delimiter)
    line = 2
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(line, {}, "", f"no CSV: {error}")
        else:
            if cells:
                problem = "" if len(cells) == len(names) else f"{len(cells)} columns, the header has {len(names)}"
                yield Row(line, dict(zip(names, cells, strict=False)), _joined(cells, delimiter), problem)
        line = reader.line_num + 2


def _joined(cells: Iterable[str], delimiter: str) -> str:
    return delimiter.join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in cells) + "\n"


def item_of(row: Row, intake: Intake, columns: Mapping[str, str]) -> Item:
    """The item of a row; ``columns``: field → the column that holds it, for columns of other names.

    Raises GivenProblem.
    """
    if row.problem:
        raise GivenProblem("row", row.problem)
    named = {column.lower() for column in columns.values()}
    fields = {name: value for name, value in row.columns.items() if name not in named}
    return intake.item(fields | {field: row.columns.get(column.lower()) for field, column in columns.items()})


def missing_columns(row: Row, columns: Mapping[str, str]) -> list[str]:
    """Columns that were named and that a row of the file has not."""
    return [column for column in columns.values() if column.lower() not in row.columns]
