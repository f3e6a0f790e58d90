"""Evaluation in the open: a scorer against labelled texts, beside baselines, with intervals and weak slices."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.matching import Matcher
from pipeline.mention import Tone
from pipeline.steps.language import CLEAR, SURE, LangidDetector, letters_of
from pipeline.tone.classifier import ClassifierEngine, base_model
from pipeline.tone.copies import digests_of
from pipeline.tone.features import Floats, Integers
from pipeline.tone.labelled import Labelled, LabelledError
from pipeline.tone.mask import MASK, mask
from pipeline.tone.measures import TONES, auc, calibration_error, confusion, f1_figures, f1_of, interval
from pipeline.tone.model import Model
from pipeline.tone.rules import LANGUAGES, RulesEngine
from pipeline.words import ToneLabel

SMALLEST_SLICE = 30
SIGN_FROM = 0.05
"""Ratings nearer to 0 than this have no sign."""
SEED = 1
_NEUTRAL = TONES.index(ToneLabel.NEUTRAL)
_EMOJI = re.compile("[\U0001f300-\U0001faff☀-➿]|[:;]-?[()DP]")
_NEGATION = re.compile(r"\b(?:nicht|kein\w*|nie|ohne|not|no|never|\w+n't|\w+n’t)\b", re.IGNORECASE)
_SHORT, _LONG = 60, 200


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a scorer made of texts: index of the tone, probabilities (n, 3), compound (n,); not scored is neutral."""

    found: Integers
    probabilities: Floats
    compound: Floats


def languages_of(rows: Sequence[Labelled], lang: str | None) -> list[str | None]:
    """The language each text is scored in: its own, else ``lang``, else what it is written in; None: not scored."""
    asked = [at for at, row in enumerate(rows) if not (row.lang or lang)]
    found: list[str | None] = [row.lang or lang for row in rows]
    if asked:
        guesses = LangidDetector(LANGUAGES).guesses([letters_of(rows[at].text) for at in asked])
        for at, guess in zip(asked, guesses, strict=True):
            foreign = guess.anywhere not in LANGUAGES and guess.p_anywhere >= SURE
            found[at] = guess.lang if guess.p >= CLEAR and not foreign else None
    return [code if code in LANGUAGES else None for code in found]


def masked(texts: Iterable[str], matcher: Matcher) -> list[str]:
    """Texts as the pipeline scores them: names of brands, addresses, handles and numbers replaced."""
    return [mask(text, ((match.start, match.end) for match in matcher.find(text)[0])) for text in texts]


def evaluate(rows: Sequence[Labelled], own: Model | None, matcher: Matcher, lang: str | None) -> dict[str, Any]:
    """The document of ``sturmwarte evaluate``.

    Texts that the deciding model was trained on are left out and counted in ``seen``. Raises LabelledError where
    nothing is left.
    """
    languages = languages_of(rows, own.about.lang if own else lang)
    rows, languages, seen = _unseen(rows, languages, own)
    texts = masked((row.text for row in rows), matcher)
    engines = {code: ClassifierEngine(code, own) for code in dict.fromkeys(languages) if code}
    for engine in engines.values():
        engine.tone(["·"])  # built and read before the clock runs
    begin = time.process_time()
    answers = _answers(texts, languages, {code: engine.tone for code, engine in engines.items()})
    seconds = time.process_time() - begin
    truth = np.array([TONES.index(row.label) for row in rows])
    rules = _answers(texts, languages, {code: RulesEngine(code).tone for code in engines})
    return {
        "n": len(rows),
        **_figures(truth, answers),
        "not_scored": languages.count(None),
        "seen": seen,
        "texts_per_s": round(len(rows) / max(seconds, 1e-9)),
        "analyser": ", ".join(engine.name for engine in engines.values()) or "none",
        "version": ", ".join(engine.name.rsplit("-", 1)[1] for engine in engines.values()) or "none",
        "interval": {name: interval(truth, answers.found, _figure(name), SEED) for name in ("micro_f1", "macro_f1")},
        "baselines": {
            "majority": _short(truth, np.full(len(truth), np.bincount(truth, minlength=3).argmax())),
            "vader": _short(truth, _stock_vader([row.text for row in rows])[0]),
            "rules": _short(truth, rules.found),
        },
        "slices": _slices(rows, texts, languages, truth, answers.found),
        **_signs(rows, answers),
    }


def _unseen(
    rows: Sequence[Labelled], languages: list[str | None], own: Model | None
) -> tuple[list[Labelled], list[str | None], int]:
    """Without the texts that the model, or the one below it, was trained on."""
    known = {code: [base_model(code)] for code in LANGUAGES}
    if own is not None:
        known[own.about.lang] = [own, *(known[own.about.lang] if own.about.base else [])]
    digests = digests_of([row.text for row in rows])
    seen = np.zeros(len(rows), bool)
    for code in LANGUAGES:
        of = np.array([language == code for language in languages])
        seen |= of & np.logical_or.reduce([np.isin(digests, model.seen) for model in known[code]])
    if seen.all():
        files = ", ".join(sorted({row.of for row in rows}))
        raise LabelledError(
            f"{files}: the model was trained on all {len(rows)} texts, so there is nothing to measure; "
            "`sturmwarte train FILE --json` gives cross-validated figures"
        )
    kept = np.flatnonzero(~seen).tolist()
    return [rows[at] for at in kept], [languages[at] for at in kept], int(seen.sum())


def _answers(
    texts: Sequence[str],
    languages: Sequence[str | None],
    engines: Mapping[str, Callable[[Sequence[str]], Sequence[Tone]]],
) -> Answers:
    probabilities = np.tile([0.0, 1.0, 0.0], (len(texts), 1))
    found, compound = np.full(len(texts), _NEUTRAL), np.zeros(len(texts))
    for code, tone in engines.items():
        places = [at for at, language in enumerate(languages) if language == code]
        for at, answer in zip(places, tone([texts[at] for at in places]), strict=True):
            probabilities[at] = answer.p_negative, answer.p_neutral, answer.p_positive
            found[at], compound[at] = TONES.index(answer.label), answer.compound
    return Answers(found, probabilities, compound)


def _figures(truth: Integers, answers: Answers) -> dict[str, Any]:
    table = confusion(truth, answers.found)
    area = auc(truth == TONES.index(ToneLabel.NEGATIVE), answers.probabilities[:, 0])
    return {
        **_short(truth, answers.found),
        "auc_negative": None if area is None else round(area, 4),
        "ece": round(calibration_error(truth, answers.probabilities), 4),
        "confusion": {
            said.value: {found.value: int(table[row, column]) for column, found in enumerate(TONES)}
            for row, said in enumerate(TONES)
        },
    }


def _short(truth: Integers, found: Integers) -> dict[str, Any]:
    f1 = f1_of(confusion(truth, found))
    figures: dict[str, Any] = {name: round(value, 4) for name, value in f1_figures(truth, found).items()}
    return figures | {"f1": {tone.value: round(float(value), 4) for tone, value in zip(TONES, f1, strict=True)}}


def _stock_vader(texts: Sequence[str]) -> tuple[Integers, Floats]:
    """vaderSentiment as its authors ship it, with their thresholds (±0.05), on the raw text."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    stock = SentimentIntensityAnalyzer()
    compound = np.array([stock.polarity_scores(text)["compound"] for text in texts])
    return np.where(compound >= 0.05, 2, np.where(compound <= -0.05, 0, 1)), compound


def _slices(
    rows: Sequence[Labelled],
    texts: Sequence[str],
    languages: Sequence[str | None],
    truth: Integers,
    found: Integers,
) -> list[dict[str, Any]]:
    """Figures of parts of the texts, the weakest first; parts of fewer than SMALLEST_SLICE texts are left out."""
    named: dict[str, list[int]] = {}
    for at, (row, text, language) in enumerate(zip(rows, texts, languages, strict=True)):
        for name in _marks(row, text, language):
            named.setdefault(name, []).append(at)
    parts = {name: np.array(places) for name, places in named.items() if SMALLEST_SLICE <= len(places) < len(rows)}
    made = [
        {"name": name, "n": len(places), "macro_f1": round(f1_figures(truth[places], found[places])["macro_f1"], 4)}
        for name, places in parts.items()
    ]
    return sorted(made, key=lambda part: (part["macro_f1"], part["name"]))


def _marks(row: Labelled, text: str, language: str | None) -> Iterable[str]:
    yield f"file {row.of}"
    yield f"language {language or 'not scored'}"
    if row.channel:
        yield f"channel {row.channel}"
    yield "short" if len(text) < _SHORT else "long" if len(text) > _LONG else "of middling length"
    if _EMOJI.search(text):
        yield "with emoji"
    if _NEGATION.search(text):
        yield "with a negation"
    if "?" in text:
        yield "with a question"
    if MASK in text:
        yield "with a name, handle or address"


def _signs(rows: Sequence[Labelled], answers: Answers) -> dict[str, Any]:
    """Where people gave ratings: macro-F1 of the sign, a score of 0 being wrong, beside stock VADER's."""
    places = [at for at, row in enumerate(rows) if row.rating is not None and abs(row.rating) >= SIGN_FROM]
    if not places:
        return {}
    truth = np.array([2 if (rows[at].rating or 0) > 0 else 0 for at in places])
    score = answers.probabilities[places, 2] - answers.probabilities[places, 0]
    compound = _stock_vader([rows[at].text for at in places])[1]
    return {"sign": {"n": len(places), "macro_f1": sign_f1(truth, score), "vader": sign_f1(truth, compound)}}


def sign_f1(truth: Integers, score: Floats) -> float:
    """Macro-F1 of negative and positive by the sign of a score; 0 counts as wrong."""
    return round(f1_figures(truth, (np.sign(score) + 1).astype(np.int64))["macro_f1"], 4)


def _figure(name: str) -> Callable[[Integers, Integers], float]:
    return lambda truth, found: f1_figures(truth, found)[name]


def majority_language(languages: Sequence[str | None]) -> str | None:
    """The language most texts are in; None where none is known."""
    sizes = Counter(code for code in languages if code)
    return sizes.most_common(1)[0][0] if sizes else None
