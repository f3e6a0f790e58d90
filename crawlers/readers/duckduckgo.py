"""Result pages of DuckDuckGo, with scripts or without."""

from __future__ import annotations

from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed
from crawlers.serp import Engine, parse_serp, recognised_by

ENGINE = Engine(
    name="DuckDuckGo",
    hosts=("duckduckgo.com",),
    marks="article[data-testid=result], .results_links, .result__a, #links_wrapper, form#challenge-form,"
    " .anomaly-modal__modal, table a.result-link, link[title=DuckDuckGo], .react-results--main",
    results="article[data-testid=result], .result.results_links:not(.result--ad), .web-result, tr:has(a.result-link)",
    link="a[data-testid='result-title-a'][href], a.result__a[href], a.result-link[href], h2 a[href]",
    title="h2, a.result__a, a.result-link",
    snippets=("[data-result=snippet]", ".result__snippet", ".result-snippet", "[data-testid='result-snippet']"),
    adverts=".result--ad, [data-testid=ad], .badge--ad, .results--ads, .result-sponsored",
    nothing=("no results found for", "keine ergebnisse gefunden für", "no more results", "no results."),
    nothing_at=".no-results, .msg--no-results",
    challenge=".anomaly-modal__modal, form#challenge-form, form[action*='anomaly']",
)


def parse(page: PageFile) -> Parsed:
    """The organic results of a saved page."""
    return parse_serp(page, ENGINE)


def recognises(look: Look) -> str:
    return recognised_by(look, ENGINE)
