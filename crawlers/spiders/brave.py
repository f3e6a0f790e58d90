"""Spider for the Brave Search API: web and news, with a key and a monthly quota of the operator's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode

from pydantic import Field
from scrapy.http import Request

from crawlers.api import ApiOptions, Keyed
from crawlers.dates import parse_date
from crawlers.look import Look
from crawlers.parsing import Links, PageFile, Parsed, ParsedItem
from crawlers.ranking import RankedOptions, RankedSpider, Standing
from crawlers.results import MAX_RESULTS, ranked_items, words
from crawlers.select import absolute
from crawlers.structured import json_of
from crawlers.text import decode
from pipeline.identity import identify, permalink_id
from pipeline.words import Answer, Kind

BASE = "https://api.search.brave.com/res/v1"
MAX_OFFSET = 9
"""The interface counts pages from 0 and gives ten of them."""
_FRESH = {"": "", "day": "pd", "week": "pw", "month": "pm", "year": "py"}
_PER_PAGE = {"web": 20, "news": 50}


def parse(page: PageFile) -> Parsed:
    """The results of one answer; never raises."""
    text = decode(page.body, page.headers).strip()
    if not text:
        return Parsed(state=Answer.ERROR, reason="the answer is empty")
    try:
        answer = json_of(text)
    except (ValueError, RecursionError):
        return Parsed(state=Answer.ERROR, reason="this is no JSON")
    if not isinstance(answer, dict):
        return Parsed(state=Answer.ERROR, reason="JSON of another shape: no answer of Brave Search")
    if answer.get("type") == "ErrorResponse" or isinstance(answer.get("error"), dict):
        return _refused(answer)
    return _judged(page, answer)


class BraveOptions(RankedOptions, ApiOptions):
    """Options of a search at Brave."""

    index: Literal["web", "news"] = Field("web", description="Which of Brave's indices: web or news.")
    freshness: Literal["", "day", "week", "month", "year"] = Field("", description="Only results as young as this.")
    country: str = Field("DE", description="Country the results are for; ALL for any.")
    language: str = Field("de", description="Language of the results.")
    pages: int = Field(1, ge=1, le=MAX_OFFSET + 1, description="Pages of results per query; each costs a request.")


class BraveSpider(Keyed, RankedSpider):
    """Asks Brave's interface. Each page of each query costs one unit of the month's quota."""

    name = "brave"
    platform = "brave"
    interval = timedelta(hours=6)
    Options = BraveOptions
    key_name = "STURMWARTE_BRAVE_KEY"
    quota = 1_000
    quota_period = timedelta(days=30)
    description = "Searches at Brave, web or news, with a key of your own for its API."
    example = """\
[sources.brave]
spider = "brave"
url = "https://api.search.brave.com/res/v1"
queries = ["acme hotline"]
freshness = "week"
"""
    parser: ClassVar[Any] = staticmethod(parse)

    @classmethod
    def recognises(cls, look: Look) -> str:
        answer = look.json
        own = isinstance(answer, dict) and ("results" in answer or "web" in answer or "mixed" in answer)
        known = own and (answer.get("type") in ("search", "news") and isinstance(answer.get("query"), dict))
        return "the answer is one of the Brave Search API" if known else ""

    def headers(self) -> Mapping[str, str]:
        return {"X-Subscription-Token": self.key(), "Accept": "application/json"}

    def ask(self, standing: Standing, callback: Any) -> Request | None:
        url = search_url(self.job.url, standing.query, standing.page, self.options(BraveOptions))
        return self.request(url, callback, headers=self.headers()) if self.may_ask(url) else None

    def goes_on(self, standing: Standing, parsed: Parsed) -> bool:
        return bool(parsed.links.next) and super().goes_on(standing, parsed)


def search_url(base: str, query: str, number: int, options: BraveOptions) -> str:
    """Address of one page of results."""
    asked = {
        "q": query[:400],
        "count": str(_PER_PAGE[options.index]),
        "offset": str(number - 1) if number > 1 else "",
        "country": options.country,
        "search_lang": options.language,
        "freshness": _FRESH[options.freshness],
        "text_decorations": "false",
    }
    given = urlencode({name: value for name, value in asked.items() if value})
    return f"{(base or BASE).rstrip('/')}/{options.index}/search?{given}"


def _refused(answer: dict[str, Any]) -> Parsed:
    """An error of the interface, by its own code."""
    error = answer.get("error")
    error = error if isinstance(error, dict) else {}
    code = str(error.get("code") or "")[:60]
    if code in ("RATE_LIMITED", "QUOTA_LIMITED"):
        return Parsed(state=Answer.RATE_LIMITED, reason=f"Brave asks us to slow down ({code})")
    if "SUBSCRIPTION" in code or "RESOURCE_NOT_ALLOWED" in code or "OPTION_NOT_IN_PLAN" in code:
        return Parsed(state=Answer.GATED, reason=f"Brave does not take the key ({code})")
    return Parsed(state=Answer.ERROR, reason=f"Brave answers with an error ({code or 'without a code'})")


def _judged(page: PageFile, answer: dict[str, Any]) -> Parsed:
    """A web answer has no part "web" where nothing was found; a news answer has an empty list."""
    web = answer.get("web")
    rows = web.get("results") if isinstance(web, dict) else answer.get("results")
    asked = answer.get("query")
    if rows is None and isinstance(asked, dict) and answer.get("type") in ("search", "news"):
        rows = []
    if not isinstance(rows, list):
        return Parsed(state=Answer.ERROR, reason="JSON without a list of results: no answer of Brave Search")
    items = tuple(_items(page, rows[:MAX_RESULTS]))
    if not items:
        if rows:
            return Parsed(state=Answer.ERROR, reason="no result has an address and a title")
        return Parsed(state=Answer.EMPTY, reason="nothing found")
    more = isinstance(asked, dict) and (asked.get("more_results_available") is not False)
    links = Links(items=tuple(item.url for item in items if item.url), next=(page.url,) if more else ())
    return Parsed(state=Answer.OK, items=items, results=ranked_items(items, "brave"), links=links)


def _items(page: PageFile, rows: list[Any]) -> Iterator[ParsedItem]:
    seen: set[str] = set()
    for position, row in enumerate(rows, start=1):
        row = row if isinstance(row, dict) else {}
        url = absolute(page.url, row["url"]) if isinstance(row.get("url"), str) else None
        title = words(row.get("title"))
        if url is None or not title or url in seen:
            continue
        seen.add(url)
        yield ParsedItem(
            kind=Kind.RESULT,
            id=identify([url], permalink=url) or permalink_id(url),
            url=url,
            title=title,
            text=words(row.get("description")),
            published=parse_date(_age(row), page.now, page.zone),
            position=position,
        )


def _age(row: dict[str, Any]) -> str | None:
    """When the page appeared: a time for machines where there is one (in UTC), else "3 hours ago"."""
    exact, shown = row.get("page_age"), row.get("age")
    if isinstance(exact, str) and exact:
        return exact if exact.endswith("Z") or "+" in exact or "T" not in exact else f"{exact}Z"
    return shown if isinstance(shown, str) else None
