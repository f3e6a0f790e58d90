"""The fields of the search language and what their values may be."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from pipeline.words import Channel, Kind, ToneLabel, Via, Voice

NONE = "none"


class Shape(StrEnum):
    """How the values of a field are read."""

    OPINION = "opinion"
    VALUE = "value"
    TITLE = "title"
    TIME = "time"
    NUMBER = "number"
    IS = "is"
    AS_OF = "as_of"
    RESOLVED = "resolved"


SHAPES: dict[str, Shape] = {
    **dict.fromkeys(("brand", "tone", "via", "voice"), Shape.OPINION),
    **dict.fromkeys(
        ("source", "platform", "channel", "kind", "lang", "author", "story", "thread_id", "domain", "has"), Shape.VALUE
    ),
    "thread": Shape.TITLE,
    **dict.fromkeys(("published", "seen"), Shape.TIME),
    **dict.fromkeys(("rating", "stars"), Shape.NUMBER),
    "is": Shape.IS,
    "as_of": Shape.AS_OF,
    **dict.fromkeys(("aspect", "severity", "topic", "incident", "answered", "during"), Shape.RESOLVED),
}
"""Every field there is."""

CHOICES: dict[str, tuple[str, ...]] = {
    "tone": (*ToneLabel, NONE),
    "via": tuple(Via),
    "voice": tuple(Voice),
    "channel": tuple(Channel),
    "kind": tuple(Kind),
    "is": ("copy", "historic", "late", "corrected", "counted", "deleted", "quote"),
    "has": ("image", "link", "threat"),
}
"""Fields whose values are settled."""

WITHOUT_DATA = {("is", "quote"), ("has", "threat")}
"""Values that the language has and no step fills yet."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration knows, for errors that name the nearest. None: not checked."""

    brands: frozenset[str] | None = None
    sources: frozenset[str] | None = None

    def of(self, field: str) -> frozenset[str] | None:
        """The known values of a field, where they are known."""
        return {"brand": self.brands, "source": self.sources}.get(field)
