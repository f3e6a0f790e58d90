"""How a tone analyser does on irony: sentences of our own, ironic ones beside honest ones that look alike.

    python -m benchmarks.labelled.irony

All sentences of ``irony.tsv`` are invented (lang, label, ironic, text). The German ones were written before the rules
were measured on them; some rules were made for marks that also occur here, so the figure flatters the rules a little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_suffix(".tsv")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One labelled sentence."""

    lang: str
    label: str
    ironic: bool
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one language: how many sentences of a kind were labelled rightly, of how many."""

    lang: str
    ironic: tuple[int, int]
    """Ironic sentences told as negative."""
    flattered: int
    """Ironic sentences taken for praise."""
    honest: tuple[int, int]
    """Honest sentences labelled rightly: what a rule against irony must not cost."""

    def __str__(self) -> str:
        return (
            f"{self.lang}: ironic {self.ironic[0]} of {self.ironic[1]} told as negative, {self.flattered} taken for "
            f"praise; honest {self.honest[0]} of {self.honest[1]} right"
        )


def read(path: Path = FILE) -> list[Sentence]:
    """The sentences of a file with a head line."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:])
    return [Sentence(lang, label, ironic == "1", text) for lang, label, ironic, text in rows]


def measure(label_of: Callable[[str, str], str], sentences: Sequence[Sentence] = ()) -> list[Outcome]:
    """One outcome per language. ``label_of`` takes a language and a text as people wrote it, and says the tone."""
    said = [(sentence, label_of(sentence.lang, sentence.text)) for sentence in sentences or read()]
    return [_outcome(lang, said) for lang in sorted({sentence.lang for sentence, _ in said})]


def _outcome(lang: str, said: Sequence[tuple[Sentence, str]]) -> Outcome:
    ironic = [label for sentence, label in said if sentence.lang == lang and sentence.ironic]
    honest = [sentence.label == label for sentence, label in said if sentence.lang == lang and not sentence.ironic]
    return Outcome(lang, (ironic.count("negative"), len(ironic)), ironic.count("positive"), (sum(honest), len(honest)))


def main() -> None:
    """The rules, masked as in the pipeline."""
    from pipeline.tone.mask import mask
    from pipeline.tone.rules import LANGUAGES, RulesEngine

    engines = {lang: RulesEngine(lang) for lang in LANGUAGES}
    for outcome in measure(lambda lang, text: engines[lang].tone([mask(text)])[0].label.value):
        print(outcome)


if __name__ == "__main__":
    main()
