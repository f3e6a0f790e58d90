"""Kibana beside the pages: the file for its import, and the links that open a search there."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from webhouse import NOW, Enter, configuration

from dashboards.house import House
from dashboards.kibana.objects import HIDDEN, VIEWS, fields, ndjson, objects, view_id
from dashboards.kibana.opening import in_kibana
from pipeline.clock import ManualClock
from pipeline.configuration import Configuration
from pipeline.i18n import Speech
from pipeline.query.tree import EVERYTHING, Field, Query
from pipeline.store.sqlite.store import SqliteStore
from sturmwarte.command import invoke

KIBANA = {"kibana_url": "https://kibana.example/s/pr"}
ELASTIC = {"engine": "elasticsearch", "urls": ("https://search.example:9200",), "prefix": "warte"}


def parsed(view: dict[str, Any], name: str) -> Any:
    """An attribute that is JSON inside of JSON."""
    return json.loads(view["attributes"][name])


@pytest.fixture
def settings() -> Configuration:
    return configuration(store=ELASTIC, public_url="https://warte.example/")


def test_the_file_is_lines_of_objects_and_a_summary(settings: Configuration) -> None:
    text = ndjson(settings)
    assert text == ndjson(settings) and text.endswith("\n")
    *views, summary = (json.loads(line) for line in text.splitlines())
    assert views == objects(settings)
    assert summary["exportedCount"] == len(views) == 4
    assert [view["id"] for view in views] == ["warte-mentions", "warte-events", "warte-results", "warte-series"]
    assert {view["type"] for view in views} == {"index-pattern"}
    assert all(view["references"] == [] and view["attributes"]["title"] == view["id"] for view in views)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", view[key]) for view in views for key in view if key.endswith("Version"))


@pytest.mark.parametrize("name", VIEWS)
def test_data_views_speak_of_fields_that_there_are(settings: Configuration, name: str) -> None:
    """A data view with a field that is no more would be silent about it."""
    view = next(view for view in objects(settings) if view["id"] == view_id(settings, name))
    known = fields(name)
    assert known[view["attributes"]["timeFieldName"]] == "date"
    assert set(parsed(view, "fieldAttrs")) == set(known)
    assert all(said["customDescription"] for said in parsed(view, "fieldAttrs").values())
    formats = parsed(view, "fieldFormatMap")
    assert formats and set(formats) <= set(known)
    fitting = {"percent": {"double"}, "number": {"double", "integer"}, "url": {"keyword"}}
    assert [field for field, form in formats.items() if known[field] not in fitting[form["id"]]] == []
    for pattern in (one["value"] for one in parsed(view, "sourceFilters")):
        assert any(re.fullmatch(pattern.replace(".", r"\.").replace("*", ".*"), field) for field in known), pattern
    assert parsed(view, "runtimeFieldMap") == {} and parsed(view, "fields") == []


def test_values_lead_back_to_the_pages(settings: Configuration) -> None:
    mentions, events, *_ = objects(settings)
    assert parsed(mentions, "fieldFormatMap")["uid"]["params"]["urlTemplate"] == (
        "https://warte.example/mentions/{{value}}"
    )
    assert parsed(events, "fieldFormatMap")["incident"]["params"]["urlTemplate"] == (
        "https://warte.example/incidents/{{value}}"
    )
    assert set(HIDDEN) <= set(VIEWS)


def test_names_are_in_the_language_of_the_pages() -> None:
    german, english = (objects(configuration(language=word))[0] for word in ("de", "en"))
    assert german["attributes"]["name"] == "Sturmwarte: Erwähnungen"
    assert english["attributes"]["name"] == "Sturmwarte: mentions"


def test_the_command_writes_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "sturmwarte.toml", tmp_path / "kibana.ndjson"
    file.write_text('[brands.x]\nname = "Lodestar"\n[store]\nprefix = "warte"\n', "utf-8")
    command = ["dashboards", "export", "kibana", "--config", str(file)]
    assert invoke(command) == 0
    printed = capsys.readouterr().out
    assert next(json.loads(line)["id"] for line in printed.splitlines()) == "warte-mentions"
    assert invoke([*command, "--out", str(out)]) == 0
    assert out.read_text("utf-8") == printed
    assert invoke([*command, "--out", str(out)]) == 2, "never overwritten"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kibana.ndjson", "sturmwarte.toml"]


# --- the link on the page -------------------------------------------------------------------------------------


@pytest.fixture
def at_kibana(seed: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A browser at pages that take the store for one on Elasticsearch."""

    def store(house: House) -> SqliteStore:
        return SqliteStore(seed / "mentions.db", clock=ManualClock(house.clock.now()), read_only=True)

    monkeypatch.setattr(House, "store", store)
    return enter(seed, store=ELASTIC, dashboards=KIBANA)


def link_of(page: str) -> str:
    (found,) = re.findall(r'<a href="(https://kibana[^"]+)" rel="noreferrer">In Kibana öffnen</a>', page)
    return unquote(unescape(found))


def test_a_search_is_opened_in_kibana(at_kibana: Any) -> None:
    address = link_of(at_kibana.get("/mentions?q=hotline+tone:negative&span=24h").text)
    assert address.startswith("https://kibana.example/s/pr/app/discover#/?_g=")
    assert "time:(from:'2026-11-19T10:05:00.000Z',to:'2100-" in address
    assert "dataViewId:'warte-mentions'" in address
    words = 'opinions:{ tone:"negative" } and (stem:"hotlin" or stem:"hotline") and (not is:"copy")'
    assert f"query:'{words}'" in address
    with_copies = link_of(at_kibana.get("/mentions?q=hotline&copies=1&span=all").text)
    assert """query:'stem:"hotlin" or stem:"hotline"'""" in with_copies
    assert "from:'1970-01-01T00:00:00.000Z'" in with_copies


def test_what_kibana_cannot_say_is_said(at_kibana: Any) -> None:
    page = unescape(at_kibana.get('/mentions?q="die hot*"').text)
    assert "In Kibana öffnen" not in page
    assert "Nicht in Kibana: Für eine Wortfolge, deren letztes Wort nur ein Anfang ist" in page
    past = unescape(at_kibana.get("/mentions?q=hotline&as_of=2026-11-20T09:00").text)
    assert "Nicht in Kibana: Kibana kennt nur den jetzigen Stand" in past


def test_a_joined_story_is_asked_for_by_the_id_it_goes_by(seed: Path, folder: Path) -> None:
    store = SqliteStore(folder / "mentions.db", clock=ManualClock(NOW))
    first = next(mention.story for mention in store.scan(EVERYTHING) if mention.is_copy and mention.story)
    older = min(mention.story for mention in store.scan(EVERYTHING) if mention.story not in (None, first))
    store.join_stories(older, first)
    settings = configuration(store=ELASTIC, dashboards=KIBANA)
    query = Query(Field("story", (first,)))
    found = in_kibana(settings, store, query, (None, None), None, Speech("de", settings.timezone))
    store.close()
    assert found is not None and f'story:"{first}" or story:"{older}"' in unquote(found.address)


@pytest.mark.parametrize("changes", [{}, {"store": ELASTIC}, {"dashboards": KIBANA}])
def test_without_kibana_there_is_no_word_of_it(
    changes: dict[str, Any], seed: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SqliteStore(seed / "mentions.db", clock=ManualClock(NOW), read_only=True)
    monkeypatch.setattr(House, "store", lambda house: store)
    assert "Kibana" not in enter(seed, **changes).get("/mentions?q=hotline").text
