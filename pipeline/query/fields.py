"""The fields of the search language and what their values may be."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from pipeline.words import Aspect, Channel, Kind, Purpose, Severity, ToneLabel, Via, Voice

NONE = "none"


class Shape(StrEnum):
    """How the values of a field are read."""

    OPINION = "opinion"
    VALUE = "value"
    TITLE = "title"
    TOPIC = "topic"
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
    **dict.fromkeys(("aspect", "severity", "purpose"), Shape.VALUE),
    "topic": Shape.TOPIC,
    "thread": Shape.TITLE,
    **dict.fromkeys(("published", "seen"), Shape.TIME),
    **dict.fromkeys(("rating", "stars"), Shape.NUMBER),
    "is": Shape.IS,
    "as_of": Shape.AS_OF,
    **dict.fromkeys(("incident", "answered", "during"), Shape.RESOLVED),
}
"""Every field there is."""

CHOICES: dict[str, tuple[str, ...]] = {
    "tone": (*ToneLabel, NONE),
    "via": tuple(Via),
    "voice": tuple(Voice),
    "channel": tuple(Channel),
    "kind": tuple(Kind),
    "is": ("copy", "historic", "late", "corrected", "counted", "deleted", "quote", "accepted", "verified", "press"),
    "has": ("image", "video", "link", "threat", "staff_threat"),
    "aspect": tuple(Aspect),
    "severity": tuple(Severity),
    "purpose": tuple(Purpose),
}
"""Fields whose values are settled."""

MEANINGS: dict[str, str] = {
    "brand": "The brand an opinion is about, by its id.",
    "tone": "Tone of the opinion; `none`: not scored.",
    "via": "Why the text is about the brand.",
    "voice": "Who speaks, seen from the brand; only `earned` is opinion.",
    "source": "Id of a source that found it.",
    "platform": "Software or portal it stands on, such as phpbb.",
    "channel": "Kind of place.",
    "kind": "Kind of item.",
    "lang": "Language of the text, such as de; `none`: not known.",
    "author": "Pseudonym of the author.",
    "story": "Story, by its id: all copies of one text.",
    "thread": "Words in the thread's title.",
    "thread_id": "Thread, by its id.",
    "domain": "Host name it stands on.",
    "has": "What the text contains.",
    "published": "When it was said.",
    "seen": "When it was found.",
    "rating": "Rating as a share from 0 to 1.",
    "stars": "Rating on a scale of 1 to 5.",
    "is": "A property of the mention.",
    "as_of": "What was known at that time; once, beside the other conditions.",
    "incident": "Mentions of an incident, such as R-0001; on the pages and in the interface.",
    "aspect": "What about a service the text speaks of; it may speak of several.",
    "severity": "How fierce it is; `none`: not at all. What is in another language than German and English has none.",
    "purpose": "What it is written for.",
    "topic": "A noun of the text, brands left out; a part of a compound is enough.",
    **dict.fromkeys(("answered", "during"), "Reserved; no data yet."),
}
"""What a field is, for the reference pages."""

WITHOUT_DATA = {("is", "quote")}
"""Values that the language has and no step fills yet."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration knows, for errors that name the nearest. None: not checked."""

    brands: frozenset[str] | None = None
    sources: frozenset[str] | None = None

    def of(self, field: str) -> frozenset[str] | None:
        """The known values of a field, where they are known."""
        return {"brand": self.brands, "source": self.sources}.get(field)
