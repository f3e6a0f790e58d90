"""The checkout as a whole: names, locks, versions, and nothing of the machine it was written on."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from crawlers.registry import spiders
from crawlers.settings import user_agent
from pipeline.configuration import Configuration

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = ("requirements.lock", "requirements-dev.lock")
MACHINE = re.compile(r"(?<![\w.-])/(?:work|root|home/\w+|Users/\w+|tmp/\w+)/")
REGISTRY = re.compile(
    r"pypi\.org|pythonhosted|test\.pypi|(?:--|PIP_)(?:extra-)?index-url|--find-links|--trusted-host", re.IGNORECASE
)
ABOUT_REGISTRIES = {"Makefile", "tests/test_project.py"}
"""Files that may speak of package indexes: to keep them out."""


def tracked() -> list[str]:
    """Files of the checkout; without git, what lies in our folders."""
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
        return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    skipped = {".venv", "build", "dist"}
    paths = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
    return [str(path) for path in paths if path.parts[0] not in skipped and "__pycache__" not in path.parts]


TEXTS = {
    name: content.decode("utf-8", "replace")
    for name in tracked()
    if b"\0" not in (content := (ROOT / name).read_bytes())[:8000]
}


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_pin_everything_by_hash_and_name_no_host(lock: str) -> None:
    lines = (ROOT / lock).read_text("utf-8").splitlines()
    pins = [line for line in lines if re.match(r"[a-z0-9]", line)]
    assert len(pins) > 50
    assert [line for line in pins if not re.match(r"[a-z0-9._-]+==[^ ]+", line)] == []
    assert "\n".join(lines).count("--hash=sha256:") >= len(pins)
    assert [line for line in lines if "://" in line or "@ " in line or re.search(r"(^|\s)[./~]\S*/", line)] == []


def test_locks_agree_and_hold_every_dependency() -> None:
    run, dev = (
        dict(re.findall(r"^([a-z0-9._-]+)==([^ ;]+)", (ROOT / lock).read_text("utf-8"), re.M)) for lock in LOCKS
    )
    assert run.items() <= dev.items()
    wanted = [re.split(r"[><=;\[ ]", line)[0] for line in PROJECT["project"]["dependencies"]]
    assert {name.lower() for name in wanted} <= run.keys()


def test_no_path_of_a_machine_and_no_package_index() -> None:
    places = [f"{name}: {found[0]}" for name, text in TEXTS.items() for found in [MACHINE.search(text)] if found]
    places += [
        f"{name}: {found[0]}"
        for name, text in TEXTS.items()
        for found in [REGISTRY.search(text)]
        if found and name not in ABOUT_REGISTRIES
    ]
    assert places == []


def test_every_module_says_what_it_is() -> None:
    modules = [name for name in TEXTS if name.endswith(".py") and TEXTS[name].strip()]
    assert len(modules) > 150
    assert [name for name in modules if not ast.get_docstring(ast.parse(TEXTS[name]))] == []


def test_versions_agree() -> None:
    own = PROJECT["project"]["version"]
    assert version("sturmwarte") == own
    assert f"Sturmwarte/{own} (+mailto:x@example.org)" == user_agent(Configuration(contact="x@example.org"))
    released = re.findall(r"^## (?!Unreleased)\[?(\d[^\] ]*)", TEXTS["CHANGELOG.md"], re.M)
    assert "## Unreleased" in TEXTS["CHANGELOG.md"] or released
    assert not released or released[0] == own


def test_scrapy_finds_our_spiders_from_the_root() -> None:
    environment = {**os.environ, "SCRAPY_SETTINGS_MODULE": "crawlers.settings"}
    listed = subprocess.run(
        [sys.executable, "-m", "scrapy", "list"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=150
    )
    assert listed.returncode == 0, listed.stderr
    assert listed.stdout.split() == sorted(spiders())


def test_decisions_are_numbered_without_gaps() -> None:
    names = sorted(path.name for path in (ROOT / "docs/decisions").glob("*.md"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    for name in names:
        title = (ROOT / "docs/decisions" / name).read_text("utf-8").splitlines()[0]
        assert re.match(rf"# 0*{int(name[:4])}[.:] \S", title), f"{name}: {title}"


def test_licence_files_are_shipped() -> None:
    for name in PROJECT["project"]["license-files"]:
        assert (ROOT / name).stat().st_size > 500, name
    assert "Hutto" in TEXTS["NOTICE"]
