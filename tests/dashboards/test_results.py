"""Result lists on the page, through the interface and on the command line: the same numbers."""

import json
from datetime import timedelta

from webhouse import NOW

from crawlers.sink import store_results
from pipeline.item import RankedResult, ResultList
from pipeline.state.opening import open_state
from sturmwarte.command import invoke


def fill(folder, *runs):
    state = open_state(folder)
    for hours, urls, silent in runs:
        rows = tuple(RankedResult(position=n, url=url, title=f"Titel <{n}>") for n, url in enumerate(urls, start=1))
        at = NOW - timedelta(hours=hours)
        store_results(state, ResultList(source="suche", query="hotline", at=at, results=rows, unresponsive=silent))
    state.close()


A, B, C = (f"https://{name}.example/" for name in "abc")


def test_page_interface_and_command_say_the_same(folder, enter, capsys):
    fill(folder, (2, [A, B], ()), (1, [B, C], ()))
    browser = enter(folder)
    [found] = browser.get("/api/results").json()["results"]
    changes = [(place["url"], place["position"], place["before"], place["change"]) for place in found["places"]]
    assert changes == [(B, 1, 2, "up"), (C, 2, None, "entered"), (A, None, 1, "left")]
    assert found["counts"] | {"own": 0} == {
        "own": 0, "critical": 0, "neutral": 2, "entered": 1, "left": 1, "up": 1, "down": 0, "same": 0
    }  # fmt: skip
    page = browser.get("/results?lang=de").text
    assert "neu 1, verschwunden 1, gestiegen 1, gefallen 0, gleich 0" in page
    assert "Titel &lt;1&gt;" in page
    assert browser.get("/api/results?query=anderes").json() == {"results": []}
    config = folder / "sturmwarte.toml"
    config.write_text(f'data = "{folder}"\n', "utf-8")
    assert invoke(["results", "hotline", "--json", "--config", str(config)]) == 0
    [told] = json.loads(capsys.readouterr().out)["results"]
    assert [(place["url"], place["change"]) for place in told["places"]] == [(u, c) for u, _, _, c in changes]
    assert told["counts"] == found["counts"]
    assert invoke(["results", "--config", str(config)]) == 0
    assert C in capsys.readouterr().out


def test_a_list_without_an_engine_says_so(folder, enter):
    fill(folder, (2, [A, B], ()), (1, [], (("langsam", "timeout"),)))
    browser = enter(folder)
    [found] = browser.get("/api/results").json()["results"]
    assert (found["before"], found["reason"], found["places"]) == (None, "unresponsive", [])
    assert "nicht geantwortet hat: langsam" in browser.get("/results?lang=de").text
