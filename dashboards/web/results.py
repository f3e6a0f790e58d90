"""``/results``: what search engines show first, and what entered, left and moved since the run before."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from dashboards.house import NotReady
from dashboards.rankings import rankings
from dashboards.reader import ReaderHere
from dashboards.web.rendering import page
from pipeline.ranks import counts

router = APIRouter(include_in_schema=False)


@router.get("/results", response_class=HTMLResponse)
def show(reader: ReaderHere, query: str = "") -> HTMLResponse:
    """Every query's list; of one query where one is given."""
    try:
        found = rankings(reader.house, query, reader.now)
    except NotReady:
        return page(reader, "waiting.html")
    return page(reader, "results.html", lists=[(one, counts(one)) for one in found])
