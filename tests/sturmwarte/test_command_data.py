"""Commands that work on data: parse, import, mentions, export, sources, mail; on a real folder, without a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sturmwarte import command

CONFIGURATION = """\
contact = "pr@lodestar.example"

[brands.lodestar]
name = "Lodestar"

[sources.blog]
spider = "feed"
url = "http://127.0.0.1:9/feed"

[rules.surge]
rule = "surge"

[receivers.pr]
address = "pr@lodestar.example"

[mail]
server = "127.0.0.1"
port = 9
security = "none"
"""

FEED = """\
<?xml version="1.0"?><rss version="2.0"><channel><title>Blog</title><link>https://blog.example/</link>
<item><title>Lodestar</title><link>https://blog.example/a</link><guid>https://blog.example/a</guid>
<pubDate>Fri, 20 Nov 2026 09:00:00 +0000</pubDate><description>Nothing works.</description></item></channel></rss>
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    (tmp_path / "sturmwarte.toml").write_text(CONFIGURATION, "utf-8")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = command.invoke(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_parse_prints_one_document(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "feed.xml").write_text(FEED, "utf-8")
    code, out, _ = run(capsys, "parse", "--spider", "auto", "--url", "https://blog.example/feed", "feed.xml")
    document = json.loads(out)
    assert (code, document["spider"], document["state"]) == (0, "feed", "ok")
    assert [item["url"] for item in document["items"]] == ["https://blog.example/a"]
    assert {"next", "threads", "items"} <= set(document["links"])
    code, out, err = run(capsys, "parse", "--spider", "fede", "--url", "https://blog.example/feed", "feed.xml")
    assert (code, out) == (2, "")
    assert 'did you mean "feed"?' in err
    assert run(capsys, "parse", "--url", "blog", "feed.xml")[0] == 2
    assert run(capsys, "parse", "--url", "https://blog.example/", "none.xml")[0] == 3


def test_import_search_and_export(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "old.csv").write_text(
        "url,text,author,published\n"
        "https://forum.example/t?p=1,Lodestar is down again,Ada,2026-11-19T08:00\n"
        "nowhere,Lodestar,Bo,\n"
        "https://forum.example/t?p=2,the weather is fine,Cy,2026-11-19T09:00\n",
        "utf-8",
    )
    code, out, err = run(capsys, "import", "old.csv", "--json")
    document = json.loads(out)
    assert (code, document["stored"], document["ignored"], document["rejected"]) == (1, 1, 1, 1)
    assert "old.csv:3: url: 'nowhere' is no address" in err
    assert (place / "old.csv.rejected").read_text("utf-8").splitlines() == [
        "url,text,author,published",
        '"nowhere","Lodestar","Bo",""',
    ]
    code, out, _ = run(capsys, "mentions", "brand:lodestar down", "--json")
    (mention,) = [json.loads(line) for line in out.splitlines()]
    assert (code, mention["text"], mention["historic"]) == (0, "Lodestar is down again", True)
    assert mention["author"] != "Ada"
    assert run(capsys, "export", "--out", "all.jsonl")[0] == 0
    assert [json.loads(line) for line in (place / "all.jsonl").read_text("utf-8").splitlines()] == [mention]
    assert run(capsys, "export", "--out", "all.jsonl")[0] == 2
    code, out, err = run(capsys, "mentions", "brand:(")
    assert (code, out) == (2, "")
    assert err.strip()


def test_sources_are_paused_and_resumed_by_somebody(capsys: pytest.CaptureFixture[str]) -> None:
    def state() -> tuple[str, str]:
        (source,) = json.loads(run(capsys, "sources", "--json")[1])["sources"]
        return source["state"], source["reason"]

    assert state() == ("learning", "")
    assert run(capsys, "sources", "pause", "blog", "--by", "Ada")[0] == 0
    assert state() == ("paused", "paused by Ada")
    assert run(capsys, "sources", "resume", "blog")[0] == 0
    assert state() == ("learning", "")
    assert run(capsys, "sources", "pause", "blgo")[0] == 2


def test_a_mail_server_that_is_down_is_told_and_ends_with_3(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "mail", "test", "--json")
    (receiver,) = json.loads(out)["receivers"]
    assert (code, receiver["receiver"], receiver["sent"]) == (3, "pr", False)
    assert "127.0.0.1" in receiver["error"]
