"""Charts as images of the page: light or dark as the browser prefers, wide or narrow as it fits."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response

from alerts.charts import situation_chart, svg
from alerts.facts import Facts
from dashboards.reader import ReaderHere
from dashboards.situations import situation
from pipeline.i18n import Speech

router = APIRouter(include_in_schema=False)

OLDEST = timedelta(days=3660)
WIDE, NARROW, HEIGHT, LOW = 760, 340, 190, 110


@router.get("/charts/{brand}.svg")
def chart(
    reader: ReaderHere,
    brand: str,
    at: Annotated[datetime | None, Query()] = None,
    dark: bool = False,
    narrow: bool = False,
    low: bool = False,
) -> Response:
    """The chart of one brand as the page of that moment shows it."""
    if brand not in reader.configuration.brands:
        raise HTTPException(404)
    facts = situation(reader.house, brand, moment_of(at, reader.now))
    width, height = NARROW if narrow else WIDE, LOW if low else HEIGHT
    drawn = draw(facts, reader.language, reader.configuration.zone, width, height, dark)
    return Response(drawn, media_type="image/svg+xml")


def moment_of(at: datetime | None, now: datetime) -> datetime:
    """The moment an address asks for, if it is one of the last years; else now."""
    return at if at and at.tzinfo and now - OLDEST <= at <= now else now


@lru_cache(maxsize=64)
def _drawn(facts_json: bytes, language: str, zone: str, width: int, height: int, dark: bool) -> str:
    facts = msgspec.json.decode(facts_json, type=Facts)
    spec = situation_chart(facts, Speech(language, ZoneInfo(zone)), width=width, height=height, dark=dark)
    return svg(spec)


def draw(facts: Facts, language: str, zone: str, width: int, height: int, dark: bool) -> str:
    """The drawing of these numbers; the same numbers are drawn once."""
    return _drawn(msgspec.json.encode(facts), language, zone, width, height, dark)
