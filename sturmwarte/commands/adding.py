"""What ``sources add`` and ``sources watch`` share: looking at an address and writing the source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.toml_checks import is_address
from sturmwarte.commands.init import show_look
from sturmwarte.commands.shared import Desk, Refused, note, one_of
from sturmwarte.preview import Preview


@dataclass(frozen=True)
class Wanted:
    """A place that a person wants watched, as far as it was said."""

    url: str
    spider: str | None = None
    id: str | None = None
    about: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    preview: bool = True


def look_for(here: Desk, wanted: Wanted) -> Preview:
    """Which spider reads it and what it would find now. Raises Refused where the words are no address or spider."""
    from sturmwarte.initialise import private_host
    from sturmwarte.preview import fetcher, look_at
    from sturmwarte.registry import build_registry

    if not is_address(wanted.url):
        raise Refused("bad_address", text=wanted.url)
    if wanted.spider is not None:
        one_of(wanted.spider, list(build_registry().spiders), "unknown_spider")
    if not wanted.preview:
        return Preview(wanted.url, wanted.spider or "feed")
    configuration = here.configuration
    fetch = fetcher(configuration.contact, (*configuration.crawl.allow_private, *private_host(wanted.url)))
    found = look_at(wanted.url, fetch, here.clock.now(), configuration.timezone, wanted.spider or "auto")
    return replace(found, spider=wanted.spider or found.spider)


def show(here: Desk, found: Preview) -> None:
    """Tell the person what was seen."""
    show_look(found, here.speech)


def write(here: Desk, wanted: Wanted, found: Preview) -> str:
    """Write the source into the configuration; its id. Raises Refused where it is there already."""
    from pipeline.identity import origin_of
    from sturmwarte.adding import add_source, known_as
    from sturmwarte.initialise import identifier
    from sturmwarte.registry import build_registry

    assert here.file is not None and found.spider is not None
    sources = here.configuration.sources
    known = known_as(sources, found.spider, found.url)
    if known is not None:
        raise Refused("sources.known", source=known, url=found.url)
    if wanted.id is not None and wanted.id in sources:
        raise Refused("sources.taken", source=wanted.id)
    name = wanted.id or identifier(origin_of(found.url), list(sources))
    values: dict[str, Any] = {"spider": found.spider, "url": found.url}
    if wanted.about is not None:
        values["about"] = one_of(wanted.about, list(here.configuration.brands), "unknown_brand")
    for warning in add_source(here.file, name, values | dict(wanted.settings), build_registry()).warnings:
        if warning.field.startswith(f"sources.{name}"):
            note(warning.text(here.speech))
    return name
