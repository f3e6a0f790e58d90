"""How well the tone of each brand in a text is told: by its own clauses, and by the whole text, over ``blame.jsonl``.

    python -m benchmarks.labelled.blame            # share of right tones
    python -m benchmarks.labelled.blame --misses   # and every one that came out wrong

A row is a sentence of our own and the tone of each brand in it. The tone is that of the rules
(``pipeline.tone.rules``): what is measured is the assignment and the scorer together, and the whole text is what one
has without the assignment.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.labelled.matching import labelled_brands
from pipeline.configuration import Brand
from pipeline.draft import Match
from pipeline.matching import Matcher
from pipeline.tone.blame import Span, spans_of
from pipeline.tone.classifier import ClassifierEngine
from pipeline.tone.mask import mask

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Row:
    """A sentence, and brand → tone."""

    text: str
    tones: Mapping[str, str]
    lang: str = "de"


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said of one brand in one sentence, by its clauses and by the whole text."""

    row: Row
    brand: str
    wanted: str
    by_clauses: str
    by_text: str


def read_rows(path: Path = HERE / "blame.jsonl") -> list[Row]:
    return [Row(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def answers(rows: Iterable[Row], brands: Mapping[str, Brand]) -> Iterator[Answer]:
    matcher = Matcher(brands)
    engines = {lang: ClassifierEngine(lang) for lang in ("de", "en")}
    for row in rows:
        matches, _ = matcher.find(row.text)
        spans = spans_of(row.text, matches)
        whole = _tone(engines[row.lang], row.text, matches, [(0, len(row.text))])
        for brand, wanted in row.tones.items():
            found = _tone(engines[row.lang], row.text, matches, spans.get(brand, []))
            yield Answer(row, brand, wanted, found, whole)


def _tone(engine: ClassifierEngine, text: str, matches: Sequence[Match], spans: Sequence[Span]) -> str:
    """The tone of some parts of a text with its names masked."""
    parts = [
        mask(text[start:end], [(m.start - start, m.end - start) for m in matches if start <= m.start < end])
        for start, end in spans
    ]
    return engine.tone([" ".join(parts)])[0].label.value


def measure(rows: Iterable[Row], brands: Mapping[str, Brand]) -> dict[str, tuple[int, int, int]]:
    """Tone → (how often it was wanted, right by clauses, right by the whole text), and the sum as ``all``."""
    given = list(answers(rows, brands))
    return {
        tone: (
            len(part),
            sum(answer.by_clauses == answer.wanted for answer in part),
            sum(answer.by_text == answer.wanted for answer in part),
        )
        for tone in ("negative", "neutral", "positive", "all")
        for part in [[answer for answer in given if tone in (answer.wanted, "all")]]
    }


def main(arguments: Sequence[str]) -> None:
    rows, brands = read_rows(), labelled_brands()
    print(
        f"{len(rows)} sentences\n\n| tone | opinions | right by clauses | right by the whole text |\n|---|---|---|---|"
    )
    for tone, (wanted, clauses, whole) in measure(rows, brands).items():
        print(f"| {tone} | {wanted} | {clauses / wanted:.3f} | {whole / wanted:.3f} |")
    if "--misses" in arguments:
        for answer in answers(rows, brands):
            if answer.by_clauses != answer.wanted:
                print(f"{answer.brand}: {answer.wanted}, found {answer.by_clauses}: {answer.row.text}")


if __name__ == "__main__":
    main(sys.argv[1:])
