"""Saved objects for Kibana's import: one data view per index that people look at. The same bytes every time.

A data view holds no fields: Kibana asks the server for them. What it holds is the time field, how values are written,
what they mean, and which fields of a document are of no use to people. Nothing is computed while a search runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.configuration import Configuration
from pipeline.i18n import Speech
from pipeline.store.elastic.meanings import flat, indices

VIEWS = ("mentions", "events", "results", "series")
MIGRATIONS = {"coreMigrationVersion": "8.8.0", "typeMigrationVersion": "8.0.0"}
"""The oldest that a Kibana for our servers writes: newer ones bring it up to date, older ones refuse it."""
HIDDEN: Mapping[str, tuple[str, ...]] = {
    "mentions": ("doc", "write", "*_us", "event_second", "fed", "thread_words", "thread_id.folded", "opinions.fed"),
    "events": ("identity",),
}
"""For programs only; left out where Kibana shows a whole document."""


def objects(configuration: Configuration) -> list[dict[str, Any]]:
    """The data views under the configured prefix, in the language of the pages."""
    return [_view(configuration, name) for name in VIEWS]


def ndjson(configuration: Configuration) -> str:
    """The file for Kibana's import: one object per line, and what Kibana says at the end of its own exports."""
    found = objects(configuration)
    summary = {
        "excludedObjects": [],
        "excludedObjectsCount": 0,
        "exportedCount": len(found),
        "missingRefCount": 0,
        "missingReferences": [],
    }
    return "".join(f"{_json(line)}\n" for line in (*found, summary))


def view_id(configuration: Configuration, name: str) -> str:
    """The id of a data view: fixed, so that a second import replaces and links hold."""
    return f"{configuration.store.prefix}-{name}"


def _view(configuration: Configuration, name: str) -> dict[str, Any]:
    speech = Speech(configuration.language, configuration.timezone)
    title = view_id(configuration, name)
    time, meanings = _described(name)
    return {
        "attributes": {
            "allowHidden": False,
            "allowNoIndex": True,
            "fieldAttrs": _json({field: {"customDescription": said} for field, said in meanings.items()}),
            "fieldFormatMap": _json(_formats(name, configuration.public_url.rstrip("/"))),
            "fields": "[]",
            "name": f"Sturmwarte: {speech.say(f'pages.kibana.{name}')}",
            "runtimeFieldMap": "{}",
            "sourceFilters": _json([{"value": field} for field in HIDDEN.get(name, ())]),
            "timeFieldName": time,
            "title": title,
        },
        **MIGRATIONS,
        "id": title,
        "managed": False,
        "references": [],
        "type": "index-pattern",
    }


def _described(name: str) -> tuple[str, Mapping[str, str]]:
    """Time field and meanings of an index."""
    for index, _, time, _, meanings in indices():
        if index.endswith(f"-{name}"):
            return time, {field: said[:300] for field, said in meanings.items()}
    raise KeyError(name)


def _formats(name: str, pages: str) -> dict[str, Any]:
    """How values are written: shares in percent, ids and addresses as links."""
    mention = _link(f"{pages}/mentions/{{{{value}}}}")
    incident = _link(f"{pages}/incidents/{{{{value}}}}")
    source = _link(f"{pages}/sources/{{{{value}}}}")
    formats: Mapping[str, Mapping[str, Any]] = {
        "mentions": {
            **_each(("p_negative", "opinions.p_negative", "rating"), _percent()),
            **_each(("uid", "story", "parent"), mention),
            **_each(("first_source", "source"), source),
            "permalink": _link("{{value}}"),
        },
        "events": {
            **_each(("expected", "low", "high", "return_period_days"), _number()),
            "incident": incident,
            "source": source,
            "uid": mention,
        },
        "results": {"uid": mention, "url": _link("{{value}}")},
        "series": {**_each(("expected", "low", "high", "p_negative"), _number()), "exposure": _percent()},
    }
    return dict(formats[name])


def _each(names: Iterable[str], form: Mapping[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(names, form)


def _link(template: str) -> dict[str, Any]:
    params = {"labelTemplate": "{{value}}", "openLinkInCurrentTab": False, "type": "a", "urlTemplate": template}
    return {"id": "url", "params": params}


def _percent() -> dict[str, Any]:
    return {"id": "percent", "params": {"pattern": "0.0%"}}


def _number() -> dict[str, Any]:
    return {"id": "number", "params": {"pattern": "0,0.[0]"}}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def fields(name: str) -> dict[str, str]:
    """Every field of an index that a data view stands for, with its type."""
    for index, _, _, properties, _ in indices():
        if index.endswith(f"-{name}"):
            return dict(flat(properties))
    raise KeyError(name)
