"""Mentions as files: CSV for machines, CSV for Excel, JSON lines. Every export is recorded."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from pipeline.mention import Mention
from pipeline.rows import mention_row

Form = Literal["csv", "excel", "jsonl"]
COLUMNS = (
    "uid", "revision", "event_time", "published", "precision", "seen", "platform", "channel", "kind", "sources",
    "brands", "tones", "via", "voice", "counted", "tone", "p_negative", "compound", "analyser", "lang",
    "title", "thread_title", "text", "url", "author", "story", "is_copy", "rating", "parent", "incidents",
)  # fmt: skip
TIMES = frozenset({"event_time", "published", "seen"})
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
Incidents = Callable[[str], list[str]]


def media_type(form: Form) -> str:
    """What a browser is told."""
    return "application/x-ndjson" if form == "jsonl" else "text/csv; charset=utf-8"


def file_name(form: Form, now: datetime) -> str:
    """What the download is called."""
    ending = {"csv": "csv", "excel": "excel.csv", "jsonl": "jsonl"}[form]
    return f"sturmwarte-{now:%Y%m%d-%H%M}.{ending}"


def lines(form: Form, mentions: Iterable[Mention], incidents: Incidents, zone: ZoneInfo) -> Iterator[bytes]:
    """The file, line by line, in constant memory."""
    rows = (mention_row(mention, incidents(mention.uid)) for mention in mentions)
    if form == "jsonl":
        return (msgspec.json.encode(row) + b"\n" for row in rows)
    if form == "excel":
        return _excel(rows, zone)
    return _csv(rows)


def _csv(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """Commas, dots, ISO times, lists joined by a space; text that a spreadsheet would run is made harmless."""
    yield _line(COLUMNS, ",")
    for row in rows:
        yield _line([harmless(_plain(value)) for value in flat(row).values()], ",")


def _excel(rows: Iterable[dict[str, Any]], zone: ZoneInfo) -> Iterator[bytes]:
    """Byte order mark, semicolons, decimal commas, local times without zone: opens by a double click."""
    yield "\ufeff".encode() + _line(COLUMNS, ";")
    for row in rows:
        values = flat(row).items()
        yield _line([harmless(_local(name, value, zone)) for name, value in values], ";")


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row with one value per column."""
    opinions = row["opinions"]
    joined = {
        "sources": " ".join(row["sources"]),
        "incidents": " ".join(row["incidents"]),
        "brands": " ".join(opinion["brand"] for opinion in opinions),
        "tones": " ".join(opinion["tone"] or "none" for opinion in opinions),
        "via": " ".join(opinion["via"] for opinion in opinions),
        "tone": row["tone"]["label"],
        "p_negative": row["tone"]["p"]["negative"],
        "compound": row["tone"]["compound"],
        "analyser": row["tone"]["analyser"],
    }
    return {column: joined.get(column, row.get(column)) for column in COLUMNS}


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula; numbers stay as they are."""
    if cell.startswith(_FORMULA) and not _is_number(cell):
        return "'" + cell
    return cell


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return True


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _local(name: str, value: object, zone: ZoneInfo) -> str:
    if name in TIMES and isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(zone).strftime("%d.%m.%Y %H:%M:%S")
    if isinstance(value, float):
        return str(value).replace(".", ",")
    return _plain(value)


def _line(cells: Iterable[str], delimiter: str) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue().encode()
