"""Measures the tone rules against labelled texts, and fits the curves of ``pipeline.tone.calibration``.

    python benchmarks/tone_rules.py FOLDER        # FOLDER holds sb10k/, potts/, mobasa/, vader_english/

Two thirds of each set (by a hash of the text) are for looking and for fitting, the last third for the figures.
"""

from __future__ import annotations

import re
import sys
import time
import xml.etree.ElementTree as ElementTree
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from pipeline.tone.calibration import CURVES, Logistic, label_of
from pipeline.tone.engine import Scorer
from pipeline.tone.english import English
from pipeline.tone.german import German
from pipeline.tone.mask import mask

LABELS = ("negative", "neutral", "positive")
Labelled = tuple[str, str]
"""(label, text)"""


def read_table(path: Path) -> list[Labelled]:
    """Rows ``[id⇥]label⇥text``."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return [(row[-2], row[-1]) for row in rows if len(row) > 1 and row[-2] in LABELS]


def read_documents(path: Path) -> list[Labelled]:
    """GermEval documents with their overall sentiment."""
    documents = ElementTree.parse(path).getroot().iter("Document")
    rows = ((node.findtext("sentiment") or "", node.findtext("text") or "") for node in documents)
    return [row for row in rows if row[0] in LABELS]


def read_rated(path: Path) -> list[Labelled]:
    """Rows ``id⇥mean rating⇥text``; between -0.5 and 0.5 is neutral."""
    rows = (line.split("\t") for line in path.read_text(encoding="utf-8").splitlines())
    return [(_label_of_rating(float(row[1])), row[2]) for row in rows]


def _label_of_rating(rating: float) -> str:
    return "negative" if rating < -0.5 else "positive" if rating > 0.5 else "neutral"


def split(rows: Iterable[Labelled]) -> tuple[list[Labelled], list[Labelled]]:
    """Rows to look at and to fit on, and the third that is held out; by a hash of the text."""
    seen: list[Labelled] = []
    held: list[Labelled] = []
    for row in rows:
        (held if zlib.crc32(row[1].encode()) % 6 in (1, 3) else seen).append(row)
    return seen, held


def f1(rows: Sequence[Labelled], said: Sequence[str]) -> dict[str, float]:
    """Macro and micro F1, and F1 per class."""
    pairs = Counter(zip((label for label, _ in rows), said, strict=True))
    result: dict[str, float] = {}
    for label in LABELS:
        true = pairs[label, label]
        wrong = sum(n for (is_, says), n in pairs.items() if (is_ == label) != (says == label))
        result[label] = 2 * true / (2 * true + wrong) if true else 0.0
    result["macro"] = sum(result[label] for label in LABELS) / 3
    result["micro"] = sum(pairs[label, label] for label in LABELS) / len(rows)
    return result


def auc(rows: Sequence[Labelled], values: Sequence[float], label: str) -> float:
    """The chance that a text of this label has the higher value than one of another; ties count half."""
    marked = np.array([row[0] == label for row in rows])
    _, inverse, counts = np.unique(np.asarray(values), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    inside = int(marked.sum())
    outside = len(rows) - inside
    return float((ranks[marked].sum() - inside * (inside + 1) / 2) / (inside * outside))


def compounds(scorer: Scorer, rows: Sequence[Labelled]) -> list[float]:
    """The compound of each text, masked as in the pipeline."""
    return [scorer.score(mask(re.sub(r"^RT\s+", "", text))).compound for _, text in rows]


def fit(sets: Sequence[tuple[Sequence[Labelled], Sequence[float]]], steps: int = 3000) -> Logistic:
    """The curve with the least log loss; every set counts the same, and every tone within a set."""
    points = np.concatenate([np.array(values) for _, values in sets])
    labels = np.concatenate([[LABELS.index(label) for label, _ in rows] for rows, _ in sets])
    weights = np.concatenate([_balanced(rows) for rows, _ in sets])
    features = np.stack([np.ones_like(points), points, np.abs(points)], axis=1)
    wanted = np.eye(3)[labels]
    theta = np.zeros((3, 3))
    for _ in range(steps):
        scores = features @ theta
        chances = np.exp(scores - scores.max(axis=1, keepdims=True))
        chances /= chances.sum(axis=1, keepdims=True)
        gradient = features.T @ ((chances - wanted) * weights[:, None]) / weights.sum()
        gradient[:, 1] = 0.0
        theta -= 1.0 * (gradient + 1e-4 * theta)
    theta -= theta[:, [1]]
    return Logistic(*(tuple(float(round(value, 2)) for value in theta[:, column]) for column in (0, 2)))  # type: ignore[arg-type]


def _balanced(rows: Sequence[Labelled]) -> np.ndarray:
    """Weights under which each tone has the same part in the set."""
    counts = Counter(label for label, _ in rows)
    weights = np.array([counts[label] ** -1.0 for label, _ in rows])
    return np.asarray(weights / weights.sum())


def report(name: str, rows: Sequence[Labelled], values: Sequence[float], curve: Logistic) -> None:
    """One line per set: the rules beside the majority class."""
    said = [label_of(curve.probabilities(value)).value for value in values]
    rules = f1(rows, said)
    most = Counter(label for label, _ in rows).most_common(1)[0][0]
    majority = f1(rows, [most] * len(rows))
    classes = " ".join(f"{label} {rules[label]:.3f}" for label in LABELS)
    ranked = f"AUC negative {auc(rows, [-value for value in values], 'negative'):.3f} "
    ranked += f"positive {auc(rows, values, 'positive'):.3f}"
    print(
        f"{name:10} n={len(rows):5} macro {rules['macro']:.3f} (majority {majority['macro']:.3f}) "
        f"micro {rules['micro']:.3f} (majority {majority['micro']:.3f})  {classes}  {ranked}"
    )


def main(folder: Path) -> None:
    """Fit and report both languages."""
    german = {
        "sb10k": read_table(folder / "sb10k" / "sb10k.tsv"),
        "potts": read_table(folder / "potts" / "potts.tsv"),
        "mobasa": read_documents(folder / "mobasa" / "dev-sim3s-mobasa_v1.xml"),
    }
    english = {
        path.stem.split("_")[0][:10]: read_rated(path) for path in sorted(folder.glob("vader_english/*Truth.txt"))
    }
    for lang, scorer, sets in (("de", German(), german), ("en", English(), english)):
        parts = {name: split(rows) for name, rows in sets.items()}
        began = time.process_time()
        learned = [(seen, compounds(scorer, seen)) for seen, _ in parts.values()]
        taken = time.process_time() - began
        curve = fit(learned)
        print(f"{lang}: {sum(len(seen) for seen, _ in learned) / taken:,.0f} texts/s of one core")
        print(f"    fitted {curve}\n    shipped {CURVES[lang]}")
        for name, (_, held) in parts.items():
            report(name, held, compounds(scorer, held), curve)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
