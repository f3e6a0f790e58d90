"""All kinds of spiders there are: the files of ``crawlers/spiders`` and what other packages offer by entry points."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import TYPE_CHECKING

from crawlers import spiders as folder

if TYPE_CHECKING:
    from crawlers.spider import SourceSpider

GROUP = "sturmwarte.spiders"
"""Entry point group of packages that bring spiders: each names a class."""


def spiders() -> dict[str, type[SourceSpider]]:
    """Spider classes by name. Raises ValueError where two have one name or an entry point names no spider."""
    found: dict[str, type[SourceSpider]] = {}
    own = (cls for name in _modules() for cls in _classes(importlib.import_module(name)))
    for cls in [*own, *(_loaded(point) for point in entry_points(group=GROUP))]:
        if found.setdefault(cls.name, cls) is not cls:
            raise ValueError(f"two spiders are named {cls.name!r}: {found[cls.name]!r} and {cls!r}")
    return dict(sorted(found.items()))


def _modules() -> list[str]:
    return [f"{folder.__name__}.{module.name}" for module in pkgutil.iter_modules(folder.__path__)]


def _classes(module: ModuleType) -> list[type[SourceSpider]]:
    from crawlers.spider import SourceSpider

    classes = [cls for _, cls in inspect.getmembers(module, inspect.isclass) if cls.__module__ == module.__name__]
    return [cls for cls in classes if issubclass(cls, SourceSpider) and cls.name]


def _loaded(point: EntryPoint) -> type[SourceSpider]:
    from crawlers.spider import SourceSpider

    cls = point.load()
    if not (inspect.isclass(cls) and issubclass(cls, SourceSpider)):
        raise ValueError(f"entry point {point.name!r} of {GROUP} names no spider: {point.value}")
    return cls
