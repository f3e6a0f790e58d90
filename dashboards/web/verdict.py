"""A verdict card: one sentence first, then at most four numbers with their comparison and the way behind them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from alerts.charts import alt_text
from alerts.facts import Facts
from dashboards.reader import Reader
from dashboards.web.moments import local_time
from dashboards.web.rendering import link
from pipeline.i18n import Speech, UnknownPhrase


class Number(msgspec.Struct, frozen=True, kw_only=True):
    """A figure, what it is and compares to, and the address of the mentions behind it."""

    figure: str
    meaning: str
    path: str


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a verdict card says, in words."""

    brand: str
    name: str
    level: int
    level_word: str
    trend: str
    trend_word: str
    sentence: str
    details: tuple[str, ...]
    numbers: tuple[Number, ...]
    remarks: tuple[str, ...]
    reasons: tuple[str, ...]
    next_level: tuple[str, ...]
    alternative: str
    incident: int | None
    facts: Facts


def card_of(reader: Reader, facts: Facts) -> Card:
    """The card of one brand."""
    say = reader.speech.say
    return Card(
        brand=facts.brand,
        name=reader.configuration.brand_name(facts.brand),
        level=facts.level,
        level_word=say(f"level.{facts.level}"),
        trend=facts.trend,
        trend_word=say(f"trend.{facts.trend}"),
        sentence=sentence_of(reader, facts),
        details=tuple(details_of(reader, facts)),
        numbers=tuple(numbers_of(reader, facts)),
        remarks=tuple(remarks_of(reader, facts)),
        reasons=reasons_of(reader.speech, facts.reasons),
        next_level=reasons_of(reader.speech, facts.next_level),
        alternative=alt_text(facts, reader.speech),
        incident=facts.incident,
        facts=facts,
    )


def sentence_of(reader: Reader, facts: Facts) -> str:
    """The verdict: how many persons, since when, and what is usual."""
    say, name = reader.speech.say, reader.configuration.brand_name(facts.brand)
    if facts.level == 0 and facts.state in {"learning", "no_data"}:
        return say(f"pages.verdict.{facts.state}", brand=name)
    if facts.level == 0:
        return say("pages.verdict.calm", brand=name)
    critical = say("pages.verdict.critical", brand=name, n=facts.persons, since=_since(reader, facts))
    return f"{critical}{_usual_clause(reader, facts)}."


def _since(reader: Reader, facts: Facts) -> str:
    """Since the begin, where that lies within the window that is counted; else the window."""
    if facts.since is None or facts.since < facts.window_start:
        return _span(reader, facts)
    return reader.speech.say("pages.verdict.since", since=local_time(reader)(facts.since))


def _span(reader: Reader, facts: Facts) -> str:
    return reader.speech.say("pages.verdict.span", span=facts.window_end - facts.window_start)


def _usual_clause(reader: Reader, facts: Facts) -> str:
    if facts.persons_low is None or facts.persons_high is None:
        return ""
    return ", " + reader.speech.say("pages.verdict.usual", low=facts.persons_low, high=facts.persons_high)


def details_of(reader: Reader, facts: Facts) -> list[str]:
    """The second line: how rare, press or not, complete until."""
    say, said = reader.speech.say, []
    if facts.return_period_days and facts.level:
        said.append(rarity(reader.speech, facts.return_period_days))
    if facts.level and facts.since:
        said.append(say("pages.verdict.began", at=local_time(reader)(facts.since)))
    if facts.level == 0 and facts.state != "no_data":
        said.append(_persons_now(reader, facts))
    if facts.level or facts.outlets:
        said.append(say("pages.verdict.press" if facts.outlets else "pages.verdict.no_press", n=facts.outlets))
    if facts.complete_until:
        said.append(say("pages.verdict.complete", until=local_time(reader)(facts.complete_until)))
    else:
        said.append(say("pages.verdict.incomplete"))
    return said


def _persons_now(reader: Reader, facts: Facts) -> str:
    span = facts.window_end - facts.window_start
    return reader.speech.say("pages.verdict.now", n=facts.persons, span=span) + _usual_clause(reader, facts) + "."


def rarity(speech: Speech, days: float) -> str:
    """How often something like this happens, in a person's measure."""
    if days >= 3650:
        return speech.say("pages.verdict.rarest")
    if days < 1.5:
        return speech.say("pages.verdict.daily")
    return speech.say("pages.verdict.rare", days=round(days))


def numbers_of(reader: Reader, facts: Facts) -> list[Number]:
    """Persons, posts, share, newcomers."""
    say, speech = reader.speech.say, reader.speech
    span = facts.window_end - facts.window_start
    critical = behind(facts, "tone:negative")
    usual = "pages.number.persons" if facts.persons_low is not None else "pages.number.persons_alone"
    persons_meaning = say(usual, n=facts.persons, span=span, low=facts.persons_low, high=facts.persons_high)
    return [
        Number(figure=speech.number(facts.persons), meaning=persons_meaning, path=critical),
        Number(
            figure=speech.number(facts.posts),
            meaning=say("pages.number.posts", n=facts.posts) + ", " + say("pages.number.copies", n=facts.copies),
            path=critical,
        ),
        _share(reader, facts),
        Number(
            figure=speech.number(facts.first_time),
            meaning=say("pages.number.first_time", persons=facts.persons),
            path=critical,
        ),
    ]


def _share(reader: Reader, facts: Facts) -> Number:
    """The negative share with its interval; below the minimum n the head count stands alone."""
    speech, path = reader.speech, behind(facts, "")
    if facts.share is None:
        minimum = reader.configuration.counting.min_n
        meaning = speech.say("pages.number.no_share", n=facts.all_posts, minimum=minimum)
        return Number(figure=speech.number(facts.all_posts), meaning=meaning, path=path)
    low, high = round(facts.share.low * 100), round(facts.share.high * 100)
    meaning = speech.say("pages.number.share", low=low, high=high, of=facts.share.n)
    if facts.usual_share is not None:
        meaning += ", " + speech.say("pages.number.usual_share", share=speech.percent(facts.usual_share))
    return Number(figure=speech.percent(facts.share.value), meaning=meaning, path=path)


def behind(facts: Facts, tone: str, **more: object) -> str:
    """The address of the counted mentions of this window."""
    query = " ".join(part for part in (f"brand:{facts.brand}", tone, "is:counted") if part)
    return link("/mentions", q=query, **{"from": facts.window_start, "to": facts.window_end}, **more)


def remarks_of(reader: Reader, facts: Facts) -> list[str]:
    """What is in the numbers or is not: late, nameless, unscored ones; what links miss; the most active three."""
    say = reader.speech.say
    counts = {
        "late": facts.late,
        "earlier": facts.earlier,
        "without_author": facts.without_author,
        "not_scored": facts.not_scored,
    }
    said = [say(f"pages.remark.{name}", n=count) for name, count in counts.items() if count]
    if facts.posts >= 10 and facts.top3_posts:
        share = facts.top3_posts / facts.posts
        said.append(say("pages.remark.top3", share=reader.speech.percent(min(share, 1.0))))
    return said


def reasons_of(speech: Speech, reasons: tuple[tuple[str, Mapping[str, Any]], ...]) -> tuple[str, ...]:
    """Reasons in words; a key without a phrase stands for itself, with its numbers."""
    return tuple(_reason(speech, key, numbers) for key, numbers in reasons)


def _reason(speech: Speech, key: str, numbers: Mapping[str, Any]) -> str:
    try:
        return speech.say(key, **numbers)
    except (UnknownPhrase, KeyError):
        return " ".join([key, *(f"{name} {value}" for name, value in numbers.items())])
