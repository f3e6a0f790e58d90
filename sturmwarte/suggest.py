"""Places worth watching that are no source yet: domains that search results and mentions lead to again and again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from pipeline.configuration import Configuration
from pipeline.identity import origin_of
from pipeline.mention import Mention
from pipeline.state.tables import result
from sturmwarte.initialise import is_private
from sturmwarte.preview import Fetch, Preview, look_at

MIN_TIMES = 2
"""What is met once is chance."""


_LINK = re.compile(r"https?://[^\s<>\"']{4,500}")


@dataclass(frozen=True)
class Suggestion:
    """A place, how often it was met, and what it would give now. ``url`` is what would be read."""

    domain: str
    url: str
    results: int
    mentions: int
    spider: str = ""
    items: int = 0
    threads: int = 0
    problem: str = ""

    @property
    def lines(self) -> str:
        """What to paste into the configuration; empty where nobody can read the place."""
        if not self.spider:
            return ""
        name = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in self.domain.lower()).strip("-")
        return f'[sources.{name[:63]}]\nspider = "{self.spider}"\nurl = "{self.url}"\n'


def suggestions(
    configuration: Configuration, brand: str, places: Iterable[tuple[str, str]], mentions: Iterable[Mention]
) -> list[Suggestion]:
    """Places by how often they were met. ``places``: (address, title) of results; those that name the brand count."""
    names = [name.casefold() for name in (configuration.brands[brand].name, *configuration.brands[brand].names)]
    named = {url for url, title in places if any(name in title.casefold() for name in names)}
    read = {url for one in mentions for url in _addresses(one)}
    ranked, said = Counter(filter(None, map(_origin, named))), Counter(filter(None, map(_origin, read)))
    known = _known(configuration)
    found = [
        Suggestion(origin, f"https://{origin}/", ranked[origin], said[origin])
        for origin in ranked | said
        if origin and not _under(origin, known) and ranked[origin] + said[origin] >= MIN_TIMES
    ]
    return sorted(found, key=lambda one: (-one.results - one.mentions, one.domain))


def _origin(url: str) -> str:
    """Where an address leads, if that is a public name; what people write may be anything."""
    try:
        host = urlsplit(url).hostname or ""
        return "" if is_private(url) or "." not in host or host.endswith((".local", ".internal")) else origin_of(url)
    except ValueError:
        return ""


def result_rows(connection: sa.Connection) -> list[tuple[str, str]]:
    """(address, title) of all results that are kept."""
    rows = connection.execute(sa.select(result.c.url, result.c.title).distinct())
    return [(str(row.url), str(row.title)) for row in rows]


def previewed(found: Suggestion, fetch: Fetch, now: datetime, zone: ZoneInfo) -> Suggestion:
    """What the place would give now: one request. Where its page is a mere article, nobody reads it as a source."""
    seen: Preview = look_at(found.url, fetch, now, zone)
    if seen.spider in (None, "article"):
        return replace(found, problem=seen.problem or "no spider reads this page")
    return replace(found, spider=seen.spider or "", items=len(seen.items), threads=seen.threads, problem=seen.problem)


def _addresses(mention: Mention) -> list[str]:
    """Where a mention stands and where its text leads to."""
    own = [mention.crawled.url] if mention.crawled.url else []
    return [*own, *(url.rstrip(".,;:!?)") for url in _LINK.findall(mention.crawled.text))]


def _known(configuration: Configuration) -> set[str]:
    """Where is read already, and what is the brands' own."""
    own = {name.lower().removeprefix("www.") for brand in configuration.brands.values() for name in brand.domains}
    return own | {origin_of(source.url) for source in configuration.sources.values()} | {"news.google.com"}


def _under(origin: str, known: Collection[str]) -> bool:
    return any(origin == name or origin.endswith(f".{name}") for name in known)
