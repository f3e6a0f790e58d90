"""What rules and levels judge by: fetched from store and state, frozen; watermarks first, counts second."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa

from alerts.detection import nb_tail
from alerts.rule import Critic, Evidence, Needs, SourceView, Usual
from alerts.windforce import Signs
from pipeline.mention import FUTURE_TOLERANCE, Mention, Opinion, person_of
from pipeline.query.parse import parse
from pipeline.query.tree import All, Field, OneOpinion, Query, Uids
from pipeline.state import tables as t
from pipeline.store.protocol import BIN, Cell, Store, Window
from pipeline.words import Channel, Kind, SourceState, ToneLabel, Voice

RECENT = timedelta(hours=12)
"""Persons can be counted over any window within."""
OLDEST = timedelta(hours=48)
"""What is older was published too long ago to raise anything."""
OVERLAP = timedelta(minutes=2)
"""So far the clocks of writers and watcher may disagree."""
SPAN = timedelta(hours=3)
"""Over which intensity and growth are measured."""
DAY = timedelta(hours=24)
CHRONIC_WEEKS, CHRONIC_SPAN = 4, 8
CHRONIC_LIMIT = 300
"""A window with more critics is no longer a matter of the same few persons."""
MANY = 100_000
MEDIA = frozenset({Channel.NEWS, Channel.BLOG})
LOOKED = "*known_from*"
"""In the place of a source in the table ``fed``: up to when newly stored mentions have been looked at."""


def floor_bin(moment: datetime) -> datetime:
    """Start of the bin that a moment lies in."""
    seconds = int(BIN.total_seconds())
    return datetime.fromtimestamp(int(moment.timestamp()) // seconds * seconds, UTC)


def ceil_bin(moment: datetime) -> datetime:
    """The next start of a bin, or this one."""
    floor = floor_bin(moment)
    return floor if floor == moment else floor + BIN


def read_sources(conn: sa.Connection) -> tuple[SourceView, ...]:
    """All sources in use, as rules may know them, in order of their ids."""
    holes = conn.execute(sa.select(t.hole).order_by(t.hole.c.source, t.hole.c.start)).all()
    by_source = {source: list(rows) for source, rows in groupby(holes, key=lambda row: row.source)}
    rows = conn.execute(sa.select(t.source).where(t.source.c.state != SourceState.RETIRED).order_by(t.source.c.id))
    return tuple(
        SourceView(
            id=row.id,
            state=row.state,
            channel=row.channel,
            complete_from=row.complete_from,
            watermark=row.watermark,
            first_contact=row.first_contact_at,
            holes=tuple((hole.start, hole.end) for hole in by_source.get(row.id, ())),
        )
        for row in rows
    )


def opinion_of(mention: Mention, brand: str) -> Opinion | None:
    """What a mention says about a brand."""
    return next((opinion for opinion in mention.analysis.opinions if opinion.brand == brand), None)


def is_negative(mention: Mention, brand: str) -> bool:
    """Whether it counts as criticism of the brand."""
    opinion = opinion_of(mention, brand)
    return opinion is not None and opinion.counted and opinion.tone is ToneLabel.NEGATIVE


def gather(
    store: Store,
    brand: str,
    needs: Needs,
    views: Sequence[SourceView],
    fed: Mapping[str, datetime],
    now: datetime,
    zone: str,
) -> Evidence:
    """The evidence of one rule about one brand. ``fed``: how far each source is fed (the rule's rows)."""
    found = (
        _cells(store, brand, views, fed, now, zone) if needs.cells else Evidence(brand=brand, sources=views, zone=zone)
    )
    if not needs.query:
        return found
    mentions = newly_stored(store, brand, needs.query, fed.get(LOOKED), now, zone)
    until = {**found.final_until, LOOKED: now}
    return msgspec.structs.replace(found, mentions=mentions, final_until=until)


def _cells(
    store: Store, brand: str, views: Sequence[SourceView], fed: Mapping[str, datetime], now: datetime, zone: str
) -> Evidence:
    until = {view.id: floor_bin(min(view.watermark, now)) for view in views if view.watermark}
    until = {source: end for source, end in until.items() if source not in fed or end > fed[source]}
    old = [fed[view.id] for view in views if view.id in fed]  # also of those that stand still: it may wait unfed
    begin = max(min([*old, now - RECENT]), now - OLDEST)
    recent = _fresh(store, brand, floor_bin(begin), now)
    final = [
        *_first_contact(store, brand, views, until, fed),
        *_long_ago(store, brand, until, fed, floor_bin(begin)),
        *(cell for cell in recent.cells if _between(cell, fed, until)),
    ]
    return Evidence(
        brand=brand,
        final=sorted(final, key=lambda cell: (cell.start, cell.source)),
        final_until=until,
        open=[cell for cell in recent.cells if cell.start >= until.get(cell.source, fed.get(cell.source, cell.start))],
        sources=views,
        critics=recent.critics,
        zone=zone,
    )


class _Recent(msgspec.Struct, frozen=True):
    cells: list[Cell]
    critics: tuple[Critic, ...]


def _fresh(store: Store, brand: str, begin: datetime, now: datetime) -> _Recent:
    """Cells and critics of what is not historic; historic mentions lie in the same cells but raise nothing."""
    window = Window(brand=brand, start=begin, end=ceil_bin(now + FUTURE_TOLERANCE) + BIN)
    mentions = store.in_window(window, limit=MANY)
    tones: dict[tuple[datetime, str], list[ToneLabel | None]] = {}
    for mention in mentions:
        opinion = opinion_of(mention, brand)
        if opinion is not None:
            tones.setdefault((mention.fed_bin, mention.first_source), []).append(opinion.tone)
    critics = tuple(
        Critic(start=mention.fed_bin, source=mention.first_source, person=person_of(mention))
        for mention in mentions
        if is_negative(mention, brand)
    )
    return _Recent([_cell(brand, *key, found) for key, found in sorted(tones.items())], critics)


def _cell(brand: str, start: datetime, source: str, tones: Sequence[ToneLabel | None]) -> Cell:
    return Cell(
        brand=brand,
        source=source,
        start=start,
        posts=len(tones),
        negative=tones.count(ToneLabel.NEGATIVE),
        neutral=tones.count(ToneLabel.NEUTRAL),
        positive=tones.count(ToneLabel.POSITIVE),
    )


def _between(cell: Cell, fed: Mapping[str, datetime], until: Mapping[str, datetime]) -> bool:
    """Newly final, of a source that was fed before."""
    return cell.source in fed and cell.source in until and fed[cell.source] <= cell.start < until[cell.source]


def _first_contact(
    store: Store,
    brand: str,
    views: Sequence[SourceView],
    until: Mapping[str, datetime],
    fed: Mapping[str, datetime],
) -> Iterable[Cell]:
    """All of a new source's past, historic mentions included: it teaches."""
    new = {view.id: view.complete_from for view in views if view.id in until and view.id not in fed}
    starts = [start for start in new.values() if start is not None]
    if not starts:
        return ()
    series = store.series(brand, floor_bin(min(starts)), max(until[source] for source in new))
    return [cell for cell in series if cell.source in new and cell.start < until[cell.source]]


def _long_ago(
    store: Store, brand: str, until: Mapping[str, datetime], fed: Mapping[str, datetime], begin: datetime
) -> Iterable[Cell]:
    """What a source brings that was away for more than two days: it teaches and cannot raise."""
    away = {source: fed[source] for source in until if source in fed and fed[source] < begin}
    if not away:
        return ()
    series = store.series(brand, min(away.values()), begin)
    return [cell for cell in series if cell.source in away and away[cell.source] <= cell.start < until[cell.source]]


def newly_stored(
    store: Store, brand: str, text: str, looked: datetime | None, now: datetime, zone: str
) -> tuple[Mention, ...]:
    """Mentions of the brand first stored since the last look that match a search; none at the very first look."""
    if looked is None:
        return ()
    stored = store.first_stored_since(looked - OVERLAP, brand=brand, limit=MANY)
    fresh = [m.uid for m in stored if not m.historic and now - m.event_time < OLDEST and _earned(m, brand)]
    if not fresh:
        return ()
    root = parse(text, now=now, zone=ZoneInfo(zone)).root
    query = Query(All((root, Uids(frozenset(fresh)))), text)
    return tuple(sorted(store.scan(query), key=lambda mention: mention.uid))


def _earned(mention: Mention, brand: str) -> bool:
    opinion = opinion_of(mention, brand)
    return opinion is not None and opinion.voice is Voice.EARNED and mention.crawled.kind is not Kind.RESULT


# --- for the level --------------------------------------------------------------------------------------------


def expected_posts(usual: Usual | None, views: Iterable[SourceView], start: datetime, end: datetime) -> float | None:
    """Critical posts usual in that span, over what has been crawled; sources that are not well count in full."""
    if usual is None:
        return None
    return sum(usual.negative(_in_full(view, end), start, end) for view in views)


def _in_full(view: SourceView, end: datetime) -> SourceView:
    """Lower bounds are compared with the full expectation."""
    if view.state in ("late", "behind", "blind") and view.watermark is not None and view.watermark < end:
        return msgspec.structs.replace(view, watermark=end)
    return view


def signs(
    store: Store,
    brand: str,
    views: Sequence[SourceView],
    usual: Usual | None,
    start: datetime,
    end: datetime,
    *,
    min_n: int,
    return_period_days: float | None,
    loud: bool,
    lasting: timedelta,
) -> Signs:
    """What the level of a brand is computed from, for the window ``[start, end)`` of its evaluation."""
    day = store.in_window(Window(brand=brand, start=end - DAY, end=end), limit=MANY)
    window = [mention for mention in day if mention.fed_bin >= start]
    critics = {person_of(mention) for mention in window if is_negative(mention, brand)}
    scored = [m for m in window if (opinion := opinion_of(m, brand)) and opinion.tone is not None]
    voices = {person_of(mention) for mention in scored}
    enough = len(scored) >= min_n
    bad = [mention for mention in day if is_negative(mention, brand)]
    last = [mention for mention in bad if mention.fed_bin >= end - SPAN]
    return Signs(
        observed=len(last),
        expected=expected_posts(usual, views, end - SPAN, end) or 0.0,
        persons=len(critics),
        new_persons=len(critics - chronic_critics(store, brand, critics, start)),
        persons_day=len({person_of(mention) for mention in bad}),
        channels=_channels(last, usual, views, end),
        outlets=len({mention.origin for mention in bad if mention.crawled.channel in MEDIA}),
        share=sum(is_negative(m, brand) for m in scored) / len(scored) if enough else None,
        share_persons=len(critics) / len(voices) if enough else None,
        usual_share=usual.share if usual else 0.25,
        previous=sum(end - 2 * SPAN <= mention.fed_bin < end - SPAN for mention in bad),
        return_period_days=return_period_days,
        lasting=lasting,
        learning=usual.learning() if usual else False,
        loud=loud,
    )


def _channels(negative: Sequence[Mention], usual: Usual | None, views: Sequence[SourceView], end: datetime) -> int:
    """Channels whose own criticism in the last 3 h is beyond chance (p < .01) and not one person's."""
    by_channel: dict[str, list[Mention]] = {}
    for mention in negative:
        by_channel.setdefault(mention.crawled.channel, []).append(mention)

    def raised(channel: str, found: Sequence[Mention]) -> bool:
        mine = [view for view in views if view.channel == channel]
        mean = expected_posts(usual, mine, end - SPAN, end) or 0.1
        persons = {person_of(mention) for mention in found}
        return len(persons) >= 2 and nb_tail(len(found), mean, usual.dispersion if usual else 0.25) < 0.01

    return sum(raised(channel, found) for channel, found in by_channel.items())


def chronic_critics(store: Store, brand: str, persons: Iterable[str], before: datetime) -> frozenset[str]:
    """Those of these persons who were critical in at least 4 of the 8 weeks before."""
    accounts = sorted(person for person in persons if not person.startswith("story:"))
    if not accounts or len(accounts) > CHRONIC_LIMIT:
        return frozenset()
    critical = OneOpinion((("brand", (brand,)), ("tone", (ToneLabel.NEGATIVE,)), ("counted", ("true",))))
    query = Query(All((critical, Field("author", tuple(accounts)))), "")
    weeks: dict[str, set[int]] = {}
    for mention in store.scan(query, start=before - timedelta(weeks=CHRONIC_SPAN), end=before):
        if mention.crawled.author:
            week = (before - mention.event_time) // timedelta(weeks=1)
            weeks.setdefault(mention.crawled.author, set()).add(week)
    return frozenset(author for author, seen in weeks.items() if len(seen) >= CHRONIC_WEEKS)
