"""Where the fetched pages of a data folder lie."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path


def page_file(folder: Path, sha256: str) -> Path:
    """The compressed page with that SHA-256 in a folder ``raw``."""
    return folder / sha256[:2] / f"{sha256}.gz"


def remove_pages(folder: Path, pages: Iterable[str]) -> None:
    """Remove pages by their SHA-256; those that are gone already do not matter."""
    for sha256 in pages:
        page_file(folder, sha256).unlink(missing_ok=True)
