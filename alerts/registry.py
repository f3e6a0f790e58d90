"""Kinds of rules, found by walking ``alerts/rules`` and by entry points ``sturmwarte.rules``; no list is kept."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

import alerts.rules
from alerts.rule import Rule
from pipeline.configuration import Configuration, RuleEntry

PARTS = ("name", "version", "description", "example", "Options", "evaluate")
DEFAULT: Mapping[str, RuleEntry] = {"surge": RuleEntry.model_validate({"rule": "surge"})}
"""In force where the configuration names no rule."""


def rules() -> dict[str, type[Rule]]:
    """Kind of rule → its class. Raises ValueError where two have one name."""
    found: dict[str, type[Rule]] = {}
    for rule in _discovered():
        if found.setdefault(rule.name, rule) is not rule:
            raise ValueError(f"two rules are called {rule.name!r}: {found[rule.name]} and {rule}")
    return found


@cache
def _discovered() -> tuple[type[Rule], ...]:
    """Looking through all installed packages takes time, and they do not change while we run."""
    return (*_own(), *_foreign())


def _own() -> Iterator[type[Rule]]:
    for module in sorted(info.name for info in pkgutil.iter_modules(alerts.rules.__path__)):
        loaded = import_module(f"alerts.rules.{module}")
        for _, entry in inspect.getmembers(loaded, inspect.isclass):
            if entry.__module__ == loaded.__name__ and all(hasattr(entry, part) for part in PARTS):
                yield cast("type[Rule]", entry)


def _foreign() -> Iterator[type[Rule]]:
    for entry in entry_points(group="sturmwarte.rules"):
        yield entry.load()


def in_force(configuration: Configuration, brand: str) -> dict[str, Rule]:
    """Rule entry id → rule with its options set, of those that watch a brand."""
    kinds = rules()
    return {
        name: _made(kinds[entry.rule], entry)
        for name, entry in entries(configuration).items()
        if entry.enabled and (not entry.brands or brand in entry.brands)
    }


def entries(configuration: Configuration) -> Mapping[str, RuleEntry]:
    """The configured rule entries, or the default ones."""
    return configuration.rules or DEFAULT


def _made(kind: type[Rule], entry: RuleEntry) -> Rule:
    factory: type = kind
    made: Rule = factory(kind.Options.model_validate(entry.options))
    return made
