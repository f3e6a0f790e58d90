"""Commands that work on data: parse, import, mentions, export, sources, mail; on a real folder, without a network."""

from __future__ import annotations

import io
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


def test_a_dry_run_tells_every_wrong_row_and_stores_nothing(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "alt.csv").write_bytes(
        "Adresse;Äußerung;Datum\n"
        "https://forum.example/t?p=1;Lodestar ist schön;20.11.2026 08:00\n"
        "https://forum.example/t?p=2;;20.11.2026\n"
        "https://forum.example/t?p=3;Lodestar;neulich\n".encode("cp1252")
    )
    options = ("--map", "text=Äußerung", "--dry-run")
    code, out, err = run(capsys, "import", "alt.csv", *options, "--json")
    told = json.loads(out)
    assert (code, told["good"]) == (1, 1)
    assert [(one["line"], one["field"]) for one in told["bad"]] == [(3, "text"), (4, "published")]
    assert (told["sample"][0]["text"], told["sample"][0]["published"]) == (
        "Lodestar ist schön",
        "2026-11-20T08:00:00+01:00",
    )
    code, out, err = run(capsys, "import", "alt.csv", *options)
    assert (code, "alt.csv:4: published: 'neulich' is no time" in err) == (1, True)
    assert run(capsys, "mentions", "source:import", "--json")[1] == ""
    assert not (place / "alt.csv.rejected").exists()
    assert "Äusserung" in run(capsys, "import", "alt.csv", "--map", "text=Äusserung")[2]
    code, _, err = run(capsys, "import", "alt.csv", "--map", "txt=Datum")
    assert (code, "text" in err) == (2, True)


def test_contacts_are_taken_from_a_file(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "calls.csv").write_text(
        "brand;day;kind;count\nlodestar;2026-11-19;phone;1200\nlodestar;19.11.;phone;1\n", "utf-8"
    )
    assert run(capsys, "contacts", "import", "calls.csv", "--dry-run")[0] == 1
    assert json.loads(run(capsys, "contacts", "list", "--json")[1]) == {"days": []}
    code, _, err = run(capsys, "contacts", "import", "calls.csv")
    assert (code, "calls.csv:3: day: '19.11.' is no day" in err) == (1, True)
    (day,) = json.loads(run(capsys, "contacts", "list", "--json")[1])["days"]
    assert (day["brand"], day["total"], day["negative"], day["per_thousand"]) == ("lodestar", 1200, 0, 0.0)


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


def stored(place: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    """Mentions that are there, by uid."""
    _, out, _ = run(capsys, "mentions", "brand:lodestar", "--json")
    return {mention["uid"]: mention for mention in map(json.loads, out.splitlines())}


@pytest.fixture
def posts(place: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, str]]:
    (place / "old.csv").write_text(
        "url,text,author,published\n"
        + "".join(
            f"https://forum.example/t?p={n},Lodestar was down on day {n},{who},2026-11-1{n}T08:00\n"
            for n, who in enumerate(("Ada", "Ada", "Bo", "Cy"))
        ),
        "utf-8",
    )
    run(capsys, "import", "old.csv")
    return stored(place, capsys)


def test_erase_takes_uids_or_an_author(
    place: Path, posts: dict[str, dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    ada1, ada2, bo, cy = sorted(posts, key=lambda uid: posts[uid]["text"])
    code, out, _ = run(capsys, "erase", "--author", posts[ada1]["author"], "--reason", "asked", "--yes", "--json")
    assert (code, json.loads(out)) == (0, {"erased": sorted([ada1, ada2])})
    assert set(stored(place, capsys)) == {bo, cy}
    assert run(capsys, "erase", bo, bo, "--reason", "asked", "--yes", "--by", "kim")[:2] == (0, "One mention erased.\n")
    assert set(stored(place, capsys)) == {cy}
    run(capsys, "import", "old.csv")
    assert set(stored(place, capsys)) == {cy}
    nobody = run(capsys, "erase", "--author", posts[ada1]["author"], "--reason", "asked")
    assert nobody[:2] == (0, "Nothing was written under this pseudonym.\n")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--reason", "x", "--yes"), "Give uids, or --author"),
        (("a" * 32, "--author", "b" * 32, "--reason", "x", "--yes"), "Give uids, or --author"),
        (("a" * 32, "--yes"), "Say why"),
        (("Ada", "--reason", "x", "--yes"), '"Ada" is no uid or pseudonym'),
        (("a" * 32, "--reason", "x"), "say --yes"),
    ],
)
def test_erase_refuses_what_is_not_clear(
    arguments: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    code, out, err = run(capsys, "erase", *arguments)
    assert (code, out) == (2, "")
    assert told in err


@pytest.mark.parametrize(("answer", "code", "left"), [("n\n", 1, 4), ("y\n", 0, 3)])
def test_erase_asks_on_a_terminal(
    answer: str,
    code: int,
    left: int,
    place: Path,
    posts: dict[str, dict[str, str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    assert run(capsys, "erase", next(iter(posts)), "--reason", "asked")[0] == code
    assert len(stored(place, capsys)) == left
