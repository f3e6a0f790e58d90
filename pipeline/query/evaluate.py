"""What a search means, in plain Python: does one mention match? Stores compile the same tree to their own terms."""

from __future__ import annotations

import re
from datetime import datetime

from pipeline.analysis import both, exact_tokens
from pipeline.mention import Mention, Opinion, effective_opinions
from pipeline.query.tree import (
    All,
    Everything,
    Field,
    Node,
    Not,
    OneOpinion,
    Range,
    Some,
    ThreadWords,
    Uids,
    Words,
)
from pipeline.words import Severity

_LINK = re.compile(r"https?://|\bwww\.", re.IGNORECASE)


def matches(node: Node, mention: Mention) -> bool:
    """Whether the mention is a hit. Story aliases are the store's: ``story:`` compares the stored id alone."""
    match node:
        case Everything():
            return True
        case All(parts):
            return all(matches(part, mention) for part in parts)
        case Some(parts):
            return any(matches(part, mention) for part in parts)
        case Not(part):
            return not matches(part, mention)
        case Words():
            return _words(node, mention)
        case ThreadWords(tokens):
            return _contains(exact_tokens(mention.crawled.thread_title), tokens, prefix=False)
        case Field(name, values):
            return bool(set(values) & {value.lower() for value in field_values(mention, name)})
        case Range():
            return _within(node, mention)
        case OneOpinion():
            return _opinion(node, mention)
        case Uids(uids):
            return mention.uid in uids
    raise TypeError(f"unknown part of a search: {node!r}")


def field_values(mention: Mention, name: str) -> list[str]:
    """The values a mention has in a field; none where it has no such thing."""
    crawled = mention.crawled
    match name:
        case "source":
            return list(mention.sources)
        case "platform" | "channel" | "kind":
            return [str(getattr(crawled, name))]
        case "lang":
            return [mention.analysis.lang or "none"]
        case "domain":
            return [mention.origin]
        case "author":
            return [crawled.author] if crawled.author else []
        case "story":
            return [mention.story or mention.uid]
        case "thread_id":
            return [crawled.thread] if crawled.thread else []
        case "brand" | "via" | "voice":
            return [str(getattr(opinion, name)) for opinion in mention.analysis.opinions]
        case "tone":
            return [opinion.tone or "none" for opinion in effective_opinions(mention)]
        case "aspect":
            return list(mention.analysis.aspects)
        case "severity" | "purpose":
            value = getattr(mention.analysis, name)
            return [value] if value else []
        case "topic":
            return list(mention.analysis.topics)
        case "is":
            return _flags(mention)
        case "has":
            return _belongings(mention)
    raise ValueError(f"unknown field {name!r}")


def _flags(mention: Mention) -> list[str]:
    facts = {
        "copy": mention.is_copy,
        "historic": mention.historic,
        "late": mention.late,
        "corrected": bool(mention.corrections),
        "deleted": mention.deleted_at is not None,
        "accepted": mention.crawled.accepted is True,
        "verified": mention.crawled.verified is True,
        "press": mention.press,
    }
    return [flag for flag, holds in facts.items() if holds]


def _belongings(mention: Mention) -> list[str]:
    crawled = mention.crawled
    shown = {one.kind for one in crawled.media}
    facts = {
        "image": crawled.images > 0 or "image" in shown,
        "video": "video" in shown,
        "link": _has_link(crawled.text),
        "threat": mention.analysis.severity is Severity.THREAT,
        "staff_threat": mention.analysis.staff_threat,
    }
    return [thing for thing, there in facts.items() if there]


def _has_link(text: str) -> bool:
    """The pattern is slow, and runs only where a text holds what each link holds."""
    return ("://" in text or "w." in text or "W." in text) and _LINK.search(text) is not None


def _words(node: Words, mention: Mention) -> bool:
    crawled = mention.crawled
    exact, stem = both(crawled.title, crawled.text, mention.analysis.lang)
    tokens = (exact if node.index == "exact" else stem).split()
    return any(_contains(tokens, variant, prefix=node.prefix) for variant in node.variants)


def _contains(tokens: list[str], wanted: tuple[str, ...], *, prefix: bool) -> bool:
    size = len(wanted)
    for start in range(len(tokens) - size + 1):
        part = tuple(tokens[start : start + size])
        if part == wanted or (prefix and part[:-1] == wanted[:-1] and part[-1].startswith(wanted[-1])):
            return True
    return False


def _within(node: Range, mention: Mention) -> bool:
    value: float | datetime | None = {
        "rating": mention.crawled.rating,
        "seen": mention.seen,
        "published": mention.published.at,
    }[node.name]
    if value is None:
        return False
    return _above(value, node.low, node.include_low) and _above(node.high, value, node.include_high)


def _above(value: float | datetime | None, bound: float | datetime | None, included: bool) -> bool:
    if value is None or bound is None:
        return True
    return bool(value >= bound if included else value > bound)  # type: ignore[operator]


def _opinion(node: OneOpinion, mention: Mention) -> bool:
    """Some opinion fulfils all conditions, and none that does has an excluded property."""
    meant = [opinion for opinion in effective_opinions(mention) if _has(opinion, node.conditions)]
    return bool(meant) and not any(_has(opinion, (entry,)) for opinion in meant for entry in node.excluded)


def _has(opinion: Opinion, conditions: tuple[tuple[str, tuple[str, ...]], ...]) -> bool:
    return all(_property(opinion, name) in values for name, values in conditions)


def _property(opinion: Opinion, name: str) -> str:
    if name == "counted":
        return "true" if opinion.counted else "false"
    if name == "tone":
        return opinion.tone or "none"
    return str(getattr(opinion, name)).lower()
