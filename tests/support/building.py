"""Builders of mentions and opinions for tests: every field has a plausible value, tests name what they are about."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from pipeline.item import Published
from pipeline.mention import Analysis, Crawled, Mention, Opinion, Tone, text_hash
from pipeline.words import Channel, Kind, Precision, Reading, ToneLabel, Via, Voice

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
BIN = timedelta(minutes=5)
_P = {
    ToneLabel.NEGATIVE: (0.8, 0.15, 0.05),
    ToneLabel.NEUTRAL: (0.2, 0.6, 0.2),
    ToneLabel.POSITIVE: (0.05, 0.15, 0.8),
}


def uid(name: object) -> str:
    """A uid by a short name."""
    return hashlib.blake2b(str(name).encode(), digest_size=16).hexdigest()


def opinion(brand: str = "telekom", tone: str | ToneLabel | None = "neutral", **over: Any) -> Opinion:
    """An earned opinion by name, with probabilities that fit its tone."""
    label = None if tone is None else ToneLabel(tone)
    p = (None, None, None) if label is None else _P[label]
    fields: dict[str, Any] = {
        "brand": brand,
        "via": Via.NAME,
        "voice": Voice.EARNED,
        "tone": label,
        "p_negative": p[0],
        "p_neutral": p[1],
        "p_positive": p[2],
    }
    return Opinion(**{**fields, **over})


def tone(label: str | ToneLabel = "neutral", **over: Any) -> Tone:
    """The score of a text."""
    label = ToneLabel(label)
    p = _P[label]
    fields = {"label": label, "p_negative": p[0], "p_neutral": p[1], "p_positive": p[2], "compound": p[2] - p[0]}
    return Tone(**{**fields, **over})


def crawled(**over: Any) -> Crawled:
    """A full reading of a forum post at noon."""
    fields: dict[str, Any] = {
        "source": "forum",
        "reading": Reading.FULL,
        "fetched": NOON,
        "platform": "phpbb",
        "channel": Channel.FORUM,
        "kind": Kind.POST,
        "url": "https://forum.example/viewtopic.php?p=1#p1",
        "text": "Die Telekom hat geantwortet.",
        "author": "a" * 32,
    }
    return Crawled(**{**fields, **over})


_CRAWLED = set(Crawled.__struct_fields__)
LABELS = {"severity", "staff_threat", "aspects", "purpose", "topics", "why"}
_ANALYSIS = {"lang", "tone", "opinions", "analyser", "version", *LABELS}


def mention(name: object = "one", **over: Any) -> Mention:
    """A mention. Keys of its crawled part and of its analysis may be given directly: ``mention(text=…, tone=…)``.

    ``at`` sets published, seen, fetched, event_time and fed_bin together; ``tone`` may be a mere label.
    """
    at = over.pop("at", NOON)
    part = over.pop("crawled", None) or crawled(**{"fetched": at, **{k: over.pop(k) for k in _CRAWLED & set(over)}})
    made = over.pop("analysis", None) or _analysis(part, {k: over.pop(k) for k in _ANALYSIS & set(over)})
    event = over.get("event_time", at)
    fields: dict[str, Any] = {
        "uid": uid(name),
        "origin": "forum.example",
        "crawled": part,
        "published": Published(at=at, precision=Precision.MINUTE),
        "seen": at,
        "event_time": event,
        "fed_bin": bin_of(event),
        "analysis": made,
        "sources": (part.source,),
        "first_source": part.source,
    }
    return Mention(**{**fields, **over})


def _analysis(part: Crawled, over: dict[str, Any]) -> Analysis:
    score = over.get("tone", "neutral")
    score = tone(score) if isinstance(score, str) else score
    fields: dict[str, Any] = {
        "text_hash": text_hash(part.title, part.text),
        "analyser": "rules-de",
        "version": 1,
        "lang": "de",
        "opinions": (opinion(tone=score.label if score else None),),
    }
    return Analysis(**{**fields, **over, "tone": score})


def bin_of(at: datetime) -> datetime:
    """Start of the 5-minute bin."""
    return at - timedelta(minutes=at.minute % 5, seconds=at.second, microseconds=at.microsecond)
