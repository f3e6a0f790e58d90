"""A mention as plain data: the one shape that command line, interface and exports give to machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from pipeline.mention import Analysis, Mention, Opinion, Tone, effective_opinions, effective_tone
from pipeline.threads import ThreadState
from pipeline.words import ToneLabel


def mention_row(
    mention: Mention, incidents: Sequence[str] = (), threads: Mapping[str, ThreadState] | None = None
) -> dict[str, Any]:
    """The mention as a JSON object; ``incidents`` are names such as ``R-0127``. Keys are fixed; more may join.

    ``threads`` are the states of the threads in own communities, by their ids.
    """
    state = (threads or {}).get(mention.crawled.thread or "")
    crawled, opinions = mention.crawled, effective_opinions(mention)
    first = opinions[0] if opinions else None
    return {
        "uid": mention.uid,
        "revision": mention.revision,
        "sources": list(mention.sources),
        "platform": crawled.platform,
        "channel": str(crawled.channel),
        "kind": str(crawled.kind),
        "voice": str(first.voice) if first else None,
        "counted": first.counted if first else False,
        "url": crawled.url,
        "title": crawled.title,
        "thread_title": crawled.thread_title,
        "text": crawled.text,
        "author": crawled.author,
        "published": _time(mention.published.at),
        "precision": str(mention.published.precision),
        "event_time": _time(mention.event_time),
        "seen": _time(mention.seen),
        "lang": mention.analysis.lang,
        "tone": _tone(mention),
        "opinions": [_opinion(opinion) for opinion in opinions],
        **_labels(mention.analysis),
        "story": mention.story,
        "is_copy": mention.is_copy,
        "rating": crawled.rating,
        "media": [{"kind": one.kind, "url": one.url, "text": one.text} for one in crawled.media],
        "views": crawled.views,
        "verified": crawled.verified,
        "accepted": crawled.accepted,
        "staff": crawled.staff,
        "press": mention.press,
        "parent": crawled.parent,
        "thread_state": msgspec.to_builtins(state) if state else None,
        "incidents": list(incidents),
        "late": mention.late,
        "historic": mention.historic,
        "corrected": bool(mention.corrections),
        "deleted": _time(mention.deleted_at),
    }


def shown_tone(mention: Mention) -> ToneLabel | None:
    """The tone people are shown for the whole text: a person's word before the scorer's; None: not scored."""
    opinions = effective_opinions(mention)
    return opinions[0].tone if mention.corrections and len(opinions) == 1 else effective_tone(mention)


def _time(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _tone(mention: Mention) -> dict[str, Any]:
    tone: Tone | None = mention.analysis.tone
    return {
        "label": _text(shown_tone(mention)),
        "p": {
            "negative": tone.p_negative if tone else None,
            "neutral": tone.p_neutral if tone else None,
            "positive": tone.p_positive if tone else None,
        },
        "compound": tone.compound if tone else None,
        "analyser": mention.analysis.analyser,
        "words": [[word, weight] for word, weight in tone.words] if tone else [],
    }


def _labels(analysis: Analysis) -> dict[str, Any]:
    return {
        "severity": analysis.severity,
        "staff_threat": analysis.staff_threat,
        "aspects": list(analysis.aspects),
        "purpose": analysis.purpose,
        "topics": list(analysis.topics),
        "why": {label: list(words) for label, words in analysis.why},
    }


def _opinion(opinion: Opinion) -> dict[str, Any]:
    return {
        "brand": opinion.brand,
        "via": str(opinion.via),
        "voice": str(opinion.voice),
        "counted": opinion.counted,
        "tone": _text(opinion.tone),
        "p": {"negative": opinion.p_negative, "neutral": opinion.p_neutral, "positive": opinion.p_positive},
    }


def _text(label: ToneLabel | None) -> str | None:
    return None if label is None else str(label)
