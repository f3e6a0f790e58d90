"""``sources add``: what stands at an address is shown, and its source written into the configuration."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from pipeline.state.opening import open_state
from pipeline.state.tables import source
from sturmwarte import command, preview

CONFIGURATION = """\
contact = "pr@lodestar.example"  # wir

[brands.lodestar]
name = "Lodestar"

[sources.blog]            # das Blog
spider = "feed"
url = "https://blog.example/feed"

[receivers.pr]
address = "pr@lodestar.example"
"""
FEED = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>News</title><item><title>Lodestar</title>
<link>https://news.example/a</link><pubDate>Fri, 20 Nov 2026 09:00:00 +0000</pubDate></item></channel></rss>"""
HOME = b"""<html><head><link rel="alternate" type="application/rss+xml" href="/feed.xml"></head><body>
<h1>News</h1><p>Alles Neue.</p></body></html>"""
PAGES: Mapping[str, bytes] = {
    "https://news.example/": HOME,
    "https://news.example/feed.xml": FEED,
    "https://blog.example/feed": FEED,
    "http://127.0.0.1:8000/feed": FEED,
    "https://plain.example/": b"<html><body><p>Impressum</p></body></html>",
}


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def fetch(url: str) -> preview.Fetched:
        if url not in PAGES:
            raise preview.NoAnswer("the server answers 404")
        return preview.Fetched(url, PAGES[url])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setattr(preview, "fetcher", lambda contact, allow: fetch)
    place = tmp_path / "sturmwarte.toml"
    place.write_text(CONFIGURATION, "utf-8")
    place.chmod(0o640)
    return place


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = command.invoke(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_a_page_leads_to_its_feed_and_the_rest_of_the_file_stays(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "sources", "add", "https://news.example/", "--about", "lodestar", "--yes")
    assert (code, err) == (0, "")
    assert "https://news.example/feed.xml: lesbar mit" in out
    new = '[sources.news-example]\nspider = "feed"\nurl = "https://news.example/feed.xml"\nabout = "lodestar"\n\n'
    assert file.read_text("utf-8") == CONFIGURATION.replace("[receivers.pr]", new + "[receivers.pr]")
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(file.parent.iterdir()) == [file]


def test_options_go_along_and_machines_get_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--spider", "searxng", "--no-preview", "--id", "suche", "--set", 'queries=["lodestar"]', "--json")
    code, out, _ = run(capsys, "sources", "add", "http://127.0.0.1:8888", *options)
    assert (code, json.loads(out)["source"]) == (0, "suche")
    table = tomllib.loads(file.read_text("utf-8"))
    assert table["sources"]["suche"]["queries"] == ["lodestar"]
    assert table["crawl"]["allow_private"] == ["127.0.0.1"]
    run(capsys, "sources", "add", "http://127.0.0.1:8000/feed", "--yes")
    assert tomllib.loads(file.read_text("utf-8"))["crawl"]["allow_private"] == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("https://plain.example/",), "nicht lesbar"),
        (("https://nobody.example/",), "404"),
        (("https://blog.example/feed",), "schon beobachtet, als Quelle blog"),
        (("https://news.example/", "--id", "blog"), "Quelle blog gibt es schon"),
        (("https://news.example/", "--about", "lodestr"), "lodestar"),
        (("https://news.example/", "--spider", "fed"), "feed"),
        (("https://news.example/", "--set", "full_txt=true"), "full_text"),
        (("https://news.example/", "--set", "x"), "--set x"),
        (("mailto:x@y.example",), "mailto:x@y.example"),
    ],
)
def test_what_cannot_be_added_is_told_and_nothing_is_written(
    file: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    code, _, err = run(capsys, "sources", "add", *arguments, "--yes")
    assert code in (1, 2)
    assert said in err
    assert file.read_text("utf-8") == CONFIGURATION
    assert list(file.parent.iterdir()) == [file]


def hot(file: Path) -> dict[str, tuple[float, object]]:
    with closing(open_state(file.parent / "data")) as state, state.read() as connection:
        return {row.id: (row.hot_s, row.hot_until) for row in connection.execute(sa.select(source)) if row.hot_s}


def test_a_place_is_watched_at_once_and_added_where_nobody_does_yet(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "sources", "watch", "https://news.example/", "--for", "2h", "--json")
    told = json.loads(out)
    assert (code, err, told["source"], told["every_s"]) == (0, "", "news-example", 60.0)
    assert tomllib.loads(file.read_text("utf-8"))["sources"]["news-example"]["spider"] == "feed"
    (name, (every, until)), *others = hot(file).items()
    assert (name, every, others) == ("news-example", 60.0, [])
    assert until == datetime.fromisoformat(told["until"])
    code, out, _ = run(capsys, "sources", "watch", "blog", "--every", "2m")
    assert (code, hot(file)["blog"][0]) == (0, 120.0)
    assert "blog wird bis" in out


def test_a_tag_is_watched_on_a_server(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "sources", "watch", "#lodestar")
    assert (code, "--at https://mastodon.social" in err) == (2, True)
    assert run(capsys, "sources", "watch", "#Lodestar", "--at", "https://social.example")[0] == 0
    table = tomllib.loads(file.read_text("utf-8"))["sources"]["tag-lodestar"]
    assert table == {"spider": "mastodon", "url": "https://social.example", "tags": ["Lodestar"]}
    assert run(capsys, "sources", "watch", "#lodestar", "--every", "5m")[0] == 0
    assert hot(file)["tag-lodestar"][0] == 300.0
    assert run(capsys, "sources", "watch", "#lodestar", "--for", "bald")[0] == 2
