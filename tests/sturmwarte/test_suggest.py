"""Places that are met often and are no source yet, and what they would give."""

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from zoneinfo import ZoneInfo

from crawlers.sink import store_results
from pipeline.configuration import Configuration
from pipeline.item import RankedResult, ResultList
from pipeline.state.opening import open_state
from sturmwarte.command import invoke
from sturmwarte.preview import Fetched, NoAnswer
from sturmwarte.suggest import previewed, suggestions

NOW = datetime(2026, 11, 22, 6, tzinfo=UTC)
SETTINGS = {
    "contact": "test@example.org",
    "brands": {"nordnetz": {"name": "Nordnetz", "domains": ["nordnetz.example"]}},
    "sources": {"brett": {"spider": "phpbb", "url": "https://brett.example/"}},
}
PLACES = [
    (f"https://{host}/{n}", "Ärger mit Nordnetz")
    for host in ("forum.example", "hilfe.nordnetz.example", "brett.example")
    for n in range(3)
]


def said(url: str, text: str = ""):
    return SimpleNamespace(crawled=SimpleNamespace(url=url, text=text))


def found():
    mentions = [
        said("https://blog.example/1", "Steht auch in https://forum.example/9."), said("https://blog.example/2")
    ]  # fmt: skip
    return suggestions(Configuration.model_validate(SETTINGS), "nordnetz", PLACES, mentions)


def test_neither_sources_nor_own_places_nor_chance():
    assert [(one.domain, one.results, one.mentions) for one in found()] == [
        ("forum.example", 3, 1),
        ("blog.example", 0, 2),
    ]
    other = [(url, "Etwas anderes") for url, _ in PLACES]
    assert suggestions(Configuration.model_validate(SETTINGS), "nordnetz", other, []) == []


def test_a_preview_says_what_would_be_read_and_what_to_paste():
    forum = found()[0]
    feed = b"<rss><channel><item><title>A</title><link>https://forum.example/1</link></item></channel></rss>"
    seen = previewed(forum, lambda url: Fetched(url, feed), NOW, ZoneInfo("UTC"))
    assert (seen.spider, seen.items) == ("feed", 1)
    assert seen.lines == '[sources.forum-example]\nspider = "feed"\nurl = "https://forum.example/"\n'

    def closed(url: str) -> Fetched:
        raise NoAnswer("robots.txt of forum.example forbids it")

    seen = previewed(forum, closed, NOW, ZoneInfo("UTC"))
    assert (seen.lines, seen.problem) == ("", "robots.txt of forum.example forbids it")


def test_the_command_without_the_network(tmp_path, capsys):
    config = tmp_path / "sturmwarte.toml"
    config.write_text(
        f'contact = "a@example.org"\ndata = "{tmp_path}"\n[brands.nordnetz]\nname = "Nordnetz"\n', "utf-8"
    )
    state = open_state(tmp_path)
    rows = tuple(RankedResult(position=n, url=url, title=title) for n, (url, title) in enumerate(PLACES[:2], start=1))
    store_results(state, ResultList(source="s", query="q", at=NOW, results=rows))
    state.close()
    assert invoke(["sources", "suggest", "nordnetz", "--offline", "--json", "--config", str(config)]) == 0
    [one] = json.loads(capsys.readouterr().out)["suggestions"]
    assert (one["domain"], one["results"], one["spider"]) == ("forum.example", 2, "")
    assert invoke(["sources", "suggest", "nordnetz", "--offline", "--config", str(config)]) == 0
    assert "forum.example" in capsys.readouterr().out
    assert invoke(["sources", "suggest", "niemand", "--offline", "--config", str(config)]) != 0
