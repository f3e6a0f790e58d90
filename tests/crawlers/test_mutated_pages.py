"""No page takes a parser down: whatever the web breaks, there is an answer, soon, and within memory.

Every file of ``pages`` is broken in many ways and given to the parser of the spider that it is named after. The long
run gives each parser 10,000 broken pages; the short one a part of them.
"""

from __future__ import annotations

import random
import subprocess
import sys
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from mutating import mutated

from crawlers.parse import ARTICLE, detect, parse_document, readers
from crawlers.parsing import PageFile, Parsed
from crawlers.registry import spiders
from pipeline.words import Answer

PAGES = Path(__file__).parent / "pages"
ZONE = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TIMES = {"short": 60, "long": 10_000}
SECONDS, MEGABYTES = 20.0, 1_500
"""Most processor time and memory that one page of 5 MB may cost any parser, on the slowest machine we test on."""
FEW = ("push",)
"""Spiders that read no pages."""


def page(body: bytes, spider: str = "", **headers: str) -> PageFile:
    return PageFile(
        url="https://forum.example.org/viewtopic.php?t=9", body=body, now=NOW, zone=ZoneInfo("Europe/Berlin")
    )


def pages_of(spider: str) -> list[Path]:
    return sorted(file for file in PAGES.iterdir() if file.stem.partition("_")[0] == spider)


def checked(parsed: Parsed) -> None:
    """Whatever it is, it can be written down and handed on."""
    assert isinstance(parsed.state, Answer)
    msgspec.json.encode(msgspec.to_builtins(parsed, str_keys=True, builtin_types=(datetime,)))
    for item in parsed.items:
        assert item.text == item.text.encode("utf-8").decode("utf-8")
        assert item.rating is None or 0 <= item.rating <= 1
        assert item.published.at is None or item.published.at.tzinfo is not None


def test_every_spider_has_a_page_of_ours() -> None:
    assert [name for name in [*spiders(), ARTICLE] if name not in FEW and not pages_of(name)] == []


@pytest.mark.parametrize("times", [TIMES["short"], pytest.param(TIMES["long"], marks=pytest.mark.long)])
@pytest.mark.parametrize("spider", [name for name in readers() if name not in FEW])
def test_a_broken_page_is_answered(spider: str, times: int) -> None:
    reader, originals = readers()[spider], pages_of(spider)
    for number in range(times):
        chance = random.Random(f"{spider} {number}")
        body = mutated(chance, originals[number % len(originals)].read_bytes())
        try:
            checked(reader(page(body)))
        except Exception as error:
            raise AssertionError(f"page {number} of {spider} broke its parser: {body[:500]!r}") from error


@pytest.mark.parametrize("times", [TIMES["short"], pytest.param(TIMES["long"], marks=pytest.mark.long)])
def test_a_broken_page_is_recognised_or_not_but_never_raises(times: int) -> None:
    originals = [file.read_bytes() for file in sorted(PAGES.iterdir())]
    for number in range(times):
        chance = random.Random(f"detect {number}")
        _, why = detect(page(mutated(chance, originals[number % len(originals)])))
        assert why


def test_a_page_of_one_kind_is_no_trouble_to_readers_of_others() -> None:
    originals = [file.read_bytes() for file in sorted(PAGES.iterdir())]
    for name in readers():
        for body in originals:
            assert parse_document(name, page(body))["state"] in [answer.value for answer in Answer]


HUGE = """
    import resource, sys, time
    from test_mutated_pages import MEGABYTES, SECONDS, page
    from mutating import huge
    from crawlers.parse import readers

    for spider in sys.argv[2:]:
        reader, worst, trap = readers()[spider], 0.0, ""
        reader(page(b"<p>x</p>"))
        for name, body in huge(int(sys.argv[1])).items():
            begun = time.process_time()
            reader(page(body))
            took = time.process_time() - begun
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            assert took < SECONDS and memory < MEGABYTES, f"{spider}: {name}: {took:.1f} s, {memory} MB"
            worst, trap = max((worst, trap), (took, name))
        print(f"{spider}: at most {worst:.2f} s ({trap}), {memory} MB")
"""
READERS = [name for name in readers() if name not in FEW]


@pytest.mark.parametrize(
    ("size", "names"),
    [(60_000, READERS), *(pytest.param(5_000_000, [name], marks=pytest.mark.long) for name in READERS)],
)
def test_a_huge_page_costs_bounded_time_and_memory(size: int, names: list[str]) -> None:
    root = Path(__file__).parents[2]
    places = [str(root), str(root / "tests" / "support"), str(Path(__file__).parent)]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(HUGE), str(size), *names],
        env={"PYTHONPATH": ":".join(places), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=900,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stderr[-2000:]
