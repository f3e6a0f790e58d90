"""Measures severity, aspects and purpose against labelled sentences of our own, and their speed.

    python -m benchmarks.labelled.labels            # figures
    python -m benchmarks.labelled.labels --wrong    # and the sentences that came out otherwise (never the held ones)

The sentences marked ``held`` were written when the rules were finished and are never looked at when rules change.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files

import msgspec

from pipeline.labels.labelling import Labeller, Labels
from pipeline.mention import Tone
from pipeline.tone.mask import mask
from pipeline.tone.rules import RulesEngine

SETS = ("severity", "aspects", "purposes")


class Sentence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One labelled text; of the labels those that its set is about."""

    text: str
    lang: str
    severity: str = ""
    staff_threat: bool = False
    aspects: tuple[str, ...] = ()
    purpose: str | None = None
    held: bool = False


class Score(msgspec.Struct, frozen=True):
    """How well one label is found."""

    true: int
    found: int
    wanted: int

    @property
    def precision(self) -> float:
        """Of those found, the share that is right."""
        return self.true / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Of those wanted, the share that is found."""
        return self.true / self.wanted if self.wanted else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        both = self.found + self.wanted
        return 2 * self.true / both if both else 1.0


def sentences(name: str) -> list[Sentence]:
    """The labelled sentences of a set."""
    content = files(__package__).joinpath(f"{name}.jsonl").read_bytes()
    return msgspec.json.Decoder(Sentence).decode_lines(content)


def labelled(rows: Sequence[Sentence]) -> list[Labels]:
    """What the pipeline says of the sentences."""
    labeller = Labeller()
    return [labeller.label(row.text, row.lang, tone) for row, tone in zip(rows, _tones(rows), strict=True)]


def _tones(rows: Sequence[Sentence]) -> Iterator[Tone]:
    engines = {lang: RulesEngine(lang) for lang in ("de", "en")}
    for row in rows:
        yield engines[row.lang].tone([mask(row.text)])[0]


def wanted_and_found(name: str, row: Sentence, labels: Labels) -> tuple[set[str], set[str]]:
    """The labels a sentence should have, and those it gets."""
    if name == "aspects":
        return set(row.aspects), {aspect.value for aspect in labels.aspects}
    if name == "purposes":
        return {row.purpose or "none"}, {labels.purpose.value if labels.purpose else "none"}
    wanted, found = {row.severity}, {str(labels.severity)}
    return wanted | _staff(row.staff_threat), found | _staff(labels.staff_threat)


def _staff(threat: bool) -> set[str]:
    return {"staff_threat"} if threat else set()


def scores(name: str, *, held: bool) -> dict[str, Score]:
    """Label → how well it is found, over the held or the other sentences of a set."""
    rows = [row for row in sentences(name) if row.held is held]
    true, found, wanted = Counter[str](), Counter[str](), Counter[str]()
    for row, labels in zip(rows, labelled(rows), strict=True):
        should, does = wanted_and_found(name, row, labels)
        true.update(should & does)
        found.update(does)
        wanted.update(should)
    return {label: Score(true[label], found[label], wanted[label]) for label in sorted({*found, *wanted})}


def macro(found: Iterable[Score]) -> float:
    """The mean F1 of labels."""
    values = [score.f1 for score in found]
    return sum(values) / len(values)


def micro(found: Iterable[Score]) -> float:
    """F1 over all labels together."""
    every = list(found)
    return Score(sum(s.true for s in every), sum(s.found for s in every), sum(s.wanted for s in every)).f1


def speed(copies: int = 40) -> float:
    """Texts labelled per second of one processor, over all sentences."""
    texts = [row for name in SETS for row in sentences(name)] * copies
    labeller = Labeller()
    for row in texts[:1000]:
        labeller.label(row.text, row.lang)
    begun = time.process_time()
    for row in texts:
        labeller.label(row.text, row.lang)
    return len(texts) / (time.process_time() - begun)


def wrong(name: str) -> Iterator[str]:
    """The sentences that are not held and come out otherwise."""
    rows = [row for row in sentences(name) if not row.held]
    for row, labels in zip(rows, labelled(rows), strict=True):
        should, does = wanted_and_found(name, row, labels)
        if should != does:
            yield f"  {sorted(should)} {sorted(does)} {row.text} {labels.why}"


def main(arguments: Sequence[str]) -> None:
    """Print the figures."""
    for name in SETS:
        for held in (False, True):
            found = scores(name, held=held)
            if not found:
                continue
            rows = sum(row.held is held for row in sentences(name))
            print(
                f"{name} ({'held' if held else 'tuned'}, {rows}): macro F1 {macro(found.values()):.3f}"
                f" micro F1 {micro(found.values()):.3f}"
            )
            for label, score in found.items():
                print(
                    f"    {label:15} F1 {score.f1:.3f}  P {score.precision:.3f}  R {score.recall:.3f}  n={score.wanted}"
                )
        if "--wrong" in arguments:
            print("\n".join(wrong(name)))
    print(f"{speed():,.0f} texts/s")


if __name__ == "__main__":
    main(sys.argv[1:])
