"""A mention as a document: what searches compare and counts add up, beside the mention itself in ``doc``."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.analysis import both, exact_tokens
from pipeline.mention import Mention, Opinion, effective_tone
from pipeline.query.evaluate import field_values
from pipeline.store.measures import bin_number, is_copied, micros, millionths, one_per_brand

Document = dict[str, Any]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Mention).decode
NONE = "none"
"""Stands for a missing tone or language."""


def mention_of(source: Document) -> Mention:
    """The mention that a document keeps; ``source`` need hold ``doc`` alone."""
    return _decode(source["doc"])


def document(mention: Mention, root_story: str, first_known: int) -> Document:
    """The document of a mention.

    ``root_story`` is the story it goes by, aliases followed; ``first_known`` are microseconds since 1970 of its
    first revision. Raises ValueError where the mention has no revision yet.
    """
    if mention.known_from is None:
        raise ValueError(f"{mention.uid} has no revision yet")
    crawled, published, analysis = mention.crawled, mention.published, mention.analysis
    exact, stem = both(crawled.title, crawled.text, analysis.lang)
    opinions = list(one_per_brand(mention))
    person = crawled.author or f"story:{root_story}"
    fed = bin_number(mention.fed_bin)
    tone = effective_tone(mention)
    event_time, event_us, fed_bin = (
        mention.event_time.isoformat(),
        micros(mention.event_time),
        mention.fed_bin.isoformat(),
    )
    common: Document = {
        "fed": fed,
        "fed_bin": fed_bin,
        "event_time": event_time,
        "event_us": event_us,
        "source": mention.first_source,
        "channel": crawled.channel.value,
        "historic": mention.historic,
        "nameless": crawled.author is None,
        "person": person,
        "story": root_story,
    }
    if crawled.author is not None:
        common["author"] = crawled.author
    made: Document = {
        "uid": mention.uid,
        "revision": mention.revision,
        "known_from": mention.known_from.isoformat(),
        "known_us": micros(mention.known_from),
        "first_known_us": first_known,
        "event_time": event_time,
        "event_us": event_us,
        "event_second": event_us // 1_000_000,
        "seen": mention.seen.isoformat(),
        "seen_us": micros(mention.seen),
        "fed_bin": fed_bin,
        "fed": fed,
        "brand": [opinion.brand for opinion in opinions],
        "brand_tone": [f"{opinion.brand}:{opinion.tone or NONE}" for opinion in opinions],
        "counted_tone": [f"{opinion.brand}:{opinion.tone or NONE}" for opinion in opinions if opinion.counted],
        "voice": list({opinion.voice.value for opinion in opinions}),
        "via": list({opinion.via.value for opinion in opinions}),
        "tone": tone.value if tone else NONE,
        "source": list(mention.sources),
        "first_source": mention.first_source,
        "platform": crawled.platform.lower(),
        "channel": crawled.channel.value,
        "kind": crawled.kind.value,
        "lang": analysis.lang or NONE,
        "domain": mention.origin.lower(),
        "story": root_story,
        "story_own": mention.story or mention.uid,
        "person": person,
        "is": field_values(mention, "is"),
        "has": field_values(mention, "has"),
        "aspects": field_values(mention, "aspect"),
        "topic": field_values(mention, "topic"),
        "is_copy": mention.is_copy,
        "counted": any(opinion.counted for opinion in opinions),
        "historic": mention.historic,
        "late": mention.late,
        "precision": published.precision.value,
        "text": crawled.text,
        "title": crawled.title,
        "exact": exact,
        "stem": stem,
        "opinions": [_opinion(mention, opinion, common) for opinion in opinions],
        "doc": _encode(mention).decode(),
    }
    if analysis.tone is not None:
        made["p_negative"] = analysis.tone.p_negative
    if published.at is not None:
        made["published"], made["published_us"] = published.at.isoformat(), micros(published.at)
    if authors := _authors(mention):
        made["authors"] = authors
    if crawled.thread_title:
        made["thread"], made["thread_words"] = crawled.thread_title, " ".join(exact_tokens(crawled.thread_title))
    optional = {
        "severity": analysis.severity,
        "purpose": analysis.purpose,
        "author": crawled.author,
        "thread_id": crawled.thread,
        "rating": crawled.rating,
        "permalink": crawled.url,
        "parent": crawled.parent,
    }
    made.update((name, value) for name, value in optional.items() if value is not None)
    return made


def _authors(mention: Mention) -> list[str]:
    """Everyone whose words it holds, later readings included."""
    readings = [mention.crawled, *(later.crawled for later in mention.later)]
    return list(dict.fromkeys(crawled.author for crawled in readings if crawled.author))


def _opinion(mention: Mention, opinion: Opinion, common: Document) -> Document:
    """``common`` is what every opinion of the mention repeats of it."""
    made: Document = {
        "brand": opinion.brand,
        "voice": opinion.voice.value,
        "via": opinion.via.value,
        "tone": opinion.tone.value if opinion.tone else NONE,
        "counted": opinion.counted,
        "copied": is_copied(mention, opinion),
        "p_millionths": millionths(opinion),
        **common,
    }
    if opinion.p_negative is not None:
        made["p_negative"] = opinion.p_negative
    return made
