"""Labelled texts: TSV, JSON lines and the XML of GermEval 2017, read with an error that names file, line and remedy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from lxml import etree

from pipeline.words import Channel, ToneLabel

NEUTRAL_BELOW = 0.5
"""A mean of ratings (-4 to 4) nearer to 0 than this is neutral."""
_LABELS = {str(label): label for label in ToneLabel}
_OTHER_WORDS = {"mixed": ToneLabel.NEUTRAL, "negativ": ToneLabel.NEGATIVE, "positiv": ToneLabel.POSITIVE}
_HEADER = {"label", "sentiment", "tone", "text"}
_FORMATS = 'TSV (id⇥label⇥text or label⇥text), JSON lines ({"text", "label"}) or GermEval 2017 XML'


class LabelledError(ValueError):
    """A file of labelled texts that cannot be used; the message names file, line, value and remedy."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One text and what people said of its tone; ``rating`` is the mean of their ratings (-4..4), if any."""

    text: str
    label: ToneLabel
    lang: str | None = None
    channel: Channel | None = None
    rating: float | None = None
    of: str = ""
    """Name of the file, without its folder."""


def read_labelled(path: Path) -> list[Labelled]:
    """All labelled texts of a file, in order. Raises LabelledError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LabelledError(f"{path}: cannot be read ({error.strerror or error})") from error
    head = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if head == b"<":
        rows = list(_documents(path, content))
    else:
        try:
            lines = content.decode("utf-8-sig").splitlines() if head == b"{" else _lines(content)
        except UnicodeDecodeError as error:
            raise LabelledError(f"{path}: is not UTF-8 (byte {error.start}); save it as UTF-8") from error
        rows = list(_objects(path, lines) if head == b"{" else _table(path, lines))
    if not rows:
        raise LabelledError(f"{path}: holds no labelled text; wanted is {_FORMATS}")
    return rows


def _lines(content: bytes) -> list[str]:
    """Rows end with a line feed only: a text may hold any other kind of break."""
    return [line.removesuffix("\r") for line in content.decode("utf-8-sig").split("\n")]


def _table(path: Path, lines: list[str]) -> Iterator[Labelled]:
    for number, line in enumerate(lines, start=1):
        cells = line.split("\t", 2)
        if not line.strip() or (number == 1 and _HEADER & {cell.strip().lower() for cell in cells}):
            continue
        if len(cells) == 1:
            raise LabelledError(f"{path}, line {number}: no tab in {line[:60]!r}; wanted is {_FORMATS}")
        short = len(cells) == 2 or (_as_label(cells[0]) is not None and _as_label(cells[1]) is None)
        said, text = (cells[0], "\t".join(cells[1:])) if short else (cells[1], cells[2])
        yield _labelled(path, number, said, text)


def _objects(path: Path, lines: list[str]) -> Iterator[Labelled]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            raise LabelledError(f"{path}, line {number}: is no JSON object ({error})") from error
        if not isinstance(row.get("text"), str) or "label" not in row:
            raise LabelledError(f'{path}, line {number}: needs "text" and "label"; found {sorted(row)}')
        yield _labelled(path, number, str(row["label"]), row["text"], row.get("lang"), row.get("channel"))


def _documents(path: Path, content: bytes) -> Iterator[Labelled]:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise LabelledError(f"{path}: is no XML ({error})") from error
    for node in root.iter("Document"):
        said, text = node.findtext("sentiment"), node.findtext("text")
        if said is None or text is None:
            raise LabelledError(f"{path}, line {node.sourceline}: a Document needs <sentiment> and <text>")
        yield _labelled(path, node.sourceline or 0, said, text)


def _labelled(path: Path, line: int, said: str, text: str, lang: Any = None, channel: Any = None) -> Labelled:
    known = _as_label(said)
    if known is None:
        wanted = "negative, neutral, positive or a mean of ratings from -4 to 4"
        raise LabelledError(f"{path}, line {line}: the label {said[:40]!r} is none of {wanted}")
    label, rating = known
    if channel is not None and channel not in list(Channel):
        raise LabelledError(f"{path}, line {line}: the channel {channel!r} is none of {', '.join(Channel)}")
    place = None if channel is None else Channel(channel)
    return Labelled(text, label, lang if isinstance(lang, str) else None, place, rating, path.name)


def _as_label(said: str) -> tuple[ToneLabel, float | None] | None:
    word = said.strip().lower()
    if label := _LABELS.get(word) or _OTHER_WORDS.get(word):
        return label, None
    try:
        rating = float(word)
    except ValueError:
        return None
    if not -4 <= rating <= 4:
        return None
    if abs(rating) < NEUTRAL_BELOW:
        return ToneLabel.NEUTRAL, rating
    return (ToneLabel.POSITIVE if rating > 0 else ToneLabel.NEGATIVE), rating
