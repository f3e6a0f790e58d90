"""Facts in a person's words: the sentences and rows of a mail. Numbers come from ``Facts`` alone, none is made here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from alerts.facts import Facts, Voice
from alerts.letter import Quote
from alerts.links import Links
from alerts.message import Occasion
from alerts.plain import clean, strong
from pipeline.configuration import Configuration
from pipeline.i18n import Speech, UnknownPhrase
from pipeline.reasons import in_words

SMALLEST_EXPECTED = 0.5
"""Persons; a multiple of less says nothing."""


class Wording:
    """The words of one mail: in one language, about the facts at one time."""

    def __init__(self, configuration: Configuration, speech: Speech, at: datetime) -> None:
        self.configuration, self.speech, self.at = configuration, speech, at
        self.links = Links(configuration)
        self.say = speech.say

    def brand(self, brand: str | None) -> str:
        return clean(self.configuration.brand_name(brand), 60) if brand else ""

    def source(self, source: str) -> str:
        return clean(self.configuration.source_name(source), 60)

    # --- small things ---

    def persons(self, count: int) -> str:
        return self.say("mail.persons", n=count)

    def moment(self, at: datetime) -> str:
        """``09:20 Uhr``, with the day where that is another one."""
        zone = self.speech.zone
        if at.astimezone(zone).date() == self.at.astimezone(zone).date():
            return self.say("mail.moment", at=self.speech.clock_time(at))
        return self.speech.day_time(at)

    def time_in(self, value: object) -> datetime | None:
        """An aware time out of plain data, None for anything else."""
        try:
            found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            return None
        return found if found.tzinfo else None

    def since(self, occasion: Occasion) -> timedelta | None:
        """How long the state that an occasion tells of has lasted."""
        since = self.time_in(occasion.extra.get("since"))
        return max(occasion.at - since, timedelta()) if since else None

    def window(self, span: timedelta) -> str:
        """``in den letzten 2 Stunden``."""
        minutes = round(span.total_seconds() / 60)
        for unit, size in (("days", 1440), ("hours", 60), ("minutes", 1)):
            if minutes % size == 0 and (size < 1440 or minutes > 1440):
                return self.say(f"mail.window.{unit}", n=minutes // size)
        return ""

    def usual(self, facts: Facts) -> str | None:
        """``4 bis 11`` persons; None while nothing is known."""
        low, high = facts.persons_low, facts.persons_high
        if low is None or high is None:
            return None
        return self.speech.number(high) if low == high else self.say("mail.range", low=low, high=high)

    def reason(self, key: str, numbers: Mapping[str, Any]) -> str:
        """A reason of a rule in words; one without a phrase stands for itself, with its numbers."""
        plain = {name: clean(value) if isinstance(value, str) else value for name, value in numbers.items()}
        try:
            return self.say(key, **plain)
        except (UnknownPhrase, KeyError, IndexError):
            return clean(" ".join([key, *(f"{name} {value}" for name, value in plain.items())]))

    # --- sentences ---

    def verdict(self, facts: Facts, level: int) -> str:
        """``Frische Brise (3 von 6), steigend seit 09:20 Uhr. Noch keine Presse.``"""
        word = self.say(f"level.{level}")
        trend = self.say(f"trend.{facts.trend}")
        key = "mail.verdict.since" if facts.since and level else "mail.verdict.plain"
        since = self.moment(facts.since) if facts.since else ""
        sentence = self.say(key, word=word[:1].upper() + word[1:], level=level, trend=trend, since=since)
        return f"{sentence} {self.press(facts)}"

    def press(self, facts: Facts) -> str:
        return self.say("mail.press" if facts.outlets else "mail.no_press", n=facts.outlets)

    def lead(self, facts: Facts) -> Iterator[str]:
        """Persons against what is usual, and how rare that is."""
        window = self.window(facts.window_end - facts.window_start)
        who = strong(self.persons(facts.persons))
        yield self.say("mail.lead", n=facts.persons, persons=who, window=window, brand=self.brand(facts.brand))
        usual = self.usual(facts)
        yield self.say("mail.usual", range=strong(usual)) if usual else self.say("mail.usual_unknown")
        if factor := self.factor(facts):
            yield factor
        if facts.return_period_days and facts.level:
            yield self.rarity(facts.return_period_days)

    def factor(self, facts: Facts) -> str:
        """Persons as a multiple of what is expected; nothing where it says nothing."""
        expected = facts.persons_expected or 0.0
        if expected < SMALLEST_EXPECTED or facts.persons < 2 * expected:
            return ""
        return self.say("mail.factor", factor=facts.persons / expected)

    def rarity(self, days: float) -> str:
        if days >= 3650:
            return self.say("mail.rarest")
        return self.say("mail.daily") if days < 1.5 else self.say("mail.rare", days=round(days))

    def warnings(self, facts: Facts) -> Iterator[str]:
        """What makes the numbers incomplete, above the numbers."""
        if facts.state in {"learning", "no_data", "suppressed"}:
            yield self.say(f"mail.state.{facts.state}")
        for source, since, reason in facts.sources_blind[:3]:
            yield self.blind(source, since, reason)
        if (more := len(facts.sources_blind) - 3) > 0:
            yield self.say("mail.more_sources", n=more)

    def blind(self, source: str, since: datetime | None, reason: str) -> str:
        name, why = self.source(source), self.why_blind(reason)
        if since is None:
            return self.say("mail.source.never", source=name, reason=why)
        return self.say("mail.source.blind", source=name, span=self.at - since, reason=why)

    def why_blind(self, reason: str) -> str:
        """Names of fetch answers and source states in words; known reasons in this language, others as they are."""
        try:
            return self.say(f"mail.reason.{reason}")
        except UnknownPhrase:
            return clean(in_words(reason, self.speech), 120)

    # --- rows ---

    def rows(self, facts: Facts) -> Iterator[tuple[str, str]]:
        """What a person asks next: share, posts, who, where, how sure."""
        for name in ("share", "posts", "who", "where", "sure"):
            if value := getattr(self, f"_{name}")(facts):
                yield self.say(f"mail.row.{name}"), value

    def _share(self, facts: Facts) -> str:
        """With interval and n; below the minimum n the head count alone."""
        share = facts.share
        if share is None:
            return self.say("mail.share.few", persons=self.persons(facts.persons))
        low, high = round(share.low * 100), round(share.high * 100)
        value = strong(self.speech.percent(share.value))
        said = self.say("mail.share.value", value=value, low=low, high=high, count=share.n)
        if facts.usual_share is None:
            return said
        return said + self.say("mail.share.usual", usual=self.speech.percent(facts.usual_share))

    def _posts(self, facts: Facts) -> str:
        said = self.say("mail.posts", total=facts.all_posts, critical=facts.posts)
        if facts.copies:
            said += self.say("mail.copies", n=facts.copies)
        for name in ("late", "not_scored", "without_author"):
            if count := getattr(facts, name):
                said += self.say(f"mail.{name}", n=count)
        return said

    def _who(self, facts: Facts) -> str:
        if not facts.persons:
            return ""
        said = self.say("mail.first_time", n=facts.first_time, persons=facts.persons)
        if facts.persons > 3 and facts.top3_posts:
            said += self.say("mail.top3", top=facts.top3_posts, posts=facts.posts)
        return said

    def _where(self, facts: Facts) -> str:
        named = [f"{self.source(source)} {self.speech.number(count)}" for source, count in facts.by_source[:3]]
        if rest := sum(count for _, count in facts.by_source[3:]):
            named.append(self.say("mail.rest", n=rest))
        return ", ".join(named)

    def _sure(self, facts: Facts) -> str:
        said = self.say("mail.sources", n=facts.sources_total, healthy=facts.sources_healthy)
        if facts.complete_until is None:
            return said
        return said + self.say("mail.complete", until=self.moment(facts.complete_until))

    # --- voices ---

    def quotes(self, facts: Facts) -> Iterator[Quote]:
        """The chosen voices, each text once."""
        seen: set[str] = set()
        for voice in facts.voices[:3]:
            if voice.quote and voice.uid + voice.quote not in seen:
                seen.add(voice.uid + voice.quote)
                yield self._quote(voice)

    def _quote(self, voice: Voice) -> Quote:
        who = f"{self.say(f'mail.voice.{voice.why}')}, {self.moment(voice.at)}, {self.source(voice.source)}"
        return Quote(words=self.quoted(voice.quote), who=who, url=self.links.mention(voice.uid))

    def quoted(self, words: object) -> str:
        return self.say("mail.quote", words=clean(words, 180))
