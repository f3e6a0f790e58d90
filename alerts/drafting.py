"""From an occasion to a ``Letter``: what is said, in which order, for each kind of message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from alerts.facts import Facts
from alerts.incidents import incident_name
from alerts.letter import Button, Letter, Quote
from alerts.message import MessageKind, Occasion
from alerts.plain import clean, strong
from alerts.subjects import subject_line
from alerts.windforce import Reason
from alerts.wording import Wording

_SHOWN_HITS = 3


def draft(occasion: Occasion, words: Wording) -> Letter:
    """Everything the message says."""
    match occasion.kind:
        case MessageKind.BLIND | MessageKind.SIGHTED:
            return _source_letter(occasion, words)
        case MessageKind.ALL_CLEAR:
            return _all_clear(occasion, words)
        case MessageKind.KEYWORD:
            return _keyword(occasion, words)
        case _:
            return _situation(occasion, words)


def _kicker(occasion: Occasion, words: Wording) -> str:
    """``Sturmwarte · Vorgang R-0127 · Fr 20.11.2026, 11:05 Uhr``."""
    parts = ["Sturmwarte"]
    if occasion.incident is not None:
        parts.append(words.say("mail.incident", name=incident_name(occasion.incident)))
    return " · ".join([*parts, words.speech.day_time(occasion.at)])


def _banner(occasion: Occasion, words: Wording) -> str:
    if occasion.kind is MessageKind.TEST:
        return words.say("mail.banner.test")
    return words.say("mail.banner.demo") if words.configuration.demo.mailbox else ""


# --- a storm: new, up, down, update, test ---------------------------------------------------------------------


def _situation(occasion: Occasion, words: Wording) -> Letter:
    """Level, verdict, numbers, voices, what to do, why."""
    facts, level = occasion.facts, occasion.level or 0
    return Letter(
        subject=subject_line(occasion, words),
        banner=_banner(occasion, words),
        kicker=_kicker(occasion, words),
        headline=_headline(occasion, words),
        level=level,
        verdict=words.verdict(facts, level) if facts else words.say("mail.no_facts"),
        lead=tuple(words.lead(facts)) if facts else (),
        closing=tuple(_closing(occasion, words)),
        buttons=tuple(_incident_buttons(occasion, words)),
        **_numbers(facts, words),
    )


def _numbers(facts: Facts | None, words: Wording) -> dict[str, Any]:
    """The parts that come from facts alone, the same in every kind of message."""
    if facts is None:
        return {}
    return {
        "facts": facts,
        "warnings": tuple(words.warnings(facts)),
        "rows": tuple(words.rows(facts)),
        "quotes": tuple(words.quotes(facts)),
    }


def _headline(occasion: Occasion, words: Wording) -> str:
    """``Stufe 3 von 6 (zuvor 2), steigend: Telekom, Kritik an Hotline``."""
    level, previous = occasion.level or 0, occasion.previous_level
    changed = previous is not None and previous != level and occasion.kind in {MessageKind.UP, MessageKind.DOWN}
    said = words.say("mail.headline.changed" if changed else "mail.headline.level", level=level, previous=previous)
    if occasion.facts:
        said += ", " + words.say(f"trend.{occasion.facts.trend}")
    return f"{said}: {words.brand(occasion.brand)}{_topic(occasion, words)}"


def _topic(occasion: Occasion, words: Wording) -> str:
    topic = clean(occasion.extra.get("topic", ""), 60)
    return ", " + words.say("mail.headline.topic", topic=topic) if topic else ""


def _incident_buttons(occasion: Occasion, words: Wording) -> Iterator[Button]:
    if occasion.incident is None:
        yield Button(label=words.say("mail.button.home"), url=words.links.home(), main=True)
        return
    name, taken = incident_name(occasion.incident), bool(occasion.extra.get("acknowledged_by"))
    if not taken:
        yield Button(
            label=words.say("mail.button.acknowledge"), url=words.links.incident(name, "acknowledge"), main=True
        )
    for action in ("false_alarm", "silence"):
        yield Button(label=words.say(f"mail.button.{action}"), url=words.links.incident(name, action))
    yield Button(label=words.say("mail.button.open"), url=words.links.incident(name), main=taken)


# --- why, what next, who else ---------------------------------------------------------------------------------


def _closing(occasion: Occasion, words: Wording) -> Iterator[str]:
    yield _why(occasion, words)
    if occasion.facts and occasion.kind is not MessageKind.TEST:
        yield _sentences((reason for reason in occasion.facts.reasons if _of_level(reason)), words)
    if occasion.facts:
        yield _sentences(occasion.facts.next_level, words)
    yield " ".join(_what_next(occasion, words))
    if receivers := _receivers(occasion.extra, words):
        yield receivers


def _why(occasion: Occasion, words: Wording) -> str:
    """The rule with its version, and its own reasons with their numbers."""
    facts = occasion.facts
    rule = occasion.rule or (facts.rule if facts else None)
    version = occasion.rule_version or (facts.rule_version if facts else None)
    if occasion.kind is MessageKind.TEST:
        return words.say("mail.why.test")
    reasons = _sentences((reason for reason in (facts.reasons if facts else ()) if not _of_level(reason)), words)
    if rule is None:
        return reasons
    key = "mail.why.rule" if version else "mail.why.rule_alone"
    return f"{words.say(key, rule=clean(rule, 60), version=version or 0)} {reasons}".rstrip()


def _of_level(reason: Reason) -> bool:
    """Whether it explains the level, not why the rule fired."""
    return reason[0].startswith("rules.level.")


def _sentences(reasons: Iterable[Reason], words: Wording) -> str:
    return " ".join(_sentence(words.reason(*reason)) for reason in reasons)


def _sentence(said: str) -> str:
    return said if said.endswith((".", "!", "?", "…")) else said + "."


def _what_next(occasion: Occasion, words: Wording) -> Iterator[str]:
    """Who has taken it or by when it should be; when word comes again; what was overtaken meanwhile."""
    extra, level = occasion.extra, occasion.level or 0
    if by := clean(extra.get("acknowledged_by", ""), 60):
        yield words.say("mail.next.taken", by=by)
    elif until := words.time_in(extra.get("acknowledge_by")):
        yield words.say("mail.next.acknowledge", until=words.moment(until))
    elif occasion.incident is not None:
        yield words.say("mail.next.open")
    if occasion.kind is MessageKind.TEST:
        return
    if at := words.time_in(extra.get("next_update")):
        yield words.say("mail.next.update", at=words.moment(at))
    elif occasion.incident is None:
        yield words.say("mail.next.hit")
    else:
        yield words.say("mail.next.change" if level < 6 else "mail.next.highest")
    if folded := int(extra.get("folded", 0)):
        yield words.say("mail.next.folded", n=folded)


def _receivers(extra: Mapping[str, Any], words: Wording) -> str:
    known = words.configuration.receivers
    names = [clean((known[name].name if name in known else "") or name, 40) for name in extra.get("receivers", ())]
    return words.say("mail.receivers", n=len(names), names=", ".join(names)) if names else ""


# --- the end of it --------------------------------------------------------------------------------------------


def _all_clear(occasion: Occasion, words: Wording) -> Letter:
    """How long, how strong, and the numbers now."""
    false_alarm = bool(occasion.extra.get("false_alarm"))
    key = "mail.headline.false_alarm" if false_alarm else "mail.headline.all_clear"
    summary = _summary(occasion, words)
    return Letter(
        subject=subject_line(occasion, words),
        banner=_banner(occasion, words),
        kicker=_kicker(occasion, words),
        headline=words.say(key, brand=words.brand(occasion.brand)) + _topic(occasion, words),
        level=0,
        verdict=summary[0],
        lead=(*summary[1:], *(list(words.lead(occasion.facts))[:2] if occasion.facts else ())),
        closing=(words.say("mail.next.after"), *filter(None, [_receivers(occasion.extra, words)])),
        buttons=tuple(_end_buttons(occasion, words)),
        **_numbers(occasion.facts, words),
    )


def _summary(occasion: Occasion, words: Wording) -> list[str]:
    extra = occasion.extra
    by = clean(extra.get("resolved_by", ""), 60)
    said = [words.say("mail.clear.by", by=by) if by else words.say("mail.clear.quiet")]
    if started := words.time_in(extra.get("started")):
        said.append(words.say("mail.clear.lasted", span=max(occasion.at - started, timedelta())))
    if peak := int(extra.get("peak") or 0):
        said.append(words.say("mail.clear.peak", level=peak, word=words.say(f"level.{min(peak, 6)}")))
    return said


def _end_buttons(occasion: Occasion, words: Wording) -> Iterator[Button]:
    if occasion.incident is not None:
        url = words.links.incident(incident_name(occasion.incident))
        yield Button(label=words.say("mail.button.open"), url=url, main=True)
    yield Button(label=words.say("mail.button.home"), url=words.links.home())


# --- a source that is blind, or sees again --------------------------------------------------------------------


def _source_letter(occasion: Occasion, words: Wording) -> Letter:
    """Since when, why, and what that means for every number."""
    extra = occasion.extra
    identifier = str(extra.get("source", occasion.subject.partition(":")[2]))
    source, since = words.source(identifier), words.time_in(extra.get("since"))
    span = words.since(occasion)
    verdict = f"mail.{occasion.kind}." + ("verdict" if since else "verdict_unknown")
    when = words.moment(since) if since else ""
    button = Button(label=words.say("mail.button.source"), url=words.links.source(identifier), main=True)
    return Letter(
        subject=subject_line(occasion, words),
        banner=_banner(occasion, words),
        kicker=_kicker(occasion, words),
        headline=words.say(f"mail.headline.{occasion.kind}", source=source),
        verdict=words.say(verdict, source=strong(source), since=when, span=span or timedelta()),
        lead=(words.say(f"mail.{occasion.kind}.meaning", source=source),),
        rows=tuple(_source_rows(extra, identifier, words)),
        buttons=(button, Button(label=words.say("mail.button.home"), url=words.links.home())),
        closing=tuple(filter(None, [words.say(f"mail.{occasion.kind}.next", source=source), _receivers(extra, words)])),
    )


def _source_rows(extra: Mapping[str, Any], identifier: str, words: Wording) -> Iterator[tuple[str, str]]:
    if reason := clean(extra.get("reason", "")):
        yield words.say("mail.row.reason"), words.why_blind(reason)
    if state := clean(extra.get("state", "")):
        yield words.say("mail.row.state"), words.reason(f"state.{state}", {})
    if entry := words.configuration.sources.get(identifier):
        yield words.say("mail.row.address"), clean(entry.url, 120)


# --- a watched word -------------------------------------------------------------------------------------------


def _keyword(occasion: Occasion, words: Wording) -> Letter:
    """What was found, in quotes; the numbers of the brand where there are any."""
    extra, facts = occasion.extra, occasion.facts
    query, count = clean(extra.get("query", ""), 80), int(extra.get("count", len(extra.get("mentions", ())) or 1))
    quotes = tuple(_hits(extra, words))
    search = words.links.search(f"brand:{occasion.brand} {query}" if occasion.brand else query)
    main = Button(label=words.say("mail.button.hits"), url=search, main=occasion.incident is None)
    more = tuple(_incident_buttons(occasion, words))
    return Letter(
        subject=subject_line(occasion, words),
        banner=_banner(occasion, words),
        kicker=_kicker(occasion, words),
        headline=words.say("mail.headline.keyword", brand=words.brand(occasion.brand)),
        level=occasion.level,
        verdict=words.say("mail.keyword.verdict", n=count, query=query),
        lead=tuple(words.lead(facts)) if facts else (),
        closing=tuple(_closing(occasion, words)),
        buttons=(*more, main) if occasion.incident is not None else (main, *_plainly(more)),
        **{**_numbers(facts, words), **({"quotes": quotes} if quotes else {})},
    )


def _plainly(buttons: tuple[Button, ...]) -> Iterator[Button]:
    return (Button(label=button.label, url=button.url) for button in buttons)


def _hits(extra: Mapping[str, Any], words: Wording) -> Iterator[Quote]:
    for hit in list(extra.get("mentions", ()))[:_SHOWN_HITS]:
        at = words.time_in(hit.get("at"))
        who = ", ".join(filter(None, [words.moment(at) if at else "", words.source(str(hit.get("source", "")))]))
        yield Quote(words=words.quoted(hit.get("quote", "")), who=who, url=words.links.mention(str(hit.get("uid", ""))))
