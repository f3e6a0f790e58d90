"""What Kibana and Grafana draw beside mentions: events, result lists, hours of series, made from what is recorded.

A projection: every row is read from the state database and the store and written under a stable id, so that a death, a
repetition or a second watcher doubles nothing. How far it has come moves only after the server has taken the rows;
while the server is away nothing is lost but time. Nothing here decides anything, and no rule waits for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from alerts import books
from alerts.baseline import exposed_share
from alerts.detection import usual_range
from alerts.evidence import read_sources
from alerts.incidents import incident_name
from alerts.rule import SourceView, Usual
from alerts.situation import UNWELL, Picture, learning_rule, persons_per_post, usual_blob, usual_of
from pipeline.configuration import Configuration
from pipeline.i18n import Speech, UnknownPhrase
from pipeline.identity import origin_of
from pipeline.query.tree import All, Field, OneOpinion, Query
from pipeline.reasons import in_words
from pipeline.state import tables as t
from pipeline.state.database import State
from pipeline.store.protocol import BIN, Store, Window
from pipeline.store.side import Event, EventKind, Hour, Result, Row, Side, side_of
from pipeline.tone import ANALYSIS_VERSION
from pipeline.words import Kind, SourceState, ToneLabel, Voice

RULE, VERSION, EVERYTHING = "chronicle", 1, "*"
"""Its rows in ``rule_state``: how far events and result lists are written, and one per brand for the series."""
OVERLAP = timedelta(minutes=30)
"""So late may a transaction come that bears an earlier time; what lies within is looked at again."""
LONG_VISIT = timedelta(hours=6)
"""The same for result lists, which bear the time at which a visit began."""
HOUR = timedelta(hours=1)
BACK = timedelta(days=90)
"""How far back the series of a brand or source seen for the first time are written."""
UNSETTLED = timedelta(hours=48)
"""A source that brings less than all may still fill these hours."""
HOURS, LISTS, HOLES = 500, 200, 200
"""Most hours and result lists at a time, and holes looked at again."""
BRANDS, TOGETHER = 500, 50
"""Most brands in one go, and of how many is noted together that they are written."""
LEVEL = frozenset({"opened", "up", "down", "all_clear"})
ACTION = frozenset({"acknowledged", "resolved", "false_alarm", "silenced"})

M = TypeVar("M", bound=msgspec.Struct)


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows one pass sent."""

    events: int = 0
    results: int = 0
    hours: int = 0


class _Stay(msgspec.Struct, frozen=True, kw_only=True):
    """A state of a source that is worth an event, while it lasts."""

    state: SourceState
    since: datetime
    reason: str


class _Place(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far events and result lists are written."""

    events: datetime | None = None
    results: datetime | None = None
    hole: int = 0
    stays: dict[str, _Stay] = {}
    model: int = 0
    """The version by which texts were scored."""


class _Brand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far the series of a brand are written."""

    at: datetime | None = None
    """When they were written last."""
    marks: dict[str, datetime] = {}
    """Source → its watermark at that time."""
    rule: str = ""
    """Which rule, of which version, learns what is usual …"""
    learned: bool = False
    """… and whether it has."""
    ratio: float | None = None
    """Critical persons per critical post, as counted in the hour of ``at``."""


def write(configuration: Configuration, store: Store, state: State, now: datetime) -> Written:
    """Write what is new or has changed, if the engine has a place for it. Raises StoreError; the rest comes later."""
    side = side_of(store)
    if side is None:
        return Written()
    speech = Speech(configuration.language, configuration.timezone)
    results = _write_results(state, side, now)
    events = _write_events(state, side, speech, now)
    told, hours = _write_series(configuration, store, state, side, speech, now)
    return Written(events=events + told, results=results, hours=hours)


def written(conn: sa.Connection) -> datetime | None:
    """When events were last written to the end; None: never."""
    return _read(conn, EVERYTHING, _Place).events


# --- events ---------------------------------------------------------------------------------------------------


def _write_events(state: State, side: Side, speech: Speech, now: datetime) -> int:
    with state.read() as conn:
        place = _read(conn, EVERYTHING, _Place)
        since = _before(place.events, OVERLAP)
        stays = _stays(conn)
        holes = conn.execute(sa.select(t.hole).where(t.hole.c.id > place.hole - HOLES).order_by(t.hole.c.id)).all()
        found = [
            *_alerts(conn, since, speech),
            *_histories(conn, since, speech),
            *_silences(conn, since),
            *(_hole(row, speech) for row in holes),
            *_source_events(place.stays, stays, now, speech),
            *([_model(now, speech)] if place.model != ANALYSIS_VERSION else []),
        ]
    sent = side.put(found, now)
    hole = max((row.id for row in holes), default=place.hole)
    _remember(state, events=now, hole=hole, stays=stays, model=ANALYSIS_VERSION)
    return sent


def _alerts(conn: sa.Connection, since: datetime, speech: Speech) -> Iterator[Event]:
    for row in conn.execute(sa.select(t.alert).where(t.alert.c.at >= since).order_by(t.alert.c.at)):
        facts: Mapping[str, Any] = row.facts
        yield Event(
            at=row.at,
            kind=EventKind.ALERT,
            what="raised",
            text=_first_reason(facts.get("reasons", ()), speech),
            brand=row.brand,
            rule=row.rule,
            rule_version=row.version,
            incident=None if row.incident is None else incident_name(row.incident),
            window_start=_time(facts.get("window_start")),
            window_end=_time(facts.get("window_end")),
            observed=facts.get("observed"),
            expected=facts.get("expected"),
            low=facts.get("low"),
            high=facts.get("high"),
            return_period_days=facts.get("return_period_days"),
            identity=f"{row.rule} {row.stream} {row.key}",
        )


def _first_reason(reasons: Sequence[Sequence[Any]], speech: Speech) -> str:
    for key, numbers in reasons:
        return speech.say(str(key), **numbers)
    return ""


def _histories(conn: sa.Connection, since: datetime, speech: Speech) -> Iterator[Event]:
    """What happened to incidents."""
    table = t.incident_event
    query = (
        sa.select(table, t.incident.c.brand)
        .join(t.incident, t.incident.c.id == table.c.incident)
        .where(table.c.at >= since)
        .order_by(table.c.at, table.c.id)
    )
    for row in conn.execute(query):
        ended = row.kind in ("resolved", "false_alarm")
        yield Event(
            at=row.at,
            kind=_kind(row.kind),
            what=row.kind,
            text=row.text or _phrase(f"rules.event.{row.kind}", row.details, speech),
            brand=row.brand,
            incident=incident_name(row.incident),
            level=0 if ended else row.details.get("level"),
            previous=row.details.get("previous"),
            persons=row.details.get("persons"),
            by=row.by,
            identity=f"{row.incident} {row.kind} {row.at.isoformat()} {row.by}",
        )


def _kind(kind: str) -> EventKind:
    if kind in LEVEL:
        return EventKind.LEVEL
    if kind in ACTION:
        return EventKind.ACTION
    return EventKind.NOTE if kind == "note" else EventKind.INCIDENT


def _silences(conn: sa.Connection, since: datetime) -> Iterator[Event]:
    """Those begun or ended since; the end of one in force may still change."""
    table = t.silence
    query = sa.select(table).where(sa.or_(table.c.created >= since, table.c.ends >= since)).order_by(table.c.id)
    for row in conn.execute(query):
        yield Event(
            at=row.created,
            end=row.ends,
            kind=EventKind.SILENCE,
            what="silenced",
            text=row.reason,
            brand=row.brand,
            rule=row.rule,
            incident=None if row.incident is None else incident_name(row.incident),
            by=row.by,
            identity=f"{row.id} {row.created.isoformat()}",
        )


def _hole(row: sa.Row[Any], speech: Speech) -> Event:
    return Event(
        at=row.start,
        end=row.end,
        kind=EventKind.HOLE,
        what="hole",
        text=in_words(row.reason, speech),
        source=row.source,
        identity=f"{row.source} {row.start.isoformat()} {row.end.isoformat()}",
    )


def _model(now: datetime, speech: Speech) -> Event:
    return Event(
        at=now,
        kind=EventKind.MODEL,
        what=f"version {ANALYSIS_VERSION}",
        text=speech.say("events.model", version=ANALYSIS_VERSION),
        identity=f"tone {ANALYSIS_VERSION}",
    )


def _stays(conn: sa.Connection) -> dict[str, _Stay]:
    """Sources that are not as they should be, or still learn."""
    told = [*UNWELL, SourceState.LEARNING]
    rows = conn.execute(sa.select(t.source).where(t.source.c.state.in_([str(state) for state in told])))
    return {row.id: _Stay(state=SourceState(row.state), since=row.state_since, reason=row.reason) for row in rows}


def _source_events(
    before: Mapping[str, _Stay], present: Mapping[str, _Stay], now: datetime, speech: Speech
) -> Iterator[Event]:
    """Those that last, and the end of those that no longer do: the begin of what came after, where that is told."""
    for source, stay in present.items():
        yield _stay(source, stay, None, speech)
    for source, stay in before.items():
        follower = present.get(source)
        if follower is None:
            yield _stay(source, stay, now, speech)
        elif follower.since != stay.since:
            yield _stay(source, stay, follower.since, speech)


def _stay(source: str, stay: _Stay, end: datetime | None, speech: Speech) -> Event:
    reason = in_words(stay.reason, speech)
    return Event(
        at=stay.since,
        end=end,
        kind=EventKind.LEARNING if stay.state is SourceState.LEARNING else EventKind.OUTAGE,
        what=str(stay.state),
        text=": ".join(part for part in (speech.say(f"state.{stay.state}"), reason) if part),
        source=source,
        identity=f"{source} {stay.since.isoformat()}",
    )


# --- result lists ---------------------------------------------------------------------------------------------


def _write_results(state: State, side: Side, now: datetime) -> int:
    """All lists since the last pass, a few at a time."""
    with state.read() as conn:
        since = _before(_read(conn, EVERYTHING, _Place).results, LONG_VISIT)
    sent, last = 0, (since, -1)
    while True:
        with state.read() as conn:
            lists = _lists(conn, last)
            rows = _results(conn, lists)
        if not lists:
            break
        sent += side.put([row for row in rows if row.url], now)
        with state.read() as conn:  # who is erased meanwhile must not come back by this door
            side.remove([row for row in _results(conn, lists) if not row.url])
        last = (lists[-1].at, lists[-1].id)
    _remember(state, results=now)
    return sent


def _lists(conn: sa.Connection, after: tuple[datetime, int]) -> Sequence[sa.Row[Any]]:
    table, (at, number) = t.result_list, after
    later = sa.or_(table.c.at > at, sa.and_(table.c.at == at, table.c.id > number))
    return conn.execute(sa.select(table).where(later).order_by(table.c.at, table.c.id).limit(LISTS)).all()


def _results(conn: sa.Connection, lists: Sequence[sa.Row[Any]]) -> list[Result]:
    """What stands in these lists; where a mention was erased, there is a place without an address."""
    heads = {row.id: row for row in lists}
    query = sa.select(t.result).where(t.result.c.list.in_(heads))
    return [
        Result(
            at=heads[row.list].at,
            source=heads[row.list].source,
            query=heads[row.list].query,
            position=row.position,
            uid=row.uid,
            url=row.url,
            title=row.title,
            snippet=row.snippet,
            engines=tuple(row.engines),
            domain=_domain(row.url),
        )
        for row in conn.execute(query.order_by(t.result.c.list, t.result.c.position))
    ]


def _domain(url: str) -> str:
    try:
        return origin_of(url)
    except ValueError:  # engines give odd addresses now and then
        return ""


# --- series ---------------------------------------------------------------------------------------------------


def _write_series(
    configuration: Configuration, store: Store, state: State, side: Side, speech: Speech, now: datetime
) -> tuple[int, int]:
    """(events of learning and statements, hours) of the brands whose turn it is, the longest waiting first."""
    with state.read() as conn:
        places = {brand: _read(conn, brand, _Brand) for brand in configuration.brands}
        views = read_sources(conn)
    due = [brand for brand, place in places.items() if place.at is None or now - place.at >= BIN]
    due = sorted(due, key=lambda brand: (places[brand].at or datetime.min.replace(tzinfo=UTC), brand))[:BRANDS]
    if not due:
        return 0, 0
    store.refresh()  # watermarks were read first: what they stand for is counted
    begins = {brand: _begin(views, places[brand], now) for brand in due}
    told = side.put(_statements(configuration, store, due, min(begins.values()) - UNSETTLED, speech), now)
    marks = {view.id: view.watermark for view in views if view.watermark}
    exposures: dict[datetime, float] = {}
    rows: list[Row] = []
    done: dict[str, _Brand] = {}
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
        done[brand] = _Brand(at=now, marks=marks, rule=rule, learned=knows, ratio=ratio)
        if len(done) >= TOGETHER or brand == due[-1]:
            hours, rows = hours + side.put(rows, now), []
            _remember_brands(state, done, now)
            done = {}
    return told, hours


def _ratio(configuration: Configuration, store: Store, picture: Picture, place: _Brand, now: datetime) -> float:
    """Critical persons per critical post of the week before, as the pages have it; counted once an hour."""
    if place.ratio is not None and place.at is not None and _floor(place.at) == _floor(now):
        return place.ratio
    if usual_of(configuration, picture) is None:
        return 1.0
    end = _floor(now) + HOUR
    return persons_per_post(store, picture.brand, end - HOUR, end)


def _learning(
    configuration: Configuration, picture: Picture, place: _Brand, now: datetime, speech: Speech
) -> tuple[list[Row], str, bool]:
    """Events of a rule that begins to learn, or has learned, and what is to be remembered of it."""
    found = learning_rule(configuration, picture.brand)
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


def _statements(
    configuration: Configuration, store: Store, brands: Sequence[str], since: datetime, speech: Speech
) -> list[Row]:
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


def _begin(views: Iterable[SourceView], place: _Brand, now: datetime) -> datetime:
    """The first hour that may have changed.

    A source fills bins from its last watermark on, one read for the first time from where it is complete. What brings
    less than all stays behind its watermark, and fills at most the last two days. These are looked at again once an
    hour, because people correct and erase.
    """
    moments = [now if place.at is None else place.at]
    if place.at is None or _floor(place.at) != _floor(now):
        moments.append(now - UNSETTLED)
    for view in views:
        if view.watermark is None:
            continue
        mark = place.marks.get(view.id)
        if mark is None:
            moments.append(view.complete_from or view.watermark)
        else:
            moments.append(mark if view.watermark != mark else max(mark, now - UNSETTLED))
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


# --- how far ---------------------------------------------------------------------------------------------------


def _read(conn: sa.Connection, stream: str, kind: type[M]) -> M:
    blob = _blob(conn, stream)
    return msgspec.json.decode(blob, type=kind) if blob else kind()


def _blob(conn: sa.Connection, stream: str) -> bytes | None:
    table = t.rule_state
    mine = (table.c.rule == RULE, table.c.version == VERSION, table.c.stream == stream)
    blob: bytes | None = conn.execute(sa.select(table.c.blob).where(*mine)).scalar_one_or_none()
    return blob


def _remember(state: State, **changes: Any) -> None:
    """Note how far events or result lists have come; only after the server has taken the rows."""
    with state.begin() as conn:
        place = msgspec.structs.replace(_read(conn, EVERYTHING, _Place), **changes)
        _write_blob(conn, EVERYTHING, place, max(filter(None, (place.events, place.results))))


def _remember_brands(state: State, done: Mapping[str, _Brand], now: datetime) -> None:
    """Note how far the series of these brands have come; only after the server has taken the rows."""
    with state.begin() as conn:
        for brand, place in done.items():
            _write_blob(conn, brand, place, now)


def _write_blob(conn: sa.Connection, stream: str, place: _Place | _Brand, now: datetime) -> None:
    known = _blob(conn, stream)
    books.write_blob(conn, RULE, VERSION, stream, msgspec.json.encode(place), now, new=known is None)


def _before(moment: datetime | None, by: timedelta) -> datetime:
    return datetime.fromtimestamp(0, UTC) if moment is None else moment - by


def _floor(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _phrase(key: str, values: Mapping[str, Any], speech: Speech) -> str:
    try:
        return speech.say(key, **values)
    except (UnknownPhrase, KeyError):
        return ""
