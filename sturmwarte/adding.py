"""Adding a place to watch to ``sturmwarte.toml``: its table is written, everything else stays as people wrote it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.items import Table

from pipeline.toml import ConfigurationError, Examined, Registry, examine
from sturmwarte.initialise import private_host


def add_source(file: Path, name: str, values: Mapping[str, Any], registry: Registry) -> Examined:
    """Write ``[sources.NAME]`` with these values; the file as it is then.

    A host of the own machine or network is allowed, too, since a person has just named it. The old file stays in force
    until the new one was found good. Raises ConfigurationError where it is not, with the old file untouched.
    """
    document = tomlkit.parse(file.read_text("utf-8"))
    sources = document.setdefault("sources", tomlkit.table(is_super_table=True))
    table = tomlkit.table()
    for key, value in values.items():
        table.add(key, list(value) if isinstance(value, tuple) else value)
    table.add(tomlkit.nl())
    sources[name] = table
    for host in private_host(str(values.get("url", ""))):
        _allow(document, host)
    return replaced(file, tomlkit.dumps(document), registry)


def replaced(file: Path, text: str, registry: Registry) -> Examined:
    """Put another text in the place of a configuration, if it is a good one. Raises ConfigurationError."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(text, "utf-8")
    try:
        examined = examine(new, registry, folder=file.absolute().parent)
        new.chmod(file.stat().st_mode & 0o777)
        new.replace(file)
    except ConfigurationError as error:
        raise ConfigurationError([replace(finding, file=str(file)) for finding in error.findings]) from None
    finally:
        new.unlink(missing_ok=True)
    return examined


def known_as(sources: Mapping[str, Any], spider: str, url: str) -> str | None:
    """Id of the source that reads this address already."""
    from pipeline.identity import canonical_url

    same = (name for name, entry in sources.items() if canonical_url(entry.url) == canonical_url(url))
    return next((name for name in same if sources[name].spider == spider), None)


def _allow(document: tomlkit.TOMLDocument, host: str) -> None:
    crawl = document.setdefault("crawl", tomlkit.table())
    allowed: Sequence[str] = crawl.get("allow_private", ())
    if host not in allowed and isinstance(crawl, Table):
        crawl["allow_private"] = [*allowed, host]
