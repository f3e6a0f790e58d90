"""``/metrics``: what describes the world, read from the state database when asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

import sqlalchemy as sa
from fastapi import APIRouter, Request
from fastapi.responses import Response
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from dashboards.health import mentions_answer
from dashboards.house import House, NotReady
from dashboards.situations import situations
from pipeline.state.blocking import counted
from pipeline.state.opening import StateUnavailable
from pipeline.state.tables import hole, incident, outbox, pending_message, source
from pipeline.store.protocol import StoreError
from pipeline.words import IncidentState, OutboxState, SourceState

router = APIRouter(include_in_schema=False)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """The metrics in the text format of Prometheus."""
    registry = CollectorRegistry()
    registry.register(World(request.app.state.house))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class World(Collector):
    """Ages, states, queues, incidents, level, persons and expected band.

    While one of the two databases is away, the numbers of the other are told all the same.
    """

    def __init__(self, house: House) -> None:
        self.house = house

    def collect(self) -> Iterator[Metric]:
        now = self.house.clock.now()
        of_state, up = _told(lambda: self._of_state(now))
        of_brands, _ = _told(lambda: brand_metrics(self.house, now))
        store_up = mentions_answer(self.house) == "ok"
        yield GaugeMetricFamily("sturmwarte_up", "Whether the state database can be read.", up)
        yield GaugeMetricFamily("sturmwarte_store_up", "Whether the mention store can be read.", store_up)
        yield from of_state
        yield from of_brands

    def _of_state(self, now: datetime) -> Iterator[Metric]:
        with self.house.state().read() as connection:
            yield from source_metrics(connection, now)
            yield from queue_metrics(connection, now)
            yield from incident_metrics(connection)

    def describe(self) -> Iterator[Metric]:
        """Nothing beforehand: names appear with their values."""
        return iter(())


def _told(metrics: Callable[[], Iterator[Metric]]) -> tuple[list[Metric], bool]:
    """The metrics and True; none and False while what they are read from is away."""
    try:
        return list(metrics()), True
    except (NotReady, StateUnavailable, StoreError, SQLAlchemyError, OSError):
        return [], False


def source_metrics(connection: sa.Connection, now: datetime) -> Iterator[Metric]:
    """State, ages and items of every source."""
    rows = connection.execute(sa.select(source).order_by(source.c.id)).all()
    states = GaugeMetricFamily("sturmwarte_source_state", "1 for the state a source is in.", labels=["source", "state"])
    items = GaugeMetricFamily("sturmwarte_source_items", "Items read so far.", labels=["source"])
    failures = GaugeMetricFamily("sturmwarte_source_failures", "Failed visits in a row.", labels=["source"])
    for row in rows:
        for state in SourceState:
            states.add_metric([row.id, state], float(row.state == state))
        items.add_metric([row.id], row.items_seen)
        failures.add_metric([row.id], row.failures)
    yield from (states, items, failures)
    ages = {"watermark": "Seconds since what was last read completely.", "last_ok": "Seconds since a good answer."}
    for column, text in ages.items():
        family = GaugeMetricFamily(f"sturmwarte_source_{column}_age_seconds", text, labels=["source"])
        for row in rows:
            at = getattr(row, column)
            if at is not None:
                family.add_metric([row.id], (now - at).total_seconds())
        yield family
    overdue = GaugeMetricFamily("sturmwarte_source_overdue_seconds", "Seconds a visit is overdue.", labels=["source"])
    for row in rows:
        overdue.add_metric([row.id], max((now - row.next_due).total_seconds(), 0.0))
    yield overdue
    holes = connection.scalar(sa.select(sa.func.count()).select_from(hole)) or 0
    refused = CounterMetricFamily("sturmwarte_refused", "Addresses refused by rule.", labels=["rule"])
    for rule, number in counted(connection).items():
        refused.add_metric([rule], number)
    yield refused
    yield GaugeMetricFamily("sturmwarte_source_holes", "Spans that no source could fill.", holes)


def queue_metrics(connection: sa.Connection, now: datetime) -> Iterator[Metric]:
    """Messages by state, and how long the oldest unsent one waits."""
    messages = GaugeMetricFamily("sturmwarte_messages", "Messages in the outbox.", labels=["state"])
    counted = sa.select(outbox.c.state, sa.func.count()).group_by(outbox.c.state)
    by_state = {str(state): int(count) for state, count in connection.execute(counted)}
    for state in OutboxState:
        messages.add_metric([state], by_state.get(state, 0))
    yield messages
    pending = connection.scalar(sa.select(sa.func.count()).select_from(pending_message)) or 0
    yield GaugeMetricFamily("sturmwarte_messages_pending", "State changes held back, not composed yet.", pending)
    oldest = connection.scalar(sa.select(sa.func.min(outbox.c.composed)).where(outbox.c.state == OutboxState.READY))
    waiting = (now - oldest).total_seconds() if oldest else 0.0
    yield GaugeMetricFamily("sturmwarte_messages_oldest_seconds", "Age of the oldest unsent message.", waiting)


def incident_metrics(connection: sa.Connection) -> Iterator[Metric]:
    """Incidents by state."""
    family = GaugeMetricFamily("sturmwarte_incidents", "Incidents.", labels=["state"])
    counted = sa.select(incident.c.state, sa.func.count()).group_by(incident.c.state)
    by_state = {str(state): int(count) for state, count in connection.execute(counted)}
    for state in IncidentState:
        family.add_metric([state], by_state.get(state, 0))
    yield family


def brand_metrics(house: House, now: datetime) -> Iterator[Metric]:
    """The same numbers as on the situation page."""
    level = GaugeMetricFamily("sturmwarte_level", "Wind force, 0 to 6.", labels=["brand"])
    persons = GaugeMetricFamily("sturmwarte_persons", "Critical persons in the window.", labels=["brand"])
    hourly = GaugeMetricFamily("sturmwarte_persons_per_hour", "Critical persons per hour.", labels=["brand"])
    posts = GaugeMetricFamily("sturmwarte_posts", "Critical posts in the window.", labels=["brand"])
    band = GaugeMetricFamily("sturmwarte_persons_expected", "Usual critical persons.", labels=["brand", "bound"])
    for facts in situations(house, now):
        hours = (facts.window_end - facts.window_start).total_seconds() / 3600
        level.add_metric([facts.brand], facts.level)
        persons.add_metric([facts.brand], facts.persons)
        hourly.add_metric([facts.brand], facts.persons / hours if hours else 0.0)
        posts.add_metric([facts.brand], facts.posts)
        bounds = {"low": facts.persons_low, "expected": facts.persons_expected, "high": facts.persons_high}
        for bound, value in bounds.items():
            if value is not None:
                band.add_metric([facts.brand, bound], value)
    yield from (level, persons, hourly, posts, band)
