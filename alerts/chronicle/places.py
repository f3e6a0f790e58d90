"""How far the chronicle is written: rows in ``rule_state``, moved only after the server has taken what they tell."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from alerts import books
from pipeline.state import tables as t
from pipeline.state.database import State
from pipeline.words import SourceState

RULE, VERSION, EVERYTHING = "chronicle", 1, "*"
"""Its rows in ``rule_state``: how far events and result lists are written, and one per brand for the series."""

M = TypeVar("M", bound=msgspec.Struct)


class Stay(msgspec.Struct, frozen=True, kw_only=True):
    """A state of a source that is worth an event, while it lasts."""

    state: SourceState
    since: datetime
    reason: str


class Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far events and result lists are written."""

    events: datetime | None = None
    results: datetime | None = None
    hole: int = 0
    stays: dict[str, Stay] = {}
    model: int = 0
    """The version by which texts were scored."""
    looked: datetime | None = None
    """When sources were last looked at for the series."""
    absent: dict[str, datetime | None] = {}
    """Sources not read up to within two days of then, and how far they were (None: never read)."""
    again: list[tuple[datetime, datetime]] = []
    """(noticed, from): what a source brought that was absent, or is read for the first time."""


class BrandPlace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far the series of a brand are written."""

    at: datetime | None = None
    """When they were written last."""
    since: datetime | None = None
    """What lies before was complete then, as far as any source can bring it that is not absent."""
    rule: str = ""
    """Which rule, of which version, learns what is usual …"""
    learned: bool = False
    """… and whether it has."""
    ratio: float | None = None
    """Critical persons per critical post, as counted in the hour of ``at``."""


def read(conn: sa.Connection, stream: str, kind: type[M]) -> M:
    """What is noted under ``EVERYTHING`` (a Place) or under a brand (a BrandPlace)."""
    blob = _blob(conn, stream)
    return msgspec.json.decode(blob, type=kind) if blob else kind()


def _blob(conn: sa.Connection, stream: str) -> bytes | None:
    table = t.rule_state
    mine = (table.c.rule == RULE, table.c.version == VERSION, table.c.stream == stream)
    blob: bytes | None = conn.execute(sa.select(table.c.blob).where(*mine)).scalar_one_or_none()
    return blob


def remember(state: State, **changes: Any) -> None:
    """Note how far events and result lists have come, and how sources stand; after the server has taken the rows."""
    with state.begin() as conn:
        place = msgspec.structs.replace(read(conn, EVERYTHING, Place), **changes)
        _write_blob(conn, EVERYTHING, place, max(filter(None, (place.events, place.results, place.looked))))


def remember_brands(state: State, done: Mapping[str, BrandPlace], now: datetime) -> None:
    """Note how far the series of these brands have come; only after the server has taken the rows."""
    with state.begin() as conn:
        for brand, place in done.items():
            _write_blob(conn, brand, place, now)


def _write_blob(conn: sa.Connection, stream: str, place: Place | BrandPlace, now: datetime) -> None:
    known = _blob(conn, stream)
    books.write_blob(conn, RULE, VERSION, stream, msgspec.json.encode(place), now, new=known is None)


def before(moment: datetime | None, by: timedelta) -> datetime:
    """So much before a moment; the beginning of time where there is none."""
    return datetime.fromtimestamp(0, UTC) if moment is None else moment - by
