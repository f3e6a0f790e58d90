"""Training: from labelled texts to a model, the same bytes from the same data and seed. Needs scikit-learn.

Every tone of every data set weighs the same, since how often people complain differs from place to place. What is said
of a model's quality comes from folds in which near-copies stay together.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from pipeline.tone.classifier import stacked
from pipeline.tone.copies import digests_of, groups_of
from pipeline.tone.features import SIZE, Counted, Floats, Integers, counted
from pipeline.tone.labelled import Labelled, LabelledError
from pipeline.tone.measures import TONES, f1_figures
from pipeline.tone.model import IDF_STEP, STEPS, About, Model, values
from pipeline.tone.rules import capped, scorer
from pipeline.tone.signals import CHANNELS, NAMES, signals

FOLDS = 5
FEWEST = 10
"""Texts of each of at least two tones that training needs."""
STRENGTH, GENERAL_STRENGTH = 16.0, 0.3
"""Inverse of the penalty on great weights (C): of a model for texts like those learnt from, and of one for texts of
any place, whose words count less beside the rules. Chosen by cross-validation, and by leaving out whole data sets."""
SIGNAL = 3.0
"""What rules and place say is penalised less than what hashed words say, by the square of this."""
RARE = 2
"""In how many texts a bucket has to occur."""
OVERLAP = 0.01
"""From this share of texts on that the base model has seen, nothing is stacked on it."""
BELOW = ("base_negative", "base_neutral", "base_positive")
_DAMPING = 5.0
_CHUNK = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Labelled texts as numbers."""

    features: Counted
    columns: Floats
    label: Integers
    """Index into TONES."""
    weight: Floats
    group: Integers
    digests: npt.NDArray[np.uint32]

    def part(self, rows: Integers) -> Prepared:
        """Some of the texts, in the order given."""
        place = np.full(len(self.label), -1)
        place[rows] = np.arange(len(rows))
        kept = place[self.features.text] >= 0
        text, bucket = place[self.features.text[kept]], self.features.bucket[kept]
        order = np.lexsort((bucket, text))
        features = Counted(len(rows), text[order], bucket[order], self.features.count[kept][order])
        return Prepared(
            features, self.columns[rows], self.label[rows], self.weight[rows], self.group[rows], self.digests[rows]
        )


def train(
    rows: Sequence[Labelled],
    masked: Sequence[str],
    lang: str,
    *,
    base: Model | None,
    seed: int,
    strength: float = STRENGTH,
) -> Model:
    """A model of one language, with its cross-validated figures.

    ``masked`` are the texts of ``rows`` without names, addresses and numbers. It stands on ``base`` unless that was
    trained on some of these texts. Raises LabelledError where there are too few.
    """
    prepared = prepare(rows, masked, lang)
    _enough(prepared.label)
    if base is not None and float(np.isin(prepared.digests, base.seen).mean()) > OVERLAP:
        base = None
    if base is not None:
        prepared = _on(base, prepared)
    about = About(
        lang=lang,
        seed=seed,
        texts=len(rows),
        data=tuple(sorted({row.of for row in rows})),
        columns=(*NAMES, *(BELOW if base else ())),
        rules=rules_digest(lang),
        base=base.version if base else None,
    )
    probabilities = cross_validated(prepared, about, strength)
    figures = f1_figures(prepared.label, probabilities.argmax(axis=1))
    temperature = _temperature(probabilities, prepared)
    about = replace(about, temperature=temperature, figures={name: round(value, 4) for name, value in figures.items()})
    return fit(prepared, about, strength)


def prepare(rows: Sequence[Labelled], masked: Sequence[str], lang: str) -> Prepared:
    """Features, rule scores, labels and weights of labelled texts."""
    texts = [capped(text) for text in masked]
    scores = [scorer(lang).score(text) for text in texts]
    originals = [row.text for row in rows]
    return Prepared(
        _in_chunks(texts),
        signals(texts, scores, [row.channel for row in rows]),
        np.array([TONES.index(row.label) for row in rows]),
        _balanced(rows),
        np.array(groups_of(originals)),
        digests_of(originals),
    )


def cross_validated(prepared: Prepared, about: About, strength: float = STRENGTH) -> Floats:
    """Probabilities of every text by a model that has not seen it, nor a near-copy."""
    from sklearn.model_selection import StratifiedGroupKFold

    found = np.zeros((len(prepared.label), len(TONES)))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=about.seed)
    for known, asked in folds.split(found, prepared.label, prepared.group):
        test = prepared.part(asked)
        found[asked] = fit(prepared.part(known), about, strength).probabilities(test.features, test.columns)
    return found


def fit(prepared: Prepared, about: About, strength: float = STRENGTH) -> Model:
    """Weights from all the texts given."""
    from scipy.sparse import csr_array, hstack
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    idf = _idf(prepared.features)
    spoken = np.flatnonzero(idf)
    place = np.zeros(SIZE, np.int64)
    place[spoken] = np.arange(len(spoken))
    value, said = values(prepared.features, idf), idf[prepared.features.bucket] > 0
    cells = (prepared.features.text[said], place[prepared.features.bucket[said]])
    hashed = csr_array((value[said], cells), shape=(prepared.features.texts, len(spoken)))
    matrix = hstack([hashed, csr_array(prepared.columns * SIGNAL)]).tocsr()
    with threadpool_limits(1):  # sums in one order: the same bytes every time
        found = LogisticRegression(C=strength, max_iter=1000).fit(matrix, prepared.label, prepared.weight)
    coefficients, constant = _three(found)
    constant, dense = _average_place(coefficients[:, len(spoken) :] * SIGNAL, constant, prepared.columns)
    scale = np.maximum(np.abs(coefficients[:, : len(spoken)]).max(axis=1, initial=0.0), 1e-9) / STEPS
    weights = np.zeros((len(TONES), SIZE), np.int8)
    weights[:, spoken] = np.rint(coefficients[:, : len(spoken)] / scale[:, np.newaxis])
    return Model(about, idf, weights, scale, dense, constant, np.unique(prepared.digests))


@lru_cache(maxsize=4)
def rules_digest(lang: str) -> str:
    """What the rules of a language know, in eight letters: a model made with other rules has to be made anew."""
    from importlib.resources import files

    folder = files(__package__)
    found = [entry for entry in folder.iterdir() if entry.name.startswith(f"lexicon_{lang}")]
    texts = [text for entry in found for text in ([entry] if entry.is_file() else entry.iterdir())]
    content = b"".join(text.read_bytes() for text in sorted(texts, key=lambda text: text.name))
    return hashlib.sha256(content).hexdigest()[:8]


def _on(base: Model, prepared: Prepared) -> Prepared:
    below = base.probabilities(prepared.features, prepared.columns)
    columns = stacked(prepared.columns, below)
    return Prepared(prepared.features, columns, prepared.label, prepared.weight, prepared.group, prepared.digests)


def _in_chunks(texts: Sequence[str]) -> Counted:
    """The features of any number of texts, in bounded memory beside the result."""
    parts = [counted(texts[at : at + _CHUNK]) for at in range(0, len(texts), _CHUNK)]
    text = np.concatenate([part.text + at * _CHUNK for at, part in enumerate(parts)])
    bucket, count = (np.concatenate([getattr(part, name) for part in parts]) for name in ("bucket", "count"))
    return Counted(len(texts), text, bucket, count)


def _balanced(rows: Sequence[Labelled]) -> Floats:
    """Every tone of every data set weighs (nearly) the same; the weights' mean is 1."""
    sizes = Counter((row.of, row.label) for row in rows)
    weight = np.array([1 / (sizes[row.of, row.label] + _DAMPING) for row in rows])
    scaled: Floats = weight / weight.mean()
    return scaled


def _idf(features: Counted) -> npt.NDArray[np.uint8]:
    frequency = np.bincount(features.bucket, minlength=SIZE)
    idf = np.log((1 + features.texts) / (1 + frequency)) + 1
    steps = np.rint(idf / IDF_STEP).clip(1, 255)
    return np.where(frequency >= RARE, steps, 0).astype(np.uint8)


def _three(found: Any) -> tuple[Floats, Floats]:
    """Coefficients and constants for all three tones; a tone without texts is all but impossible."""
    coefficients, constants = found.coef_, found.intercept_
    if len(found.classes_) == 2:
        coefficients = np.vstack([-coefficients / 2, coefficients / 2])
        constants = np.r_[-constants / 2, constants / 2]
    wide, constant = np.zeros((len(TONES), coefficients.shape[1])), np.full(len(TONES), -10.0)
    wide[found.classes_], constant[found.classes_] = coefficients, constants
    return wide, constant


def _average_place(dense: Floats, constant: Floats, columns: Floats) -> tuple[Floats, Floats]:
    """Where the kind of place is not known, a text is scored as in the average one of the training texts."""
    places = slice(NAMES.index(CHANNELS[0]), NAMES.index(CHANNELS[-1]) + 1)
    known = columns[:, places].sum()
    if not known:
        return constant, dense
    mean = dense[:, places] @ (columns[:, places].sum(axis=0) / known)
    dense = dense.copy()
    dense[:, places] -= mean[:, np.newaxis]
    return constant + mean, dense


def _temperature(probabilities: Floats, prepared: Prepared) -> float:
    """What the logits are divided by, so that of texts left out the probabilities are true (Guo et al. 2017)."""
    from scipy.optimize import minimize_scalar

    logits = np.log(np.maximum(probabilities, 1e-9))
    rows = np.arange(len(logits))

    def loss(temperature: float) -> float:
        scaled = logits / temperature
        scaled -= np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        return -float((prepared.weight * scaled[rows, prepared.label]).sum())

    return round(float(minimize_scalar(loss, bounds=(0.3, 3.0), method="bounded").x), 3)


def _enough(labels: Integers) -> None:
    sizes = np.bincount(labels, minlength=len(TONES))
    if (sizes >= FEWEST).sum() < 2:
        said = ", ".join(f"{size} {tone}" for tone, size in zip(TONES, sizes.tolist(), strict=True))
        raise LabelledError(f"too few labelled texts ({said}): at least {FEWEST} of two tones are needed")
