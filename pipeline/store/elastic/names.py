"""What the indices are called: ``sturmwarte-mentions-v2-2026.11`` and the aliases that readers use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

MAPPING_VERSION = 2
"""Stands in every name: another mapping is another index."""


@dataclass(frozen=True, slots=True)
class Names:
    """All names of one store. ``prefix`` is the configured one; a month is written ``2026.11``."""

    prefix: str
    version: int = MAPPING_VERSION
    aliased: bool = True
    """False: readers of these names see the indices of this version, whatever the aliases stand for."""

    @property
    def mentions(self) -> str:
        """Alias over all months."""
        return f"{self.prefix}-mentions" if self.aliased else f"{self._mentions}*"

    @property
    def history(self) -> str:
        """Alias over the replaced revisions of all months."""
        return f"{self.prefix}-history" if self.aliased else f"{self._history}*"

    @property
    def stories(self) -> str:
        """Bands and aliases of stories."""
        return f"{self.prefix}-stories-v{self.version}"

    @property
    def erased(self) -> str:
        """uids that may never be written again."""
        return f"{self.prefix}-erased-v{self.version}"

    @property
    def meta(self) -> str:
        """Versions of mapping and analysis; has no version itself."""
        return f"{self.prefix}-meta"

    @property
    def of_months(self) -> tuple[str, str]:
        """Patterns that fit the indices of mentions and of history, and no others."""
        return f"{self._mentions}*", f"{self._history}*"

    def mentions_of(self, month: str) -> str:
        """The index that mentions first stored with an event time in that month stay in."""
        return self._mentions + month

    def history_of(self, month: str) -> str:
        """The index of the replaced revisions of a month's mentions."""
        return self._history + month

    def month_of(self, index: str) -> str:
        """The month of an index of mentions or history."""
        return index.rpartition("-")[2]

    @property
    def _mentions(self) -> str:
        return f"{self.prefix}-mentions-v{self.version}-"

    @property
    def _history(self) -> str:
        return f"{self.prefix}-history-v{self.version}-"


def month(at: datetime) -> str:
    """The partition of an event time, by UTC; sorts as text."""
    at = at.astimezone(UTC)
    return f"{at.year:04d}.{at.month:02d}"


def alias_id(story: str) -> str:
    """_id of the document that says which story this one goes by."""
    return f"alias.{story}"


def history_id(uid: str, revision: int) -> str:
    """_id of a replaced revision."""
    return f"{uid}.{revision}"
