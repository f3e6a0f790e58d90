"""What a spider says of its portal's webhook: how the sender is known, and what a call brings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from crawlers.parsing import ParsedItem


@dataclass(frozen=True)
class Webhook:
    """Pure functions over one call; both take anything and never raise."""

    is_genuine: Callable[[str, Mapping[str, str], bytes], bool]
    """(secret, headers with lower-case names, body) → whether the portal sent it."""
    items: Callable[[bytes], tuple[ParsedItem, ...] | None]
    """What the body says; None where it is none of the portal's calls."""
