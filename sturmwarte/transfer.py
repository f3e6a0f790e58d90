"""Import: rows of a CSV or JSONL file → items. A wrong row is reported with its line and put aside, never fatal."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import IO, TypeVar

from pipeline.identity import canonical_url, native_id, origin_of
from pipeline.item import Item, Published
from pipeline.words import Channel, Kind, Precision, Reading

PLATFORM = "import"
Word = TypeVar("Word", Channel, Kind)
_LONGEST = 1_000_000
"""Characters of one line; longer ones are rejected."""
_KNOWN_AS = {
    "published": ("published", "event_time", "date", "time"),
    "text": ("text", "body", "content"),
    "author": ("author", "user"),
}


class RowProblem(ValueError):
    """A row cannot become an item; the message says which column is wrong and why."""


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
        problem = "" if isinstance(value, dict) else "no JSON object"
        yield Row(number, value if isinstance(value, dict) else {}, line, problem)


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


@dataclass(frozen=True)
class Importer:
    """Turns rows into items of one source."""

    source: str
    channel: Channel
    zone: tzinfo
    now: datetime

    def item(self, row: Row) -> Item:
        """The item of a row. Raises RowProblem."""
        if row.problem:
            raise RowProblem(row.problem)
        url, text = self._text(row, "url"), self._text(row, "text")
        title = self._text(row, "title")
        if not text and not title:
            raise RowProblem("text: empty, and no title either")
        origin, native = _identity(url)
        return Item(
            source=self._text(row, "source") or self.source,
            platform=PLATFORM,
            channel=_word(Channel, self._text(row, "channel"), self.channel, "channel"),
            kind=_word(Kind, self._text(row, "kind"), Kind.POST, "kind"),
            reading=Reading.FULL,
            origin=origin,
            native_id=native,
            fetched=self.now,
            url=url,
            title=title,
            text=text,
            author=self._text(row, "author") or None,
            published=self._published(row),
            lang=self._text(row, "lang") or None,
            first_contact=True,
        )

    def _text(self, row: Row, column: str) -> str:
        names = _KNOWN_AS.get(column, (column,))
        value = next((row.columns[name] for name in names if row.columns.get(name) not in (None, "")), "")
        if not isinstance(value, str):
            raise RowProblem(f"{column}: a text is wanted, not {type(value).__name__}")
        return value.strip()

    def _published(self, row: Row) -> Published:
        """A time with its precision: a bare day is a day, not midnight."""
        text = self._text(row, "published")
        if not text:
            return Published()
        try:
            found = datetime.fromisoformat(text)
            at = (found if found.tzinfo else found.replace(tzinfo=self.zone)).astimezone(UTC)
            next_day = at + timedelta(days=1)
        except (ValueError, OverflowError):
            raise RowProblem(f"published: {text[:40]!r} is no time; write for example 2026-11-20T09:40") from None
        if len(text) > len("2026-11-20"):
            return Published(at=at, precision=Precision.SECOND)
        return Published(at=at, precision=Precision.DAY, lower=at, upper=next_day)


def _identity(url: str) -> tuple[str, str]:
    try:
        if not url.startswith(("http://", "https://")):
            raise ValueError(url)
        return origin_of(url), native_id(url) or canonical_url(url)
    except ValueError:
        raise RowProblem(f"url: {url[:60]!r} is no address") from None


def _word(kind: type[Word], text: str, default: Word, column: str) -> Word:
    try:
        return kind(text) if text else default
    except ValueError:
        raise RowProblem(f"{column}: {text[:40]!r} is none of {', '.join(kind)}") from None
