"""Result pages of Ecosia."""

from __future__ import annotations

from crawlers.look import Look
from crawlers.parsing import PageFile, Parsed
from crawlers.serp import Engine, parse_serp, recognised_by

ENGINE = Engine(
    name="Ecosia",
    hosts=("ecosia.org",),
    marks="[data-test-id=mainline], .mainline__result, .mainline-results, article.result[data-test-id]",
    results="[data-test-id='mainline-result-web'], .mainline__result-wrapper article, article.result,"
    " .card-web .result",
    link="a[data-test-id='result-link'][href], a.result__link[href], .result__title a[href],"
    " a.result-title[href], h2 a[href]",
    title="[data-test-id='result-title'], .result-title__heading, .result__title, h2",
    snippets=(
        "[data-test-id='result-description']",
        ".result__description",
        ".web-result__description",
        ".result-snippet",
        "p",
    ),
    adverts="[data-test-id='mainline-result-ad'], .mainline__ad, .card-ad, .result--ad",
    nothing=("no results for", "keine ergebnisse für", "keine treffer für", "we couldn't find"),
    nothing_at=".no-results, [data-test-id='no-results']",
    challenge="#challenge-form, .cf-turnstile, .captcha, #px-captcha",
    next_page="a[data-test-id='next-button'][href], a.pagination__next[href]",
)


def parse(page: PageFile) -> Parsed:
    """The organic results of a saved page."""
    return parse_serp(page, ENGINE)


def recognises(look: Look) -> str:
    return recognised_by(look, ENGINE)
