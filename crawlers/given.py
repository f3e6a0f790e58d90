"""Items that somebody hands to us, by the interface or in a file: plain fields in, items out, or what is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from crawlers.dates import parse_date
from crawlers.parsing import ParsedItem
from pipeline import identity
from pipeline.item import Item, Published
from pipeline.words import Channel, Kind, Precision, Reading

FIELDS: Mapping[str, tuple[str, ...]] = {
    "url": ("url", "link", "permalink", "adresse"),
    "id": ("id",),
    "text": ("text", "body", "content", "kommentar", "inhalt", "nachricht"),
    "title": ("title", "titel", "betreff", "subject"),
    "author": ("author", "user", "autor", "verfasser"),
    "author_id": ("author_id",),
    "published": ("published", "event_time", "date", "time", "datum", "zeit"),
    "kind": ("kind", "art"),
    "channel": ("channel", "kanal"),
    "source": ("source", "quelle"),
    "lang": ("lang", "language", "sprache"),
    "rating": ("rating", "stars", "sterne", "bewertung"),
    "rating_scale": ("rating_scale", "skala"),
    "votes": ("votes", "likes"),
    "views": ("views", "aufrufe"),
    "thread": ("thread", "thema"),
    "thread_title": ("thread_title",),
    "parent": ("parent",),
}
"""Every field there is, and the names it goes by where nobody said which column it is; the first is its own."""

_LONGEST = 200_000
_WRITTEN = re.compile(r"\d{1,4}[./-]\d{1,2}[./-]\d{1,4}")
_SCALE = re.compile(r"\s*(-?\d+(?:[.,]\d+)?)\s*-\s*(-?\d+(?:[.,]\d+)?)\s*")
Word = TypeVar("Word", Channel, Kind)


class GivenProblem(ValueError):
    """What was given cannot become an item; the message names field and value and says what is wanted."""

    def __init__(self, field: str, what: str) -> None:
        super().__init__(f"{field}: {what}")
        self.field, self.what = field, what


@dataclass(frozen=True)
class Intake:
    """Where items are taken in: what holds for all of them that do not say otherwise."""

    source: str
    platform: str
    channel: Channel
    zone: ZoneInfo
    now: datetime
    place: str = ""
    """Address of the source; items that have an id and no address of their own belong there."""
    historic: bool = False
    """Whether they are the past: searchable, raising nothing."""

    def item(self, fields: Mapping[str, object]) -> Item:
        """The item of these fields, under any of the names in FIELDS. Raises GivenProblem."""
        given = _Fields(fields)
        title, text = given.text("title"), given.text("text")
        if not text and not title:
            raise GivenProblem("text", "empty, and no title either")
        author = given.text("author") or None
        origin, native, url = self._identity(given, author, text or title)
        rating, raw, scale = _rating(given)
        return Item(
            source=given.text("source") or self.source,
            platform=self.platform,
            channel=given.word("channel", Channel, self.channel),
            kind=given.word("kind", Kind, Kind.POST if rating is None else Kind.REVIEW),
            reading=Reading.FULL,
            origin=origin,
            native_id=native,
            fetched=self.now,
            url=url,
            title=title,
            text=text,
            author=author,
            author_id=given.text("author_id") or None,
            published=self._published(given.text("published")),
            thread=given.text("thread") or None,
            thread_title=given.text("thread_title"),
            parent=given.text("parent") or None,
            lang=given.text("lang") or None,
            rating=rating,
            rating_raw=raw,
            rating_scale=scale,
            votes=given.number("votes"),
            views=given.number("views"),
            first_contact=self.historic,
        )

    def _identity(self, given: _Fields, author: str | None, text: str) -> tuple[str, str, str | None]:
        """(origin, native id, address), as the contract's order of ids wants it."""
        url, own = given.text("url"), given.text("id")
        try:
            if url:
                if not url.startswith(("http://", "https://")):
                    raise ValueError(url)
                return identity.origin_of(url), identity.native_id(url) or identity.canonical_url(url), url
        except ValueError:
            raise GivenProblem("url", f"{url[:60]!r} is no address; write https://…") from None
        if not self.place:
            raise GivenProblem("url", "'' is no address; every row needs one")
        origin = identity.origin_of(self.place)
        return origin, own or identity.signed_id(self.place, author, text), None

    def _published(self, text: str) -> Published:
        """A time with its precision: a bare day is a day, not midnight."""
        if not text:
            return Published()
        try:
            found = datetime.fromisoformat(text)
            at = (found if found.tzinfo else found.replace(tzinfo=self.zone)).astimezone(UTC)
            next_day = at + timedelta(days=1)
        except (ValueError, OverflowError):
            return self._printed(text)
        if len(text) > len("2026-11-20"):
            return Published(at=at, precision=Precision.SECOND)
        return Published(at=at, precision=Precision.DAY, lower=at, upper=next_day)

    def _printed(self, text: str) -> Published:
        """``20.11.2026 09:40`` and the like; a time such as "yesterday" says nothing in a file of unknown age."""
        found = parse_date(text, self.now, self.zone) if _WRITTEN.search(text) else Published()
        if found.at is None and found.upper is None:
            raise GivenProblem("published", f"{text[:40]!r} is no time; write for example 2026-11-20T09:40")
        return found


def handed_over(item: ParsedItem, intake: Intake) -> Item:
    """The item of what a portal's own call brings, whose id is the whole one within the origin."""
    origin = identity.origin_of(item.url or intake.place)
    return Item(
        source=intake.source,
        platform=intake.platform,
        channel=intake.channel,
        kind=item.kind,
        reading=Reading.FULL,
        origin=origin,
        native_id=item.id,
        fetched=intake.now,
        url=item.url,
        title=item.title,
        text=item.text,
        author=item.author,
        author_id=item.author_id,
        published=item.published,
        thread=item.thread,
        thread_title=item.thread_title,
        parent=item.parent,
        parent_author=item.parent_author,
        rating=item.rating,
        rating_raw=item.rating_raw,
        rating_scale=item.rating_scale,
        votes=item.votes,
        verified=item.verified,
        deleted=item.deleted,
    )


class _Fields:
    """Plain fields of unknown make, asked for one by one."""

    def __init__(self, fields: Mapping[str, object]) -> None:
        self._fields = fields

    def text(self, field: str) -> str:
        value = self._value(field)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise GivenProblem(field, f"a text is wanted, not {type(value).__name__}")
        if len(value) > _LONGEST:
            raise GivenProblem(field, f"{len(value)} characters are too many; {_LONGEST} is the most")
        return value.strip()

    def number(self, field: str) -> int | None:
        value = self._value(field)
        if value is None or value == "":
            return None
        try:
            number = int(str(value).strip())
        except ValueError:
            number = -1
        if isinstance(value, bool) or not 0 <= number < 2**53:
            raise GivenProblem(field, f"{str(value)[:40]!r} is no whole number from 0 on")
        return number

    def decimal(self, field: str) -> float | None:
        value = self._value(field)
        if value is None or value == "":
            return None
        found = re.fullmatch(r"-?\d{1,6}(?:[.,]\d{1,6})?", str(value).strip())
        if found is None or isinstance(value, bool):
            raise GivenProblem(field, f"{str(value)[:40]!r} is no number")
        return float(found[0].replace(",", "."))

    def word(self, field: str, kind: type[Word], default: Word) -> Word:
        text = self.text(field)
        try:
            return kind(text.lower()) if text else default
        except ValueError:
            raise GivenProblem(field, f"{text[:40]!r} is none of {', '.join(kind)}") from None

    def _value(self, field: str) -> object:
        return next((self._fields[name] for name in FIELDS[field] if self._fields.get(name) not in (None, "")), None)


def _rating(given: _Fields) -> tuple[float | None, str | None, str | None]:
    """(0..1, as written, scale as written); without a scale it is 1 to 5."""
    raw, scale = given.decimal("rating"), given.text("rating_scale") or "1-5"
    if raw is None:
        return None, None, None
    ends = _SCALE.fullmatch(scale)
    worst, best = (float(end.replace(",", ".")) for end in ends.groups()) if ends else (0.0, 0.0)
    if worst == best:
        raise GivenProblem("rating_scale", f"{scale[:40]!r} is no scale; write worst and best, such as 1-5 or 6-1")
    if not min(worst, best) <= raw <= max(worst, best):
        raise GivenProblem("rating", f"{raw:g} is not within the scale {scale}")
    return (raw - worst) / (best - worst), f"{raw:g}", scale
