"""Every reason that a parser or spider gives is known in German."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from pipeline.i18n import Speech
from pipeline.reasons import in_words

CRAWLERS = Path(__file__).parents[2] / "crawlers"
GERMAN = Speech("de", ZoneInfo("Europe/Berlin"))
CALLS = {"lose": 2, "NotRead": 1, "_cut": 2, "_leave": 0}
"""Calls with a reason at this place."""
COMPOSED = ("Bluesky wants a login", "this is an HTML page, not a feed", "7 (7): read the feed instead")
"""Beginnings of sentences whose parts are known as a whole."""


def _said(node: ast.expr) -> Iterator[str]:
    """The sentences that an expression may be, every field a 7."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.JoinedStr(values=parts):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in parts)
        case ast.IfExp(body=body, orelse=other):
            yield from (*_said(body), *_said(other))
        case ast.BoolOp(values=parts):
            yield from (text for part in parts for text in _said(part))


def _reasons(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from (text for word in node.keywords if word.arg == "reason" for text in _said(word.value))
            place = CALLS.get(getattr(node.func, "attr", getattr(node.func, "id", "")))
            if place is not None and len(node.args) > place:
                yield from _said(node.args[place])
        elif isinstance(node, ast.Assign):
            names = {getattr(target, "attr", getattr(target, "id", "")) for target in node.targets}
            if names & {"reason", "notice"}:
                yield from _said(node.value)


def test_every_reason_is_known_in_german() -> None:
    told = {
        (path.name, text)
        for path in CRAWLERS.rglob("*.py")
        for text in _reasons(ast.parse(path.read_text("utf-8")))
        if any(sign.isalpha() for sign in text) and not text.startswith(COMPOSED)
    }
    assert len(told) > 100
    assert sorted(pair for pair in told if in_words(pair[1], GERMAN) == pair[1]) == []
