"""The command line from outside: shapes, exit codes, and sentences where something is wrong."""

from __future__ import annotations

import ast
import io
import json
import sys
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from pipeline.i18n import _catalogue
from pipeline.toml import Registry
from sturmwarte import command, registry


class Options(BaseModel):
    model_config = ConfigDict(extra="forbid")
    queries: tuple[str, ...] = ()


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, English, no configuration, and plug-ins that load at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "en_GB.UTF-8")
    monkeypatch.setenv("STURMWARTE_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("STURMWARTE_CONFIG", raising=False)
    known = Registry({"feed": Options, "searxng": Options}, {"surge": Options}, {"email": Options})
    monkeypatch.setattr(registry, "build_registry", lambda: known)
    return tmp_path


class Run:
    """One command line and what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._capsys.readouterr()
        code = command.invoke(arguments)
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err

    def json(self, *arguments: str) -> tuple[int, Any]:
        code, out, _ = self(*arguments, "--json")
        return code, json.loads(out)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)


def test_match_works_without_configuration(run: Run) -> None:
    code, found = run.json("match", "Die Telekom-Hotline und die S-Bahn")
    assert code == 0
    assert found["text"] == "Die Telekom-Hotline und die S-Bahn"
    assert [(hit["brand"], hit["term"], hit["start"], hit["end"]) for hit in found["brands"]] == [
        ("telekom", "Telekom-Hotline", 4, 19)
    ]
    assert [hit["brand"] for hit in found["rejected"]] == ["bahn"]
    assert {"brand", "term", "start", "end", "why"} <= set(found["brands"][0])


def test_match_says_what_a_text_without_a_name_nearly_spells(run: Run) -> None:
    code, found = run.json("match", "Seit gestern ist die Tlekon tot")
    assert (code, found["brands"], found["rejected"]) == (0, [], [])
    assert found["nearest"] == [{"word": "Tlekon", "brand": "telekom", "name": "Telekom"}]
    _, out, _ = run("match", "Seit gestern ist die Tlekon tot")
    assert "Tlekon" in out and "Telekom (telekom)" in out
    _, out, _ = run("match", "Schönes Wetter")
    assert out.count("\n") == 1 and "(" not in out


def test_match_reads_lines_and_answers_one_line_each(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Telekom\n\nnichts davon\n"))
    code, out, _ = run("match", "-", "--json")
    assert code == 0
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer["text"] for answer in answers] == ["Telekom", "", "nichts davon"]
    assert [len(answer["brands"]) for answer in answers] == [1, 0, 0]


@pytest.mark.parametrize("head", ["[brands.lodestar]", "[lodestar]"])
def test_match_takes_brands_from_a_file(run: Run, place: Path, head: str) -> None:
    file = place / "brands.toml"
    file.write_text(f'{head}\nnames = ["Lodestar"]\n', "utf-8")
    assert run.json("match", "Telekom or Lodestar?", "--brands", str(file))[1]["brands"][0]["brand"] == "lodestar"
    file.write_text(f'{head}\nnmaes = ["Lodestar"]\n', "utf-8")
    code, out, err = run("match", "x", "--brands", str(file), "--json")
    assert (code, out) == (2, "")
    assert f"{file}:2: " in err
    assert 'did you mean "names"?' in err


def test_check_tells_findings_with_place_and_ends_with_2(run: Run, place: Path) -> None:
    (place / "sturmwarte.toml").write_text('contact = "a@example.org"\n[brands.x]\nname = "X"\nnmaes = []\n', "utf-8")
    code, out, err = run("check")
    assert (code, out) == (2, "")
    assert err == 'sturmwarte.toml:4: brands.x.nmaes: unknown key, did you mean "names"?\n'
    code, found = run.json("check")
    assert code == 2
    assert found["valid"] is False
    assert (found["findings"][0]["line"], found["findings"][0]["nearest"]) == (4, "names")


def test_check_without_a_file_says_what_to_do(run: Run) -> None:
    code, _, err = run("check")
    assert code == 2
    assert "sturmwarte init" in err


def test_check_is_content_with_notes_unless_strict(run: Run, place: Path) -> None:
    (place / "sturmwarte.toml").write_text("", "utf-8")
    code, _, err = run("check")
    assert code == 0
    assert "nothing is crawled without a contact address" in err
    assert run("check", "--strict")[0] == 1


INIT = ("init", "--yes", "--no-preview", "--brand", "Lode & Star", "--domain", "lodestar.example")


def test_init_writes_a_configuration_that_check_accepts(run: Run, place: Path) -> None:
    more = ("--contact", "pr@lodestar.example", "--receiver", "pr@lodestar.example", "--mail-server", "127.0.0.1:2525")
    sources = ("--source", "http://127.0.0.1:8000/feed", "--source", "searxng=http://127.0.0.1:8080/search")
    code, out, _ = run(*INIT, *more, *sources)
    assert code == 0
    assert "sturmwarte check" in out
    code, _, err = run("check")
    assert code == 0
    assert "no receiver" not in err
    from sturmwarte.commands.shared import load_file

    configuration = load_file(place / "sturmwarte.toml")
    assert configuration.brands["lode-und-star"].domains == ("lodestar.example",)
    assert (configuration.mail.server, configuration.mail.port, configuration.mail.security) == (
        "127.0.0.1",
        2525,
        "none",
    )
    assert [(s.spider, s.options) for s in configuration.sources.values()] == [
        ("feed", {}),
        ("searxng", {"queries": ["Lode & Star"]}),
    ]
    assert configuration.crawl.allow_private == ("127.0.0.1",)


def test_init_shows_what_it_would_find(run: Run) -> None:
    code, found = run.json(*INIT)
    assert code == 0
    assert [len(sample["brands"]) for sample in found["samples"]] == [1, 1, 0]


@pytest.mark.parametrize("language", ["de", "en"])
def test_init_writes_both_languages_and_hostile_names(run: Run, place: Path, language: str) -> None:
    name = 'Say "x"\\ ${y} \x07'
    code, _, err = run("init", "--yes", "--brand", name, "--language", language)
    assert (code, err.count("\n")) == (0, 3)
    from sturmwarte.commands.shared import load_file

    assert [b.name for b in load_file(place / "sturmwarte.toml").brands.values()] == ['Say "x"\\ ${y} ']


def test_init_keeps_an_existing_file_unless_forced(run: Run, place: Path) -> None:
    (place / "sturmwarte.toml").write_text("# mine\n", "utf-8")
    code, _, err = run(*INIT)
    assert code == 2
    assert "--force" in err
    assert (place / "sturmwarte.toml").read_text("utf-8") == "# mine\n"
    assert run(*INIT, "--force")[0] == 0


def test_init_needs_a_brand_and_a_sensible_mail_server(run: Run) -> None:
    assert run("init", "--yes")[0] == 2
    assert run(*INIT, "--mail-server", "host:port")[0] == 2
    assert run(*INIT, "--source", "nothing")[0] == 2
    code, _, err = run(*INIT, "--source", "fede=https://a.example/")
    assert code == 2
    assert 'did you mean "feed"?' in err


@pytest.mark.parametrize(
    "arguments", [("run",), ("crawl",), ("mail", "test"), ("sources", "pause", "x"), ("import", "f.csv")]
)
def test_commands_that_need_a_configuration_say_so(run: Run, arguments: tuple[str, ...]) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "sturmwarte init" in err


def test_mentions_of_an_empty_folder_are_none(run: Run) -> None:
    code, out, err = run("mentions", "telekom", "--json")
    assert (code, out) == (0, "")
    assert "Nothing is stored yet" in err


def test_unknown_incidents_and_rules_are_refused(run: Run) -> None:
    assert run.json("incidents") == (0, {"incidents": []})
    code, _, err = run("ack", "R-0007", "--by", "Ada")
    assert code == 2
    assert "there is no incident R-0007" in err
    assert run("ack", "seven")[0] == 2
    assert run("silence", "add", "--reason", "x")[0] == 2
    code, _, err = run("silence", "add", "--reason", "test", "--rule", "surge")
    assert code == 2
    assert 'there is no rule "surge"' in err


def test_silences_name_who_why_and_until(run: Run, place: Path) -> None:
    (place / "sturmwarte.toml").write_text('[brands.lodestar]\nname = "Lodestar"\n', "utf-8")
    assert run("silence", "add", "--reason", "fair", "--brand", "lodstar")[0] == 2
    code, made = run.json("silence", "add", "--reason", "fair", "--brand", "lodestar", "--for", "2h", "--by", "Ada")
    assert (code, made["by"]) == (0, "Ada")
    _, listed = run.json("silence")
    assert [(s["brand"], s["by"], s["reason"]) for s in listed["silences"]] == [("lodestar", "Ada", "fair")]
    assert run("silence", "end", str(made["id"]))[0] == 0
    assert run("silence", "end", str(made["id"]))[0] == 2
    assert run.json("silence") == (0, {"silences": []})


def test_bad_times_name_the_option(run: Run) -> None:
    code, _, err = run("mentions", "x", "--from", "gestern")
    assert code == 2
    assert "--from" in err


def test_doctor_of_an_empty_folder_is_well(run: Run) -> None:
    code, found = run.json("doctor")
    assert (code, found["good"]) == (0, True)
    assert {check["name"] for check in found["checks"]} >= {"version", "folder", "disk", "spool", "quarantine"}


def test_the_help_of_mentions_says_what_json_it_prints(run: Run) -> None:
    _, out, _ = run("mentions", "--help")
    assert "NDJSON" in out and "one JSON document for machines" not in " ".join(out.split())
    assert "NDJSON" not in run("incidents", "--help")[1]


def test_german_is_spoken_where_the_locale_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    code, _, err = run("run")
    assert code == 2
    assert "Hier ist keine sturmwarte.toml" in err


def test_unknown_words_are_wrong_usage(run: Run) -> None:
    assert run("no-such-command")[0] == 2
    assert run("match")[0] == 2
    assert run("--help")[0] == 0


def test_a_server_that_is_not_there_is_one_sentence(run: Run, place: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Without a line for each try."""
    (place / "sturmwarte.toml").write_text(
        '[store]\nengine = "elasticsearch"\nurls = ["http://127.0.0.1:9"]\n', "utf-8"
    )
    code, out, err = run("store", "check")
    assert (code, out) == (3, "") and "cannot be reached" in err and err.count("\n") == 1
    assert [record for record in caplog.records if record.name.startswith("elastic_transport")] == []


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[store]\nengine = "elasticsearch"\nurls = ["http://127.0.0.1:9"]\npatience = "1s"\n', "cannot be reached"),
        ('[state]\nurl_file = "nowhere"\n', "nowhere"),
    ],
)
def test_doctor_names_a_server_that_cannot_be_used(run: Run, place: Path, table: str, said: str) -> None:
    (place / "sturmwarte.toml").write_text(table, "utf-8")
    code, told = run.json("doctor")
    broken = [check for check in told["checks"] if not check["good"]]
    assert code == 1 and len(broken) == 1 and said in str(broken)


def test_every_phrase_of_the_command_line_exists_in_both_languages() -> None:
    keys = {key for key in _catalogue("de") if key.startswith(("command.", "finding."))}
    assert keys == {key for key in _catalogue("en") if key.startswith(("command.", "finding."))}
    for file in Path(command.__file__).parent.glob("**/*.py"):
        for text in _helps(file):
            assert f"command.{text}" in keys, f"{file.name}: {text}"


@pytest.mark.parametrize("language", ["de", "en"])
def test_help_says_nothing_that_would_be_taken_for_markup(language: str) -> None:
    """A word in square brackets would not be printed."""
    texts = {
        key: text for key, text in _catalogue(language).items() if key.startswith(("command.help", "command.option"))
    }
    assert texts and not [key for key, text in texts.items() if "[" in text]


def _helps(file: Path) -> set[str]:
    texts = [node.value for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Constant)]
    return {
        text
        for text in texts
        if isinstance(text, str) and text.startswith(("help.", "option.")) and " " not in text and len(text) > 7
    }


def test_speech_never_lacks_a_help_text(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for language in ("de_DE", "en_GB"):
        monkeypatch.setenv("LC_ALL", language)
        for words in (*command.COMMANDS, *command.GROUPS, "silence add", "sources now", "mail test"):
            code, out, _ = run(*words.split(), "--help")
            assert code == 0
            assert "help." not in out
            assert "option." not in out


def test_our_import_names_belong_to_our_distribution() -> None:
    owners = packages_distributions()
    for name in ("alerts", "crawlers", "dashboards", "pipeline", "sturmwarte"):
        module = __import__(name)
        assert module.__file__ is not None
        ours = Path(command.__file__).parent.parent
        assert Path(module.__file__).is_relative_to(ours), f"{name} is {module.__file__}"
        assert set(owners.get(name, ["sturmwarte"])) == {"sturmwarte"}
