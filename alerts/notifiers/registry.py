"""All notifiers there are: every module of this folder and every entry point ``sturmwarte.notifiers``."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from importlib.metadata import entry_points
from inspect import isclass
from typing import cast

import alerts.notifiers
from alerts.notifiers import Notifier
from pipeline.configuration import Configuration


def notifiers() -> dict[str, type[Notifier]]:
    """Name → class, sorted. Raises ValueError where two share a name."""
    found: dict[str, type[Notifier]] = {}
    for kind in [*_own(), *(entry.load() for entry in entry_points(group="sturmwarte.notifiers"))]:
        if found.setdefault(kind.name, kind) is not kind:
            raise ValueError(f"two notifiers are called {kind.name!r}: {found[kind.name]!r} and {kind!r}")
    return dict(sorted(found.items()))


def _own() -> list[type[Notifier]]:
    names = [info.name for info in pkgutil.iter_modules(alerts.notifiers.__path__, "alerts.notifiers.")]
    return [kind for name in names for kind in _kinds(vars(import_module(name)), name)]


def _kinds(members: dict[str, object], module: str) -> list[type[Notifier]]:
    """The classes that this module defines and that look like notifiers."""
    classes = [value for value in members.values() if isclass(value) and value.__module__ == module]
    return [cast("type[Notifier]", kind) for kind in classes if hasattr(kind, "send") and hasattr(kind, "Options")]


def build(configuration: Configuration) -> dict[str, Notifier]:
    """The notifiers that receivers of this configuration use, set up."""
    used = {receiver.notifier for receiver in configuration.receivers.values()}
    return {name: kind.of(configuration) for name, kind in notifiers().items() if name in used}
