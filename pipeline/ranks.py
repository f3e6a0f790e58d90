"""Ranked result lists over time: what entered, left and moved between two runs of a query, and whose pages stand there.

A domain is **own** where it is one of a brand's domains, **critical** where the configuration names it or most of what
it said of the brand was negative, and else **neutral**; where nobody knows anything of it, that is what ``why`` says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa

from pipeline.addresses import canonical_url
from pipeline.configuration import Configuration
from pipeline.identity import folded_letters, origin_of
from pipeline.query.tree import All, Field, OneOpinion, Query
from pipeline.state.tables import result, result_list
from pipeline.store.protocol import Store

MIN_OPINIONS = 5
"""Fewer scored opinions of a domain say nothing of it."""
CRITICAL_SHARE = 0.5
SPAN = timedelta(days=90)
LATEST = 50
"""Runs of one query that are looked through for the last two whole ones."""


class Standing(StrEnum):
    """What a domain is to the brand."""

    OWN = "own"
    CRITICAL = "critical"
    NEUTRAL = "neutral"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One place of a list as it was stored."""

    position: int
    url: str
    title: str
    uid: str = ""
    engines: tuple[str, ...] = ()


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of one query. ``unresponsive`` names engines that did not answer: then the run is not whole."""

    source: str
    query: str
    at: datetime
    rows: tuple[Row, ...]
    unresponsive: tuple[tuple[str, str], ...] = ()


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One result and how it moved. ``before`` or ``position`` is None where it was or is not in the list."""

    position: int | None
    before: int | None
    url: str
    title: str
    domain: str
    standing: Standing = Standing.NEUTRAL
    why: str = ""

    @property
    def change(self) -> str:
        """entered, left, up, down or same."""
        if self.before is None or self.position is None:
            return "entered" if self.before is None else "left"
        return "same" if self.before == self.position else "up" if self.position < self.before else "down"


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The latest run of a query beside the last whole one before it. ``before`` is None where none can be compared."""

    source: str
    query: str
    at: datetime
    before: datetime | None
    reason: str
    """Why it is not compared: ``first``, ``unresponsive``; else empty. An engine that gave results before and none now
    counts as silent: searx leaves out, without a word, engines that it has suspended."""
    unresponsive: tuple[tuple[str, str], ...]
    places: tuple[Place, ...]


Judge = Callable[[str], tuple[Standing, str]]
"""From the address of a result to what stands there, and why."""


def compare(new: Run, old: Run | None) -> tuple[Place, ...]:
    """The places of the new list in order, then what left in its old order; all as found where there is no old one.

    A result is the same if its address is, else if its title is (its address may have become known meanwhile).
    """
    waiting = list(old.rows) if old is not None else []
    pairs: dict[int, int] = {}
    for same in (_address, _title):
        by_key: dict[str, list[Row]] = {}
        for row in waiting:
            by_key.setdefault(same(row), []).append(row)
        for row in new.rows:
            known = by_key.get(same(row))
            if row.position not in pairs and known:
                pairs[row.position] = known.pop(0).position
        taken = set(pairs.values())
        waiting = [row for row in waiting if row.position not in taken]
    places = [_place(row, row.position, pairs.get(row.position)) for row in new.rows]
    return (*places, *(_place(row, None, row.position) for row in waiting))


def compared(runs: Sequence[Run], judge: Judge) -> Comparison | None:
    """The newest of the runs of one query (newest first) beside the one before it; None where there is no run.

    Nothing has left or entered a list of which an engine did not answer; older such lists are passed over.
    """
    if not runs:
        return None
    new = runs[0]
    old = next((run for run in runs[1:] if not run.unresponsive), None) if not new.unresponsive else None
    silent = new.unresponsive + (_missing(new, old) if old is not None else ())
    reason = "unresponsive" if silent else "" if old is not None else "first"
    old = old if not reason else None
    places = compare(new, old) if old is not None else tuple(_place(row, row.position, None) for row in new.rows)
    return Comparison(
        source=new.source,
        query=new.query,
        at=new.at,
        before=old.at if old is not None else None,
        reason=reason,
        unresponsive=silent,
        places=tuple(_judged(place, judge) for place in places),
    )


def _missing(new: Run, old: Run) -> tuple[tuple[str, str], ...]:
    """Engines of the old list that gave nothing of the new one."""
    now = {engine for row in new.rows for engine in row.engines}
    before = {engine for row in old.rows for engine in row.engines}
    return tuple((engine, "no result, unlike before") for engine in sorted(before - now))


def document(found: Comparison) -> dict[str, Any]:
    """The comparison as interface and command line give it. ``change`` is null where nothing was compared."""
    plain = {name: getattr(found, name) for name in ("source", "query", "at", "before", "reason", "unresponsive")}
    places = [
        msgspec.structs.asdict(place) | {"change": place.change if found.before is not None else None}
        for place in found.places
    ]
    return plain | {"counts": counts(found), "places": places}


def counts(found: Comparison) -> dict[str, int]:
    """How many results of the list are own, critical, neutral, and how many changed in which way."""
    present = [place for place in found.places if place.position is not None]
    numbers = {standing.value: sum(place.standing is standing for place in present) for standing in Standing}
    if found.before is None:
        return numbers
    changes = ("entered", "left", "up", "down", "same")
    return numbers | {name: sum(place.change == name for place in found.places) for name in changes}


# --- reading ------------------------------------------------------------------------------------------------------


def comparisons(connection: sa.Connection, judge: Judge, query: str = "") -> list[Comparison]:
    """Every query's latest list, compared; of one query where one is given. By source, then query."""
    pairs = sa.select(result_list.c.source, result_list.c.query).distinct()
    if query:
        pairs = pairs.where(result_list.c.query == query)
    known = sorted((row.source, row.query) for row in connection.execute(pairs))
    found = (compared(_runs(connection, source, asked), judge) for source, asked in known)
    return [one for one in found if one is not None]


def _runs(connection: sa.Connection, source: str, query: str) -> list[Run]:
    """The newest run, and the newest whole one before it."""
    wanted = sa.and_(result_list.c.source == source, result_list.c.query == query)
    order = (result_list.c.at.desc(), result_list.c.id.desc())
    heads = connection.execute(sa.select(result_list).where(wanted).order_by(*order).limit(LATEST)).all()
    whole = next((head for head in heads[1:] if not head.unresponsive), None)
    return [_run(connection, head) for head in (*heads[:1], *((whole,) if whole is not None else ()))]


def _run(connection: sa.Connection, head: Any) -> Run:
    wanted = sa.select(result).where(result.c.list == head.id).order_by(result.c.position)
    rows = tuple(
        Row(position=row.position, url=row.url, title=row.title, uid=row.uid, engines=tuple(row.engines))
        for row in connection.execute(wanted)
    )
    silent = tuple((str(pair[0]), str(pair[1])) for pair in head.unresponsive)
    return Run(source=head.source, query=head.query, at=head.at, rows=rows, unresponsive=silent)


def judge_of(configuration: Configuration, store: Store | None, now: datetime) -> Judge:
    """How domains are judged: by the configuration, then by what they said of all brands in the last 90 days."""
    brands = configuration.brands.values()
    own = {_bare(name) for brand in brands for name in brand.domains}
    accounts = {name.lower().removeprefix("@") for brand in brands for name in brand.accounts}
    critical = {_bare(name) for name in configuration.results.critical}
    remembered: dict[str, tuple[Standing, str]] = {}

    def judge(url: str) -> tuple[Standing, str]:
        if _account(url) in accounts:
            return Standing.OWN, "brand.accounts"
        domain = origin_of(url)
        if domain not in remembered:
            remembered[domain] = _standing(domain, own, critical, store, now)
        return remembered[domain]

    return judge


def _standing(
    domain: str, own: set[str], critical: set[str], store: Store | None, now: datetime
) -> tuple[Standing, str]:
    if _under(domain, own):
        return Standing.OWN, "brand.domains"
    if _under(domain, critical):
        return Standing.CRITICAL, "results.critical"
    tones = {tone: _said(store, domain, tone, now) for tone in ("negative", "neutral", "positive")} if store else {}
    total = sum(tones.values())
    if total < MIN_OPINIONS:
        return Standing.NEUTRAL, "unknown"
    why = f"{tones['negative']}/{total} negative"
    return (Standing.CRITICAL if tones["negative"] / total >= CRITICAL_SHARE else Standing.NEUTRAL), why


def _said(store: Store, domain: str, tone: str, now: datetime) -> int:
    """Counted opinions of one tone that a domain holds."""
    conditions = (("tone", (tone,)), ("counted", ("true",)))
    query = Query(All((Field("domain", (domain,)), OneOpinion(conditions))))
    return store.count(query, start=now - SPAN)[0]


def _place(row: Row, position: int | None, before: int | None) -> Place:
    return Place(position=position, before=before, url=row.url, title=row.title, domain=origin_of(row.url))


def _judged(place: Place, judge: Judge) -> Place:
    standing, why = judge(place.url)
    return msgspec.structs.replace(place, standing=standing, why=why)


def _account(url: str) -> str:
    """The profile an address names: the last part of its path; empty where it has none."""
    return urlsplit(url).path.rstrip("/").rpartition("/")[2].lower().removeprefix("@")


def _address(row: Row) -> str:
    return canonical_url(row.url)


def _title(row: Row) -> str:
    return folded_letters(row.title)


def _under(domain: str, names: set[str]) -> bool:
    return any(domain == name or domain.endswith(f".{name}") for name in names)


def _bare(name: str) -> str:
    return name.lower().removeprefix("www.")
