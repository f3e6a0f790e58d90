"""``sturmwarte match``: which brands a text names, and why."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.configuration import Brand
from sturmwarte.commands.shared import ConfigOption, JsonOption, find_file, guarded, load_file, print_json, print_table
from sturmwarte.speech import speech_for


@guarded
def match(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="option.match_text")],
    brands: Annotated[Path | None, typer.Option("--brands", metavar="FILE", help="option.brands_file")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """help.match"""
    from pipeline.matching import Matcher, explain_with
    from pipeline.nearest import nearest

    known, lines = brands_in_force(brands, config), text == "-"
    matcher = Matcher(known)
    for line in _lines() if lines else [_readable(text)]:
        found = explain_with(matcher, line)
        if not (lines or found["brands"] or found["rejected"]):
            found["nearest"] = [asdict(near) for near in nearest(line, known)]
        if as_json:
            print_json(found, lines=lines)
        else:
            _show(found)


def brands_in_force(brands: Path | None, config: Path | None) -> Mapping[str, Brand]:
    """The brands of ``--brands``, else of the configuration, else the built-in examples."""
    from pipeline.examples import EXAMPLE_BRANDS
    from pipeline.toml import load_brands

    if brands is not None:
        return load_brands(brands)
    file = find_file(config)
    return (load_file(file).brands if file else None) or EXAMPLE_BRANDS


def _lines() -> Iterable[str]:
    """Lines of standard input, whatever the terminal's locale: UTF-8, and what is none of it replaced."""
    raw = getattr(sys.stdin, "buffer", None)
    lines = sys.stdin if raw is None else (line.decode("utf-8", "replace") for line in raw)
    return (line.rstrip("\r\n") for line in lines)


def _readable(text: str) -> str:
    """An argument whose bytes were no text has halves of letters in their place."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _show(found: Mapping[str, Any]) -> None:
    speech = speech_for()
    rows = [(speech.say("command.match.found"), *_cells(hit)) for hit in found["brands"]]
    rows += [(speech.say("command.match.rejected"), *_cells(hit)) for hit in found["rejected"]]
    if rows:
        print_table([speech.say(f"command.match.{name}") for name in ("result", "brand", "term", "place", "why")], rows)
        return
    likest = "; ".join(speech.say("command.match.near", **near) for near in found.get("nearest", ()))
    typer.echo(speech.say("command.match.nearest", list=likest) if likest else speech.say("command.match.unspelled"))


def _cells(hit: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return hit["brand"], hit["term"], f"{hit['start']}–{hit['end']}", hit["why"]
