"""How well names are found: precision and recall per brand over the labelled sentences of ``matching.jsonl``.

    python -m benchmarks.labelled.matching            # tables for the tuned and the held rows
    python -m benchmarks.labelled.matching --misses   # and every sentence that came out wrong

A row is a sentence, the brands it is about, and the trap it sets; ``thread`` is the title it stands under. Rows marked
``held`` were written last, and nothing was changed because of what they showed. What counts as a mention of a brand is
what its definition says (``brands.toml``, ``pipeline.examples``): a product that is an alias counts for
its maker, a foreign company of the same name for nobody.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.configuration import Brand
from pipeline.examples import EXAMPLE_BRANDS
from pipeline.matching import Matcher
from pipeline.toml import load_brands

HERE = Path(__file__).parent
ALL = "all"


@dataclass(frozen=True, slots=True)
class Row:
    """One labelled sentence."""

    text: str
    brands: frozenset[str]
    note: str
    thread: str = ""
    held: bool = False


@dataclass(frozen=True, slots=True)
class Score:
    """How often a brand was named and found, found where it was not named, and missed."""

    right: int = 0
    false: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.false) if self.right + self.false else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    def __add__(self, other: Score) -> Score:
        return Score(self.right + other.right, self.false + other.false, self.missed + other.missed)


@dataclass(frozen=True, slots=True)
class Answer:
    """A sentence and the brands that were found in it."""

    row: Row
    found: frozenset[str]


def read_rows(path: Path = HERE / "matching.jsonl") -> list[Row]:
    documents = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Row(**(document | {"brands": frozenset(document["brands"])})) for document in documents]


def labelled_brands() -> dict[str, Brand]:
    """The brands that the sentences are about: the built-in examples and those of ``brands.toml``."""
    return {**EXAMPLE_BRANDS, **load_brands(HERE / "brands.toml")}


def found_in(rows: Iterable[Row], brands: Mapping[str, Brand]) -> list[Answer]:
    """Every row with the brands that the matcher finds in it."""
    matcher = Matcher(brands)
    return [Answer(row, frozenset(match.brand for match in matcher.find(row.text, row.thread)[0])) for row in rows]


def measure(rows: Iterable[Row], brands: Mapping[str, Brand]) -> dict[str, Score]:
    """Brand → score, and the sum of them as ``all``."""
    answers = found_in(rows, brands)
    table = {brand: sum((_score(answer, brand) for answer in answers), Score()) for brand in brands}
    return table | {ALL: sum(table.values(), Score())}


def _score(answer: Answer, brand: str) -> Score:
    named, found = brand in answer.row.brands, brand in answer.found
    return Score(named and found, found and not named, named and not found)


def as_table(scores: Mapping[str, Score]) -> list[str]:
    """The lines of a Markdown table."""
    lines = ["| brand | named | precision | recall | found wrongly | missed |", "|---|---|---|---|---|---|"]
    return lines + [
        f"| {brand} | {score.right + score.missed} | {score.precision:.3f} | {score.recall:.3f} "
        f"| {score.false} | {score.missed} |"
        for brand, score in scores.items()
    ]


def main(arguments: Sequence[str]) -> None:
    rows, brands = read_rows(), labelled_brands()
    for name, part in (("tuned", [row for row in rows if not row.held]), ("held", [row for row in rows if row.held])):
        if not part:
            continue
        nobody = sum(not row.brands for row in part)
        print(f"{name}: {len(part)} sentences, {nobody} of them about none of the brands\n")
        print(*as_table(measure(part, brands)), sep="\n", end="\n\n")
        if "--misses" in arguments:
            print(
                *[_as_line(answer) for answer in found_in(part, brands) if answer.found != answer.row.brands], sep="\n"
            )


def _as_line(answer: Answer) -> str:
    row = answer.row
    return f"{row.note:20} {sorted(row.brands)} found {sorted(answer.found)}: {row.text}"


if __name__ == "__main__":
    main(sys.argv[1:])
