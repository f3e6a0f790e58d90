"""The latest result list of every query beside the one before: what page, interface and command line show."""

from __future__ import annotations

from datetime import datetime

from dashboards.house import House, NotReady
from pipeline.ranks import Comparison, comparisons, judge_of
from pipeline.store.protocol import Store


def rankings(house: House, query: str, now: datetime) -> list[Comparison]:
    """By source and query; of one query where one is given. Raises NotReady before there is a state database."""
    judge = judge_of(house.load(), _store(house), now)
    with house.state().read() as connection:
        return comparisons(connection, judge, query)


def _store(house: House) -> Store | None:
    """Lists may be there before the first mention is."""
    try:
        return house.store()
    except NotReady:
        return None
