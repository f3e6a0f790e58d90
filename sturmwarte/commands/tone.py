"""``sturmwarte evaluate`` and ``sturmwarte train``: how good the tone is, and how it is made better."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.configuration import Brand
from sturmwarte.commands.match import brands_in_force
from sturmwarte.commands.shared import (
    ConfigOption,
    JsonOption,
    Refused,
    guarded,
    note,
    one_of,
    print_json,
    print_table,
)
from sturmwarte.speech import speech_for

if TYPE_CHECKING:
    from pipeline.matching import Matcher
    from pipeline.tone.labelled import Labelled

FilesArgument = Annotated[list[Path], typer.Argument(metavar="FILE…", help="option.labelled_files")]
LangOption = Annotated[str | None, typer.Option("--lang", metavar="CODE", help="option.tone_lang")]
BrandOption = Annotated[list[str] | None, typer.Option("--brand", metavar="NAME", help="option.tone_brand")]


@guarded
def evaluate(
    files: FilesArgument,
    model: Annotated[Path | None, typer.Option("--model", metavar="FILE", help="option.tone_model")] = None,
    lang: LangOption = None,
    brand: BrandOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.evaluate"""
    from pipeline.tone.evaluation import evaluate as measure
    from pipeline.tone.model import load_model

    _known(lang)
    own = load_model(model) if model else None
    document = measure(_read(files), own, _matcher(brand, config), lang)
    if document["seen"]:
        note(speech_for().say("command.evaluate.seen", n=document["seen"]))
    if as_json:
        print_json(document)
    else:
        _show(document)


@guarded
def train(
    files: FilesArgument,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="option.train_out")],
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="option.train_seed")] = 1,
    lang: LangOption = None,
    brand: BrandOption = None,
    general: Annotated[bool, typer.Option("--general", help="option.train_general")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.train"""
    from hashlib import sha256

    from pipeline.tone.classifier import base_model
    from pipeline.tone.evaluation import languages_of, majority_language, masked
    from pipeline.tone.training import GENERAL_STRENGTH, STRENGTH
    from pipeline.tone.training import train as learn

    _known(lang)
    begin = time.monotonic()
    rows = _read(files)
    languages = languages_of(rows, lang)
    code = lang or majority_language(languages)
    if code is None:
        raise Refused("train.no_language")
    kept = [row for row, language in zip(rows, languages, strict=True) if language == code]
    names = masked((row.text for row in kept), _matcher(brand, config))
    strength = GENERAL_STRENGTH if general else STRENGTH
    made = learn(kept, names, code, base=None if general else base_model(code), seed=seed, strength=strength)
    made.save(out)
    if not general and made.about.base is None:
        note(speech_for().say("command.train.overlap"))
    document = {
        "out": str(out),
        "n": len(kept),
        "left_out": len(rows) - len(kept),
        "lang": code,
        "sha256": sha256(out.read_bytes()).hexdigest(),
        "seconds": round(time.monotonic() - begin, 1),
        "cross_validation": dict(made.about.figures),
        "base": made.about.base,
    }
    if as_json:
        print_json(document)
    else:
        speech = speech_for()
        figures = {name: f"{value:.3f}" for name, value in made.about.figures.items()}
        typer.echo(speech.say("command.train.done", **document, **figures))


def _read(files: Sequence[Path]) -> list[Labelled]:
    from pipeline.tone.labelled import read_labelled

    return [row for file in files for row in read_labelled(file)]


def _matcher(names: list[str] | None, config: Path | None) -> Matcher:
    """Finds what must not score: the brands in force, and those named on the command line."""
    from pipeline.matching import Matcher

    named = {f"named-{at}": Brand(name=name) for at, name in enumerate(names or [])}
    return Matcher({**brands_in_force(None, config), **named})


def _known(lang: str | None) -> None:
    from pipeline.tone.rules import LANGUAGES

    if lang is not None:
        one_of(lang, LANGUAGES, "evaluate.unknown_language")


def _show(document: dict[str, Any]) -> None:
    speech = speech_for()

    def say(name: str, **values: object) -> str:
        return speech.say(f"command.evaluate.{name}", **values)

    known = ", ".join(f"{name} {low:.3f}–{high:.3f}" for name, (low, high) in document["interval"].items())
    typer.echo(say("head", n=document["n"], analyser=document["analyser"], not_scored=document["not_scored"]))
    scorers = {document["analyser"]: document, **document["baselines"]}
    print_table(
        [say("scorer"), "micro-F1", "macro-F1", *(say(f"tones.{tone}") for tone in document["f1"])],
        [_row(name, figures) for name, figures in scorers.items()],
    )
    area = document["auc_negative"]
    typer.echo(say("more", interval=known, auc="–" if area is None else f"{area:.3f}", ece=f"{document['ece']:.3f}"))
    typer.echo(say("speed", texts=document["texts_per_s"]))
    if sign := document.get("sign"):
        typer.echo(say("sign", n=sign["n"], ours=f"{sign['macro_f1']:.4f}", vader=f"{sign['vader']:.4f}"))
    print_table(
        [say("slice"), "n", "macro-F1"],
        [(part["name"], part["n"], f"{part['macro_f1']:.3f}") for part in document["slices"]],
    )


def _row(name: str, figures: dict[str, Any]) -> list[str]:
    return [name, *(f"{value:.3f}" for value in (figures["micro_f1"], figures["macro_f1"], *figures["f1"].values()))]
