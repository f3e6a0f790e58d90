"""Spellings of a name: every way in which people write one configured term, and the fold that keeps positions."""

from __future__ import annotations

import re
import unicodedata

_SAME_LENGTH = {
    "’": "'", "‘": "'", "ʼ": "'", "`": "'", "´": "'", "′": "'",
    "‐": "-", "‑": "-", "–": "-", "—": "-", "−": "-",
    "\u00a0": " ", "\u202f": " ", "\u2009": " ", "\n": " ", "\t": " ", "\r": " ",
    "₂": "2", "＆": "&", "＠": "@",
}  # fmt: skip
_UNEVEN = re.compile(f"[{''.join(_SAME_LENGTH)}]")
_SIGNS = ("&", "&amp;", "&#038;", "&#38;", "&amp;amp;")
"""An ampersand as it stands in texts and in the source of pages."""
JOINED = 3
"""Names of more words than this are not written as one word."""
_TO_DIGRAPH = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_TO_UMLAUT = (("ae", "ä"), ("oe", "ö"), ("ue", "ü"))


def unify(text: str) -> str:
    """Apostrophes, dashes and white space in one form each; every character keeps its position and its case."""
    return _UNEVEN.sub(lambda found: _SAME_LENGTH[found[0]], text)


def fold(text: str) -> str:
    """Lower case of ``unify(text)``, with as many characters as before (so that positions stay)."""
    return lower(unify(text))


def lower(text: str) -> str:
    """Lower case with as many characters as before."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


def spellings(term: str, *, joined: bool = True) -> set[str]:
    """Folded spellings of a term: ampersands, umlauts, and (``joined``) blanks and hyphens exchanged."""
    base = re.sub(r"\s*&\s*", "&", re.sub(r"&amp;", "&", " ".join(unify(term).split())))
    forms = _attributes(fold(base)) if joined else {fold(base)}
    forms = {variant for form in forms for variant in _separators(form)} if joined else forms
    forms = {variant for form in forms for variant in _ampersands(form)}
    return {variant for form in forms for variant in _umlauts(form)}


def without_apostrophe(term: str) -> str | None:
    """The term as people write it who leave the apostrophe out (``DAvis``), or None where it has none."""
    unified = unify(term)
    return unified.replace("'", "") if "'" in unified else None


def _attributes(form: str) -> set[str]:
    """A name of several words that begins with an adjective is inflected there: Deutsche Bahn, Deutschen Bahn."""
    first, blank, rest = form.partition(" ")
    if not rest or len(first) < 4 or not first.endswith("e"):
        return {form}
    return {first + ending + blank + rest for ending in ("", "n", "r")}


def _separators(form: str) -> set[str]:
    if len(re.split("[ -]", form)) > JOINED:
        return {form}
    return {form, *(re.sub(r"[ -]", mark, form) for mark in (" ", "-", "_", ""))}


def _ampersands(form: str) -> set[str]:
    if "&" not in form:
        return {form}
    blanks = (("", ""), (" ", " ")) if " " in form else (("", ""), (" ", " "), ("", " "), (" ", ""))
    signs = (*_SIGNS, "und") if re.search(r"\d&\d", form) else _SIGNS
    marks = [before + sign + after for sign in signs for before, after in blanks]
    if re.search(r"\w\w&\w\w", form):
        marks.append(" und ")
    return {form.replace("&", mark) for mark in marks}


def _umlauts(form: str) -> set[str]:
    inward = form
    for digraph, umlaut in _TO_UMLAUT:
        inward = inward.replace(digraph, umlaut)
    composed = {form, form.translate(_TO_DIGRAPH), inward}
    return composed | {unicodedata.normalize("NFD", variant) for variant in composed}
