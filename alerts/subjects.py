"""Subject lines: at most 70 characters, the state first, since a lock screen shows 40."""

from __future__ import annotations

from collections.abc import Sequence

from alerts.incidents import incident_name
from alerts.message import MessageKind, Occasion
from alerts.plain import clean, shorten
from alerts.tokens import ARROWS
from alerts.wording import Wording

LONGEST = 70


def subject_line(occasion: Occasion, words: Wording) -> str:
    """``[3 ↑] Telekom: 47 Personen (sonst 4-11), Hotline · R-0127``."""
    tail = f" · {incident_name(occasion.incident)}" if occasion.incident is not None else ""
    match occasion.kind:
        case MessageKind.BLIND | MessageKind.SIGHTED:
            return _source_line(occasion, words)
        case MessageKind.ALL_CLEAR:
            return _fit("[0 ✓] ", words.brand(occasion.brand), [f": {_ending(occasion, words)}"], tail)
        case MessageKind.KEYWORD if occasion.facts is None or not occasion.level:
            query = clean(occasion.extra.get("query", ""), 40)
            hits = words.say("mail.subject.hits", n=int(occasion.extra.get("count", 1)), query=query)
            return _fit(words.say("mail.subject.keyword") + " ", words.brand(occasion.brand), [f": {hits}"], tail)
        case _:
            return _fit(_state(occasion, words), words.brand(occasion.brand), _numbers(occasion, words), tail)


def _source_line(occasion: Occasion, words: Wording) -> str:
    source = words.source(str(occasion.extra.get("source", occasion.subject.partition(":")[2])))
    since = words.since(occasion)
    key = f"mail.subject.{occasion.kind}" if since else f"mail.subject.{occasion.kind}_unknown"
    return _fit(words.say(f"{key}_state") + " ", source, [": " + words.say(key, span=since or "")], "")


def _ending(occasion: Occasion, words: Wording) -> str:
    if occasion.extra.get("false_alarm"):
        return words.say("mail.subject.false_alarm")
    return words.say("mail.subject.all_clear", peak=int(occasion.extra.get("peak") or occasion.previous_level or 0))


def _state(occasion: Occasion, words: Wording) -> str:
    arrow = {MessageKind.UP: "↑", MessageKind.DOWN: "↓"}.get(occasion.kind)
    arrow = arrow or ARROWS.get(occasion.facts.trend if occasion.facts else "", "")
    test = words.say("mail.subject.test") + " " if occasion.kind is MessageKind.TEST else ""
    return f"[{test}{occasion.level or 0} {arrow}".rstrip() + "] "


def _numbers(occasion: Occasion, words: Wording) -> list[str]:
    """The further parts, most important first; what does not fit is left out."""
    facts = occasion.facts
    parts = [f": {words.persons(facts.persons)}"] if facts else []
    if facts and facts.persons_low is not None and facts.persons_high is not None:
        low, high = words.speech.number(facts.persons_low), words.speech.number(facts.persons_high)
        parts.append(words.say("mail.subject.usual", range=low if low == high else f"{low}-{high}"))
    if topic := clean(occasion.extra.get("topic", ""), 30):
        parts.append(f", {topic}")
    return parts


def _fit(state: str, name: str, parts: Sequence[str], tail: str) -> str:
    """As many parts as there is room for; the first is kept, and rather the name is shortened."""
    must = parts[0] if parts else ""
    room = LONGEST - len(state) - len(tail)
    line = shorten(name, max(8, room - len(must))) + must
    for part in parts[1:]:
        if len(line) + len(part) <= room:
            line += part
    return state + shorten(line, room) + tail
