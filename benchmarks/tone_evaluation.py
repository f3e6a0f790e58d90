"""How good tone, matching and labels are, measured in the open: makes ``docs/guide/evaluation.md``.

``python -m benchmarks.tone_evaluation FOLDER [--write FILE]``: the folder holds ``mobasa/``, ``sb10k/``, ``potts/`` and
``vader_english/`` as their authors publish them. None of it is part of the project; only figures reach the page. The
sentences of our own (``benchmarks/labelled``) need no folder.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from benchmarks.labelled import blame, irony, labels, matching
from pipeline.examples import EXAMPLE_BRANDS
from pipeline.matching import Matcher
from pipeline.tone.classifier import ClassifierEngine, base_model
from pipeline.tone.evaluation import evaluate, masked, sign_f1
from pipeline.tone.labelled import Labelled, read_labelled
from pipeline.tone.measures import auc, calibration_error, f1_figures
from pipeline.tone.model import About
from pipeline.tone.signals import NAMES
from pipeline.tone.training import GENERAL_STRENGTH, cross_validated, fit, prepare, rules_digest

SEED = 1
GERMAN = ("mobasa/dev-sim3s-mobasa_v1.xml", "sb10k/sb10k.tsv", "potts/potts.tsv")
ENGLISH = tuple(
    f"vader_english/{name}_GroundTruth.txt"
    for name in ("tweets", "amazonReviewSnippets", "movieReviewSnippets", "nytEditorialSnippets")
)
SIGN_FROM = 0.05
MATCHER = Matcher(EXAMPLE_BRANDS)


@dataclass(frozen=True)
class Crossed:
    """Cross-validated figures of one data set."""

    name: str
    n: int
    figures: Mapping[str, float]
    sign: tuple[float, float] | None = None
    """Macro-F1 of the sign by the classifier and by stock VADER."""


def read(folder: Path, name: str, *, mixed: bool = True) -> list[Labelled]:
    """A data set; ``mixed``: whether PotTS' label of that name counts as neutral, else such texts are left out."""
    rows = read_labelled(folder / name)
    if mixed:
        return rows
    said = [line.split("\t", 1)[0] for line in (folder / name).read_text("utf-8").split("\n") if line.strip()]
    return [row for row, label in zip(rows, said, strict=True) if label != "mixed"]


def crossed(name: str, rows: Sequence[Labelled], lang: str) -> Crossed:
    """Five folds; near-copies stay together, the model of each fold stands on nothing."""
    about = about_model(lang, len(rows))
    prepared = prepare(rows, masked((row.text for row in rows), MATCHER), lang)
    found = cross_validated(prepared, about)
    negative = auc(prepared.label == 0, found[:, 0])
    figures = f1_figures(prepared.label, found.argmax(axis=1))
    figures |= {"auc_negative": negative or 0.0, "ece": calibration_error(prepared.label, found)}
    return Crossed(name, len(rows), figures, _sign(rows, found))


def _sign(rows: Sequence[Labelled], found: Any) -> tuple[float, float] | None:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    places = [at for at, row in enumerate(rows) if row.rating is not None and abs(row.rating) >= SIGN_FROM]
    if not places:
        return None
    stock = SentimentIntensityAnalyzer()
    truth = np.array([2 if (rows[at].rating or 0) > 0 else 0 for at in places])
    compound = np.array([stock.polarity_scores(rows[at].text)["compound"] for at in places])
    return sign_f1(truth, found[places, 2] - found[places, 0]), sign_f1(truth, compound)


def left_out(folder: Path, names: Sequence[str], lang: str) -> Iterable[tuple[str, dict[str, Any]]]:
    """Each data set by a model of all the others: what can be hoped for where nobody has corrected anything yet."""
    for name in names:
        others = [row for other in names if other != name for row in read(folder, other)]
        about = replace(about_model(lang, len(others)), temperature=base_model(lang).about.temperature)
        made = fit(prepare(others, masked((row.text for row in others), MATCHER), lang), about, GENERAL_STRENGTH)
        yield name, evaluate(read(folder, name), made, MATCHER, lang)


def about_model(lang: str, texts: int) -> About:
    """What is said of a model that stands on nothing."""
    return About(lang=lang, seed=SEED, texts=texts, data=(), columns=NAMES, rules=rules_digest(lang))


def page(folder: Path) -> Iterable[str]:
    """The lines of the whole page, as they come to be known."""
    yield _head()
    for part in (_crossed(folder), _transfer(folder), _irony(), _matching(), _labels(), _blame()):
        yield from part


def _head() -> str:
    made = ", ".join(
        f"{lang} {base_model(lang).version} ({base_model(lang).about.texts:,} texts)" for lang in ("de", "en")
    )
    return f"""# How good it is

Made by `python -m benchmarks.tone_evaluation FOLDER --write docs/guide/evaluation.md`; the data sets are named in
NOTICE and are not part of the project. Shipped models: {made}. `sturmwarte evaluate FILE` gives the same figures, with
intervals, baselines and weak parts, for texts of your own; it leaves out what a model was trained on.
"""


def _crossed(folder: Path) -> Iterable[str]:
    yield "## Tone, cross-validated\n"
    yield "Five folds, seed 1, near-copies in one fold, no model below. Tone found is the most probable of three.\n"
    yield from _table(
        ("texts", "n", "macro-F1", "micro-F1", "AUC negative", "calibration error"), _crossed_rows(folder)
    )
    tweets = crossed("tweets", read(folder, ENGLISH[0]), "en")
    assert tweets.sign is not None
    yield f"""
English tweets by the sign of their mean rating (|rating| ≥ {SIGN_FROM}, a score of 0 counts as wrong): macro-F1
{tweets.sign[0]:.3f}, stock VADER {tweets.sign[1]:.3f}.
"""


def _crossed_rows(folder: Path) -> Iterable[Sequence[object]]:
    sets = [
        ("MobASA dev (public transport, German)", read(folder, GERMAN[0]), "de"),
        ("SB10k (tweets, German)", read(folder, GERMAN[1]), "de"),
        ("PotTS without mixed (tweets, German)", read(folder, GERMAN[2], mixed=False), "de"),
        ("VADER tweets (English)", read(folder, ENGLISH[0]), "en"),
        ("VADER product reviews (English)", read(folder, ENGLISH[1]), "en"),
    ]
    for name, rows, lang in sets:
        found = crossed(name, rows, lang)
        wanted = ("macro_f1", "micro_f1", "auc_negative", "ece")
        yield (name, f"{found.n:,}", *(f"{found.figures[figure]:.3f}" for figure in wanted))


def _transfer(folder: Path) -> Iterable[str]:
    yield "## Tone of texts unlike those learnt from\n"
    yield "Each data set by a model that was trained on all the others of its language.\n"
    rows = []
    for names, lang in ((GERMAN, "de"), (ENGLISH, "en")):
        for name, document in left_out(folder, names, lang):
            baselines = document["baselines"]
            figures = (document["macro_f1"], document["micro_f1"], document["auc_negative"], document["ece"])
            beside = (baselines[other]["macro_f1"] for other in ("rules", "vader", "majority"))
            rows.append((Path(name).stem, document["n"], *(f"{value:.3f}" for value in (*figures, *beside))))
    head = ("left out", "n", "macro-F1", "micro-F1", "AUC negative", "calibration error")
    yield from _table((*head, "rules alone", "stock VADER", "majority"), rows)
    yield "\nThe last three columns are macro-F1 of what is simpler.\n"


def _irony() -> Iterable[str]:
    def label_of(lang: str, text: str) -> str:
        [tone] = ClassifierEngine(lang).tone(masked([text], MATCHER))
        return tone.label.value

    yield "## Irony\n"
    yield "Sentences of our own, ironic ones and honest look-alikes. Irony without a mark stays hard.\n"
    yield from (f"- {outcome}" for outcome in irony.measure(label_of))


def _matching() -> Iterable[str]:
    yield "\n## Matching\n"
    rows, brands = matching.read_rows(), matching.labelled_brands()
    for name, chosen in (
        ("Sentences tuned on", [r for r in rows if not r.held]),
        ("Held back", [r for r in rows if r.held]),
    ):
        yield f"### {name}: {len(chosen)}\n"
        yield from matching.as_table(matching.measure(chosen, brands))
        yield ""


def _labels() -> Iterable[str]:
    yield "## Severity, aspects, purpose\n"
    yield "Held rows were written after the rules, and never tuned on.\n"
    rows = []
    for name in ("severity", "aspects", "purposes"):
        tuned, held = labels.scores(name, held=False), labels.scores(name, held=True)
        rows.append((name, f"{labels.micro(tuned.values()):.3f}", f"{labels.micro(held.values()):.3f}"))
    yield from _table(("set", "micro-F1 tuned", "micro-F1 held"), rows)


def _blame() -> Iterable[str]:
    yield "\n## Several brands in one text\n"
    yield "Tone per brand, of sentences of our own.\n"
    found = blame.measure(blame.read_rows(), matching.labelled_brands())
    rows = [(tone, n, f"{parts / n:.3f}", f"{whole / n:.3f}") for tone, (n, parts, whole) in found.items()]
    yield from _table(("tone", "opinions", "right by what is said of the brand", "right by the whole text"), rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterable[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(map(str, row)) + " |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args(arguments)
    lines = []
    for line in page(options.folder):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        options.write.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
