"""Colours and type of mail, charts and pages, in one place: light, dark, and the seven wind forces."""

from __future__ import annotations

import msgspec


class Palette(msgspec.Struct, frozen=True, kw_only=True):
    """What each part is painted with, as ``#rrggbb``."""

    ink: str
    soft: str
    ground: str
    card: str
    line: str
    accent: str
    on_accent: str
    """Words on a filled button."""
    band: str
    negative: str
    neutral: str
    positive: str
    missing: str
    """Column of a time without data."""


LIGHT = Palette(
    ink="#17202b",
    soft="#5b6876",
    ground="#f6f7f9",
    card="#ffffff",
    line="#dfe4ea",
    accent="#1d5b8f",
    on_accent="#ffffff",
    band="#cfe0ee",
    negative="#c2410c",
    neutral="#9aa7b4",
    positive="#0f766e",
    missing="#e4e6e9",
)
DARK = Palette(
    ink="#e8edf2",
    soft="#9aa7b4",
    ground="#11171e",
    card="#1a222c",
    line="#2c3743",
    accent="#7db4e0",
    on_accent="#11171e",
    band="#24425c",
    negative="#f08a5d",
    neutral="#74818f",
    positive="#4fb8ad",
    missing="#323a44",
)
LEVELS = ("#8fa3b3", "#4f9aa8", "#d9b52c", "#ee9526", "#e0602a", "#c4262e", "#7b1f6a")
"""Wind force 0 to 6, of falling lightness."""
FONTS = "Inter, system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
ARROWS = {"rising": "↑", "steady": "→", "falling": "↓"}


def palette(dark: bool) -> Palette:
    """The dark or the light one."""
    return DARK if dark else LIGHT
