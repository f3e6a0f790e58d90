"""Hours of brands with what was usual; the brands' own statements, and rules that learn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

import sqlalchemy as sa

from alerts.baseline import exposed_share
from alerts.chronicle.places import EVERYTHING, BrandPlace, Place, read, remember, remember_brands
from alerts.detection import usual_range
from alerts.evidence import read_sources
from alerts.registry import in_force
from alerts.rule import SourceView, Usual
from alerts.situation import Picture, learning_rule, persons_per_post, usual_blob, usual_of
from pipeline.configuration import Configuration
from pipeline.i18n import Speech
from pipeline.query.tree import All, Field, OneOpinion, Query
from pipeline.state import tables as t
from pipeline.state.database import State
from pipeline.store.protocol import BIN, Store, Window
from pipeline.store.side import Event, EventKind, Hour, Row, Side
from pipeline.words import Kind, ToneLabel, Voice

HOUR = timedelta(hours=1)
BACK = timedelta(days=90)
"""How far back the series of a brand or source seen for the first time are written."""
UNSETTLED = timedelta(hours=48)
"""A source that brings less than all may still fill these hours; one further behind is absent."""
HOURS, BRANDS, TOGETHER = 500, 500, 50
"""Most hours at a time, brands in one go, and brands of which is noted together that they are written."""


def write_series(
    configuration: Configuration, store: Store, state: State, side: Side, speech: Speech, now: datetime
) -> tuple[int, int]:
    """(events of learning and statements, hours) of the brands whose turn it is, the longest waiting first."""
    with state.read() as conn:
        places = {brand: read(conn, brand, BrandPlace) for brand in configuration.brands}
        views, place = read_sources(conn), read(conn, EVERYTHING, Place)
    due = [brand for brand, place in places.items() if place.at is None or now - place.at >= BIN]
    due = sorted(due, key=lambda brand: (places[brand].at or datetime.min.replace(tzinfo=UTC), brand))[:BRANDS]
    if not due:
        return 0, 0
    store.refresh()  # watermarks were read first: what they stand for is counted
    again = _again(views, place, places.values(), now)
    remember(state, looked=now, absent=_absent(views, now), again=again)
    begins = {brand: _begin(views, places[brand], again, now) for brand in due}
    told = _write_statements(configuration, store, side, due, min(begins.values()) - UNSETTLED, speech, now)
    since = _since(views, now)
    exposures: dict[datetime, float] = {}
    rows: list[Row] = []
    done: dict[str, BrandPlace] = {}
    hours = 0
    for brand in due:
        with state.read() as conn:
            blob = usual_blob(conn, configuration, brand)
            levels = _levels(conn, brand, begins[brand])
        picture = Picture(brand=brand, views=views, health=(), usual_blob=blob)
        events, rule, knows = _learning(configuration, picture, places[brand], now, speech)
        told += side.put(events, now) if events else 0
        ratio = _ratio(configuration, store, picture, places[brand], now)
        for part in _hours(configuration, store, picture, begins[brand], ratio, levels, exposures, now):
            rows += part
            if len(rows) >= HOURS:
                hours, rows = hours + side.put(rows, now), []
        done[brand] = BrandPlace(at=now, since=since, rule=rule, learned=knows, ratio=ratio)
        if len(done) >= TOGETHER or brand == due[-1]:
            hours, rows = hours + side.put(rows, now), []
            remember_brands(state, done, now)
            done = {}
    return told, hours


def _ratio(configuration: Configuration, store: Store, picture: Picture, place: BrandPlace, now: datetime) -> float:
    """Critical persons per critical post of the week before, as the pages have it; counted once an hour."""
    if place.ratio is not None and place.at is not None and _floor(place.at) == _floor(now):
        return place.ratio
    if usual_of(configuration, picture) is None:
        return 1.0
    end = _floor(now) + HOUR
    return persons_per_post(store, picture.brand, end - HOUR, end)


def _learning(
    configuration: Configuration, picture: Picture, place: BrandPlace, now: datetime, speech: Speech
) -> tuple[list[Row], str, bool]:
    """Events of a rule that begins to learn, or has learned, and what is to be remembered of it."""
    found = learning_rule(in_force(configuration, picture.brand))
    usual = usual_of(configuration, picture)
    if found is None or usual is None:
        return [], "", False
    name, _, version = found
    rule, knows = f"{name} {version}", not usual.learning()
    events: list[Row] = []
    if rule != place.rule:
        events.append(_learning_event(picture.brand, name, version, "begun", now, speech))
    if knows and not (rule == place.rule and place.learned):
        events.append(_learning_event(picture.brand, name, version, "learned", now, speech))
    return events, rule, knows


def _learning_event(brand: str, rule: str, version: int, what: str, now: datetime, speech: Speech) -> Event:
    return Event(
        at=now,
        kind=EventKind.LEARNING,
        what=what,
        text=speech.say(f"events.{what}"),
        brand=brand,
        rule=rule,
        rule_version=version,
        identity=f"{brand} {rule} {version} {what}",
    )


def _write_statements(
    configuration: Configuration,
    store: Store,
    side: Side,
    brands: Sequence[str],
    since: datetime,
    speech: Speech,
    now: datetime,
) -> int:
    rows = _statements(configuration, store, brands, since, speech)
    sent = side.put(rows, now)
    left = store.get(sorted({str(row.uid) for row in rows}))
    side.remove([row for row in rows if row.uid not in left])  # who is erased meanwhile must not come back
    return sent


def _statements(
    configuration: Configuration, store: Store, brands: Sequence[str], since: datetime, speech: Speech
) -> list[Event]:
    """What brands themselves have said in places that are read; answers to single persons are no statements.

    The words stay with the mention: it may be erased, or vanish at its source.
    """
    owned = OneOpinion((("brand", tuple(brands)), ("voice", (str(Voice.OWNED),))))
    query = Query(All((owned, Field("kind", (str(Kind.POST), str(Kind.ARTICLE))))))
    wanted = set(brands)
    return [
        Event(
            at=mention.event_time,
            kind=EventKind.STATEMENT,
            what=str(mention.crawled.kind),
            text=speech.say("events.statement", source=configuration.source_name(mention.first_source)),
            brand=opinion.brand,
            source=mention.first_source,
            uid=mention.uid,
            identity=f"{opinion.brand} {mention.uid}",
        )
        for mention in store.scan(query, start=since)
        for opinion in mention.analysis.opinions
        if opinion.voice is Voice.OWNED and opinion.brand in wanted
    ]


def _hours(
    configuration: Configuration,
    store: Store,
    picture: Picture,
    begin: datetime,
    ratio: float,
    levels: Mapping[datetime, int],
    exposures: dict[datetime, float],
    now: datetime,
) -> Iterator[list[Row]]:
    """The hours from ``begin`` to the present, a few hundred at a time.

    ``ratio`` is that of persons to posts; ``exposures`` are those known already: the same for every brand.
    """
    brand, end = picture.brand, _floor(now) + HOUR
    usual = usual_of(configuration, picture)
    while begin < end:
        stop = min(end, begin + HOUR * HOURS)
        starts = [begin + HOUR * number for number in range((stop - begin) // HOUR)]
        cells = sorted(store.series(brand, begin, stop, width=HOUR), key=lambda cell: cell.start)
        by_hour = {start: list(found) for start, found in groupby(cells, key=lambda cell: cell.start)}
        window = Window(brand=brand, start=begin, end=stop, tone=ToneLabel.NEGATIVE)
        persons = store.persons_by_bin(window, width=HOUR) if any(cell.negative for cell in cells) else {}
        exposures.update((start, _exposure(picture.views, start)) for start in starts if start not in exposures)
        yield [
            Hour(
                at=start,
                brand=brand,
                posts=sum(cell.posts for cell in by_hour.get(start, ())),
                negative=sum(cell.negative for cell in by_hour.get(start, ())),
                neutral=sum(cell.neutral for cell in by_hour.get(start, ())),
                positive=sum(cell.positive for cell in by_hour.get(start, ())),
                copies=sum(cell.copies for cell in by_hour.get(start, ())),
                p_negative=round(sum((cell.p_negative for cell in by_hour.get(start, ())), 0.0), 6),
                persons=persons.get(start, 0),
                level=levels.get(start, 0),
                exposure=exposures[start],
                **_band(usual, picture.views, start, ratio),
            )
            for start in starts
        ]
        begin = stop


def _again(
    views: Iterable[SourceView], place: Place, brands: Iterable[BrandPlace], now: datetime
) -> list[tuple[datetime, datetime]]:
    """When it was noticed that hours had changed, and since which one; until every brand has had its turn."""
    oldest = min((brand.at for brand in brands if brand.at), default=now)
    found = [(noticed, since) for noticed, since in place.again if noticed > oldest]
    for view in views:
        if view.watermark is None:
            continue
        if view.id in place.absent:
            mark = place.absent[view.id]
            if mark is None or view.watermark > mark:
                found.append((now, mark or view.complete_from or view.watermark))
        elif place.looked and view.first_contact and view.first_contact >= place.looked:
            found.append((now, view.complete_from or view.watermark))
    return found


def _absent(views: Iterable[SourceView], now: datetime) -> dict[str, datetime | None]:
    return {view.id: view.watermark for view in views if view.watermark is None or now - view.watermark > UNSETTLED}


def _since(views: Iterable[SourceView], now: datetime) -> datetime:
    """From where on sources that are not absent may still bring something: they fill bins from their watermark on."""
    marks = [view.watermark for view in views if view.watermark and now - view.watermark <= UNSETTLED]
    return min([now, *marks])


def _begin(
    views: Iterable[SourceView], place: BrandPlace, again: Iterable[tuple[datetime, datetime]], now: datetime
) -> datetime:
    """The first hour that may have changed since a brand was written.

    The last two days are looked at again once an hour, because people correct and erase.
    """
    if place.at is None or place.since is None:
        moments = [now, *(view.complete_from or view.watermark for view in views if view.watermark)]
    else:
        moments = [place.at, place.since, *(since for noticed, since in again if noticed > place.at)]
    if place.at is None or _floor(place.at) != _floor(now):
        moments.append(now - UNSETTLED)
    return min(_floor(max(min(moments), now - BACK)), _floor(now))


def _band(usual: Usual | None, views: Sequence[SourceView], start: datetime, ratio: float) -> dict[str, float]:
    """What is usual in an hour, in persons, as the pages draw it; nothing while nothing has been learned."""
    if usual is None:
        return {}
    mean = sum(usual.negative(view, start, start + HOUR) for view in views)
    low, high = usual_range(mean, usual.dispersion)
    return {
        "expected": round(mean * ratio, 2),
        "low": round(low * ratio, 2),
        "high": max(1.0, round(high * ratio, 2)),
    }


def _exposure(views: Sequence[SourceView], start: datetime) -> float:
    seen = [exposed_share(view, start, start + HOUR) for view in views if view.watermark]
    return round(sum(seen) / len(seen), 4) if seen else 0.0


def _levels(conn: sa.Connection, brand: str, since: datetime) -> dict[datetime, int]:
    """Highest level recorded per hour; an open incident is evaluated every few minutes."""
    table = t.evaluation
    query = sa.select(table.c.at, table.c.level).where(table.c.brand == brand, table.c.at >= since)
    found: dict[datetime, int] = defaultdict(int)
    for at, level in conn.execute(query):
        found[_floor(at)] = max(found[_floor(at)], level)
    return found


def _floor(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
