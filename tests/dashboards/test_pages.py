"""The pages: the right numbers, hostile text escaped, every state with a sentence, both languages."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from msgspec.structs import replace
from webhouse import HOSTILE, NOW, Enter, configuration, mention, seeded

from alerts.situation import facts
from dashboards.reader import LANGUAGES
from dashboards.web.rendering import environment
from pipeline.clock import ManualClock
from pipeline.i18n import Speech, _catalogue
from pipeline.state.opening import open_state
from pipeline.store.sqlite.store import SqliteStore

PATHS = [
    "/", "/mentions", "/mentions?q=hotline&copies=1&span=all", "/incidents", "/incidents/R-0001",
    "/incidents/R-0001?action=acknowledge", "/sources", "/sources/portal-d", f"/mentions/{seeded()[0].uid}", "/api",
]  # fmt: skip


def words(page: str) -> str:
    """What a person reads of a page."""
    text = re.sub(r"<(script|style).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text))).replace("\u2060", "")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PATHS)
def test_every_page_in_both_languages(browser: TestClient, path: str, language: str) -> None:
    answer = browser.get(path, headers={"Accept-Language": language})
    assert answer.status_code == 200
    assert f'<html lang="{language}">' in answer.text
    assert " style=" not in answer.text and "<style" not in answer.text and "javascript:" not in answer.text
    loaded = re.findall(r'(?:src|srcset|<link[^>]* href)="([^"]+)"', answer.text)
    assert loaded and all(place.startswith("/") for place in loaded)


def test_the_situation_shows_the_numbers_of_the_facts(browser: TestClient, seed: Path) -> None:
    clock = ManualClock(NOW)
    store, state = SqliteStore(seed / "mentions.db", clock=clock, read_only=True), open_state(seed)
    found = facts(configuration(), store, state, "nordnetz", NOW)
    store.close()
    state.close()
    assert found.window_end == NOW - timedelta(minutes=5)  # what is read completely, in whole cells
    assert found.persons == 28  # of thirty and the hostile one, three spoke later
    text = words(browser.get("/").text)
    assert "Nordnetz: 28 Personen äußern sich" in text
    assert "Kopien nicht gezählt" in text
    assert "1 von 4 Quellen ist blind: Portal D liefert seit 35 min nichts (Anmeldung verlangt)." in text
    assert text.index("Nordnetz: 28") < text.index("Gleisbahn:")
    api = browser.get("/api/situation").json()["brands"]
    assert (api[0]["brand"], api[0]["persons"], api[0]["level"]) == ("nordnetz", 28, 3)
    assert 'sturmwarte_persons{brand="nordnetz"} 28.0' in browser.get("/metrics").text


def test_a_number_leads_to_its_mentions(browser: TestClient) -> None:
    page = browser.get("/").text
    path = unescape(re.findall(r'<dd><a href="(/mentions[^"]+)">28</a></dd>', page)[0])
    text = words(browser.get(path).text)
    assert "28 Personen, 28 Beiträge" in text


def test_what_a_number_counts_and_its_link_does_not_find_is_said(folder: Path, enter: Enter) -> None:
    late = mention("late", "Nordnetz gestört, Hotline schweigt.", at=NOW - timedelta(hours=4))
    with closing(SqliteStore(folder / "mentions.db", clock=ManualClock(NOW))) as store:
        store.write([replace(late, fed_bin=NOW - timedelta(minutes=30), late=True)])
    page = enter(folder).get("/").text
    path = unescape(re.findall(r'<dd><a href="(/mentions[^"]+)">29</a></dd>', page)[0])
    assert "in der Suche hinter den Zahlen nicht dabei: 1" in words(page)
    assert "28 Personen, 28 Beiträge" in words(enter(folder).get(path).text)


def test_only_the_first_open_incident_has_a_filled_button(browser: TestClient) -> None:
    assert browser.get("/").text.count('class="filled"') == 1


def test_hostile_text_is_text(browser: TestClient) -> None:
    page = browser.get("/mentions?q=anschluss").text
    assert "<script>alert" not in page
    assert HOSTILE.replace("<", "&lt;").split("hotline")[0].replace(">", "&gt;").replace("'", "&#39;") in page
    assert "javascript:alert" not in page and 'href=""' not in page


def test_copies_are_grouped_and_can_be_shown(browser: TestClient) -> None:
    hidden = words(browser.get("/mentions?q=hotline+tone:negative").text)
    assert "31 Personen, 31 Beiträge, 2 Kopien ausgeblendet" in hidden and "+2 Kopien" in hidden
    assert "33 Beiträge" in words(browser.get("/mentions?q=hotline+tone:negative&copies=1").text)


def test_filters_join_the_search_and_leave_it_again(browser: TestClient) -> None:
    page = browser.get("/mentions?q=nordnetz+OR+gleisbahn&brand=gleisbahn").text
    assert 'value="(nordnetz OR gleisbahn) brand:gleisbahn"' in page
    assert "1 Person, 1 Beitrag" in words(page)
    chosen = re.findall(r'href="([^"]+)" aria-current="true"><span class="box">☑', page)
    assert "brand%3Agleisbahn" not in chosen[0]


def test_paging_visits_every_mention_once(browser: TestClient) -> None:
    path: str | None = "/mentions?span=all&copies=1"
    seen: list[str] = []
    while path:
        page = browser.get(path).text
        seen += re.findall(r'<li class="mention" id="m-([0-9a-f]{32})"', page)
        following = re.findall(r'href="([^"]+)" rel="next"', page)
        path = unescape(following[0]) if following else None
    assert sorted(seen) == sorted(mention.uid for mention in seeded())


def test_a_broken_search_points_at_the_character(browser: TestClient) -> None:
    answer = browser.get("/mentions", params={"q": "hotline AND (rückruf"})
    assert answer.status_code == 400
    assert "hotline AND (rückruf\n            ^</pre>" in unescape(answer.text)
    answer = browser.get("/mentions", params={"q": "brand:nordnets"})
    assert answer.status_code == 400 and "nordnetz" in answer.text


@pytest.mark.parametrize(("name", "value"), [("from", "gestern"), ("as_of", "2026-13-01"), ("span", "7 Tage")])
def test_a_wrong_parameter_is_told(browser: TestClient, name: str, value: str) -> None:
    assert browser.get("/mentions", params={name: value}).status_code == 400
    told = browser.get("/api/mentions", params={name: value})
    assert told.status_code == 400 and told.json()["field"] == name


def test_as_of_shows_what_was_known(browser: TestClient) -> None:
    before = (NOW - timedelta(hours=1)).isoformat()
    assert "0 Personen, 0 Beiträge" in words(browser.get("/mentions", params={"as_of": before}).text)
    after = (NOW - timedelta(seconds=30)).isoformat()
    assert "35 Beiträge" in words(browser.get("/mentions", params={"as_of": after}).text)


def test_the_incident_page(browser: TestClient) -> None:
    page = browser.get("/incidents/R-0001").text
    text = words(page)
    assert "R-0001 Hotline" in text and "30 Erwähnungen gehören dazu" in text
    assert "Vorgang eröffnet, Stufe 3" in text and "versandt · PR-Dienst" in text
    assert page.count('class="filled"') == 1


def test_a_source_page(browser: TestClient) -> None:
    text = words(browser.get("/sources/forum-a").text)
    assert "aktuell" in text and "1.204" in text and "http://forum-a.test/f1" in text and "12,3" in text


@pytest.mark.parametrize(
    "path", ["/nothing", "/incidents/R-0099", "/incidents/R-x", "/sources/x", "/mentions/abc", "/mailbox"]
)
def test_what_is_not_there_is_said(browser: TestClient, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 404 and "Unter dieser Adresse ist nichts." in answer.text


def test_an_empty_folder_has_designed_pages(tmp_path: Path, enter) -> None:  # type: ignore[no-untyped-def]
    client = enter(tmp_path)
    for path in ("/", "/mentions", "/incidents", "/sources", "/mentions/abc"):
        answer = client.get(path)
        assert answer.status_code == 200 and "Die Warte läuft an" in answer.text
    assert client.get("/healthz").status_code == 503
    assert client.get("/api/mentions").json() == {
        "message": "mentions.db is not there yet", "field": None, "position": None,
    }  # fmt: skip
    assert "sturmwarte_up 0.0" in client.get("/metrics").text


def test_nothing_found_is_a_sentence_with_a_next_step(browser: TestClient) -> None:
    assert "Ohne Zeitgrenze suchen" in browser.get("/mentions?q=gibtesnicht").text


def test_charts_follow_light_and_dark(browser: TestClient) -> None:
    light = browser.get("/charts/nordnetz.svg")
    dark = browser.get("/charts/nordnetz.svg?dark=1")
    assert light.headers["content-type"] == "image/svg+xml" and light.text.startswith("<svg")
    assert "#17202b" in light.text and "#17202b" not in dark.text and "#e8edf2" in dark.text
    assert browser.get("/charts/unknown.svg").status_code == 404


def test_the_language_is_kept(browser: TestClient) -> None:
    assert "Situation" in browser.get("/?lang=en").text
    assert 'lang="en"' in browser.get("/sources").text


def test_both_catalogues_have_the_same_phrases() -> None:
    german, english = ({key for key in _catalogue(one) if key.startswith("pages.")} for one in LANGUAGES)
    assert german == english


def test_every_phrase_of_a_template_exists() -> None:
    for name in environment.list_templates(extensions=["html"]):
        source = environment.loader.get_source(environment, name)[0]  # type: ignore[union-attr]
        for key in re.findall(r'say\(["\'](pages\.[\w.]+)["\'][,)]', source):
            assert {key, f"{key}.other"} & set(_catalogue("de")), f"{name}: {key}"


def test_a_time_of_day_is_local() -> None:
    assert Speech("de", configuration().timezone).clock_time(NOW) == "11:05"


@pytest.mark.parametrize(
    ("path", "parameters", "status"),
    [
        ("/charts/nordnetz.svg", {"at": "0001-01-01T00:00:00Z"}, 200),
        ("/charts/nordnetz.svg", {"at": "9999-12-31T23:59:59Z"}, 200),
        ("/charts/nordnetz.svg", {"at": "gestern"}, 422),
        ("/mentions", {"q": "\x00"}, 400),
        ("/mentions", {"q": "a" * 2500}, 400),
        ("/mentions", {"q": "(" * 300}, 400),
        ("/mentions", {"after": "nonsense"}, 303),
        ("/mentions", {"from": "0001-01-01"}, 400),
        ("/mentions", {"to": "9999-12-31T23:59:59-12:00"}, 400),
        ("/mentions", {"span": "999999999d"}, 400),
        ("/mentions", {"q": "incident:99999999999999999999"}, 400),
        ("/incidents/R-99999999999999999999", {}, 404),
        ("/incidents/²", {}, 404),
        ("/sources/%00", {}, 404),
    ],
)
def test_odd_addresses_are_answered(browser: TestClient, path: str, parameters: dict[str, str], status: int) -> None:
    assert browser.get(path, params=parameters).status_code == status
