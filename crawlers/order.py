"""In which order a place writes day and month: by this page's dates, else by its other pages, else by its language."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from crawlers.dates import Order, shown_order, usual_order
from crawlers.parsing import PageFile


class Shown(msgspec.Struct, frozen=True):
    """The order to read a page's dates by, and what the page itself gave for it: that goes into ``Parsed.order``."""

    order: Order
    evidence: Order | None


def order_of(page: PageFile, texts: Iterable[str], lang: str | None = None) -> Shown:
    """How to read the dates of a page, given the texts that hold them and the page's language (``en-US``)."""
    kept = list(texts)
    evidence = shown_order(kept)
    return Shown(evidence or page.order or usual_order(lang, kept), evidence)
