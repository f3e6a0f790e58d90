"""The documentation is true: pages are fresh, plug-ins explain themselves, links and commands exist."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel, ConfigDict, Field

from alerts.notifiers.registry import notifiers
from alerts.registry import rules
from crawlers.registry import spiders
from pipeline import toml
from pipeline.query.fields import MEANINGS, SHAPES
from pipeline.store.elastic.meanings import flat, indices
from sturmwarte import reference
from sturmwarte.command import build
from sturmwarte.reference_types import default_of, type_of
from sturmwarte.registry import build_registry

ROOT = Path(__file__).parents[1]
WRITTEN = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
KINDS: dict[str, Any] = {
    f"{room}: {name}": kind
    for room, kinds in {"spider": spiders(), "rule": rules(), "notifier": notifiers()}.items()
    for name, kind in kinds.items()
}
BASE = """
contact = "somebody@example.org"
[brands.acme]
name = "Acme"
"""


@pytest.mark.parametrize("name", sorted(reference.pages()))
def test_reference_pages_are_fresh(name: str) -> None:
    written = (ROOT / "docs/reference" / name).read_text("utf-8")
    assert written == reference.pages()[name], "run `make docs` and commit docs/reference"


def test_no_reference_page_is_left_over() -> None:
    assert {path.name for path in (ROOT / "docs/reference").iterdir()} == set(reference.pages())


def test_writing_removes_what_is_no_page_any_more(tmp_path: Path) -> None:
    (tmp_path / "old.md").write_text("gone")
    assert sorted(path.name for path in reference.write(tmp_path)) == sorted(reference.pages())
    assert not (tmp_path / "old.md").exists()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_plugins_say_what_they_are(kind: Any) -> None:
    assert kind.description.endswith("."), "a sentence"
    undescribed = [name for name, field in kind.Options.model_fields.items() if not field.description]
    assert undescribed == []


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_examples_of_plugins_are_accepted(kind: Any, tmp_path: Path) -> None:
    example = kind.example
    assert kind.name in example
    file = tmp_path / "sturmwarte.toml"
    file.write_text(BASE + example, "utf-8")
    configuration = toml.load(file, build_registry())
    given = tomllib.loads(example)
    assert {name: list(getattr(configuration, name)) for name in given} == {name: list(given[name]) for name in given}


def test_every_key_of_the_configuration_is_described() -> None:
    rows = [line for line in reference.configuration_page().splitlines() if line.startswith("| `")]
    assert len(rows) > 50
    assert [row for row in rows if row.endswith("|  |")] == []


def test_every_field_of_a_search_has_a_meaning() -> None:
    assert MEANINGS.keys() == SHAPES.keys()


def test_every_field_of_every_index_has_a_meaning() -> None:
    for name, _, time, properties, meanings in indices():
        types = dict(flat(properties))
        assert types.keys() == meanings.keys(), name
        assert [field for field, said in meanings.items() if not said.endswith((".", "…", "}"))] == [], name
        assert types.get(time, "date") == "date"


def test_types_and_defaults_are_told_in_plain_words() -> None:
    class Options(BaseModel):
        model_config = ConfigDict(extra="forbid")
        count: int = Field(3, ge=1, le=9)
        names: tuple[str, ...] = Field((), min_length=1)
        folder: Path | None = None
        needed: float = Field(gt=0)

    fields = Options.model_fields
    assert [type_of(field) for field in fields.values()] == [
        "whole number, at least 1, at most 9",
        "list of text, not empty",
        "path",
        "number, above 0",
    ]
    assert [default_of(field) for field in fields.values()] == ["`3`", "`[]`", "", "required"]


def blocks(language: str) -> Iterator[tuple[Path, str]]:
    """Fenced blocks of a language on all written pages."""
    for page in WRITTEN:
        for match in re.finditer(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            yield page, match[1]


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", page.read_text("utf-8"))
    local = [target for target in targets if not urlsplit(target).scheme]
    assert [target for target in local if not (page.parent / target.split("#")[0]).exists()] == []


def test_snippets_of_configuration_are_accepted(tmp_path: Path) -> None:
    """Relative secret files and brands they name are ours to give."""
    found = list(blocks("toml"))
    assert len(found) >= 8
    for page, text in found:
        file = tmp_path / "sturmwarte.toml"
        brands = '[brands.acme]\nname = "Acme"\n[brands.meine-firma]\nname = "Meine Firma"\n'
        file.write_text(text if "[brands." in text else f"{text}\n{brands}", "utf-8")
        try:
            toml.load(file, build_registry())
        except toml.ConfigurationError as error:
            pytest.fail(f"{page.relative_to(ROOT)}: {error}\n{text}")


def command_lines() -> list[tuple[str, list[str]]]:
    """Every ``sturmwarte …`` in code on the written pages, as words up to the first that is no command."""
    found = []
    for page in WRITTEN:
        text = page.read_text("utf-8")
        spans = [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^(?: {4}|\$ )(.+)$", text, re.MULTILINE)]
        spans += [line for _, block in blocks("sh") for line in block.splitlines()]
        for span in spans:
            for match in re.finditer(r"(?:^|\s|bin/)(?:sturmwarte )+((?:[a-z]+(?: |$))+)(.*)", span.split("#")[0]):
                found.append((str(page.relative_to(ROOT)), (match[1] + match[2]).split()))
    return found


def test_commands_and_options_exist() -> None:
    lines = command_lines()
    assert len(lines) > 20
    for page, words in lines:
        node, rest = build(), list(words)
        while rest and rest[0] in getattr(node, "commands", {}):
            node = node.commands[rest.pop(0)]
        runs = node.name and (node.params or not hasattr(node, "commands"))
        assert runs and not (hasattr(node, "commands") and rest and rest[0].isalpha()), f"{page}: {words}"
        known = {"--help", *(name for one in node.params for name in one.opts)}
        assert {word.split("=")[0] for word in words if word.startswith("--")} <= known, (page, words)


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        name for page in WRITTEN for name in re.findall(r"(?:^ {4}|`)make ([a-z-]+)", page.read_text("utf-8"), re.M)
    }
    assert "install" in named and named <= targets
