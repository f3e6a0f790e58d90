"""The numbers of every brand, strongest first: what the situation page, its interface and the metrics show."""

from __future__ import annotations

from datetime import datetime

from alerts.facts import Facts
from alerts.situation import facts
from dashboards.house import House


def situation(house: House, brand: str, at: datetime) -> Facts:
    """The numbers of one brand at that moment. Raises NotReady."""
    return facts(house.load(), house.store(), house.state(), brand, at)


def situations(house: House, at: datetime) -> list[Facts]:
    """The numbers of all configured brands, strongest first. Raises NotReady."""
    every = [situation(house, brand, at) for brand in house.load().brands]
    return sorted(every, key=lambda one: (-one.level, one.state != "firing", -one.persons, one.brand))
