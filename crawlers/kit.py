"""What the Scrapy components of one visit share: handed to the spider, from where middlewares and sink take it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from crawlers.fetches import Fetch
from crawlers.tokens import Tokens

if TYPE_CHECKING:
    from ssl import SSLContext

    from scrapy.crawler import Crawler

    from crawlers.guard import Guard
    from crawlers.pacing import Pacer
    from crawlers.sink import Feed
    from crawlers.spider import SourceSpider
    from crawlers.validators import Validators
    from pipeline.clock import Clock


@dataclass(frozen=True, slots=True)
class Kit:
    """Everything a visit needs beside its job; tests replace single parts."""

    clock: Clock
    guard: Guard
    pacer: Pacer
    validators: Validators
    feed: Feed
    keep: Callable[[str, bytes], str | None]
    """(url, body) → SHA-256 of the page kept as evidence, None where it is not kept."""
    tls: Callable[[], SSLContext]
    """The certificates we trust; costly to load, so one for all visits."""
    fetches: list[Fetch] = field(default_factory=list)
    tokens: Tokens = field(default_factory=Tokens)
    """Shared by all visits of a process."""


def spider_of(crawler: Crawler) -> SourceSpider:
    """The spider of a visit. Its kit is there before Scrapy builds any component."""
    return cast("SourceSpider", crawler.spider)


def kit_of(crawler: Crawler) -> Kit:
    """What a component of a visit works with."""
    kit = spider_of(crawler).kit
    if kit is None:
        raise TypeError("a visit needs its kit: run 'sturmwarte crawl'")
    return kit
