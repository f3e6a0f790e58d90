"""Spider for the user's own SearXNG or searx instance: one ranked list per query and visit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode, urlsplit, urlunsplit

from pydantic import Field
from scrapy.http import Request

from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed
from crawlers.ranking import RankedOptions, RankedSpider, Standing
from crawlers.results import parse_results


def parse(page: PageFile) -> Parsed:
    """The ranked results of one answer."""
    return parse_results(page)


class SearxngOptions(RankedOptions):
    """Options of a search source."""

    language: str = Field("de", description="Language the instance is asked for; 'all' for any.")
    time_range: Literal["", "day", "week", "month", "year"] = Field("", description="Only results as young as this.")
    categories: str = Field("general", description="Categories of the instance, separated by commas.")
    engines: str = Field("", description="Only these engines, separated by commas; empty: the instance's own choice.")
    own: bool = Field(
        True,
        description="This is your own instance, whose robots.txt (which forbids searching) speaks to strangers. "
        "Set false for somebody else's.",
    )


class SearxngSpider(RankedSpider):
    """Asks one instance."""

    name = "searxng"
    platform = "searxng"
    interval = timedelta(minutes=30)
    Options = SearxngOptions
    description = "Searches at an own SearXNG or searx instance whose settings allow the format json."
    example = """\
[sources.search]
spider = "searxng"
url = "http://127.0.0.1:8888"
queries = ["acme hotline", "acme kündigung"]
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        answer = look.json
        known = isinstance(answer, dict) and "query" in answer and isinstance(answer.get("results"), list)
        return "the answer is a result list of SearXNG or searx" if known else ""

    @property
    def own_service(self) -> bool:
        return self.options(SearxngOptions).own

    def ask(self, standing: Standing, callback: Any) -> Request:
        return self.request(
            search_url(self.job.url, standing.query, standing.page, self.options(SearxngOptions)), callback
        )


def search_url(base: str, query: str, number: int, options: SearxngOptions) -> str:
    """Address of one page of results as JSON; ``base`` is the instance or its search page."""
    parts = urlsplit(base)
    path = parts.path if parts.path.rstrip("/").endswith("/search") else parts.path.rstrip("/") + "/search"
    asked = {
        "q": query,
        "format": "json",
        "language": options.language,
        "categories": options.categories,
        "engines": options.engines,
        "time_range": options.time_range,
        "pageno": str(number) if number > 1 else "",
    }
    return urlunsplit(parts._replace(path=path, query=urlencode({key: value for key, value in asked.items() if value})))
