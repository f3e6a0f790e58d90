"""The numbers of one situation, made in one place: mail, page, interface and command line show these and no others.

The window is that of the incident's latest evaluation, else the last three hours that have been crawled. Everything is
counted by ``fed_bin``. The usual range of persons is the rule's expectation in posts times persons per post, as found
in windows of the same width over the seven days before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from alerts import incidents, silences
from alerts.detection import usual_range, wilson
from alerts.evidence import (
    MANY,
    MEDIA,
    SPAN,
    ceil_bin,
    expected_posts,
    floor_bin,
    is_negative,
    opinion_of,
    read_sources,
)
from alerts.facts import Bar, Facts, Share
from alerts.message import MessageKind, Occasion
from alerts.registry import in_force
from alerts.rule import Learns, Rule, SourceView, Usual
from alerts.voices import voices
from pipeline.configuration import Configuration
from pipeline.mention import Mention, person_of
from pipeline.state import tables as t
from pipeline.state.database import State
from pipeline.store.protocol import Store, Window
from pipeline.words import SourceState, ToneLabel

BARS, BAR = timedelta(hours=48), timedelta(minutes=30)
RATIO_SPAN = timedelta(days=7)
STALE = timedelta(hours=6)
UNWELL = frozenset({SourceState.BLIND, SourceState.LATE, SourceState.BEHIND})


class SourceHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What a source's row says beside what rules know of it."""

    id: str
    state: str
    since: datetime
    reason: str


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """All that the state database knows of a brand at one moment; numbers are then counted in the store."""

    brand: str
    views: tuple[SourceView, ...]
    health: tuple[SourceHealth, ...]
    incident: incidents.Incident | None = None
    evaluation: Mapping[str, Any] = {}
    """The facts of its latest recorded evaluation."""
    usual_blob: bytes | None = None
    silenced: bool = False


class Places(msgspec.Struct, frozen=True):
    """All sources in use as they stood at one moment: the same for every brand."""

    views: tuple[SourceView, ...]
    health: tuple[SourceHealth, ...]


def facts(configuration: Configuration, store: Store, state: State, brand: str, now: datetime) -> Facts:
    """The situation of a brand. Raises StoreError where the store cannot answer."""
    with state.read() as conn:
        picture = read_picture(conn, configuration, brand, now)
    return build(configuration, store, picture, now)


def read_places(conn: sa.Connection) -> Places:
    """How all sources in use stand."""
    return Places(read_sources(conn), read_health(conn))


def read_picture(conn: sa.Connection, configuration: Configuration, brand: str, now: datetime) -> Picture:
    """What the state database knows of a brand."""
    places = read_places(conn)
    incident = incidents.open_incident(conn, brand)
    recorded = incidents.evaluations(conn, incident.id, limit=1) if incident else []
    return Picture(
        brand=brand,
        views=places.views,
        health=places.health,
        incident=incident,
        evaluation=recorded[0].facts if recorded else {},
        usual_blob=usual_blob(conn, configuration, brand),
        silenced=is_silenced(conn, brand, incident, now),
    )


def is_silenced(conn: sa.Connection, brand: str, incident: incidents.Incident | None, now: datetime) -> bool:
    """Whether a silence holds what is said of a brand and its incident."""
    return any(one.covers(_any_word(brand, incident)) for one in silences.active(conn, now))


def read_health(conn: sa.Connection) -> tuple[SourceHealth, ...]:
    """State, since when and why, of every source in use."""
    rows = conn.execute(sa.select(t.source).where(t.source.c.state != SourceState.RETIRED).order_by(t.source.c.id))
    return tuple(SourceHealth(id=r.id, state=r.state, since=r.state_since, reason=r.reason) for r in rows)


def _any_word(brand: str, incident: incidents.Incident | None) -> Occasion:
    """A message as a silence would see it."""
    return Occasion(
        subject="",
        number=0,
        kind=MessageKind.UPDATE,
        at=incident.updated if incident else datetime.min,  # noqa: DTZ901 - never compared
        brand=brand,
        level=incident.level if incident else 0,
        incident=incident.id if incident else None,
    )


def learning_rule(rules: Mapping[str, Rule]) -> tuple[str, Learns, int] | None:
    """(id, rule, version) of the first of these rules that knows what is usual."""
    for name, rule in rules.items():
        if isinstance(rule, Learns):
            return name, rule, rule.version
    return None


def usual_blob(conn: sa.Connection, configuration: Configuration, brand: str) -> bytes | None:
    """The state of the rule that knows what is usual for a brand."""
    found = learning_rule(in_force(configuration, brand))
    if found is None:
        return None
    name, _, version = found
    query = sa.select(t.rule_state.c.blob).where(
        t.rule_state.c.rule == name, t.rule_state.c.version == version, t.rule_state.c.stream == brand
    )
    blob: bytes | None = conn.execute(query).scalar_one_or_none()
    return blob


def usual_of(configuration: Configuration, picture: Picture) -> Usual | None:
    """What is usual for the brand, if anything has been learned."""
    found = learning_rule(in_force(configuration, picture.brand))
    if found is None or picture.usual_blob is None:
        return None
    return found[1].usual(picture.usual_blob, configuration.zone)


def last_known(views: Iterable[SourceView], now: datetime) -> datetime:
    """End of the newest bin that any source has been crawled for; the present where that is hours ago."""
    marks = [floor_bin(min(view.watermark, now)) for view in views if view.watermark]
    newest = max(marks, default=None)
    return floor_bin(now) if newest is None or now - newest > STALE else newest


def window_of(picture: Picture, now: datetime) -> tuple[datetime, datetime]:
    """The window whose numbers are shown."""
    if picture.incident and "window_end" in picture.evaluation:
        start, end = picture.evaluation["window_start"], picture.evaluation["window_end"]
        return datetime.fromisoformat(start), datetime.fromisoformat(end)
    end = last_known(picture.views, now)
    return end - SPAN, end


def build(configuration: Configuration, store: Store, picture: Picture, now: datetime) -> Facts:
    """Count everything for a picture."""
    brand, usual = picture.brand, usual_of(configuration, picture)
    start, end = window_of(picture, now)
    critical = Window(brand=brand, start=start, end=end, tone=ToneLabel.NEGATIVE)
    persons = store.persons(critical)
    mentions = store.in_window(Window(brand=brand, start=start, end=end), limit=MANY)
    negative = [mention for mention in mentions if is_negative(mention, brand)]
    tones = [opinion.tone for mention in mentions if (opinion := opinion_of(mention, brand))]
    expected = expected_posts(usual, picture.views, start, end)
    ratio = persons_per_post(store, brand, start, end)
    low, high = usual_range(expected, usual.dispersion) if usual and expected is not None else (None, None)
    incident, recorded = picture.incident, picture.evaluation
    return Facts(
        brand=brand,
        at=now,
        window_start=start,
        window_end=end,
        state=_state(picture, usual),
        level=incident.level if incident else 0,
        trend=trend(negative, start, end),
        since=incident.started if incident else None,
        incident=incident.id if incident else None,
        persons=persons.persons,
        posts=persons.posts,
        all_posts=len(mentions),
        copies=sum(cell.copies for cell in store.series(brand, start, end)),
        without_author=persons.without_author,
        late=sum(mention.late for mention in negative),
        earlier=sum(mention.event_time < start for mention in negative),
        persons_expected=None if expected is None else round(expected * ratio, 1),
        persons_low=None if low is None else round(low * ratio),
        persons_high=None if high is None else max(1, round(high * ratio)),
        return_period_days=recorded.get("return_period_days") if incident else None,
        share=share_of(len(negative), len(tones) - tones.count(None), configuration.counting.min_n),
        usual_share=usual.share if usual and not usual.learning() else None,
        not_scored=tones.count(None),
        first_time=persons.first_time,
        top3_posts=persons.top3_posts,
        by_source=_persons_by(negative, lambda mention: mention.first_source),
        by_channel=_persons_by(negative, lambda mention: str(mention.crawled.channel)),
        outlets=len({mention.origin for mention in mentions if mention.crawled.channel in MEDIA}),
        complete_until=_complete_until(picture.views),
        sources_total=len(picture.health),
        sources_healthy=sum(one.state in (SourceState.HEALTHY, SourceState.LEARNING) for one in picture.health),
        sources_blind=tuple((one.id, one.since, one.reason) for one in picture.health if one.state in UNWELL),
        reasons=_pairs(recorded.get("reasons", ())),
        next_level=_pairs(recorded.get("next_level", ())),
        voices=voices(store, brand, negative),
        bars=bars(store, picture, usual, end, ratio),
        rule=recorded.get("rule"),
        rule_version=recorded.get("rule_version"),
        alarm=incident.opened if incident else None,
    )


def share_of(negative: int, scored: int, min_n: int) -> Share | None:
    """The negative share with its interval; none below the minimum n."""
    if scored < min_n:
        return None
    low, high = wilson(negative, scored)
    return Share(value=negative / scored, low=low, high=high, n=scored)


def trend(negative: Sequence[Mention], start: datetime, end: datetime) -> str:
    """rising, steady or falling: the second half of the window against the first."""
    middle = start + (end - start) / 2
    late = sum(mention.fed_bin >= middle for mention in negative)
    early = len(negative) - late
    if abs(late - early) < 2:
        return "steady"
    return "rising" if late > 1.25 * early else "falling" if early > 1.25 * late else "steady"


def _state(picture: Picture, usual: Usual | None) -> str:
    if picture.silenced:
        return "suppressed"
    if picture.health and all(one.state == SourceState.BLIND for one in picture.health):
        return "no_data"
    if picture.incident:
        return "firing"
    return "learning" if usual is None or usual.learning() else "normal"


def _pairs(found: Iterable[Sequence[Any]]) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """Reasons as they come back from a JSON column."""
    return tuple((str(key), dict(numbers)) for key, numbers in found)


def _complete_until(views: Iterable[SourceView]) -> datetime | None:
    """Up to when every source that is well has been read."""
    marks = [view.watermark for view in views if view.watermark and view.state not in UNWELL]
    return min(marks, default=None)


def _persons_by(negative: Iterable[Mention], key: Any) -> tuple[tuple[str, int], ...]:
    """Distinct critical persons per value, most first, then by value."""
    pairs = {(key(mention), person_of(mention)) for mention in negative}
    counts = Counter(value for value, _ in pairs)
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def persons_per_post(store: Store, brand: str, start: datetime, end: datetime) -> float:
    """Critical persons per critical post in windows of that width over the week before; 1 where there were none."""
    width = end - start
    begin = start - RATIO_SPAN
    window = Window(brand=brand, start=begin, end=start, tone=ToneLabel.NEGATIVE)
    posts = sum(cell.negative for cell in store.series(brand, begin, start, width=timedelta(hours=1)))
    persons = sum(store.persons_by_bin(window, width=width).values())
    return min(1.0, persons / posts) if posts else 1.0


def bars(store: Store, picture: Picture, usual: Usual | None, end: datetime, ratio: float) -> tuple[Bar, ...]:
    """Critical persons per half hour over the last two days, with what is usual and how much has been crawled."""
    last = ceil_bin(end)
    seconds = int(BAR.total_seconds())
    stop = last if int(last.timestamp()) % seconds == 0 else _next_half_hour(last)
    begin = stop - BARS
    window = Window(brand=picture.brand, start=begin, end=stop, tone=ToneLabel.NEGATIVE)
    counts = store.persons_by_bin(window, width=BAR)
    starts = [begin + BAR * number for number in range(BARS // BAR)]
    return tuple(_bar(start, counts.get(start, 0), picture.views, usual, ratio) for start in starts)


def _next_half_hour(moment: datetime) -> datetime:
    seconds = int(BAR.total_seconds())
    return moment + timedelta(seconds=seconds - int(moment.timestamp()) % seconds)


def _bar(start: datetime, persons: int, views: Sequence[SourceView], usual: Usual | None, ratio: float) -> Bar:
    end = start + BAR
    if usual is None:
        return Bar(start=start, end=end, persons=persons, expected=None, low=None, high=None, exposure=1.0)
    mean = sum(usual.negative(view, start, end) for view in views)
    seen = [usual.exposure(view, start, end) for view in views if view.watermark]
    low, high = usual_range(mean, usual.dispersion)
    return Bar(
        start=start,
        end=end,
        persons=persons,
        expected=round(mean * ratio, 2),
        low=round(low * ratio, 2),
        high=max(1.0, round(high * ratio, 2)),
        exposure=sum(seen) / len(seen) if seen else 0.0,
    )
