"""Reservations of text and data mining (TDMRep): /.well-known/tdmrep.json, response header, ``meta`` element."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

Rules = list[list[Any]]
"""[path pattern, reserved] in the order of the file."""
MOST_RULES, LARGEST, HEAD = 1_000, 500 * 1024, 60_000
_META = re.compile(rb"<meta\s[^>]{0,500}>", re.IGNORECASE)
_NAMED = re.compile(rb"""\bname\s*=\s*["']?tdm-reservation["'\s/>]""", re.IGNORECASE)
_ONE = re.compile(rb"""\bcontent\s*=\s*["']?\s*1\s*["'\s/>]""", re.IGNORECASE)


def rules_of(body: bytes) -> Rules:
    """The rules of a tdmrep.json; none where it is not of that shape."""
    try:
        found = json.loads(body[:LARGEST])
    except (ValueError, RecursionError):
        return []
    entries = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return [
        [one["location"], str(one.get("tdm-reservation")) == "1"]
        for one in entries[:MOST_RULES]
        if isinstance(one.get("location"), str)
    ]


def reserves(rules: Iterable[Iterable[Any]], url: str) -> bool:
    """Whether the first rule that fits the address reserves it."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return next((bool(reserved) for pattern, reserved in rules if fits(pattern, path)), False)


def fits(pattern: str, path: str) -> bool:
    """As robots.txt has it: ``*`` stands for anything, ``$`` for the end; else the pattern is a beginning."""
    whole = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    at = len(first)
    for piece in rest[:-1] if whole and rest else rest:
        found = path.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    if not whole:
        return True
    return path.endswith(rest[-1]) and len(path) - len(rest[-1]) >= at if rest else at == len(path)


def said(header: str, body: bytes, content_type: str) -> str:
    """Where an answer itself reserves its use; empty where it does not."""
    if header.strip() == "1":
        return "tdm-reservation: 1"
    start = body[:HEAD]
    if "html" not in content_type.lower() or b"tdm-reservation" not in start.lower():
        return ""
    return "meta tdm-reservation" if any(_NAMED.search(m) and _ONE.search(m) for m in _META.findall(start)) else ""
