"""The words of the field as enumerations: one meaning in code, both stores, pages, mails and the interface."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Channel(StrEnum):
    """Kind of place; wind force counts these."""

    FORUM = "forum"
    REVIEW = "review"
    SEARCH = "search"
    NEWS = "news"
    BLOG = "blog"
    SOCIAL = "social"
    OWN = "own"


class Kind(StrEnum):
    """Kind of item."""

    POST = "post"
    REVIEW = "review"
    REPLY = "reply"
    ARTICLE = "article"
    COMMENT = "comment"
    RESULT = "result"


class Reading(IntEnum):
    """How much of an item a spider has read; a fuller reading replaces a lesser one."""

    SNIPPET = 1
    FEED = 2
    FULL = 3


class Precision(StrEnum):
    """How exactly the time of publication is known, most exact first."""

    SECOND = "second"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    MONTH = "month"
    UNKNOWN = "unknown"

    @property
    def rank(self) -> int:
        """0 for the most exact; larger is vaguer."""
        return _PRECISIONS[self]

    @property
    def exact(self) -> bool:
        """Whether the time may be used as it stands (minute or better)."""
        return self.rank <= Precision.MINUTE.rank


_PRECISIONS = {precision: rank for rank, precision in enumerate(Precision)}


class Voice(StrEnum):
    """Who speaks, seen from one brand. Only ``earned`` is opinion."""

    EARNED = "earned"
    OWNED = "owned"
    STAFF = "staff"
    MACHINE = "machine"


class Via(StrEnum):
    """Why a mention is about a brand, strongest reason first."""

    NAME = "name"
    ALIAS = "alias"
    HANDLE = "handle"
    PERSON = "person"
    ABOUT = "about"
    REPLY = "reply"
    THREAD = "thread"


class BrandKind(StrEnum):
    """What the watched thing is."""

    BRAND = "brand"
    PRODUCT = "product"
    PERSON = "person"
    COMPETITOR = "competitor"


class ToneLabel(StrEnum):
    """The tone of an opinion. A text that is not scored has none."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"


class Severity(StrEnum):
    """How fierce a text is, mildest first. A text in a language without rules has none of them."""

    NONE = "none"
    AGGRESSION = "aggression"
    INSULT = "insult"
    THREAT = "threat"
    """Of violence; legal steps are ``Aspect.KUENDIGUNG``."""


class Aspect(StrEnum):
    """What about a service a text speaks of; it may speak of several."""

    ERREICHBARKEIT = "erreichbarkeit"
    WARTEZEIT = "wartezeit"
    KOMPETENZ = "kompetenz"
    EHRLICHKEIT = "ehrlichkeit"
    TECHNIK = "technik"
    WECHSEL = "wechsel"
    PREIS = "preis"
    VERTRAG = "vertrag"
    PERSONAL = "personal"
    APP = "app"
    KUENDIGUNG = "kuendigung"
    """Leaving, and legal steps: what people threaten with who threaten nobody."""


class Purpose(StrEnum):
    """What a text is written for."""

    COMPLAINT = "complaint"
    QUESTION = "question"
    PRAISE = "praise"
    NEWS = "news"
    ADVERT = "advert"


class SourceState(StrEnum):
    """How a source stands; shown wherever a number depends on it."""

    LEARNING = "learning"
    HEALTHY = "healthy"
    LATE = "late"
    BEHIND = "behind"
    BLIND = "blind"
    PAUSED = "paused"
    RETIRED = "retired"


class Answer(StrEnum):
    """What one fetch brought."""

    OK = "ok"
    EMPTY = "empty"
    NOT_MODIFIED = "not_modified"
    GATED = "gated"
    CHALLENGE = "challenge"
    RATE_LIMITED = "rate_limited"
    LAYOUT_CHANGED = "layout_changed"
    ERROR = "error"


class IncidentState(StrEnum):
    """Life of an incident."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class OutboxState(StrEnum):
    """Life of a message. ``held`` waits for quiet hours, a silence or a person's release after a restore."""

    HELD = "held"
    READY = "ready"
    SENT = "sent"
    FAILED = "failed"
