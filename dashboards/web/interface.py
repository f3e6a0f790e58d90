"""``/api``: what programs can ask, as a page of our own (the usual viewer would be fetched from elsewhere)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from dashboards.reader import ReaderHere
from dashboards.web.rendering import page

router = APIRouter(include_in_schema=False)


@router.get("/api", response_class=HTMLResponse)
@router.get("/api/docs", response_class=HTMLResponse)
def show(reader: ReaderHere) -> HTMLResponse:
    """Every operation with its parameters."""
    return page(reader, "interface.html", operations=operations(reader.request.app.openapi()))


def operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    """(method, path, sentence, parameters) of each operation of an OpenAPI document."""
    return [
        {
            "method": method.upper(),
            "path": path,
            "text": operation.get("description", ""),
            "parameters": [_parameter(one) for one in operation.get("parameters", [])],
        }
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def _parameter(parameter: dict[str, Any]) -> dict[str, str]:
    return {"name": parameter["name"], "text": parameter.get("description", "")}
