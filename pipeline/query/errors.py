"""What is wrong with a search, and where: said in the reader's language."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from zoneinfo import ZoneInfo

from pipeline.i18n import Speech


class QueryError(Exception):
    """A search that cannot be understood. ``position`` counts characters from 0; ``key`` names the phrase."""

    def __init__(self, key: str, position: int, **values: object) -> None:
        self.key, self.position, self.values = key, position, values
        super().__init__(self.text(Speech("en", ZoneInfo("UTC"))))

    def text(self, speech: Speech) -> str:
        """The sentence, with its place (counted from 1, as people do)."""
        values = dict(self.values)
        if "what" in values:
            values["what"] = speech.say(f"query.{values['what']}")
        return speech.say("query.at", position=self.position + 1, text=speech.say(f"query.{self.key}", **values))


def unknown(kind: str, position: int, name: str, known: Iterable[str], **values: object) -> QueryError:
    """An error about a field or value that does not exist, naming the nearest that does."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return QueryError(kind, position, nearest=near[0], **values)
    return QueryError(f"{kind}_plain", position, known=", ".join(names), **values)
